#include <cstring>

#include "grammar/tree.h"

namespace mailward {
namespace {

// Middles are cut by trying; a client who fills a line with separators must not buy time with it.
constexpr int kFuel = 4096;
constexpr int kMaxSolutions = 4;

inline uint64_t load8(const char* p) {
  uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

// Where a path or the inside of a quoted string ends: at the first stop byte outside quotes.
const char* end_of_path(const char* p, const char* end) {
  bool quoted = false;
  for (; p < end; ++p) {
    const char c = *p;
    if (quoted) {
      if (c == '\\') {
        if (++p >= end) return nullptr;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '>') {
      return p;
    }
  }
  return quoted ? nullptr : end;
}

const char* end_of_quoted(const char* p, const char* end) {
  for (; p < end; ++p) {
    if (*p == '\\') {
      if (++p >= end) return nullptr;
    } else if (*p == '"') {
      return p;
    }
  }
  return end;
}

}  // namespace

class Walk {
 public:
  Walk(const Tree& tree, const char* begin, const char* end, Match& m) : t_(tree), begin_(begin), end_(end), m_(m) {}

  bool forward(uint32_t node_index, const char* p, uint32_t mask) {
    for (;;) {
      const Tree::Node& node = t_.nodes_[node_index];
      if (node.count) [[unlikely]] {
        const Tree::Alternative* a = &t_.alternatives_[node.first];
        for (uint32_t left = node.count; left > 0; --left, ++a)
          if (try_forward(*a, p, mask)) return true;
      }
      // The last way is walked in place: most nodes have only one.
      switch (node.step) {
        case Tree::Step::kLiteral: {
          const Tree::Literal& l = t_.literals_[node.index];
          if (!literal_at(l, p)) return false;
          p += l.length;
          node_index = l.next;
          continue;
        }
        case Tree::Step::kLiterals: {
          const Tree::Literal* l = choose(t_.dispatches_[node.index], p);
          if (!l || !literal_at(*l, p)) return false;
          p += l->length;
          node_index = l->next;
          continue;
        }
        case Tree::Step::kField: {
          const Tree::FieldEdge& f = t_.fields_[node.index];
          if (!(p = read_field(f, p, mask))) return false;
          node_index = f.next;
          continue;
        }
        case Tree::Step::kFree: return backward(node.index, end_, p, mask);
        case Tree::Step::kAccept: return p == end_ && accept(t_.accepts_[node.index], p, p, mask);
      }
    }
  }

 private:
  bool try_forward(const Tree::Alternative& a, const char* p, uint32_t mask) {
    switch (a.step) {
      case Tree::Step::kLiteral: {
        const Tree::Literal& l = t_.literals_[a.index];
        return literal_at(l, p) && forward(l.next, p + l.length, mask);
      }
      case Tree::Step::kLiterals: {
        const Tree::Literal* l = choose(t_.dispatches_[a.index], p);
        return l && literal_at(*l, p) && forward(l->next, p + l->length, mask);
      }
      case Tree::Step::kField: {
        const Tree::FieldEdge& f = t_.fields_[a.index];
        p = read_field(f, p, mask);
        return p && forward(f.next, p, mask);
      }
      case Tree::Step::kFree: return backward(a.index, end_, p, mask);
      case Tree::Step::kAccept: return p == end_ && accept(t_.accepts_[a.index], p, p, mask);
    }
    return false;
  }

  const Tree::Literal* choose(const Tree::Dispatch& d, const char* p) const {
    if (p >= end_) return nullptr;
    if (d.table != Tree::kNoTable) {
      const uint8_t n = t_.tables_[d.table][static_cast<uint8_t>(*p)];
      return n ? &t_.literals_[d.first + n - 1] : nullptr;
    }
    for (uint32_t i = 0; i < d.count; ++i)
      if (*t_.literals_[d.first + i].text == *p) return &t_.literals_[d.first + i];
    return nullptr;
  }

  bool literal_at(const Tree::Literal& l, const char* p) const {
    if (static_cast<size_t>(end_ - p) < l.length || ((load8(p) ^ l.head) & l.mask)) return false;
    return l.length <= 8 || std::memcmp(p + 8, l.text + 8, l.length - 8) == 0;
  }

  void keep(Capture c, const char* from, const char* to, uint32_t& mask) {
    if (c == Capture::kNone) return;
    m_.spans[static_cast<size_t>(c)] = {from, to};
    mask |= 1U << static_cast<unsigned>(c);
  }

  bool take_address(const char* from, const char* to, uint32_t& mask) {
    const auto address = parse_address({from, static_cast<size_t>(to - from)});
    if (!address) return false;
    m_.address = *address;
    keep(Capture::kAddress, from, to, mask);
    return true;
  }

  // Reads one field from the left; where it ends, or null.
  const char* read_field(const Tree::FieldEdge& f, const char* p, uint32_t& mask) {
    const char* from = p;
    if (f.kind == Type::Kind::kAddress && !f.give_back) {
      if (const char* stop = read_ipv4(p, end_, m_.address)) {
        keep(Capture::kAddress, p, stop, mask);
        return stop;
      }
    }
    if (f.kind == Type::Kind::kPath || f.kind == Type::Kind::kQuoted) {
      p = f.kind == Type::Kind::kPath ? end_of_path(p, end_) : end_of_quoted(p, end_);
      if (!p) return nullptr;
    } else {
      const char* stop = f.fixed && static_cast<size_t>(end_ - p) > f.max ? p + f.max : end_;
      p = scan_class(p, stop, t_.classes_[f.table]) - f.give_back;
    }
    const auto length = p - from;
    if (length < static_cast<ptrdiff_t>(f.min) || length > static_cast<ptrdiff_t>(f.max)) return nullptr;
    if (f.kind == Type::Kind::kAddress) return take_address(from, p, mask) ? p : nullptr;
    keep(f.capture, from, p, mask);
    return p;
  }

  // A dotted quad that ends where no byte of an address follows: most addresses. Null: look closer.
  static const char* read_ipv4(const char* p, const char* end, Address& out) {
    uint32_t value = 0;
    for (int part = 0;; ++part) {
      if (p >= end) return nullptr;
      unsigned n = static_cast<uint8_t>(*p) - '0';
      if (n > 9) return nullptr;
      const char* first = p++;
      for (unsigned d; p < end && (d = static_cast<uint8_t>(*p) - '0') <= 9 && p - first < 3; ++p) n = n * 10 + d;
      if (n > 255 || (p - first > 1 && *first == '0')) return nullptr;
      value = value << 8 | n;
      if (part == 3) break;
      if (p >= end || *p++ != '.') return nullptr;
    }
    if (p < end && (*p == '.' || *p == ':' || (*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f'))) return nullptr;
    out = Address::v4(value);
    return p;
  }

  // From the right: `p` is one past the next byte to read, `floor` where the left walk stopped.
  bool backward(uint32_t node_index, const char* p, const char* floor, uint32_t mask) {
    const Tree::Node& node = t_.nodes_[node_index];
    const Tree::Alternative* a = &t_.alternatives_[node.first];
    for (uint32_t i = 0; i < node.count; ++i, ++a)
      if (try_backward(*a, p, floor, mask)) return true;
    return try_backward({node.step, node.index}, p, floor, mask);
  }

  bool try_backward(const Tree::Alternative& a, const char* p, const char* floor, uint32_t mask) {
    switch (a.step) {
      case Tree::Step::kLiteral: {
        const Tree::Literal& l = t_.literals_[a.index];
        return literal_before(l, p, floor) && backward(l.next, p - l.length, floor, mask);
      }
      case Tree::Step::kLiterals: {
        const Tree::Literal* l = choose_back(t_.dispatches_[a.index], p, floor);
        return l && literal_before(*l, p, floor) && backward(l->next, p - l->length, floor, mask);
      }
      case Tree::Step::kField: {
        const Tree::FieldEdge& f = t_.fields_[a.index];
        const char* q = read_field_back(f, p, floor, mask);
        return q && backward(f.next, q, floor, mask);
      }
      case Tree::Step::kAccept: return accept(t_.accepts_[a.index], floor, p, mask);
      case Tree::Step::kFree: break;  // the right tree has none
    }
    return false;
  }

  const Tree::Literal* choose_back(const Tree::Dispatch& d, const char* p, const char* floor) const {
    if (p <= floor) return nullptr;
    const char last = p[-1];
    if (d.table != Tree::kNoTable) {
      const uint8_t n = t_.tables_[d.table][static_cast<uint8_t>(last)];
      return n ? &t_.literals_[d.first + n - 1] : nullptr;
    }
    for (uint32_t i = 0; i < d.count; ++i) {
      const Tree::Literal& l = t_.literals_[d.first + i];
      if (l.text[l.length - 1] == last) return &l;
    }
    return nullptr;
  }

  static bool literal_before(const Tree::Literal& l, const char* p, const char* floor) {
    return static_cast<size_t>(p - floor) >= l.length && std::memcmp(p - l.length, l.text, l.length) == 0;
  }

  const char* read_field_back(const Tree::FieldEdge& f, const char* p, const char* floor, uint32_t& mask) {
    const char* to = p;
    const auto& table = t_.classes_[f.table].table;
    const char* stop = f.fixed && static_cast<size_t>(p - floor) > f.max ? p - f.max : floor;
    while (p > stop && table[static_cast<uint8_t>(p[-1])]) --p;
    p += f.give_back;
    const auto length = to - p;
    if (length < static_cast<ptrdiff_t>(f.min) || length > static_cast<ptrdiff_t>(f.max)) return nullptr;
    if (f.kind == Type::Kind::kAddress) return take_address(p, to, mask) ? p : nullptr;
    keep(f.capture, p, to, mask);
    return p;
  }

  // [from, to) is what is left for the middle.
  bool accept(const Tree::Accept& a, const char* from, const char* to, uint32_t mask) {
    if (a.atoms == 1) {
      const Tree::Atom& free = t_.atoms_[a.first_atom];
      if (!fits(free, from, to)) return false;
      keep(free.capture, from, to, mask);
    } else if (a.atoms > 1 && !cut_middle(a, from, to, mask)) {
      return false;
    }
    for (std::string_view text : t_.once_[a.rule])
      if (!occurs_once(text)) return false;
    m_.rule = a.rule;
    m_.present = mask & t_.kept_[a.rule];
    m_.address_right = a.address_right;
    return true;
  }

  bool occurs_once(std::string_view text) const {
    const std::string_view line(begin_, static_cast<size_t>(end_ - begin_));
    const size_t at = line.find(text);
    return at != std::string_view::npos && line.find(text, at + 1) == std::string_view::npos;
  }

  bool fits(const Tree::Atom& a, const char* from, const char* to) const {
    const auto length = static_cast<size_t>(to - from);
    if (length < a.min || length > a.max) return false;
    switch (a.type) {
      case Type::Kind::kFree: return true;
      case Type::Kind::kPath: return end_of_path(from, to) == to;
      case Type::Kind::kQuoted: return end_of_quoted(from, to) == to;
      default: break;
    }
    if (!in_class(a, from, to)) return false;
    return a.type != Type::Kind::kAddress || parse_address({from, length});
  }

  struct Cut {
    std::array<TextSpan, kCaptures> spans;
    uint32_t mask = 0;
  };

  // Tries every way to cut the middle. One way: its facts are kept. Several: only those that all
  // ways share.
  bool cut_middle(const Tree::Accept& a, const char* from, const char* to, uint32_t& mask) {
    fuel_ = kFuel;
    solutions_ = 0;
    const Tree::Atom* atoms = &t_.atoms_[a.first_atom];
    Cut cut;
    try_cut(atoms, atoms + a.atoms, from, to, cut);
    if (fuel_ <= 0) {
      // Too many ways to look at them all: nothing that a client may have cut is believed.
      m_.exhausted = solutions_ == 0;
      if (solutions_ == 0 || (first_.mask >> static_cast<unsigned>(Capture::kAddress) & 1)) return false;
      return true;
    }
    if (solutions_ == 0) return false;
    for (size_t c = 0; c < kCaptures; ++c)
      if (first_.mask >> c & 1) m_.spans[c] = first_.spans[c];
    if (first_.mask >> static_cast<unsigned>(Capture::kAddress) & 1) {
      const auto span = first_.spans[static_cast<size_t>(Capture::kAddress)];
      m_.address = *parse_address(span.view());
    }
    mask |= first_.mask;
    return true;
  }

  void found(const Cut& cut) {
    if (solutions_++ == 0) {
      first_ = cut;
      return;
    }
    for (size_t c = 0; c < kCaptures; ++c) {
      const bool both = (first_.mask & cut.mask) >> c & 1;
      if (!both || first_.spans[c].begin != cut.spans[c].begin || first_.spans[c].end != cut.spans[c].end) first_.mask &= ~(1U << c);
    }
  }

  void try_cut(const Tree::Atom* atom, const Tree::Atom* last, const char* p, const char* to, Cut cut) {
    if (--fuel_ <= 0 || solutions_ >= kMaxSolutions) return;
    if (atom == last) {
      if (p == to) found(cut);
      return;
    }
    if (atom->kind == Tree::Atom::Kind::kLiteral) {
      if (static_cast<size_t>(to - p) >= atom->text.size() && std::memcmp(p, atom->text.data(), atom->text.size()) == 0)
        try_cut(atom + 1, last, p + atom->text.size(), to, cut);
      return;
    }
    if (atom + 1 == last) {
      if (fits(*atom, p, to)) try_cut(last, last, to, to, with(cut, *atom, p, to));
      return;
    }
    // A literal follows (the compiler saw to it): its places are where this field may end.
    const std::string_view next = atom[1].text;
    const std::string_view rest(p, static_cast<size_t>(to - p));
    for (size_t at = rest.find(next); at != std::string_view::npos && fuel_ > 0; at = rest.find(next, at + 1)) {
      if (fits(*atom, p, p + at)) try_cut(atom + 1, last, p + at, to, with(cut, *atom, p, p + at));
      else if (atom->type == Type::Kind::kClass && !in_class(*atom, p, p + at)) break;
      --fuel_;
    }
  }

  bool in_class(const Tree::Atom& a, const char* from, const char* to) const {
    return scan_class_bytewise(from, to, t_.classes_[a.table]) == to;
  }

  static Cut with(Cut cut, const Tree::Atom& atom, const char* from, const char* to) {
    if (atom.capture != Capture::kNone) {
      cut.spans[static_cast<size_t>(atom.capture)] = {from, to};
      cut.mask |= 1U << static_cast<unsigned>(atom.capture);
    }
    return cut;
  }

  const Tree& t_;
  const char* begin_;
  const char* end_;
  Match& m_;
  int fuel_ = 0;
  int solutions_ = 0;
  Cut first_;
};

bool Tree::match(const char* begin, const char* end, Match& m) const {
  return Walk(*this, begin, end, m).forward(root_, begin, 0);
}

size_t Tree::bytes() const {
  return nodes_.size() * sizeof(Node) + alternatives_.size() * sizeof(Alternative) + dispatches_.size() * sizeof(Dispatch) +
         literals_.size() * sizeof(Literal) + fields_.size() * sizeof(FieldEdge) + accepts_.size() * sizeof(Accept) +
         atoms_.size() * sizeof(Atom) + tables_.size() * 256 + classes_.size() * sizeof(ClassTable);
}

}  // namespace mailward
