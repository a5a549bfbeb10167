// The patterns of one program as one deterministic tree, and the walk that matches a message.
//
// How: a node is a literal, and then one thing to do: read a field, look the next literal up in a
// table, accept. From the left on, the walk goes from node to node. At the first free field it goes
// on from the right end of the message, in a second tree of the same kind that reads backwards. What
// remains between belongs to the free field; where a rule has more than one, its middle is cut at its
// literals. Where two ways are possible, the other one is remembered and tried when the first fails.
// Rules have ranks: what one of a lower number explains is not looked for among the higher ones.
// Rules of one rank are proven to agree (prove.h), so whichever explains a message says the same.
//
// Cost: bytes looked at; grows neither with the number of rules of other programs nor, but for
// nodes where rules part, with those of this one. No allocation. Immutable after compile(): threads
// may share it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/result.h"
#include "grammar/class_scan.h"
#include "grammar/pattern.h"
#include "log/record.h"

namespace mailward {

// So many bytes after a message must be readable: the walk compares and scans 32 at a time, and may
// look at those behind a field before it sees that the message is over.
inline constexpr size_t kMessagePadding = kRecordPadding;

struct TextSpan {
  const char* begin;
  const char* end;
  std::string_view view() const { return {begin, static_cast<size_t>(end - begin)}; }
};

struct Match {
  uint32_t rule = 0;                          // index into the patterns given to compile()
  uint32_t present = 0;                       // bit of each Capture that was kept
  bool address_right = false;                 // the address stands right of a free field: a cut line can't be trusted
  bool exhausted = false;                     // the text was too ambiguous to be cut; set on a failed match only
  Address address;                            // where present has kAddress
  std::array<TextSpan, kCaptures + 1> spans;  // only those that are present are set; the last is scratch

  bool has(Capture c) const { return present >> static_cast<unsigned>(c) & 1; }
  std::string_view text(Capture c) const { return has(c) ? spans[static_cast<size_t>(c)].view() : std::string_view{}; }
};

struct TreePattern {
  const Pattern* pattern;
  std::string name;  // for messages
  int rank = 0;      // 0 to 2; a message that a lower rank explains is not looked at by a higher one
  std::vector<std::string_view> samples{};  // messages that it explains: their ways are laid out to be walked fast
  bool asked = true;  // false: what it says is of no use, and it may be left open whether it explains a message
};

namespace plain {
class Walk;
}
namespace wide {
class Walk;
}

class Tree {
 public:
  // The straight ways that samples show (see below) cost little to lay out and explain most messages; the
  // nodes of all patterns cost much more. So they can be had apart.
  enum class Parts : uint8_t { kAll, kStraightWays, kNodes };
  static Result<Tree> compile(std::span<const TreePattern> patterns, Parts parts = Parts::kAll);
  Tree() = default;
  Tree(Tree&&) = default;  // steps point into rows_
  Tree& operator=(Tree&&) = default;

  // True and `m` filled (but for spans that are not present) when a rule explains [begin, end).
  bool match(const char* begin, const char* end, Match& m) const;
  // The straight ways alone, in two steps: where a message begins, which reads eight bytes of it
  // somewhere within kMessagePadding of `begin`; and the walk from there.
  uint32_t straight_start(const char* begin) const;
  bool match_straight(uint32_t start, const char* begin, const char* end, Match& m) const;
  // Does no pattern that is asked for explain a message that begins like this? (False: it was not seen at a
  // glance at those eight bytes.)
  bool passes(const char* begin, const char* end) const;
  // A tree that passes every message.
  static Tree passing_all();
  // match() by instructions that every processor has, where this one has more without straight ways; for tests.
  bool match_plain(const char* begin, const char* end, Match& m) const;

  size_t nodes() const { return nodes_.size(); }
  size_t straight_ways() const { return straights_.ways; }

 private:
  friend class TreeBuilder;
  friend class plain::Walk;
  friend class wide::Walk;

  // What is to be done at a node, after its literal. tree_walk.inc has tables in this order.
  enum class Op : uint8_t {
    kGo,        // nothing
    kDispatch,  // one of several literals
    kFork,      // more than one way that is no literal
    kHex16,     // sixteen hexadecimal digits
    kClass,     // a class that ends where its bytes end; `min` of them and at most `index` more
    kAddress,   // an address, mostly a dotted quad
    kField,     // any other field
    kFree,      // on from the right end
    kAccept,
    kLiteral,  // in Node::enter only
  };
  static constexpr uint32_t kNowhere = UINT32_MAX;
  static constexpr size_t kInline = 32;
  struct alignas(64) Node {
    char text[kInline] = {};   // the literal: its first bytes (backwards: its last)
    uint32_t length = 0;       // of the literal; 0: none
    uint32_t rest = 0;         // of a longer one: where the bytes that are not in `text` stand in pool_
    uint32_t next = kNowhere;  // kGo and fields
    uint32_t index = 0;  // into dispatches_, forks_, fields_, nodes_ (the right tree's root), accepts_; see kClass
    uint32_t table = 0;  // kClass: into rows_
    uint32_t other = kNowhere;   // the node to go to where the literal does not stand here
    uint32_t beside = kNowhere;  // into ways_: ways that are still possible where it does, but go on otherwise
    uint8_t min = 0;             // kClass
    uint8_t enter = 0;           // `op`, or kLiteral: there is a literal to look at first
    Op op = Op::kGo;
    Capture capture = Capture::kNone;
  };
  // Several literals of which at most one can stand here. They are told apart by a few bytes at a
  // place that all of them have, hashed into a small table of nodes.
  struct Dispatch {
    uint64_t mask;    // of the bytes that are hashed
    uint32_t offset;  // where they stand (backwards: so many bytes before the end)
    uint32_t slots;   // into slots_: 1 << bits of them
    uint32_t shift;   // 64 - bits
    uint32_t least;   // so many bytes must be there
    uint32_t miss;    // the node to go to where none of them stands here
  };
  struct Way {
    uint32_t node;  // kNowhere ends a list
    int32_t best;   // the lowest rank that it can lead to
  };
  // By the next byte, a list of ways in the order in which they are tried.
  static constexpr size_t kAtEnd = 256;  // there is no next byte
  struct Fork {
    std::array<uint32_t, 257> list;  // into ways_
  };
  struct FieldEdge {
    Type::Kind kind;
    bool fixed;
    uint16_t give_back;  // bytes of the class that belong to the literal that follows
    uint32_t table;      // of the class, into classes_
    uint32_t min, max;
  };
  struct Atom {  // of a middle
    enum class Kind : uint8_t { kLiteral, kField, kFree } kind;
    Type::Kind type;
    Capture capture;
    uint32_t table;
    uint32_t min, max;
    std::string_view text;
  };
  struct Accept {
    uint32_t rule;
    uint32_t first_atom, atoms;  // the middle; none: the whole message was read from the left
    int32_t rank;
    bool address_right;
    bool once;  // texts that must occur once
  };
  static constexpr uint64_t kHash = 0x9e3779b97f4a7c15ULL;
  static constexpr size_t kMaxChoices = 64;  // forks on one path, seen to by compile()

