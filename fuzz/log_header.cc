// The header readers: whatever the bytes are, a record's views lie within the line or the reader, the
// same line reads the same from a reader that has seen much and from a fresh one, and the detection of
// a file's form comes to an end.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "log/header.h"
#include "log/limits.h"
#include "log/meta.h"

using namespace mailward;

namespace {

void must(bool holds) {
  if (!holds) std::abort();
}

struct Copy {
  Took took;
  std::string host, program, message;
  uint32_t pid = 0;
};

Copy read(HeaderReader& reader, std::string_view line) {
  Record r;
  Copy c;
  c.took = reader.read(line, r);
  if (c.took != Took::kRecord) return c;
  must(r.note != nullptr && r.length == line.size() && r.message.size() <= line.size());
  c.host = r.host;
  c.program = r.program;
  c.message = r.message;
  c.pid = r.pid;
  (void)classify(r);
  (void)at_cut_length(r);
  return c;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const Zone zone = Zone::load("CET-1CEST,M3.5.0,M10.5.0/3").value_or(Zone());
  const Form found = detect_form(text, "current");
  for (const Form form :
       {found, Form::kSyslog, Form::kExim, Form::kDovecot, Form::kTai64n, Form::kUptime, Form::kTagged}) {
    if (!is_line_form(form)) continue;
    HeaderReader used(form, TimeFold(zone, 2026), "/var/log/smtpd/current");
    size_t at = 0;
    while (at <= text.size()) {
      const size_t end = std::min(text.find('\n', at), text.size());
      // A copy of its own, so that reading past its end is seen.
      const std::string line(text.substr(at, end - at));
      HeaderReader fresh(form, TimeFold(zone, 2026), "/var/log/smtpd/current");
      const Copy a = read(used, line), b = read(fresh, line), c = read(fresh, line);
      must(a.took == b.took && a.host == b.host && a.program == b.program && a.message == b.message && a.pid == b.pid);
      must(a.took == c.took && a.host == c.host && a.program == c.program && a.message == c.message && a.pid == c.pid);
      at = end + 1;
    }
  }
  return 0;
}
