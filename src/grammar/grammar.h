// All rules, compiled: from a program's name and a message to what the message tells.
// Immutable after loading; may be used by many threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event.h"
#include "base/inline.h"
#include "base/result.h"
#include "grammar/rule_file.h"
#include "grammar/tree.h"

namespace mailward {

inline constexpr size_t kAttemptClasses = 4;  // of one group of programs
inline constexpr uint8_t kNoAttempt = 0xff;

// What a rule says, without its text: all that the stations behind need of it.
struct RuleMeaning {
  const Rule* rule = nullptr;
  EventKind kinds[2] = {EventKind::kNone, EventKind::kNone};
  AddressFrom address = AddressFrom::kNobody;
  SessionAct session = SessionAct::kNone;
  KeyKind key = KeyKind::kNone;
  Capture id = Capture::kNone;   // what `key` is read from; kNone: the process
  uint8_t attempt = kNoAttempt;  // number of the class within its group
  bool hint = false;
  bool settles = false;  // nothing that the session announced is owed any more
  bool helper = false;
  bool apart = false;  // Rule::Helper::kOthers
  bool unknown_user = false;
  bool mild = false;
  bool twice = false;
  bool plain = false;    // its events are no attempts and wait for nothing
  bool follows = false;  // a line in a session that another one opened
  bool passing = false;  // such a line, after which nothing of the session is otherwise than before
  uint8_t kind_count = 0;
  KindSet kind_set = 0;  // of `kinds`
  bool silent = false;   // no event and no session
  bool heeded = true;    // not silent, and of use to what is asked for (Grammar::narrow())
  uint32_t count = 1;
  uint32_t group = 0;       // of the program
  std::string_view daemon;  // lives as long as the grammar
  std::vector<std::pair<Fact, std::string>> constants;
  std::vector<Fact> vis;  // to be decoded
};

// The rules of one program.
struct ProgramRules {
  std::string daemon;
  std::string name;
  uint32_t group = 0;  // programs that share sessions have the same number
  std::string service;
  uint32_t cut = 0;  // a message of this length or more goes on in the next record: that one is no line
  std::vector<TreePattern> patterns;
  std::vector<RuleMeaning> meanings;  // by Match::rule, as patterns
  ProgramRules* also = nullptr;       // of another daemon that writes under the same name (`imapd`: Courier, UW)
  bool heeded = true;                 // one of its rules is

  // Reads the rules, if their file was only opened, and lays out the straight ways of the samples; explain()
  // needs it. Any thread may call it, any number of times.
  Result<void> prepare();
  // Makes the nodes, too, which explain() else does at the first message that goes no straight way. A program
  // whose rules can't be compiled ends the process there, with a sentence and status 1: skipping it would hide
  // attacks.
  Result<void> prepare_nodes() const;

  // Which rule explains [begin, end)? Null: none. kMessagePadding bytes after `end` must be readable.
  const RuleMeaning* explain(const char* begin, const char* end, Match& m) const {
    return explain(start(begin), begin, end, m);
  }
  // The same in two steps, for who has several messages at hand: where to start needs the messages only,
  // so that the second step never waits for it.
  uint32_t start(const char* begin) const { return straight_ways_.straight_start(begin); }
  // Need it not be explained, because no heeded rule of this name can? (False: it may be so yet.)
  bool passes(const char* begin, const char* end) const { return straight_ways_.passes(begin, end); }
  // For a program none of whose rules is heeded, and no daemon's of the same name: every message is passed.
  static const ProgramRules& unheeded();
  MAILWARD_INLINE const RuleMeaning* explain(uint32_t start, const char* begin, const char* end, Match& m) const {
    if (straight_ways_.match_straight(start, begin, end, m)) return &meanings[m.rule];
    return nodes_ready_.load(std::memory_order_acquire) ? explain_by_nodes(begin, end, m)
                                                        : explain_first(begin, end, m);
  }

