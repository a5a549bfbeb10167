#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/encoding.h"
#include "ledger/memory_bytes.h"
#include "ledger/schema.h"
#include "ledger/sqlite.h"

namespace mailward {
namespace {

constexpr int64_t kDayMicros = int64_t{86'400'000'000};
constexpr int64_t kMostLines = 16;     // of one source and day
constexpr size_t kLongestLine = 2048;  // bytes
constexpr size_t kLongestUser = 256;
constexpr int64_t kMostUsers = 64;  // of one source and day; further ones under "…"

enum MemoryKind : int64_t { kHome, kName };

int64_t micros(Instant t) { return t.time_since_epoch().count(); }
Instant instant_of(int64_t t) { return Instant(Duration(t)); }
int64_t day_of(int64_t time) { return time >= 0 ? time / kDayMicros : (time + 1) / kDayMicros - 1; }

std::string home_key(const Network& n) {
  Encoder key;
  key.fixed(n.address.high);
  key.fixed(n.address.low);
  key.fixed(static_cast<uint64_t>(n.prefix), 1);
  return key.take();
}

Network network_of_key(std::string_view key) {
  Decoder in(key);
  Network n;
  n.address.high = in.fixed(8);
  n.address.low = in.fixed(8);
  n.prefix = static_cast<int>(in.fixed(1));
  return n;
}

std::string name_key(uint32_t hash) {
  Encoder key;
  key.fixed(hash, 4);
  return key.take();
}

struct NetworkHash {
  size_t operator()(const Network& n) const { return hash_address(n.address) + static_cast<size_t>(n.prefix); }
};

// What a source did since the last commit.
struct Noted {
  struct Line {
    int64_t time;
    uint64_t line;
    EventKind kind;
    std::string input, text;
  };
  struct Tried {
    int64_t day;
    std::string user;
    uint64_t count;
  };
  int64_t first = INT64_MAX, last = INT64_MIN;
  std::map<std::pair<int64_t, EventKind>, uint64_t> counts;
  // In the order in which they came: which ones are kept must not depend on where commits fall.
  std::vector<Tried> users;
  std::map<std::pair<int64_t, std::string>, size_t> users_at;
  std::vector<Line> lines;
};

struct Change {
  LiveChange change;
  std::string policy;
  int64_t at;
};

struct Cached {
  Memory memory;
  bool given = false;  // since the last commit
  uint64_t used = 0;   // number of that commit
};

size_t weight(const Memory& m) {
  return 160 + m.marks.size() * sizeof(Mark) + m.sources.size() * sizeof(Memory::Known) +
         m.bans.size() * sizeof(LiveBan);
}

struct Statements {
  Statement load, save, source, count, tried, tried_again, tried_so_far, line, lines_so_far, ban, withdraw, input, part;
};

Result<void> prepare(Database& db, Statements& s) {
  const std::pair<Statement*, std::string_view> all[] = {
      {&s.load, "SELECT bytes FROM memories WHERE kind = ?1 AND key = ?2"},
      {&s.save, "INSERT INTO memories VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET bytes = ?3"},
      {&s.source,
       "INSERT INTO sources (address, first, last) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET "
       "first = min(first, ?2), last = max(last, ?3) RETURNING source"},
      {&s.count, "INSERT INTO counts VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET count = count + ?4"},
      {&s.tried, "INSERT INTO tried VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET count = count + ?4"},
      {&s.tried_again, "UPDATE tried SET count = count + ?4 WHERE source = ?1 AND day = ?2 AND user = ?3"},
      {&s.tried_so_far, "SELECT count(*) FROM tried WHERE source = ?1 AND day = ?2"},
      {&s.line, "INSERT OR IGNORE INTO lines VALUES (?1, ?2, ?3, ?4, ?5, ?6)"},
      {&s.lines_so_far, "SELECT count(*) FROM lines WHERE source = ?1 AND time >= ?2 AND time < ?3"},
      // Stamps may be of whole seconds: within one a ban can come, be withdrawn, and come again.
      {&s.ban,
       "INSERT INTO bans VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL) ON CONFLICT DO UPDATE SET until = ?3, policy = ?4, "
       "count = ?5, nth = ?6, origin = ?7, withdrawn = NULL"},
      {&s.withdraw, "UPDATE bans SET withdrawn = ?3 WHERE network = ?1 AND since = ?2"},
      {&s.input,
       "INSERT INTO inputs VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET position = ?2, state = ?3, "
       "offset = ?4, lines = ?5, reached = ?6"},
      {&s.part, "INSERT INTO parts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET state = ?2"},
  };
  for (const auto& [statement, sql] : all) {
    auto made = db.prepare(sql);
    if (!made) return std::unexpected(made.error());
    *statement = std::move(*made);
  }
  return {};
}

// The one number that a statement gives.
Result<int64_t> number(Statement& s) {
  const auto row = s.step();
  if (!row) return std::unexpected(row.error());
  const int64_t value = *row ? s.integer(0) : 0;
  s.reset();
  return value;
}

// SQLite makes its files with what is left of 0644: the ledger holds names that people tried.
Result<void> make_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail(std::strerror(errno));
  ::close(fd);
  return {};
}

}  // namespace

struct Ledger::State {
  std::string path;
  Options options;
  Database db;
  Statements statements;
  std::unordered_map<Network, Cached, NetworkHash> homes;
  std::unordered_map<uint32_t, Cached> names;
  std::unordered_map<Address, Noted> noted;
  std::vector<Change> changes;
  std::map<std::string, InputRow> inputs;
  std::map<std::string, std::string> parts;
  std::string trouble;
  size_t events = 0;
  uint64_t commits = 1;

