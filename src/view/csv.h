// The report as a CSV file with a header (RFC 4180, but lines end in LF as everywhere on Unix): one
// source a line, one column for each kind of event. Cells of several values hold them with a blank
// between; `users` as "NAME COUNT" with a semicolon between. No cell can be taken for a formula.
#pragma once

#include "view/output.h"
#include "view/report_view.h"

namespace mailward {

class CsvView : public ReportView {
 public:
  explicit CsvView(Output& out) : out_(out) {}
  void begin(const ReportHead& head) override;
  void source(SourceReport&& source) override;

 private:
  Output& out_;
};

}  // namespace mailward
