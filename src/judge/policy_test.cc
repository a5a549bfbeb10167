// Policy files: what is read, and what is refused with which words.
#include "judge/policy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "judge/ignore_list.h"

namespace mailward {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

const std::string kGood = R"(
[[policy]]
name   = "password-guessing"
events = ["auth_failed", "no_tls"]
when   = "unknown-user"
per    = "network"
limit  = 5
kinds  = 2
window = "24h"
ban    = "7d"
repeat = 2.0
spare_after_login = "14d"
spare_clients = "3d"
spare_senders = true
prefix4 = 22
prefix6 = 48
needs_domains = true
)";

TEST(Policy, ReadsEveryKey) {
  const auto set = parse_policies(kGood, "p.toml", "mine");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->name, "mine");
  ASSERT_EQ(set->policies.size(), 1u);
  const Policy& p = set->policies[0];
  EXPECT_EQ(p.name, "password-guessing");
  EXPECT_EQ(p.events, bit(EventKind::kAuthFailed) | bit(EventKind::kNoTls));
  EXPECT_EQ(p.when, When::kUnknownUser);
  EXPECT_EQ(p.per, Per::kNetwork);
  EXPECT_EQ(p.limit, 5u);
  EXPECT_EQ(p.kinds, 2u);
  EXPECT_EQ(p.window, std::chrono::hours(24));
  EXPECT_EQ(p.ban, std::chrono::hours(7 * 24));
  EXPECT_EQ(p.repeat, 2.0);
  EXPECT_EQ(p.spare, std::chrono::hours(14 * 24));
  EXPECT_EQ(p.spare_clients, std::chrono::hours(3 * 24));
  EXPECT_TRUE(p.spare_senders);
  EXPECT_EQ(p.prefix4, 22);
  EXPECT_EQ(p.prefix6, 48);
  EXPECT_TRUE(p.needs_domains);
}

TEST(Policy, HasDefaults) {
  const auto set =
      parse_policies("[[policy]]\nname='a'\nevents=['hostile']\nlimit=0\nban='90s'\nrepeat=1\n", "p.toml", "p");
  ASSERT_TRUE(set) << set.error().message;
  const Policy& p = set->policies[0];
  EXPECT_EQ(p.when, When::kAny);
  EXPECT_EQ(p.per, Per::kAddress);
  EXPECT_EQ(p.window.count(), 0);
  EXPECT_EQ(p.repeat, 1.0);
  EXPECT_EQ(p.forgive, std::chrono::days(30));
  EXPECT_EQ(p.spare.count(), 0);
  EXPECT_EQ(p.prefix6, 64);
  EXPECT_TRUE(p.events & bit(EventKind::kRejected));
  EXPECT_FALSE(p.events & bit(EventKind::kNoPtr));
  EXPECT_FALSE(p.events & bit(EventKind::kAccepted));
  EXPECT_EQ(describe_kinds(p.events), "hostile");
  EXPECT_EQ(describe_kinds(bit(EventKind::kNoTls) | bit(EventKind::kAuthFailed)), "auth_failed, no_tls");
}

// What stands in the place of a line of a good policy, and what the refusal must say.
struct Refusal {
  const char *line, *by, *where, *says;
};

