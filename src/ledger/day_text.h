// The small JSON texts of a row of `days`: how much of what kind, which names how often. Written by us alone: what
// reads them takes only what writes them makes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ledger/pending.h"

namespace mailward {

// `{"auth_failed":3,"no_tls":1}`, in the order of EventKind. False: `before` is not of this form.
bool merge_counts(std::string_view before, const Pending& pending, const Pending::Day& day, std::string& out);

// `{"info":2,"anna@example.com":1,"…":7}`, in the order in which they came; empty: none. The first kMostUsers of them.
bool merge_tried(std::string_view before, const Pending& pending, const Pending::Day& day, std::string& out);

// `[17,18]`: appends a number.
void append_id(std::string& list, int64_t id);
uint32_t count_ids(std::string_view list);

}  // namespace mailward
