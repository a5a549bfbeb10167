#include "log/base_year.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/test_folder.h"

namespace mailward {
namespace {

Instant utc(std::string_view text) { return parse_rfc3339(text).value_or(kNoInstant); }
Instant noon(std::string_view day) { return utc(std::string(day) + "T12:00:00Z"); }

std::string line_at(Instant t, size_t padding = 0) {
  using namespace std::chrono;
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = floor<days>(t);
  const year_month_day date{day};
  const hh_mm_ss clock{floor<seconds>(t - day)};
  return fmt::format("{} {:2} {:02}:{:02}:{:02} mail sshd[9]: {}\n", kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), std::string(padding, 'x'));
}

// Lines from noon of one day to noon of another, evenly.
std::string text_of(std::string_view first, std::string_view last, int lines, size_t padding = 0) {
  const Instant begin = noon(first), end = noon(last);
  std::string text;
  for (int i = 0; i < lines; ++i) text += line_at(begin + (end - begin) * i / (lines - 1), padding);
  return text;
}

// The reading end of a pipe that somebody writes `text` into, and then keeps open for `stay`.
class Pipe {
 public:
  explicit Pipe(std::string text, std::chrono::milliseconds stay = {}) {
    std::signal(SIGPIPE, SIG_IGN);
    if (::pipe(ends_) != 0) std::abort();
    writer_ = std::thread([this, stay, text = std::move(text)] {
      size_t at = 0;
      while (at < text.size()) {
        const ssize_t n = ::write(ends_[1], text.data() + at, text.size() - at);
        if (n <= 0) break;
        at += static_cast<size_t>(n);
      }
      std::this_thread::sleep_for(stay);
      ::close(ends_[1]);
    });
  }
  ~Pipe() { writer_.join(); }
  int take() const { return ends_[0]; }

 private:
  int ends_[2];
  std::thread writer_;
};

LogSet set_of_pipe(const Pipe& pipe) {
  LogSet set;
  LogPart& part = set.parts.emplace_back();
  part.name = set.name = "-";
  auto source = LogSource::adopt(Descriptor(pipe.take()), "-");
  EXPECT_TRUE(source && source->identify());
  part.source = std::make_unique<LogSource>(std::move(*source));
  return set;
}

class BaseYearTest : public FolderTest {
 protected:
  // A file as it was left after its last line.
  std::string write(const std::string& name, const std::string& text, Instant modified) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    touch(path, modified);
    return path;
  }
  void touch(const std::string& path, Instant modified) {
    const timespec t{std::chrono::floor<std::chrono::seconds>(modified).time_since_epoch().count(), 0};
    const timespec both[2] = {t, t};
    utimensat(AT_FDCWD, path.c_str(), both, 0);
  }
  std::string packed(const std::string& path) {
    EXPECT_EQ(std::system(("gzip -f1 " + path).c_str()), 0);  // keeps the time, as logrotate does
    return path + ".gz";
  }
  BaseYear of_files(const std::vector<std::string>& names, int year_of_last, Instant now) {
    OpenedLogs logs = arrange_logs(open_files(names));
    EXPECT_EQ(logs.sets.size(), 1u);
    return find_base_year(logs.sets[0], Zone{}, year_of_last, now);
  }
};

struct Case {
  const char* what;
  const char *first, *last;
  const char* now;
  int year_of_last;            // 0: not said
  int file, compressed, pipe;  // the year that comes out
  int lines = 50;
  size_t padding = 0;  // of each line
};

