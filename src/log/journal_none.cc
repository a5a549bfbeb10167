// This build has no libsystemd.
#include "log/journal.h"

namespace mailward {

Result<void> can_read_journal(const std::string&) {
  return fail(
      "this build of mailward can't read the systemd journal itself (it was built without libsystemd); "
      "pipe it in: journalctl -o json | mailward scan -");
}

Result<std::unique_ptr<RecordStream>> open_journal(const std::string& where) {
  return std::unexpected(can_read_journal(where).error());
}

}  // namespace mailward
