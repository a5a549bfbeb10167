// The judge against a slow, obviously right one, on random events in random orders of arrival; and
// tables for what each condition of a policy means.
#include "judge/judge.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "judge/domains.h"
#include "judge/random_world.h"

namespace mailward {
namespace {

using std::string;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// ---------------------------------------------------------------- the oracle

string canonical_user(const string& user, const std::vector<string>& local) {
  string low = user;
  std::transform(low.begin(), low.end(), low.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const size_t at = low.rfind('@');
  if (at != string::npos && at > 0 && std::find(local.begin(), local.end(), low.substr(at + 1)) != local.end())
    return low.substr(0, at);
  return low;
}

string domain_of(const string& user) {
  const string low = canonical_user(user, {});
  const size_t at = low.rfind('@');
  return at == string::npos || at == 0 ? "" : low.substr(at + 1);
}

struct Oracle {
  const JudgeConfig& config;
  const std::vector<Happening>& events;
  std::set<string> local;

  Oracle(const JudgeConfig& c, const std::vector<Happening>& e) : config(c), events(e) {
    local.insert(c.local_domains.begin(), c.local_domains.end());
    if (local.empty())
      for (const Happening& t : events)
        if (t.kind == EventKind::kAuthOk && !domain_of(t.user).empty()) local.insert(domain_of(t.user));
  }

  static Network one_address(const Policy& p, const string& a) {
    return network_of(*parse_address(a), 32, p.per == Per::kAddress ? p.prefix6 : 64);
  }

  bool matches(const Policy& p, const Happening& t) const {
    const string domain = domain_of(t.user);
    const bool login =
        t.kind == EventKind::kAuthFailed || t.kind == EventKind::kAuthOk || t.kind == EventKind::kAuthAborted;
    const bool foreign = login && !domain.empty() && !local.contains(domain);
    if (!(p.events & bit(t.kind))) return false;
    if (p.needs_domains && local.empty()) return false;
    switch (p.when) {
      case When::kAny:
        return true;
      case When::kForeignDomain:
        return foreign;
      case When::kNotForeignDomain:
        return !foreign;
      case When::kLocalDomain:
        return login && !domain.empty() && local.contains(domain);
      case When::kBareName:
        return login && !t.user.empty() && domain.empty();
      case When::kUnknownUser:
        return t.unknown;
    }
    return false;
  }

  // A login by this address, as `user` or anybody, at most `span` before.
  bool logged_in(const Policy& p, const Happening& t, Duration span, bool anybody) const {
    return std::any_of(events.begin(), events.end(), [&](const Happening& login) {
      if (login.kind != EventKind::kAuthOk || (!anybody && login.user.empty())) return false;
      if (!anybody && canonical_user(login.user, config.local_domains) != canonical_user(t.user, config.local_domains))
        return false;
      if (one_address(p, login.address) != one_address(p, t.address)) return false;
      if (t.time == INT64_MIN || login.time == INT64_MIN) return t.time == login.time;
      return login.time <= t.time && login.time > t.time - span.count();
    });
  }

  bool spared(const Policy& p, const Happening& t) const {
    if (t.kind == EventKind::kAuthFailed)
      return p.spare.count() > 0 && !t.user.empty() && logged_in(p, t, p.spare, false);
    return p.spare_clients.count() > 0 && t.kind != EventKind::kAuthOk && logged_in(p, t, p.spare_clients, true);
  }

  struct Weight {
    uint64_t hard = 0;
    std::set<std::pair<EventKind, string>> mild;  // what they are about
    std::set<EventKind> mild_kinds;
    uint64_t all() const { return hard + mild.size(); }
  };

  // What `of` of the events weigh; mild ones that are alike count once, where the policy says so.
  template <class Of>
  Weight weight(const Policy& p, Of of) const {
    Weight w;
    for (const Happening& t : events) {
      if (!of(t)) continue;
      const bool login = t.kind == EventKind::kAuthFailed || t.kind == EventKind::kAuthOk;
      const string what = login                                    ? canonical_user(t.user, config.local_domains)
                          : t.kind == EventKind::kUnknownRecipient ? t.recipient
                                                                   : "";
      if (!p.spare_mild || !t.mild) {
        w.hard += t.count;
        continue;
      }
      w.mild.emplace(t.kind, what);
      w.mild_kinds.insert(t.kind);
    }
    return w;
  }

  bool sender(const Policy& p, const string& address) const {
    uint64_t taken = 0;
    for (const Happening& t : events)
      if (t.address == address && t.kind == EventKind::kAccepted) taken += t.count;
    return taken >
           weight(p, [&](const Happening& t) { return t.address == address && (p.events & bit(t.kind)); }).all();
  }

  // No more of what counts than is allowed to anybody, or to the people who log in from there, or to him
  // whose name it is.
  bool few(const Policy& p, const Happening& about) const {
    std::set<string> users;
    bool owned = false;
    const auto here = [&](const Happening& t) { return one_address(p, t.address) == one_address(p, about.address); };
    for (const Happening& t : events) {
      if (t.kind != EventKind::kAuthOk) continue;
      const string user = canonical_user(t.user, config.local_domains);
      if (here(t)) users.insert(user);
      owned |= p.per == Per::kUser && user == canonical_user(about.user, config.local_domains);
    }
    const Weight counted = weight(p, [&](const Happening& t) {
      return here(t) && matches(p, t) && !spared(p, t) && !config.ignore.find(*parse_address(t.address));
    });
    if (p.spare_mild && counted.hard <= p.limit && counted.mild.size() == counted.mild_kinds.size()) return true;
    return p.spare_people > 0 && counted.all() <= std::max<uint64_t>(users.size(), owned) * p.spare_people;
  }

  string key(const Policy& p, const Happening& t) const {
    if (p.per == Per::kUser) return t.user.empty() ? "" : "u" + canonical_user(t.user, config.local_domains);
    const Network n = p.per == Per::kNetwork ? network_of(*parse_address(t.address), p.prefix4, p.prefix6)
                                             : one_address(p, t.address);
    return format_network(n);
  }

  bool logged_in_as(const Policy& p, const Happening& t) const {
    return std::any_of(events.begin(), events.end(), [&](const Happening& login) {
      return login.kind == EventKind::kAuthOk && one_address(p, login.address) == one_address(p, t.address) &&
             (login.user.empty() ||
              canonical_user(login.user, config.local_domains) == canonical_user(t.user, config.local_domains));
    });
  }

  std::set<string> offenders(const Policy& p) const {
    std::map<string, std::vector<const Happening*>> keys;
    for (const Happening& t : events) {
      const Address a = *parse_address(t.address);
      if (matches(p, t) && !spared(p, t) && !key(p, t).empty() && !config.ignore.find(a)) keys[key(p, t)].push_back(&t);
    }
    std::map<std::pair<string, string>, bool> known;
    const auto excused = [&](const Happening& t) {
      const auto [at, first] = known.try_emplace({t.address, t.user}, false);
      if (first)
        at->second =
            (p.per == Per::kUser && logged_in_as(p, t)) || (p.spare_senders && sender(p, t.address)) || few(p, t);
      return at->second;
    };
    std::set<string> found;
    for (const auto& [name, list] : keys) {
      std::set<string> of_key;
      std::set<Network> taking_part;
      for (const Happening* end : list) {
        uint64_t sum = 0;
        const auto inside = [&](const Happening* t) {
          if (p.window.count() == 0 || t->time == INT64_MIN) return true;
          return end->time != INT64_MIN && t->time <= end->time && t->time > end->time - p.window.count();
        };
        std::set<EventKind> kinds;
        for (const Happening* t : list) {
          if (!inside(t)) continue;
          sum += t->count;
          kinds.insert(t->kind);
        }
        if (sum <= p.limit || kinds.size() < p.kinds) continue;
        for (const Happening* t : list) {
          if (!inside(t)) continue;
          taking_part.insert(network_of(*parse_address(t->address), 32, 64));
          if (!excused(*t)) of_key.insert(t->address);
        }
      }
      if (taking_part.size() >= p.addresses) found.insert(of_key.begin(), of_key.end());
    }
    return found;
  }
};

// An order in which nothing comes more than `late` after what is later in the log, and what has no time first.
void shuffle_within(std::vector<Happening>& events, int64_t late, std::mt19937& random) {
  std::vector<std::pair<int64_t, Happening>> keyed;
  for (Happening& t : events) {
    const int64_t time = t.time == INT64_MIN ? 0 : t.time;
    keyed.emplace_back(time + static_cast<int64_t>(random() % 10'000) * (late / 10'000), std::move(t));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < events.size(); ++i) events[i] = std::move(keyed[i].second);
}

Report judge(const JudgeConfig& config, const std::vector<Happening>& told) {
  Judge judge(config);
  std::vector<Event> events;
  for (const Happening& t : told) events.push_back(event_of(t));
  const std::span<const Event> all(events);
  const size_t half = all.size() / 2;
  judge.take(all.subspan(0, half));
  judge.take(all.subspan(half));
  return judge.finish({});
}

std::map<string, std::set<string>> offenders_by_policy(const Report& report) {
  std::map<string, std::set<string>> found;
  for (const SourceReport& s : report.sources)
    for (const string& name : s.policies) found[name].insert(format_address(s.address));
  return found;
}

TEST(JudgeOracle, AgreesOnRandomEventsInRandomOrder) {
  std::mt19937 random(20260309);
  size_t convicted = 0;
  const int rounds = std::getenv("MAILWARD_SOAK") ? 10'000 : 400;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    const JudgeConfig config = random_config(random);
    std::vector<Happening> events = random_events(random);
    std::stable_sort(events.begin(), events.end(),
                     [](const Happening& a, const Happening& b) { return a.time < b.time; });
    shuffle_within(events, 23 * kHour, random);
    const auto found = offenders_by_policy(judge(config, events));
    const Oracle oracle(config, events);
    for (const Policy& p : config.policies.policies) {
      const auto at = found.find("set/" + p.name);
      const std::set<string> got = at == found.end() ? std::set<string>() : at->second;
      ASSERT_EQ(got, oracle.offenders(p))
          << p.name << " per " << name_of(p.per) << " when " << name_of(p.when) << " limit " << p.limit << " window "
          << format_duration(p.window) << " spare " << format_duration(p.spare) << " kinds " << describe_kinds(p.events)
          << " marks " << config.marks;
      convicted += got.size();
    }
  }
  EXPECT_GT(convicted, 1000u);
}

// What is told of each address is the same whatever is thinned out.
TEST(JudgeOracle, CountsAreExact) {
  std::mt19937 random(4711);
  for (int round = 0; round < 300; ++round) {
    SCOPED_TRACE(round);
    JudgeConfig config = random_config(random);
    config.told = Told::kAll;
    const std::vector<Happening> events = random_events(random);
    const Report report = judge(config, events);
    std::map<string, std::map<string, uint64_t>> kinds, users;
    std::map<string, std::pair<int64_t, int64_t>> span;
    for (const Happening& t : events) {
      kinds[t.address][string(name_of(t.kind))] += t.count;
      if (t.kind == EventKind::kAuthFailed && !t.user.empty()) users[t.address][t.user] += t.count;
      if (t.time == INT64_MIN) continue;
      const auto [at, first] = span.try_emplace(t.address, t.time, t.time);
      at->second = {std::min(at->second.first, t.time), std::max(at->second.second, t.time)};
    }
    ASSERT_EQ(report.sources.size(), kinds.size());
    ASSERT_TRUE(std::is_sorted(report.sources.begin(), report.sources.end(),
                               [](auto& a, auto& b) { return a.address < b.address; }));
    for (const SourceReport& s : report.sources) {
      const string address = format_address(s.address);
      std::map<string, uint64_t> got;
      for (size_t k = 0; k < kEventKinds; ++k)
        if (s.events[k]) got[string(kEventKindInfo[k].name)] = s.events[k];
      ASSERT_EQ(got, kinds[address]);
      ASSERT_EQ((std::map<string, uint64_t>(s.users.begin(), s.users.end())), users[address]);
      ASSERT_TRUE(std::is_sorted(s.users.begin(), s.users.end()));
      if (span.contains(address)) {
        ASSERT_EQ(s.first.time_since_epoch().count(), span[address].first);
        ASSERT_EQ(s.last.time_since_epoch().count(), span[address].second);
      } else {
        ASSERT_FALSE(has_time(s.first));
      }
    }
  }
}

// ---------------------------------------------------------------- tables

PolicySet one_policy(const string& text) {
  const auto set = parse_policies("[[policy]]\nname = \"p\"\nban = \"7d\"\n" + text, "t.toml", "t");
  EXPECT_TRUE(set) << set.error().message;
  return *set;
}

std::vector<string> convicted(const JudgeConfig& config, const std::vector<Happening>& events) {
  std::vector<string> list;
  for (const SourceReport& s : judge(config, events).sources)
    if (s.offender) list.push_back(format_address(s.address));
  return list;
}

std::vector<Happening> failures(const string& address, const string& user, std::initializer_list<int64_t> hours) {
  std::vector<Happening> list;
  for (const int64_t h : hours) list.push_back({kBegin + h * kHour, address, EventKind::kAuthFailed, user});
  return list;
}

std::vector<Happening> operator+(std::vector<Happening> a, const std::vector<Happening>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Happening login(const string& address, const string& user, int64_t hour) {
  return {kBegin + hour * kHour, address, EventKind::kAuthOk, user};
}

TEST(Judge, WindowIsOpenAtItsBeginning) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 1\nwindow = \"24h\"\n");
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "a", {0, 24})), IsEmpty());
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "a", {0, 23})), ElementsAre("192.0.2.1"));
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "a", {23, 0})),
              ElementsAre("192.0.2.1"));  // the order doesn't matter
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "a", {0}) + failures("192.0.2.2", "a", {0})), IsEmpty());
}

