// For tests: the surroundings of a backend, made new for each test. The conformance test (conformance_test.cc)
// drives every backend through one of these; the makers stand in that file's table.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/test_folder.h"
#include "firewall/firewall.h"

namespace mailward {

class World {
 public:
  virtual ~World() = default;
  virtual std::string missing() { return {}; }  // why this can't run here; empty: it can
  virtual FirewallConfig config() = 0;

  // Another hand removes what is ours, as an admin or another program would. False: it can't.
  virtual bool flush() { return false; }
  // Somebody else's things beside ours, as text, to be found unchanged.
  virtual std::string others() { return {}; }
};

class ScriptFolder : public TestFolder {
 public:
  // An executable script in it; its path.
  std::string script(const std::string& name, const std::string& text) const;
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
