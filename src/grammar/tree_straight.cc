#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/address.h"
#include "grammar/tree_builder.h"

namespace mailward {
namespace {

// The way that a message takes through cells, without choices. Places that lead nowhere are remembered:
// each cell is tried once at each byte.
class WayFinder {
 public:
  explicit WayFinder(const Cells& cells) : cells_(cells) {}

  // The literals and fields, one after the other; holds until the next call.
  std::optional<std::span<const int>> from(int head, std::string_view text) {
    text_ = text;
    way_.clear();
    forks_.clear();
    nowhere_.clear();
    if (!go(head, 0)) return {};
    std::reverse(way_.begin(), way_.end());
    return way_;
  }

 private:
  bool go(int c, size_t at) {
    const Cell& x = cells_[c];
    if (x.kind == Cell::Kind::kEnd) return at == text_.size();
    if (x.kind == Cell::Kind::kLiteral) {
      if (!text_.substr(at).starts_with(x.text) || !go(x.next[0], at + x.text.size())) return false;
      way_.push_back(c);
      return true;
    }
    if (nowhere_.has(c, at)) return false;
    const bool found = x.kind == Cell::Kind::kFork ? fork(c, at) : field(c, x, at);
    if (!found) nowhere_.insert(c, at);
    return found;
  }

  // As the nodes do it: rather with an optional part than without (whose cell is an older one), what is
  // closed first, free text last.
  bool fork(int c, size_t at) {
    const size_t first = forks_.size();
    cells_.concrete(c, forks_);
    const size_t end = forks_.size();
    bool found = false;
    for (const bool free : {false, true})
      for (size_t i = end; i-- > first && !found;)
        found = (cells_[forks_[i]].kind == Cell::Kind::kFree) == free && go(forks_[i], at);
    forks_.resize(first);
    return found;
  }

  bool field(int c, const Cell& x, size_t at) {
    for (size_t length = 0; at + length <= text_.size() && length <= x.type.max; ++length) {
      if (length > 0 && !x.is_nested() && !x.type.set.has(text_[at + length - 1])) return false;
      if (length < x.type.min || (x.type.kind == Type::Kind::kAddress && !parse_address(text_.substr(at, length))))
        continue;
      if (!go(x.next[0], at + length)) continue;
      way_.push_back(c);
      return true;
    }
    return false;
  }

  const Cells& cells_;
  std::string_view text_;
  std::vector<int> way_;    // from its end
  std::vector<int> forks_;  // ways of the forks that are being tried
  CellPlaces nowhere_;
};

// What makes ways one: the same literals and fields.
std::string shape_of(const Pattern& way) {
  std::string out;
  const auto put = [&](const auto& v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); };
  for (const Element& e : way) {
    put(e.text.size());
    out += e.text;
    if (!e.text.empty()) continue;
    put(e.capture);
    put(e.type.kind);
    put(e.type.min);
    put(e.type.max);
    put(e.type.set);
  }
  return out;
}

// Where this literal stands, may that one stand too? (Empty: no literal.) `other_ends`: and be all.
bool may_stand_too(const std::string& text, const std::string& other, bool other_ends, bool forward) {
  if (text.empty() || other.empty()) return true;
  if (other_ends && text.size() > other.size()) return false;
  return forward ? text.starts_with(other) || other.starts_with(text) : text.ends_with(other) || other.ends_with(text);
}

}  // namespace

// The rules of lower ranks, all at once: where they begin, and where they may stand after the first byte.
class TreeBuilder::Earlier {
 public:
  explicit Earlier(const Cells& cells) : cells_(cells), begin_(cells, true), states_(cells, true) {}
  void enter(int head) { begin_.enter(head); }

  // Can one of them explain a line that goes this way? True where that is not easily seen.
  bool explain(std::span<const int> way) {
    if (begin_.empty()) return false;
    bool first = true;
    for (const int c : way) {
      const Cell& x = cells_[c];
      if (x.kind == Cell::Kind::kLiteral) {
        for (const char byte : x.text) {
          if (first)
            states_.set(after(byte));
          else
            states_.step(byte);
          first = false;
          if (states_.empty()) return false;
        }
      } else {
        if (first) states_.set(begin_.places());
        states_.repeat(x.is_nested() ? ByteSet::all() : x.type.set, x.type.min == 0 || x.is_nested());
        first = false;
        if (states_.empty()) return false;
      }
    }
    return first ? begin_.at_end() : states_.at_end();
  }

