// Stamps in text: from bytes to fields. Every function reads from the first byte, fills `out`,
// and returns how many bytes the stamp has (without the blank after it); 0: no such stamp.
#pragma once

#include <cstddef>
#include <string_view>

#include "log/time_fold.h"

namespace mailward {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// "Mar  2 00:00:00", "Mar 02 00:00:00", "Mar 2 00:00:00"; "Mar  2 2026 00:00:00", "Mar  2 00:00:00 2026";
// with a fraction ("00:00:00.123456": syslog-ng, journalctl -o short-precise).
size_t parse_traditional_stamp(std::string_view text, Stamp& out);

// "2026-03-02T00:00:00", 'T' or a blank between date and time, with or without a fraction (further
// digits than six are dropped), "Z", "+01:00", "+0100" or no offset; Exim writes " +0100".
size_t parse_iso_stamp(std::string_view text, Stamp& out);

// "1772409600.123456" (journalctl -o short-unix); ten digits before the point.
size_t parse_unix_stamp(std::string_view text, Stamp& out);

// "Sat 2026-03-02 10:00:00 CET" (journalctl -o short-full and with-unit). "UTC", "GMT" and a zone that is a
// number ("-03", "+0530") give the offset; another name means the reader's zone, for such names are not
// unique.
size_t parse_full_stamp(std::string_view text, Stamp& out);

// "[13530.929637]", "[    5.000032 <    0.000032 >]": seconds since the machine's start (journalctl -o
// short-monotonic and short-delta). No instant follows from it.
size_t parse_uptime_stamp(std::string_view text);

// "@4000000065c0a1b2c3d4e5f6" (TAI64N, 25 bytes), "@4000000065c0a1b2" (TAI64, 17 bytes).
// TAI is taken to be 10 seconds before UTC's count, as daemontools' clock does.
size_t parse_tai64_stamp(std::string_view text, Stamp& out);

}  // namespace mailward