TEST(Judge, LimitIsWhatMayHappen) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 3\n");
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "a", {0, 1000, 2000})), IsEmpty());
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "a", {0, 1000, 2000, 9000})), ElementsAre("192.0.2.1"));
  auto weighty = failures("192.0.2.1", "a", {0});
  weighty[0].count = 4;
  EXPECT_THAT(convicted(config, weighty), ElementsAre("192.0.2.1"));
  weighty[0].count = 3;
  EXPECT_THAT(convicted(config, weighty), IsEmpty());
}

// Mail that comes again is about the same recipient; another recipient, or too much else, is no such mail.
TEST(Judge, MildRefusalsAboutTheSameAreSpared) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"unknown_recipient\"]\nlimit = 2\nwindow = \"24h\"\nspare_mild = true\n");
  std::vector<Happening> events;
  for (int hour = 0; hour < 6; ++hour) {
    events.push_back({kBegin + hour * kHour, "192.0.2.1", EventKind::kUnknownRecipient, ""});
    events.back().mild = true;
    events.back().recipient = "a@home.example";
  }
  EXPECT_THAT(convicted(config, events), IsEmpty());
  config.marks = 3;  // also when they are thinned out
  EXPECT_THAT(convicted(config, events), IsEmpty());
  events[5].mild = false;
  events[4].mild = false;
  EXPECT_THAT(convicted(config, events), IsEmpty());
  events[3].mild = false;
  EXPECT_THAT(convicted(config, events), ElementsAre("192.0.2.1"));
  for (Happening& t : events) t.mild = true;
  events[2].recipient = "b@home.example";
  EXPECT_THAT(convicted(config, events), ElementsAre("192.0.2.1"));
}