 private:
  const std::vector<uint64_t>& after(char byte) {
    const auto [it, added] = after_.try_emplace(byte);
    if (added) {
      states_.set(begin_.places());
      states_.step(byte);
      it->second = states_.places();
    }
    return it->second;
  }
  const Cells& cells_;
  CellStates begin_, states_;
  std::map<char, std::vector<uint64_t>> after_;  // one byte
};

// Elements of cells; literals side by side become one.
Pattern TreeBuilder::joined(std::span<const int> way) const {
  Pattern out;
  out.reserve(way.size());
  for (const int c : way) {
    const Cell& x = cells_[c];
    const bool literal = x.kind == Cell::Kind::kLiteral;
    if (literal && !out.empty() && out.back().kind == Element::Kind::kLiteral)
      out.back().text += x.text;
    else
      out.push_back({literal ? Element::Kind::kLiteral : Element::Kind::kField, x.text, x.type, x.capture, {}});
  }
  return out;
}

void TreeBuilder::lay_straight_ways() {
  std::vector<Straight> all;
  std::unordered_map<std::string, size_t> known;  // by shape: in `all`
  std::map<int, Earlier> earlier;                 // by rank
  for (const TreePattern& pattern : patterns_) {
    const auto [rules, added] = earlier.try_emplace(pattern.rank, cells_);
    for (uint32_t r = 0; added && r < patterns_.size(); ++r)
      if (patterns_[r].rank < pattern.rank) rules->second.enter(heads_[r]);
  }
  WayFinder finder(cells_);
  for (rule_ = 0; rule_ < patterns_.size(); ++rule_) {
    if (!out_.once_[rule_].empty()) continue;
    for (std::string_view sample : patterns_[rule_].samples) {
      const std::optional<std::span<const int>> way = finder.from(heads_[rule_], sample);
      if (!way) continue;
      const Pattern plain = joined(*way);
      const auto [it, added] = known.try_emplace(shape_of(plain), all.size());
      if (!added) {
        if (it->second < all.size()) ++all[it->second].samples;
        continue;
      }
      auto s = earlier.at(patterns_[rule_].rank).explain(*way) ? std::nullopt : straight(plain);
      if (s)
        all.push_back(std::move(*s));
      else
        it->second = SIZE_MAX;
    }
  }
  choose_window(all);
}

// The steps of one way. Nothing where it can't be walked from the left and the right alone.
auto TreeBuilder::straight(const Pattern& way) -> std::optional<Straight> {
  Straight s;
  s.rule = rule_;
  bool fixed = true;
  const auto field = [&](const Cell& x, bool forward) {
    const auto back = cells_.give_back(x, x.next[0], forward);
    if (!back) return false;
    s.steps.push_back({{}, field_act({x.type, *back, x.capture}, forward)});
    fixed = fixed && x.type.fixed() && *back == 0;
    if (fixed) s.known.append(x.type.min, '\0'), s.fixed.append(x.type.min, ' ');
    return true;
  };
  bool forward = true;
  s.steps.reserve(way.size() + 1);
  int c = cells_.chain(rule_, way,
                       cells_.add({.kind = Cell::Kind::kEnd,
                                   .text = {},
                                   .type = {},
                                   .next = {},
                                   .rule = rule_,
                                   .accept = add_accept({}, false)}));
  for (;;) {
    const Cell& x = cells_[c];
    switch (x.kind) {
      case Cell::Kind::kLiteral:
        if (x.text.size() > UINT16_MAX) return {};
        s.steps.push_back({x.text, {}});
        if (fixed) s.known += x.text, s.fixed.append(x.text.size(), 'x');
        break;
      case Cell::Kind::kField:
        if (!field(x, forward)) return {};
        break;
      case Cell::Kind::kFree: {
        s.steps.push_back({{}, {.op = Tree::Op::kFree}});
        std::vector<Way> all;
        Way w{{false, {}, x.type, x.capture}};
        ways(x.next[0], w, all);
        c = right_chain(all[0], rule_);
        forward = fixed = false;
        continue;
      }
      default:
        s.steps.push_back({{}, {.op = Tree::Op::kAccept, .table = rule_, .index = x.accept}});
        return s;
    }
    c = x.next[0];
  }
}

