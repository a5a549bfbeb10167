// The patterns of one program as one deterministic tree, and the walk that matches a message.
//
// How: from the left, an edge is a literal run or a typed field; a node's first byte chooses among
// literals. At the first free field the walk goes on from the right end of the message, in a second
// tree of the same kind that reads backwards. What remains between belongs to the free field; where
// a rule has more than one, its middle is cut at its literals. Where two edges are possible, they
// are tried in order: rules of a program are proven to agree (prove.h), so whichever explains a
// message says the same.
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
#include "base/result.h"
#include "grammar/class_scan.h"
#include "grammar/pattern.h"

namespace mailward {

// The walk loads eight bytes at a time: so many bytes after a message must be readable.
inline constexpr size_t kMessagePadding = 16;

struct TextSpan {
  const char* begin;
  const char* end;
  std::string_view view() const { return {begin, static_cast<size_t>(end - begin)}; }
};

struct Match {
  uint32_t rule = 0;           // index into the patterns given to compile()
  uint32_t present = 0;        // bit of each Capture that was kept
  bool address_right = false;  // the address stands right of a free field: a cut line can't be trusted
  bool exhausted = false;      // the text was too ambiguous to be cut; set on a failed match only
  Address address;             // where present has kAddress
  std::array<TextSpan, kCaptures> spans;  // only those that are present are set

  bool has(Capture c) const { return present >> static_cast<unsigned>(c) & 1; }
  std::string_view text(Capture c) const { return has(c) ? spans[static_cast<size_t>(c)].view() : std::string_view{}; }
};

struct TreePattern {
  const Pattern* pattern;
  std::string name;  // for messages
};

namespace plain {
class Walk;
}
namespace wide {
class Walk;
}

class Tree {
 public:
  static Result<Tree> compile(std::span<const TreePattern> patterns);

  // True and `m` filled (but for spans that are not present) when a rule explains [begin, end).
  bool match(const char* begin, const char* end, Match& m) const;
  // The same by instructions that every processor has; for tests.
  bool match_plain(const char* begin, const char* end, Match& m) const;

  size_t nodes() const { return nodes_.size(); }
  size_t bytes() const;

 private:
  friend class TreeBuilder;
  friend class plain::Walk;
  friend class wide::Walk;

  enum class Step : uint8_t { kLiteral, kLiterals, kHex16, kClass, kField, kFree, kAccept };
  struct Alternative {
    Step step;
    uint32_t index;  // into literals_, dispatches_, fields_, nodes_ (the right tree's root), accepts_
  };
  struct Node {
    Step step;        // the way on, where there is only one
    uint8_t count;    // of ways; at most 32
    uint32_t index;
    uint32_t first;   // count > 1: the ways, into alternatives_, in the order in which they are tried
    uint32_t viable;  // count > 1: into viable_: by the next byte, the ways that it may begin (a bit each)
  };
  static constexpr size_t kAtEnd = 256;  // in a table of viable_: there is no next byte
  struct Literal {
    uint64_t head, mask;  // its first eight bytes (backwards: its last eight)
    const char* text;     // into text_
    uint32_t length;
    uint32_t next;
    uint32_t more;        // literals of the same slot that follow
  };
  // Several literals of which at most one can stand here. They are told apart by a few bytes at a
  // place that all of them have, hashed into a small table; those that share a slot are a row in
  // literals_, each with the number of those behind it.
  struct Dispatch {
    uint64_t mask;     // of the bytes that are hashed
    uint32_t offset;   // where they stand (backwards: so many bytes before the end)
    uint32_t slots;    // into slots_: 1 << bits of them
    uint32_t shift;    // 64 - bits
    uint32_t least;    // so many bytes must be there
  };
  struct FieldEdge {
    Type::Kind kind;
    Capture capture;
    bool fixed;
    uint16_t give_back;  // bytes of the class that belong to the literal that follows
    uint32_t table;      // of the class, into classes_
    uint32_t min, max;
    uint32_t next;
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
    bool address_right;
    bool once;  // texts that must occur once
  };
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr uint64_t kHash = 0x9e3779b97f4a7c15ULL;

  uint32_t root_ = 0;
  std::vector<Node> nodes_;
  std::vector<Alternative> alternatives_;
  std::vector<Dispatch> dispatches_;
  std::vector<Literal> literals_;
  std::vector<FieldEdge> fields_;
  std::vector<Accept> accepts_;
  std::vector<Atom> atoms_;
  std::vector<uint32_t> slots_;
  std::vector<std::array<uint32_t, 257>> viable_;
  std::vector<ClassTable> classes_;
  std::vector<uint32_t> kept_;                       // by rule: bits of the captures that it keeps
  std::vector<std::vector<std::string_view>> once_;  // by rule: texts that must occur exactly once
  std::vector<std::unique_ptr<std::string>> text_;
};

}  // namespace mailward