  // The same, of whichever daemon writes under this name: the first that tells something, else the
  // first that knows the line. `whose` becomes the rules that explained it. (rules check proves the
  // daemons of one name together.)
  static const RuleMeaning* explain(const ProgramRules*& whose, const char* begin, const char* end, Match& m) {
    return explain(whose, whose->start(begin), begin, end, m);
  }
  MAILWARD_INLINE static const RuleMeaning* explain(const ProgramRules*& whose, uint32_t start, const char* begin,
                                                    const char* end, Match& m) {
    const ProgramRules* at = whose;
    const RuleMeaning* known = at->explain(start, begin, end, m);
    if (!at->also || (known && !known->silent)) return known;
    for (at = at->also; at; at = at->also)
      if (const RuleMeaning* found = at->explain(begin, end, m); found && !found->silent) {
        whose = at;
        return found;
      } else if (!known) {
        known = found;
      }
    return known;
  }

  // For tests.
  const Tree& straight_ways() const { return straight_ways_; }
  const Tree& nodes() const { return nodes_; }

 private:
  const RuleMeaning* explain_by_nodes(const char* begin, const char* end, Match& m) const {
    return nodes_.match(begin, end, m) ? &meanings[m.rule] : nullptr;
  }
  const RuleMeaning* explain_first(const char* begin, const char* end, Match& m) const;
  std::string trouble_of(const Error& error) const;

  friend class Grammar;
  std::function<Result<void>()> read_;  // fills patterns and meanings of all programs of the file; may be empty
  Tree straight_ways_;
  mutable Tree nodes_;
  mutable std::atomic<bool> nodes_ready_ = false;
  std::once_flag once_;
  mutable std::once_flag nodes_once_;
  std::string trouble_;
  mutable std::string nodes_trouble_;
};

class Grammar {
 public:
  // Reads every *.toml of the folders, by name; a file of a later folder that has the daemon of an
  // earlier file adds to it. Errors name file and line. What matching needs is made when a program's
  // name is first looked up: most logs hold a few programs only.
  static Result<Grammar> load(std::span<const std::string> folders);
  // The same for rules that were checked before they were installed: of each file only what stands before
  // its first rule is read now (and all bytes: no file is opened later), the rest when a log names one of
  // its programs. What is wrong there ends the process then, with the same sentence.
  static Result<Grammar> open(const std::string& folder);
  // Its steps, for who has read the files: files of one daemon become one, the first of them.
  static Result<std::vector<RuleFile>> join(std::vector<RuleFile> files);
  static Result<Grammar> compile(std::vector<RuleFile> files);
  // Only events of these kinds are of use: rules that can neither tell one nor change what others tell (by
  // the session that they share) are not heeded, and the lines of programs without a rule that is need not be
  // matched. Once, before the first program is looked up.
  void narrow(KindSet wanted);
  bool narrowed() const;
  // Makes all trees now, so that a rule that can't be compiled is told before anything is read.
  Result<void> prepare_all() const;
  // The same for who can't do without: rules that can't be compiled end the process, as explain() does.
  void need_all() const;

  struct Found {
    const ProgramRules* rules = nullptr;  // null: a program without rules
    std::string_view service;             // into `program`, or into the rules
  };
  // By the name in a record's header. Not fast: remember the answer. A program whose rules can't be
  // compiled ends the process as explain() does.
  Found find(std::string_view program) const;

  const std::vector<std::unique_ptr<ProgramRules>>& programs() const { return programs_; }
  const std::vector<std::unique_ptr<RuleFile>>& files() const { return files_; }

 private:
  class Compiler;
  struct Name {
    std::string glob;
    ProgramRules* rules;
  };
  std::vector<std::unique_ptr<RuleFile>> files_;
  std::vector<std::unique_ptr<ProgramRules>> programs_;
  std::vector<Name> names_;
  std::shared_ptr<Compiler> compiler_;

  void add_programs(const RuleFile& file);
  void sort_names();
};

}  // namespace mailward
