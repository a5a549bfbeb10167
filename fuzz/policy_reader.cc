// Policy files by anybody: the reader must refuse or accept them, with bounded sizes; and a judge with an
// accepted set must come through a few events.
#include <cstdint>
#include <string_view>
#include <vector>

#include "judge/judge.h"

using namespace mailward;

namespace {

std::vector<Event> some_events() {
  std::vector<Event> events(40);
  for (size_t i = 0; i < events.size(); ++i) {
    Event& e = events[i];
    e.time = i % 7 == 0 ? kNoInstant : Instant(std::chrono::hours(491'000 + i * i % 37));
    e.address = Address::v4(static_cast<uint32_t>(0xc0000200 + i % 5));
    e.kind = static_cast<EventKind>(i % kEventKinds);
    e.count = 1 + i % 3;
    e.facts[static_cast<size_t>(Fact::kUser)] = i % 2 ? "anna@far.example" : "anna";
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto set = parse_policies(text, "fuzz.toml", "fuzz");
  if (!set) {
    if (set.error().message.empty()) __builtin_trap();
    return 0;
  }
  if (set->policies.empty() || set->policies.size() > kMostPolicies) __builtin_trap();
  static const std::vector<Event> events = some_events();
  JudgeConfig config;
  config.policies = *set;
  config.marks = 16;
  Judge judge(config);
  judge.take(events);
  const Report report = judge.finish({});
  if (report.sources.size() > 5) __builtin_trap();
  return 0;
}