void TreeBuilder::insert(std::vector<Trie>& level, std::span<const StraightStep> steps, const Straight& way) {
  if (steps.empty()) return;
  const uint32_t kept = out_.kept_[way.rule];
  auto at = std::find_if(level.begin(), level.end(), [&](Trie& t) { return same_step(t, steps[0], kept); });
  if (at == level.end()) at = level.insert(level.end(), Trie{steps[0], 0, 0, {}});
  at->kept |= kept;
  at->samples += way.samples;
  insert(at->then, steps.subspan(1), way);
}

// Equal; or one keeps the field that the other passes over, and whoever passes over it keeps no such
// fact elsewhere (accepting drops what a rule does not keep).
bool TreeBuilder::same_step(Trie& known, const StraightStep& step, uint32_t kept) {
  if (known.step.text != step.text) return false;
  const Capture known_as = known.step.act.capture;
  Act as = step.act;
  as.capture = known_as;
  if (known.step.act != as) return false;
  const auto keeps = [](uint32_t all, Capture c) { return (all >> static_cast<unsigned>(c) & 1) != 0; };
  if (step.act.capture == known_as) return true;
  if (step.act.capture == Capture::kNone) return !keeps(kept, known_as);
  if (known_as != Capture::kNone || keeps(known.kept, step.act.capture)) return false;
  known.step = step;
  return true;
}

// Literals of which three or more begin alike become what they have in common, and what follows.
void TreeBuilder::gather(std::vector<Trie>& level) {
  std::map<char, std::vector<size_t>> alike;
  for (size_t i = 0; i < level.size(); ++i)
    if (!level[i].step.text.empty()) alike[level[i].step.text[0]].push_back(i);
  std::vector<bool> moved(level.size());
  std::vector<Trie> made;
  for (const auto& [first, members] : alike) {
    if (members.size() < 3) continue;
    Trie common{{level[members[0]].step.text, {}}, 0, 0, {}};
    std::string& text = common.step.text;
    for (const size_t i : members) {
      const std::string& other = level[i].step.text;
      text.resize(static_cast<size_t>(std::mismatch(text.begin(), text.end(), other.begin(), other.end()).first -
                                      text.begin()));
    }
    for (const size_t i : members) {
      Trie& member = level[i];
      common.kept |= member.kept;
      common.samples += member.samples;
      member.step.text.erase(0, text.size());
      if (member.step.text.empty())
        std::move(member.then.begin(), member.then.end(), std::back_inserter(common.then));
      else
        common.then.push_back(std::move(member));
      moved[i] = true;
    }
    made.push_back(std::move(common));
  }
  if (made.empty()) return;
  for (size_t i = 0; i < level.size(); ++i)
    if (!moved[i]) made.push_back(std::move(level[i]));
  level = std::move(made);
}

