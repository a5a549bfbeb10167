#include "ledger/schema.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <string_view>

#include "base/event.h"

namespace mailward {
namespace {

// Times are microseconds since 1970, days are days since 1970, addresses are written out. The views show times as
// people write them.
constexpr std::string_view kFirst = R"sql(
CREATE TABLE inputs (
  name     TEXT PRIMARY KEY,
  position BLOB NOT NULL,
  state    BLOB NOT NULL,
  offset   INTEGER NOT NULL,
  lines    INTEGER NOT NULL,
  reached  INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE parts (
  name  TEXT PRIMARY KEY,
  state BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE kinds (
  kind INTEGER PRIMARY KEY,
  name TEXT NOT NULL
) STRICT;

CREATE TABLE sources (
  source  INTEGER PRIMARY KEY,
  address TEXT NOT NULL UNIQUE,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL
) STRICT;

CREATE TABLE counts (
  source INTEGER NOT NULL,
  day    INTEGER NOT NULL,
  kind   INTEGER NOT NULL,
  count  INTEGER NOT NULL,
  PRIMARY KEY (source, day, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE tried (
  source INTEGER NOT NULL,
  day    INTEGER NOT NULL,
  user   BLOB NOT NULL,
  count  INTEGER NOT NULL,
  PRIMARY KEY (source, day, user)
) STRICT, WITHOUT ROWID;

CREATE TABLE lines (
  source INTEGER NOT NULL,
  time   INTEGER NOT NULL,
  input  TEXT NOT NULL,
  line   INTEGER NOT NULL,
  kind   INTEGER NOT NULL,
  text   BLOB NOT NULL,
  PRIMARY KEY (source, time, input, line, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE bans (
  network   TEXT NOT NULL,
  since     INTEGER NOT NULL,
  until     INTEGER NOT NULL,
  policy    TEXT NOT NULL,
  count     INTEGER NOT NULL,
  nth       INTEGER NOT NULL,
  origin    TEXT NOT NULL,
  withdrawn INTEGER,
  PRIMARY KEY (network, since)
) STRICT, WITHOUT ROWID;
CREATE INDEX bans_until ON bans (until);

CREATE TABLE unbans (
  network TEXT NOT NULL,
  at      INTEGER NOT NULL,
  PRIMARY KEY (network, at)
) STRICT, WITHOUT ROWID;

CREATE TABLE memories (
  kind  INTEGER NOT NULL,
  key   BLOB NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;

CREATE VIEW show_bans AS
  SELECT network, datetime(since / 1000000, 'unixepoch') AS since, datetime(until / 1000000, 'unixepoch') AS until,
         policy, count, origin, datetime(withdrawn / 1000000, 'unixepoch') AS withdrawn
  FROM bans ORDER BY bans.since;

CREATE VIEW show_sources AS
  SELECT address, date(day * 86400, 'unixepoch') AS day, name AS kind, count
  FROM counts JOIN sources USING (source) JOIN kinds USING (kind);

CREATE VIEW show_lines AS
  SELECT address, datetime(time / 1000000, 'unixepoch') AS time, name AS kind, input, line, text
  FROM lines JOIN sources USING (source) JOIN kinds USING (kind);
)sql";

// The i-th brings a ledger from version i to i + 1. Only ever added to.
constexpr std::array<std::string_view, kSchemaVersion> kMigrations{kFirst};

// 0: a new file, with nothing in it.
Result<int64_t> version_of(Database& db) {
  const auto id = db.integer("PRAGMA application_id");
  const auto version = db.integer("PRAGMA user_version");
  const auto tables = db.integer("SELECT count(*) FROM sqlite_schema");
  for (const auto* answer : {&id, &version, &tables})
    if (!*answer) return std::unexpected(answer->error());
  if (*id == 0 && *version == 0 && *tables == 0) return 0;
  if (*id != kLedgerId) return fail("it is a database, but not a ledger of mailward; name another file (--ledger)");
  if (*version > kSchemaVersion)
    return fail(fmt::format("it was written by a newer mailward (layout {}, this one knows {}); install that one",
                            *version, kSchemaVersion));
  return *version;
}

}  // namespace

Result<void> check_schema(Database& db) {
  const auto version = version_of(db);
  if (!version) return std::unexpected(version.error());
  if (*version == kSchemaVersion) return {};
  return fail(*version == 0 ? "it is empty: `mailward run` fills it"
                            : "it was written by an older mailward; `mailward run` brings it up to date");
}

Result<void> prepare_schema(Database& db) {
  const auto version = version_of(db);
  if (!version) return std::unexpected(version.error());
  if (*version == kSchemaVersion) return {};
  std::string sql = "BEGIN IMMEDIATE;";
  for (auto i = static_cast<size_t>(*version); i < kMigrations.size(); ++i) sql += kMigrations[i];
  sql += fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;", kLedgerId, kSchemaVersion);
  auto done = db.run(sql);
  if (!done) (void)db.run("ROLLBACK");
  return done;
}

Result<void> fill_kinds(Database& db) {
  std::string sql = "BEGIN IMMEDIATE;";
  for (size_t i = 0; i < kEventKinds; ++i)
    sql += fmt::format("INSERT OR IGNORE INTO kinds VALUES ({}, '{}');", i, kEventKindInfo[i].name);
  return db.run(sql + "COMMIT;");
}

}  // namespace mailward
