// From patterns to a tree. Patterns first become chains of cells (one cell: a literal, a field, a
// fork of an optional part …) that end in the rule they belong to; a node of the tree is a set of
// cells, so that what rules have in common is walked once, and ways that come together again share
// what follows.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "grammar/tree.h"

namespace mailward {
namespace {

constexpr size_t kMaxWays = 4096;     // of the part of one rule that is read from the right
constexpr size_t kMaxNodes = 400'000; // of one program
constexpr size_t kMaxRuns = 512;      // literals that one node tells apart at once

struct Cell {
  enum class Kind : uint8_t { kLiteral, kField, kFork, kFree, kEnd } kind;
  std::string text;
  Type type;
  Capture capture = Capture::kNone;
  std::vector<int> next;  // kFork: the ways; kEnd: none; else one
  uint32_t rule = 0;
  uint32_t accept = 0;    // kEnd
  auto key() const { return std::tie(kind, text, type, capture, next, rule, accept); }
};
struct CellLess {
  bool operator()(const Cell& a, const Cell& b) const { return a.key() < b.key(); }
};

// One element of one way through a pattern.
struct Step {
  bool literal;
  std::string text;
  Type type;
  Capture capture;
};
using Way = std::vector<Step>;

struct CompileError {
  uint32_t rule;
  std::string what;
};

}  // namespace

class TreeBuilder {
 public:
  TreeBuilder(std::span<const TreePattern> patterns, Tree& out) : patterns_(patterns), out_(out) {}

  void build() {
    out_.once_.resize(patterns_.size());
    out_.kept_.resize(patterns_.size());
    std::vector<int> heads;
    for (uint32_t r = 0; r < patterns_.size(); ++r) {
      rule_ = r;
      for (const Element& e : *patterns_[r].pattern) collect(e);
      const uint32_t accept = add_accept({}, false);
      heads.push_back(chain(*patterns_[r].pattern, cell({.kind = Cell::Kind::kEnd, .text = {}, .type = {}, .next = {}, .rule = r, .accept = accept})));
    }
    out_.root_ = node(std::move(heads), true);
  }

 private:
  [[noreturn]] void error(uint32_t rule, std::string what) const { throw CompileError{rule, std::move(what)}; }

  void collect(const Element& e) {
    if (e.kind == Element::Kind::kOnce) out_.once_[rule_].push_back(keep_text(e.text));
    if (e.kind == Element::Kind::kField && e.capture != Capture::kNone) out_.kept_[rule_] |= 1U << static_cast<unsigned>(e.capture);
    for (const Pattern& branch : e.branches)
      for (const Element& inner : branch) collect(inner);
  }

  std::string_view keep_text(std::string text) {
    out_.text_.push_back(std::make_unique<std::string>(std::move(text)));
    return *out_.text_.back();
  }

  uint32_t table(const ByteSet& set) {
    const auto [it, added] = table_of_.try_emplace(set, static_cast<uint32_t>(out_.classes_.size()));
    if (added) {
      out_.classes_.emplace_back(set);
      set_of_.push_back(set);
    }
    return it->second;
  }

  // ---------------------------------------------------------------- cells

  int cell(Cell c) {
    const auto [it, added] = cell_of_.try_emplace(std::move(c), static_cast<int>(cells_.size()));
    if (added) cells_.push_back(&it->first);
    return it->second;
  }

  int chain(const Pattern& p, int next) {
    for (size_t i = p.size(); i-- > 0;) next = before(p[i], next);
    return next;
  }

  int before(const Element& e, int next) {
    switch (e.kind) {
      case Element::Kind::kLiteral:
      case Element::Kind::kOnce:
        return e.text.empty() ? next : cell({.kind = Cell::Kind::kLiteral, .text = e.text, .type = {}, .next = {next}, .rule = rule_});
      case Element::Kind::kField:
        return cell({.kind = e.type.kind == Type::Kind::kFree ? Cell::Kind::kFree : Cell::Kind::kField, .text = {}, .type = e.type, .capture = e.capture, .next = {next}, .rule = rule_});
      case Element::Kind::kChoice: {
        std::vector<int> ways;
        for (const Pattern& branch : e.branches) ways.push_back(chain(branch, next));
        std::sort(ways.begin(), ways.end());
        ways.erase(std::unique(ways.begin(), ways.end()), ways.end());
        return cell({.kind = Cell::Kind::kFork, .text = {}, .type = {}, .next = std::move(ways), .rule = rule_});
      }
    }
    return next;
  }

