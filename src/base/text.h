// Text of a log, made fit for eyes and files. A log's text is the attacker's: it may hold escape
// sequences, NUL, invalid UTF-8, marks that turn the direction of writing or show nothing at all.
// What leaves the program goes through one of these; each names where its result may go.
//
// What is "unsafe" everywhere: control characters (C0, DEL, C1), bytes that are not UTF-8 (also
// surrogates, overlong forms, noncharacters), line and paragraph separators, direction marks and
// other characters that show nothing (UAX #9, Unicode category Cf and the fillers), combining marks,
// private use. Stateless, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mailward {

inline constexpr std::string_view kEllipsis = "…";  // what stands for text that was left out
inline constexpr size_t kShownColumns = 200;        // of one text in a table or a sentence, unless told

// For a terminal, a log or a sentence: unsafe characters become `\x1b` (a byte) or `\u{202e}` (a
// character), all else stays. At most `columns` wide; what was cut ends in "…".
std::string for_terminal(std::string_view text, size_t columns = kShownColumns);

// Columns that a terminal needs for a text that for_terminal made (East Asian wide characters: 2).
size_t width_of(std::string_view shown);

// Valid UTF-8 with the same meaning, for JSON libraries: bytes that are no UTF-8 become `\xff` (four
// characters); nothing else changes, control characters stay.
std::string valid_utf8(std::string_view text);

// Appends a JSON string with its quotes (RFC 8259, 7). Reading it back gives valid_utf8(text); unsafe
// characters are written as \u escapes, so that the document can be shown on a terminal.
void append_json(std::string& out, std::string_view text);

// One cell of a CSV file (RFC 4180), quoted where it must be. As for_terminal, but not cut, and a text
// that a spreadsheet would take for a formula (= + - @ first) gets an apostrophe before it.
std::string for_csv(std::string_view text);

}  // namespace mailward
