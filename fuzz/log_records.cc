// Journal JSON and export, Docker's JSON, the CRI's form, compressed members: a file of any bytes is read to its end.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>

#include "log/log_set.h"
#include "log/record_stream.h"

using namespace mailward;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Zone zone;
  static const Form forms[] = {Form::kJournalJson, Form::kJournalExport, Form::kDockerJson, Form::kSyslog, Form::kCri};
  if (size < 1) return 0;
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || write(fd, data + 1, size - 1) != static_cast<ssize_t>(size - 1)) std::abort();
  lseek(fd, 0, SEEK_SET);
  auto source = LogSource::adopt(Descriptor(fd), "fuzz");
  if (!source || !source->identify()) return 0;
  LogPart part;
  part.name = "fuzz";
  part.form = forms[data[0] % std::size(forms)];
  part.source = std::make_unique<LogSource>(std::move(*source));
  auto stream = open_records(part, TimeFold(zone, 2026));
  if (!stream) std::abort();
  Record r;
  uint64_t records = 0;
  while ((*stream)->next(r).value_or(false)) {
    if (r.note == nullptr) std::abort();
    ++records;
  }
  const StreamFigures& f = (*stream)->figures();
  if (records > f.lines) std::abort();
  // Each line is in one figure (of the journal, a loss is a record without an entry).
  const bool of_journal = part.form == Form::kJournalJson || part.form == Form::kJournalExport;
  if (!of_journal && records + f.no_header + f.continued + f.overlong != f.lines) std::abort();
  return 0;
}