TEST(Judge, PeopleOfAnOfficeMayFailEach) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nspare_people = 2\n");
  const auto four = failures("192.0.2.1", "new", {1, 2, 3, 4});
  const std::vector<Happening> one{login("192.0.2.1", "anna", 0), login("192.0.2.1", "Anna", 9)};
  const std::vector<Happening> two{login("192.0.2.1", "anna", 0), login("192.0.2.1", "bob", 9)};
  EXPECT_THAT(convicted(config, four + one), ElementsAre("192.0.2.1"));
  EXPECT_THAT(convicted(config, four + two), IsEmpty());
  EXPECT_THAT(convicted(config, four + two + failures("192.0.2.1", "new", {5})), ElementsAre("192.0.2.1"));
}

TEST(Judge, Ipv6NetworkIsOneAddress) {
  const auto events =
      failures("2001:db8::1", "a", {0}) + failures("2001:db8::2", "a", {1}) + failures("2001:db8:0:1::1", "a", {1});
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 1\n");
  EXPECT_THAT(convicted(config, events), ElementsAre("2001:db8::1", "2001:db8::2"));
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 1\nprefix6 = 128\n");
  EXPECT_THAT(convicted(config, events), IsEmpty());
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nprefix6 = 48\n");
  EXPECT_THAT(convicted(config, events), ElementsAre("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"));
}

