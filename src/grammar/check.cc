#include "grammar/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace mailward {

bool CheckReport::sound() const {
  return complaints.empty() &&
         std::all_of(programs.begin(), programs.end(), [](const ProgramCheck& p) { return p.findings.empty(); });
}

namespace {

// Is this program of this daemon to be proved?
using Wanted = std::function<bool(const std::string& daemon, const std::string& program)>;

const RuleFile* file_of(const Grammar& grammar, const std::string& daemon) {
  for (const auto& file : grammar.files())
    if (file->daemon == daemon) return file.get();
  return nullptr;
}

std::vector<const Rule*> rules_of(const RuleFile& file, const std::string& program) {
  std::vector<const Rule*> rules;
  for (const Rule& r : file.rules)
    if (std::find(r.programs.begin(), r.programs.end(), program) != r.programs.end()) rules.push_back(&r);
  return rules;
}

// Daemons that write under one name are proven together: a line must not mean one address to one of
// them and another address to the other. What one of them doesn't know is the other's business.
void check_shared_names(const Grammar& grammar, const Wanted& is_wanted, CheckReport& report) {
  for (const auto& program : grammar.programs()) {
    if (!program->also) continue;
    std::vector<const Rule*> rules;
    std::string daemons;
    bool wanted = false;
    for (const ProgramRules* p = program.get(); p; p = p->also) {
      const RuleFile* file = file_of(grammar, p->daemon);
      if (!file) continue;
      wanted = wanted || is_wanted(p->daemon, p->name);
      daemons += (daemons.empty() ? "" : "+") + p->daemon;
      for (const Rule* r : rules_of(*file, p->name))
        if (r->address == AddressFrom::kLine) rules.push_back(r);
    }
    if (wanted) report.programs.push_back({daemons, program->name, rules.size(), prove(rules)});
  }
}

CheckReport check(const Grammar& grammar, const Wanted& is_wanted) {
  CheckReport report;
  for (const auto& file : grammar.files())
    for (const Program& p : file->programs) {
      if (!is_wanted(file->daemon, p.name)) continue;
      const std::vector<const Rule*> rules = rules_of(*file, p.name);
      report.programs.push_back({file->daemon, p.name, rules.size(), prove(rules)});
    }
  check_shared_names(grammar, is_wanted, report);
  return report;
}

}  // namespace

CheckReport check_rules(const Grammar& grammar, const std::vector<std::string>& only) {
  const auto is_wanted = [&](const std::string& daemon, const std::string&) {
    return only.empty() || std::find(only.begin(), only.end(), daemon) != only.end();
  };
  CheckReport report = check(grammar, is_wanted);
  for (const auto& p : grammar.programs()) {
    if (!is_wanted(p->daemon, {})) continue;
    for (const auto& ready : {p->prepare(), p->prepare_nodes()}) {
      const bool said = ready || std::any_of(report.complaints.begin(), report.complaints.end(),
                                             [&](const std::string& c) { return c == ready.error().message; });
      if (!said) report.complaints.push_back(ready.error().message);
    }
  }
  for (const auto& file : grammar.files()) {
    if (!is_wanted(file->daemon, {})) continue;
    for (const Rule& r : file->rules)
      if (r.samples.empty())
        report.complaints.push_back(fmt::format("{}:{}: rule `{}` has no sample", r.path, r.at_line, r.name));
  }
  return report;
}

Result<CheckReport> check_added_rules(const Grammar& grammar, const Grammar& proven) {
  const auto is_added = [&](const std::string& daemon, const std::string& program) {
    const RuleFile* known = file_of(proven, daemon);
    const bool has_program = known && std::any_of(known->programs.begin(), known->programs.end(),
                                                  [&](const Program& p) { return p.name == program; });
    return !has_program || rules_of(*known, program).size() != rules_of(*file_of(grammar, daemon), program).size();
  };
  for (const auto& p : grammar.programs()) {
    if (!is_added(p->daemon, p->name)) continue;
    if (auto ready = p->prepare(); !ready) return std::unexpected(ready.error());
    if (auto ready = p->prepare_nodes(); !ready) return std::unexpected(ready.error());
  }
  return check(grammar, is_added);
}

std::string describe(const Finding& f) {
  // Bytes that a terminal would not show as themselves are shown as `?`; the marks stay under theirs.
  std::string line;
  for (char c : f.witness) line += c >= ' ' && c <= '~' ? c : '?';
  return fmt::format("{}\n  line: {}\n     1: {}\n     2: {}", f.sentence, line, f.first_marks, f.second_marks);
}

}  // namespace mailward
