#include "session/samples.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "session/tracker.h"

namespace mailward {
namespace {

using Facts = std::map<std::string, std::string>;

struct Told {
  std::string event;
  Facts facts;
};

Facts facts_of(const Event& e) {
  static constexpr std::string_view kNames[kFacts] = {
      "user", "ptr", "helo", "sender", "recipient", "mechanism", "reason", "service", "session", "host", "program"};
  Facts out;
  for (size_t i = 0; i < kFacts; ++i)
    if (!e.facts[i].empty()) out[std::string(kNames[i])] = e.facts[i];
  if (!e.address.empty()) out["address"] = format_address(e.address);
  if (e.port) out["port"] = std::to_string(e.port);
  out["count"] = std::to_string(e.count);
  if (e.mild) out["mild"] = "true";
  return out;
}

// What differs, in words; empty: all that was expected is there.
std::string difference(const Expectation& want, const std::string& event, const Facts& got) {
  if (want.event != event) return fmt::format("event is `{}`, not `{}`", event, want.event);
  for (const auto& [name, value] : want.facts) {
    const auto it = got.find(name == "queue" ? "session" : name);
    if (it == got.end() ? !value.empty() : it->second != value)
      return fmt::format("{} is `{}`, not `{}`", name, it == got.end() ? "" : it->second, value);
  }
  return {};
}

class Tester {
 public:
  Tester(const Grammar& grammar, SampleReport& report) : grammar_(grammar), report_(report) {}

  void file(const RuleFile& f) {
    SampleReport::Daemon d{f.daemon, f.versions, f.rules.size(), 0, f.negatives.size(), f.stories.size(), 0};
    for (const Rule& r : f.rules) {
      d.samples += r.samples.size();
      d.rules_with_sample += !r.samples.empty();
      if (r.samples.empty())
        report_.without_sample.push_back(
            fmt::format("{}:{}: rule `{}` has no sample: nothing shows that it holds", r.path, r.at_line, r.name));
      for (const Sample& s : r.samples) sample(f, r, s);
    }
    for (const NegativeSample& n : f.negatives) negative(f, n);
    for (const Story& s : f.stories) story(f, s);
    report_.daemons.push_back(std::move(d));
  }

 private:
  const ProgramRules* program(const RuleFile& f, const std::string& name) const {
    for (const auto& p : grammar_.programs())
      if (p->daemon == f.daemon && p->name == name) return p.get();
    return nullptr;
  }

  void failure(const RuleFile& f, int line, const std::string& what) {
    report_.failures.push_back(fmt::format("{}:{}: {}", f.path, line, what));
  }

  const RuleMeaning* explain(const ProgramRules& p, const std::string& line) {
    text_ = line + std::string(kMessagePadding, '\0');
    match_ = {};
    return p.explain(text_.data(), text_.data() + line.size(), match_);
  }

  // The facts of one line alone: its own, whatever its session would add.
  Told told(const ProgramRules& p, const RuleMeaning& m, size_t which) {
    Tracker tracker({.keep_facts = true}, Tracker::Mode::kInOrder);
    const Record record;
    LineContext where{&record};
    where.host = hash_host(record.host);
    where.service = p.service;
    RuleMeaning alone = m;
    alone.session = SessionAct::kNone;
    alone.attempt = kNoAttempt;
    alone.twice = false;
    alone.address = AddressFrom::kLine;
    if (which == 1) std::swap(alone.kinds[0], alone.kinds[1]);
    alone.kinds[1] = EventKind::kNone;
    const bool nobody = !match_.has(Capture::kAddress);
    Match match = match_;
    if (nobody) match.present |= 1U << static_cast<unsigned>(Capture::kAddress);
    if (nobody) match.address = {};
    Batch out;
    tracker.take(where, alone, match, out);
    if (out.events.empty()) return {alone.kinds[0] == EventKind::kAmbiguous ? "ambiguous" : "", {}};
    return {std::string(name_of(out.events[0].kind)), facts_of(out.events[0])};
  }

