// The journal through libsystemd (sd-journal(3)).
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "log/journal.h"
#include "log/journal_entry_systemd.h"
#include "log/journal_fault.h"
#include "log/journal_fields.h"
#include "log/line_source.h"

namespace mailward {
namespace {

Result<Journal> open_it(const std::string& where) {
  sd_journal* raw = nullptr;
  int code = 0;
  if (where.empty()) {
    code = sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY);
  } else {
    struct stat s{};
    if (::stat(where.c_str(), &s) != 0) {
      return fail(
          fmt::format("journal:{}: {}; name a folder of journal files or one such file", where, std::strerror(errno)));
    }
    const char* files[] = {where.c_str(), nullptr};
    code =
        S_ISDIR(s.st_mode) ? sd_journal_open_directory(&raw, where.c_str(), 0) : sd_journal_open_files(&raw, files, 0);
  }
  if (code < 0) return fail(fmt::format("the journal can't be opened: {}", std::strerror(-code)));
  Journal journal(raw);
  if (sd_journal_has_runtime_files(raw) <= 0 && sd_journal_has_persistent_files(raw) <= 0 &&
      sd_journal_next(raw) <= 0) {
    return fail(where.empty() ? "there is no journal here that you may read; run as root or as a member of the group "
                                "systemd-journal, or name a log file"
                              : fmt::format("journal:{}: holds no journal that can be read", where));
  }
  sd_journal_set_data_threshold(raw, LineSource::kMaxLine);
  code = sd_journal_seek_head(raw);
  if (code < 0) return fail(fmt::format("the journal can't be read: {}", std::strerror(-code)));
  return journal;
}

class SystemdStream final : public RecordStream {
 public:
  SystemdStream(Journal journal, Holes holes) : journal_(std::move(journal)), records_(holes) {}

  Result<bool> next(Record& out) override {
    while (true) {
      if (!std::exchange(again_, false)) {
        const MappedReading reading;
        const int code = sd_journal_next(journal_.get());
        if (code < 0) return fail(fmt::format("the journal can't be read further: {}", std::strerror(-code)));
        if (code == 0) return false;
        ++figures_.lines;
        const bool whole = entry_.read(journal_.get());
        figures_.bytes += entry_.bytes();
        if (!whole || reading.faulted()) {
          ++figures_.no_header;
          continue;
        }
      }
      switch (records_.fill(entry_.fields(), out)) {
        case JournalTook::kLoss:
          again_ = true;
          return true;
        case JournalTook::kRecord:
          return true;
        case JournalTook::kUntrusted:
          ++figures_.untrusted;
          break;
        case JournalTook::kNothing:
          ++figures_.no_header;
          break;
        case JournalTook::kContinuation:
          break;
      }
    }
  }

 private:
  Journal journal_;
  JournalEntry entry_;
  JournalRecords records_;
  bool again_ = false;  // a loss before this entry was told
};

bool is_one_file(const std::string& where) {
  struct stat s{};
  return !where.empty() && ::stat(where.c_str(), &s) == 0 && !S_ISDIR(s.st_mode);
}

}  // namespace

Result<void> can_read_journal(const std::string& where) {
  const Result<Journal> journal = open_it(where);
  if (!journal) return std::unexpected(journal.error());
  return {};
}

Result<std::unique_ptr<RecordStream>> open_journal(const std::string& where) {
  Result<Journal> journal = open_it(where);
  if (!journal) return std::unexpected(journal.error());
  const Holes holes = is_one_file(where) ? Holes::kMeanNothing : Holes::kAreLosses;
  return std::make_unique<SystemdStream>(std::move(*journal), holes);
}

}  // namespace mailward