TEST(Policy, RefusesWithPlaceAndNearest) {
  const std::vector<Refusal> table = {
      {"limit  = 5", "limt = 5", "p.toml:7:1: ", "unknown key `limt`; expected one of name, events"},
      {"limit  = 5", "limt = 5", "p.toml:7:1: ", "(the nearest is `limit`)"},
      {"limit  = 5", "limit = '5'", "p.toml:7:9: ", "`limit` is a string; expected an integer from 0 to 1000000"},
      {"limit  = 5", "limit = 5.5", "p.toml:7:9: ", "`limit` is a number with a fraction"},
      {"limit  = 5", "limit = -1", "p.toml:7:9: ", "`limit` is -1; expected an integer from 0 to 1000000"},
      {"limit  = 5", "limit = 1000001", "p.toml:7:9: ", "expected an integer from 0"},
      {"limit  = 5", "limit = 9223372036854775808", "p.toml:7:", "no TOML"},
      {"limit  = 5", "", "p.toml:2:1: ", "a policy without `limit`"},
      {"ban    = \"7d\"", "", "p.toml:2:1: ", "a policy without `ban`"},
      {"window = \"24h\"", "window = 24", "p.toml:9:10: ", "`window` is an integer; expected a duration like"},
      {"window = \"24h\"", "window = '24'", "p.toml:9:10: ", "`window` is `24`; expected a duration"},
      {"window = \"24h\"", "window = '0s'", "p.toml:9:10: ", "expected a duration"},
      {"window = \"24h\"", "window = '-3h'", "p.toml:9:10: ", "expected a duration"},
      {"window = \"24h\"", "window = ['24h']", "p.toml:9:10: ", "`window` is a list"},
      {"per    = \"network\"", "per = 'subnet'",
       "p.toml:6:7: ", "`per` is `subnet`; expected one of address, network, user"},
      {"per    = \"network\"", "per = 'usr'", "p.toml:6:7: ", "(the nearest is `user`)"},
      {"per    = \"network\"", "per = 'address'", "p.toml:15:11: ", "`prefix4` needs `per = \"network\"`"},
      {"per    = \"network\"", "per = true", "p.toml:6:7: ", "`per` is a boolean"},
      {"when   = \"unknown-user\"", "when = 'foreign'", "p.toml:5:8: ", "(the nearest is `foreign-domain`)"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = ['auth_fail']",
       "p.toml:4:11: ", "(the nearest is `auth_failed`)"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = 'hostile'",
       "p.toml:4:10: ", "`events` is a string; expected a list"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = []", "p.toml:4:10: ", "`events` is empty"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = [7]", "p.toml:4:11: ", "expected a kind of event"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = ['none']", "p.toml:4:11: ", "expected `hostile`"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = ['ambiguous']", "p.toml:4:11: ", "expected `hostile`"},
      {"events = [\"auth_failed\", \"no_tls\"]", "events = ['no_tls', 'no_ptr']",
       "p.toml:4:10: ", "only logins have a user"},
      {"kinds  = 2", "kinds = 3", "p.toml:8:9: ", "`kinds` is 3; `events` has only 2"},
      {"kinds  = 2", "kinds = 0", "p.toml:8:9: ", "from 1 to 20"},
      {"repeat = 2.0", "repeat = 0.5", "p.toml:11:10: ", "`repeat` is 0.5; expected a number from 1.0"},
      {"repeat = 2.0", "forgive = '5d'", "p.toml:11:11: ", "`forgive` says nothing without `repeat`"},
      {"repeat = 2.0", "repeat = 2.0\nforgive = 5", "p.toml:12:11: ", "`forgive` is an integer"},
      {"repeat = 2.0", "repeat = nan", "p.toml:11:10: ", "expected a number from 1.0"},
      {"repeat = 2.0", "repeat = inf", "p.toml:11:10: ", "expected a number from 1.0"},
      {"repeat = 2.0", "repeat = '2'", "p.toml:11:10: ", "`repeat` is a string"},
      {"prefix4 = 22", "prefix4 = 33", "p.toml:15:11: ", "from 1 to 32"},
      {"prefix6 = 48", "prefix6 = 0", "p.toml:16:11: ", "from 1 to 128"},
      {"spare_senders = true", "spare_senders = 1", "p.toml:14:17: ", "expected true or false"},
      {"spare_senders = true", "spare_mild = 'yes'", "p.toml:14:14: ", "expected true or false"},
      {"spare_senders = true", "spare_mild = true", "p.toml:14:14: ", "needs `per = \"address\"`"},
      {"spare_senders = true", "spare_people = 4", "p.toml:14:16: ", "says nothing with `per = \"network\"`"},
      {"spare_senders = true", "spare_people = 51", "p.toml:14:16: ", "from 1 to 50"},
      {"spare_senders = true", "addresses = 2", "p.toml:14:13: ", "needs `per = \"user\"`"},
      {"spare_senders = true", "addresses = 0", "p.toml:14:13: ", "from 1 to 1000"},
      {"name   = \"password-guessing\"", "name = ''", "p.toml:3:8: ", "expected 1 to 64 letters"},
      {"name   = \"password-guessing\"", "name = 'a/b'", "p.toml:3:8: ", "expected 1 to 64 letters"},
      {"name   = \"password-guessing\"", "name = \"a\\u001b\"", "p.toml:3:8: ", "`a\\x1b`"},
      {"[[policy]]", "[policy]", "p.toml:2:1: ", "`policy` is a table; expected tables"},
      {"[[policy]]", "[[policies]]", "p.toml:2:", "unknown key `policies`; expected [[policy]]"},
      {"[[policy]]", "version = 1\n[[policy]]", "p.toml:2:1: ", "unknown key `version`"},
      {"limit  = 5", "limit = 5\nlimit = 6", "p.toml:8:", "no TOML"},
      {"limit  = 5", "limit = ", "p.toml:7:", "no TOML"},
  };
  for (const Refusal& r : table) {
    std::string text = kGood;
    const size_t at = text.find(r.line);
    ASSERT_NE(at, std::string::npos) << r.line;
    text.replace(at, std::string_view(r.line).size(), r.by);
    const auto set = parse_policies(text, "p.toml", "p");
    ASSERT_FALSE(set) << r.by;
    EXPECT_THAT(set.error().message, StartsWith(r.where)) << r.by;
    EXPECT_THAT(set.error().message, HasSubstr(r.says)) << r.by;
  }
}

TEST(Policy, ReadsWhatIsOfOneKindOfKey) {
  const std::string begin = "[[policy]]\nname = 'p'\nevents = ['auth_failed']\nlimit = 1\nban = '1h'\n";
  const Policy user =
      parse_policies(begin + "per = 'user'\naddresses = 3\nspare_people = 4", "p.toml", "p")->policies[0];
  EXPECT_EQ(user.addresses, 3u);
  EXPECT_EQ(user.spare_people, 4u);
  const Policy address = parse_policies(begin + "spare_mild = true", "p.toml", "p")->policies[0];
  EXPECT_TRUE(address.spare_mild);
  EXPECT_EQ(address.addresses, 1u);
  EXPECT_EQ(address.spare_people, 0u);
}

