// The tree against the oracle, on rule patterns that are installed and lines that are not.
// First byte: which rule's pattern; the rest is the line. What the oracle reads in one way only, the
// tree must read in the same way; what it can't read, the tree must not.
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/oracle.h"
#include "grammar/prove.h"

using namespace mailward;

namespace {

const Grammar& grammar() {
  static const Grammar* g = [] {
    const std::vector<std::string> folders{MAILWARD_SOURCE_DATA "/rules"};
    auto loaded = Grammar::load(folders);
    if (!loaded || !loaded->prepare_all()) std::abort();
    return new Grammar(std::move(*loaded));
  }();
  return *g;
}

[[noreturn]] void differ(const char* what, const std::string& line) {
  std::fprintf(stderr, "%s: %s\n", what, line.c_str());
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1 || size > 400) return 0;
  const auto& programs = grammar().programs();
  const ProgramRules& rules = *programs[data[0] % programs.size()];
  const std::string line(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string padded = line + std::string(kMessagePadding, '\0');
  Match match, nodes, plain;
  const char *const begin = padded.data(), *const end = begin + line.size();
  const bool by_nodes = rules.nodes().match(begin, end, nodes), by_plain = rules.nodes().match_plain(begin, end, plain);
  if (by_nodes != by_plain || (by_nodes && (nodes.rule != plain.rule || nodes.present != plain.present)))
    differ("wide and plain differ", line);
  // (Plain straight ways are walked where the environment has MAILWARD_PLAIN.)
  const bool by_way = rules.straight_ways().match(begin, end, match);
  if (by_way && !by_nodes && !nodes.exhausted) differ("a straight way reads what the nodes can't", line);
  if (!by_way) match = nodes;
  const bool matched = by_way || by_nodes;
  if (match.exhausted) return 0;
  // Of the lowest rank that can read the line.
  bool all = true, same = true;
  int rank = INT_MAX;
  std::string_view address;
  for (const auto& pattern : rules.patterns) {
    bool complete;
    for (const Reading& r : all_readings(*pattern.pattern, line, 64, 20'000, &complete)) {
      if (pattern.rank > rank) break;
      const std::string_view a = r.spans[static_cast<size_t>(Capture::kAddress)];
      same = pattern.rank < rank || (same && a.data() == address.data());
      address = a;
      rank = pattern.rank;
    }
    all = all && complete;
  }
  if (!all) return 0;
  if (matched != (rank != INT_MAX)) differ(matched ? "the tree reads what can't be read" : "the tree misses", line);
  if (matched && rules.patterns[match.rule].rank != rank) differ("a higher rank than need be", line);
  if (matched && same && match.has(Capture::kAddress) && match.text(Capture::kAddress) != address)
    differ("another address", line);
  return 0;
}