  Memory& memory(Cached& cached, bool fresh, int64_t kind, const std::string& key);
  Result<void> write();
  Result<void> write_source(Address address, const Noted& noted);
  Result<void> write_tried(int64_t source, const Noted::Tried& tried);
  Result<void> write_line(int64_t source, const Noted::Line& line);
  Result<void> write_memory(int64_t kind, const std::string& key, const Memory& memory);
  Result<void> write_memories();
  Result<void> write_changes();
  void forget_oldest();
};

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;
size_t Ledger::waiting() const { return state_->events; }
const std::string& Ledger::trouble() const { return state_->trouble; }

Result<Ledger> Ledger::open(const std::string& path, const Options& options) {
  const auto refuse = [&](const Error& e) { return fail(fmt::format("{}: {}", path, e.message)); };
  if (auto made = make_file(path); !made) return refuse(made.error());
  auto db = Database::open(path, Database::Mode::kReadWrite);
  if (!db) return refuse(db.error());
  sqlite3_busy_timeout(db->handle(), 2000);
  if (auto schema = prepare_schema(*db); !schema) return refuse(schema.error());
  if (auto kinds = fill_kinds(*db); !kinds) return refuse(kinds.error());
  if (auto set = db->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192"); !set)
    return refuse(set.error());
  auto state = std::make_unique<State>();
  state->path = path;
  state->options = options;
  state->db = std::move(*db);
  if (auto prepared = prepare(state->db, state->statements); !prepared) return refuse(prepared.error());
  return Ledger(std::move(state));
}

Result<Ledger> Ledger::open_to_read(const std::string& path) {
  const auto refuse = [&](const Error& e) { return fail(fmt::format("{}: {}", path, e.message)); };
  auto db = Database::open(path, Database::Mode::kReadOnly);
  if (!db) return refuse(db.error());
  sqlite3_busy_timeout(db->handle(), 2000);
  if (auto schema = check_schema(*db); !schema) return refuse(schema.error());
  auto state = std::make_unique<State>();
  state->path = path;
  state->db = std::move(*db);
  return Ledger(std::move(state));
}

// ---------------------------------------------------------------- reading

Result<std::optional<InputRow>> Ledger::input(const std::string& name) {
  auto select = state_->db.prepare("SELECT position, state, offset, lines, reached FROM inputs WHERE name = ?1");
  if (!select) return std::unexpected(select.error());
  const auto row = select->bind(1, std::string_view(name)).step();
  if (!row) return std::unexpected(row.error());
  if (!*row) return std::optional<InputRow>();
  InputRow input;
  input.name = name;
  input.position = select->bytes(0);
  input.state = select->bytes(1);
  input.offset = static_cast<uint64_t>(select->integer(2));
  input.lines = static_cast<uint64_t>(select->integer(3));
  if (!select->is_null(4)) input.reached = instant_of(select->integer(4));
  return std::optional<InputRow>(std::move(input));
}

Result<std::string> Ledger::part(const std::string& name) {
  auto select = state_->db.prepare("SELECT state FROM parts WHERE name = ?1");
  if (!select) return std::unexpected(select.error());
  const auto row = select->bind(1, std::string_view(name)).step();
  if (!row) return std::unexpected(row.error());
  return *row ? std::string(select->bytes(0)) : std::string();
}

Result<std::vector<BanRow>> Ledger::bans(Instant now, bool all) {
  auto select =
      state_->db.prepare(all ? "SELECT network, since, until, policy, count, nth, origin, withdrawn FROM bans"
                             : "SELECT network, since, until, policy, count, nth, origin, withdrawn FROM bans "
                               "WHERE until > ?1 AND withdrawn IS NULL");
  if (!select) return std::unexpected(select.error());
  if (!all) select->bind(1, micros(now));
  std::vector<BanRow> bans;
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) break;
    const auto network = parse_network(select->bytes(0));
    if (!network) continue;
    bans.push_back({*network, instant_of(select->integer(1)), instant_of(select->integer(2)),
                    std::string(select->bytes(3)), static_cast<uint64_t>(select->integer(4)),
                    static_cast<uint32_t>(select->integer(5)), std::string(select->bytes(6)),
                    select->is_null(7) ? kNoInstant : instant_of(select->integer(7))});
  }
  std::sort(bans.begin(), bans.end(), [](const BanRow& a, const BanRow& b) {
    return std::pair(a.network, a.since) < std::pair(b.network, b.since);
  });
  return bans;
}

