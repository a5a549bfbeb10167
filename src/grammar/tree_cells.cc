#include "grammar/tree_cells.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <type_traits>
#include <utility>

namespace mailward {

size_t CellHash::operator()(const Cell& c) const {
  size_t h = std::hash<std::string>{}(c.text) + static_cast<size_t>(c.kind) * 31 + c.rule * 1009 + c.accept * 100'003;
  for (int next : c.next) h = h * 1'000'003 + static_cast<size_t>(next);
  return h;
}

int Cells::add(Cell c) {
  const auto [it, added] = of_.try_emplace(std::move(c), static_cast<int>(cells_.size()));
  if (added) cells_.push_back(&it->first);
  return it->second;
}

int Cells::chain(uint32_t rule, const Pattern& p, int next) {
  for (size_t i = p.size(); i-- > 0;) next = before(rule, p[i], next);
  return next;
}

int Cells::before(uint32_t rule, const Element& e, int next) {
  switch (e.kind) {
    case Element::Kind::kLiteral:
    case Element::Kind::kOnce:
      return e.text.empty() ? next
                            : add({.kind = Cell::Kind::kLiteral,
                                   .text = e.text,
                                   .type = {},
                                   .next = NextCells(next),
                                   .rule = rule});
    case Element::Kind::kField:
      return add({.kind = e.type.kind == Type::Kind::kFree ? Cell::Kind::kFree : Cell::Kind::kField,
                  .text = {},
                  .type = e.type,
                  .capture = e.capture,
                  .next = NextCells(next),
                  .rule = rule});
    case Element::Kind::kChoice: {
      std::vector<int> ways;
      for (const Pattern& branch : e.branches) ways.push_back(chain(rule, branch, next));
      std::sort(ways.begin(), ways.end());
      ways.erase(std::unique(ways.begin(), ways.end()), ways.end());
      return add({.kind = Cell::Kind::kFork, .text = {}, .type = {}, .next = NextCells(std::move(ways)), .rule = rule});
    }
  }
  return next;
}

void Cells::expand(int c, std::vector<int>& out) const {
  const Cell& x = (*this)[c];
  if (x.kind != Cell::Kind::kFork) return out.push_back(c);
  for (int way : x.next) expand(way, out);
}

std::vector<int> Cells::concrete(std::span<const int> cells) const {
  std::vector<int> out;
  for (int c : cells) expand(c, out);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

void Cells::concrete(int c, std::vector<int>& out) const {
  const auto before = static_cast<ptrdiff_t>(out.size());
  expand(c, out);
  std::sort(out.begin() + before, out.end());
  out.erase(std::unique(out.begin() + before, out.end()), out.end());
}

std::vector<int> Cells::beyond(const std::vector<int>& group, size_t length, bool forward) {
  std::vector<int> after;
  for (int c : group) {
    Cell x = (*this)[c];
    if (x.text.size() == length) {
      after.push_back(x.next[0]);
      continue;
    }
    x.text = forward ? x.text.substr(length) : x.text.substr(0, x.text.size() - length);
    after.push_back(add(std::move(x)));
  }
  return after;
}

ByteSet Cells::first_bytes(int c, bool forward) const {
  const Cell& x = (*this)[c];
  switch (x.kind) {
    case Cell::Kind::kLiteral:
      return ByteSet::of(forward ? x.text.substr(0, 1) : x.text.substr(x.text.size() - 1));
    case Cell::Kind::kEnd:
      return forward ? ByteSet{} : ByteSet::all();
    case Cell::Kind::kFree:
      return ByteSet::all();
    case Cell::Kind::kFork: {
      ByteSet s;
      for (int way : x.next) s = s | first_bytes(way, forward);
      return s;
    }
    case Cell::Kind::kField: {
      const ByteSet own = x.is_nested() ? ByteSet::all() : x.type.set;
      return x.type.min == 0 ? own | first_bytes(x.next[0], forward) : own;
    }
  }
  return ByteSet::all();
}

std::optional<uint16_t> Cells::give_back(const Cell& field, int next, bool forward) const {
  if (field.is_nested()) {
    const ByteSet stop = ByteSet::of(field.type.kind == Type::Kind::kPath ? ">" : "\"");
    if (!forward || !(first_bytes(next, true) - stop).empty()) return {};
    return uint16_t{0};
  }
  if (field.type.fixed()) return uint16_t{0};
  if ((first_bytes(next, forward) & field.type.set).empty()) return uint16_t{0};
  const Cell& after = (*this)[next];
  if (after.kind != Cell::Kind::kLiteral) return {};
  for (size_t k = 0; k < after.text.size(); ++k)
    if (!field.type.set.has(after.text[forward ? k : after.text.size() - 1 - k])) return static_cast<uint16_t>(k);
  return {};
}

// ---------------------------------------------------------------- all places at once

size_t CellPlaces::slot_of(uint64_t place) const {
  size_t at = hash(place) & (slots_.size() - 1);
  while (slots_[at].round == round_ && list_[slots_[at].at] != place) at = (at + 1) & (slots_.size() - 1);
  return at;
}

bool CellPlaces::has(int c, size_t read) const {
  const uint64_t place = place_of(c, read);
  if (list_.size() <= kShort) return std::find(list_.begin(), list_.end(), place) != list_.end();
  return slots_[slot_of(place)].round == round_;
}

bool CellPlaces::insert(uint64_t place) {
  if (list_.size() < kShort) {
    if (std::find(list_.begin(), list_.end(), place) != list_.end()) return false;
    list_.push_back(place);
    return true;
  }
  if (list_.size() == kShort || list_.size() * 2 > slots_.size()) grow();
  Slot& slot = slots_[slot_of(place)];
  if (slot.round == round_) return false;
  slot = {static_cast<uint32_t>(list_.size()), round_};
  list_.push_back(place);
  return true;
}

void CellPlaces::grow() {
  ++round_;
  if (slots_.size() < list_.size() * 3) slots_.assign(std::bit_ceil(list_.size() * 3), {});
  for (uint32_t i = 0; i < list_.size(); ++i) slots_[slot_of(list_[i])] = {i, round_};
}

void CellPlaces::clear() {
  list_.clear();
  ++round_;
}

void CellPlaces::set(const std::vector<uint64_t>& places) {
  clear();
  for (const uint64_t place : places) insert(place);
}

void CellStates::enter(int c, CellPlaces& into) const {
  const Cell& x = cells_[c];
  if (x.kind == Cell::Kind::kFork) {
    for (int next : x.next) enter(next, into);
  } else if (into.insert(c, 0) &&
             (x.kind == Cell::Kind::kFree || (x.kind == Cell::Kind::kField && (x.type.min == 0 || x.is_nested())))) {
    enter(x.next[0], into);
  }
}

template <class Bytes>
void CellStates::step_from(uint64_t place, const Bytes& bytes, CellPlaces& into) const {
  const int c = static_cast<int>(place >> 32);
  const size_t read = place & UINT32_MAX;
  const Cell& x = cells_[c];
  if (x.kind == Cell::Kind::kEnd) {
    // Read backwards, the end is where free text stands that is not in the cells.
    if (!forward_) into.insert(c, read);
    return;
  }
  if (x.kind == Cell::Kind::kLiteral) {
    const char byte = x.text[forward_ ? read : x.text.size() - 1 - read];
    if constexpr (std::is_same_v<Bytes, char>) {
      if (byte != bytes) return;
    } else if (!bytes.has(byte)) {
      return;
    }
    if (read + 1 == x.text.size())
      enter(x.next[0], into);
    else
      into.insert(c, read + 1);
    return;
  }
  if (!x.is_nested()) {
    if constexpr (std::is_same_v<Bytes, char>) {
      if (!x.type.set.has(bytes)) return;
    } else if ((bytes & x.type.set).empty()) {
      return;
    }
  }
  const bool counts = !x.is_nested() && x.type.fixed();
  if (!counts || read + 1 < x.type.min) into.insert(c, counts ? read + 1 : read);
  if (!counts || read + 1 == x.type.min) enter(x.next[0], into);
}

template <class Bytes>
void CellStates::step_all(const Bytes& bytes) {
  after_.clear();
  for (const uint64_t place : states_.list()) step_from(place, bytes, after_);
  std::swap(states_, after_);
}

void CellStates::step(char byte) { step_all(byte); }
void CellStates::step() { step_all(ByteSet::all()); }

void CellStates::repeat(const ByteSet& bytes, bool maybe_none) {
  open_ = states_.list();
  if (maybe_none)
    after_.set(states_.list());
  else
    after_.clear();
  while (!open_.empty()) {
    const size_t before = after_.list().size();
    for (const uint64_t place : open_) step_from(place, bytes, after_);
    open_.assign(after_.list().begin() + static_cast<ptrdiff_t>(before), after_.list().end());
  }
  std::swap(states_, after_);
}

bool CellStates::at_end() const {
  return std::any_of(states_.list().begin(), states_.list().end(),
                     [this](uint64_t place) { return cells_[static_cast<int>(place >> 32)].kind == Cell::Kind::kEnd; });
}

}  // namespace mailward
