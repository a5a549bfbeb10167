// Bans in a firewall: one interface, one file a backend (the table is in firewall.cc, what each does to a
// system in docs/firewalls.md). A Firewall decides nothing: what must never be banned is kept out by Guard
// (guard.h) before it gets here.
//
// A ban is a network (a single address is a /32 or /128) and an absolute end. Bans may overlap: 192.0.2.7 and
// 192.0.2.0/24 are two bans, and each is put in, taken out and ended by itself.
//
// After ANY error the caller does the same: prepare(), held(), then ban() what is missing and unban() what is
// too much. Nothing else is needed, because every call may be repeated: that is why no error has a kind.
//
// One thread at a time. Calls wait until the firewall has answered; each has a limit of time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/instant.h"
#include "base/result.h"

namespace mailward {

struct Ban {
  Network network;
  Instant until;            // wall clock
  std::string_view reason;  // preset/policy; shown by backends that keep it. Valid during the call
};

struct Held {
  Network network;
  Instant until;  // to within a second or two; kNoInstant where the backend keeps no end
  friend bool operator==(const Held&, const Held&) = default;
};

class Firewall {
 public:
  virtual ~Firewall() = default;

  virtual std::string_view name() const = 0;

  // Does the backend end a ban at `until` by itself? Else the caller takes it out then.
  virtual bool ends_bans() const = 0;

  // May other hands put entries beside ours, that held() can't tell from them?
  virtual bool is_shared() const { return false; }

  // Makes what is ours (table, sets, chain) where it is missing or was changed; bans in it stay. May be
  // repeated at any time. Nothing outside of it is touched.
  virtual Result<void> prepare() = 0;

  // Puts bans in. One that is there gets the new end, be it later or earlier; one whose end is not after
  // `now` is taken out. On an error any part of them may be in.
  Result<void> ban(std::span<const Ban> bans, Instant now);

  // Takes out exactly these networks; none of what lies in them or around them. One that isn't there is fine.
  Result<void> unban(std::span<const Network> networks);

  // What is in force, in no order. An error also says that what is ours was removed or changed by another
  // hand (nftables: every change of our table, but for elements).
  virtual Result<std::vector<Held>> held(Instant now) = 0;

 private:
  // Sorted by network, each once, prefix and address in order, every end after `now`; never empty.
  virtual Result<void> put_in(std::span<const Ban> bans, Instant now) = 0;
  virtual Result<void> take_out(std::span<const Network> networks) = 0;
};

// The ports of TCP that a ban closes; only nftables can tell ports apart.
struct Ports {
  bool all = false;
  std::vector<uint16_t> some;  // used if not all
};
// SMTP, POP3, IMAP, their TLS ports, submission, ManageSieve.
inline constexpr uint16_t kMailPorts[] = {25, 110, 143, 465, 587, 993, 995, 4190};
inline Ports mail_ports() { return {false, {std::begin(kMailPorts), std::end(kMailPorts)}}; }

// `[firewall]` of mailward.toml, and the paths that tests replace.
struct FirewallConfig {
  std::string backend = "nftables";
  std::string table = "mailward";  // of nftables and pf; a letter, then letters, digits, - and _, 31 at most
  std::string anchor;              // of pf: the anchor that holds the table; empty: the main ruleset
  Ports ports = mail_ports();
  // An absolute path and its arguments; docs/firewalls.md tells which placeholders may stand in them.
  std::vector<std::string> ban_command, unban_command;
  std::chrono::milliseconds timeout{10'000};  // for one process, one HTTP request
  std::string pfctl = "/sbin/pfctl";
  std::string crowdsec_credentials = "/etc/crowdsec/local_api_credentials.yaml";
};

// Checks the configuration and touches nothing yet. An unknown backend's error names those that there are.
Result<std::unique_ptr<Firewall>> make_firewall(const FirewallConfig& config);

// The backends' names, as `firewall.backend` has them.
std::vector<std::string_view> firewall_backends();

}  // namespace mailward