TEST_F(BaseYearTest, HoweverItComes) {
  constexpr size_t kLong = 60'000;  // 100 such lines are more than is looked at of a pipe
  const Case cases[] = {
      {"the same day", "2025-03-01", "2025-03-05", "2025-03-05", 0, 2025, 2025, 2025},
      {"months later", "2025-03-01", "2025-03-05", "2025-11-01", 0, 2025, 2025, 2025},
      {"a clock that is ahead", "2025-03-01", "2025-03-06", "2025-03-05", 0, 2025, 2025, 2025},
      {"over New Year, at once", "2024-12-30", "2025-01-02", "2025-01-02", 0, 2024, 2024, 2024},
      {"over New Year, months later", "2024-12-30", "2025-01-02", "2025-10-01", 0, 2024, 2024, 2024},
      {"before New Year, in January", "2024-12-01", "2024-12-20", "2025-01-10", 0, 2024, 2024, 2024},
      // Nothing but a file's time tells that it is not last year's.
      {"over New Year, years later", "2024-12-30", "2025-01-02", "2027-06-01", 0, 2024, 2024, 2026},
      {"over New Year, years later, said", "2024-12-30", "2025-01-02", "2027-06-01", 2025, 2024, 2024, 2024},
      {"over New Year, said", "2024-12-30", "2025-01-02", "2025-01-02", 2025, 2024, 2024, 2024},
      {"said, and no New Year", "2020-03-01", "2020-03-05", "2025-01-02", 2020, 2020, 2020, 2020},
      {"wrongly said: believed", "2024-03-01", "2024-03-05", "2025-01-02", 2021, 2021, 2021, 2021},
      {"almost a year", "2024-03-01", "2025-02-20", "2025-02-21", 0, 2024, 2024, 2024},
      {"years, few lines", "2023-02-01", "2025-10-01", "2025-10-02", 0, 2023, 2023, 2023},
      {"years, many lines", "2021-02-01", "2025-10-01", "2025-10-02", 0, 2021, 2021, 2021, 20'000},
      {"29 February", "2024-02-28", "2024-03-02", "2025-01-01", 0, 2024, 2024, 2024},
      {"29 February, a year later", "2024-02-28", "2024-03-02", "2025-11-01", 0, 2024, 2024, 2024},
      {"29 February, two years later", "2024-02-28", "2024-03-02", "2026-11-01", 0, 2024, 2024, 2024},
      {"29 February, three years later", "2024-02-28", "2024-03-02", "2027-11-01", 0, 2024, 2024, 2024},
      {"29 February, next time", "2024-02-28", "2024-03-02", "2028-02-01", 0, 2024, 2024, 2024},
      {"29 February, four years later", "2024-02-28", "2024-03-02", "2028-11-01", 0, 2024, 2024, 2028},
      {"29 February comes first", "2024-02-29", "2024-03-02", "2026-11-01", 0, 2024, 2024, 2024},
      {"29 February comes last", "2024-02-25", "2024-02-29", "2026-11-01", 0, 2024, 2024, 2024},
      {"29 February before New Year", "2023-12-28", "2024-03-02", "2026-11-01", 0, 2023, 2023, 2023, 500},
      {"29 February in years", "2022-11-01", "2025-10-01", "2026-11-01", 0, 2022, 2022, 2022, 2000},
      {"29 February, said", "2024-02-28", "2024-03-02", "2026-11-01", 2024, 2024, 2024, 2024},
      {"29 February, wrongly said", "2024-02-28", "2024-03-02", "2026-11-01", 2026, 2024, 2024, 2024},
      {"29 February when none was for eight years", "2096-02-28", "2096-03-02", "2103-11-01", 0, 2096, 2096, 2096},
      {"large, over New Year", "2024-12-30", "2025-01-02", "2025-10-01", 0, 2024, 2024, 2024, 100, kLong},
      {"large, over New Year, said", "2024-12-28", "2025-01-02", "2025-10-01", 2025, 2024, 2024, 2024, 100, kLong},
      {"large, no New Year, said", "2025-02-28", "2025-04-02", "2025-10-01", 2025, 2025, 2025, 2025, 100, kLong},
      // What a pipe of this size can't know (the header says so); it shows at its end.
      {"large, over New Year, past", "2024-12-28", "2025-01-02", "2026-10-01", 2025, 2024, 2024, 2025, 100, kLong},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const std::string text = text_of(c.first, c.last, c.lines, c.padding);
    const Instant now = noon(c.now), modified = std::min(now, noon(c.last));
    const std::string path = write("mail.log", text, modified);
    EXPECT_EQ(of_files({path}, c.year_of_last, now).year, c.file) << "file";
    EXPECT_EQ(of_files({packed(path)}, c.year_of_last, now).year, c.compressed) << "compressed";
    const Pipe pipe(text);
    LogSet set = set_of_pipe(pipe);
    EXPECT_EQ(find_base_year(set, Zone{}, c.year_of_last, now).year, c.pipe) << "pipe";
    // What was looked at is still there to be read.
    std::string again, block(1 << 16, '\0');
    while (const size_t n = set.parts[0].source->read(block).value_or(0)) again.append(block, 0, n);
    EXPECT_TRUE(again == text);
  }
}

TEST_F(BaseYearTest, AGuessThatTheEndContradicts) {
  const Instant last = noon("2026-01-02"), now = noon("2026-10-01");
  for (const bool large : {false, true}) {
    const Pipe pipe(text_of("2024-12-28", "2025-01-02", 100, large ? 60'000 : 0));
    LogSet set = set_of_pipe(pipe);
    const BaseYear base = find_base_year(set, Zone{}, 2025, now);
    EXPECT_EQ(base.contradicted(Zone{}, last), large);
    EXPECT_FALSE(base.contradicted(Zone{}, noon("2025-12-31")));
    EXPECT_FALSE(base.contradicted(Zone{}, kNoInstant));
    set.parts.clear();
  }
}

// A pipe that stays open, as of a log that is followed.
TEST_F(BaseYearTest, APipeThatGoesOnIsNotWaitedFor) {
  const Pipe pipe(text_of("2024-12-30", "2025-01-02", 5), std::chrono::seconds(4));
  LogSet set = set_of_pipe(pipe);
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(find_base_year(set, Zone{}, 0, noon("2025-01-02"), Patience::kWhileItComes).year, 2024);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
}

TEST_F(BaseYearTest, RotatedParts) {
  const std::string a = write("mail.log.1", text_of("2024-12-30", "2024-12-31", 9), noon("2024-12-31"));
  const std::string b = write("mail.log", text_of("2024-12-31", "2025-01-02", 9), noon("2025-01-02"));
  EXPECT_EQ(of_files({b, a}, 2025, noon("2026-11-01")).year, 2024);
  EXPECT_EQ(of_files({b, a}, 0, noon("2025-01-05")).year, 2024);
  EXPECT_EQ(of_files({a}, 0, noon("2025-01-05")).year, 2024);
  EXPECT_EQ(of_files({a}, 2020, noon("2025-01-05")).year, 2020);
  const std::string c = packed(a);
  EXPECT_EQ(of_files({b, c}, 2025, noon("2026-11-01")).year, 2024);
}

// Of a compressed part that others follow only the beginning is looked at: the rest may span months.
TEST_F(BaseYearTest, ACompressedPartOfManyMonths) {
  const std::string a = packed(write("mail.log.2", text_of("2025-01-04", "2025-09-20", 900, 600), noon("2025-09-20")));
  const std::string b = write("mail.log", text_of("2025-09-20", "2025-09-25", 9), noon("2025-09-25"));
  EXPECT_EQ(of_files({a, b}, 0, noon("2025-09-26")).year, 2025);
  EXPECT_EQ(of_files({a, b}, 2025, noon("2027-09-26")).year, 2025);
}

TEST_F(BaseYearTest, NoneWhereStampsHaveYearsOrThereIsNothing) {
  const Instant now = noon("2025-01-05");
  EXPECT_EQ(of_files({write("full.log", "2025-03-04T00:00:00Z mail sshd[9]: x\n", now)}, 0, now).year, 0);
  EXPECT_EQ(of_files({write("empty.log", "", now)}, 0, now).year, 0);
  EXPECT_EQ(of_files({write("bare.log", "text without a header\n", now)}, 2020, now).year, 0);
}

// A log of three years, each month's lines far more than a look takes in.
TEST_F(BaseYearTest, ThreeYears) {
  std::string text;
  for (int year = 0; year < 3; ++year) {
    for (const char* month : {"Jan", "Apr", "Jul", "Oct"}) {
      for (int i = 0; i < 12'000; ++i) text += std::string(month) + " 12 00:00:00 mail sshd[9]: text\n";
    }
  }
  const std::string path = write("mail.log", text, noon("2026-10-20"));
  EXPECT_EQ(of_files({path}, 2025, noon("2026-11-01")).year, 2023);
  EXPECT_EQ(of_files({packed(path)}, 2025, noon("2026-11-01")).year, 2023);
}

}  // namespace
}  // namespace mailward
