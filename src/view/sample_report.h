// Reports made by hand, for tests of views.
#pragma once

#include <string>
#include <utility>

#include "base/event.h"
#include "judge/report.h"
#include "view/output.h"
#include "view/report_view.h"

namespace mailward {

inline Instant at(const char* rfc3339) { return *parse_rfc3339(rfc3339); }

inline SourceReport sample_source(const char* address, bool offender) {
  SourceReport source;
  source.address = *parse_address(address);
  source.offender = offender;
  source.first = at("2026-03-09T07:55:42Z");
  source.last = at("2026-03-09T07:59:43Z");
  return source;
}

inline uint64_t& events(SourceReport& source, EventKind kind) { return source.events[static_cast<size_t>(kind)]; }

// One offender, one that is none, one that only logged in.
inline Report sample_report() {
  Report report;
  report.policy = "strikes";
  report.input.files = {"mail.log"};
  report.input.bytes = 12345;
  report.input.lines = 1000;
  report.input.events = 42;
  report.input.not_understood = 4;
  report.input.first = at("2026-03-09T07:55:42Z");
  report.input.last = at("2026-03-09T08:00:48Z");

  SourceReport offender = sample_source("143.110.219.209", true);
  events(offender, EventKind::kConnect) = 3;  // a frame: never told
  events(offender, EventKind::kAuthFailed) = 7;
  events(offender, EventKind::kNoPtr) = 2;
  offender.users = {{"admin", 1}, {"info@example.com", 6}};
  offender.policies = {"strikes/foreign-login", "strikes/guessing"};
  offender.networks = {"143.110.219.0/24"};
  offender.activity = {0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 8};
  report.sources.push_back(offender);

  SourceReport other = sample_source("192.0.2.9", false);
  events(other, EventKind::kUnknownRecipient) = 1;
  report.sources.push_back(other);

  SourceReport friendly = sample_source("2001:db8::7", false);
  events(friendly, EventKind::kAuthOk) = 5;
  report.sources.push_back(friendly);
  return report;
}

// What a view writes.
template <class View, class... Options>
std::string shown_by(const Report& report, Options&&... options) {
  std::string text;
  Output out(text);
  View view(out, std::forward<Options>(options)...);
  show(report, view);
  out.finish();
  return text;
}

}  // namespace mailward
