#include <algorithm>
#include <cstring>

#include "grammar/tree_builder.h"

namespace mailward {
namespace {
constexpr size_t kMaxRuns = 512;  // literals that one node tells apart at once

std::string common(const std::string& a, const std::string& b, bool forward) {
  size_t n = 0;
  while (n < a.size() && n < b.size() && (forward ? a[n] == b[n] : a[a.size() - 1 - n] == b[b.size() - 1 - n])) ++n;
  return forward ? a.substr(0, n) : a.substr(a.size() - n);
}

// The bytes of a literal that a dispatch looks at.
uint64_t window(const std::string& text, uint64_t mask, uint32_t offset, bool forward) {
  uint64_t v = 0;
  const size_t at = forward ? offset : text.size() - offset;
  std::memcpy(&v, text.data() + at, std::min<size_t>(8, text.size() - at));
  return v & mask;
}
}  // namespace

// May what these cells begin go on, when `text` stands at its beginning (backwards: its end)? True
// where that is not easily seen.
bool TreeBuilder::possible(const std::vector<int>& begin, std::string_view text, bool forward) const {
  CellStates states(cells_, forward);
  for (int c : begin) states.enter(c);
  for (size_t i = 0; i < text.size() && !states.empty(); ++i) states.step(text[forward ? i : text.size() - 1 - i]);
  return !states.empty();
}

// The ways beside a literal: those that may go on where it stands, as a list in ways_.
class TreeBuilder::Beside {
 public:
  Beside(TreeBuilder& builder, const std::vector<OneWay>& ways, bool forward)
      : builder_(builder), ways_(ways), forward_(forward) {
    for (const OneWay& way : ways) {
      places_.push_back(builder.place(way.built));
      forks_ = std::max(forks_, way.built.forks + 1);
    }
  }
  uint32_t list(std::string_view text) {
    std::vector<size_t> open;
    for (size_t w = 0; w < ways_.size(); ++w)
      if ((ways_[w].empty || ways_[w].begins.has(forward_ ? text.front() : text.back())) &&
          builder_.possible(ways_[w].cells, text, forward_))
        open.push_back(w);
    if (open.empty()) return Tree::kNowhere;
    const auto [it, added] = lists_.try_emplace(open, static_cast<uint32_t>(builder_.out_.ways_.size()));
    if (added) {
      for (size_t w : open) builder_.out_.ways_.push_back({places_[w], ways_[w].best});
      builder_.out_.ways_.push_back({Tree::kNowhere, 0});
    }
    return it->second;
  }
  size_t forks() const { return forks_; }

