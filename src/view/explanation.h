// Why an address is an offender, or why not: in words for a terminal, and as one JSON document. Log
// lines are shown as they are, escaped.
#pragma once

#include <string>
#include <vector>

#include "judge/explain.h"
#include "view/output.h"
#include "view/screen.h"

namespace mailward {

// Lines that hold the address or belong to its sessions, and are no event of it; as they stand in the log.
struct OtherLines {
  static constexpr size_t kMost = 1000;
  struct Line {
    uint32_t file = 0;
    uint64_t line = 0;
    std::string text;
  };
  std::vector<Line> lines;
  uint64_t left_out = 0;
};

struct ExplanationText {
  Screen screen;
  LocalTime time;
  std::string policy;              // the set's name
  std::vector<std::string> files;  // the input's, by ExplainedEvent::file
  size_t most_lines = 200;         // of the log; the latest
  bool in_span = false;            // only some time of the logs was asked for
  std::string outside;             // that nothing lies in it (why_nothing()); mostly empty
};

void write_explanation(const Explanation& explanation, const OtherLines& others, const ExplanationText& how,
                       Output& out);

// {"address", "offender", "policies", "source", "verdicts": […], "events": [as `mailward events`, and
// "raw"], "other_lines": [{"file", "line", "raw"}]}; absent facts left out.
void write_explanation_json(const Explanation& explanation, const OtherLines& others,
                            const std::vector<std::string>& files, Output& out);

}  // namespace mailward
