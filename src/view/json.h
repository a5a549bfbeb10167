// The report as JSON (docs/formats.md): one document, or one source a line. Written by hand into
// the output. UTF-8; times in UTC; what is absent is left out. Log text is escaped by base/text.h
// (what is no UTF-8 is written \xff, as text).
#pragma once

#include <string>
#include <string_view>

#include "view/output.h"
#include "view/report_view.h"

namespace mailward {

class JsonView : public ReportView {
 public:
  explicit JsonView(Output& out) : out_(out) {}
  void begin(const ReportHead& head) override;
  void source(SourceReport&& source) override;
  void end() override;

 private:
  Output& out_;
  std::string_view comma_;
};

// The objects of `sources`, one a line.
class NdjsonView : public ReportView {
 public:
  explicit NdjsonView(Output& out) : out_(out) {}
  void source(SourceReport&& source) override;

 private:
  Output& out_;
};

// One object of `sources`.
void append_source_json(std::string& out, const SourceReport& source);

}  // namespace mailward
