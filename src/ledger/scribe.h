// Writes what is pending into the file, all of it in one transaction. The only place that changes a ledger's rows.
// Used by the writer's thread alone.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <string>

#include "base/result.h"
#include "ledger/pending.h"
#include "ledger/sqlite.h"

namespace mailward {

class Scribe {
 public:
  // The file must be a ledger by now (prepare_schema).
  static Result<std::unique_ptr<Scribe>> open(const std::string& path);

  // On failure nothing is written, and `trouble` says why.
  Result<void> write(const Pending& pending, LedgerTrouble& trouble);
  // Any thread: whoever reads in a long transaction should end it, and begin none for the time being: the write-ahead
  // log is copied into the file, and can begin anew only if nobody needs it.
  bool in_the_way() const { return in_the_way_.load(std::memory_order_relaxed); }

 private:
  struct Statements {
    Statement save, day, new_day, day_again, line, ban, withdraw, unban, input, part, figure;
  };

  Result<void> prepare();
  Result<void> is_there(LedgerTrouble& trouble) const;
  LedgerTrouble trouble_now() const;
  Result<void> write_all(const Pending& pending);
  Result<void> write_days(const Pending& pending);
  Result<void> write_day(const Pending& pending, const Pending::Day& day, std::string_view address);
  Result<void> write_lines(const Pending& pending, const Pending::Day& day, std::string& ids);
  Result<void> write_memories(const Pending& pending);
  Result<void> write_bans(const Pending& pending);
  Result<void> write_inputs(const Pending& pending);
  Result<void> write_figures();
  void checkpoint();

  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
  Database db_;
  Statements statements_;
  int64_t sources_ = 0, next_line_ = 1;  // rows of `figures`
  std::string text_[3];                  // scratch: of a row of `days`
  std::atomic<bool> in_the_way_ = false;
  int logged_ = 0;  // pages in the write-ahead log
};

}  // namespace mailward
