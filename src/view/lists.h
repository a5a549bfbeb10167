// The two formats that other programs read line by line (docs/formats.md).
#pragma once

#include <vector>

#include "view/output.h"
#include "view/report_view.h"

namespace mailward {

// One offending address a line, nothing else, sorted: for `xargs pfctl -t spammers -T add` and its kind.
class PlainView : public ReportView {
 public:
  explicit PlainView(Output& out) : out_(out) {}
  void source(SourceReport&& source) override;

 private:
  Output& out_;
};

// "COUNT ADDRESS", most first: every address with at least one hostile event.
class CountsView : public ReportView {
 public:
  explicit CountsView(Output& out) : out_(out) {}
  void source(SourceReport&& source) override;
  void end() override;

 private:
  struct Row {
    uint64_t count;
    Address address;
  };
  Output& out_;
  std::vector<Row> rows_;
};

}  // namespace mailward
