// The ledger's tables, and how an older ledger becomes a newer one. docs/ledger.md tells what each table is for;
// a test compares the two.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "ledger/sqlite.h"

namespace mailward {

inline constexpr int64_t kLedgerId = 0x4d574152;  // "MWAR", PRAGMA application_id
inline constexpr int64_t kSchemaVersion = 1;      // PRAGMA user_version

// Is it a ledger that this program can use? A new, empty file gets its tables; an older one is brought up to
// date, in one transaction. What is somebody else's or newer is refused and left as it is.
Result<void> prepare_schema(Database& db);

// The names of the kinds of event, for people who look.
Result<void> fill_kinds(Database& db);

// For who only reads: the same questions, nothing written.
Result<void> check_schema(Database& db);

}  // namespace mailward
