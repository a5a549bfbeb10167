#include "grammar/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <unordered_map>

namespace mailward {
namespace {

constexpr uint32_t kLongestCount = 64;
constexpr uint8_t kInAddress = 1, kInKey = 2;
// A mark for the first byte of a marked field, so that two neighbouring fields are not one.
constexpr uint8_t kBegins = 4;

struct Edge {
  ByteSet set;
  int to;
  uint8_t mark;
};

class Automaton {
 public:
  explicit Automaton(const Rule& rule) : rule_(rule) {
    start_ = state();
    const int end = append(rule.pattern, start_);
    final_.assign(edges_.size(), false);
    close(end);
    for (const Element& e : rule.pattern) collect_once(e);
  }

  int start() const { return start_; }
  bool accepts(int s) const { return final_[static_cast<size_t>(s)]; }
  const std::vector<Edge>& moves(int s) const { return moves_[static_cast<size_t>(s)]; }
  size_t size() const { return edges_.size(); }
  const std::vector<std::string>& once() const { return once_; }

 private:
  int state() {
    edges_.emplace_back();
    empty_.emplace_back();
    return static_cast<int>(edges_.size()) - 1;
  }
  void edge(int from, ByteSet set, int to, uint8_t mark) {
    edges_[static_cast<size_t>(from)].push_back({set, to, mark});
  }
  void skip(int from, int to) { empty_[static_cast<size_t>(from)].push_back(to); }

  int append(const Pattern& p, int from) {
    for (const Element& e : p) from = append(e, from);
    return from;
  }

  int append(const Element& e, int from) {
    switch (e.kind) {
      case Element::Kind::kLiteral:
      case Element::Kind::kOnce:
        for (char c : e.text) {
          const int to = state();
          edge(from, ByteSet::of({&c, 1}), to, 0);
          from = to;
        }
        return from;
      case Element::Kind::kChoice: {
        const int to = state();
        for (const Pattern& branch : e.branches) {
          const int begin = state();
          skip(from, begin);
          skip(append(branch, begin), to);
        }
        return to;
      }
      case Element::Kind::kField:
        return field(e, from);
    }
    return from;
  }

  int field(const Element& e, int from) {
    uint8_t mark = 0;
    if (e.capture == Capture::kAddress) mark = kInAddress;
    if ((e.capture == Capture::kSession && rule_.key == KeyKind::kSession) ||
        (e.capture == Capture::kQueue && rule_.key == KeyKind::kQueue))
      mark = kInKey;
    if (e.type.kind == Type::Kind::kAddress) return address(from, e.type.set.has(':'));
    if (e.type.kind == Type::Kind::kPath) return path(from, ">");
    if (e.type.kind == Type::Kind::kQuoted) return quoted(from);
    const uint32_t low = std::min(e.type.min, kLongestCount);
    for (uint32_t i = 0; i < low; ++i) {
      const int to = state();
      edge(from, e.type.set, to, mark && i == 0 ? static_cast<uint8_t>(mark | kBegins) : mark);
      from = to;
    }
    if (e.type.max > kLongestCount) {
      const int loop = state();
      skip(from, loop);
      edge(loop, e.type.set, loop, mark);
      return loop;
    }
    const int end = state();
    skip(from, end);
    for (uint32_t i = low; i < e.type.max; ++i) {
      const int to = state();
      edge(from, e.type.set, to, mark);
      skip(to, end);
      from = to;
    }
    return end;
  }

  // All addresses, and some more: four numbers with dots, or two colons among digits.
  int address(int from, bool both) {
    const ByteSet digits = ByteSet::range('0', '9');
    const ByteSet hex = digits | ByteSet::range('a', 'f') | ByteSet::range('A', 'F');
    const int end = state(), first = state();
    edge(from, digits, first, kInAddress | kBegins);
    int at = first;
    for (int part = 0; part < 4; ++part) {
      edge(at, digits, at, kInAddress);
      if (part == 3) break;
      const int dot = state(), next = state();
      edge(at, ByteSet::of("."), dot, kInAddress);
      edge(dot, digits, next, kInAddress);
      at = next;
    }
    skip(at, end);
    if (!both) return end;  // address4
    const int group = state(), colon = state(), tail = state();
    edge(from, hex, group, kInAddress | kBegins);
    edge(from, ByteSet::of(":"), colon, kInAddress | kBegins);
    edge(group, hex, group, kInAddress);
    edge(group, ByteSet::of(":"), colon, kInAddress);
    edge(colon, hex, colon, kInAddress);
    edge(colon, ByteSet::of(":"), tail, kInAddress);
    edge(tail, hex | ByteSet::of(":."), tail, kInAddress);
    skip(tail, end);
    return end;
  }

