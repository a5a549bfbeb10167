// What several views ask of a source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "judge/report.h"

namespace mailward {

// How many events of that severity.
uint64_t events_of(const SourceReport& source, Severity severity);

// To order by: hostile events, then weak ones.
std::pair<uint64_t, uint64_t> hostility(const SourceReport& source);

// Logins tried as valid UTF-8, sorted by name, each name once: two that differ in invalid bytes only
// may have become the same. "…" (the rest) stays last.
std::vector<std::pair<std::string, uint64_t>> users_of(const SourceReport& source);

}  // namespace mailward
