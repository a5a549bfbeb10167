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

CREATE TABLE figures (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE days (
  day     INTEGER NOT NULL,
  address TEXT NOT NULL,
  first   INTEGER NOT NULL,
  last    INTEGER NOT NULL,
  counts  TEXT NOT NULL,
  tried   TEXT,
  lines   TEXT,
  PRIMARY KEY (day, address)
) STRICT, WITHOUT ROWID;

CREATE TABLE lines (
  id    INTEGER PRIMARY KEY,
  time  INTEGER NOT NULL,
  kind  INTEGER NOT NULL,
  input TEXT NOT NULL,
  line  INTEGER NOT NULL,
  text  BLOB NOT NULL
) STRICT;

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
CREATE INDEX bans_until ON bans (until, withdrawn);

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

CREATE VIEW known_days AS
  WITH RECURSIVE d (day) AS (
    SELECT min(day) FROM days
    UNION ALL SELECT (SELECT min(days.day) FROM days WHERE days.day > d.day) FROM d WHERE d.day IS NOT NULL)
  SELECT day FROM d WHERE day IS NOT NULL;

CREATE VIEW show_sources AS
  SELECT address, date(days.day * 86400, 'unixepoch') AS day, key AS kind, value AS count
  FROM known_days CROSS JOIN days ON days.day = known_days.day CROSS JOIN json_each(counts);

CREATE VIEW show_tried AS
  SELECT address, date(days.day * 86400, 'unixepoch') AS day, key AS user, value AS count
  FROM known_days CROSS JOIN days ON days.day = known_days.day CROSS JOIN json_each(tried);

CREATE VIEW show_lines AS
  SELECT address, datetime(time / 1000000, 'unixepoch') AS time, name AS kind, input, line, text
  FROM known_days CROSS JOIN days ON days.day = known_days.day CROSS JOIN json_each(days.lines)
       JOIN lines ON lines.id = value JOIN kinds USING (kind);
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
