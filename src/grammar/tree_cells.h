// Patterns as chains of cells, for the compiler of trees: a cell is a literal, a field, a fork of
// optional parts, free text, or the end of the rule that the chain belongs to. Equal cells are one, so
// that ways that come together again share what follows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/byte_set.h"
#include "grammar/pattern.h"

namespace mailward {

// The cells that may come next: mostly one, which then needs no memory of its own.
class NextCells {
 public:
  NextCells() = default;
  explicit NextCells(int only) : only_(only), count_(1) {}
  explicit NextCells(std::vector<int> ways) : count_(ways.size()), ways_(std::move(ways)) {}
  const int* begin() const { return ways_.empty() ? &only_ : ways_.data(); }
  const int* end() const { return begin() + count_; }
  int operator[](size_t i) const { return begin()[i]; }
  friend bool operator==(const NextCells& a, const NextCells& b) { return std::ranges::equal(a, b); }

 private:
  int only_ = 0;
  size_t count_ = 0;
  std::vector<int> ways_;
};

struct Cell {
  enum class Kind : uint8_t { kLiteral, kField, kFork, kFree, kEnd } kind;
  std::string text;
  Type type;
  Capture capture = Capture::kNone;
  NextCells next;  // kFork: the ways; kEnd: none; else one
  uint32_t rule = 0;
  uint32_t accept = 0;  // kEnd
  auto key() const { return std::tie(kind, text, type, capture, next, rule, accept); }
  // The inside of a path or a quoted string: any bytes, in an order of their own.
  bool is_nested() const { return type.kind == Type::Kind::kPath || type.kind == Type::Kind::kQuoted; }
};
struct CellHash {
  size_t operator()(const Cell& c) const;
};
struct CellEqual {
  bool operator()(const Cell& a, const Cell& b) const { return a.key() == b.key(); }
};

// Cells by number. Numbers and references hold for the life of the table.
class Cells {
 public:
  int add(Cell c);
  const Cell& operator[](int c) const { return *cells_[static_cast<size_t>(c)]; }

  // The cells of a pattern of `rule`, before `next`: the first one.
  int chain(uint32_t rule, const Pattern& p, int next);
  // Forks replaced by their ways; sorted, each once.
  std::vector<int> concrete(std::span<const int> cells) const;
  // The same for one cell, behind what stands in `out` already.
  void concrete(int c, std::vector<int>& out) const;
  // What is left of literals that begin (backwards: end) alike, after `length` bytes.
  std::vector<int> beyond(const std::vector<int>& group, size_t length, bool forward);

  // The bytes that may come first (read backwards: last) in what a cell begins. In the right tree the
  // end means that free text stands there, which may hold anything.
  ByteSet first_bytes(int c, bool forward) const;

  // How many bytes of the field's class belong to what follows: 0 where what follows begins with a
  // byte outside the class, k where it is a literal whose first byte outside is the k-th; nothing
  // where the end of the field can't be told.
  std::optional<uint16_t> give_back(const Cell& field, int next, bool forward) const;

 private:
  int before(uint32_t rule, const Element& e, int next);
  void expand(int c, std::vector<int>& out) const;

  std::pmr::monotonic_buffer_resource memory_;  // cells are forgotten all at once
  std::pmr::unordered_map<Cell, int, CellHash, CellEqual> of_{&memory_};
  std::vector<const Cell*> cells_;
};

// Places: a cell's number, and how many bytes were read of its literal, of a field of one length, or of a
// text. Each once, in the order of their coming.
class CellPlaces {
 public:
  bool insert(int c, size_t read) { return insert(place_of(c, read)); }  // false: it was there
  bool has(int c, size_t read) const;
  void clear();
  void set(const std::vector<uint64_t>& places);
  const std::vector<uint64_t>& list() const { return list_; }

 private:
  static constexpr size_t kShort = 16;  // so many are looked through one by one
  struct Slot {
    uint32_t at = 0;     // in the list
    uint32_t round = 0;  // that the slot was filled in
  };
  size_t slot_of(uint64_t place) const;  // that holds it, or is free for it
  bool insert(uint64_t place);
  void grow();
  static uint64_t place_of(int c, size_t read) { return static_cast<uint64_t>(c) << 32 | read; }
  static size_t hash(uint64_t place) { return static_cast<size_t>(place * 0x9e3779b97f4a7c15ULL >> 32); }
  std::vector<uint64_t> list_;
  std::vector<Slot> slots_;  // empty while the list is short
  uint32_t round_ = 1;
};

// Where a reader of cells may stand after the bytes so far: all places at once, and rather one too
// many than one too few (how often a field's bytes come is looked at where it has one length only).
class CellStates {
 public:
  CellStates(const Cells& cells, bool forward) : cells_(cells), forward_(forward) {}
  void enter(int c) { enter(c, states_); }
  const std::vector<uint64_t>& places() const { return states_.list(); }
  // There, out of places() of one that reads the same cells.
  void set(const std::vector<uint64_t>& places) { states_.set(places); }
  // One byte; one of any kind.
  void step(char byte);
  void step();
  // Any number of them, also none where `maybe_none`.
  void repeat(const ByteSet& bytes, bool maybe_none);
  bool empty() const { return states_.list().empty(); }
  // Somewhere a rule may have come to its end.
  bool at_end() const;

 private:
  void enter(int c, CellPlaces& into) const;
  template <class Bytes>
  void step_from(uint64_t place, const Bytes& bytes, CellPlaces& into) const;
  template <class Bytes>
  void step_all(const Bytes& bytes);

  const Cells& cells_;
  bool forward_;
  CellPlaces states_, after_;
  std::vector<uint64_t> open_;
};

}  // namespace mailward