  // Where this process's walk does each Do.
  static const void* const* places();

  struct Switch {
    std::array<uint32_t, 256> to;  // by a byte: the step
  };
  // A step of a straight way: one thing to do, and then the step that stands behind it. A literal that
  // stands alone, and what is to be done after it, are one step.
  enum class Do : uint8_t {
    kFail,     // the first of all steps
    kSwitch,   // to the step that a byte tells: of p[min], switches_[index]
    kBeside,   // remember that it may go on at `beside`, too
    kLiteral,  // else to `other`
    kLiteralBeside,
    kLongLiteral,  // of more than kInline bytes
    kThenGo,       // a literal alone
    kHex16,        // see Op; the literal's step before it, or it and its literal
    kThenHex16,
    kClass,
    kThenClass,
    kAddress,
    kThenAddress,
    kField,
    kThenField,
    kFree,
    kThenFree,
    kAccept,
    kThenAccept,
    kAcceptOrOther,  // the literal is the end, or it is not: nothing is to be remembered
    kBackLiteral,    // from the right end
    kBackLiteralBeside,
    kBackLongLiteral,
    kBackClass,
    kBackField,
    kBackAccept,
  };
  static constexpr size_t kSteps = static_cast<size_t>(Do::kBackAccept) + 1;
  struct alignas(64) Step {
    char text[kInline] = {};   // as Node::text
    const void* go = nullptr;  // where the walk does this: of its own table, by Do
    union {
      const ClassRows* rows = nullptr;  // kClass, kHex16
      uint32_t rest;                    // long literals, as Node::rest
      struct {
        uint32_t rule, present;  // and the captures that are present
      } accepted;
    };
    uint32_t other = 0;  // the step to go to where the literal does not stand here; 0 fails
    uint32_t beside = kNowhere;
    uint32_t index = 0;  // as Node::index
    uint16_t length = 0;
    uint8_t min = 0;
    uint8_t span = 0;  // offset of the capture's place in Match::spans, in bytes
  };
  static_assert(sizeof(Step) == 64);

  // Straight ways: one way through one rule, without alternatives, node after node: only ways on which
  // no rule of a lower rank could explain the message. Those
  // that samples show are tried before the tree is: which ones, eight bytes of the message tell.
  static constexpr size_t kWindow = sizeof(uint64_t);
  struct Straights {
    uint32_t offset = 0;
    uint32_t shift = 63;                              // 64 - bits
    std::vector<uint32_t> slots{kNowhere, kNowhere};  // into steps_; a message that is too short finds any
    std::vector<uint64_t> passed{1, 0};  // by slot: a message with these bytes is passed; at first, those of another
    uint64_t passed_mask = ~uint64_t{0};
    uint32_t open = kNowhere;  // ways that those bytes do not tell: tried when the others fail
    size_t ways = 0;           // how many there are
  };

  uint32_t root_ = kNowhere;
  Straights straights_;
  std::vector<Step> steps_;
  std::vector<Switch> switches_;
  std::vector<Node> nodes_;
  std::vector<Dispatch> dispatches_;
  std::vector<uint32_t> slots_;
  std::vector<Fork> forks_;
  std::vector<Way> ways_;
  std::vector<FieldEdge> fields_;
  std::vector<Accept> accepts_;
  std::vector<Atom> atoms_;
  std::vector<ClassTable> classes_;
  std::vector<ClassRows> rows_;                      // as classes_
  std::vector<uint32_t> kept_;                       // by rule: bits of the captures that it keeps
  std::vector<std::vector<std::string_view>> once_;  // by rule: texts that must occur exactly once
  std::string pool_;                                 // ends of long literals
  std::vector<std::unique_ptr<std::string>> text_;
};

inline uint32_t Tree::straight_start(const char* begin) const {
  return straights_.slots[load8(begin + straights_.offset) * kHash >> straights_.shift];
}

// Without a branch: which message comes next can't be guessed.
inline bool Tree::passes(const char* begin, const char* end) const {
  const char* const at = begin + straights_.offset;
  const uint64_t window = load8(at);
  const uint64_t passed = straights_.passed[window * kHash >> straights_.shift];
  return (static_cast<unsigned>((window & straights_.passed_mask) == passed) &
          static_cast<unsigned>(end - at >= static_cast<ptrdiff_t>(kWindow))) != 0;
}

}  // namespace mailward
