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

constexpr std::array<std::string_view, 6> kUsers{"info@example.com",  "admin",    "sales@domain1.example",
                                                 "test@bank.example", "www-data", "k_jones@domain2.example"};

struct Compact {
  uint32_t address;
  uint32_t second;
  uint8_t user;  // of kUsers; kUsers.size(): no TLS
};

const std::vector<Compact>& events() {
  static const std::vector<Compact> list = [] {
    std::mt19937_64 random(1);
    std::vector<Compact> made(kEvents);
    for (size_t i = 0; i < kEvents; ++i) {
      const uint64_t r = random();
      const auto who = static_cast<uint32_t>(r % kAddresses);
      made[i].address = who * 2'654'435'761u;
      made[i].second = static_cast<uint32_t>(1'772'409'600 + i * 604'800 / kEvents);
      made[i].user =
          static_cast<uint8_t>(r >> 40 & 3 ? (who % 10 == 0 ? (r >> 52) % kUsers.size() : 1) : kUsers.size());
    }
    return made;
  }();
  return list;
}

// As the reader hands them over: in a buffer that is used again.
std::span<const Event> batch_at(size_t begin, std::vector<Event>& buffer) {
  const std::vector<Compact>& all = events();
  const size_t n = std::min(buffer.size(), all.size() - begin);
  for (size_t i = 0; i < n; ++i) {
    const Compact& c = all[begin + i];
    buffer[i].time = Instant(std::chrono::seconds(c.second));
    buffer[i].address = Address::v4(c.address);
    buffer[i].kind = c.user < kUsers.size() ? EventKind::kAuthFailed : EventKind::kNoTls;
    buffer[i].facts[static_cast<size_t>(Fact::kUser)] = c.user < kUsers.size() ? kUsers[c.user] : "";
  }
  return std::span<const Event>(buffer.data(), n);
}

void judge(benchmark::State& state, const char* preset, Told told) {
  std::vector<Event> buffer(kBatch);
  JudgeConfig config;
  config.policies = *load_policies(preset);
  config.local_domains = {"domain1.example", "domain2.example"};
  config.told = told;
  config.keep_users = config.keep_activity = told == Told::kAll;
  size_t sources = 0;
  for (auto _ : state) {
    Judge judge(config);
    for (size_t i = 0; i < kEvents; i += kBatch) judge.take(batch_at(i, buffer));
    sources = 0;
    judge.finish({}, [&](SourceReport&&) { ++sources; });
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["sources"] = static_cast<double>(sources);
  state.counters["peak_MB"] = static_cast<double>(usage.ru_maxrss) / 1024;  // of all rows so far
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * kEvents));
}

BENCHMARK_CAPTURE(judge, strikes_plain, "strikes", Told::kOffenders)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, tries_plain, "tries", Told::kOffenders)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, any_counts, "any", Told::kHostile)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, default_plain, "default", Told::kOffenders)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(judge, default_all, "default", Told::kAll)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mailward
