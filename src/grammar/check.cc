#include "grammar/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailward {

bool CheckReport::sound() const {
  return complaints.empty() && std::all_of(programs.begin(), programs.end(), [](const ProgramCheck& p) { return p.findings.empty(); });
}

namespace {

const RuleFile* file_of(const Grammar& grammar, const ProgramRules& p) {
  for (const auto& file : grammar.files())
    if (file->daemon == p.daemon) return file.get();
  return nullptr;
}

// Daemons that write under one name are proven together: a line must not mean one address to one of
// them and another address to the other. What one of them doesn't know is the other's business.
void check_shared_names(const Grammar& grammar, const std::vector<std::string>& only, CheckReport& report) {
  for (const auto& program : grammar.programs()) {
    if (!program->also) continue;
    std::vector<const Rule*> rules;
    std::string daemons;
    bool wanted = only.empty();
    for (const ProgramRules* p = program.get(); p; p = p->also) {
      const RuleFile* file = file_of(grammar, *p);
      if (!file) continue;
      wanted = wanted || std::find(only.begin(), only.end(), p->daemon) != only.end();
      daemons += (daemons.empty() ? "" : "+") + p->daemon;
      for (const Rule& r : file->rules)
        if (r.address == AddressFrom::kLine && std::find(r.programs.begin(), r.programs.end(), p->name) != r.programs.end()) rules.push_back(&r);
    }
    if (wanted) report.programs.push_back({daemons, program->name, rules.size(), prove(rules)});
  }
}

}  // namespace

CheckReport check_rules(const Grammar& grammar, const std::vector<std::string>& only) {
  CheckReport report;
  for (const auto& file : grammar.files()) {
    if (!only.empty() && std::find(only.begin(), only.end(), file->daemon) == only.end()) continue;
    for (const Rule& r : file->rules)
      if (r.samples.empty()) report.complaints.push_back(fmt::format("{}:{}: rule `{}` has no sample", file->path, r.at_line, r.name));
    for (const Program& p : file->programs) {
      std::vector<const Rule*> rules;
      for (const Rule& r : file->rules)
        if (std::find(r.programs.begin(), r.programs.end(), p.name) != r.programs.end()) rules.push_back(&r);
      report.programs.push_back({file->daemon, p.name, rules.size(), prove(rules)});
    }
  }
  check_shared_names(grammar, only, report);
  return report;
}

std::string describe(const Finding& f) {
  // Bytes that a terminal would not show as themselves are shown as `?`; the marks stay under theirs.
  std::string line;
  for (char c : f.witness) line += c >= ' ' && c <= '~' ? c : '?';
  return fmt::format("{}\n  line: {}\n     1: {}\n     2: {}", f.sentence, line, f.first_marks, f.second_marks);
}

}  // namespace mailward