  int path(int from, const char* stop) {
    const int outside = state(), inside = state(), escaped = state();
    skip(from, outside);
    edge(outside, ByteSet::all() - ByteSet::of(stop) - ByteSet::of("\""), outside, 0);
    edge(outside, ByteSet::of("\""), inside, 0);
    edge(inside, ByteSet::all() - ByteSet::of("\"\\"), inside, 0);
    edge(inside, ByteSet::of("\\"), escaped, 0);
    edge(escaped, ByteSet::all(), inside, 0);
    edge(inside, ByteSet::of("\""), outside, 0);
    return outside;
  }

  int quoted(int from) {
    const int inside = state(), escaped = state();
    skip(from, inside);
    edge(inside, ByteSet::all() - ByteSet::of("\"\\"), inside, 0);
    edge(inside, ByteSet::of("\\"), escaped, 0);
    edge(escaped, ByteSet::all(), inside, 0);
    return inside;
  }

  // Folds the empty transitions away.
  void close(int end) {
    moves_.resize(edges_.size());
    std::vector<int> stack;
    std::vector<bool> seen;
    for (size_t s = 0; s < edges_.size(); ++s) {
      seen.assign(edges_.size(), false);
      stack.assign(1, static_cast<int>(s));
      seen[s] = true;
      while (!stack.empty()) {
        const int at = stack.back();
        stack.pop_back();
        if (at == end) final_[s] = true;
        for (const Edge& e : edges_[static_cast<size_t>(at)]) moves_[s].push_back(e);
        for (int to : empty_[static_cast<size_t>(at)])
          if (!seen[static_cast<size_t>(to)]) seen[static_cast<size_t>(to)] = true, stack.push_back(to);
      }
    }
  }

  void collect_once(const Element& e) {
    if (e.kind == Element::Kind::kOnce) once_.push_back(e.text);
    for (const Pattern& branch : e.branches)
      for (const Element& inner : branch) collect_once(inner);
  }

