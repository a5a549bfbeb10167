#include "log/journal_export.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "log/journal_fields.h"
#include "log/line_source.h"
#include "log/stamp.h"

namespace mailward {
namespace {

constexpr uint64_t kMaxField = LineSource::kMaxLine;
// journald itself takes no more (DATA_SIZE_MAX, 768 MiB); a larger length is a broken stream.
constexpr uint64_t kMostField = uint64_t{768} << 20;

// The first of an entry's fields, whatever was selected (journalctl writes the addresses first).
constexpr std::array<std::string_view, 2> kFirstFields = {"__CURSOR=", "__REALTIME_TIMESTAMP="};

class ExportStream final : public RecordStream {
 public:
  explicit ExportStream(LogSource& source) : lines_(source) {}

  Result<bool> next(Record& out) override {
    while (true) {
      if (!std::exchange(again_, false)) {
        const Result<bool> more = std::exchange(first_, false) ? read_first_entry() : read_entry();
        figures_.bytes = lines_.given();
        figures_.overlong = lines_.overlong() + overlong_fields_;
        if (!any_) return more;
        ++figures_.lines;
      }
      switch (broken_ ? JournalTook::kNothing : records_.fill(fields_, out)) {
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
          ++figures_.continued;
          break;
      }
    }
  }

 private:
  // The whole entry that the stream begins with, or what is left of one.
  Result<bool> read_first_entry() {
    any_ = broken_ = false;
    bool empty_before = true;
    for (std::string_view line; true; empty_before = line.empty()) {
      const Result<bool> more = lines_.line(line);
      if (!more || !*more) return more;
      if (!any_ && begins_export_entry(line)) return read_entry_from(line);
      if (any_ && empty_before && begins_export_entry(line)) {
        begun_.assign(line);
        return true;
      }
      any_ = broken_ = any_ || !line.empty();
    }
  }

  // Fields up to the empty line; the end of the file ends an entry too.
  Result<bool> read_entry() {
    const std::string first = std::exchange(begun_, {});
    return read_entry_from(first);
  }

  // `first`: a line that was read already; empty: none.
  Result<bool> read_entry_from(std::string_view first) {
    any_ = broken_ = false;
    fields_.clear();
    std::string_view line = first;
    while (true) {
      if (first.empty()) {
        const Result<bool> more = lines_.line(line);
        if (!more || !*more) return more;
      }
      first = {};
      if (line.empty()) {
        if (any_) return true;
        continue;
      }
      any_ = true;
      if (broken_) continue;
      const size_t sign = line.find('=');
      if (sign != std::string_view::npos) {
        keep(JournalFields::find(line.substr(0, sign)), line.substr(sign + 1));
        continue;
      }
      const Result<bool> whole = read_binary(JournalFields::find(line));
      if (!whole || !*whole) {
        broken_ = true;
        return whole;
      }
    }
  }

  Result<bool> read_binary(JournalFields::Field field) {
    std::string length;
    Result<bool> whole = lines_.bytes(8, &length);
    if (!whole || !*whole) return whole;
    const uint64_t n = load8(length.data());
    if (n > kMostField) {
      broken_ = true;  // what follows is skipped up to the next empty line
      return true;
    }
    std::string value;
    const bool wanted = field != JournalFields::kCount && n <= kMaxField;
    if (field == JournalFields::kMessage && n > kMaxField) ++overlong_fields_;
    whole = lines_.bytes(n, wanted ? &value : nullptr);
    if (!whole || !*whole) return whole;
    if (wanted) keep(field, value);
    return lines_.bytes(1, nullptr);
  }

  void keep(JournalFields::Field field, std::string_view value) {
    if (field == JournalFields::kCount || fields_.present[field]) return;
    kept_[field].assign(value);
    fields_.set(field, kept_[field]);
  }

  LineSource lines_;
  JournalFields fields_;
  std::array<std::string, JournalFields::kCount> kept_;
  JournalRecords records_{Holes::kAfterAWholeRun};
  uint64_t overlong_fields_ = 0;
  bool any_ = false, broken_ = false, again_ = false;  // again_: a loss before this entry was told
  bool first_ = true;                                  // nothing was read yet
  std::string begun_;                                  // the first line of an entry, where it was looked at
};

}  // namespace

bool begins_export_entry(std::string_view text) {
  return std::any_of(kFirstFields.begin(), kFirstFields.end(), [&](std::string_view f) { return text.starts_with(f); });
}

bool is_export_field(std::string_view line) {
  size_t at = 0;
  while (at < line.size() && ((line[at] >= 'A' && line[at] <= 'Z') || line[at] == '_' || is_digit(line[at]))) ++at;
  return at > 0 && at < line.size() && line[at] == '=';
}

bool holds_export_entry(std::string_view text) {
  for (size_t at = text.find("\n\n__"); at != std::string_view::npos; at = text.find("\n\n__", at + 2))
    if (begins_export_entry(text.substr(at + 2))) return true;
  return false;
}

std::unique_ptr<RecordStream> open_journal_export(LogSource& source) { return std::make_unique<ExportStream>(source); }

}  // namespace mailward
