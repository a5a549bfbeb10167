// The compiler of trees (tree.h): from the patterns of one program to nodes. Its parts:
//   tree_cells.cc     patterns as chains of cells
//   tree_compile.cc   a node is a set of cells, so that what rules have in common is walked once
//   tree_literals.cc  nodes that tell literals apart
//   tree_straight.cc  the ways that samples show, laid out to be walked fast
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "grammar/tree.h"
#include "grammar/tree_cells.h"

namespace mailward {

struct CompileError {
  uint32_t rule;
  std::string what;
};

// Used once. Throws CompileError; Tree::compile() catches it.
class TreeBuilder {
 public:
  TreeBuilder(std::span<const TreePattern> patterns, Tree& out) : patterns_(patterns), out_(out) {}
  void build(Tree::Parts parts);

 private:
  // One element of one way through a pattern.
  struct Step {
    bool literal;
    std::string text;
    Type type;
    Capture capture;
  };
  using Way = std::vector<Step>;
  // A node before it has a place: it may still be joined with a literal in front of it.
  struct Built {
    Tree::Node node;
    uint32_t id = 0;
    uint32_t rule = 0;  // one of those that come here, for messages
    size_t forks = 0;   // on the longest way from here
  };
  // What a node does, without its literal and its place.
  struct Act {
    Tree::Op op = Tree::Op::kGo;
    Capture capture = Capture::kNone;
    uint8_t min = 0;
    uint32_t table = 0, index = 0;
    bool operator==(const Act&) const = default;
    void give(Tree::Node& n) const {
      n.op = op;
      n.capture = capture;
      n.min = min;
      n.table = table;
      n.index = index;
    }
  };
  // One of the ways on from a node that is no literal.
  struct OneWay {
    Built built;
    std::vector<int> cells;
    ByteSet begins;  // the bytes that it may begin with
    bool empty;      // whether it may be empty
    int best;        // the lowest rank of its rules
  };
  struct FieldGroup {
    Type type;
    uint16_t back;
    Capture capture;  // kNone sorts last
    auto operator<=>(const FieldGroup&) const = default;
  };
  struct FieldNext {
    std::vector<int> origin, next;
    std::vector<uint32_t> rules;
  };

  [[noreturn]] void error(uint32_t rule, std::string what) const { throw CompileError{rule, std::move(what)}; }
  uint32_t rule_of(int c) const { return cells_[c].rule; }
  int rank_of(int c) const { return patterns_[rule_of(c)].rank; }
  int best_rank(const std::vector<int>& cells) const;
  void collect(const Element& e);
  std::string_view keep_text(std::string text);
  uint32_t table(const ByteSet& set);

  // --- nodes (tree_compile.cc)
  Built fresh(uint32_t rule) { return {{}, next_id_++, rule, 0}; }
  Built build(std::vector<int> cells, bool forward);
  Built make(const std::vector<int>& cells, bool forward);
  uint32_t place(const Built& built);
  Built one_of(const std::vector<OneWay>& ways, uint32_t rule) {
    return ways.size() == 1 ? ways[0].built : fork(ways, rule);
  }
  Built fork(const std::vector<OneWay>& ways, uint32_t rule);
  void field_ways(const std::vector<int>& fields, bool forward, std::vector<OneWay>& ways);
  Built field(const FieldGroup& g, const FieldNext& then, bool forward);
  Act field_act(const FieldGroup& g, bool forward);
  void join_unkept(std::map<FieldGroup, FieldNext>& groups) const;
  void ways(int c, Way& so_far, std::vector<Way>& out) const;
  static bool readable_back(const Way& w, size_t i);
  Built right_tree(const std::vector<int>& frees);
  int right_chain(const Way& w, uint32_t rule);
  uint32_t add_accept(const Way& middle, bool address_right, std::optional<uint32_t> of = {});

  // --- literals (tree_literals.cc)
  // A run of literals that a node may continue with, as far as nothing but literals can follow.
  struct Run {
    std::string text;
    std::vector<int> after;
  };
  class Beside;
  void runs(const std::vector<int>& literals, const std::string& so_far, bool forward, std::vector<Run>& out);
  Built literal(const Run& run, bool forward);
  void set_literal(Tree::Node& n, const std::string& text, bool forward);
  Built dispatch(const std::vector<int>& literals, bool forward, const std::vector<OneWay>& others);
  Tree::Dispatch best_dispatch(const std::vector<Run>& all, bool forward, uint32_t miss, Beside& beside, size_t& forks);
  std::vector<Run> families(const std::vector<Run>& slot, bool forward);
  bool possible(const std::vector<int>& begin, std::string_view text, bool forward) const;

  // --- straight ways (tree_straight.cc)
  // One step: a literal, or what a node does.
  struct StraightStep {
    std::string text;  // empty: `act`
    Act act;
    bool operator==(const StraightStep&) const = default;
  };
  struct Straight {
    uint32_t rule = 0;
    size_t samples = 1;  // that go this way
    std::vector<StraightStep> steps;
    std::string known;  // of its first bytes, those that are certain
    std::string fixed;  // 'x' for each byte of `known` that is, ' ' for one that may be anything
  };
  struct Trie {
    StraightStep step;
    uint32_t kept;   // captures that the rules of these ways keep
    size_t samples;  // that went this way
    std::vector<Trie> then;
  };
  void lay_straight_ways();
  class Earlier;
  Pattern joined(std::span<const int> way) const;
  std::optional<Straight> straight(const Pattern& way);
  void insert(std::vector<Trie>& level, std::span<const StraightStep> steps, const Straight& way);
  static bool same_step(Trie& known, const StraightStep& step, uint32_t kept);
  static bool ends(const Trie& t);
  static void gather(std::vector<Trie>& level);
  struct Laid {  // what is to become one step or two
    Tree::Node node;
    bool forward = true, switches = false;
    uint32_t rule = 0, present = 0;  // Op::kAccept
  };
  void lay(std::vector<Trie>& level, bool forward, uint32_t captures);
  static constexpr size_t kFewestSwitched = 3;
  size_t lay_switch(std::span<const Trie> literals, std::span<const size_t> places, size_t node);
  void put_steps();
  void put_steps_of(const Laid& laid);
  void choose_window(const std::vector<Straight>& all);
  void mark_passed(std::span<const uint64_t> windows);

  static inline const ByteSet kHex = builtin_types().at("hex").type.set;
  static inline const Type kAddress = builtin_types().at("address").type;
  std::span<const TreePattern> patterns_;
  Tree& out_;
  uint32_t rule_ = 0;  // whose cells are made
  Cells cells_;
  std::vector<int> heads_;  // by rule
  std::map<ByteSet, uint32_t> table_of_;
  std::map<std::vector<int>, Built> forward_nodes_, backward_nodes_;
  std::map<FieldGroup, uint32_t> field_of_;
  std::map<uint32_t, uint32_t> placed_;  // by id of what was built
  std::vector<Laid> laid_;               // of straight ways
  uint32_t next_id_ = 0;
};

}  // namespace mailward