TEST(Policy, RefusesEmptyFilesDoublesAndTooMany) {
  EXPECT_THAT(parse_policies("", "p.toml", "p").error().message, HasSubstr("no [[policy]]"));
  EXPECT_THAT(parse_policies("policy = []", "p.toml", "p").error().message, HasSubstr("expected tables"));
  EXPECT_THAT(parse_policies(kGood + kGood, "p.toml", "p").error().message, HasSubstr("a second policy with the name"));
  std::string many, spans;
  for (int i = 0; i < 40; ++i) many += fmt::format("[[policy]]\nname='p{}'\nevents=['no_tls']\nlimit=1\nban='1h'\n", i);
  EXPECT_THAT(parse_policies(many, "p.toml", "p").error().message, HasSubstr("more than 32 policies"));
  for (int i = 1; i < 12; ++i)
    spans += fmt::format(
        "[[policy]]\nname='p{0}'\nevents=['auth_failed']\nlimit=1\nban='1h'\nspare_after_login='{0}d'\n", i);
  EXPECT_THAT(parse_policies(spans, "p.toml", "p").error().message, HasSubstr("different spans"));
}

TEST(Policy, PresetsAreThere) {
  for (const char* name : {"default", "strikes", "tries", "any"}) {
    const auto set = load_policies(name);
    ASSERT_TRUE(set) << set.error().message;
    EXPECT_EQ(set->name, name);
  }
  EXPECT_THAT(load_policies("strike").error().message,
              HasSubstr("expected one of any, default, strikes, tries (the nearest is `strikes`)"));
  EXPECT_THAT(load_policies("../x").error().message, HasSubstr("can't be read"));
  EXPECT_THAT(load_policies("/").error().message, HasSubstr("can't be read"));
}

TEST(Policy, FilesAreRead) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("mailward-policy-{}", ::getpid());
  std::filesystem::create_directories(folder / "policy");
  std::ofstream(folder / "mine.toml") << kGood;
  std::ofstream(folder / "policy" / "site.toml") << kGood;
  std::ofstream(folder / "long.toml") << std::string(2 << 20, '#');
  EXPECT_EQ(load_policies((folder / "mine.toml").string())->name, "mine");
  EXPECT_THAT(load_policies((folder / "long.toml").string()).error().message, HasSubstr("longer than"));
  ASSERT_EQ(setenv("MAILWARD_DATA", folder.c_str(), 1), 0);
  EXPECT_EQ(load_policies("site")->name, "site");
  EXPECT_FALSE(load_policies("strikes"));
  unsetenv("MAILWARD_DATA");
  std::filesystem::remove_all(folder);
}

TEST(Policy, OverridesReplaceEveryLimitAndBan) {
  PolicySet set = *load_policies("strikes");
  apply({3, std::chrono::hours(1)}, set);
  for (const Policy& p : set.policies) {
    EXPECT_EQ(p.limit, 3u);
    EXPECT_EQ(p.ban, std::chrono::hours(1));
  }
  set = *load_policies("strikes");
  apply({}, set);
  EXPECT_EQ(set.policies[0].limit, 0u);
  EXPECT_EQ(set.policies[1].ban, std::chrono::hours(7 * 24));
}

TEST(IgnoreList, ReadsAddressesNetworksAndFiles) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("mailward-ignore-{}", ::getpid());
  std::ofstream(path) << "# ours\n192.0.2.0/24 # office\r\n\n  2001:db8::/32\t\n203.0.113.9";
  IgnoreList list;
  ASSERT_TRUE(list.add(path.string()));
  ASSERT_TRUE(list.add("198.51.100.7"));
  ASSERT_TRUE(list.add("198.51.0.0/16"));
  EXPECT_EQ(format_network(*list.find(*parse_address("192.0.2.255"))), "192.0.2.0/24");
  EXPECT_EQ(format_network(*list.find(*parse_address("198.51.100.7"))), "198.51.0.0/16");  // the widest
  EXPECT_EQ(format_network(*list.find(*parse_address("2001:db8:1::1"))), "2001:db8::/32");
  EXPECT_TRUE(list.find(*parse_address("203.0.113.9")));
  EXPECT_FALSE(list.find(*parse_address("203.0.113.10")));
  EXPECT_FALSE(list.find(*parse_address("192.0.3.1")));
  EXPECT_FALSE(list.find(*parse_address("2001:db9::1")));
  std::ofstream(path) << "192.0.2.0/24\n192.0.2.1/24\n";
  EXPECT_THAT(list.add(path.string()).error().message, HasSubstr(":2: 192.0.2.1/24 is neither"));
  std::filesystem::remove(path);
  EXPECT_THAT(list.add("192.0.2.1/24").error().message, HasSubstr("without bits right"));
  EXPECT_THAT(list.add(path.string()).error().message, HasSubstr("nor a file"));
  EXPECT_FALSE(list.add("/"));
  EXPECT_FALSE(list.add(""));
}

}  // namespace
}  // namespace mailward
