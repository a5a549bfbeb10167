// `mailward rules check`: everything that must hold of rules before they are believed. The proof
// (prove.h), evidence for closed alphabets, a sample for each rule.
#pragma once

#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/prove.h"

namespace mailward {

struct ProgramCheck {
  std::string daemon, program;
  size_t rules = 0;
  std::vector<Finding> findings;  // point into the grammar's rules
};

struct CheckReport {
  std::vector<ProgramCheck> programs;
  std::vector<std::string> complaints;  // "rules/x.toml:12: rule `y` has no sample", or can't be compiled
  bool sound() const;
};

// `only`: names of daemons; empty: all. Makes the trees, too (Grammar::prepare_all). Takes up to seconds.
CheckReport check_rules(const Grammar& grammar, const std::vector<std::string>& only = {});

// The same, and the trees are made (Grammar::prepare_all), for those programs only of which `proven` (a grammar that
// `grammar` begins with: its folders are the first of grammar's) doesn't know all rules, and for the names that such a
// program shares with other daemons. With no finding here and none in `proven`, there is none in `grammar`: a folder
// adds rules and changes none, and the proof looks at the rules of one name together and at nothing else.
Result<CheckReport> check_added_rules(const Grammar& grammar, const Grammar& proven);

// A finding for a person: the sentence, the witness with the bytes that each reading marks.
std::string describe(const Finding& finding);

}  // namespace mailward
