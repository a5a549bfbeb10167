#include "ledger/ledger.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/encoding.h"
#include "ledger/memory_bytes.h"
#include "ledger/memory_cache.h"
#include "ledger/pending.h"
#include "ledger/schema.h"
#include "ledger/sqlite.h"
#include "ledger/writer.h"

namespace mailward {
namespace {

int64_t micros(Instant t) { return t.time_since_epoch().count(); }
Instant instant_of(int64_t t) { return Instant(Duration(t)); }

Network network_of_key(std::string_view key) {
  Decoder in(key);
  if (key.size() == 4) return {Address::v4(static_cast<uint32_t>(in.fixed(4))), 32};
  Network n;
  n.address.high = in.fixed(8);
  n.address.low = in.fixed(8);
  n.prefix = static_cast<int>(in.fixed(1));
  return n;
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
  State(std::string p, const Options& o, Database d)
      : path(std::move(p)), options(o), db(std::move(d)), pending(std::make_unique<Pending>()), cache(o.cache) {}

  Result<void> load_pardons();
  void keep_pardon(const Network& network, Instant at);
  void begin_reading();
  void end_reading();
  bool load(const MemoryKey& key, Memory& memory);
  Memory& memory(const MemoryKey& key) {
    return cache.get(key, *pending, [this](const MemoryKey& k, Memory& m) { return load(k, m); });
  }
  void begin();
  void take(Writer::Outcome outcome);

  std::string path;
  Options options;
  Database db;  // for reading; the writer has its own
  Statement select_memory, begin_read, end_read;
  bool reading = false;              // a transaction is open: to begin one costs as much as to read
  std::unique_ptr<Pending> pending;  // what was noted
  std::unique_ptr<Pending> failed;   // a commit that is to be tried again
  std::unique_ptr<Pending> spare;    // empty
  MemoryCache cache;
  struct Pardons {  // of networks of one size
    bool v4;
    int prefix;
    std::unordered_map<Address, Instant> last;
  };
  std::vector<Pardons> pardons;
  bool at_work = false;
  size_t being_written = 0;  // bytes
  std::optional<Result<void>> told;
  LedgerTrouble why = LedgerTrouble::kNone;
  std::string trouble;
  std::unique_ptr<Writer> writer;
};

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::Ledger(Ledger&&) noexcept = default;
Ledger& Ledger::operator=(Ledger&&) noexcept = default;
Ledger::~Ledger() = default;
const std::string& Ledger::trouble() const { return state_->trouble; }

static Result<void> forget_others(Database& db, const std::string& judging) {
  if (judging.empty()) return {};
  auto known = db.prepare("SELECT state = ?1 FROM parts WHERE name = 'judging'");
  if (!known) return std::unexpected(known.error());
  const auto row = known->bind_blob(1, judging).step();
  if (!row) return std::unexpected(row.error());
  if (*row && known->integer(0) == 1) return {};
  known->reset();
  auto set = db.prepare("INSERT OR REPLACE INTO parts VALUES ('judging', ?1)");
  if (!set) return std::unexpected(set.error());
  if (auto begun = db.run("BEGIN IMMEDIATE; DELETE FROM memories; DELETE FROM parts WHERE name = 'judge'"); !begun)
    return begun;
  if (auto done = set->bind_blob(1, judging).run(); !done) return done;
  return db.run("COMMIT");
}

Result<Ledger> Ledger::open(const std::string& path, const Options& options) {
  const auto refuse = [&](const Error& e) { return fail(fmt::format("{}: {}", path, e.message)); };
  if (auto made = make_file(path); !made) return refuse(made.error());
  auto db = Database::open(path, Database::Mode::kReadWrite);
  if (!db) return refuse(db.error());
  sqlite3_busy_timeout(db->handle(), 2000);
  if (auto schema = prepare_schema(*db); !schema) return refuse(schema.error());
  if (auto kinds = fill_kinds(*db); !kinds) return refuse(kinds.error());
  if (auto set = db->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2048; PRAGMA "
                         "temp_store = MEMORY");
      !set)
    return refuse(set.error());
  if (auto forgot = forget_others(*db, options.judging); !forgot) return refuse(forgot.error());
  auto scribe = Scribe::open(path);
  if (!scribe) return refuse(scribe.error());
  auto state = std::make_unique<State>(path, options, std::move(*db));
  const std::pair<Statement*, std::string_view> statements[] = {
      {&state->select_memory, "SELECT bytes FROM memories WHERE kind = ?1 AND key = ?2"},
      {&state->begin_read, "BEGIN"},
      {&state->end_read, "COMMIT"}};
  for (const auto& [statement, sql] : statements) {
    auto made = state->db.prepare(sql);
    if (!made) return refuse(made.error());
    *statement = std::move(*made);
  }
  if (auto loaded = state->load_pardons(); !loaded) return refuse(loaded.error());
  state->writer = std::make_unique<Writer>(std::move(*scribe));
  return Ledger(std::move(state));
}

Result<Ledger> Ledger::open_to_read(const std::string& path) {
  const auto refuse = [&](const Error& e) { return fail(fmt::format("{}: {}", path, e.message)); };
  auto db = Database::open(path, Database::Mode::kReadOnly);
  if (!db) return refuse(db.error());
  sqlite3_busy_timeout(db->handle(), 2000);
  if (auto schema = check_schema(*db); !schema) return refuse(schema.error());
  return Ledger(std::make_unique<State>(path, Options{.cache = 0}, std::move(*db)));
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

Result<std::vector<InputRow>> Ledger::inputs() {
  auto select = state_->db.prepare("SELECT name, position, offset, lines, reached FROM inputs");
  if (!select) return std::unexpected(select.error());
  std::vector<InputRow> all;
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return all;
    all.push_back({std::string(select->bytes(0)), std::string(select->bytes(1)), "",
                   static_cast<uint64_t>(select->integer(2)), static_cast<uint64_t>(select->integer(3)),
                   select->is_null(4) ? kNoInstant : instant_of(select->integer(4))});
  }
}

Result<std::vector<Network>> Ledger::ended(Instant from, Instant to) {
  auto select =
      state_->db.prepare("SELECT DISTINCT network FROM bans WHERE until > ?1 AND until <= ?2 AND withdrawn IS NULL");
  if (!select) return std::unexpected(select.error());
  select->bind(1, micros(from)).bind(2, micros(to));
  std::vector<Network> all;
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return all;
    if (const auto network = parse_network(select->bytes(0))) all.push_back(*network);
  }
}

