// Which year a log begins in whose stamps have no year. TimeFold needs it for the first record only:
// each further one has the year that puts it nearest to the one before it.
//
// What is known is the year of the last line: the caller says it (--year), or the line is the nearest
// before the present and before the time at which its file was changed last. The way back from there to
// the first line needs to know how many New Years lie between:
//  - plain files are looked at all along: all lines up to 4 MiB, else about a thousand of them;
//  - of a pipe, the first 4 MiB are looked at (how long is waited for them: Patience in source.h), and of
//    a compressed file as much, or all of it where --year speaks of a last line that lies further on.
// Where something was not looked at, it is taken to span less than a year. So it can't be known, and the
// times are off by whole years:
//  - where a pipe, or the last part of a compressed log, goes on for more than a year after its first 4 MiB
//    (each earlier compressed part: of more than a year in itself);
//  - where a pipe of more than 4 MiB crosses New Year after them, --year is given, and that year is past:
//    then the log is taken not to cross it. If it does, that shows at its end: contradicted().
#pragma once

#include <optional>
#include <string_view>

#include "log/log_set.h"
#include "log/stamp.h"
#include "log/zone.h"

namespace mailward {

struct BaseYear {
  int year = 0;       // of the first record; 0: stamps have their years, or there are no stamps
  int last_year = 0;  // not 0: `year` rests on the last record being of this year, and that wasn't looked at

  // `last` is the last record of the log: does it show that `year` was wrong?
  bool contradicted(const Zone& zone, Instant last) const;
};

// `year_of_last`: 0: not said. Reads from the set's sources, and gives back what it read.
BaseYear find_base_year(LogSet& set, const Zone& zone, int year_of_last, Instant now,
                        Patience patience = Patience::kToTheEnd);

// The first stamp among the lines of `text`.
std::optional<Stamp> first_stamp(Form form, std::string_view text);

}  // namespace mailward
