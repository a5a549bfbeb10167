// The pieces of the command line: times, suggestions, looks, hints. The whole of it is tested from
// outside (tests/).
#include <gtest/gtest.h>

#include <map>

#include "base/text.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "cli/settings.h"
#include "cli/terminal.h"
#include "cli/when.h"

namespace mailward {
namespace {

TEST(When, FormsOfTheManual) {
  const Zone zone = *Zone::load("+01:00");
  const Instant now = *parse_rfc3339("2026-03-10T12:00:00Z");
  struct Row {
    const char *text, *instant;
  };
  for (const Row& row :
       {Row{"24h", "2026-03-09T12:00:00Z"}, Row{"7d", "2026-03-03T12:00:00Z"}, Row{"90m", "2026-03-10T10:30:00Z"},
        Row{"2026-03-09", "2026-03-08T23:00:00Z"}, Row{"2026-03-09T08:00", "2026-03-09T07:00:00Z"},
        Row{"2026-03-09 08:00:30", "2026-03-09T07:00:30Z"}, Row{"2026-03-09T08:00:00Z", "2026-03-09T08:00:00Z"},
        Row{"2026-03-09T08:00:00-02:00", "2026-03-09T10:00:00Z"}}) {
    const auto when = parse_when(row.text, now, zone);
    ASSERT_TRUE(when) << row.text << ": " << when.error().message;
    EXPECT_EQ(format_instant(*when, false), row.instant) << row.text;
  }
}

TEST(When, NonsenseIsRefusedWithWhatToWrite) {
  const Instant now = *parse_rfc3339("2026-03-10T12:00:00Z");
  for (const char* text : {"", "yesterday", "-24h", "24", "2026-13-01", "2026-02-30", "2026-3-9", "2026-03-09T25:00",
                           "2026-03-09T08:00X", "2026-03-09T08", "1e9d", "24h ", "\x1b[2J"}) {
    const auto when = parse_when(text, now, Zone());
    ASSERT_FALSE(when) << text;
    EXPECT_NE(when.error().message.find("24h"), std::string::npos);
    EXPECT_EQ(when.error().message.find('\x1b'), std::string::npos);
  }
  EXPECT_FALSE(parse_moment("24h", Zone()));  // a span is no moment
}

TEST(When, AnHourThatComesTwiceIsTheEarlierOne) {
  const auto zone = Zone::load("CET-1CEST,M3.5.0,M10.5.0/3");
  ASSERT_TRUE(zone);
  EXPECT_EQ(format_instant(*parse_moment("2025-10-26T02:30", *zone), false), "2025-10-26T00:30:00Z");
}

Surroundings around(std::map<std::string, std::string> variables, bool terminal, size_t width, bool utf8) {
  Surroundings found;
  auto shared = std::make_shared<std::map<std::string, std::string>>(std::move(variables));
  found.environment = [shared](const char* name) -> const char* {
    const auto at = shared->find(name);
    return at == shared->end() ? nullptr : at->second.c_str();
  };
  found.is_terminal = terminal;
  found.width = width;
  found.utf8_locale = utf8;
  return found;
}

TEST(Terminal, WidthColorAndCharset) {
  const Screen xterm = screen_of(around({{"TERM", "xterm"}}, true, 132, true), ColorChoice::kAuto);
  EXPECT_EQ(xterm.width, 132u);
  EXPECT_TRUE(xterm.color);
  EXPECT_EQ(xterm.charset, Charset::kUtf8);
  EXPECT_EQ(screen_of(around({{"TERM", "xterm"}, {"COLUMNS", "100"}}, true, 132, true), ColorChoice::kAuto).width,
            100u);
  EXPECT_EQ(screen_of(around({}, false, 0, true), ColorChoice::kAuto).width, 80u);
  EXPECT_EQ(screen_of(around({{"COLUMNS", "3"}}, true, 0, true), ColorChoice::kAuto).width, 40u);
  EXPECT_EQ(screen_of(around({{"COLUMNS", "99999999999999999999"}}, true, 0, true), ColorChoice::kAuto).width, 80u);
  EXPECT_EQ(screen_of(around({{"TERM", "xterm"}}, true, 80, false), ColorChoice::kAuto).charset, Charset::kAscii);
  EXPECT_EQ(screen_of(around({{"TERM", "linux"}}, true, 80, true), ColorChoice::kAuto).charset, Charset::kAscii);
}

TEST(Terminal, ColorIsAQuestionOfTasteAndPipes) {
  struct Row {
    std::map<std::string, std::string> variables;
    bool terminal;
    ColorChoice choice;
    bool color;
  };
  for (const Row& row :
       {Row{{{"TERM", "xterm"}}, false, ColorChoice::kAuto, false},
        Row{{{"TERM", "dumb"}}, true, ColorChoice::kAuto, false},
        Row{{{"TERM", "xterm"}, {"NO_COLOR", "1"}}, true, ColorChoice::kAuto, false},
        Row{{{"TERM", "xterm"}, {"NO_COLOR", ""}}, true, ColorChoice::kAuto, true},
        Row{{{"TERM", "xterm"}}, true, ColorChoice::kNever, false},
        Row{{{"NO_COLOR", "1"}}, false, ColorChoice::kAlways, true}, Row{{}, true, ColorChoice::kAuto, false}}) {
    EXPECT_EQ(screen_of(around(row.variables, row.terminal, 80, true), row.choice).color, row.color);
  }
}

TEST(Progress, FitsAndTells) {
  for (const Charset charset : {Charset::kAscii, Charset::kUtf8}) {
    for (size_t width = 40; width < 200; ++width) {
      const Screen screen{width, charset, false};
      EXPECT_LT(width_of(progress_line(123456789, 987654321, 1.7, screen)), width);
      EXPECT_LT(width_of(progress_line(1ull << 62, 1ull << 63, 1e9, screen)), width);
      EXPECT_LT(width_of(progress_line(5, 0, 3, screen)), width);
    }
  }
  const Screen screen{80, Charset::kAscii, false};
  EXPECT_EQ(progress_line(500'000'000, 1'000'000'000, 2, screen),
            " 50 % [" + std::string(17, '#') + std::string(17, '.') + "] 500 MB of 1.0 GB, 250 MB/s, 2 s left");
  EXPECT_EQ(progress_line(500'000'000, 0, 2, screen), "500 MB read, 250 MB/s");
  EXPECT_NE(progress_line(5, 4, 0, screen).find("100 %"), std::string::npos);  // a file that grew
}

TEST(Options, SameWordsCanBeTypedAgain) {
  LogOptions options;
  options.policy = "strikes";
  options.local_domains = {"example.com"};
  options.files = {"my log", "mail.log"};
  options.format = "csv";  // of the look, not of the input
  EXPECT_EQ(same_words(GlobalOptions(), options, Charset::kUtf8),
            "--policy strikes --local-domain example.com 'my log' mail.log");
  options.files = {"a\x1b[2J"};
  EXPECT_EQ(same_words(GlobalOptions(), options, Charset::kUtf8), "…");
  options.files.assign(1000, "mail.log");
  EXPECT_EQ(same_words(GlobalOptions(), options, Charset::kUtf8), "…");
  EXPECT_EQ(same_words(GlobalOptions(), LogOptions(), Charset::kUtf8), "");
}

TEST(Settings, FormatsAreChosenOrNamed) {
  const std::string_view known[] = {"json", "csv"};
  EXPECT_EQ(*choose_format("", "json", known), "json");
  EXPECT_EQ(*choose_format("csv", "json", known), "csv");
  const auto refused = choose_format("jsn", "json", known);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, kWrongUsage);
  EXPECT_EQ(refused.error().message, "--format can't be 'jsn' (did you mean json?); one of: json, csv");
}

TEST(Settings, LocalTimeFollowsTheZone) {
  const LocalTime local = local_time(*Zone::load("CET-1CEST,M3.5.0,M10.5.0/3"));
  EXPECT_EQ(format_local(*parse_rfc3339("2026-03-09T07:55:42Z"), local, 16), "2026-03-09 08:55");
  EXPECT_EQ(format_local(*parse_rfc3339("2026-07-09T07:55:42Z"), local, 16), "2026-07-09 09:55");
  EXPECT_EQ(format_local(kNoInstant, local, 16), "-");
}

}  // namespace
}  // namespace mailward