TEST(Judge, NetworkNamesItself) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nper = \"network\"\nlimit = 2\nwindow = \"24h\"\n");
  auto events = failures("192.0.2.1", "a", {0}) + failures("192.0.2.200", "b", {1}) + failures("192.0.2.9", "c", {2}) +
                failures("192.0.3.1", "a", {0}) + failures("192.0.2.77", "a", {500});
  events.push_back({kBegin, "192.0.2.50", EventKind::kDropped, ""});
  const Report report = judge(config, events);
  std::vector<string> offenders;
  for (const SourceReport& s : report.sources) {
    if (!s.offender) continue;
    offenders.push_back(format_address(s.address));
    EXPECT_THAT(s.networks, ElementsAre("192.0.2.0/24"));
    EXPECT_THAT(s.policies, ElementsAre("t/p"));
  }
  EXPECT_THAT(offenders,
              ElementsAre("192.0.2.1", "192.0.2.9", "192.0.2.200"));  // not the one long after, nor who only hung up
}

TEST(Judge, UserSparesWhoIsTheUser) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nper = \"user\"\nlimit = 3\n");
  const auto attack = failures("192.0.2.1", "anna", {0, 1}) + failures("198.51.100.7", "Anna", {2}) +
                      failures("203.0.113.9", "anna", {3}) + failures("203.0.113.10", "bob", {3});
  EXPECT_THAT(convicted(config, attack), ElementsAre("192.0.2.1", "198.51.100.7", "203.0.113.9"));
  EXPECT_THAT(convicted(config, attack + std::vector{login("203.0.113.9", "anna", 900)}),
              ElementsAre("192.0.2.1", "198.51.100.7"));
  EXPECT_THAT(convicted(config, attack + std::vector{login("203.0.113.9", "", 900)}),
              ElementsAre("192.0.2.1", "198.51.100.7"));
  EXPECT_THAT(convicted(config, attack + std::vector{login("203.0.113.9", "bob", 900)}),
              ElementsAre("192.0.2.1", "198.51.100.7", "203.0.113.9"));
}