// Lays the ways of one place; the first node is the next that is put. `captures`: of the steps before.
void TreeBuilder::lay(std::vector<Trie>& level, bool forward, uint32_t captures) {
  if (forward) gather(level);
  // What samples show most often comes first: whichever way explains a message says the same. Fields
  // come after literals, so that these can be told apart at once.
  std::stable_sort(level.begin(), level.end(), [](const Trie& a, const Trie& b) {
    return std::pair(a.step.text.empty(), b.samples) < std::pair(b.step.text.empty(), a.samples);
  });
  // A literal that goes on where another ends comes before it: then nothing has to be remembered for it.
  if (forward)
    for (size_t i = 1; i < level.size(); ++i)
      for (size_t j = 0; j < i && !level[i].step.text.empty(); ++j)
        if (level[i].step.text.size() > level[j].step.text.size() &&
            level[i].step.text.starts_with(level[j].step.text)) {
          std::rotate(level.begin() + static_cast<ptrdiff_t>(j), level.begin() + static_cast<ptrdiff_t>(i),
                      level.begin() + static_cast<ptrdiff_t>(i) + 1);
          break;
        }
  const auto literals = static_cast<size_t>(
      std::find_if(level.begin(), level.end(), [](const Trie& t) { return t.step.text.empty(); }) - level.begin());
  const size_t place_of_switch = laid_.size();
  const bool switches = forward && literals >= kFewestSwitched;
  if (switches) laid_.emplace_back().switches = true;
  std::vector<size_t> places;
  for (Trie& t : level) {
    places.push_back(laid_.size());
    Trie* last = &t;
    const std::string& text = t.step.text;
    if (!text.empty() && t.then.size() == 1 && t.then[0].step.text.empty()) last = &t.then[0];
    Tree::Node n;
    last->step.act.give(n);
    if (!text.empty()) set_literal(n, text, forward);
    laid_.push_back({n, forward, false, n.table, captures & (n.op == Tree::Op::kAccept ? out_.kept_[n.table] : 0)});
    lay(last->then, forward && n.op != Tree::Op::kFree, captures | 1U << static_cast<unsigned>(n.capture));
  }
  const size_t at = switches ? lay_switch({level.data(), literals}, places, place_of_switch) : 0;
  // The next that may stand where this one does not, and the next that may stand where it does.
  for (size_t i = 0; i < level.size(); ++i) {
    Tree::Node& n = laid_[places[i]].node;
    const std::string& text = level[i].step.text;
    for (size_t j = i + 1; j < level.size(); ++j) {
      const std::string& other = level[j].step.text;
      if (switches && i < literals && j < literals && text[at] != other[at]) continue;
      if (n.other == Tree::kNowhere) n.other = static_cast<uint32_t>(places[j]);
      if (n.beside == Tree::kNowhere && may_stand_too(text, other, forward && ends(level[j]), forward))
        n.beside = static_cast<uint32_t>(places[j]);
    }
  }
}

// After this step nothing follows.
bool TreeBuilder::ends(const Trie& t) {
  return t.step.text.empty() ? t.step.act.op == Tree::Op::kAccept
                             : std::all_of(t.then.begin(), t.then.end(), [](const Trie& next) { return ends(next); });
}

// The node before literals of which the byte at one place tells most: by it, the first that may stand
// here. Where none has this byte, it is the first that is no literal. Returns the place.
size_t TreeBuilder::lay_switch(std::span<const Trie> literals, std::span<const size_t> places, size_t node) {
  size_t shortest = Tree::kInline;
  for (const Trie& t : literals) shortest = std::min(shortest, t.step.text.size());
  size_t best = 0, best_kinds = 0;
  for (size_t at = 0; at < shortest; ++at) {
    std::set<char> kinds;
    for (const Trie& t : literals) kinds.insert(t.step.text[at]);
    if (kinds.size() > best_kinds) best = at, best_kinds = kinds.size();
  }
  Tree::Switch by_byte;
  by_byte.to.fill(places.size() > literals.size() ? static_cast<uint32_t>(places[literals.size()]) : Tree::kNowhere);
  for (size_t i = literals.size(); i-- > 0;)
    by_byte.to[static_cast<uint8_t>(literals[i].step.text[best])] = static_cast<uint32_t>(places[i]);
  Tree::Node& n = laid_[node].node;
  n.min = static_cast<uint8_t>(best);
  n.index = static_cast<uint32_t>(out_.switches_.size());
  out_.switches_.push_back(by_byte);
  return best;
}

