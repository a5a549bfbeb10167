// CrowdSec itself, its local API only, in a folder and a network namespace of the test's own.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "firewall/world.h"

namespace mailward {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::string_view kConfig = R"(
common: {{daemonize: false, log_media: stdout, log_level: info, working_dir: {0}}}
config_paths:
  config_dir: {0}
  data_dir: {0}
  simulation_path: {0}/simulation.yaml
  hub_dir: {0}
  index_path: {0}/index.json
  notification_dir: {0}
  plugin_dir: {0}
db_config: {{log_level: info, type: sqlite, db_path: {0}/crowdsec.db, use_wal: true}}
api:
  client: {{credentials_path: {0}/credentials.yaml}}
  server: {{log_level: info, listen_uri: "127.0.0.1:8080", profiles_path: {0}/profiles.yaml, trusted_ips: [127.0.0.1]}}
prometheus: {{enabled: false}}
)";
constexpr std::string_view kProfile = R"(name: default
filters: ["Alert.Remediation == true && Alert.GetScope() == 'Ip'"]
decisions: [{type: ban, duration: 4h}]
on_success: break
)";

class CrowdSecWorld : public World {
 public:
  CrowdSecWorld() {
    // Unpacked by ./dev test, so that nobody's machine gets a daemon for it; or installed.
    for (const char* folder : {MAILWARD_CROWDSEC, "/usr/bin"})
      if (programs_.empty() && std::filesystem::exists(std::string(folder) + "/crowdsec")) programs_ = folder;
    if (programs_.empty() || !enter_own_network()) return;
    own_network_ = true;
    write("config.yaml", fmt::format(kConfig, folder_.path(".")));
    write("simulation.yaml", "simulation: false\n");
    write("profiles.yaml", kProfile);
    write("index.json", "{}");
    cscli("machines add mailward --password secret --force -f " + folder_.path("credentials.yaml"));
    start();
    cscli("decisions add --ip 192.0.2.7 --duration 5h");  // an admin's, of the same address as ours
    cscli("decisions add --range 203.0.113.0/24 --duration 5h");
  }
  ~CrowdSecWorld() override { stop(); }

  std::string missing() override {
    if (programs_.empty()) return "CrowdSec is not here: ./dev test unpacks it, or apt-get install crowdsec";
    return own_network_ ? "" : "no network namespace of its own to be had here (not root?)";
  }
  FirewallConfig config() override {
    FirewallConfig config;
    config.backend = "crowdsec";
    config.crowdsec_credentials = folder_.path("credentials.yaml");
    return config;
  }
  bool flush() override {
    cscli("decisions delete -s default/test");  // by what is theirs: it knows no origin
    return true;
  }
  std::string others() override { return shell(command("decisions list --origin cscli -o raw | cut -d, -f1-6")); }

  std::string cscli(const std::string& arguments) { return shell(command(arguments)); }
  std::string path(const std::string& name) const { return folder_.path(name); }
  void write(const std::string& name, std::string_view text) { std::ofstream(folder_.path(name)) << text; }

  void start() {
    const std::string program = programs_ + "/crowdsec", configuration = folder_.path("config.yaml");
    const std::string log = folder_.path("log");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::freopen(log.c_str(), "a", stdout) == nullptr || ::dup2(1, 2) < 0) ::_exit(1);
      ::execl(program.c_str(), program.c_str(), "-c", configuration.c_str(), "-no-cs", nullptr);
      ::_exit(1);
    }
    auto firewall = std::move(*make_firewall(config()));
    for (int i = 0; i < 100 && !firewall->prepare(); ++i) std::this_thread::sleep_for(50ms);
  }
  void stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  std::string command(const std::string& arguments) {
    return fmt::format("{}/cscli -c {} {}", programs_, folder_.path("config.yaml"), arguments);
  }
  ScriptFolder folder_;
  std::string programs_;
  bool own_network_ = false;
  pid_t pid_ = 0;
};

Network net(std::string_view text) { return *parse_network(text); }

class CrowdSecTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = world_.missing(); !why.empty()) GTEST_SKIP() << why;
    firewall_ = std::move(*make_firewall(world_.config()));
    const auto ready = firewall_->prepare();
    ASSERT_TRUE(ready) << ready.error().message << read_file(world_.path("log"));
  }
  Result<void> ban(std::string_view network, std::string_view reason = "default/test", Duration span = 1h) {
    const Ban one{net(network), wall_clock() + span, reason};
    return firewall_->ban({&one, 1}, wall_clock());
  }
  size_t held() { return firewall_->held(wall_clock()).value_or(std::vector<Held>()).size(); }

  CrowdSecWorld world_;
  std::unique_ptr<Firewall> firewall_;
};

