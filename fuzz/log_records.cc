// Journal JSON and export, Docker's JSON, compressed members: a file of any bytes is read to its end.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "log/log_set.h"
#include "log/record_stream.h"

using namespace mailward;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Zone zone;
  static const Form forms[] = {Form::kJournalJson, Form::kJournalExport, Form::kDockerJson, Form::kSyslog};
  if (size < 1) return 0;
  const int fd = memfd_create("fuzz", MFD_CLOEXEC);
  if (fd < 0 || write(fd, data + 1, size - 1) != static_cast<ssize_t>(size - 1)) std::abort();
  lseek(fd, 0, SEEK_SET);
  auto source = LogSource::adopt(Descriptor(fd), "fuzz");
  if (!source || !source->identify()) return 0;
  LogPart part;
  part.name = "fuzz";
  part.form = forms[data[0] % 4];
  part.source = std::make_unique<LogSource>(std::move(*source));
  auto stream = open_records(part, TimeFold(zone, 2026));
  if (!stream) std::abort();
  Record r;
  uint64_t records = 0;
  while ((*stream)->next(r).value_or(false)) {
    if (r.note == nullptr) std::abort();
    ++records;
  }
  if (records > (*stream)->figures().lines) std::abort();
  return 0;
}
