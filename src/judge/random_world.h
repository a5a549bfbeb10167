// For tests: small random worlds of events and policies, made so that their edges meet often.
#pragma once

#include <fmt/format.h>

#include <array>
#include <bit>
#include <random>
#include <string>
#include <vector>

#include "judge/judge.h"

namespace mailward {

inline constexpr int64_t kHour = 3'600'000'000;
inline constexpr int64_t kDay = 24 * kHour;
inline constexpr int64_t kBegin = 1'772'409'600'000'000;  // 2026-03-02

struct Happening {  // an event that owns its name
  int64_t time;
  std::string address;
  EventKind kind;
  std::string user;
  uint32_t count = 1;
  bool unknown = false;
  bool mild = false;
  std::string recipient{};
};

inline Event event_of(const Happening& t) {
  Event e;
  e.time = t.time == INT64_MIN ? kNoInstant : Instant(Duration(t.time));
  e.address = *parse_address(t.address);
  e.kind = t.kind;
  e.count = t.count;
  e.unknown_user = t.unknown;
  e.mild = t.mild;
  e.facts[static_cast<size_t>(Fact::kRecipient)] = t.recipient;
  e.facts[static_cast<size_t>(Fact::kUser)] = t.user;
  return e;
}

inline constexpr std::array<const char*, 8> kAddresses{"192.0.2.1",   "192.0.2.2",   "192.0.2.130",     "198.51.100.7",
                                                       "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "203.0.113.9"};
inline constexpr std::array<const char*, 10> kUsers{"anna", "Anna@home.example", "anna@HOME.example", "bob@far.example",
                                                    "bob",  "eve@a@far.example", "@home.example",     "eve@",
                                                    "",     "carl@home.example"};
inline constexpr std::array<EventKind, 8> kKinds{
    EventKind::kUnknownRecipient, EventKind::kAccepted, EventKind::kAuthFailed, EventKind::kAuthFailed,
    EventKind::kAuthOk,           EventKind::kNoTls,    EventKind::kDropped,    EventKind::kAuthFailed};

template <class R, class T, size_t N>
T one_of(R& random, const std::array<T, N>& list) {
  return list[random() % N];
}

inline Policy random_policy(std::mt19937& random, int number) {
  Policy p;
  p.name = fmt::format("p{}", number);
  p.events = one_of(random, std::array<KindSet, 6>{bit(EventKind::kAuthFailed) | bit(EventKind::kUnknownRecipient),
                                                   bit(EventKind::kUnknownRecipient), bit(EventKind::kAuthFailed),
                                                   bit(EventKind::kAuthFailed) | bit(EventKind::kNoTls),
                                                   bit(EventKind::kAuthFailed) | bit(EventKind::kAuthOk),
                                                   bit(EventKind::kDropped) | bit(EventKind::kAuthFailed)});
  p.when = static_cast<When>(random() % 3 == 0 ? random() % (static_cast<unsigned>(When::kNotForeignDomain) + 1) : 0);
  p.per = static_cast<Per>(random() % 3);
  p.limit = one_of(random, std::array<uint32_t, 8>{0, 1, 2, 3, 5, 8, 15, 30});
  p.kinds = random() % 4 == 0 && std::popcount(p.events) > 1 ? 2 : 1;
  if (p.per == Per::kUser) p.addresses = one_of(random, std::array<uint32_t, 4>{1, 1, 2, 4});
  p.window = Duration(one_of(random, std::array<int64_t, 4>{0, kHour, kDay, 7 * kDay}));
  p.spare = Duration(one_of(random, std::array<int64_t, 4>{0, 0, 12 * kHour, 14 * kDay}));
  p.spare_clients = Duration(one_of(random, std::array<int64_t, 4>{0, 0, 12 * kHour, 14 * kDay}));
  p.spare_senders = random() % 4 == 0;
  p.spare_mild = p.per == Per::kAddress && random() % 3 == 0;
  p.prefix6 = p.per == Per::kNetwork ? 48 : one_of(random, std::array<int, 2>{64, 128});
  if (p.per == Per::kUser) p.prefix6 = 64;
  p.prefix4 = one_of(random, std::array<int, 2>{24, 25});
  if (p.per != Per::kNetwork) p.spare_people = one_of(random, std::array<uint32_t, 5>{0, 0, 1, 4, 12});
  p.needs_domains = random() % 8 == 0;
  return p;
}

// Each address by its own events, whenever they were; at most one way to be excused.
inline void make_timeless(Policy& p, unsigned excuse) {
  p.per = Per::kAddress;
  p.prefix6 = 128;
  p.addresses = 1;
  p.window = p.spare = p.spare_clients = Duration(0);
  p.spare_senders = excuse == 1;
  p.spare_mild = excuse == 2;
  if (excuse != 3) p.spare_people = 0;
}

inline std::vector<Happening> random_events(std::mt19937& random) {
  const bool some_untimed = random() % 4 == 0;
  const int64_t length = one_of(random, std::array<int64_t, 4>{kHour, kDay, 10 * kDay, 60 * kDay});
  std::vector<Happening> events(random() % (random() % 2 ? 400 : 50));
  for (Happening& t : events) {
    t.time = kBegin + static_cast<int64_t>(random() % 1000) * (length / 1000);
    if (random() % 3 == 0) t.time = kBegin + static_cast<int64_t>(random() % 8) * (length / 8);  // many at once
    if (some_untimed && random() % 4 == 0) t.time = INT64_MIN;
    t.address = one_of(random, kAddresses);
    t.kind = one_of(random, kKinds);
    if (t.kind == EventKind::kAuthOk && random() % 2) t.kind = EventKind::kAuthFailed;
    t.user = t.kind == EventKind::kAuthFailed || t.kind == EventKind::kAuthOk ? one_of(random, kUsers) : "";
    t.count = random() % 5 == 0 ? 1 + random() % 3 : 1;
    t.unknown = random() % 4 == 0;
    t.mild = random() % 5 == 0 && !(bit(t.kind) & kLoginKinds);
    if (t.kind != EventKind::kUnknownRecipient) continue;
    t.mild = random() % 4 != 0;
    t.recipient = one_of(random, std::array<const char*, 4>{"a@home.example", "b@home.example", "c@home.example", ""});
  }
  return events;
}

inline JudgeConfig random_config(std::mt19937& random) {
  JudgeConfig config;
  config.policies.name = "set";
  for (int i = 0; i < 6; ++i) config.policies.policies.push_back(random_policy(random, i));
  if (random() % 8 < 3) {
    const auto excuse = static_cast<unsigned>(random() % 5);
    for (Policy& p : config.policies.policies) make_timeless(p, excuse);
  }
  while (sparing_spans(config.policies.policies) > kMostSpans) config.policies.policies.pop_back();  // no file may
  if (random() % 2) config.local_domains = {"home.example"};
  if (random() % 3 == 0) config.ignore.add(*parse_network("192.0.2.128/25"));
  config.marks = one_of(random, std::array<size_t, 3>{16, 100, 100'000});
  config.told = static_cast<Told>(random() % 3);
  return config;
}

}  // namespace mailward