TEST_F(CrowdSecTest, ShowsOriginReasonScopeAndEnd) {
  ASSERT_TRUE(ban("192.0.2.7", "default/password-guessing"));
  ASSERT_TRUE(ban("2001:db8:1:2::/64", "caf\xe9 \"quoted\", default/x"));
  const std::string list = world_.cscli("decisions list --origin mailward -o raw");
  EXPECT_THAT(list, HasSubstr(",mailward,Ip:192.0.2.7,default/password-guessing,ban,"));
  EXPECT_THAT(list, HasSubstr(",mailward,Range:2001:db8:1:2::/64,"));
  EXPECT_THAT(list, HasSubstr("59m5"));
}

// What bouncers are told: by `ip` they ask whether an address is out.
TEST_F(CrowdSecTest, IsSeenByBouncers) {
  const std::string key = world_.cscli("bouncers add test -o raw");
  const auto asked = [&](const std::string& ip) {
    return shell(fmt::format("curl -s -H 'X-Api-Key: {}' 'http://127.0.0.1:8080/v1/decisions?ip={}&origins=mailward'",
                             key.substr(0, key.find('\n')), ip));
  };
  ASSERT_TRUE(ban("198.51.100.0/24"));
  ASSERT_TRUE(ban("2001:db8:1:2::/64"));
  EXPECT_THAT(asked("198.51.100.77"), HasSubstr("198.51.100.0/24"));
  EXPECT_THAT(asked("2001:db8:1:2::77"), HasSubstr("2001:db8:1:2::/64"));
  EXPECT_EQ(asked("198.51.101.77"), "null");
  const Network out[] = {net("198.51.100.0/24")};
  ASSERT_TRUE(firewall_->unban(out));
  EXPECT_EQ(asked("198.51.100.77"), "null");
}

TEST_F(CrowdSecTest, SaysWhatToDoInAnOutageAndGoesOnAfterIt) {
  ASSERT_TRUE(ban("192.0.2.8"));
  world_.stop();
  const auto down = ban("192.0.2.9");
  ASSERT_FALSE(down);
  EXPECT_THAT(down.error().message, HasSubstr("systemctl status crowdsec"));
  EXPECT_FALSE(firewall_->held(wall_clock()));
  EXPECT_FALSE(firewall_->prepare());
  world_.start();
  ASSERT_TRUE(ban("192.0.2.9"));  // a start gives CrowdSec another secret: the old token is refused, a new one got
  EXPECT_EQ(held(), 2U);
}

TEST_F(CrowdSecTest, SaysWhatIsWrongWithItsCredentials) {
  EXPECT_THAT(world_.cscli("machines delete mailward"), HasSubstr("deleted"));
  firewall_ = std::move(*make_firewall(world_.config()));
  const auto refused = firewall_->prepare();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("cscli machines add mailward"));
  for (const char* text : {"", "url: http://127.0.0.1:8080\n", "url: file:///etc/passwd\nlogin: a\npassword: b\n"}) {
    world_.write("credentials.yaml", text);
    const auto bad = firewall_->prepare();
    ASSERT_FALSE(bad) << text;
    EXPECT_THAT(bad.error().message, HasSubstr("cscli machines add"));
  }
  world_.write("credentials.yaml", "url: http://127.0.0.1:1/\nlogin: 'a'\npassword: \"b\"\n");
  EXPECT_THAT(firewall_->prepare().error().message, HasSubstr("systemctl"));
}

TEST_F(CrowdSecTest, NeedsToBePreparedFirst) {
  firewall_ = std::move(*make_firewall(world_.config()));
  EXPECT_FALSE(ban("192.0.2.8"));
  EXPECT_FALSE(firewall_->held(wall_clock()));
}

TEST_F(CrowdSecTest, TakesTenThousand) {  // the figures of docs/firewalls.md
  std::vector<Ban> bans;
  for (uint32_t i = 0; i < 10'000; ++i)
    bans.push_back({{Address::v4(0x0b000000 + i * 131), 32}, wall_clock() + 24h, "x"});
  const auto begin = std::chrono::steady_clock::now();
  const auto done = firewall_->ban(bans, wall_clock());
  ASSERT_TRUE(done) << done.error().message;
  const auto put_in = std::chrono::steady_clock::now();
  EXPECT_EQ(held(), bans.size());
  const auto read = std::chrono::steady_clock::now();
  ASSERT_TRUE(ban("192.0.2.8"));
  const auto one = std::chrono::steady_clock::now();
  const auto ms = [](auto span) {
    return std::chrono::duration_cast<std::chrono::microseconds>(span).count() / 1000.0;
  };
  fmt::print("10,000 decisions: put in {} ms, read {} ms, one more {} ms\n", ms(put_in - begin), ms(read - put_in),
             ms(one - read));
}

}  // namespace

std::unique_ptr<World> crowdsec_world() { return std::make_unique<CrowdSecWorld>(); }

}  // namespace mailward