Result<bool> Ledger::was_banned(const Network& network) {
  auto select = state_->db.prepare("SELECT 1 FROM bans WHERE network = ?1 LIMIT 1");
  if (!select) return std::unexpected(select.error());
  const std::string text = format_network(network);
  return select->bind(1, std::string_view(text)).step();
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

Result<LedgerFigures> Ledger::figures(Instant now) {
  LedgerFigures f;
  const auto in_force = fmt::format("SELECT count(*) FROM bans WHERE until > {} AND withdrawn IS NULL", micros(now));
  const std::pair<int64_t*, std::string> all[] = {
      {&f.sources, "SELECT value FROM figures WHERE name = 'sources'"},
      {&f.bans, in_force},
      {&f.bytes, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"},
      {&f.free_bytes, "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"}};
  for (const auto& [figure, sql] : all) {
    const auto value = state_->db.integer(sql);
    if (!value) return std::unexpected(value.error());
    *figure = *value;
  }
  return f;
}

// ---------------------------------------------------------------- noting

void Ledger::note(const Event& event, std::string_view input) {
  if (event.address.empty() || event.kind == EventKind::kNone || event.kind == EventKind::kAmbiguous) return;
  state_->cache.make_room();
  state_->pending->add(event, input);
}

void Ledger::note(const LiveChange& change, const PolicySet& policies, Instant now) {
  const LiveBan& b = change.ban;
  const std::string policy =
      b.policy < policies.policies.size() ? policies.name + "/" + policies.policies[b.policy].name : std::string();
  const bool withdrawn = change.what == LiveChange::What::kWithdraw;
  const Instant at = withdrawn ? now : kNoInstant;
  state_->pending->bans.push_back({{b.network, b.since, b.until, policy, b.count, b.nth, "judged", at}, withdrawn});
}

void Ledger::note(BanRow ban) { state_->pending->bans.push_back({std::move(ban), false}); }

void Ledger::withdraw(const Network& network, Instant since, Instant at) {
  BanRow row;
  row.network = network;
  row.since = since;
  row.withdrawn = at;
  state_->pending->bans.push_back({std::move(row), true});
}

void Ledger::note(InputRow input) {
  const std::string name = input.name;
  state_->pending->inputs.insert_or_assign(name, std::move(input));
}
void Ledger::note_part(std::string name, std::string part) {
  state_->pending->parts.insert_or_assign(std::move(name), std::move(part));
}

// ---------------------------------------------------------------- memories

void Ledger::State::begin_reading() {
  if (writer->in_the_way()) return end_reading();
  if (!reading) reading = begin_read.run().has_value();
}

void Ledger::State::end_reading() {
  if (std::exchange(reading, false)) (void)end_read.run();
}

bool Ledger::State::load(const MemoryKey& key, Memory& memory) {
  begin_reading();
  const std::string bytes = key.bytes();
  const auto row = select_memory.bind(1, int64_t{key.is_name()}).bind_blob(2, bytes).step();
  if (!row)
    trouble = row.error().message;
  else if (*row && !decode_memory(select_memory.bytes(0), memory))
    trouble = "what it remembers of a source is damaged";
  select_memory.reset();
  return row && *row;
}

Memory& Ledger::neighbourhood(const Network& network) { return state_->memory(MemoryKey::of(network)); }
const Memory& Ledger::look_at_user(uint32_t hash) {
  State& s = *state_;
  return s.cache.look(MemoryKey::of(hash), [&s](const MemoryKey& k, Memory& m) { return s.load(k, m); });
}
Memory& Ledger::user(uint32_t hash) { return state_->memory(MemoryKey::of(hash)); }

// Rare: a name of a domain was let in that was not known to be local. All are looked at.
std::vector<Network> Ledger::who_tried(uint16_t domain) {
  State& s = *state_;
  const auto tried = [domain](const Memory& m) {
    return !m.bans.empty() || std::any_of(m.marks.begin(), m.marks.end(), [domain](const Mark& mark) {
      return mark.domain == domain || (domain == kNoName && mark.domain >= kFirstDomain);
    });
  };
  std::vector<Network> found;
  s.cache.each([&](const MemoryKey& key, const Memory& memory) {
    if (!key.is_name() && tried(memory)) found.push_back(key.network());
  });
  auto select = s.db.prepare("SELECT key, bytes FROM memories WHERE kind = 0");
  for (Memory memory; select;) {
    const auto row = select->step();
    if (!row) s.trouble = row.error().message;
    if (!row || !*row) break;
    const Network network = network_of_key(select->bytes(0));
    if (s.cache.has(MemoryKey::of(network))) continue;
    if (decode_memory(select->bytes(1), memory) && tried(memory)) found.push_back(network);
  }
  return found;
}

Result<void> Ledger::State::load_pardons() {
  auto select = db.prepare("SELECT network, at FROM unbans");
  if (!select) return std::unexpected(select.error());
  for (;;) {
    const auto row = select->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    if (const auto network = parse_network(select->bytes(0))) keep_pardon(*network, instant_of(select->integer(1)));
  }
}

void Ledger::State::keep_pardon(const Network& network, Instant at) {
  const bool v4 = network.address.is_v4();
  auto same = std::find_if(pardons.begin(), pardons.end(),
                           [&](const Pardons& p) { return p.v4 == v4 && p.prefix == network.prefix; });
  if (same == pardons.end()) same = pardons.insert(same, {v4, network.prefix, {}});
  Instant& last = same->last.try_emplace(network.address, kNoInstant).first->second;
  last = std::max(last, at);
}

void Ledger::add_pardon(const Network& network, Instant at) {
  state_->keep_pardon(network, at);
  state_->pending->unbans.emplace_back(network, at);
}

Instant Ledger::pardoned(Address address) const {
  Instant last = kNoInstant;
  for (const State::Pardons& p : state_->pardons) {
    if (p.v4 != address.is_v4()) continue;
    const auto at = p.last.find(network_of(address, p.prefix, p.prefix).address);
    if (at != p.last.end()) last = std::max(last, at->second);
  }
  return last;
}

// By the rows, and by what is on its way to them. Some may have ended otherwise by now: who asks looks closer.
std::vector<Network> Ledger::banned_in(const Network& within, Instant at) {
  State& s = *state_;
  std::vector<Network> found;
  s.cache.each([&](const MemoryKey& key, const Memory& memory) {
    if (key.is_name()) return;
    for (const LiveBan& b : memory.bans)
      if (b.until > at && b.network.prefix >= within.prefix && contains(within, b.network.address))
        found.push_back(b.network);
  });
  if (const auto rows = bans(at, false)) {
    for (const BanRow& row : *rows)
      if (row.origin == "judged" && row.network.prefix >= within.prefix && contains(within, row.network.address))
        found.push_back(row.network);
  } else {
    s.trouble = rows.error().message;
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

// ---------------------------------------------------------------- writing

void Ledger::State::begin() {
  end_reading();
  std::unique_ptr<Pending> work = std::move(failed);
  if (!work) {
    work = std::exchange(pending, spare ? std::move(spare) : std::make_unique<Pending>());
    cache.freeze();
  }
  being_written = work->size();
  at_work = true;
  writer->begin(std::move(work));
}

void Ledger::State::take(Writer::Outcome outcome) {
  end_reading();  // what it saw is old
  at_work = false;
  why = outcome.trouble;
  if (outcome.result) {
    cache.written();
    spare = std::move(outcome.work);
  } else {
    failed = std::move(outcome.work);
  }
  told = std::move(outcome.result);
}

bool Ledger::begin_commit() {
  State& s = *state_;
  if (s.at_work)
    if (auto outcome = s.writer->outcome()) s.take(std::move(*outcome));
  if (s.at_work) return false;
  if (s.trouble.empty()) {
    s.begin();
    return true;
  }
  s.why = LedgerTrouble::kDamaged;
  s.told = fail(fmt::format("{}: {}", s.path, s.trouble));
  return true;
}

std::optional<Result<void>> Ledger::committed() {
  State& s = *state_;
  if (s.at_work)
    if (auto outcome = s.writer->outcome()) s.take(std::move(*outcome));
  return std::exchange(s.told, std::nullopt);
}

void Ledger::on_committed(std::function<void()> done) { state_->writer->on_done(std::move(done)); }

Result<void> Ledger::commit() {
  State& s = *state_;
  if (s.at_work) s.take(s.writer->wait());
  for (bool again = true; again;) {
    again = s.failed != nullptr;
    begin_commit();
    if (s.at_work) s.take(s.writer->wait());
    if (!*s.told) break;
  }
  return std::exchange(s.told, std::nullopt).value();
}

LedgerTrouble Ledger::why_failed() const { return state_->why; }
size_t Ledger::waiting() const { return state_->pending->events + (state_->failed ? state_->failed->events : 0); }
bool Ledger::crowded() const {
  const State& s = *state_;
  return s.pending->size() + (s.at_work ? s.being_written : 0) + (s.failed ? s.failed->size() : 0) >
         s.options.most_waiting;
}

}  // namespace mailward
