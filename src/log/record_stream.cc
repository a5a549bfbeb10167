#include "log/record_stream.h"

#include <string>
#include <utility>

#include "log/docker_json.h"
#include "log/journal_export.h"
#include "log/journal_json.h"
#include "log/line_source.h"
#include "log/log_set.h"

namespace mailward {
namespace {

// Lines with a header.
class HeaderStream final : public RecordStream {
 public:
  HeaderStream(LogPart& part, TimeFold fold) : lines_(*part.source), reader_(part.form, fold, part.name) {}

  Result<bool> next(Record& out) override {
    std::string_view line;
    while (true) {
      const Result<bool> more = lines_.line(line);
      figures_.bytes = lines_.given();
      figures_.overlong = lines_.overlong();
      if (!more || !*more) return more;
      ++figures_.lines;
      const Took took = reader_.read(line, out);
      if (took == Took::kRecord) return true;
      if (took == Took::kNoHeader) ++figures_.no_header;
    }
  }

 private:
  LineSource lines_;
  HeaderReader reader_;
};

class JournalJsonStream final : public RecordStream {
 public:
  explicit JournalJsonStream(LogPart& part) : lines_(*part.source) {}

  Result<bool> next(Record& out) override {
    std::string_view line;
    while (true) {
      const bool again = std::exchange(again_, false);
      if (!again) {
        const Result<bool> more = lines_.line(line);
        figures_.bytes = lines_.given();
        figures_.overlong = lines_.overlong();
        if (!more || !*more) return more;
        ++figures_.lines;
      }
      switch (again ? reader_.read_again(out) : reader_.read(line, out)) {
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
  LineSource lines_;
  JournalJsonReader reader_;
  bool again_ = false;  // a loss before this entry was told
};

class DockerStream final : public RecordStream {
 public:
  DockerStream(LogPart& part, TimeFold fold)
      : lines_(*part.source),
        reader_(DockerJsonReader::detect_inner(part.source->peek(), part.name), fold, part.name) {}

  Result<bool> next(Record& out) override {
    std::string_view line;
    while (true) {
      const Result<bool> more = lines_.line(line);
      figures_.bytes = lines_.given();
      figures_.overlong = lines_.overlong() + reader_.overlong();
      if (!more || !*more) return more;
      ++figures_.lines;
      const Took took = reader_.read(line, out);
      if (took == Took::kRecord) return true;
      if (took == Took::kNoHeader) ++figures_.no_header;
    }
  }

 private:
  LineSource lines_;
  DockerJsonReader reader_;
};

}  // namespace

// Every form has its row, so that the compiler names one that was forgotten.
Result<std::unique_ptr<RecordStream>> open_records(LogPart& part, TimeFold fold) {
  switch (part.form) {
    case Form::kJournal:
      if (!part.journal) return fail(part.name + ": was read already");
      return std::exchange(part.journal, nullptr);
    case Form::kJournalJson:
      return std::make_unique<JournalJsonStream>(part);
    case Form::kJournalExport:
      return open_journal_export(*part.source);
    case Form::kDockerJson:
      return std::make_unique<DockerStream>(part, fold);
    case Form::kSyslog:
    case Form::kExim:
    case Form::kDovecot:
    case Form::kTai64n:
    case Form::kBare:
      break;
  }
  return std::make_unique<HeaderStream>(part, fold);
}

}  // namespace mailward