TEST(Judge, SparesAfterLoginOnly) {
  JudgeConfig config;
  config.local_domains = {"home.example"};
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 1\nspare_after_login = \"24h\"\n");
  const auto tries = failures("192.0.2.1", "anna", {10, 11, 12});
  struct Row {
    const char* why;
    Happening login;
    bool offender;
  };
  const std::vector<Row> table = {
      {"before", login("192.0.2.1", "anna", 9), false},
      {"at the first one's time", login("192.0.2.1", "anna", 10), false},
      {"with the domain", login("192.0.2.1", "Anna@Home.Example", 9), false},
      {"after all: whoever guesses right is still a guesser", login("192.0.2.1", "anna", 13), true},
      {"between: two were before it", login("192.0.2.1", "anna", 12), true},
      {"too long ago for two of them", login("192.0.2.1", "anna", -13), true},
      {"another user", login("192.0.2.1", "bob", 9), true},
      {"another domain", login("192.0.2.1", "anna@far.example", 9), true},
      {"another address", login("192.0.2.2", "anna", 9), true},
      {"without a name", login("192.0.2.1", "", 9), true},
  };
  for (const Row& row : table)
    EXPECT_EQ(!convicted(config, tries + std::vector{row.login}).empty(), row.offender) << row.why;
}

