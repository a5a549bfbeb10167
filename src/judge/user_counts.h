// How often each address failed to log in under each name. Bounded: past the bounds failures are
// counted under "…". Not for several threads at once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mailward {

class UserCounts {
 public:
  static constexpr size_t kMostPairs = 400'000;           // of address and name, of all addresses
  static constexpr size_t kMostNames = 1'000;             // of one address
  static constexpr size_t kMostBytes = size_t{12} << 20;  // of names
  static constexpr size_t kLongestName = 512;             // longer ones are cut and end in "…"

  void add(uint32_t source, std::string_view name, uint64_t weight);

  // Names as tried with their counts, sorted by bytes; "…" last.
  std::vector<std::pair<std::string, uint64_t>> of(uint32_t source);

 private:
  struct Name {
    uint32_t offset = 0;
    uint32_t length = 0;
  };
  struct Count {
    uint32_t source = 0;
    uint32_t name = 0;
    uint32_t next = 0;  // the address's next one, plus one; 0: the last
    uint64_t weight = 0;
  };
  struct Head {
    uint32_t first = 0;  // plus one; 0: none
    uint32_t names = 0;
    uint64_t others = 0;
  };

  // Counted some at a time, so that what they touch can be fetched for all of them before.
  struct Waiting {
    uint32_t source;
    uint32_t name;
    uint64_t weight;
  };
  static constexpr size_t kTogether = 32;

  void count_waiting();
  void count(const Waiting& w);
  uint32_t name_number(std::string_view name);  // UINT32_MAX: no room
  void grow_names();
  void grow_counts();
  std::string_view text(const Name& n) const { return std::string_view(bytes_).substr(n.offset, n.length); }
  static size_t hash(std::string_view name);
  static size_t hash(uint32_t source, uint32_t name);

  std::string bytes_;
  std::vector<Name> names_;
  std::vector<uint32_t> name_slots_ = std::vector<uint32_t>(1024, 0);
  std::vector<Count> counts_;
  std::vector<uint32_t> count_slots_ = std::vector<uint32_t>(1024, 0);
  std::vector<Head> heads_;
  std::array<Waiting, kTogether> waiting_;
  size_t waiting_count_ = 0;
};

}  // namespace mailward
