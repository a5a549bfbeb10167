// Events as JSON, one object a line: the fields of docs/events.md in the order of that page, absent
// facts left out, `time` in UTC with microseconds. Millions of lines pass here: by hand, no allocation
// for a line. Remembers the last second's text; one writer for one output, one thread.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/event.h"
#include "view/output.h"

namespace mailward {

class EventLines {
 public:
  // `files`: the input's names, by Event::file; as the caller typed them.
  explicit EventLines(const std::vector<std::string>& files);

  void append(std::string& out, const Event& event);
  void write(std::span<const Event> batch, Output& out);

 private:
  void append_time(std::string& out, Instant time);

  std::vector<std::string> files_;  // as JSON strings
  Instant second_ = kNoInstant;     // the second that second_text_ tells
  std::string second_text_;
};

}  // namespace mailward
