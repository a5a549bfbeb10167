#include "cli/config.h"

#include <gtest/gtest.h>

namespace mailward {
namespace {

// The example of the manual, whole.
constexpr std::string_view kWhole = R"([input]
files         = ["/var/log/mail.log"]
timezone      = "Europe/Berlin"

[judge]
policy        = "default"
local_domains = ["example.com"]
ignore        = ["192.0.2.0/24", "/etc/mailward/ignore.txt"]
brake         = 1000

[firewall]
backend       = "nftables"
table         = "mailward"
ports         = [25, 465, 587]
[firewall.command]
ban           = ["/usr/local/sbin/block", "{address}", "{seconds}"]
unban         = ["/usr/local/sbin/unblock", "{address}"]

[report]
from          = "abuse-report@mail.example.com"
cc            = "postmaster@example.com"
preset        = "default"
template      = "/etc/mailward/report.txt"
resolver      = "127.0.0.1:5353"
zone          = "abuse-contacts.abusix.zone"
rdap_bootstrap = "/etc/mailward/rdap.json"
pause         = "7d"
max_age       = "14d"
daily_max     = 500
mask          = ["users"]
)";

TEST(Config, ReadsWhatTheseCommandsUse) {
  const auto config = parse_config(kWhole, "x.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->files, std::vector<std::string>{"/var/log/mail.log"});
  EXPECT_EQ(config->timezone.value, "Europe/Berlin");
  EXPECT_EQ(config->policy.value, "default");
  EXPECT_EQ(config->timezone.place, "x.toml:3:17");
  EXPECT_EQ(config->policy.place, "x.toml:6:17");
  ASSERT_EQ(config->local_domains.size(), 1u);
  EXPECT_EQ(config->local_domains[0].value, "example.com");
  ASSERT_EQ(config->ignore.size(), 2u);
  EXPECT_EQ(config->ignore[1].value, "/etc/mailward/ignore.txt");
  EXPECT_EQ(config->ignore[1].place, "x.toml:8:34");
  EXPECT_EQ(config->brake, 1000u);
}

TEST(Config, AllOfItIsOptional) {
  for (const char* text : {"", "[input]\n", "[firewall]\nports = \"all\"\n", "# nothing\n"})
    EXPECT_TRUE(parse_config(text, "x.toml")) << text;
}

TEST(Config, RefusesWithPlaceAndWhatWasExpected) {
  struct Row {
    const char *text, *message;
  };
  for (const Row& row : {
           Row{"[judge]\npolicey = \"x\"\n",
               "x.toml:2:1: unknown key \"policey\" in [judge] (did you mean policy?); known here: policy, "
               "local_domains, ignore, brake"},
           Row{"[jugde]\n",
               "x.toml:1:2: unknown key \"jugde\" (did you mean judge?); known here: input, judge, firewall, report, "
               "ledger, daemon"},
           Row{"[judge]\nbrake = \"many\"\n", "x.toml:2:9: brake must be a whole number"},
           Row{"[judge]\nbrake = 0\n", "x.toml:2:9: brake must be from 1 to 1000000000"},
           Row{"[firewall.command]\nban = []\n",
               "x.toml:2:7: ban is empty; expected a program and its arguments, [\"/usr/local/sbin/block\", "
               "\"{address}\"]"},
           Row{"[judge]\nignore = [1]\n", "x.toml:2:11: ignore must be a list of strings, [\"…\", \"…\"]"},
           Row{"[input]\ntimezone = \"\"\n", "x.toml:2:12: timezone is empty; leave the key out instead"},
           Row{"[firewall]\nbackend = \"nftable\"\n",
               "x.toml:2:11: backend can't be \"nftable\" (did you mean nftables?); one of: nftables, pf, crowdsec, "
               "command, none"},
           Row{"[firewall]\nports = [25, 70000]\n", "x.toml:2:14: a port is a number from 1 to 65535"},
           Row{"[report]\npause = \"soon\"\n",
               "x.toml:2:9: pause must be a duration, \"90s\", \"15m\", \"24h\" or \"7d\""},
           Row{"judge = 3\n", "x.toml:1:9: judge must be a table, [name]"},
       }) {
    const auto config = parse_config(row.text, "x.toml");
    ASSERT_FALSE(config) << row.text;
    EXPECT_EQ(config.error().message, row.message);
  }
}

TEST(Config, BrokenTomlIsNamedWithItsPlace) {
  const auto config = parse_config("[judge\n", "x.toml");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message.substr(0, 9), "x.toml:1:") << config.error().message;
}

TEST(Config, AFileThatIsNoneIsNamed) {
  for (const char* path : {"/nonexistent/mailward.toml", "/"}) {
    const auto config = read_config(path);
    ASSERT_FALSE(config);
    EXPECT_NE(config.error().message.find("can't be read"), std::string::npos);
  }
}

}  // namespace
}  // namespace mailward
