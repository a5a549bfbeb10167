// Rule files: one TOML file a daemon (docs/rule-language.md), read and checked for form. What the
// patterns mean together is the compiler's (tree.h) and the prover's (prove.h) business.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/event.h"
#include "base/result.h"
#include "grammar/pattern.h"

namespace mailward {

enum class SessionAct : uint8_t { kNone, kOpen, kIn, kEnd, kWait };
enum class KeyKind : uint8_t { kNone, kPid, kSession, kQueue };
enum class AddressFrom : uint8_t { kLine, kSession, kNobody };

// What a sample must give: event (empty: none) and facts by name.
struct Expectation {
  std::string event;
  std::map<std::string, std::string> facts;
};

struct Sample {
  std::string line;
  std::string version;
  Expectation gives;
  int at_line = 0;  // in the rule file
};

struct Rule {
  std::string name;
  std::vector<std::string> programs;  // names of the file's programs; never empty
  std::string text;                   // the pattern as written
  Pattern pattern;
  std::vector<EventKind> events;  // at most two; empty: known, tells nothing
  AddressFrom address = AddressFrom::kNobody;
  SessionAct session = SessionAct::kNone;
  KeyKind key = KeyKind::kNone;
  std::string attempt;
  bool hint = false;
  bool settles = false;
  enum class Helper : uint8_t { kNone, kAny, kOthers } helper = Helper::kNone;
  bool unknown_user = false;
  bool mild = false;
  bool fallback = false;
  bool twice = false;        // the daemon may write the line a second time
  std::vector<Capture> vis;  // facts that are escaped as by vis(3)
  uint32_t count = 1;
  std::map<std::string, std::string> constants;
  std::vector<Sample> samples;
  std::string path;  // of its file
  int at_line = 0;
};

struct Program {
  std::string name;
  std::vector<std::string> match;  // `*` stands for any text without a slash
  std::string group;
  std::string service;
  uint32_t cut = 0;    // records of this length or more go on in the next one; 0: never
  bool twice = false;  // of all its rules that tell of something not neutral
};

struct NegativeSample {
  std::string program, line, not_address, why;
  int at_line = 0;
};

struct Story {
  std::string name;
  std::vector<std::string> lines;
  std::vector<Expectation> gives;
  int at_line = 0;
};

struct RuleFile {
  std::string path;
  std::string daemon, versions, about, evidence;
  std::vector<Program> programs;
  PatternScope scope;
  std::vector<Rule> rules;
  std::vector<NegativeSample> negatives;
  std::vector<Story> stories;
  bool has_rules = false;  // the key `rule`, even of an empty list
};

// Errors: "rules/x.toml:12:3: …". `path` is only used in messages.
Result<RuleFile> parse_rule_file(std::string_view text, const std::string& path);
// Fills the rules, for who matches only: `head` is what parse_rule_file() makes of `text` up to the line of its
// first [[rule]], which begins at `first_rule`. The same rules and the same errors as by parse_rule_file() of all
// of it, but for what samples give and from which version they are: that may be left out. After an error `head`
// may hold half of it.
Result<void> parse_rules(RuleFile& head, std::string_view text, size_t first_rule);
Result<RuleFile> read_rule_file(const std::string& path);
// The bytes of a rule file.
Result<std::string> read_rule_text(const std::string& path);

}  // namespace mailward
