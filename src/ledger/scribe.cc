#include "ledger/scribe.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

#include "ledger/day_text.h"
#include "ledger/memory_bytes.h"

namespace mailward {
namespace {

constexpr int kLogPages = 6000;  // the write-ahead log is copied into the file when it has so many (24 MB)

int64_t micros(Instant t) { return t.time_since_epoch().count(); }

std::unexpected<Error> damaged() { return fail("what it remembers of a source is damaged"); }

int count_pages(void* logged, sqlite3*, const char*, int pages) {
  *static_cast<int*>(logged) = pages;
  return SQLITE_OK;
}

}  // namespace

Result<std::unique_ptr<Scribe>> Scribe::open(const std::string& path) {
  auto opened = std::make_unique<Scribe>();
  Scribe& made = *opened;
  made.path_ = path;
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return fail("it is gone");
  made.device_ = facts.st_dev;
  made.inode_ = facts.st_ino;
  auto db = Database::open(path, Database::Mode::kReadWrite);
  if (!db) return std::unexpected(db.error());
  made.db_ = std::move(*db);
  sqlite3_busy_timeout(made.db_.handle(), 500);  // who is told so tries again
  if (auto set = made.db_.run("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192; PRAGMA temp_store = MEMORY");
      !set)
    return std::unexpected(set.error());
  sqlite3_wal_hook(made.db_.handle(), count_pages, &made.logged_);  // instead of SQLite's own way to copy it
  if (auto prepared = made.prepare(); !prepared) return std::unexpected(prepared.error());
  return opened;
}

Result<void> Scribe::prepare() {
  Statements& s = statements_;
  const std::pair<Statement*, std::string_view> all[] = {
      {&s.save, "INSERT INTO memories VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bytes = ?3"},
      {&s.day, "SELECT first, last, counts, tried, lines FROM days WHERE day = ?1 AND address = ?2"},
      {&s.new_day, "INSERT INTO days VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&s.day_again,
       "UPDATE days SET first = ?3, last = ?4, counts = ?5, tried = ?6, lines = ?7 WHERE day = ?1 AND address = ?2"},
      {&s.line, "INSERT INTO lines VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      // Stamps may be of whole seconds: within one a ban can come, be withdrawn, and come again.
      {&s.ban,
       "INSERT INTO bans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL) ON CONFLICT DO UPDATE SET until = ?3, policy = ?4, "
       "count = ?5, nth = ?6, origin = ?7, withdrawn = NULL"},
      {&s.withdraw, "UPDATE bans SET withdrawn = ?3 WHERE network = ?1 AND since = ?2"},
      {&s.unban, "INSERT OR IGNORE INTO unbans VALUES (?1, ?2)"},
      {&s.input,
       "INSERT INTO inputs VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET position = ?2, state = ?3, "
       "offset = ?4, lines = ?5, reached = ?6"},
      {&s.part, "INSERT INTO parts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2"},
      {&s.figure, "INSERT INTO figures VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2"},
  };
  for (const auto& [statement, sql] : all) {
    auto made = db_.prepare(sql);
    if (!made) return std::unexpected(made.error());
    *statement = std::move(*made);
  }
  return {};
}

// A ledger that was deleted or replaced would be written to all the same, and be lost at the end.
Result<void> Scribe::is_there(LedgerTrouble& trouble) const {
  struct stat facts{};
  if (::stat(path_.c_str(), &facts) == 0 && facts.st_dev == device_ && facts.st_ino == inode_) return {};
  trouble = LedgerTrouble::kGone;
  return fail("it was deleted or replaced while it was in use; start again, so that what is there is read");
}

LedgerTrouble Scribe::trouble_now() const {
  const int code = db_.code();
  if (code == SQLITE_IOERR_WRITE) return LedgerTrouble::kFull;  // past a quota or a process's limit it says no more
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return LedgerTrouble::kLocked;
    case SQLITE_FULL:
      return LedgerTrouble::kFull;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return LedgerTrouble::kDamaged;
    default:
      return LedgerTrouble::kOther;
  }
}

Result<void> Scribe::write(const Pending& pending, LedgerTrouble& trouble) {
  trouble = LedgerTrouble::kNone;
  auto done = is_there(trouble);
  if (done) done = db_.run("BEGIN IMMEDIATE");
  if (done) {
    done = write_all(pending);
    if (done) done = db_.run("COMMIT");
    if (!done) trouble = trouble_now();
    if (!done && db_.code() == SQLITE_OK) trouble = LedgerTrouble::kDamaged;  // not SQLite's opinion, but ours
    if (!done && sqlite3_get_autocommit(db_.handle()) == 0) (void)db_.run("ROLLBACK");
  } else if (trouble == LedgerTrouble::kNone) {
    trouble = trouble_now();
  }
  if (!done) return fail(fmt::format("{}: {}", path_, done.error().message));
  checkpoint();
  return {};
}

// Here, so that nobody else has to wait for it. What other programs still read stays in the log until the next time.
void Scribe::checkpoint() {
  constexpr int kTries = 10;
  in_the_way_ = logged_ >= kLogPages;
  for (int i = 0; i < kTries && logged_ >= kLogPages; ++i) {
    int logged = 0, copied = 0;
    (void)sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &logged, &copied);
    if (logged == copied) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  in_the_way_ = false;  // who begins to read now reads the file alone
}

Result<void> Scribe::write_all(const Pending& pending) {
  const auto sources = db_.integer("SELECT value FROM figures WHERE name = 'sources'");
  const auto lines = db_.integer("SELECT value FROM figures WHERE name = 'lines'");
  for (const auto* figure : {&sources, &lines})
    if (!*figure) return std::unexpected(figure->error());
  sources_ = *sources;
  next_line_ = *lines + 1;
  if (auto done = write_days(pending); !done) return done;
  if (auto done = write_memories(pending); !done) return done;
  if (auto done = write_bans(pending); !done) return done;
  if (auto done = write_inputs(pending); !done) return done;
  return write_figures();
}

// In the order of their keys: neighbours lie on one page.
Result<void> Scribe::write_days(const Pending& pending) {
  struct Text {
    char text[46];
    uint8_t size;
    uint32_t number;
  };
  std::vector<Text> order(pending.days.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i].size = static_cast<uint8_t>(format_address_to(pending.days[i].address, order[i].text));
    order[i].number = i;
  }
  const auto key = [&](const Text& t) {
    return std::pair(pending.days[t.number].day, std::string_view(t.text, t.size));
  };
  std::sort(order.begin(), order.end(), [&](const Text& a, const Text& b) { return key(a) < key(b); });
  for (const Text& t : order)
    if (auto done = write_day(pending, pending.days[t.number], {t.text, t.size}); !done) return done;
  return {};
}