  const Rule& rule_;
  int start_;
  std::vector<std::vector<Edge>> edges_, moves_;
  std::vector<std::vector<int>> empty_;
  std::vector<bool> final_;
  std::vector<std::string> once_;
};

// Counts a text's occurrences while a line is read byte by byte (Knuth, Morris, Pratt).
struct Counter {
  std::string text;
  std::vector<int> back;
  explicit Counter(std::string t) : text(std::move(t)), back(text.size() + 1, 0) {
    for (size_t i = 1; i < text.size(); ++i) {
      int k = back[i];
      while (k > 0 && text[static_cast<size_t>(k)] != text[i]) k = back[static_cast<size_t>(k)];
      back[i + 1] = text[static_cast<size_t>(k)] == text[i] ? k + 1 : 0;
    }
  }
  int next(int state, char c) const {
    if (state == static_cast<int>(text.size())) state = back[static_cast<size_t>(state)];
    while (state > 0 && text[static_cast<size_t>(state)] != c) state = back[static_cast<size_t>(state)];
    return text[static_cast<size_t>(state)] == c ? state + 1 : 0;
  }
};

bool same_meaning(const Rule& a, const Rule& b) {
  return a.events == b.events && a.attempt == b.attempt && a.hint == b.hint && a.settles == b.settles &&
         a.helper == b.helper && a.count == b.count && a.unknown_user == b.unknown_user && a.mild == b.mild;
}

bool accuses(const Rule& r) { return !r.events.empty() || r.session != SessionAct::kNone; }

// What would be wrong with a line that both rules accept, their marks having differed as told.
std::optional<Conflict> judge(const Rule& a, const Rule& b, bool address_differs, bool key_differs) {
  if (rank_of(a) == 2 || rank_of(b) == 2) return {};
  const bool silent_a = !accuses(a) && a.fallback, silent_b = !accuses(b) && b.fallback;
  if (silent_a || silent_b) return {};
  if (address_differs && a.address == AddressFrom::kLine && b.address == AddressFrom::kLine) return Conflict::kAddress;
  if (a.address != b.address && (accuses(a) || accuses(b))) return Conflict::kAccused;
  if (a.session != SessionAct::kNone && b.session != SessionAct::kNone && (a.key != b.key || key_differs))
    return Conflict::kSession;
  if (rank_of(a) != rank_of(b)) return {};
  if (a.session != b.session) return Conflict::kSession;
  if (!same_meaning(a, b)) return Conflict::kEvent;
  return {};
}

bool may_conflict(const Rule& a, const Rule& b) {
  for (bool address : {false, true})
    for (bool key : {false, true})
      if (judge(a, b, address, key)) return true;
  return false;
}

struct Place {
  int p, q;
  bool address_differs, key_differs;
  std::vector<int> counters;  // Counter state of each text that must occur once, and how often it did
  bool operator==(const Place&) const = default;
};
struct PlaceHash {
  size_t operator()(const Place& s) const {
    size_t h = static_cast<size_t>(s.p) * 0x9e3779b97f4a7c15ULL + static_cast<size_t>(s.q) * 4 +
               (s.address_differs ? 2 : 0) + (s.key_differs ? 1 : 0);
    for (int c : s.counters) h = h * 1'000'003 + static_cast<size_t>(c);
    return h ^ (h >> 29);
  }
};

class PairProof {
 public:
  PairProof(const Rule& a, const Rule& b, const Automaton& x, const Automaton& y, bool count)
      : a_(a), b_(b), x_(x), y_(y) {
    if (!count) return;
    for (const auto& list : {x.once(), y.once()})
      for (const std::string& text : list)
        if (std::none_of(counters_.begin(), counters_.end(), [&](const Counter& c) { return c.text == text; }))
          counters_.emplace_back(text);
  }

  std::optional<Finding> run() {
    visit({x_.start(), y_.start(), false, false, std::vector<int>(2 * counters_.size(), 0)}, {-1, 0, 0, 0});
    for (size_t at = 0; at < places_.size(); ++at) {
      const Place s = places_[at];
      if (x_.accepts(s.p) && y_.accepts(s.q) && counted(s))
        if (const auto conflict = judge(a_, b_, s.address_differs, s.key_differs))
          return finding(*conflict, static_cast<int>(at));
      for (const Edge& e : x_.moves(s.p))
        for (const Edge& f : y_.moves(s.q)) step(s, static_cast<int>(at), e, f);
    }
    return {};
  }

 private:
  struct From {
    int place;
    char byte;
    uint8_t mark_a, mark_b;
  };

  void visit(Place s, From from) {
    if (!seen_.emplace(s, static_cast<int>(places_.size())).second) return;
    places_.push_back(std::move(s));
    from_.push_back(from);
  }

  bool counted(const Place& s) const {
    for (size_t i = 0; i < counters_.size(); ++i)
      if (s.counters[2 * i + 1] != 1) return false;
    return true;
  }

  // A byte that a person can read in a witness line.
  static char readable(const ByteSet& set, bool address) {
    if (address)
      for (char c = '0'; c <= '9'; ++c)
        if (set.has(c)) return c;
    if (set.has('x')) return 'x';
    for (unsigned c = '!'; c <= '~'; ++c)
      if (set.has(static_cast<uint8_t>(c))) return static_cast<char>(c);
    for (unsigned c = 0; c < 256; ++c)
      if (set.has(static_cast<uint8_t>(c))) return static_cast<char>(c);
    return 0;
  }