// What was laid becomes steps.
void TreeBuilder::put_steps() {
  out_.steps_.emplace_back().go = Tree::places()[static_cast<size_t>(Tree::Do::kFail)];
  std::vector<uint32_t> first;
  for (const Laid& laid : laid_) {
    first.push_back(static_cast<uint32_t>(out_.steps_.size()));
    put_steps_of(laid);
  }
  const auto move = [&](uint32_t& to, uint32_t nowhere) { to = to == Tree::kNowhere ? nowhere : first[to]; };
  for (size_t i = 1; i < out_.steps_.size(); ++i) {
    move(out_.steps_[i].other, 0);
    move(out_.steps_[i].beside, Tree::kNowhere);
  }
  for (Tree::Switch& by_byte : out_.switches_)
    for (uint32_t& to : by_byte.to) move(to, 0);
  for (uint32_t& to : out_.straights_.slots) move(to, Tree::kNowhere);
  move(out_.straights_.open, Tree::kNowhere);
}

void TreeBuilder::put_steps_of(const Laid& laid) {
  using Do = Tree::Do;
  const Tree::Node& n = laid.node;
  const void* const* const places = Tree::places();
  const auto put = [&](Do what) -> Tree::Step& {
    Tree::Step& s = out_.steps_.emplace_back();
    s.go = places[static_cast<size_t>(what)];
    s.other = s.beside = Tree::kNowhere;
    return s;
  };
  const auto add_literal = [&](Tree::Step& s) {
    std::copy(std::begin(n.text), std::end(n.text), s.text);
    s.length = static_cast<uint16_t>(n.length);
    s.other = n.other;
    s.beside = n.beside;
  };
  const auto add_op = [&](Tree::Step& s) {
    s.index = n.index;
    s.min = n.min;
    s.span = static_cast<uint8_t>(static_cast<size_t>(n.capture) * sizeof(TextSpan));
    if (n.op == Tree::Op::kAccept)
      s.accepted = {laid.rule, laid.present};
    else
      s.rows = n.op == Tree::Op::kClass || n.op == Tree::Op::kHex16 ? &out_.rows_[n.table] : nullptr;
  };
  if (laid.switches) return add_op(put(Do::kSwitch));

  struct Kinds {
    Do alone, after_literal;
  };
  const auto kinds = [&]() -> Kinds {
    switch (n.op) {
      case Tree::Op::kGo:
        return {Do::kFail, Do::kThenGo};
      case Tree::Op::kHex16:
        return {Do::kHex16, Do::kThenHex16};
      case Tree::Op::kClass:
        return {Do::kClass, Do::kThenClass};
      case Tree::Op::kAddress:
        return {Do::kAddress, Do::kThenAddress};
      case Tree::Op::kFree:
        return {Do::kFree, Do::kThenFree};
      case Tree::Op::kAccept:
        return {Do::kAccept, Do::kThenAccept};
      default:
        return {Do::kField, Do::kThenField};
    }
  }();
  const bool is_long = n.length > Tree::kInline, has_beside = n.beside != Tree::kNowhere;
  if (laid.forward && !is_long && n.other == Tree::kNowhere) {
    Tree::Step& s = put(n.length > 0 ? kinds.after_literal : kinds.alone);
    add_literal(s);
    return add_op(s);
  }
  if (laid.forward && !is_long && n.op == Tree::Op::kAccept) {
    Tree::Step& s = put(Do::kAcceptOrOther);
    add_literal(s);
    return add_op(s);
  }
  if (is_long) {
    Tree::Step& s = put(laid.forward ? Do::kLongLiteral : Do::kBackLongLiteral);
    add_literal(s);
    s.rest = n.rest;
  } else if (n.length > 0) {
    if (laid.forward)
      add_literal(put(has_beside ? Do::kLiteralBeside : Do::kLiteral));
    else
      add_literal(put(has_beside ? Do::kBackLiteralBeside : Do::kBackLiteral));
  } else if (has_beside) {
    add_literal(put(Do::kBeside));
  }
  if (n.op == Tree::Op::kGo) return;
  if (laid.forward)
    add_op(put(kinds.alone));
  else
    add_op(put(n.op == Tree::Op::kAccept  ? Do::kBackAccept
               : n.op == Tree::Op::kClass ? Do::kBackClass
                                          : Do::kBackField));
}