// Logins are thinned out; the one that decides about a failure that comes late must still be there.
TEST(Judge, SparesWhatComesLate) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 0\nspare_after_login = \"12h\"\n");
  config.marks = 4;
  std::vector<Happening> logins{login("192.0.2.1", "anna", 0), login("192.0.2.1", "anna", 13),
                                login("192.0.2.1", "anna", 20)};
  for (int64_t h = 20; h < 40; ++h) logins.push_back(login("192.0.2.9", "bob", h));
  EXPECT_THAT(convicted(config, logins + failures("192.0.2.1", "anna", {14, 11, 31})), IsEmpty());
  EXPECT_THAT(convicted(config, logins + failures("192.0.2.1", "anna", {12})), ElementsAre("192.0.2.1"));
  EXPECT_THAT(convicted(config, logins + failures("192.0.2.1", "anna", {32})), ElementsAre("192.0.2.1"));
}

TEST(Judge, RemembersWhatWasSpared) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nspare_after_login = \"24h\"\n");
  config.marks = 4;
  std::vector<Happening> events{login("192.0.2.1", "anna", 0)};
  for (int64_t h = 1; h < 6; ++h) events = events + failures("192.0.2.1", "anna", {h});
  for (int64_t h = 6; h < 900; ++h) events.push_back(login("192.0.2.9", "bob", h));
  EXPECT_THAT(convicted(config, events), IsEmpty());
  EXPECT_THAT(convicted(config, events + failures("192.0.2.1", "anna", {900, 901})), IsEmpty());
  EXPECT_THAT(convicted(config, events + failures("192.0.2.1", "anna", {900, 901, 902})), ElementsAre("192.0.2.1"));
}

TEST(Judge, ConditionsLookAtTheName) {
  struct Row {
    const char *user, *when;
    bool counts;
  };
  const std::vector<Row> table = {
      {"info@far.example", "foreign-domain", true},
      {"info@HOME.example", "foreign-domain", false},
      {"info", "foreign-domain", false},
      {"", "foreign-domain", false},
      {"@far.example", "foreign-domain", false},
      {"info@", "foreign-domain", false},
      {"a@b@home.example", "foreign-domain", false},
      {"a@home.example@far.example", "foreign-domain", true},
      {"info@home.example.", "foreign-domain", false},
      {"info@home.example.com", "foreign-domain", true},
      {"info@mail.home.example", "foreign-domain", true},
      {"info@home.example", "local-domain", true},
      {"info", "local-domain", false},
      {"info@far.example", "local-domain", false},
      {"info", "bare-name", true},
      {"info@home.example", "bare-name", false},
      {"", "bare-name", false},
      {"www-data", "bare-name", true},
      {"", "not-foreign-domain", true},
      {"info", "not-foreign-domain", true},
      {"info@far.example", "not-foreign-domain", false},
      {"", "any", true},
      {"info", "unknown-user", false},
  };
  for (const Row& row : table) {
    JudgeConfig config;
    config.local_domains = {"Home.Example"};
    config.policies = one_policy(fmt::format("events = [\"auth_failed\"]\nlimit = 0\nwhen = \"{}\"\n", row.when));
    EXPECT_EQ(!convicted(config, failures("192.0.2.1", row.user, {0})).empty(), row.counts)
        << row.user << ' ' << row.when;
  }
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 0\nwhen = \"unknown-user\"\n");
  auto unknown = failures("192.0.2.1", "info", {0});
  unknown[0].unknown = true;
  EXPECT_THAT(convicted(config, unknown), ElementsAre("192.0.2.1"));
}

TEST(Judge, LearnsDomainsFromLogins) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 0\nwhen = \"foreign-domain\"\n");
  const auto own = failures("192.0.2.1", "anna@home.example", {0});
  const auto far = failures("192.0.2.2", "info@far.example", {0});
  const std::vector known{login("192.0.2.3", "carl@home.example", 100)};
  EXPECT_THAT(convicted(config, own + far), ElementsAre("192.0.2.1", "192.0.2.2"));
  EXPECT_THAT(convicted(config, own + far + known), ElementsAre("192.0.2.2"));
  config.policies =
      one_policy("events = [\"auth_failed\"]\nlimit = 0\nwhen = \"foreign-domain\"\nneeds_domains = true\n");
  EXPECT_THAT(convicted(config, own + far), IsEmpty());
  EXPECT_THAT(convicted(config, own + far + known), ElementsAre("192.0.2.2"));
  config.local_domains = {"far.example"};  // told, so nothing is learned
  EXPECT_THAT(convicted(config, own + far + known), ElementsAre("192.0.2.1"));
}

