#include "session/helpers.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace mailward {
namespace {

constexpr const char* kServer = "";

struct Told {
  int second;  // negative: no time
  const char* by;
  const char* user;
  uint32_t count = 1;
  const char* address = "192.0.2.1";
};

std::vector<Event> events_of(const std::vector<Told>& told) {
  std::vector<Event> events;
  for (const Told& t : told) {
    Event& e = events.emplace_back();
    e.kind = EventKind::kAuthFailed;
    e.time = t.second < 0 ? kNoInstant : Instant(std::chrono::seconds(1'772'409'600 + t.second));
    e.address = *parse_address(t.address);
    e.count = t.count;
    if (*t.by) e.helper = helper_number(t.by);
    e.facts[static_cast<size_t>(Fact::kUser)] = t.user;
  }
  return events;
}

// Attempts that are left, in one go and one by one.
uint64_t attempts(const std::vector<Told>& told) {
  std::vector<Event> events = events_of(told);
  Helpers all, singly;
  uint64_t sum = 0, sum_singly = 0;
  for (Event& e : events) {
    Event alone = e;
    if (singly.settle({&alone, 1})) sum_singly += alone.count;
  }
  const size_t left = all.settle(events);
  for (size_t i = 0; i < left; ++i) sum += events[i].count;
  EXPECT_EQ(sum, sum_singly);
  EXPECT_EQ(all.dropped(), events.size() - left);
  return sum;
}

TEST(Helpers, EachAttemptIsCountedOnce) {
  struct Row {
    const char* why;
    std::vector<Told> told;
    uint64_t attempts;
  };
  const std::vector<Row> table = {
      {"server alone", {{0, kServer, "anna"}, {1, kServer, "anna"}, {2, kServer, ""}}, 3},
      {"helper alone", {{0, "sql", "anna"}, {5, "sql", "anna"}}, 2},
      {"helper, then server", {{0, "passwd-file", "anna"}, {2, kServer, "anna"}}, 1},
      {"server, then helper", {{0, "sql", "x"}, {9, kServer, "anna"}, {9, "passwd-file", "anna"}}, 2},
      {"three times",
       {{0, "sql", "a"}, {2, kServer, "a"}, {4, "sql", "a"}, {6, kServer, "a"}, {8, "sql", "a"}, {10, kServer, "a"}},
       3},
      {"two databases", {{0, "passwd-file", "anna"}, {0, "sql", "anna"}, {2, kServer, "anna"}}, 1},
      {"one sum at the end", {{0, "pam-unix", "anna"}, {5, "pam-unix", "anna"}, {9, kServer, "anna", 2}}, 2},
      {"the sum holds more", {{0, "pam-unix", "anna"}, {9, kServer, "anna", 3}}, 3},
      {"a server that tells no name", {{0, "sql", "anna"}, {2, kServer, ""}}, 1},
      {"two that tell no name", {{0, "sql", "anna"}, {2, kServer, ""}, {3, kServer, ""}}, 2},
      {"with and without its domain", {{0, "pam-unix", "anna"}, {2, kServer, "Anna@Home.example"}}, 1},
      {"two servers, one helper",
       {{0, "sql", "anna"}, {0, "sql", "anna"}, {2, kServer, "anna"}, {3, kServer, "anna"}},
       2},
      {"two servers, the helper saw one", {{0, "sql", "anna"}, {2, kServer, "anna"}, {3, kServer, "anna"}}, 2},
      {"server first, from the beginning", {{0, kServer, "a"}, {0, "sql", "a"}, {4, kServer, "a"}, {4, "sql", "a"}}, 2},
      {"another user", {{0, "sql", "anna"}, {2, kServer, "bert"}}, 2},
      {"another address", {{0, "sql", "anna"}, {2, kServer, "anna", 1, "192.0.2.2"}}, 2},
      {"long after", {{0, "sql", "anna"}, {181, kServer, "anna"}}, 2},
      {"just in time", {{0, "sql", "anna"}, {180, kServer, "anna"}}, 1},
      {"clock set back", {{400, "sql", "anna"}, {0, kServer, "anna"}}, 2},
      {"text without times", {{-1, "sql", "anna"}, {-1, kServer, "anna"}}, 1},
  };
  for (const Row& row : table) EXPECT_EQ(attempts(row.told), row.attempts) << row.why;
}

TEST(Helpers, LeavesOtherEventsAlone) {
  std::vector<Event> events =
      events_of({{0, "sql", "anna"}, {1, kServer, "anna"}, {2, kServer, "anna"}, {3, kServer, "anna"}});
  events[2].kind = EventKind::kAuthAborted;
  events[3].kind = EventKind::kConnect;
  Helpers helpers;
  ASSERT_EQ(helpers.settle(events), 3U);
  EXPECT_EQ(events[0].kind, EventKind::kAuthFailed);
  EXPECT_EQ(events[1].kind, EventKind::kAuthAborted);
  EXPECT_EQ(events[2].kind, EventKind::kConnect);
}

// An attacker chooses names, and may have many addresses.
TEST(Helpers, IsBounded) {
  Helpers helpers;
  for (uint32_t i = 0; i < 300'000; ++i) {
    Event e = events_of({{static_cast<int>(i / 5000), "sql", "anna"}})[0];
    const std::string user = std::to_string(i);
    e.facts[static_cast<size_t>(Fact::kUser)] = user;
    e.address.low = i % 3 ? i : 7;
    ASSERT_EQ(helpers.settle({&e, 1}), 1U);
  }
  EXPECT_LE(helpers.addresses(), Helpers::kMostAddresses);
}

TEST(Helpers, NumbersOfDatabasesDiffer) {
  std::set<uint8_t> numbers;
  const std::vector<const char*> names{"passwd-file", "sql",    "ldap",     "pam",      "passwd",        "shadow",
                                       "bsdauth",     "static", "lua",      "oauth2",   "checkpassword", "dict",
                                       "imap",        "policy", "pam-unix", "pam-other"};
  for (const char* name : names) numbers.insert(helper_number(name));
  EXPECT_EQ(numbers.size(), names.size());
  EXPECT_EQ(numbers.count(0), 0U);
  EXPECT_LE(*numbers.rbegin(), 63);
}

}  // namespace
}  // namespace mailward
