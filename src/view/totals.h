// The lines under a table: what was found in how much, how much of it was not understood, and what to
// type next.
#pragma once

#include <cstdint>
#include <string>

#include "view/output.h"
#include "view/report_view.h"
#include "view/screen.h"

namespace mailward {

struct TableOptions {
  Screen screen;
  LocalTime time;
  bool hints = true;
  size_t offenders = 10'000;  // how many at most: more is nothing for eyes, and memory is bounded
  size_t others = 10;         // how many that are no offenders
  std::string same_input;     // for the hint: the words that name this input ("mail.log mail.log.1")
  bool read_once = false;     // another command can't read this input again: a pipe
  Instant since = kNoInstant, until = kNoInstant;  // what was asked for
};

struct Totals {
  uint64_t sources = 0;
  uint64_t offenders = 0;
  uint64_t others = 0;  // no offenders, but with a hostile or a weak event
  Address worst;        // the most hostile offender, else the most hostile of the others; empty(): nobody
};

// Why nothing came of a log that holds lines, in a sentence; empty: something may have.
std::string why_nothing(const InputReport& input, Instant since, Instant until, const LocalTime& time);

void write_totals(const ReportHead& head, const Totals& totals, const TableOptions& options, Output& out);

}  // namespace mailward
