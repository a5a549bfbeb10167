// The daemon's memory: one SQLite file (docs/ledger.md). Positions in logs, what sources did by day, the bans that
// followed, and what judging must remember.
//
// What is noted stands in memory until commit() writes all of it in one transaction: the ledger goes from one
// moment to the next, never through one in which a line is counted and its position isn't behind it. A commit
// that fails (locked, disk full) loses nothing: the next one writes it too.
//
// One writer, any number of readers, in other processes too (WAL). A Ledger is used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/result.h"
#include "judge/live.h"

namespace mailward {

// Where reading of one input stands.
struct InputRow {
  std::string name;
  std::string position;  // encoded by log/
  std::string state;     // of the reader, encoded by session/
  uint64_t offset = 0;   // the two are for people
  uint64_t lines = 0;
  Instant reached = kNoInstant;  // of the last record
};

struct BanRow {
  Network network;
  Instant since = kNoInstant, until = kNoInstant;
  std::string policy;  // "preset/name"; empty where a person or another host banned
  uint64_t count = 0;
  uint32_t nth = 1;
  std::string origin;  // "judged", "manual", "fleet"
  Instant withdrawn = kNoInstant;
};

class Ledger final : public MemoryStore {
 public:
  struct Options {
    size_t cache = size_t{24} << 20;  // bytes of memories kept between commits, about
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
  Result<std::string> part(const std::string& name);  // a state that belongs to no input; empty: none
  // Sorted by network. In force at `now`; or all, over and withdrawn ones too.
  Result<std::vector<BanRow>> bans(Instant now, bool all);

  // --- what comes
  // Counts it for its source, and keeps its line where it is hostile or weak.
  void note(const Event& event, std::string_view input);
  void note(const LiveChange& change, const PolicySet& policies, Instant now);
  void note(InputRow input);
  void note_part(std::string name, std::string state);
  Result<void> commit();
  size_t waiting() const;  // events that were noted since the last commit

  // MemoryStore: references hold until the next commit().
  Memory& neighbourhood(const Network& network) override;
  Memory& user(uint32_t hash) override;
  std::vector<Network> who_tried(uint16_t domain) override;
  // Reading a memory failed, for good: the ledger is damaged. The sentence; empty: all is well.
  const std::string& trouble() const;

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mailward
