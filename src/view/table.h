// The report for eyes: offenders first, most hostile first, then the most hostile of the others, then
// totals and what to type next. Fits the screen's width: one line a source on a wide screen, two on a
// narrow one. No address is ever cut. Keeps the most hostile only.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "view/output.h"
#include "view/report_view.h"
#include "view/screen.h"
#include "view/totals.h"

namespace mailward {

class TableView : public ReportView {
 public:
  TableView(Output& out, TableOptions options) : out_(out), options_(std::move(options)) {}
  void begin(const ReportHead& head) override { head_ = head; }
  void source(SourceReport&& source) override;
  void end() override;

 private:
  Output& out_;
  TableOptions options_;
  ReportHead head_;
  std::vector<SourceReport> offenders_;  // a heap, at most options_.offenders
  std::vector<SourceReport> others_;     // the most hostile, as a heap; at most options_.others
  Totals totals_;
};

// "▁▃█": one character a bucket, scaled to the largest; blank: nothing happened.
std::string sparkline(const std::array<uint32_t, kActivityBuckets>& activity, Charset charset);

}  // namespace mailward
