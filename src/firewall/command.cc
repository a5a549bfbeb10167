// `command`: one process a ban and one an unban, one after the other, without a shell.
//
// In every argument {address} is the address (or the network as a prefix, where it is no single address),
// {network} always a prefix, {seconds} how long the ban still lasts, rounded up. Nothing else is replaced, and
// what is put in holds only digits, hexadecimal letters and ":./".
#include <fmt/format.h>

#include "base/text.h"
#include "firewall/backends.h"
#include "firewall/process.h"
#include "firewall/remembered.h"

namespace mailward {
namespace {

bool single(const Network& n) { return n.prefix == (n.address.is_v4() ? 32 : 128); }

void replace(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
    text.replace(at, what.size(), by);
}

std::vector<std::string> filled(std::vector<std::string> arguments, const Network& n, std::chrono::seconds left) {
  const std::string network = format_network(n);
  for (std::string& argument : arguments) {
    replace(argument, "{address}", single(n) ? format_address(n.address) : network);
    replace(argument, "{network}", network);
    replace(argument, "{seconds}", fmt::to_string(left.count()));
  }
  return arguments;
}

class Command : public Firewall {
 public:
  explicit Command(const FirewallConfig& config)
      : ban_(config.ban_command), unban_(config.unban_command), timeout_(config.timeout) {}

  std::string_view name() const override { return "command"; }
  bool ends_bans() const override { return false; }
  Result<void> prepare() override { return {}; }
  Result<std::vector<Held>> held(Instant) override { return bans_.all(); }

 private:
  Result<void> put_in(std::span<const Ban> bans, Instant now) override {
    for (const Ban& ban : bans) {
      const auto left = std::chrono::ceil<std::chrono::seconds>(ban.until - now);
      if (auto ran = run_well(filled(ban_, ban.network, left), {}, timeout_); !ran) return std::unexpected(ran.error());
      bans_.put_in(ban);
    }
    return {};
  }

  Result<void> take_out(std::span<const Network> networks) override {
    for (const Network& network : networks) {
      if (auto ran = run_well(filled(unban_, network, {}), {}, timeout_); !ran) return std::unexpected(ran.error());
      bans_.take_out(network);
    }
    return {};
  }

  const std::vector<std::string> ban_, unban_;
  const std::chrono::milliseconds timeout_;
  Remembered bans_;
};

Result<void> check(std::string_view key, const std::vector<std::string>& arguments) {
  if (arguments.empty())
    return fail(fmt::format("firewall.backend is \"command\", so firewall.command.{} must say what to run", key));
  if (arguments[0].starts_with('/')) return {};
  return fail(fmt::format("firewall.command.{} begins with {}: it must be a program's whole path, from / on", key,
                          for_terminal(arguments[0])));
}

}  // namespace

Result<std::unique_ptr<Firewall>> make_command(const FirewallConfig& config) {
  if (auto ok = check("ban", config.ban_command); !ok) return std::unexpected(ok.error());
  if (auto ok = check("unban", config.unban_command); !ok) return std::unexpected(ok.error());
  return std::make_unique<Command>(config);
}

}  // namespace mailward
