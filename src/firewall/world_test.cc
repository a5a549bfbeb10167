#include "firewall/world.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "firewall/process.h"

namespace mailward {

std::string ScriptFolder::script(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  std::filesystem::permissions(path(name), std::filesystem::perms::owner_all);
  return path(name);
}

std::string read_file(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  return all.str();
}

std::string shell(const std::string& command) {
  const std::string arguments[] = {"/bin/sh", "-c", command};
  const auto ran = run_process(arguments, {}, std::chrono::seconds(60));
  return ran ? ran->output + ran->errors : ran.error().message;
}

Instant wall_clock() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

bool enter_own_network() {
  // Without root a user namespace may give the right to.
  if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
  return shell("ip link set lo up").empty();
}

namespace {

class CommandWorld : public World {
 public:
  FirewallConfig config() override {
    FirewallConfig config;
    config.backend = "command";
    const std::string block = folder_.script("block", "#!/bin/sh\necho \"$@\" >> " + folder_.path("calls") + "\n");
    config.ban_command = {block, "ban", "{network}", "{seconds}"};
    config.unban_command = {block, "unban", "{network}"};
    return config;
  }

 private:
  ScriptFolder folder_;
};

class NoneWorld : public World {
 public:
  FirewallConfig config() override {
    FirewallConfig config;
    config.backend = "none";
    return config;
  }
};

}  // namespace

std::unique_ptr<World> command_world() { return std::make_unique<CommandWorld>(); }
std::unique_ptr<World> none_world() { return std::make_unique<NoneWorld>(); }

}  // namespace mailward
