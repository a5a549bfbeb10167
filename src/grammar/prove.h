// The proof that rules are sound (docs/soundness.md): no line can be read as two addresses, as
// lines of two sessions, or as two events, by any of the rules of one program together.
//
// Each pattern becomes an automaton over bytes whose transitions inside the address and inside the
// session's key are marked. Two patterns are walked together over the same bytes, breadth first; a
// line that both accept with different marks, or to which they give different meanings, is a
// counterexample, and the first one found is a shortest one. Exact for the patterns as automata;
// lengths above 64 are taken for "any length", which can only make the proof stricter.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "grammar/rule_file.h"

namespace mailward {

enum class Conflict : uint8_t {
  kAddress,  // two different stretches of the line may be the address
  kAccused,  // one reading accuses an address, the other somebody else or nobody
  kSession,  // two different keys, or one reading ties the line to a session and the other not so
  kEvent,    // different events of the same address
};

struct Finding {
  Conflict conflict;
  const Rule* first;
  const Rule* second;       // may be the same rule
  std::string witness;      // a line that both accept
  std::string first_marks;  // as long as the witness: `a` in the address, `k` in the key, `.` elsewhere
  std::string second_marks;
  std::string sentence;  // in words, for a person
};

// All rules of one program. At most one finding a pair of rules.
std::vector<Finding> prove(std::span<const Rule* const> rules);

// 0: main rules, 1: fallbacks, 2: ambiguous lines. A rule explains a line only where none of a
// lower rank does.
int rank_of(const Rule& rule);

}  // namespace mailward