  void expand(int c, std::vector<int>& out) const {
    if (cells_[static_cast<size_t>(c)]->kind != Cell::Kind::kFork) {
      out.push_back(c);
      return;
    }
    for (int way : cells_[static_cast<size_t>(c)]->next) expand(way, out);
  }

  std::vector<int> concrete(const std::vector<int>& cells) const {
    std::vector<int> out;
    for (int c : cells) expand(c, out);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }

  // The bytes that may come first (read backwards: last) in what a cell begins. In the right tree
  // the end means that free text stands there, which may hold anything.
  ByteSet first_bytes(int c, bool forward) const {
    const Cell& x = *cells_[static_cast<size_t>(c)];
    switch (x.kind) {
      case Cell::Kind::kLiteral: return ByteSet::of(forward ? x.text.substr(0, 1) : x.text.substr(x.text.size() - 1));
      case Cell::Kind::kEnd: return forward ? ByteSet{} : ByteSet::all();
      case Cell::Kind::kFree: return ByteSet::all();
      case Cell::Kind::kFork: {
        ByteSet s;
        for (int way : x.next) s = s | first_bytes(way, forward);
        return s;
      }
      case Cell::Kind::kField: {
        const ByteSet own = x.type.kind == Type::Kind::kPath || x.type.kind == Type::Kind::kQuoted ? ByteSet::all() : x.type.set;
        return x.type.min == 0 ? own | first_bytes(x.next[0], forward) : own;
      }
    }
    return ByteSet::all();
  }

  // How many bytes of the field's class belong to what follows: 0 where what follows begins with a
  // byte outside the class, k where it is a literal whose first byte outside is the k-th; nothing
  // where the end of the field can't be told.
  std::optional<uint16_t> give_back(const Cell& field, int next, bool forward) const {
    if (field.type.kind == Type::Kind::kPath || field.type.kind == Type::Kind::kQuoted) {
      const ByteSet stop = ByteSet::of(field.type.kind == Type::Kind::kPath ? ">" : "\"");
      if (!forward || !(first_bytes(next, true) - stop).empty()) return {};
      return uint16_t{0};
    }
    if (field.type.fixed()) return uint16_t{0};
    if ((first_bytes(next, forward) & field.type.set).empty()) return uint16_t{0};
    const Cell& after = *cells_[static_cast<size_t>(next)];
    if (after.kind != Cell::Kind::kLiteral) return {};
    for (size_t k = 0; k < after.text.size(); ++k)
      if (!field.type.set.has(after.text[forward ? k : after.text.size() - 1 - k])) return static_cast<uint16_t>(k);
    return {};
  }

  // ---------------------------------------------------------------- nodes

