#include "ledger/copy.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include "ledger/schema.h"
#include "ledger/sqlite.h"

namespace mailward {

// Source: https://www.sqlite.org/lang_vacuum.html, VACUUM INTO.
Result<void> copy_ledger(const std::string& from, const std::string& to) {
  auto db = Database::open(from, Database::Mode::kReadOnly);
  if (!db) return fail(fmt::format("{}: {}", from, db.error().message));
  if (auto schema = check_schema(*db); !schema) return fail(fmt::format("{}: {}", from, schema.error().message));
  auto vacuum = db->prepare("VACUUM INTO ?1");
  if (!vacuum) return std::unexpected(vacuum.error());
  const mode_t before = ::umask(0177);
  auto done = vacuum->bind(1, std::string_view(to)).run();
  ::umask(before);
  if (!done) return fail(fmt::format("{}: can't be copied to {}: {}", from, to, done.error().message));
  return {};
}

}  // namespace mailward
