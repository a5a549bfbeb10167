// What judging costs: as many events and addresses as a log of 512 MB holds (gen --kind opensmtpd:
// 440,000 hostile events of 140,557 addresses), without reading anything.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <random>

#include "judge/judge.h"

namespace mailward {
namespace {

constexpr size_t kEvents = 440'000;
constexpr size_t kAddresses = 140'557;
constexpr size_t kBatch = 2'000;  // events of one block of a log

constexpr std::array<const char*, 6> kUsers{"info@example.com",  "admin",    "sales@domain1.example",
                                            "test@bank.example", "www-data", "k_jones@domain2.example"};

const std::vector<Event>& events() {
  static const std::vector<Event> list = [] {
    std::mt19937_64 random(1);
    std::vector<Event> made(kEvents);
    for (size_t i = 0; i < kEvents; ++i) {
      Event& e = made[i];
      const uint64_t r = random();
      e.time = Instant(std::chrono::seconds(1'772'409'600 + i * 604'800 / kEvents));
      e.address = Address::v4(static_cast<uint32_t>(r % kAddresses * 2'654'435'761u));
      e.kind = r >> 40 & 3 ? EventKind::kAuthFailed : EventKind::kNoTls;
      if (e.kind == EventKind::kAuthFailed)
        e.facts[static_cast<size_t>(Fact::kUser)] = kUsers[r >> 44 & 0xff ? (r >> 52) % 6 : 0];
    }
    return made;
  }();
  return list;
}

void judge(benchmark::State& state, const char* preset, Told told) {
  const std::vector<Event>& all = events();
  JudgeConfig config;
  config.policies = *load_policies(preset);
  config.local_domains = {"domain1.example", "domain2.example"};
  config.told = told;
  config.keep_users = config.keep_activity = told == Told::kAll;
  size_t sources = 0;
  for (auto _ : state) {
    Judge judge(config);
    for (size_t i = 0; i < all.size(); i += kBatch)
      judge.take(std::span(all).subspan(i, std::min(kBatch, all.size() - i)));
    sources = 0;
    judge.finish({}, [&](SourceReport&&) { ++sources; });
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["sources"] = static_cast<double>(sources);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;  // of all so far, the events' 200 MB too
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * all.size()));
}

BENCHMARK_CAPTURE(judge, strikes_plain, "strikes", Told::kOffenders)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, tries_plain, "tries", Told::kOffenders)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, any_counts, "any", Told::kHostile)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, default_plain, "default", Told::kOffenders)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, default_all, "default", Told::kAll)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mailward
