// Running other programs, and the backend that does nothing else.
#include "firewall/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "firewall/world.h"

namespace mailward {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Result<Ran> sh(const std::string& script, std::string_view input = {}, std::chrono::milliseconds timeout = 20s) {
  const std::string arguments[] = {"/bin/sh", "-c", script};
  return run_process(arguments, input, timeout);
}

TEST(Process, GivesStatusOutputAndErrors) {
  const auto ran = sh("echo out; echo err >&2; exit 3");
  ASSERT_TRUE(ran);
  EXPECT_EQ(ran->status, 3);
  EXPECT_EQ(ran->output, "out\n");
  EXPECT_EQ(ran->errors, "err\n");
  EXPECT_EQ(sh("kill -9 $$")->status, 128 + 9);
}

TEST(Process, PassesInputOfAnyLength) {
  const std::string much(3'000'000, 'x');
  EXPECT_EQ(sh("cat", much)->output, much);  // both ways at once
  EXPECT_EQ(sh("wc -c", much)->output, "3000000\n");
  EXPECT_EQ(sh("exec < /dev/null; exit 0", much)->status, 0);  // it doesn't want it: no SIGPIPE, no error
}

TEST(Process, UsesNoShellAndNoEnvironmentOfOurs) {
  ::setenv("MAILWARD_SECRET", "1", 1);
  EXPECT_EQ(sh("echo \"$MAILWARD_SECRET,$LC_ALL\"")->output, ",C\n");
  const std::string arguments[] = {"/bin/echo", "$HOME; `id` | *"};
  EXPECT_EQ(run_process(arguments, {}, 10s)->output, "$HOME; `id` | *\n");
}

TEST(Process, IsKilledWithItsChildrenWhenTheTimeIsOver) {
  const auto begin = std::chrono::steady_clock::now();
  for (const char* script : {"sleep 1000", "sleep 1000 & sleep 1000", "exec > /dev/null 2>&1 < /dev/null; sleep 1000",
                             "trap '' TERM; while :; do echo; done"}) {
    const auto ran = sh(script, {}, 200ms);
    ASSERT_FALSE(ran) << script;
    EXPECT_THAT(ran.error().message, HasSubstr("200 ms"));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(Process, BoundsWhatItKeeps) {
  const auto ran = sh("head -c 100000 /dev/zero >&2; head -c 70000000 /dev/zero");
  ASSERT_TRUE(ran);
  EXPECT_EQ(ran->errors.size(), kMostErrors);
  EXPECT_EQ(ran->output.size(), kMostOutput);
}

TEST(Process, SaysWhatCannotBeRun) {
  for (const char* path : {"/nonexistent", "/etc/passwd", "/", "sh"}) {
    const std::string arguments[] = {path};
    const auto ran = run_process(arguments, {}, 10s);
    ASSERT_FALSE(ran) << path;
    EXPECT_THAT(ran.error().message, HasSubstr(path));
  }
}

TEST(Process, LeavesNoChildBehindWhenItIsKilled) {
  const ScriptFolder folder;
  const auto ran = sh("sleep 1000 & echo $! > " + folder.path("pid") + "; wait", {}, 300ms);
  EXPECT_FALSE(ran);
  const std::string child = read_file(folder.path("pid"));
  ASSERT_FALSE(child.empty());
  std::string state = "S";
  for (int i = 0; i < 100 && !state.empty() && state[0] != 'Z'; ++i)
    state = sh("sleep 0.02; ps -o stat= -p " + child)->output;
  EXPECT_TRUE(state.empty() || state[0] == 'Z') << state;
}

class CommandTest : public testing::Test {
 protected:
  void make(std::string script, std::vector<std::string> ban_arguments, std::vector<std::string> unban_arguments) {
    FirewallConfig config;
    config.backend = "command";
    config.timeout = 500ms;
    const std::string path = folder_.script("block", "#!/bin/sh\n" + std::move(script));
    config.ban_command = {path};
    config.unban_command = {path};
    config.ban_command.insert(config.ban_command.end(), ban_arguments.begin(), ban_arguments.end());
    config.unban_command.insert(config.unban_command.end(), unban_arguments.begin(), unban_arguments.end());
    firewall_ = std::move(*make_firewall(config));
  }
  Result<void> ban(std::initializer_list<const char*> networks, Duration span = 1h) {
    std::vector<Ban> bans;
    for (const char* network : networks) bans.push_back({*parse_network(network), now_ + span, "a\"; reboot; \""});
    return firewall_->ban(bans, now_);
  }
  std::string calls() { return read_file(folder_.path("calls")); }
  std::string record() { return "echo \"$*\" >> " + folder_.path("calls") + "\n"; }

  const Instant now_ = *parse_rfc3339("2026-03-09T08:00:00Z");
  ScriptFolder folder_;
  std::unique_ptr<Firewall> firewall_;
};

TEST_F(CommandTest, FillsInThePlaceholders) {
  make(record(), {"in", "{address}", "{network}", "{seconds}", "x{seconds}s/{address}/{address}{reason}{}"},
       {"out", "{address}", "{network}", "{seconds}"});
  ASSERT_TRUE(ban({"192.0.2.7", "198.51.100.0/24", "2001:db8::/64", "2001:db8::1"}, 90s + 1us));
  const Network out[] = {*parse_network("198.51.100.0/24"), *parse_network("192.0.2.7")};
  ASSERT_TRUE(firewall_->unban(out));
  EXPECT_EQ(calls(),
            "in 192.0.2.7 192.0.2.7/32 91 x91s/192.0.2.7/192.0.2.7{reason}{}\n"
            "in 198.51.100.0/24 198.51.100.0/24 91 x91s/198.51.100.0/24/198.51.100.0/24{reason}{}\n"
            "in 2001:db8::/64 2001:db8::/64 91 x91s/2001:db8::/64/2001:db8::/64{reason}{}\n"
            "in 2001:db8::1 2001:db8::1/128 91 x91s/2001:db8::1/2001:db8::1{reason}{}\n"
            "out 192.0.2.7 192.0.2.7/32 0\n"
            "out 198.51.100.0/24 198.51.100.0/24 0\n");
}

TEST_F(CommandTest, StopsAtTheFirstFailureAndKnowsWhatIsIn) {
  make(record() + "case $2 in 192.0.2.8) printf 'no \\033room\\nmore\\n' >&2; exit 7;; esac\n", {"in", "{address}"},
       {"out", "{address}"});
  const auto done = ban({"192.0.2.7", "192.0.2.8", "192.0.2.9"});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("block ended with 7: no \\x1broom"));
  EXPECT_THAT(done.error().message, testing::Not(HasSubstr("more")));
  EXPECT_EQ(calls(), "in 192.0.2.7\nin 192.0.2.8\n");
  EXPECT_EQ(firewall_->held(now_)->size(), 1U);
  const Network out[] = {*parse_network("192.0.2.8")};
  EXPECT_FALSE(firewall_->unban(out));
}

TEST_F(CommandTest, IsGivenALimitOfTime) {
  make("sleep 100\n", {"{address}"}, {"{address}"});
  const auto done = ban({"192.0.2.7"});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("500 ms"));
  EXPECT_TRUE(firewall_->held(now_)->empty());
}

}  // namespace
}  // namespace mailward
