// The ledger's file, and the promise that it makes: what is in it is a function of the events, whenever commits,
// deaths and new starts come.
#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "judge/random_world.h"
#include "ledger/schema.h"
#include "ledger/sqlite.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

class LedgerTest : public FolderTest {
 protected:
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // All that a ledger says, whatever numbers its rows have.
  static std::string told(const std::string& path) {
    auto db = Database::open(path, Database::Mode::kReadOnly);
    EXPECT_TRUE(db) << db.error().message;
    std::string text;
    for (const char* sql :
         {"SELECT day, address, first || ' ' || last, counts || ifnull(tried, '') FROM days",
          "SELECT address, time, input || ':' || line || ' ' || kind, hex(text) FROM show_lines",
          "SELECT name, value, 0, 0 FROM figures",
          "SELECT network, since, until, policy || count || ' ' || nth || origin || ifnull(withdrawn, '') FROM bans",
          "SELECT kind, hex(key), hex(bytes), 0 FROM memories", "SELECT name, hex(state), 0, 0 FROM parts"}) {
      auto select = db->prepare(sql);
      EXPECT_TRUE(select) << sql << ": " << select.error().message;
      for (auto row = select->step(); row && *row; row = select->step())
        text += fmt::format("{}|{}|{}|{}\n", select->bytes(0), select->bytes(1), select->bytes(2), select->bytes(3));
      text += "--\n";
    }
    return text;
  }
};

int64_t number(const std::string& path, const char* sql) {
  auto db = Database::open(path, Database::Mode::kReadOnly);
  return db->integer(sql).value();
}

// One that judges into a ledger, and goes on where the ledger says.
class Keeping {
 public:
  Keeping(const JudgeConfig& config, const std::string& path, size_t cache)
      : ledger_(std::move(*Ledger::open(path, {.cache = cache}))), judge_(config, ledger_) {
    const std::string position = *ledger_.part("position");
    if (position.empty()) return;
    at_ = std::stoul(position);
    const std::string learned = *ledger_.part("judge");
    Decoder in(learned);
    EXPECT_TRUE(judge_.restore(in) && in.finished());
  }
  size_t at() const { return at_; }
  void take(const Happening& t) {
    Event event = event_of(t);
    event.line = at_ + 1;
    ledger_.note(event, "log");
    changes_.clear();
    judge_.take(event, changes_);
    for (const LiveChange& c : changes_) ledger_.note(c, judge_.policies(), event.time);
    ++at_;
  }
  void commit() {
    note_position();
    const auto done = ledger_.commit();
    ASSERT_TRUE(done) << done.error().message;
  }
  void begin_commit() {
    note_position();
    ledger_.begin_commit();
    if (const auto done = ledger_.committed(); done && !*done) FAIL() << done->error().message;
  }

 private:
  void note_position() {
    Encoder out;
    judge_.save(out);
    ledger_.note_part("judge", out.take());
    ledger_.note_part("position", std::to_string(at_));
  }

  Ledger ledger_;
  LiveJudge judge_;
  size_t at_ = 0;
  std::vector<LiveChange> changes_;
};

TEST_F(LedgerTest, IsTheSameWheneverItsWriterDies) {
  size_t bans = 0;
  int64_t most_names = 0, most_lines = 0;
  const int rounds = std::getenv("MAILWARD_SOAK") ? 300 : 30;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
    std::mt19937 random(static_cast<unsigned>(round));  // how far it came before a death may depend on the writer
    JudgeConfig config = random_config(random);
    for (Policy& p : config.policies.policies) {
      p.ban = Duration(one_of(random, std::array<int64_t, 3>{kHour, kDay, 7 * kDay}));
      p.repeat = 2.0;
    }
    std::vector<Happening> events = random_events(random);
    std::erase_if(events, [](const Happening& t) { return t.time == INT64_MIN; });
    if (round % 3 == 0)  // more names and lines of a day than are kept
      for (size_t i = 0; i < events.size(); ++i) {
        events[i].address = "192.0.2.1";
        if (!events[i].user.empty() || i % 2 == 0) events[i].kind = EventKind::kAuthFailed;
        if (events[i].kind == EventKind::kAuthFailed) events[i].user += std::to_string(i % 300);
      }
    const std::string straight = path(fmt::format("straight{}", round)), broken = path(fmt::format("broken{}", round));
    {
      Keeping keeping(config, straight, 1 << 20);
      for (const Happening& t : events) keeping.take(t);
      keeping.commit();
    }
    size_t at = 0;
    for (size_t deaths = 0; at < events.size() || deaths == 0; ++deaths) {
      const bool last = deaths > 20;
      Keeping keeping(config, broken, random() % 2 ? 0 : 1 << 16);
      at = keeping.at();
      for (size_t left = random() % 60; at < events.size() && (left-- > 0 || last); ++at) {
        keeping.take(events[at]);
        if (random() % 10 == 0) random() % 4 == 0 ? keeping.commit() : keeping.begin_commit();
      }
      if (at == events.size()) keeping.commit();
    }
    ASSERT_EQ(told(broken), told(straight));
    {
      auto db = Database::open(straight, Database::Mode::kReadOnly);
      const auto most = [&](const char* sql) { return *db->integer(fmt::format("SELECT max(n) FROM ({})", sql)); };
      most_names = std::max(most_names, most("SELECT count(*) AS n FROM show_tried GROUP BY address, day"));
      most_lines = std::max(most_lines, most("SELECT count(*) AS n FROM show_lines GROUP BY address, date(time)"));
    }
    if (events.size() > 50) {
      auto db = Database::open(straight, Database::Mode::kReadOnly);
      for (const char* view : {"show_sources", "show_lines", "show_tried"})
        EXPECT_GT(*db->integer(fmt::format("SELECT count(*) FROM {}", view)), 0) << view;
    }
    bans += std::ranges::count(told(straight), '/');
  }
  EXPECT_GT(bans, 30U);
  EXPECT_EQ(most_names, 65);  // and the others
  EXPECT_EQ(most_lines, 16);
}

