#include "log/journal_export.h"

#include <array>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "log/journal_fields.h"
#include "log/line_source.h"

namespace mailward {
namespace {

constexpr uint64_t kMaxField = LineSource::kMaxLine;
// journald itself takes no more (DATA_SIZE_MAX, 768 MiB); a larger length is a broken stream.
constexpr uint64_t kMostField = uint64_t{768} << 20;

class ExportStream final : public RecordStream {
 public:
  explicit ExportStream(LogSource& source) : lines_(source) {}

  Result<bool> next(Record& out) override {
    while (true) {
      if (!std::exchange(again_, false)) {
        const Result<bool> more = read_entry();
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
          break;
      }
    }
  }

 private:
  // Fields up to the empty line; the end of the file ends an entry too.
  Result<bool> read_entry() {
    any_ = broken_ = false;
    fields_.clear();
    std::string_view line;
    while (true) {
      const Result<bool> more = lines_.line(line);
      if (!more || !*more) return more;
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
};

}  // namespace

std::unique_ptr<RecordStream> open_journal_export(LogSource& source) { return std::make_unique<ExportStream>(source); }

}  // namespace mailward