// Where the eight bytes stand that tell the ways apart best.
void TreeBuilder::choose_window(const std::vector<Straight>& all) {
  constexpr size_t kWidth = Tree::kWindow, kFarthest = kMessagePadding - kWidth;
  constexpr uint32_t kMostBits = 12;
  const auto window = [&](const Straight& s, size_t at) -> std::optional<uint64_t> {
    uint64_t v;
    if (s.fixed.size() < at + kWidth || s.fixed.find(' ', at) < at + kWidth) return {};
    std::memcpy(&v, s.known.data() + at, kWidth);
    return v;
  };
  struct Seen {
    uint64_t window = 0;
    uint32_t round = 0, count = 0;
  };
  std::vector<Seen> seen(std::bit_ceil(all.size() * 2 + 1));
  size_t best = 0, best_cost = SIZE_MAX;
  for (size_t at = 0; at <= kFarthest; ++at) {
    const auto round = static_cast<uint32_t>(at + 1);
    const auto seen_before = [&](uint64_t w) {
      size_t i = (w * Tree::kHash >> 32) & (seen.size() - 1);
      while (seen[i].round == round && seen[i].window != w) i = (i + 1) & (seen.size() - 1);
      if (seen[i].round != round) seen[i] = {w, round, 0};
      return seen[i].count++;
    };
    size_t cost = 0;
    for (const Straight& s : all) {
      const auto w = window(s, at);
      cost += w ? seen_before(*w) : all.size();
    }
    if (cost < best_cost) best = at, best_cost = cost;
  }
  // Two windows share a place only where the table would become too large.
  std::vector<uint64_t> windows;
  for (const Straight& s : all)
    if (const auto w = window(s, best)) windows.push_back(*w);
  std::sort(windows.begin(), windows.end());
  windows.erase(std::unique(windows.begin(), windows.end()), windows.end());
  const auto apart = [&](uint32_t shift) {
    std::vector<bool> taken(size_t{1} << (64 - shift));
    for (const uint64_t w : windows) {
      const size_t at = w * Tree::kHash >> shift;
      if (taken[at]) return false;
      taken[at] = true;
    }
    return true;
  };
  uint32_t bits = 1;
  while (bits < kMostBits && !apart(64 - bits)) ++bits;
  Tree::Straights& out = out_.straights_;
  out.ways = all.size();
  out.offset = static_cast<uint32_t>(best);
  out.shift = 64 - bits;
  std::vector<std::vector<Trie>> slots(size_t{1} << bits);
  std::vector<Trie> open;  // ways whose bytes there are not certain
  for (const Straight& s : all) {
    const auto w = window(s, best);
    insert(w ? slots[*w * Tree::kHash >> out.shift] : open, s.steps, s);
  }
  const auto put = [&](std::vector<Trie>& ways) {
    const auto at = static_cast<uint32_t>(laid_.size());
    lay(ways, true, 0);
    return at;
  };
  out.open = open.empty() ? Tree::kNowhere : put(open);
  out.slots.clear();
  for (auto& ways : slots) out.slots.push_back(ways.empty() ? out.open : put(ways));
  mark_passed(windows);
  put_steps();
}

// Windows where no pattern that is asked for can go on.
void TreeBuilder::mark_passed(std::span<const uint64_t> windows) {
  Tree::Straights& out = out_.straights_;
  out.passed.assign(out.slots.size(), 0);
  out.passed[0] = 1;  // 0 belongs to the first slot, 1 to another one
  if (std::all_of(patterns_.begin(), patterns_.end(), [](const TreePattern& p) { return p.asked; })) return;
  CellStates before(cells_, true);
  for (size_t rule = 0; rule < patterns_.size(); ++rule)
    if (patterns_[rule].asked) before.enter(heads_[rule]);
  for (uint32_t i = 0; i < out.offset; ++i) before.step();
  for (const uint64_t window : windows) {
    CellStates states = before;
    char bytes[Tree::kWindow];
    std::memcpy(bytes, &window, Tree::kWindow);
    for (const char byte : bytes) states.step(byte);
    if (states.empty()) out.passed[window * Tree::kHash >> out.shift] = window;
  }
}

}  // namespace mailward