 private:
  TreeBuilder& builder_;
  const std::vector<OneWay>& ways_;
  bool forward_;
  std::vector<uint32_t> places_;
  std::map<std::vector<size_t>, uint32_t> lists_;
  size_t forks_ = 0;
};

void TreeBuilder::runs(const std::vector<int>& literals, const std::string& so_far, bool forward,
                       std::vector<Run>& out) {
  std::map<char, std::vector<int>> by_first;
  for (int c : literals) {
    const std::string& text = cells_[c].text;
    by_first[forward ? text.front() : text.back()].push_back(c);
  }
  for (const auto& [first, group] : by_first) {
    std::string run = cells_[group[0]].text;
    for (int c : group) run = common(run, cells_[c].text, forward);
    std::vector<int> after = cells_.concrete(cells_.beyond(group, run.size(), forward));
    run.insert(forward ? 0 : run.size(), so_far);
    const bool only_literals =
        std::all_of(after.begin(), after.end(), [this](int c) { return cells_[c].kind == Cell::Kind::kLiteral; });
    if (only_literals && out.size() + after.size() < kMaxRuns)
      runs(after, run, forward, out);
    else
      out.push_back({std::move(run), std::move(after)});
  }
}

// The literal, and what is done after it, in one node.
auto TreeBuilder::literal(const Run& run, bool forward) -> Built {
  Built then = build(run.after, forward);
  if (then.node.length > 0) {
    const uint32_t next = place(then);
    then.node = {};
    then.node.next = next;
  }
  then.id = next_id_++;
  set_literal(then.node, run.text, forward);
  return then;
}

void TreeBuilder::set_literal(Tree::Node& n, const std::string& text, bool forward) {
  const size_t length = text.size(), here = std::min(length, Tree::kInline);
  n.length = static_cast<uint32_t>(length);
  std::memcpy(n.text, text.data() + (forward ? 0 : length - here), here);
  if (length == here) return;
  n.rest = static_cast<uint32_t>(out_.pool_.size());
  out_.pool_ += forward ? text.substr(here) : text.substr(0, length - here);
}

// One of these literals, or one of `others`.
auto TreeBuilder::dispatch(const std::vector<int>& literals, bool forward, const std::vector<OneWay>& others) -> Built {
  std::vector<Run> all;
  runs(literals, {}, forward, all);
  Beside beside(*this, others, forward);
  const uint32_t rule = rule_of(literals[0]);
  const uint32_t miss = others.empty() ? Tree::kNowhere : place(one_of(others, rule));
  Built built;
  if (all.size() == 1) {
    built = literal(all[0], forward);
    built.node.other = miss;
    built.node.beside = beside.list(all[0].text);
  } else {
    built = fresh(rule);
    const Tree::Dispatch d = best_dispatch(all, forward, miss, beside, built.forks);
    built.node.op = Tree::Op::kDispatch;
    built.node.index = static_cast<uint32_t>(out_.dispatches_.size());
    out_.dispatches_.push_back(d);
  }
  built.forks = std::max(built.forks + (others.empty() ? 0 : 1), beside.forks());
  if (built.forks > Tree::kMaxChoices) error(rule, "too many optional parts and alternatives follow each other");
  return built;
}

// Picks the bytes that tell the literals apart best, and fills the table.
Tree::Dispatch TreeBuilder::best_dispatch(const std::vector<Run>& all, bool forward, uint32_t miss, Beside& beside,
                                          size_t& forks) {
  size_t least = all[0].text.size();
  for (const Run& r : all) least = std::min(least, r.text.size());
  uint32_t bits = 2;
  while ((size_t{1} << bits) < all.size() * 2 && bits < 10) ++bits;
  Tree::Dispatch best{};
  size_t best_cost = SIZE_MAX;
  for (size_t width = std::min<size_t>(8, least); width > 0; --width) {
    for (size_t at = 0; at + width <= least; ++at) {
      Tree::Dispatch d{width == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * width)) - 1,
                       static_cast<uint32_t>(forward ? at : at + width),
                       0,
                       64 - bits,
                       static_cast<uint32_t>(least),
                       miss};
      std::vector<size_t> in_slot(size_t{1} << bits);
      size_t cost = 0;
      for (const Run& r : all) cost += in_slot[window(r.text, d.mask, d.offset, forward) * Tree::kHash >> d.shift]++;
      if (cost < best_cost) best = d, best_cost = cost;
    }
  }
  std::vector<std::vector<Run>> slots(size_t{1} << bits);
  for (const Run& r : all)
    slots[window(r.text, best.mask, best.offset, forward) * Tree::kHash >> best.shift].push_back(r);
  std::vector<uint32_t> firsts;
  for (const auto& slot : slots) {
    uint32_t other = miss;
    const std::vector<Run> row = families(slot, forward);
    for (size_t i = row.size(); i-- > 0;) {
      Built built = literal(row[i], forward);
      built.node.other = other;
      built.node.beside = beside.list(row[i].text);
      other = place(built);
      forks = std::max(forks, built.forks);
    }
    firsts.push_back(other);
  }
  best.slots = static_cast<uint32_t>(out_.slots_.size());
  out_.slots_.insert(out_.slots_.end(), firsts.begin(), firsts.end());
  return best;
}

// Literals of one slot that begin alike become one, which leads to a node that tells them apart.
auto TreeBuilder::families(const std::vector<Run>& slot, bool forward) -> std::vector<Run> {
  std::vector<Run> out;
  std::vector<bool> taken(slot.size());
  for (size_t i = 0; i < slot.size(); ++i) {
    if (taken[i]) continue;
    std::vector<size_t> members{i};
    std::string shared = slot[i].text;
    for (size_t j = i + 1; j < slot.size(); ++j) {
      const std::string both = common(shared, slot[j].text, forward);
      if (taken[j] || both.size() < 8) continue;
      shared = both;
      members.push_back(j);
      taken[j] = true;
    }
    if (members.size() == 1) {
      out.push_back(slot[i]);
      continue;
    }
    Run family{shared, {}};
    for (size_t m : members) {
      const std::string& text = slot[m].text;
      const std::string rest = forward ? text.substr(shared.size()) : text.substr(0, text.size() - shared.size());
      for (int after : slot[m].after)
        family.after.push_back(rest.empty() ? after
                                            : cells_.add({.kind = Cell::Kind::kLiteral,
                                                          .text = rest,
                                                          .type = {},
                                                          .next = NextCells(after),
                                                          .rule = cells_[after].rule}));
    }
    out.push_back(std::move(family));
  }
  return out;
}

}  // namespace mailward
