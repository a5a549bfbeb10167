// Through libsystemd (sd_journal_open_files_fd(3)), which merges the files and sees what is added to them; of files
// that come and go it knows nothing, so it is opened anew with each other set.
//
// The place is the cursor of the last entry. Where that entry is there, reading goes on behind it: in libsystemd's
// order, which for entries of one journald is that of their numbers. A number that is missing means one of three
// things: the entry stands in a file that we have not got, or it came into one file after that had been looked at and
// before another was; or it is gone. The first two are told from the third by opening all files anew.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>
#include <vector>

#include "log/follow/journal_follower.h"
#include "log/journal_entry_systemd.h"
#include "log/journal_fault.h"
#include "log/line_source.h"

namespace mailward {
namespace {

using Kind = JournalStep::Kind;

constexpr std::string_view kForm = "j1";
constexpr size_t kMostCursor = 512;

// Of "s=…;i=…;b=…;m=…;t=…;x=…" (sd_journal_get_cursor(3)): who numbered the entry, its number, when it came.
struct Cursor {
  std::string_view writer, boot;
  uint64_t number = 0, monotonic = 0, realtime = 0;

  explicit Cursor(std::string_view text) {
    while (!text.empty()) {
      const std::string_view part = text.substr(0, text.find(';'));
      text.remove_prefix(std::min(part.size() + 1, text.size()));
      if (part.size() < 2 || part[1] != '=') continue;
      const std::string_view value = part.substr(2);
      switch (part[0]) {
        case 's':
          writer = value;
          break;
        case 'b':
          boot = value;
          break;
        case 'i':
          std::from_chars(value.data(), value.data() + value.size(), number, 16);
          break;
        case 'm':
          std::from_chars(value.data(), value.data() + value.size(), monotonic, 16);
          break;
        case 't':
          std::from_chars(value.data(), value.data() + value.size(), realtime, 16);
          break;
        default:
          break;
      }
    }
  }
};

bool is_cursor(std::string_view text) {
  const Cursor c(text);
  return text.size() <= kMostCursor && is_machine_id(c.writer) && is_machine_id(c.boot) && c.number > 0;
}

int64_t modified_ns(const struct stat& s) { return s.st_mtim.tv_sec * 1'000'000'000 + s.st_mtim.tv_nsec; }

class Follow final : public JournalFollower {
 public:
  explicit Follow(Begin begin) : begin_(begin) {}
  bool restore(std::string_view stored);
  void changed(JournalFiles files) override;
  JournalStep next() override;
  std::string position() const override;
  uint64_t asked() const override { return asked_; }
  const StreamFigures& figures() const override { return figures_; }

 private:
  using Id = std::pair<uint64_t, uint64_t>;  // device and inode
  struct Unreadable {
    Descriptor file;
    int64_t size, modified_ns;
  };
  enum class Found : uint8_t {
    kEntry,    // entry_, and lost_ if something is missing before it
    kNothing,  // further on
    kDoubt,    // something seems to be missing: all files are to be opened anew
    kTrouble,
  };

  void open_all(JournalFiles& files);
  void leave_out_unreadable(JournalFiles& files);
  bool unreadable_changed() const;
  void place();
  Found look();
  Found advance();
  Found land();
  bool is_read(const Cursor& at) const;
  void go_back_to_what_was_read();
  JournalStep nothing();
  JournalStep trouble();
  JournalStep ask();
  JournalStep lose();
  bool give(JournalStep& step);

  const Begin begin_;
  Journal journal_;
  std::vector<Id> ids_;  // of its files, sorted
  std::vector<Unreadable> unreadable_;
  bool complete_ = false;
  bool unsettled_ = false;  // the files that came were not those of one moment

  std::string cursor_;    // of the last entry that was read; empty: none
  bool begun_ = false;    // where to begin is decided
  bool landing_ = false;  // the cursor's entry is still to be looked for
  bool proving_ = false;  // these files were asked for because of a doubt
  bool failed_ = false;   // reading did, and no entry came since
  bool again_ = false;    // a loss before entry_ was told; the entry itself is to be given
  std::string lost_;      // a sentence that is to be told
  uint64_t asked_ = 0, answered_ = 0;
  JournalEntry entry_;
  JournalRecords records_{Holes::kAreLosses};
  StreamFigures figures_;
};

bool Follow::restore(std::string_view stored) {
  const auto word = [&] {
    const std::string_view w = stored.substr(0, stored.find(' '));
    stored.remove_prefix(std::min(w.size() + 1, stored.size()));
    return w;
  };
  if (word() != kForm) return false;
  const std::string_view lines = word(), cursor = word();
  const auto [stop, error] = std::from_chars(lines.data(), lines.data() + lines.size(), figures_.lines, 16);
  if (error != std::errc() || stop != lines.data() + lines.size()) return false;
  if (cursor != "-" && !is_cursor(cursor)) return false;
  if (cursor != "-") cursor_ = cursor;
  begun_ = true;
  return !stored.ends_with(' ') && records_.from_text(stored);
}

std::string Follow::position() const {
  if (!begun_) return {};
  return fmt::format("{} {:x} {} {}", kForm, figures_.lines - (again_ ? 1 : 0), cursor_.empty() ? "-" : cursor_,
                     records_.to_text());
}

// ---------------------------------------------------------------- files

void Follow::changed(JournalFiles files) {
  if (files.answers < asked_) return;
  answered_ = files.answers;
  unsettled_ = !files.settled;
  if (unsettled_) return;
  complete_ = files.complete;
  records_.sequence().read_holes_as(complete_ ? Holes::kAreLosses : Holes::kMeanNothing);
  std::vector<Id> ids;
  for (const JournalFile& f : files.files) ids.emplace_back(f.device, f.inode);
  std::sort(ids.begin(), ids.end());
  if (journal_ && ids == ids_ && !proving_ && unreadable_.empty()) return;
  ids_ = std::move(ids);
  open_all(files);
  if (journal_) place();
}

// libsystemd takes all descriptors or none: one that isn't a journal (yet) must not keep the others out.
void Follow::open_all(JournalFiles& files) {
  const MappedReading reading;
  journal_.reset();
  unreadable_.clear();
  for (int tries = 0; tries < 2 && !files.files.empty() && !journal_; ++tries) {
    std::vector<int> fds;
    for (const JournalFile& f : files.files) fds.push_back(f.file.get());
    sd_journal* raw = nullptr;
    if (sd_journal_open_files_fd(&raw, fds.data(), static_cast<unsigned>(fds.size()), 0) >= 0) {
      for (JournalFile& f : files.files) f.file.release();  // they are its own now
      journal_.reset(raw);
      sd_journal_set_data_threshold(raw, LineSource::kMaxLine);
    } else {
      leave_out_unreadable(files);
    }
  }
}

void Follow::leave_out_unreadable(JournalFiles& files) {
  std::vector<JournalFile> good;
  for (JournalFile& f : files.files) {
    Descriptor copy(::fcntl(f.file.get(), F_DUPFD_CLOEXEC, 0));
    int fd = copy.get();
    sd_journal* raw = nullptr;
    if (sd_journal_open_files_fd(&raw, &fd, 1, 0) >= 0) {
      copy.release();
      sd_journal_close(raw);
      good.push_back(std::move(f));
      continue;
    }
    struct stat s{};
    ::fstat(f.file.get(), &s);
    unreadable_.push_back({std::move(f.file), s.st_size, modified_ns(s)});
  }
  files.files = std::move(good);
}

// A file that was just made has no head yet; journald writes it in the next moment.
bool Follow::unreadable_changed() const {
  return std::any_of(unreadable_.begin(), unreadable_.end(), [](const Unreadable& u) {
    struct stat s{};
    return ::fstat(u.file.get(), &s) == 0 && (s.st_size != u.size || modified_ns(s) != u.modified_ns);
  });
}

// ---------------------------------------------------------------- the place

void Follow::place() {
  if (std::exchange(again_, false)) --figures_.lines;  // it comes once more
  const MappedReading reading;
  if (!begun_ && begin_ == Begin::kLive && sd_journal_seek_tail(journal_.get()) >= 0 &&
      sd_journal_previous(journal_.get()) > 0) {
    entry_.read(journal_.get());
    cursor_ = entry_.cursor();
    records_.sequence().stand_at(entry_.fields());
  }
  begun_ = true;
  landing_ = !cursor_.empty();
  if (!landing_) sd_journal_seek_head(journal_.get());
}

// Looks for the cursor's entry. kNothing: reading goes on with what comes next, wherever it now stands.
Follow::Found Follow::land() {
  if (sd_journal_seek_cursor(journal_.get(), cursor_.c_str()) < 0) return Found::kTrouble;
  const int code = sd_journal_next(journal_.get());
  if (code < 0) return Found::kTrouble;
  landing_ = false;
  if (code > 0 && sd_journal_test_cursor(journal_.get(), cursor_.c_str()) > 0) return Found::kNothing;
  if (code > 0 && !entry_.read(journal_.get())) return Found::kNothing;  // the numbers will show it
  const Cursor here(code > 0 ? entry_.cursor() : ""), last(cursor_);
  // The entry is gone; whether others are too, the numbers show, where they go on.
  if (code > 0 && here.number > last.number && records_.sequence().knows(entry_.fields())) return Found::kEntry;
  if (!proving_) return Found::kDoubt;
  go_back_to_what_was_read();
  return Found::kNothing;
}

// Numbers are given away twice after a power cut that took the journal's end, and by a new journal. Boot and time
// aren't.
bool Follow::is_read(const Cursor& at) const {
  const Cursor last(cursor_);
  return at.boot == last.boot ? at.monotonic <= last.monotonic : at.realtime <= last.realtime;
}

// To the last entry that can have been read.
void Follow::go_back_to_what_was_read() {
  lost_ = "the entry up to which the journal was read is gone; reading goes on with what was written after it";
  std::string found;
  if (sd_journal_seek_tail(journal_.get()) < 0) return;
  while (found.empty() && sd_journal_previous(journal_.get()) > 0) {
    if (entry_.read(journal_.get()) && is_read(Cursor(entry_.cursor()))) found = entry_.cursor();
  }
  cursor_ = found;
  if (cursor_.empty()) {
    sd_journal_seek_head(journal_.get());
  } else {
    records_.sequence().stand_at(entry_.fields());
  }
}

// ---------------------------------------------------------------- reading

Follow::Found Follow::advance() {
  const Found landed = landing_ ? land() : Found::kNothing;
  if (landed == Found::kDoubt || landed == Found::kTrouble) return landed;
  for (bool at_entry = landed == Found::kEntry; !at_entry;) {
    const int code = sd_journal_next(journal_.get());
    if (code < 0) return Found::kTrouble;
    if (code == 0) return Found::kNothing;
    // One that can't be read is a hole in the numbers.
    at_entry = entry_.read(journal_.get());
  }
  return !proving_ && records_.sequence().would_miss_before(entry_.fields()) > 0 ? Found::kDoubt : Found::kEntry;
}

// What vanished while it was read is trouble, whatever was found.
Follow::Found Follow::look() {
  const MappedReading reading;
  const Found found = advance();
  return reading.faulted() ? Found::kTrouble : found;
}

JournalStep Follow::next() {
  if (asked_ > answered_) return {};
  if (std::exchange(unsettled_, false)) return ask();
  JournalStep step;
  while (journal_) {
    if (!std::exchange(again_, false)) {
      switch (look()) {
        case Found::kNothing:
          return nothing();
        case Found::kDoubt:
          proving_ = true;
          return ask();
        case Found::kTrouble:
          return trouble();
        case Found::kEntry:
          break;
      }
      proving_ = failed_ = false;
      ++figures_.lines;
      figures_.bytes += entry_.bytes();
      again_ = !lost_.empty();
      if (again_) return lose();
    }
    if (give(step)) return step;
  }
  return nothing();
}

JournalStep Follow::nothing() {
  proving_ = failed_ = false;
  if (!lost_.empty()) return lose();
  return unreadable_changed() ? ask() : JournalStep{};
}

// All files are opened anew, once; then until they change.
JournalStep Follow::trouble() {
  journal_.reset();
  ids_.clear();
  if (!std::exchange(failed_, true)) return ask();
  lost_ = "the journal can't be read further; reading goes on when its files change";
  return lose();
}

JournalStep Follow::ask() {
  ++asked_;
  JournalStep step;
  step.kind = Kind::kAsk;
  return step;
}

// The sentence is ours; the record says it in journald's name, with the time and host of the entry next to it.
JournalStep Follow::lose() {
  JournalStep step;
  step.kind = Kind::kLoss;
  step.loss = std::exchange(lost_, {});
  records_.admit("Missed entries of the journal", entry_.fields(), step.record);
  return step;
}

// False: there is nothing in this entry that is to be given.
bool Follow::give(JournalStep& step) {
  const JournalTook took = records_.fill(entry_.fields(), step.record);
  if (took == JournalTook::kLoss) {
    again_ = true;
    step.kind = Kind::kLoss;
    step.loss = fmt::format("the journal lacks entries before {}", entry_.cursor());
    return true;
  }
  cursor_ = entry_.cursor();
  figures_.untrusted += took == JournalTook::kUntrusted;
  figures_.no_header += took == JournalTook::kNothing;
  step.kind = Kind::kRecord;
  return took == JournalTook::kRecord;
}

}  // namespace

Result<std::unique_ptr<JournalFollower>> JournalFollower::open(std::string_view stored, Begin begin) {
  auto follow = std::make_unique<Follow>(begin);
  if (!stored.empty() && !follow->restore(stored)) return fail("the stored position is none of a journal");
  return follow;
}

}  // namespace mailward