  uint32_t node(std::vector<int> cells, bool forward) {
    cells = concrete(cells);
    auto& memo = forward ? forward_nodes_ : backward_nodes_;
    if (const auto it = memo.find(cells); it != memo.end()) return it->second;
    if (out_.nodes_.size() >= kMaxNodes) error(cells.empty() ? 0 : cells_[static_cast<size_t>(cells[0])]->rule, "the rules of this program make too large a tree");
    const auto index = static_cast<uint32_t>(out_.nodes_.size());
    memo.emplace(cells, index);
    out_.nodes_.push_back({});
    std::vector<Tree::Alternative> ways;
    std::vector<int> literals, fields, frees, ends;
    for (int c : cells) {
      switch (cells_[static_cast<size_t>(c)]->kind) {
        case Cell::Kind::kLiteral: literals.push_back(c); break;
        case Cell::Kind::kField: fields.push_back(c); break;
        case Cell::Kind::kFree: frees.push_back(c); break;
        case Cell::Kind::kEnd: ends.push_back(c); break;
        case Cell::Kind::kFork: break;
      }
    }
    std::vector<ByteSet> begins;  // of each way: the bytes that it may begin with
    std::vector<bool> ends_here;  // and whether it may be empty
    auto add = [&](Tree::Alternative way, const ByteSet& set, bool empty) {
      ways.push_back(way);
      begins.push_back(set);
      ends_here.push_back(empty);
    };
    if (!literals.empty()) {
      ByteSet set;
      for (int c : literals) set = set | first_bytes(c, forward);
      add(dispatch(literals, forward), set, false);
    }
    for (uint32_t f : field_edges(fields, forward)) {
      const Tree::FieldEdge& edge = out_.fields_[f];
      const bool any = edge.kind == Type::Kind::kPath || edge.kind == Type::Kind::kQuoted || edge.min == 0;
      const bool hex16 = forward && edge.kind == Type::Kind::kClass && edge.min == 16 && edge.max == 16 && edge.table == table(hex_);
      // A class of any length that ends where its bytes end: the commonest kind, and the cheapest.
      const bool plain = forward && edge.kind == Type::Kind::kClass && edge.max == kNoMaximum && edge.give_back == 0 && !out_.classes_[edge.table].mixed;
      add({hex16 ? Tree::Step::kHex16 : plain ? Tree::Step::kClass : Tree::Step::kField, f}, any ? ByteSet::all() : set_of_[edge.table], edge.min == 0);
    }
    for (int c : ends) add({Tree::Step::kAccept, cells_[static_cast<size_t>(c)]->accept}, forward ? ByteSet{} : ByteSet::all(), true);
    if (!frees.empty()) add({Tree::Step::kFree, right_tree(frees)}, ByteSet::all(), true);
    if (ways.size() > 32) error(cells_[static_cast<size_t>(cells[0])]->rule, "the rules part in more than 32 ways at one place: give the same field the same type in all of them");
    out_.nodes_[index] = {ways[0].step, static_cast<uint8_t>(ways.size()), ways[0].index, static_cast<uint32_t>(out_.alternatives_.size()), 0};
    if (ways.size() == 1) return index;
    out_.nodes_[index].viable = static_cast<uint32_t>(out_.viable_.size());
    out_.alternatives_.insert(out_.alternatives_.end(), ways.begin(), ways.end());
    auto& viable = out_.viable_.emplace_back();
    for (size_t w = 0; w < ways.size(); ++w) {
      for (unsigned c = 0; c < 256; ++c)
        if (begins[w].has(static_cast<uint8_t>(c))) viable[c] |= 1U << w;
      if (ends_here[w]) viable[Tree::kAtEnd] |= 1U << w;
    }
    return index;
  }

  static std::string common(const std::string& a, const std::string& b, bool forward) {
    size_t n = 0;
    while (n < a.size() && n < b.size() && (forward ? a[n] == b[n] : a[a.size() - 1 - n] == b[b.size() - 1 - n])) ++n;
    return forward ? a.substr(0, n) : a.substr(a.size() - n);
  }

  // Literals that a node may continue with: whole runs, as far as nothing but literals can follow.
  struct Run {
    std::string text;
    std::vector<int> after;
  };

  void runs(std::vector<int> literals, std::string so_far, bool forward, std::vector<Run>& out) {
    std::map<char, std::vector<int>> by_first;
    for (int c : literals) {
      const std::string& text = cells_[static_cast<size_t>(c)]->text;
      by_first[forward ? text.front() : text.back()].push_back(c);
    }
    for (const auto& [first, group] : by_first) {
      std::string run = cells_[static_cast<size_t>(group[0])]->text;
      for (int c : group) run = common(run, cells_[static_cast<size_t>(c)]->text, forward);
      std::vector<int> after = concrete(beyond(group, run.size(), forward));
      run = forward ? so_far + run : run + so_far;
      const bool only_literals = std::all_of(after.begin(), after.end(), [this](int c) { return cells_[static_cast<size_t>(c)]->kind == Cell::Kind::kLiteral; });
      if (only_literals && out.size() + after.size() < kMaxRuns) runs(std::move(after), std::move(run), forward, out);
      else out.push_back({std::move(run), std::move(after)});
    }
  }

