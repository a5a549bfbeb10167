// What a scan found: the document that every view prints (docs/formats.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/event.h"
#include "base/instant.h"

namespace mailward {

// About what was read. Filled by the reader of events, printed by the views.
struct InputReport {
  std::vector<std::string> files;
  uint64_t bytes = 0;           // as they stand in the files, before decompression
  uint64_t lines = 0;           // records, whoever wrote them
  uint64_t events = 0;          // put out, frames included
  uint64_t not_understood = 0;  // lines of known programs that no rule explains, and lines without a header
  uint64_t other_programs = 0;  // lines of programs that have no rules
  uint64_t ambiguous = 0;       // could be read as two addresses
  uint64_t lost = 0;            // gaps that the log itself admits
  uint64_t overlong = 0;        // lines longer than the bound; their rest was dropped
  uint64_t unheeded = 0;        // tell nothing that was asked for; then `events` are not all, and lines of
                                // programs that tell nothing else are never `not_understood`
  uint64_t no_header = 0;       // of `not_understood`: not of the form that most lines of the file have
  uint64_t unshown = 0;         // of `not_understood`: `mailward events --unknown` can't print them
  uint64_t continued = 0;       // no lines of their own: parts of the one before, and empty ones
  uint64_t untrusted = 0;       // of a journal: written by an ordinary user's process, not believed
  Instant first = kNoInstant;
  Instant last = kNoInstant;
};

inline constexpr size_t kActivityBuckets = 16;

struct SourceReport {
  Address address;
  std::array<uint64_t, kEventKinds> events{};  // by EventKind; weighted by Event::count
  std::vector<std::pair<std::string, uint64_t>>
      users;                   // failed logins by name as tried, raw bytes; sorted by name; "…" last
  Instant first = kNoInstant;  // of events other than frames
  Instant last = kNoInstant;
  bool offender = false;
  std::vector<std::string> policies;                  // broken: "preset/name", in the order of the policy file
  std::vector<std::string> networks;                  // "192.0.2.0/24" of policies per network
  std::array<uint32_t, kActivityBuckets> activity{};  // hostile and weak events over the time of the input
};

struct Report {
  InputReport input;
  std::vector<SourceReport> sources;  // every address with an event that is no frame; IPv4 first, by value
  std::string policy;                 // "default", or the file's name
};

}  // namespace mailward