// ---------------------------------------------------------------- noting

void Ledger::note(const Event& event, std::string_view input) {
  if (event.address.empty() || event.kind == EventKind::kNone || event.kind == EventKind::kAmbiguous) return;
  ++state_->events;
  if (is_frame(event.kind)) return;
  Noted& noted = state_->noted[event.address];
  const int64_t time = micros(event.time), day = day_of(time);
  noted.first = std::min(noted.first, time);
  noted.last = std::max(noted.last, time);
  noted.counts[{day, event.kind}] += event.count;
  if (event.kind == EventKind::kAuthFailed && !event.user().empty()) {
    const std::string user(event.user().substr(0, kLongestUser));
    const auto [at, first] = noted.users_at.try_emplace({day, user}, noted.users.size());
    if (first) noted.users.push_back({day, user, 0});
    noted.users[at->second].count += event.count;
  }
  if (severity_of(event.kind) == Severity::kNeutral) return;
  const auto same_day = [day](const Noted::Line& line) { return day_of(line.time) == day; };
  if (std::ranges::count_if(noted.lines, same_day) >= kMostLines) return;
  const auto same = [&](const Noted::Line& l) {
    return l.time == time && l.line == event.line && l.kind == event.kind && l.input == input;
  };
  if (std::ranges::any_of(noted.lines, same)) return;
  noted.lines.push_back(
      {time, event.line, event.kind, std::string(input), std::string(event.raw.substr(0, kLongestLine))});
}

void Ledger::note(const LiveChange& change, const PolicySet& policies, Instant now) {
  const std::string policy = change.ban.policy < policies.policies.size()
                                 ? policies.name + "/" + policies.policies[change.ban.policy].name
                                 : std::string();
  state_->changes.push_back({change, policy, micros(now)});
}

void Ledger::note(InputRow input) { state_->inputs.insert_or_assign(input.name, std::move(input)); }
void Ledger::note_part(std::string name, std::string part) {
  state_->parts.insert_or_assign(std::move(name), std::move(part));
}

// ---------------------------------------------------------------- memories

Memory& Ledger::State::memory(Cached& cached, bool fresh, int64_t kind, const std::string& key) {
  cached.given = true;
  cached.used = commits;
  if (!fresh) return cached.memory;
  Statement& load = statements.load;
  const auto row = load.bind(1, kind).bind_blob(2, key).step();
  if (!row)
    trouble = row.error().message;
  else if (*row && !decode_memory(load.bytes(0), cached.memory))
    trouble = "what it remembers of a source is damaged";
  load.reset();
  return cached.memory;
}