Result<void> Scribe::write_day(const Pending& pending, const Pending::Day& day, std::string_view address) {
  int64_t first = day.first, last = day.last;
  std::string& counts = text_[0];
  std::string& tried = text_[1];
  std::string& lines = text_[2];
  lines.clear();
  Statement& before = statements_.day;
  const auto row = before.bind(1, day.day).bind(2, address).step();
  if (!row) return std::unexpected(row.error());
  if (*row) {
    first = std::min(first, before.integer(0));
    last = std::max(last, before.integer(1));
    lines = before.bytes(4);
  }
  const bool whole = merge_counts(*row ? before.bytes(2) : std::string_view(), pending, day, counts) &&
                     merge_tried(*row ? before.bytes(3) : std::string_view(), pending, day, tried);
  before.reset();
  if (!whole) return damaged();
  if (auto done = write_lines(pending, day, lines); !done) return done;
  Statement& s = *row ? statements_.day_again : statements_.new_day;
  s.bind(1, day.day).bind(2, address).bind(3, first).bind(4, last).bind(5, std::string_view(counts));
  tried.empty() ? s.bind_null(6) : s.bind(6, std::string_view(tried));
  lines.empty() ? s.bind_null(7) : s.bind(7, std::string_view(lines));
  return s.run();
}

Result<void> Scribe::write_lines(const Pending& pending, const Pending::Day& day, std::string& ids) {
  uint32_t number = count_ids(ids);
  for (uint32_t i = day.lines.first; i != Pending::kEnd && number < kMostLines; i = pending.lines[i].next, ++number) {
    const Pending::Line& line = pending.lines[i];
    append_id(ids, next_line_);
    Statement& s = statements_.line;
    s.bind(1, next_line_++).bind(2, line.time).bind(3, static_cast<int64_t>(line.kind)).bind(4, line.input);
    s.bind(5, static_cast<int64_t>(line.line)).bind_blob(6, line.text);
    if (auto done = s.run(); !done) return done;
  }
  return {};
}

Result<void> Scribe::write_memories(const Pending& pending) {
  std::vector<const Pending::Changed*> order;
  order.reserve(pending.memories.size());
  for (const Pending::Changed& m : pending.memories) order.push_back(&m);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->key < b->key; });
  for (const Pending::Changed* m : order) {
    const std::string key = m->key.bytes(), bytes = encode_memory(*m->memory);
    Statement& s = statements_.save;
    if (auto done = s.bind(1, int64_t{m->key.is_name()}).bind_blob(2, key).bind_blob(3, bytes).run(); !done)
      return done;
    sources_ += m->fresh && !m->key.is_name();
  }
  return {};
}

Result<void> Scribe::write_bans(const Pending& pending) {
  for (const auto& [row, withdrawn] : pending.bans) {
    const std::string network = format_network(row.network);
    Statement& s = withdrawn ? statements_.withdraw : statements_.ban;
    s.bind(1, std::string_view(network)).bind(2, micros(row.since));
    if (withdrawn) {
      s.bind(3, micros(row.withdrawn));
    } else {
      s.bind(3, micros(row.until)).bind(4, std::string_view(row.policy)).bind(5, static_cast<int64_t>(row.count));
      s.bind(6, int64_t{row.nth}).bind(7, std::string_view(row.origin));
    }
    if (auto done = s.run(); !done) return done;
  }
  for (const auto& [unbanned, at] : pending.unbans) {
    const std::string network = format_network(unbanned);
    if (auto done = statements_.unban.bind(1, std::string_view(network)).bind(2, micros(at)).run(); !done) return done;
  }
  return {};
}

Result<void> Scribe::write_inputs(const Pending& pending) {
  for (const auto& [name, row] : pending.inputs) {
    Statement& s = statements_.input;
    s.bind(1, std::string_view(name)).bind_blob(2, row.position).bind_blob(3, row.state);
    s.bind(4, static_cast<int64_t>(row.offset)).bind(5, static_cast<int64_t>(row.lines));
    has_time(row.reached) ? s.bind(6, micros(row.reached)) : s.bind_null(6);
    if (auto done = s.run(); !done) return done;
  }
  for (const auto& [name, part] : pending.parts)
    if (auto done = statements_.part.bind(1, std::string_view(name)).bind_blob(2, part).run(); !done) return done;
  return {};
}

Result<void> Scribe::write_figures() {
  const std::pair<std::string_view, int64_t> figures[] = {{"sources", sources_}, {"lines", next_line_ - 1}};
  for (const auto& [name, value] : figures)
    if (auto done = statements_.figure.bind(1, name).bind(2, value).run(); !done) return done;
  return {};
}

}  // namespace mailward