  void sample(const RuleFile& f, const Rule& r, const Sample& s) {
    for (const std::string& name : r.programs) {
      const ProgramRules* p = program(f, name);
      const RuleMeaning* m = explain(*p, s.line);
      if (!m) return failure(f, s.at_line, fmt::format("rule `{}`: no rule explains its sample: {}", r.name, s.line));
      if (m->rule != &r) {
        // Another rule may say the same; then it is as good.
        if (m->rule->events != r.events)
          return failure(f, s.at_line,
                         fmt::format("rule `{}`: its sample is explained by `{}`: {}", r.name, m->rule->name, s.line));
      }
      std::string wrong;
      for (size_t which = 0; which < 2; ++which) {
        if (which == 1 && m->kinds[1] == EventKind::kNone) break;
        const Told got = told(*p, *m, which);
        wrong = difference(s.gives, got.event, got.facts);
        if (wrong.empty()) break;
      }
      if (!wrong.empty()) return failure(f, s.at_line, fmt::format("rule `{}`: {}: {}", r.name, wrong, s.line));
    }
  }

  void negative(const RuleFile& f, const NegativeSample& n) {
    const ProgramRules* p = program(f, n.program);
    if (!p) return failure(f, n.at_line, fmt::format("no program is called `{}`", n.program));
    const RuleMeaning* m = explain(*p, n.line);
    if (!m || m->silent) return;
    const Told got = told(*p, *m, 0);
    const auto address = got.facts.find("address");
    if (n.not_address.empty()) {
      if (!got.event.empty() && got.event != "ambiguous")
        failure(f, n.at_line, fmt::format("must give no event, gives {}: {}", got.event, n.line));
    } else if (address != got.facts.end() && address->second == n.not_address) {
      failure(f, n.at_line, fmt::format("accuses {}: {}", n.not_address, n.line));
    }
  }

  void story(const RuleFile& f, const Story& s) {
    Tracker tracker({.keep_facts = true}, Tracker::Mode::kInOrder);
    Batch out;
    for (const std::string& line : s.lines) {
      const size_t colon = line.find(": ");
      const size_t bracket = line.find('[');
      if (colon == std::string::npos)
        return failure(f, s.at_line, fmt::format("story `{}`: a line wants `program[pid]: message`", s.name));
      Record record;
      LineContext where{&record};
      where.host = hash_host(record.host);
      const bool has_pid = bracket < colon;
      record.host = "host";
      record.program = std::string_view(line).substr(0, has_pid ? bracket : colon);
      if (has_pid) std::from_chars(line.data() + bracket + 1, line.data() + colon, record.pid);
      const auto found = grammar_.find(record.program);
      if (!found.rules)
        return failure(f, s.at_line, fmt::format("story `{}`: nobody knows the program `{}`", s.name, record.program));
      where.service = found.service;
      const std::string message = line.substr(colon + 2);
      record.message = message;
      text_ = message + std::string(kMessagePadding, '\0');
      match_ = {};
      const ProgramRules* rules = found.rules;
      if (const RuleMeaning* m = ProgramRules::explain(rules, text_.data(), text_.data() + message.size(), match_))
        tracker.take(where, *m, match_, out);
      else
        failure(f, s.at_line, fmt::format("story `{}`: no rule explains: {}", s.name, message));
    }
    tracker.finish(out);
    for (size_t i = 0; i < std::max(out.events.size(), s.gives.size()); ++i) {
      if (i >= out.events.size())
        return failure(f, s.at_line,
                       fmt::format("story `{}`: event {} is missing: {}", s.name, i + 1, s.gives[i].event));
      const Event& e = out.events[i];
      if (i >= s.gives.size())
        return failure(f, s.at_line,
                       fmt::format("story `{}`: one event too many: {} of {}", s.name, name_of(e.kind),
                                   format_address(e.address)));
      if (const auto wrong = difference(s.gives[i], std::string(name_of(e.kind)), facts_of(e)); !wrong.empty())
        failure(f, s.at_line, fmt::format("story `{}`: event {}: {}", s.name, i + 1, wrong));
    }
  }

  const Grammar& grammar_;
  SampleReport& report_;
  std::string text_;
  Match match_;
};

}  // namespace

SampleReport test_samples(const Grammar& grammar, const std::vector<std::string>& only) {
  SampleReport report;
  if (const auto ready = grammar.prepare_all(); !ready) {
    report.failures.push_back(ready.error().message);
    return report;
  }
  Tester tester(grammar, report);
  for (const auto& file : grammar.files())
    if (only.empty() || std::find(only.begin(), only.end(), file->daemon) != only.end()) tester.file(*file);
  return report;
}

}  // namespace mailward