Memory& Ledger::neighbourhood(const Network& network) {
  const auto [at, fresh] = state_->homes.try_emplace(network);
  if (!fresh && at->second.given) return at->second.memory;
  return state_->memory(at->second, fresh, kHome, home_key(network));
}

Memory& Ledger::user(uint32_t hash) {
  const auto [at, fresh] = state_->names.try_emplace(hash);
  if (!fresh && at->second.given) return at->second.memory;
  return state_->memory(at->second, fresh, kName, name_key(hash));
}

// Rare: a name of a domain was let in that was not known to be local. All are looked at.
std::vector<Network> Ledger::who_tried(uint16_t domain) {
  State& s = *state_;
  const auto tried = [domain](const Memory& m) {
    return !m.bans.empty() || std::any_of(m.marks.begin(), m.marks.end(), [domain](const Mark& mark) {
      return mark.domain == domain || (domain == kNoName && mark.domain >= kFirstDomain);
    });
  };
  std::vector<Network> found;
  for (const auto& [network, cached] : s.homes)
    if (tried(cached.memory)) found.push_back(network);
  auto select = s.db.prepare("SELECT key, bytes FROM memories WHERE kind = 0");
  for (Memory memory; select;) {
    const auto row = select->step();
    if (!row) s.trouble = row.error().message;
    if (!row || !*row) break;
    if (select->bytes(0).size() != 17) continue;
    const Network network = network_of_key(select->bytes(0));
    if (s.homes.contains(network)) continue;
    if (decode_memory(select->bytes(1), memory) && tried(memory)) found.push_back(network);
  }
  return found;
}

// ---------------------------------------------------------------- writing

Result<void> Ledger::State::write_source(Address address, const Noted& n) {
  const std::string text = format_address(address);
  Statement& source = statements.source;
  const auto row = source.bind(1, std::string_view(text)).bind(2, n.first).bind(3, n.last).step();
  if (!row) return std::unexpected(row.error());
  const int64_t number = source.integer(0);
  source.reset();
  for (const auto& [key, count] : n.counts) {
    Statement& s = statements.count;
    s.bind(1, number).bind(2, key.first).bind(3, static_cast<int64_t>(key.second)).bind(4, static_cast<int64_t>(count));
    if (auto done = s.run(); !done) return done;
  }
  for (const Noted::Tried& tried : n.users)
    if (auto done = write_tried(number, tried); !done) return done;
  for (const Noted::Line& line : n.lines)
    if (auto done = write_line(number, line); !done) return done;
  return {};
}

// A name that is known by then, or has room; else it is one of the others.
Result<void> Ledger::State::write_tried(int64_t source, const Noted::Tried& tried) {
  const auto bound = [&](Statement& s, std::string_view user) -> Statement& {
    return s.bind(1, source).bind(2, tried.day).bind_blob(3, user).bind(4, static_cast<int64_t>(tried.count));
  };
  if (auto done = bound(statements.tried_again, tried.user).run(); !done) return done;
  if (db.changes() > 0) return {};
  const auto so_far = number(statements.tried_so_far.bind(1, source).bind(2, tried.day));
  if (!so_far) return std::unexpected(so_far.error());
  return bound(statements.tried, *so_far < kMostUsers ? std::string_view(tried.user) : "…").run();
}

Result<void> Ledger::State::write_line(int64_t source, const Noted::Line& line) {
  const int64_t begin = day_of(line.time) * kDayMicros;
  const auto so_far = number(statements.lines_so_far.bind(1, source).bind(2, begin).bind(3, begin + kDayMicros));
  if (!so_far) return std::unexpected(so_far.error());
  if (*so_far >= kMostLines) return {};
  Statement& s = statements.line;
  s.bind(1, source).bind(2, line.time).bind(3, std::string_view(line.input)).bind(4, static_cast<int64_t>(line.line));
  s.bind(5, static_cast<int64_t>(line.kind)).bind_blob(6, line.text);
  return s.run();
}