// Stamps of whole seconds: banned, let in and banned again in one of them.
TEST_F(LedgerTest, ABanThatComesAgainHolds) {
  auto ledger = Ledger::open(path("l"));
  ASSERT_TRUE(ledger);
  LiveBan ban;
  ban.network = *parse_network("192.0.2.7");
  ban.since = Instant(Duration(kBegin));
  ban.until = Instant(Duration(kBegin + kDay));
  using What = LiveChange::What;
  for (const What what : {What::kBan, What::kWithdraw}) ledger->note({what, ban}, {}, ban.since);
  ASSERT_TRUE(ledger->commit());
  EXPECT_EQ(ledger->bans(ban.since, false)->size(), 0U);
  EXPECT_EQ(ledger->bans(ban.since, true)->size(), 1U);
  ledger->note({What::kBan, ban}, {}, ban.since);
  ASSERT_TRUE(ledger->commit());
  EXPECT_EQ(ledger->bans(ban.since, false)->size(), 1U);
  EXPECT_EQ(ledger->bans(ban.until, false)->size(), 0U);
}

TEST_F(LedgerTest, IsForItsOwnerOnly) {
  ASSERT_TRUE(Ledger::open(path("l")));
  struct stat facts{};
  ASSERT_EQ(::stat(path("l").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(LedgerTest, WhatIsNoLedgerIsRefusedAndLeftAlone) {
  std::ofstream(path("text")) << "this is a log, and it is long enough to be looked at by a database library\n";
  {
    auto db = Database::open(path("other"), Database::Mode::kCreate);
    ASSERT_TRUE(db->run("CREATE TABLE t (a); PRAGMA user_version = 1"));
    auto newer = Database::open(path("newer"), Database::Mode::kCreate);
    ASSERT_TRUE(newer->run(fmt::format("CREATE TABLE t (a); PRAGMA application_id = {}; PRAGMA user_version = {}",
                                       kLedgerId, kSchemaVersion + 1)));
  }
  const auto content = [&](const std::string& name) {
    std::ifstream file(path(name), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  for (const auto& [name, why] : std::vector<std::pair<std::string, std::string>>{
           {"text", "not a database"}, {"other", "not a ledger"}, {"newer", "newer mailward"}}) {
    const std::string before = content(name);
    const auto ledger = Ledger::open(path(name));
    ASSERT_FALSE(ledger) << name;
    EXPECT_NE(ledger.error().message.find(why), std::string::npos) << ledger.error().message;
    EXPECT_NE(ledger.error().message.find(path(name)), std::string::npos);
    EXPECT_EQ(content(name), before) << name;
  }
  fs::create_symlink(path("l"), path("link"));
  EXPECT_FALSE(Ledger::open(path("link")));
  EXPECT_FALSE(Ledger::open_to_read(path("nowhere")));
}

// Bans by hand, unbans, and what the figures say.
TEST_F(LedgerTest, BansByHandAndPardonsLast) {
  JudgeConfig config;
  config.policies = *parse_policies("[[policy]]\nname='p'\nevents=['auth_failed']\nlimit=1\nban='7d'\n", "p", "p");
  const auto guess = [&](Ledger& ledger, LiveJudge& judge, int from, int64_t second) {
    Event e;
    e.time = Instant(Duration(kBegin + second * 1'000'000));
    e.address = Address::v4(0xc0000200 + static_cast<uint32_t>(from));
    e.kind = EventKind::kAuthFailed;
    std::vector<LiveChange> changes;
    judge.take(e, changes);
    for (const LiveChange& c : changes) ledger.note(c, judge.policies(), e.time);
    return changes.size();
  };
  const Instant later = Instant(Duration(kBegin + kHour));
  {
    auto ledger = Ledger::open(path("l"));
    LiveJudge judge(config, *ledger);
    for (int from = 1; from < 6; ++from)
      for (int i = 0; i < 2; ++i) guess(*ledger, judge, from, i);
    BanRow hand;
    hand.network = *parse_network("198.51.100.0/24");
    hand.since = Instant(Duration(kBegin));
    hand.until = Instant(Duration(kBegin + kDay));
    hand.origin = "manual";
    ledger->note(hand);
    ASSERT_TRUE(ledger->commit());
    EXPECT_EQ(ledger->bans(later, false)->size(), 6U);
    EXPECT_EQ(ledger->figures(later)->bans, 6);
    EXPECT_EQ(ledger->figures(later)->sources, 5);
    EXPECT_GT(ledger->figures(later)->bytes, 4096);
    ledger->withdraw(hand.network, hand.since, later);
    std::vector<LiveChange> changes;
    judge.pardon(*parse_network("192.0.2.1"), later, changes);
    judge.pardon(*parse_network("192.0.2.2/31"), later, changes);
    for (const LiveChange& c : changes) ledger->note(c, judge.policies(), later);
    EXPECT_EQ(changes.size(), 3U);
    ASSERT_TRUE(ledger->commit());
  }
  auto ledger = Ledger::open(path("l"));
  LiveJudge judge(config, *ledger);
  const auto in_force = ledger->bans(later, false);
  ASSERT_EQ(in_force->size(), 2U);
  EXPECT_EQ(format_network(in_force->front().network), "192.0.2.4/32");
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM bans WHERE withdrawn IS NOT NULL"), 4);
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM unbans"), 2);
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM memories"), 5);  // none for what is in the network
  // One more is the first, and the second is too many.
  EXPECT_EQ(guess(*ledger, judge, 2, 4000), 0U);
  EXPECT_EQ(guess(*ledger, judge, 2, 4001), 1U);
}

// ---------------------------------------------------------------- when it can't be written

Event failed_login(int from, int64_t second) {
  Event e;
  e.time = Instant(Duration(kBegin + second * 1'000'000));
  e.address = Address::v4(0xc0000200 + static_cast<uint32_t>(from));
  e.kind = EventKind::kAuthFailed;
  e.line = static_cast<uint64_t>(second) + 1;
  e.raw = "a line";
  e.facts[static_cast<size_t>(Fact::kUser)] = "info";
  return e;
}

// Somebody else writes meanwhile: who notes doesn't wait for it, and nothing is lost.
TEST_F(LedgerTest, WhoNotesNeverWaitsForWhoWrites) {
  auto ledger = Ledger::open(path("l"));
  auto other = Database::open(path("l"), Database::Mode::kReadWrite);
  ASSERT_TRUE(other->run("BEGIN IMMEDIATE"));
  std::atomic<int> woken = 0;
  ledger->on_committed([&] { ++woken; });
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(ledger->committed());
  ledger->note(failed_login(1, 0), "log");
  ledger->neighbourhood(*parse_network("192.0.2.1")).tidy_at = 1;
  ASSERT_TRUE(ledger->begin_commit());
  EXPECT_FALSE(ledger->begin_commit());
  EXPECT_EQ(ledger->waiting(), 0U);
  for (int i = 0; i < 1000; ++i) ledger->note(failed_login(1, 1 + i), "log");
  ledger->neighbourhood(*parse_network("192.0.2.1")).tidy_at = 2;  // not what is being written
  EXPECT_EQ(ledger->waiting(), 1000U);
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took, std::chrono::milliseconds(300));  // it is locked for longer
  std::optional<Result<void>> done;
  while (!(done = ledger->committed())) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ASSERT_FALSE(*done);
  EXPECT_NE(done->error().message.find("locked"), std::string::npos) << done->error().message;
  EXPECT_EQ(ledger->why_failed(), LedgerTrouble::kLocked);
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(ledger->waiting(), 1001U);
  ASSERT_TRUE(other->run("ROLLBACK"));
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM days"), 0);
  ASSERT_TRUE(ledger->commit());
  EXPECT_EQ(ledger->why_failed(), LedgerTrouble::kNone);
  EXPECT_EQ(number(path("l"), "SELECT count FROM show_sources"), 1001);
  EXPECT_EQ(number(path("l"), "SELECT value FROM figures WHERE name = 'sources'"), 1);
  EXPECT_EQ(Ledger::open(path("l"))->neighbourhood(*parse_network("192.0.2.1")).tidy_at, 2U);
}

TEST_F(LedgerTest, AFullDiskLosesNothing) {
  auto ledger = Ledger::open(path("l"));
  ledger->note(failed_login(1, 0), "log");
  ASSERT_TRUE(ledger->commit());
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  for (int i = 0; i < 5000; ++i) ledger->note(failed_login(i, i), "log");
  const rlimit small{rlim_t{1} << 16, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto full = ledger->commit();
  const auto still = ledger->commit();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(full);
  ASSERT_FALSE(still);
  EXPECT_EQ(ledger->why_failed(), LedgerTrouble::kFull) << full.error().message;
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM days"), 1);
  ledger->note(failed_login(6000, 1), "log");
  ASSERT_TRUE(ledger->commit());
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM days"), 5001);
  EXPECT_EQ(number(path("l"), "SELECT sum(count) FROM show_sources"), 5002);
}

TEST_F(LedgerTest, IsNotMadeAnewWhenSomebodyTakesItAway) {
  for (const bool replaced : {false, true}) {
    auto ledger = Ledger::open(path("l"));
    ASSERT_TRUE(ledger);
    if (replaced) {
      ASSERT_TRUE(Ledger::open(path("another")));
      fs::rename(path("another"), path("l"));
    } else {
      fs::remove(path("l"));
    }
    ledger->note(failed_login(1, 0), "log");
    const auto done = ledger->commit();
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message.find("deleted or replaced"), std::string::npos) << done.error().message;
    EXPECT_EQ(ledger->why_failed(), LedgerTrouble::kGone);
    EXPECT_EQ(fs::exists(path("l")), replaced);
    if (replaced) {
      EXPECT_EQ(number(path("l"), "SELECT count(*) FROM days"), 0);
    }
  }
}

TEST_F(LedgerTest, SaysWhatIsDamaged) {
  for (const char* damage : {"UPDATE days SET counts = '{auth_failed:1}'", "UPDATE days SET tried = '{\"a\":1'",
                             "UPDATE memories SET bytes = x'ff'"}) {
    fs::remove(path("l"));
    {
      auto ledger = Ledger::open(path("l"));
      ledger->note(failed_login(1, 0), "log");
      ledger->neighbourhood(*parse_network("192.0.2.1")).tidy_at = 1;
      ASSERT_TRUE(ledger->commit());
      ASSERT_TRUE(Database::open(path("l"), Database::Mode::kReadWrite)->run(damage));
    }
    auto ledger = Ledger::open(path("l"));
    ledger->note(failed_login(1, 1), "log");
    ledger->neighbourhood(*parse_network("192.0.2.1"));
    const auto done = ledger->commit();
    ASSERT_FALSE(done) << damage;
    EXPECT_EQ(ledger->why_failed(), LedgerTrouble::kDamaged) << done.error().message;
    EXPECT_NE(done.error().message.find("damaged"), std::string::npos) << done.error().message;
  }
}

TEST_F(LedgerTest, SaysWhenTooMuchWaits) {
  auto ledger = Ledger::open(path("l"), {.most_waiting = 100'000});
  EXPECT_FALSE(ledger->crowded());
  for (int i = 0; i < 1000; ++i) ledger->note(failed_login(i, i), "log");
  EXPECT_TRUE(ledger->crowded());
  ASSERT_TRUE(ledger->commit());
  EXPECT_FALSE(ledger->crowded());
}

// The write-ahead log is copied into the file now and then, and doesn't grow with what was ever written.
TEST_F(LedgerTest, TheWriteAheadLogStaysSmall) {
  auto ledger = Ledger::open(path("l"), {.cache = 1 << 16});
  uintmax_t most = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 2000; ++i) {
      ledger->note(failed_login(i + 2000 * round, i), "log");
      ledger->neighbourhood({Address::v4(static_cast<uint32_t>(i * 7919)), 32}).tidy_at = 1;
    }
    while (!ledger->begin_commit()) std::this_thread::yield();
    most = std::max(most, fs::file_size(path("l-wal")));
  }
  ASSERT_TRUE(ledger->commit());
  EXPECT_LT(most, 48U << 20);
  EXPECT_EQ(number(path("l"), "SELECT count(*) FROM days"), 200'000);
}

}  // namespace
}  // namespace mailward