TEST(Judge, IgnoredAndLoopbackAreNeverOffendersAndCountForNobody) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nper = \"user\"\nlimit = 2\n");
  ASSERT_TRUE(config.ignore.add("198.51.100.0/24"));
  const auto office = failures("198.51.100.7", "anna", {0, 1, 2, 3});
  const auto here = failures("127.0.0.1", "anna", {0, 1, 2, 3}) + failures("::1", "anna", {0, 1, 2});
  EXPECT_THAT(convicted(config, office + here), IsEmpty());
  EXPECT_THAT(convicted(config, office + here + failures("192.0.2.1", "anna", {0})), IsEmpty());
  EXPECT_THAT(convicted(config, office + failures("192.0.2.1", "anna", {0, 1, 2})), ElementsAre("192.0.2.1"));
}

TEST(Judge, WithoutTimesWindowsAreIgnored) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"auth_failed\"]\nlimit = 2\nwindow = \"1h\"\n");
  std::vector<Happening> events(3, {INT64_MIN, "192.0.2.1", EventKind::kAuthFailed, "a"});
  EXPECT_THAT(convicted(config, events), ElementsAre("192.0.2.1"));
  events.pop_back();
  EXPECT_THAT(convicted(config, events), IsEmpty());
}

TEST(Judge, TellsNothingOfFramesAndOfNobody) {
  JudgeConfig config;
  config.policies = one_policy("events = [\"connect\"]\nlimit = 1\n");
  std::vector<Happening> events{{kBegin, "192.0.2.1", EventKind::kConnect, ""},
                                {kBegin, "192.0.2.2", EventKind::kDisconnect, ""}};
  EXPECT_THAT(judge(config, events).sources, IsEmpty());
  events.push_back(events[0]);
  EXPECT_THAT(convicted(config, events), ElementsAre("192.0.2.1"));  // unless a policy counts them
  Judge nobody(config);
  Event ambiguous;
  ambiguous.kind = EventKind::kAmbiguous;
  nobody.take(std::span(&ambiguous, 1));
  EXPECT_THAT(nobody.finish({}).sources, IsEmpty());
}

TEST(Judge, AsksOnlyForWhatItNeeds) {
  JudgeConfig config;
  config.told = Told::kOffenders;
  config.policies = *load_policies("tries");
  EXPECT_EQ(Judge(config).needed_kinds(), bit(EventKind::kAuthFailed));
  config.policies = *load_policies("strikes");
  config.local_domains = {"home.example"};
  EXPECT_EQ(Judge(config).needed_kinds(), bit(EventKind::kAuthFailed) | bit(EventKind::kNoTls));
  config.local_domains = {};
  EXPECT_EQ(Judge(config).needed_kinds(),
            bit(EventKind::kAuthFailed) | bit(EventKind::kNoTls) | bit(EventKind::kAuthOk));
  config.told = Told::kAll;
  EXPECT_EQ(Judge(config).needed_kinds() & (bit(EventKind::kConnect) | bit(EventKind::kAmbiguous)), 0u);
}

TEST(Judge, StrikesAndTriesAreTheScripts) {
  JudgeConfig config;
  config.local_domains = {"domain1.example", "domain2.example"};
  config.policies = *load_policies("strikes");
  const auto six = [](const string& user) { return failures("192.0.2.1", user, {0, 1, 2, 3, 4, 2000}); };
  const auto five = [](const string& user) { return failures("192.0.2.1", user, {0, 1, 2, 3, 4}); };
  EXPECT_THAT(convicted(config, failures("192.0.2.1", "info@example.com", {0})), ElementsAre("192.0.2.1"));
  for (const char* user : {"www-data", "k_jones", "info@domain1.example", ""}) {
    EXPECT_THAT(convicted(config, six(user)), ElementsAre("192.0.2.1")) << user;
    EXPECT_THAT(convicted(config, five(user)), IsEmpty()) << user;
  }
  EXPECT_THAT(
      convicted(config, failures("192.0.2.1", "a", {0, 1, 2}) + failures("192.0.2.1", "b@domain2.example", {0, 1, 2})),
      ElementsAre("192.0.2.1"));
  config.policies = *load_policies("tries");
  EXPECT_THAT(convicted(config, five("a") + five("b")), IsEmpty());
  EXPECT_THAT(convicted(config, five("a") + six("b")), ElementsAre("192.0.2.1"));
}

