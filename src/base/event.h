// Events: what a log tells about one client, in the words of docs/events.md.
// Grammar gives them their kind and facts, session their address, judge counts them, view prints
// them. It stands in base because every station after the log speaks of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/address.h"
#include "base/instant.h"

namespace mailward {

enum class EventKind : uint8_t {
  kNone,  // a line that is known and tells nothing
  kConnect,
  kDisconnect,
  kTlsStarted,
  kAuthOk,
  kAuthFailed,
  kAuthAborted,
  kNoTls,
  kTlsFailed,
  kNoPtr,
  kPtrMismatch,
  kBadHelo,
  kDnsbl,
  kRelayDenied,
  kUnknownRecipient,
  kSenderRejected,
  kContentRejected,
  kRateLimited,
  kProtocolError,
  kRejected,
  kDeferred,
  kDropped,
  kAccepted,
  kAmbiguous,  // could be read as two addresses: counted, charged to nobody
};
inline constexpr size_t kEventKinds = 24;

enum class Severity : uint8_t { kNeutral, kWeak, kHostile };

struct EventKindInfo {
  std::string_view name;
  Severity severity;
};

// Indexed by EventKind. Severity as in the table of docs/events.md.
inline constexpr std::array<EventKindInfo, kEventKinds> kEventKindInfo{{
    {"none", Severity::kNeutral},
    {"connect", Severity::kNeutral},
    {"disconnect", Severity::kNeutral},
    {"tls_started", Severity::kNeutral},
    {"auth_ok", Severity::kNeutral},
    {"auth_failed", Severity::kHostile},
    {"auth_aborted", Severity::kHostile},
    {"no_tls", Severity::kHostile},
    {"tls_failed", Severity::kHostile},
    {"no_ptr", Severity::kWeak},
    {"ptr_mismatch", Severity::kWeak},
    {"bad_helo", Severity::kHostile},
    {"dnsbl", Severity::kHostile},
    {"relay_denied", Severity::kHostile},
    {"unknown_recipient", Severity::kHostile},
    {"sender_rejected", Severity::kHostile},
    {"content_rejected", Severity::kHostile},
    {"rate_limited", Severity::kHostile},
    {"protocol_error", Severity::kHostile},
    {"rejected", Severity::kHostile},
    {"deferred", Severity::kWeak},
    {"dropped", Severity::kWeak},
    {"accepted", Severity::kNeutral},
    {"ambiguous", Severity::kNeutral},
}};

constexpr const EventKindInfo& info(EventKind k) { return kEventKindInfo[static_cast<size_t>(k)]; }
constexpr std::string_view name_of(EventKind k) { return info(k).name; }
constexpr Severity severity_of(EventKind k) { return info(k).severity; }
// connect, disconnect, tls_started: the session's frame.
constexpr bool is_frame(EventKind k) { return k >= EventKind::kConnect && k <= EventKind::kTlsStarted; }
std::optional<EventKind> parse_event_kind(std::string_view name);

// A set of kinds, one bit each.
using KindSet = uint32_t;
constexpr KindSet bit(EventKind k) { return KindSet{1} << static_cast<unsigned>(k); }
inline constexpr KindSet kLoginKinds =
    bit(EventKind::kAuthOk) | bit(EventKind::kAuthFailed) | bit(EventKind::kAuthAborted);

// Facts as text: views, valid until the batch that they came in is given back (see log/record.h).
// Bytes as the daemon wrote them: escape before showing.
enum class Fact : uint8_t {
  kUser,  // first: see Event
  kPtr,
  kHelo,
  kSender,
  kRecipient,
  kMechanism,
  kReason,
  kService,
  kSession,
  kHost,
  kProgram,
};
inline constexpr size_t kFacts = 11;

// What every event has comes first, and fills one cache line with the user's name.
struct alignas(64) Event {
  Instant time = kNoInstant;
  Address address;  // empty(): nobody is named (ambiguous lines only)
  EventKind kind = EventKind::kNone;
  bool unknown_user : 1 = false;  // the log itself says that this user does not exist
  uint8_t helper : 5 = 0;         // which helper of the server wrote the line; 0: none (session/helpers.h)
  // Of a helper: it was not asked by a session of its own daemon. Of others: it is of such a session.
  bool apart : 1 = false;
  bool mild : 1 = false;  // a refusal that is not held against the client: come again, mailbox full, too large
  uint16_t port = 0;      // the client's; 0 where the log has none
  uint32_t count = 1;     // of how many attempts this one line tells
  uint32_t pid = 0;
  uint32_t file = 0;  // index into the input's files
  uint64_t line = 0;  // counts from 1 in that file
  std::array<std::string_view, kFacts> facts{};
  std::string_view daemon;  // "postfix": lives as long as the grammar
  std::string_view raw;     // the line itself, only where the reader was asked to keep it

  std::string_view fact(Fact f) const { return facts[static_cast<size_t>(f)]; }
  std::string_view user() const { return fact(Fact::kUser); }
};
static_assert(offsetof(Event, facts) + sizeof(std::string_view) <= 64);

}  // namespace mailward