  Tree::Literal literal(const Run& run, bool forward) {
    Tree::Literal l{};
    const std::string_view kept = keep_text(run.text);
    l.text = kept.data();
    l.length = static_cast<uint32_t>(kept.size());
    const size_t n = std::min<size_t>(8, kept.size());
    std::memcpy(&l.head, kept.data(), n);
    std::memset(&l.mask, 0xff, n);
    l.next = node(run.after, forward);
    return l;
  }

  Tree::Alternative dispatch(const std::vector<int>& literals, bool forward) {
    std::vector<Run> all;
    runs(literals, {}, forward, all);
    if (all.size() == 1) {
      const Tree::Literal l = literal(all[0], forward);
      out_.literals_.push_back(l);
      return {Tree::Step::kLiteral, static_cast<uint32_t>(out_.literals_.size() - 1)};
    }
    out_.dispatches_.push_back(best_dispatch(all, forward));
    return {Tree::Step::kLiterals, static_cast<uint32_t>(out_.dispatches_.size() - 1)};
  }

  static uint64_t window(const std::string& text, const Tree::Dispatch& d, bool forward) {
    uint64_t v = 0;
    const size_t at = forward ? d.offset : text.size() - d.offset;
    std::memcpy(&v, text.data() + at, std::min<size_t>(8, text.size() - at));
    return v & d.mask;
  }