TEST(Judge, AnyNeedsOneEventThatIsNotNeutral) {
  JudgeConfig config;
  config.policies = *load_policies("any");
  for (size_t k = 0; k < kEventKinds; ++k) {
    const auto kind = static_cast<EventKind>(k);
    EXPECT_EQ(!convicted(config, {{kBegin, "192.0.2.1", kind, ""}}).empty(), severity_of(kind) != Severity::kNeutral)
        << name_of(kind);
  }
}

// ---------------------------------------------------------------- names, activity, bounds

TEST(Judge, NamesAreBounded) {
  JudgeConfig config;
  config.policies = *load_policies("tries");
  std::vector<Happening> events;
  for (int i = 0; i < 3000; ++i)
    events.push_back({kBegin, "192.0.2.1", EventKind::kAuthFailed, fmt::format("u{:05}", i)});
  events.push_back({kBegin, "192.0.2.2", EventKind::kAuthFailed, string(100'000, 'x')});
  events.push_back({kBegin, "192.0.2.2", EventKind::kAuthFailed, "u00001", 2});
  const Report report = judge(config, events);
  ASSERT_EQ(report.sources.size(), 2u);
  EXPECT_EQ(report.sources[0].users.size(), 1001u);
  EXPECT_EQ(report.sources[0].users.back(), (std::pair<string, uint64_t>("…", 2000)));
  ASSERT_EQ(report.sources[1].users.size(), 2u);
  EXPECT_EQ(report.sources[1].users[0], (std::pair<string, uint64_t>("u00001", 2)));
  EXPECT_EQ(report.sources[1].users[1].first, string(512, 'x') + "…");
}

TEST(Judge, ActivityCoversTheInput) {
  JudgeConfig config;
  config.policies = *load_policies("tries");
  std::vector<Happening> events = failures("192.0.2.1", "a", {0, 1, 159}) + failures("192.0.2.2", "a", {80});
  events.push_back({kBegin + 40 * kHour, "192.0.2.2", EventKind::kAccepted, ""});
  Judge judge(config);
  for (const Happening& t : events) {
    const Event e = event_of(t);
    judge.take(std::span(&e, 1));
  }
  InputReport input;
  input.first = Instant(Duration(kBegin));
  input.last = Instant(Duration(kBegin + 159 * kHour));
  const Report report = judge.finish(input);
  uint64_t sum = 0;
  for (const uint32_t n : report.sources[0].activity) sum += n;
  EXPECT_EQ(sum, 3u);
  EXPECT_EQ(report.sources[0].activity.front(), 2u);
  EXPECT_EQ(report.sources[0].activity.back(), 1u);
  EXPECT_EQ(report.sources[1].activity[8] + report.sources[1].activity[7], 1u);
  EXPECT_EQ(report.sources[1].activity[4], 0u);  // neutral events are no activity
}

TEST(SplitLogin, TakesTheLastAt) {
  struct Row {
    const char *name, *local, *domain;
  };
  for (const Row& row : {Row{"a@b", "a", "b"}, Row{"a@b@c", "a@b", "c"}, Row{"a", "a", ""}, Row{"@b", "@b", ""},
                         Row{"a@", "a@", ""}, Row{"a@b.", "a", "b"}, Row{"a@.", "a@.", ""}, Row{"", "", ""}}) {
    EXPECT_EQ(split_login(row.name).local, row.local) << row.name;
    EXPECT_EQ(split_login(row.name).domain, row.domain) << row.name;
  }
}

}  // namespace
}  // namespace mailward
