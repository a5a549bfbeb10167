// What was noted and is not written yet. Filled by the ledger's caller; then handed to the writer, which alone has it
// until it gives it back. No locks: it has one owner at a time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/event.h"
#include "judge/live.h"
#include "ledger/rows.h"

namespace mailward {

inline constexpr uint32_t kMostLines = 16;    // of one source and day
inline constexpr size_t kMostUsers = 64;      // of one source and day; further ones under "…"
inline constexpr size_t kLongestLine = 2048;  // bytes
inline constexpr size_t kLongestUser = 256;

// Which memory: of a neighbourhood (its network), or of a name (its hash; prefix -1).
struct MemoryKey {
  uint64_t high = 0, low = 0;
  int prefix = 0;
  static MemoryKey of(const Network& n) { return {n.address.high, n.address.low, n.prefix}; }
  static MemoryKey of(uint32_t name) { return {0, name, -1}; }
  bool is_name() const { return prefix < 0; }
  Network network() const { return {{high, low}, prefix}; }
  std::string bytes() const;  // in the table
  friend auto operator<=>(const MemoryKey&, const MemoryKey&) = default;
};

class Pending {
 public:
  static constexpr uint32_t kEnd = UINT32_MAX;  // of a chain
  struct Count {
    uint64_t count;
    uint32_t next;
    EventKind kind;
  };
  struct Tried {
    std::string_view user;  // as JSON, with its quotes
    uint64_t count;
    uint32_t next;
  };
  struct Line {
    int64_t time;
    uint64_t line;
    std::string_view input, text;
    uint32_t next;
    EventKind kind;
  };
  struct Chain {
    uint32_t first = kEnd, last = kEnd;
  };
  // What a source did on a day. The three in the order in which they came: which ones are kept must not depend on
  // where commits fall.
  struct Day {
    Address address;
    int64_t day;
    int64_t first = INT64_MAX, last = INT64_MIN;
    Chain counts, tried, lines;
    uint32_t kept_lines = 0;
  };
  struct BanChange {
    BanRow row;
    bool withdrawn;  // else: made
  };
  struct Changed {
    MemoryKey key;
    const Memory* memory;
    bool fresh;  // the table has none yet
  };

  Pending() { clear(); }
  void add(const Event& event, std::string_view input);
  void clear();
  // Bytes, about.
  size_t size() const;

  std::vector<Day> days;
  std::vector<Count> counts;
  std::vector<Tried> tried;
  std::vector<Line> lines;
  std::vector<BanChange> bans;
  std::vector<std::pair<Network, Instant>> unbans;
  std::map<std::string, InputRow> inputs;
  std::map<std::string, std::string> parts;
  std::vector<Changed> memories;
  std::vector<std::unique_ptr<Memory>> replaced;  // of `memories`, that somebody changed since: freed with it
  size_t events = 0;

 private:
  struct DayKey {
    Address address;
    int64_t day;
    bool operator==(const DayKey&) const = default;
  };
  struct UserKey {
    uint32_t day;  // its number
    std::string_view user;
    bool operator==(const UserKey&) const = default;
  };
  struct Hash {
    size_t operator()(const DayKey& k) const { return hash_address(k.address) ^ static_cast<size_t>(k.day) << 40; }
    size_t operator()(const UserKey& k) const {
      return std::hash<std::string_view>()(k.user) + k.day * 0x9e3779b97f4a7c15;
    }
  };

  uint32_t day_at(Address address, int64_t day);
  void add_user(uint32_t day, const Event& event);
  void add_line(Day& day, const Event& event, std::string_view input);

  // In one piece of memory that is let go as a whole.
  std::unique_ptr<std::pmr::monotonic_buffer_resource> numbers_;
  std::optional<std::pmr::unordered_map<DayKey, uint32_t, Hash>> day_numbers_;
  std::optional<std::pmr::unordered_map<UserKey, uint32_t, Hash>> user_numbers_;
  Arena text_;
  size_t text_bytes_ = 0;
  std::string scratch_;
  std::string_view last_input_;
};

}  // namespace mailward
