// `none`: nothing is closed. It remembers what it was given, so that all above it behave as ever.
#include "firewall/backends.h"
#include "firewall/remembered.h"

namespace mailward {
namespace {

class None : public Firewall {
 public:
  std::string_view name() const override { return "none"; }
  bool ends_bans() const override { return true; }
  Result<void> prepare() override { return {}; }
  Result<std::vector<Held>> held(Instant now) override {
    bans_.forget_over(now);
    return bans_.all();
  }

 private:
  Result<void> put_in(std::span<const Ban> bans, Instant) override {
    for (const Ban& ban : bans) bans_.put_in(ban);
    return {};
  }
  Result<void> take_out(std::span<const Network> networks) override {
    for (const Network& network : networks) bans_.take_out(network);
    return {};
  }

  Remembered bans_;
};

}  // namespace

Result<std::unique_ptr<Firewall>> make_none(const FirewallConfig&) { return std::make_unique<None>(); }

}  // namespace mailward
