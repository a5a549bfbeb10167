// Rule files: whatever bytes they hold, they are read or refused.
#include <cstdint>
#include <string>
#include <vector>

#include "grammar/grammar.h"

using namespace mailward;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 20'000) return 0;
  auto file = parse_rule_file({reinterpret_cast<const char*>(data), size}, "fuzz.toml");
  if (!file) return 0;
  std::vector<RuleFile> files;
  files.push_back(std::move(*file));
  auto grammar = Grammar::compile(std::move(files));
  if (grammar) (void)grammar->prepare_all();
  return 0;
}
