// Rows of the ledger as values.
#pragma once

#include <cstdint>
#include <string>

#include "base/address.h"
#include "base/instant.h"

namespace mailward {

// Where reading of one input stands.
struct InputRow {
  std::string name;
  std::string position;  // encoded by log/
  std::string state;     // of the reader, encoded by session/
  uint64_t offset = 0;   // the two are for people
  uint64_t lines = 0;
  Instant reached = kNoInstant;  // of the last record
};

struct BanRow {
  Network network;
  Instant since = kNoInstant, until = kNoInstant;
  std::string policy;  // "preset/name"; empty where a person or another host banned
  uint64_t count = 0;
  uint32_t nth = 1;
  std::string origin;  // "judged", "manual", "fleet"
  Instant withdrawn = kNoInstant;
};

struct LedgerFigures {
  int64_t sources = 0;                // neighbourhoods that are remembered: mostly one address each
  int64_t bans = 0;                   // in force
  int64_t bytes = 0, free_bytes = 0;  // of the file
};

// Why a commit failed.
enum class LedgerTrouble : uint8_t {
  kNone,
  kLocked,   // another program writes: try again
  kFull,     // no room on the disk, or none allowed: try again
  kGone,     // the file was deleted or replaced: nothing is written any more
  kDamaged,  // what is in it can't be read: neither
  kOther,
};

}  // namespace mailward