  // Picks the bytes that tell the literals apart best, and fills the table.
  Tree::Dispatch best_dispatch(const std::vector<Run>& all, bool forward) {
    size_t least = all[0].text.size();
    for (const Run& r : all) least = std::min(least, r.text.size());
    uint32_t bits = 2;
    while ((size_t{1} << bits) < all.size() * 2 && bits < 10) ++bits;
    Tree::Dispatch best{};
    size_t best_cost = SIZE_MAX;
    for (size_t width = std::min<size_t>(8, least); width > 0; --width) {
      for (size_t at = 0; at + width <= least; ++at) {
        Tree::Dispatch d{width == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * width)) - 1, static_cast<uint32_t>(forward ? at : at + width), 0, 64 - bits, static_cast<uint32_t>(least)};
        std::vector<size_t> in_slot(size_t{1} << bits);
        size_t cost = 0;
        for (const Run& r : all) cost += in_slot[window(r.text, d, forward) * Tree::kHash >> d.shift]++;
        if (cost < best_cost) best = d, best_cost = cost;
      }
    }
    std::vector<std::vector<Run>> slots(size_t{1} << bits);
    for (const Run& r : all) slots[window(r.text, best, forward) * Tree::kHash >> best.shift].push_back(r);
    std::vector<std::vector<Tree::Literal>> rows;
    for (const auto& slot : slots) {
      auto& row = rows.emplace_back();
      for (const Run& r : families(slot, forward)) row.push_back(literal(r, forward));
    }
    best.slots = static_cast<uint32_t>(out_.slots_.size());
    for (auto& row : rows) {
      out_.slots_.push_back(row.empty() ? Tree::kEmpty : static_cast<uint32_t>(out_.literals_.size()));
      for (size_t i = 0; i < row.size(); ++i) {
        row[i].more = static_cast<uint32_t>(row.size() - 1 - i);
        out_.literals_.push_back(row[i]);
      }
    }
    return best;
  }

  // Literals of one slot that begin alike become one, which leads to a node that tells them apart.
  std::vector<Run> families(const std::vector<Run>& slot, bool forward) {
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
          family.after.push_back(rest.empty() ? after : cell({.kind = Cell::Kind::kLiteral, .text = rest, .type = {}, .next = {after}, .rule = cells_[static_cast<size_t>(after)]->rule}));
      }
      out.push_back(std::move(family));
    }
    return out;
  }

  std::vector<int> beyond(const std::vector<int>& group, size_t length, bool forward) {
    std::vector<int> after;
    for (int c : group) {
      const Cell x = *cells_[static_cast<size_t>(c)];
      if (x.text.size() == length) {
        after.push_back(x.next[0]);
        continue;
      }
      Cell rest = x;
      rest.text = forward ? x.text.substr(length) : x.text.substr(0, x.text.size() - length);
      after.push_back(cell(std::move(rest)));
    }
    return after;
  }

  struct FieldGroup {
    Type type;
    uint16_t back;
    Capture capture;  // kNone sorts last
    auto operator<=>(const FieldGroup&) const = default;
  };
  struct FieldNext {
    std::vector<int> next;
    std::vector<uint32_t> rules;
  };

  std::vector<uint32_t> field_edges(const std::vector<int>& fields, bool forward) {
    std::map<FieldGroup, FieldNext> groups;
    for (int c : fields) {
      const Cell& x = *cells_[static_cast<size_t>(c)];
      for (int next : concrete(x.next)) {
        const auto back = give_back(x, next, forward);
        if (!back) error(x.rule, fmt::format("the end of the field `{}` can't be told: what follows may begin with a byte that the field itself may hold; use a literal that it can't hold, or {{…:free}}", name_of(x.capture)));
        FieldNext& group = groups[{x.type, *back, x.capture}];
        group.next.push_back(next);
        group.rules.push_back(x.rule);
      }
    }
    join_unkept(groups);
    std::vector<uint32_t> out;
    for (auto& [g, then] : groups) {
      Tree::FieldEdge f{g.type.kind, g.capture, g.type.fixed(), g.back, table(g.type.set), g.type.min, g.type.max, 0};
      f.next = node(then.next, forward);
      out_.fields_.push_back(f);
      out.push_back(static_cast<uint32_t>(out_.fields_.size() - 1));
    }
    return out;
  }

  // A field that one rule keeps and another only passes over is one edge, so that no byte is read
  // twice: accept() drops what its rule does not keep. Not where the other rule keeps the same fact
  // elsewhere, for that would be overwritten.
  void join_unkept(std::map<FieldGroup, FieldNext>& groups) const {
    for (auto it = groups.begin(); it != groups.end();) {
      const auto& [g, unkept] = *it;
      auto kept = groups.lower_bound({g.type, g.back, Capture{}});
      const bool joins = g.capture == Capture::kNone && kept != it &&
                         std::none_of(unkept.rules.begin(), unkept.rules.end(), [&](uint32_t r) { return out_.kept_[r] >> static_cast<unsigned>(kept->first.capture) & 1; });
      if (!joins) {
        ++it;
        continue;
      }
      kept->second.next.insert(kept->second.next.end(), unkept.next.begin(), unkept.next.end());
      kept->second.rules.insert(kept->second.rules.end(), unkept.rules.begin(), unkept.rules.end());
      it = groups.erase(it);
    }
  }

  // ---------------------------------------------------------------- the right end

  void ways(int c, Way& so_far, std::vector<Way>& out) const {
    const Cell& x = *cells_[static_cast<size_t>(c)];
    if (out.size() > kMaxWays) error(x.rule, "too many optional parts right of a free field");
    if (x.kind == Cell::Kind::kEnd) {
      out.push_back(so_far);
      return;
    }
    if (x.kind == Cell::Kind::kFork) {
      for (int way : x.next) ways(way, so_far, out);
      return;
    }
    const size_t before = so_far.size();
    const bool literal = x.kind == Cell::Kind::kLiteral;
    const bool joined = literal && before > 0 && so_far.back().literal;
    const std::string saved = joined ? so_far.back().text : std::string{};
    if (joined) so_far.back().text += x.text;
    else so_far.push_back({literal, x.text, x.type, x.capture});
    ways(x.next[0], so_far, out);
    so_far.resize(before);
    if (joined) so_far.back().text = saved;
  }

  // Can this field be read from the right, given what stands left of it?
  static bool readable_back(const Way& w, size_t i) {
    const Step& s = w[i];
    if (s.literal) return true;
    if (s.type.kind != Type::Kind::kClass && s.type.kind != Type::Kind::kAddress) return false;
    if (s.type.fixed()) return true;
    const Step& left = w[i - 1];
    if (!left.literal) return false;
    for (size_t k = left.text.size(); k-- > 0;)
      if (!s.type.set.has(left.text[k])) return true;
    return false;
  }

  uint32_t right_tree(const std::vector<int>& frees) {
    std::vector<int> heads;
    for (int c : frees) {
      const Cell& x = *cells_[static_cast<size_t>(c)];
      std::vector<Way> all;
      Way way{{false, {}, x.type, x.capture}};
      ways(x.next[0], way, all);
      for (const Way& w : all) heads.push_back(right_chain(w, x.rule));
    }
    return node(std::move(heads), false);
  }

  // Splits one way into the middle and what is read from the right; the latter becomes a chain of
  // cells that begins with its last element.
  int right_chain(const Way& w, uint32_t rule) {
    size_t split = w.size();
    while (split > 1 && readable_back(w, split - 1)) --split;
    while (split < w.size() && !w[split].literal) ++split;  // the middle ends at a literal, or at the end
    const Way middle(w.begin(), w.begin() + static_cast<ptrdiff_t>(split));
    const bool address_right = std::any_of(w.begin(), w.end(), [](const Step& s) { return s.capture == Capture::kAddress; });
    const uint32_t accept = add_accept(middle, address_right, rule);
    int next = cell({.kind = Cell::Kind::kEnd, .text = {}, .type = {}, .next = {}, .rule = rule, .accept = accept});
    for (size_t i = split; i < w.size(); ++i)
      next = cell({.kind = w[i].literal ? Cell::Kind::kLiteral : Cell::Kind::kField, .text = w[i].text, .type = w[i].type, .capture = w[i].capture, .next = {next}, .rule = rule});
    return next;
  }

  uint32_t add_accept(const Way& middle, bool address_right, std::optional<uint32_t> of = {}) {
    const uint32_t rule = of.value_or(rule_);
    for (size_t i = 0; i + 1 < middle.size(); ++i)
      if (!middle[i].literal && !middle[i + 1].literal) error(rule, "two fields stand side by side right of a free field: nothing tells where one ends");
    Tree::Accept a{rule, static_cast<uint32_t>(out_.atoms_.size()), static_cast<uint32_t>(middle.size()), address_right, !out_.once_[rule].empty()};
    for (const Step& s : middle) {
      Tree::Atom atom{};
      atom.kind = s.literal ? Tree::Atom::Kind::kLiteral : s.type.kind == Type::Kind::kFree ? Tree::Atom::Kind::kFree : Tree::Atom::Kind::kField;
      // Free text over a closed alphabet is cut like free text and holds what a class holds.
      atom.type = s.type.kind == Type::Kind::kFree && !(ByteSet::all() - s.type.set).empty() ? Type::Kind::kClass : s.type.kind;
      atom.capture = s.capture;
      atom.table = table(s.type.set);
      atom.min = s.type.min;
      atom.max = s.type.max;
      if (s.literal) atom.text = keep_text(s.text);
      out_.atoms_.push_back(atom);
    }
    out_.accepts_.push_back(a);
    return static_cast<uint32_t>(out_.accepts_.size() - 1);
  }

  const ByteSet hex_ = builtin_types().at("hex").type.set;
  std::span<const TreePattern> patterns_;
  Tree& out_;
  uint32_t rule_ = 0;
  std::map<Cell, int, CellLess> cell_of_;
  std::vector<const Cell*> cells_;
  std::map<ByteSet, uint32_t> table_of_;
  std::vector<ByteSet> set_of_;  // by number of the class
  std::map<std::vector<int>, uint32_t> forward_nodes_, backward_nodes_;
};

Result<Tree> Tree::compile(std::span<const TreePattern> patterns) {
  Tree tree;
  try {
    TreeBuilder(patterns, tree).build();
  } catch (const CompileError& e) {
    return fail(fmt::format("rule `{}`: {}", patterns[e.rule].name, e.what));
  }
  return tree;
}

}  // namespace mailward
