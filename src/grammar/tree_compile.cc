#include <fmt/format.h>

#include <algorithm>

#include "grammar/tree_builder.h"

namespace mailward {
namespace {
constexpr size_t kMaxWays = 4096;      // of the part of one rule that is read from the right
constexpr size_t kMaxNodes = 400'000;  // of one program
}  // namespace

void TreeBuilder::build(Tree::Parts parts) {
  out_.once_.resize(patterns_.size());
  out_.kept_.resize(patterns_.size());
  for (uint32_t r = 0; r < patterns_.size(); ++r) {
    rule_ = r;
    for (const Element& e : *patterns_[r].pattern) collect(e);
    const uint32_t accept = add_accept({}, false);
    heads_.push_back(cells_.chain(
        rule_, *patterns_[r].pattern,
        cells_.add({.kind = Cell::Kind::kEnd, .text = {}, .type = {}, .next = {}, .rule = r, .accept = accept})));
  }
  if (heads_.empty()) return;  // a program without rules
  if (parts != Tree::Parts::kStraightWays) out_.root_ = place(build(heads_, true));
  if (parts != Tree::Parts::kNodes) lay_straight_ways();
}

void TreeBuilder::collect(const Element& e) {
  if (e.kind == Element::Kind::kOnce) out_.once_[rule_].push_back(keep_text(e.text));
  if (e.kind == Element::Kind::kField && e.capture != Capture::kNone)
    out_.kept_[rule_] |= 1U << static_cast<unsigned>(e.capture);
  for (const Pattern& branch : e.branches)
    for (const Element& inner : branch) collect(inner);
}

std::string_view TreeBuilder::keep_text(std::string text) {
  out_.text_.push_back(std::make_unique<std::string>(std::move(text)));
  return *out_.text_.back();
}

uint32_t TreeBuilder::table(const ByteSet& set) {
  const auto [it, added] = table_of_.try_emplace(set, static_cast<uint32_t>(out_.classes_.size()));
  if (added) {
    out_.classes_.emplace_back(set);
    out_.rows_.emplace_back(out_.classes_.back());
  }
  return it->second;
}

uint32_t TreeBuilder::place(const Built& built) {
  if (out_.nodes_.size() >= kMaxNodes) error(built.rule, "the rules of this program make too large a tree");
  const auto [it, added] = placed_.try_emplace(built.id, static_cast<uint32_t>(out_.nodes_.size()));
  if (added) {
    Tree::Node& n = out_.nodes_.emplace_back(built.node);
    const bool bare = n.length == 0 && n.other == Tree::kNowhere && n.beside == Tree::kNowhere;
    n.enter = static_cast<uint8_t>(bare ? n.op : Tree::Op::kLiteral);
  }
  return it->second;
}

auto TreeBuilder::build(std::vector<int> cells, bool forward) -> Built {
  cells = cells_.concrete(cells);
  auto& memo = forward ? forward_nodes_ : backward_nodes_;
  if (const auto it = memo.find(cells); it != memo.end()) return it->second;
  Built built = make(cells, forward);
  return memo.emplace(std::move(cells), built).first->second;
}

auto TreeBuilder::make(const std::vector<int>& cells, bool forward) -> Built {
  std::vector<int> literals, fields, frees, ends;
  for (int c : cells) {
    switch (cells_[c].kind) {
      case Cell::Kind::kLiteral:
        literals.push_back(c);
        break;
      case Cell::Kind::kField:
        fields.push_back(c);
        break;
      case Cell::Kind::kFree:
        frees.push_back(c);
        break;
      case Cell::Kind::kEnd:
        ends.push_back(c);
        break;
      case Cell::Kind::kFork:
        break;
    }
  }
  std::vector<OneWay> ways;
  field_ways(fields, forward, ways);
  for (int c : ends) {
    Built end = fresh(rule_of(c));
    end.node.op = Tree::Op::kAccept;
    end.node.index = cells_[c].accept;
    ways.push_back({end, {c}, forward ? ByteSet{} : ByteSet::all(), true, rank_of(c)});
  }
  if (!frees.empty()) {
    Built free = fresh(rule_of(frees[0]));
    const Built right = right_tree(frees);
    free.node.op = Tree::Op::kFree;
    free.node.index = place(right);
    free.forks = right.forks;
    ways.push_back({free, frees, ByteSet::all(), true, best_rank(frees)});
  }
  std::stable_sort(ways.begin(), ways.end(), [](const OneWay& a, const OneWay& b) { return a.best < b.best; });
  return literals.empty() ? one_of(ways, rule_of(cells[0])) : dispatch(literals, forward, ways);
}

// Several ways: by the next byte, those that it may begin, lower ranks first.
auto TreeBuilder::fork(const std::vector<OneWay>& ways, uint32_t rule) -> Built {
  Built built = fresh(rule);
  built.node.op = Tree::Op::kFork;
  built.node.index = static_cast<uint32_t>(out_.forks_.size());
  std::vector<uint32_t> places;
  for (const OneWay& way : ways) {
    places.push_back(place(way.built));
    built.forks = std::max(built.forks, way.built.forks + 1);
  }
  if (built.forks > Tree::kMaxChoices) error(rule, "too many optional parts and alternatives follow each other");
  if (ways.size() > 64)
    error(rule, "the rules part in more than 64 ways at one place: give the same field the same type in all of them");
  std::map<uint64_t, uint32_t> lists;  // by the ways in them, a bit each
  Tree::Fork fork;
  for (unsigned c = 0; c <= Tree::kAtEnd; ++c) {
    uint64_t viable = 0;
    for (size_t w = 0; w < ways.size(); ++w)
      if (c == Tree::kAtEnd ? ways[w].empty : ways[w].begins.has(static_cast<uint8_t>(c))) viable |= uint64_t{1} << w;
    const auto [it, added] = lists.try_emplace(viable, static_cast<uint32_t>(out_.ways_.size()));
    if (added) {
      for (size_t w = 0; w < ways.size(); ++w)
        if (viable >> w & 1) out_.ways_.push_back({places[w], ways[w].best});
      out_.ways_.push_back({Tree::kNowhere, 0});
    }
    fork.list[c] = it->second;
  }
  out_.forks_.push_back(fork);
  return built;
}

int TreeBuilder::best_rank(const std::vector<int>& cells) const {
  int best = INT32_MAX;
  for (int c : cells) best = std::min(best, rank_of(c));
  return best;
}

void TreeBuilder::field_ways(const std::vector<int>& fields, bool forward, std::vector<OneWay>& ways) {
  std::map<FieldGroup, FieldNext> groups;
  for (int c : fields) {
    const Cell& x = cells_[c];
    for (int next : cells_.concrete({x.next.begin(), x.next.end()})) {
      const auto back = cells_.give_back(x, next, forward);
      if (!back)
        error(x.rule, fmt::format("the end of {} can't be told: what follows may begin with a byte that the field "
                                  "itself may hold; use a literal that it can't hold, or {{…:free}}",
                                  x.capture == Capture::kNone ? "a field that is not kept"
                                                              : fmt::format("the field `{}`", name_of(x.capture))));
      FieldNext& group = groups[{x.type, *back, x.capture}];
      group.next.push_back(next);
      group.origin.push_back(c);
      group.rules.push_back(x.rule);
    }
  }
  join_unkept(groups);
  for (auto& [g, then] : groups) {
    const bool any = g.type.kind == Type::Kind::kPath || g.type.kind == Type::Kind::kQuoted || g.type.min == 0;
    ways.push_back({field(g, then, forward), then.origin, any ? ByteSet::all() : g.type.set, g.type.min == 0,
                    best_rank(then.next)});
  }
}

auto TreeBuilder::field(const FieldGroup& g, const FieldNext& then, bool forward) -> Built {
  Built built = fresh(then.rules[0]);
  const Built next = build(then.next, forward);
  built.forks = next.forks;
  Tree::Node& n = built.node;
  n.next = place(next);
  field_act(g, forward).give(n);
  return built;
}

auto TreeBuilder::field_act(const FieldGroup& g, bool forward) -> Act {
  Act n{.op = Tree::Op::kField};
  n.table = table(g.type.set);
  n.capture = g.capture;
  n.min = static_cast<uint8_t>(std::min<uint32_t>(g.type.min, UINT8_MAX));
  const auto [it, added] =
      field_of_.try_emplace(FieldGroup{g.type, g.back, Capture::kNone}, static_cast<uint32_t>(out_.fields_.size()));
  if (added) out_.fields_.push_back({g.type.kind, g.type.fixed(), g.back, n.table, g.type.min, g.type.max});
  n.index = it->second;
  const bool is_class = g.type.kind == Type::Kind::kClass;
  if (is_class && !g.type.fixed() && g.back == 0 && g.type.min <= UINT8_MAX && !out_.classes_[n.table].mixed) {
    // The commonest kind, and the cheapest.
    n.op = Tree::Op::kClass;
    n.index = g.type.max - g.type.min;
  } else if (forward && is_class && g.type.fixed() && g.type.min == 16 && g.type.set == kHex) {
    n.op = Tree::Op::kHex16;
  } else if (forward && g.type == kAddress && g.back == 0) {
    // An address of any kind and length; other types (address4) are read by their bytes.
    n.op = Tree::Op::kAddress;
  }
  return n;
}

// A field that one rule keeps and another only passes over is one edge, so that no byte is read
// twice: accept() drops what its rule does not keep. Not where the other rule keeps the same fact
// elsewhere, for that would be overwritten.
void TreeBuilder::join_unkept(std::map<FieldGroup, FieldNext>& groups) const {
  for (auto it = groups.begin(); it != groups.end();) {
    const auto& [g, unkept] = *it;
    auto kept = groups.lower_bound({g.type, g.back, Capture{}});
    const bool joins = g.capture == Capture::kNone && kept != it &&
                       std::none_of(unkept.rules.begin(), unkept.rules.end(), [&](uint32_t r) {
                         return out_.kept_[r] >> static_cast<unsigned>(kept->first.capture) & 1;
                       });
    if (!joins) {
      ++it;
      continue;
    }
    kept->second.next.insert(kept->second.next.end(), unkept.next.begin(), unkept.next.end());
    kept->second.origin.insert(kept->second.origin.end(), unkept.origin.begin(), unkept.origin.end());
    kept->second.rules.insert(kept->second.rules.end(), unkept.rules.begin(), unkept.rules.end());
    it = groups.erase(it);
  }
}

void TreeBuilder::ways(int c, Way& so_far, std::vector<Way>& out) const {
  const Cell& x = cells_[c];
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
  if (joined)
    so_far.back().text += x.text;
  else
    so_far.push_back({literal, x.text, x.type, x.capture});
  ways(x.next[0], so_far, out);
  so_far.resize(before);
  if (joined) so_far.back().text = saved;
}

// Can this field be read from the right, given what stands left of it?
bool TreeBuilder::readable_back(const Way& w, size_t i) {
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

auto TreeBuilder::right_tree(const std::vector<int>& frees) -> Built {
  std::vector<int> heads;
  for (int c : frees) {
    const Cell& x = cells_[c];
    std::vector<Way> all;
    Way way{{false, {}, x.type, x.capture}};
    ways(x.next[0], way, all);
    for (const Way& w : all) heads.push_back(right_chain(w, x.rule));
  }
  return build(std::move(heads), false);
}

// Splits one way into the middle and what is read from the right; the latter becomes a chain of
// cells that begins with its last element.
int TreeBuilder::right_chain(const Way& w, uint32_t rule) {
  size_t split = w.size();
  while (split > 1 && readable_back(w, split - 1)) --split;
  while (split < w.size() && !w[split].literal) ++split;  // the middle ends at a literal, or at the end
  const Way middle(w.begin(), w.begin() + static_cast<ptrdiff_t>(split));
  const bool address_right =
      std::any_of(w.begin(), w.end(), [](const Step& s) { return s.capture == Capture::kAddress; });
  const uint32_t accept = add_accept(middle, address_right, rule);
  int next = cells_.add({.kind = Cell::Kind::kEnd, .text = {}, .type = {}, .next = {}, .rule = rule, .accept = accept});
  for (size_t i = split; i < w.size(); ++i)
    next = cells_.add({.kind = w[i].literal ? Cell::Kind::kLiteral : Cell::Kind::kField,
                       .text = w[i].text,
                       .type = w[i].type,
                       .capture = w[i].capture,
                       .next = NextCells(next),
                       .rule = rule});
  return next;
}

uint32_t TreeBuilder::add_accept(const Way& middle, bool address_right, std::optional<uint32_t> of) {
  const uint32_t rule = of.value_or(rule_);
  for (size_t i = 0; i + 1 < middle.size(); ++i)
    if (!middle[i].literal && !middle[i + 1].literal)
      error(rule, "two fields stand side by side right of a free field: nothing tells where one ends");
  Tree::Accept a{rule,
                 static_cast<uint32_t>(out_.atoms_.size()),
                 static_cast<uint32_t>(middle.size()),
                 patterns_[rule].rank,
                 address_right,
                 !out_.once_[rule].empty()};
  for (const Step& s : middle) {
    Tree::Atom atom{};
    atom.kind = s.literal                          ? Tree::Atom::Kind::kLiteral
                : s.type.kind == Type::Kind::kFree ? Tree::Atom::Kind::kFree
                                                   : Tree::Atom::Kind::kField;
    // Free text over a closed alphabet is cut like free text and holds what a class holds.
    atom.type =
        s.type.kind == Type::Kind::kFree && !(ByteSet::all() - s.type.set).empty() ? Type::Kind::kClass : s.type.kind;
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

Result<Tree> Tree::compile(std::span<const TreePattern> patterns, Parts parts) {
  Tree tree;
  try {
    TreeBuilder(patterns, tree).build(parts);
  } catch (const CompileError& e) {
    return fail(fmt::format("rule `{}`: {}", patterns[e.rule].name, e.what));
  }
  return tree;
}

}  // namespace mailward