  void step(const Place& s, int at, const Edge& e, const Edge& f) {
    ByteSet both = e.set & f.set;
    if (both.empty()) return;
    Place next{e.to, f.to, s.address_differs, s.key_differs, s.counters};
    const uint8_t own = e.mark, other = f.mark;
    if (((own ^ other) & kInAddress) || (((own | other) & kInAddress) && ((own ^ other) & kBegins)))
      next.address_differs = true;
    if (((own ^ other) & kInKey) || (((own | other) & kInKey) && ((own ^ other) & kBegins))) next.key_differs = true;
    const bool address = (own | other) & kInAddress;
    // Bytes that a counter tells apart go one by one; of the rest any will do.
    ByteSet apart;
    for (const Counter& c : counters_) apart = apart | ByteSet::of(c.text);
    for (unsigned c = 0; c < 256 && !counters_.empty(); ++c)
      if ((both & apart).has(static_cast<uint8_t>(c))) go(next, at, static_cast<char>(c), e, f);
    if (const ByteSet rest = both - apart; !rest.empty()) go(next, at, readable(rest, address), e, f);
  }

  void go(Place next, int at, char byte, const Edge& e, const Edge& f) {
    for (size_t i = 0; i < counters_.size(); ++i) {
      int& state = next.counters[2 * i];
      state = counters_[i].next(state, byte);
      if (state == static_cast<int>(counters_[i].text.size()) && ++next.counters[2 * i + 1] > 1) return;
    }
    visit(std::move(next), {at, byte, e.mark, f.mark});
  }

  Finding finding(Conflict conflict, int at) const {
    Finding out{conflict, &a_, &b_, {}, {}, {}, {}};
    auto letter = [](uint8_t m) { return m & kInAddress ? 'a' : m & kInKey ? 'k' : '.'; };
    for (; from_[static_cast<size_t>(at)].place >= 0; at = from_[static_cast<size_t>(at)].place) {
      const From& f = from_[static_cast<size_t>(at)];
      out.witness += f.byte;
      out.first_marks += letter(f.mark_a);
      out.second_marks += letter(f.mark_b);
    }
    for (std::string* s : {&out.witness, &out.first_marks, &out.second_marks}) std::reverse(s->begin(), s->end());
    return out;
  }

  const Rule &a_, &b_;
  const Automaton &x_, &y_;
  std::vector<Counter> counters_;
  std::vector<Place> places_;
  std::vector<From> from_;
  std::unordered_map<Place, int, PlaceHash> seen_;
};

std::string sentence_of(const Finding& f) {
  const bool same = f.first == f.second;
  std::string rules = same ? fmt::format("rule `{}`", f.first->name)
                           : fmt::format("rules `{}` and `{}`", f.first->name, f.second->name);
  switch (f.conflict) {
    case Conflict::kAddress:
      return rules + ": the line can be read as two addresses";
    case Conflict::kAccused:
      return rules + ": one reading names an address, the other somebody else or nobody";
    case Conflict::kSession:
      return rules + ": the line can be tied to two sessions, or to one in two ways";
    case Conflict::kEvent:
      return rules + ": the line can be read as two events; make one of them a fallback, or close its text";
  }
  return rules;
}

}  // namespace

int rank_of(const Rule& rule) {
  if (std::find(rule.events.begin(), rule.events.end(), EventKind::kAmbiguous) != rule.events.end()) return 2;
  return rule.fallback ? 1 : 0;
}

std::vector<Finding> prove(std::span<const Rule* const> rules) {
  std::vector<Automaton> automata;
  automata.reserve(rules.size());
  for (const Rule* r : rules) automata.emplace_back(*r);
  std::vector<Finding> found;
  for (size_t i = 0; i < rules.size(); ++i)
    for (size_t j = i; j < rules.size(); ++j) {
      if (!may_conflict(*rules[i], *rules[j])) continue;
      auto finding = PairProof(*rules[i], *rules[j], automata[i], automata[j], false).run();
      // Texts that must occur once narrow the language; they are counted only where it matters.
      if (finding && (!automata[i].once().empty() || !automata[j].once().empty()))
        finding = PairProof(*rules[i], *rules[j], automata[i], automata[j], true).run();
      if (!finding) continue;
      finding->sentence = sentence_of(*finding);
      found.push_back(std::move(*finding));
    }
  return found;
}

}  // namespace mailward
