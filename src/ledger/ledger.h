// The daemon's memory: one SQLite file (docs/ledger.md). Positions in logs, what sources did by day, the bans that
// followed, and what judging must remember.
//
// What is noted stands in memory until a commit writes all of it in one transaction: the ledger goes from one
// moment to the next, never through one in which a line is counted and its position isn't behind it. Commits are
// written by a thread of the ledger's own, so that nobody who judges waits for the disk: what is noted meanwhile goes
// into the next one. A commit that fails (locked, disk full) loses nothing: the next one writes it first.
//
// One writer, any number of readers, in other processes too (WAL). A Ledger is used by one thread. Its own thread
// starts with the first commit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/result.h"
#include "judge/live.h"
#include "ledger/rows.h"

namespace mailward {

class Ledger final : public MemoryStore {
 public:
  struct Options {
    size_t cache = size_t{16} << 20;         // bytes of memories kept at hand, about
    size_t most_waiting = size_t{10} << 20;  // bytes, about, that may wait to be written (crowded)
    // What the judge's memories depend on (fingerprint_of(JudgeConfig)). Those that were made by another are forgotten:
    // what they count by would be misread. Empty: nobody judges.
    std::string judging;
  };
  // Makes the file (mode 0600) where there is none. The error names the file and says what to do.
  static Result<Ledger> open(const std::string& path, const Options& options);
  static Result<Ledger> open(const std::string& path) { return open(path, Options{}); }
  // For commands that only look, also while the daemon writes.
  static Result<Ledger> open_to_read(const std::string& path);
  Ledger(Ledger&&) noexcept;
  Ledger& operator=(Ledger&&) noexcept;
  ~Ledger() override;

  // --- what is there
  Result<std::optional<InputRow>> input(const std::string& name);
  Result<std::vector<InputRow>> inputs();  // without states
  // Networks with a ban that ended by itself after `from` and not after `to`.
  Result<std::vector<Network>> ended(Instant from, Instant to);
  // Did the ledger ever ban exactly this network?
  Result<bool> was_banned(const Network& network);
  Result<std::string> part(const std::string& name);  // a state that belongs to no input; empty: none
  // Sorted by network. In force at `now`; or all, over and withdrawn ones too.
  Result<std::vector<BanRow>> bans(Instant now, bool all);

  // For status; cheap.
  Result<LedgerFigures> figures(Instant now);

  // --- what comes
  // Counts it for its source, and keeps its line where it is hostile or weak.
  void note(const Event& event, std::string_view input);
  void note(const LiveChange& change, const PolicySet& policies, Instant now);
  // By hand, or by another host. It doesn't change what is judged.
  void note(BanRow ban);
  void withdraw(const Network& network, Instant since, Instant at);
  void note(InputRow input);
  void note_part(std::string name, std::string state);

  // --- when it is written
  // Hands what was noted so far to the ledger's thread; false: the last one is still being written. After one that
  // failed it is that one, and what was noted since follows with the next.
  bool begin_commit();
  // What became of the commit that was begun last: told once. Nothing: it is being written, or was told.
  std::optional<Result<void>> committed();
  // Called on the ledger's thread when a commit is done, well or not: for waking a loop.
  void on_committed(std::function<void()> done);
  // All that was noted is written when it returns.
  Result<void> commit();
  LedgerTrouble why_failed() const;  // the last commit that was told
  size_t waiting() const;            // events that were noted, and are neither written nor being written
  // So much waits that nothing more should be read until a commit is done.
  bool crowded() const;

  // MemoryStore: references hold until the next event is noted or a commit begins.
  Memory& neighbourhood(const Network& network) override;
  Memory& user(uint32_t hash) override;
  const Memory& look_at_user(uint32_t hash) override;
  std::vector<Network> who_tried(uint16_t domain) override;
  void add_pardon(const Network& network, Instant at) override;
  Instant pardoned(Address address) const override;
  std::vector<Network> banned_in(const Network& network, Instant at) override;
  // Reading a memory failed, for good: the ledger is damaged. The sentence; empty: all is well.
  const std::string& trouble() const;

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mailward
