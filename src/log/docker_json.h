// Docker's json-file log: {"log":"text\n","stream":"stdout","time":"…Z"} a line. A line of the
// container that is longer than 16 KiB comes in several such objects, of which only the last has the
// line feed: joined before anything is looked at. The text may have a syslog header of its own (or
// Dovecot's, Exim's …), which then names host and program; the time is Docker's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "log/header.h"
#include "log/pieces.h"

namespace mailward {

class DockerJsonReader {
 public:
  // The form of the lines inside, from the first bytes of the file.
  static Form detect_inner(std::string_view first_bytes, std::string_view file_name);

  DockerJsonReader(Form inner, TimeFold fold, std::string_view file_name) : inner_(inner, fold, file_name) {}

  // kContinuation: a piece, its line is not complete yet. Views live until the next call.
  Took read(std::string_view line, Record& out);
  uint64_t overlong() const { return pieces_.overlong(); }

 private:
  HeaderReader inner_;
  std::string text_;  // what was unescaped
  Pieces pieces_;
};

}  // namespace mailward
