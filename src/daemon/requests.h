// Lines of the control socket (docs/control-socket.md).
#pragma once

#include <string>
#include <string_view>

#include "base/address.h"
#include "base/instant.h"
#include "base/result.h"

namespace mailward {

// The ledger's word, where a policy's name stands, for a ban by hand of what is protected.
inline constexpr std::string_view kForced = "forced";

// Shorter prefixes are never banned, whoever insists: that would be a good part of the world.
inline constexpr int kWidestByHand4 = 8, kWidestByHand6 = 16;

struct Request {
  enum class Verb : uint8_t { kStatus, kSync, kReload, kBan, kUnban } verb = Verb::kStatus;
  Network network;
  Duration length{0};  // of a ban
  bool force = false;
  bool changes() const { return verb != Verb::kStatus && verb != Verb::kSync; }
};

// The error is one sentence for who sent the line.
Result<Request> parse_request(std::string_view line);
std::string format_request(const Request& request);

// {"ok": …, "message": …}
std::string reply_of(bool done, std::string_view sentence);

}  // namespace mailward
