// A format of the report, fed one source at a time, so that millions of sources are never held where
// the format doesn't have to. Order of calls: begin, source for each (IPv4 first, by value), end.
// The Output given at construction must outlive the view. One thread.
#pragma once

#include <string>
#include <utility>

#include "judge/report.h"

namespace mailward {

// About the whole, known before the first source comes.
struct ReportHead {
  InputReport input;
  std::string policy;  // "default", or the file's name
};

class ReportView {
 public:
  virtual ~ReportView() = default;
  virtual void begin(const ReportHead&) {}
  virtual void source(SourceReport&& source) = 0;
  virtual void end() {}
};

inline void show(Report report, ReportView& view) {
  view.begin({std::move(report.input), std::move(report.policy)});
  for (SourceReport& source : report.sources) view.source(std::move(source));
  view.end();
}

}  // namespace mailward
