// Lines that go from station to station together tell what they tell one at a time.
#include "session/line_reader.h"

#include <string>
#include <vector>

#include "base/address.h"
#include "log/zone.h"
#include "session/random_lines.h"

namespace mailward {
namespace {

class LineReaderTest : public RandomLines {
 protected:
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