Result<void> Ledger::State::write_memory(int64_t kind, const std::string& key, const Memory& m) {
  const std::string bytes = encode_memory(m);
  return statements.save.bind(1, kind).bind_blob(2, key).bind_blob(3, bytes).run();
}

Result<void> Ledger::State::write_memories() {
  // In the order of their keys: neighbours lie on one page.
  std::map<std::string, const Memory*> given[2];
  for (const auto& [network, cached] : homes)
    if (cached.given) given[kHome].emplace(home_key(network), &cached.memory);
  for (const auto& [hash, cached] : names)
    if (cached.given) given[kName].emplace(name_key(hash), &cached.memory);
  for (const int64_t kind : {kHome, kName})
    for (const auto& [key, m] : given[kind])
      if (auto done = write_memory(kind, key, *m); !done) return done;
  return {};
}

Result<void> Ledger::State::write_changes() {
  for (const auto& [change, policy, at] : changes) {
    const LiveBan& b = change.ban;
    const std::string network = format_network(b.network);
    if (change.what == LiveChange::What::kWithdraw) {
      Statement& s = statements.withdraw;
      s.bind(1, std::string_view(network)).bind(2, micros(b.since)).bind(3, at);
      if (auto done = s.run(); !done) return done;
      continue;
    }
    Statement& s = statements.ban;
    s.bind(1, std::string_view(network)).bind(2, micros(b.since)).bind(3, micros(b.until));
    s.bind(4, std::string_view(policy)).bind(5, static_cast<int64_t>(b.count)).bind(6, int64_t{b.nth});
    s.bind(7, std::string_view("judged"));
    if (auto done = s.run(); !done) return done;
  }
  return {};
}

Result<void> Ledger::State::write() {
  std::map<Address, const Noted*> in_order;
  for (const auto& [address, n] : noted) in_order.emplace(address, &n);
  for (const auto& [address, n] : in_order)
    if (auto done = write_source(address, *n); !done) return done;
  if (auto done = write_memories(); !done) return done;
  if (auto done = write_changes(); !done) return done;
  for (const auto& [name, row] : inputs) {
    Statement& s = statements.input;
    s.bind(1, std::string_view(name)).bind_blob(2, row.position).bind_blob(3, row.state);
    s.bind(4, static_cast<int64_t>(row.offset)).bind(5, static_cast<int64_t>(row.lines));
    has_time(row.reached) ? s.bind(6, micros(row.reached)) : s.bind_null(6);
    if (auto done = s.run(); !done) return done;
  }
  for (const auto& [name, part] : parts)
    if (auto done = statements.part.bind(1, std::string_view(name)).bind_blob(2, part).run(); !done) return done;
  return {};
}

void Ledger::State::forget_oldest() {
  size_t total = 0;
  std::vector<std::pair<uint64_t, size_t>> ages;
  const auto look = [&](auto& all) {
    for (auto& [key, cached] : all) {
      cached.given = false;
      const size_t size = weight(cached.memory);
      total += size;
      ages.emplace_back(cached.used, size);
    }
  };
  look(homes);
  look(names);
  if (total <= options.cache) return;
  std::sort(ages.begin(), ages.end());
  uint64_t limit = 0;  // what was used last at this commit or before goes
  for (size_t i = 0; i < ages.size() && total > options.cache / 2; ++i) {
    limit = ages[i].first;
    total -= ages[i].second;
  }
  const auto is_old = [&](const auto& entry) { return entry.second.used <= limit; };
  std::erase_if(homes, is_old);
  std::erase_if(names, is_old);
}

Result<void> Ledger::commit() {
  State& s = *state_;
  if (!s.trouble.empty()) return fail(fmt::format("{}: {}", s.path, s.trouble));
  auto done = s.db.run("BEGIN IMMEDIATE");
  if (done) done = s.write();
  if (done) done = s.db.run("COMMIT");
  if (!done) {
    if (sqlite3_get_autocommit(s.db.handle()) == 0) (void)s.db.run("ROLLBACK");
    return fail(fmt::format("{}: {}", s.path, done.error().message));
  }
  s.noted.clear();
  s.changes.clear();
  s.inputs.clear();
  s.parts.clear();
  s.events = 0;
  ++s.commits;
  s.forget_oldest();
  return {};
}

}  // namespace mailward
