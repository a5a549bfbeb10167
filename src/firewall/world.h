// For tests: the surroundings of a backend, made new for each test. The conformance test (conformance_test.cc)
// drives every backend through one of these; the makers stand in that file's table.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "firewall/firewall.h"

namespace mailward {

class World {
 public:
  virtual ~World() = default;
  virtual std::string missing() { return {}; }  // why this can't run here; empty: it can
  virtual FirewallConfig config() = 0;

  // Another hand removes what is ours, as an admin or another program would. False: there is nothing to remove.
  virtual bool flush() { return false; }
  // Somebody else's things beside ours, as text, to be found unchanged.
  virtual std::string others() { return {}; }
};

// A folder that goes when the test ends.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // An executable script in it; its path.
  std::string script(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path folder_;
};

std::string read_file(const std::string& path);
// A shell command's output and errors; tests only.
std::string shell(const std::string& command);
Instant wall_clock();

// A network namespace of this test's own, in which it may do everything. False: it can't be had here.
bool enter_own_network();

std::unique_ptr<World> nftables_world();
std::unique_ptr<World> pf_world();
std::unique_ptr<World> pf_anchor_world();  // its table is in an anchor
std::unique_ptr<World> crowdsec_world();
std::unique_ptr<World> command_world();
std::unique_ptr<World> none_world();

}  // namespace mailward
