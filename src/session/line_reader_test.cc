// Lines that go from station to station together tell what they tell one at a time.
#include "session/line_reader.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/address.h"
#include "log/zone.h"

namespace mailward {
namespace {

class LineReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> folders{(std::filesystem::path(MAILWARD_SOURCE_DATA) / "rules").string()};
    auto grammar = Grammar::load(folders);
    ASSERT_TRUE(grammar) << grammar.error().message;
    grammar_ = std::make_unique<Grammar>(std::move(*grammar));
    for (const auto& program : grammar_->programs())
      for (const TreePattern& pattern : program->patterns)
        for (const std::string_view sample : pattern.samples) samples_.push_back({program.get(), sample});
  }

  struct Sample {
    const ProgramRules* program;
    std::string_view line;
  };

  size_t below(size_t n) { return random_() % n; }

  // A line of this form that holds a sample, now and then another's, bent, or what a logger says itself.
  std::string line(Form form, int at) {
    const Sample& s = samples_[below(samples_.size())];
    const std::string clock = fmt::format("{:02}:{:02}:{:02}", at / 3600 % 24, at / 60 % 60, at % 60);
    std::string text(s.line);
    if (below(9) == 0) text.resize(below(text.size() + 1));
    if (below(9) == 0) text += text;
    if (below(12) == 0) text += '\r';
    switch (form) {
      case Form::kDovecot:
        return fmt::format("Mar 02 {} {}", clock, below(4) ? insert_level(text) : text);
      case Form::kExim:
        return fmt::format("2026-03-02 {} {}", clock, text);
      case Form::kTai64n:
        return fmt::format("@4000000069a5{:04x}00000000 {}", at % 65536, text);
      case Form::kBare:
        return text;
      case Form::kTagged:
        return fmt::format("{}[{}]: {}", s.program->name, 1 + below(30), text);
      case Form::kUptime:
        return fmt::format("[{:5}.000000] mail {}[{}]: {}", at, s.program->name, 1 + below(30), text);
      default:
        break;
    }
    if (below(15) == 0)
      return fmt::format("Mar  2 {} mail syslogd: last message repeated {} times", clock, 1 + below(5));
    if (below(40) == 0) return fmt::format("Mar  2 {} mail rsyslogd: imuxsock lost 5 messages from pid 12", clock);
    const std::string pid = below(5) ? fmt::format("[{}]", 1 + below(30)) : below(3) ? "" : "[x";
    return fmt::format("Mar  2 {} mail {}{}: {}", clock, s.program->name, pid, text);
  }

  std::string insert_level(std::string text) {
    const size_t colon = text.find(": ");
    return text.insert(colon == std::string::npos ? 0 : colon + 2, "Info: ");
  }

  // Events and figures, of whole blocks or of single lines.
  std::string read(Form form, const std::vector<std::string>& lines, bool together) {
    Tracker tracker({}, Tracker::Mode::kInOrder);
    const ReadOptions options;
    LineReader reader(*grammar_, tracker, options);
    const auto zone = Zone::load("UTC");
    HeaderReader header(form, TimeFold(*zone, 2026));
    Batch out;
    reader.begin(0, 0);
    std::string block;
    for (const std::string& line : lines) {
      if (!together) block.clear();
      block += line;
      if (together) {
        block += '\n';
        continue;
      }
      const size_t length = block.size();
      block.append(kMessagePadding, '\n');
      reader.line(block.data(), block.data() + length, header, out);
    }
    if (together) {
      const size_t length = block.size();
      block.append(kMessagePadding, '\n');
      EXPECT_EQ(reader.lines(block.data(), block.data() + length, header, out), block.data() + length);
    }
    tracker.finish(out);
    std::string text;
    for (const Event& e : out.events) {
      text += fmt::format("{} {} {} x{} {}", e.line, name_of(e.kind), format_address(e.address), e.count, e.daemon);
      for (const std::string_view fact : e.facts) text += fmt::format("|{}", fact);
      text += '\n';
    }
    const LineFigures& f = reader.figures();
    return text + fmt::format(
                      "{} lines, {} not understood, {} of other programs, {} lost, {} events, {} ambiguous, "
                      "{} without header, {} continued\n",
                      f.lines, f.not_understood, f.other_programs, f.lost, tracker.figures().events,
                      tracker.figures().ambiguous, f.no_header, f.continued);
  }

  std::unique_ptr<Grammar> grammar_;
  std::vector<Sample> samples_;
  std::mt19937_64 random_{5};
};

TEST_F(LineReaderTest, TogetherTellsWhatOneByOneTells) {
  for (const Form form :
       {Form::kSyslog, Form::kDovecot, Form::kExim, Form::kTai64n, Form::kTagged, Form::kUptime, Form::kBare}) {
    for (int round = 0; round < (form == Form::kBare ? 3 : 20); ++round) {
      std::vector<std::string> lines;
      for (int at = 0; at < 150; ++at) lines.push_back(below(20) ? line(form, at) : lines.empty() ? "" : lines.back());
      ASSERT_EQ(read(form, lines, true), read(form, lines, false)) << name_of(form);
    }
  }
}

}  // namespace
}  // namespace mailward
