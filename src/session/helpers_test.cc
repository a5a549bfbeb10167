#include "session/helpers.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

namespace mailward {
namespace {

struct Told {
  int second;  // negative: no time
  const char*
      by;  // a helper; "": a server; "session": one whose daemon's sessions ask with their id; "in": somebody got in
  const char* user;
  uint32_t count = 1;
  const char* address = "192.0.2.1";
  bool unknown = false;
};

std::vector<Event> events_of(const std::vector<Told>& told) {
  std::vector<Event> events;
  for (const Told& t : told) {
    const std::string by = t.by;
    Event& e = events.emplace_back();
    e.kind = by == "in" ? EventKind::kAuthOk : EventKind::kAuthFailed;
    e.time = t.second < 0 ? kNoInstant : Instant(std::chrono::seconds(1'772'409'600 + t.second));
    e.address = *parse_address(t.address);
    e.count = t.count;
    e.unknown_user = t.unknown;
    if (by == "session")
      e.apart = true;
    else if (!by.empty() && by != "in") {
      e.helper = helper_number(by);
      e.apart = !by.starts_with("pam");
    }
    e.facts[static_cast<size_t>(Fact::kUser)] = t.user;
  }
  return events;
}

struct Kept {
  uint64_t attempts = 0;
  std::string users;  // of the refused logins, in the order in which they are handed on
  uint64_t unknown = 0;
};

Kept kept(const std::vector<Told>& told, size_t together) {
  std::vector<Event> events = events_of(told);
  Kept k;
  Helpers helpers;
  const Helpers::Take take = [&](std::span<const Event> batch) {
    for (const Event& e : batch) {
      if (e.kind != EventKind::kAuthFailed) continue;
      k.attempts += e.count;
      k.users += (k.users.empty() ? "" : " ") + std::string(e.user());
      k.unknown += e.unknown_user;
    }
  };
  for (size_t i = 0; i < events.size(); i += together)
    helpers.pass(std::span(events).subspan(i, std::min(together, events.size() - i)), take);
  helpers.finish(take);
  EXPECT_EQ(helpers.waiting(), 0U);
  return k;
}

TEST(Helpers, EachAttemptIsCountedOnce) {
  struct Row {
    const char* why;
    std::vector<Told> told;
    uint64_t attempts;
    const char* users;
    uint64_t unknown = 0;
  };
  const std::vector<Row> table = {
      {"server alone", {{0, "", "anna"}, {1, "", "anna"}, {2, "", ""}}, 3, "anna anna "},
      {"helper alone", {{0, "sql", "anna"}, {9, "sql", "anna"}}, 2, "anna anna"},
      {"the server knows the domain", {{0, "sql", "root"}, {2, "", "root@far.example"}}, 1, "root@far.example"},
      {"server first", {{0, "", "anna"}, {0, "sql", "anna"}, {9, "", "anna"}, {9, "sql", "anna"}}, 2, "anna anna"},
      {"three times",
       {{0, "sql", "a"}, {2, "", "a"}, {4, "sql", "a"}, {6, "", "a"}, {8, "sql", "a"}, {9, "", "a"}},
       3,
       "a a a"},
      {"two databases", {{0, "passwd-file", "anna"}, {0, "sql", "anna"}, {2, "", "anna"}}, 1, "anna"},
      {"two databases alone",
       {{0, "passwd-file", "anna"}, {0, "sql", "anna"}, {9, "passwd-file", "anna"}},
       2,
       "anna anna"},
      {"the second one knows him",
       {{0, "passwd-file", "a", 1, "192.0.2.1", true}, {0, "sql", "a"}, {2, "", "a"}},
       1,
       "a",
       0},
      {"nobody knows him", {{0, "passwd-file", "a", 1, "192.0.2.1", true}, {2, "", "a"}}, 1, "a", 1},
      {"one sum at the end", {{0, "pam-unix", "anna"}, {5, "pam-unix", "anna"}, {9, "session", "anna", 2}}, 2, "anna"},
      {"a sum over several names",
       {{0, "pam-unix", "ana"}, {5, "pam-unix", "anan"}, {7, "pam-unix", "anna"}, {9, "session", "anna", 3}},
       3,
       "anna"},
      {"a server that tells no name", {{0, "sql", "anna"}, {2, "", ""}}, 1, "anna"},
      {"two that tell no name", {{0, "sql", "anna"}, {2, "", ""}, {3, "", ""}}, 2, "anna "},
      {"other session's", {{0, "sql", "anna"}, {2, "session", "anna"}}, 2, "anna anna"},
      {"IMAP and SMTP",
       {{0, "sql", "a"}, {2, "session", "a"}, {3, "", "a"}, {9, "sql", "a"}, {9, "session", "a"}, {11, "", "a"}},
       4,
       "a a a a"},
      {"another user", {{0, "sql", "anna"}, {2, "", "bert"}}, 2, "bert anna"},
      {"another address", {{0, "sql", "anna"}, {2, "", "anna", 1, "192.0.2.2"}}, 2, "anna anna"},
      {"long after", {{0, "sql", "anna"}, {181, "", "anna"}}, 2, "anna anna"},
      {"just in time", {{0, "sql", "anna"}, {180, "", "anna"}}, 1, "anna"},
      {"one late stamp",
       {{9000, "sql", "a"}, {0, "sql", "a"}, {2, "", "a"}, {20, "sql", "a"}, {22, "", "a"}},
       3,
       "a a a"},
      {"got in", {{0, "pam-unix", "anna"}, {1, "in", "anna"}}, 0, ""},
      {"got in in the end", {{0, "pam-unix", "anna"}, {9, "pam-unix", "anna"}, {10, "in", "anna"}}, 1, "anna"},
      {"somebody else got in", {{0, "pam-unix", "anna"}, {1, "in", "bert"}}, 1, "anna"},
      {"some text without times", {{-1, "sql", "anna"}, {5, "", "bert"}, {6, "sql", "bert"}}, 2, "anna bert"},
      {"text without times", {{-1, "sql", "anna"}, {-1, "", "anna"}}, 1, "anna"},
  };
  for (const Row& row : table)
    for (const size_t together : {size_t{1}, size_t{2}, row.told.size()}) {
      const Kept k = kept(row.told, together);
      EXPECT_EQ(k.attempts, row.attempts) << row.why << ", " << together << " at a time";
      EXPECT_EQ(k.users, row.users) << row.why;
      EXPECT_EQ(k.unknown, row.unknown) << row.why;
    }
}

// However the stream is cut, the same comes out.
TEST(Helpers, CutsMakeNoDifference) {
  std::mt19937 random(7);
  const std::vector<const char*> who{"", "", "session", "sql", "passwd-file", "pam-unix", "in"},
      users{"", "a", "a@x", "b"};
  for (int round = 0; round < 300; ++round) {
    std::vector<Told> told;
    for (int i = 0, t = 0; i < 40; ++i, t += static_cast<int>(random() % 40))
      told.push_back(
          {std::max(0, t - (random() % 9 == 0 ? 100 : 0)), who[random() % who.size()], users[random() % users.size()]});
    const Kept whole = kept(told, told.size());
    for (const size_t together : {size_t{1}, size_t{3}, size_t{7}}) EXPECT_EQ(kept(told, together).users, whole.users);
  }
}

TEST(Helpers, OtherEventsPass) {
  std::vector<Event> events = events_of({{0, "sql", "anna"}, {1, "", "x"}, {2, "", "anna"}, {3, "", "y"}});
  events[1].kind = EventKind::kAuthAborted;
  events[3].kind = EventKind::kConnect;
  Helpers helpers;
  std::vector<EventKind> kinds;
  const Helpers::Take take = [&](std::span<const Event> batch) {
    for (const Event& e : batch) kinds.push_back(e.kind);
  };
  helpers.pass(events, take);
  helpers.finish(take);
  EXPECT_EQ(kinds, (std::vector{EventKind::kAuthAborted, EventKind::kAuthFailed, EventKind::kConnect}));
  EXPECT_EQ(helpers.put_out(), 0U);
}

// An attacker chooses names, and may have many addresses.
TEST(Helpers, IsBounded) {
  Helpers helpers;
  uint64_t out = 0, most = 0;
  const Helpers::Take take = [&](std::span<const Event> batch) { out += batch.size(); };
  for (uint32_t i = 0; i < 300'000; ++i) {
    Event e = events_of({{static_cast<int>(i / 5000), "sql", "anna"}})[0];
    const std::string user = std::to_string(i) + std::string(i % 7 * 100, 'x');
    e.facts[static_cast<size_t>(Fact::kUser)] = user;
    e.address.low = i % 3 ? i : 7;
    helpers.pass({&e, 1}, take);
    most = std::max<uint64_t>(most, helpers.waiting());
  }
  EXPECT_LE(most, Helpers::kMostWaiting);
  EXPECT_GT(most, 1000U);
  helpers.finish(take);
  EXPECT_EQ(out, 300'000U);
}

TEST(Helpers, NumbersOfDatabasesDiffer) {
  std::set<uint8_t> numbers;
  const std::vector<const char*> names{"passwd-file", "sql",      "ldap",      "pam", "passwd",
                                       "oauth2",      "pam-unix", "pam-other", "lua", "static"};
  for (const char* name : names) numbers.insert(helper_number(name));
  EXPECT_EQ(numbers.size(), names.size());
  EXPECT_EQ(numbers.count(0), 0U);
  EXPECT_LE(*numbers.rbegin(), 31);
}

}  // namespace
}  // namespace mailward
