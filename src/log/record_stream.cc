#include "log/record_stream.h"

#include <string>
#include <utility>

#include "log/cri.h"
#include "log/docker_json.h"
#include "log/journal_export.h"
#include "log/journal_json.h"
#include "log/line_source.h"
#include "log/log_set.h"

namespace mailward {
namespace {

// What all that is read line by line has in common.
class LineStream : public RecordStream {
 protected:
  explicit LineStream(LogPart& part) : lines_(*part.source) {}

  // The next line; `figures_` count it, and those before it that were too long to be given.
  Result<bool> next_line(std::string_view& line) {
    const uint64_t overlong = lines_.overlong();
    const Result<bool> more = lines_.line(line);
    const uint64_t left_out = lines_.overlong() - overlong;
    figures_.bytes = lines_.given();
    figures_.overlong += left_out;
    figures_.lines += left_out + (more && *more ? 1 : 0);
    return more;
  }

 private:
  LineSource lines_;
};

// Lines with a header.
class HeaderStream final : public LineStream {
 public:
  HeaderStream(LogPart& part, TimeFold fold) : LineStream(part), reader_(part.form, fold, part.name) {}

  Result<bool> next(Record& out) override {
    std::string_view line;
    while (true) {
      const Result<bool> more = next_line(line);
      if (!more || !*more) return more;
      const Took took = reader_.read(line, out);
      if (took == Took::kRecord) return true;
      ++(took == Took::kNoHeader ? figures_.no_header : figures_.continued);
    }
  }

 private:
  HeaderReader reader_;
};

class JournalJsonStream final : public LineStream {
 public:
  explicit JournalJsonStream(LogPart& part) : LineStream(part) {}

  Result<bool> next(Record& out) override {
    std::string_view line;
    while (true) {
      const bool again = std::exchange(again_, false);
      if (!again) {
        const Result<bool> more = next_line(line);
        if (!more || !*more) return more;
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
          ++figures_.continued;
          break;
      }
    }
  }

 private:
  JournalJsonReader reader_;
  bool again_ = false;  // a loss before this entry was told
};

// What a container wrote: Reader is DockerJsonReader or CriReader.
template <class Reader>
class ContainerStream final : public LineStream {
 public:
  ContainerStream(LogPart& part, TimeFold fold)
      : LineStream(part), reader_(Reader::detect_inner(part.source->peek(), part.name), fold, part.name) {}

  Result<bool> next(Record& out) override {
    std::string_view line;
    while (true) {
      const Result<bool> more = next_line(line);
      if (!more || !*more) return more;
      const uint64_t overlong = reader_.overlong();
      const Took took = reader_.read(line, out);
      if (took == Took::kRecord) return true;
      if (reader_.overlong() > overlong) {
        ++figures_.overlong;  // this was its last piece
      } else {
        ++(took == Took::kNoHeader ? figures_.no_header : figures_.continued);
      }
    }
  }

 private:
  Reader reader_;
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
      return std::make_unique<ContainerStream<DockerJsonReader>>(part, fold);
    case Form::kCri:
      return std::make_unique<ContainerStream<CriReader>>(part, fold);
    case Form::kSyslog:
    case Form::kExim:
    case Form::kDovecot:
    case Form::kTai64n:
    case Form::kUptime:
    case Form::kTagged:
    case Form::kBare:
      break;
  }
  return std::make_unique<HeaderStream>(part, fold);
}

}  // namespace mailward
