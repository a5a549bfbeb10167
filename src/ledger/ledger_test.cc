// The ledger's file, and the promise that it makes: what is in it is a function of the events, whenever commits,
// deaths and new starts come.
#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
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
         {"SELECT address, first, last FROM sources ORDER BY address",
          "SELECT address, day, kind, count FROM counts JOIN sources USING (source) ORDER BY 1, 2, 3",
          "SELECT address, day, hex(user), count FROM tried JOIN sources USING (source) ORDER BY 1, 2, 3",
          "SELECT address, time, input || ':' || line || ' ' || kind, hex(text) FROM lines JOIN sources USING (source) "
          "ORDER BY 1, 2, 3",
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

// One that judges into a ledger, and goes on where the ledger says.
class Keeping {
 public:
  Keeping(const JudgeConfig& config, const std::string& path, size_t cache)
      : ledger_(std::move(*Ledger::open(path, {cache}))), judge_(config, ledger_) {
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
    Encoder out;
    judge_.save(out);
    ledger_.note_part("judge", out.take());
    ledger_.note_part("position", std::to_string(at_));
    const auto done = ledger_.commit();
    ASSERT_TRUE(done) << done.error().message;
  }

 private:
  Ledger ledger_;
  LiveJudge judge_;
  size_t at_ = 0;
  std::vector<LiveChange> changes_;
};

TEST_F(LedgerTest, IsTheSameWheneverItsWriterDies) {
  std::mt19937 random(4);
  size_t bans = 0;
  int64_t most_names = 0, most_lines = 0;
  const int rounds = std::getenv("MAILWARD_SOAK") ? 300 : 30;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE(round);
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
        if (!events[i].user.empty()) events[i].user += std::to_string(i % 100);
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
        if (random() % 10 == 0) keeping.commit();
      }
      if (at == events.size()) keeping.commit();
    }
    ASSERT_EQ(told(broken), told(straight));
    {
      auto db = Database::open(straight, Database::Mode::kReadOnly);
      const auto most = [&](const char* sql) { return *db->integer(fmt::format("SELECT max(n) FROM ({})", sql)); };
      most_names = std::max(most_names, most("SELECT count(*) AS n FROM tried GROUP BY source, day"));
      most_lines = std::max(most_lines, most("SELECT count(*) AS n FROM lines GROUP BY source, time / 86400000000"));
    }
    if (events.size() > 50) {
      auto db = Database::open(straight, Database::Mode::kReadOnly);
      for (const char* view : {"show_sources", "show_lines"})
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

}  // namespace
}  // namespace mailward
