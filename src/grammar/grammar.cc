#include "grammar/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "grammar/prove.h"

namespace mailward {
namespace {

// `*` stands for any text without a slash. Says where the last `*` stood in the name.
bool glob_matches(std::string_view glob, std::string_view name, std::string_view* last_star) {
  if (glob.empty()) return name.empty();
  if (glob[0] != '*')
    return !name.empty() && glob[0] == name[0] && glob_matches(glob.substr(1), name.substr(1), last_star);
  for (size_t n = 0; n <= name.size(); ++n) {
    if (n > 0 && name[n - 1] == '/') return false;
    std::string_view inner;
    if (!glob_matches(glob.substr(1), name.substr(n), &inner)) continue;
    *last_star = inner.data() ? inner : name.substr(0, n);
    return true;
  }
  return false;
}

std::optional<Fact> fact_of(Capture c) {
  switch (c) {
    case Capture::kUser:
      return Fact::kUser;
    case Capture::kPtr:
      return Fact::kPtr;
    case Capture::kHelo:
      return Fact::kHelo;
    case Capture::kSender:
      return Fact::kSender;
    case Capture::kRecipient:
      return Fact::kRecipient;
    case Capture::kMechanism:
      return Fact::kMechanism;
    case Capture::kReason:
      return Fact::kReason;
    case Capture::kService:
      return Fact::kService;
    case Capture::kSession:
    case Capture::kQueue:
      return Fact::kSession;
    default:
      return {};
  }
}

class Compiler {
 public:
  Compiler(std::vector<std::unique_ptr<ProgramRules>>& programs) : programs_(programs) {}

  Result<ProgramRules*> program(const RuleFile& file, const Program& p) {
    auto out = std::make_unique<ProgramRules>();
    out->daemon = file.daemon;
    out->name = p.name;
    out->group = groups_.try_emplace(p.group, static_cast<uint32_t>(groups_.size() + 1)).first->second;
    out->service = p.service;
    out->cut = p.cut;
    std::vector<const Rule*> rules;
    for (const Rule& r : file.rules)
      if (std::find(r.programs.begin(), r.programs.end(), p.name) != r.programs.end()) rules.push_back(&r);
    for (const Rule* rule : rules) {
      auto m = meaning(*rule, out->group, p.twice);
      if (!m) return fail(fmt::format("{}: {}", file.path, m.error().message));
      out->meanings.push_back(std::move(*m));
      TreePattern& pattern = out->patterns.emplace_back(&rule->pattern, rule->name, rank_of(*rule));
      for (const Sample& s : rule->samples) pattern.samples.push_back(s.line);
    }
    programs_.push_back(std::move(out));
    return programs_.back().get();
  }

 private:
  Result<RuleMeaning> meaning(const Rule& r, uint32_t group, bool twice) {
    RuleMeaning m;
    m.rule = &r;
    for (size_t i = 0; i < r.events.size(); ++i) m.kinds[i] = r.events[i];
    m.address = r.address;
    m.session = r.session;
    m.key = r.key;
    m.hint = r.hint;
    m.unknown_user = r.unknown_user;
    m.count = r.count;
    m.twice = r.twice || (twice && std::any_of(r.events.begin(), r.events.end(),
                                               [](EventKind k) { return severity_of(k) != Severity::kNeutral; }));
    for (Capture c : r.vis)
      if (const auto fact = fact_of(c)) m.vis.push_back(*fact);
    m.silent = r.events.empty() && r.session == SessionAct::kNone;
    if (!r.attempt.empty()) {
      auto& classes = attempts_[group];
      auto it = std::find(classes.begin(), classes.end(), r.attempt);
      if (it == classes.end()) {
        if (classes.size() >= kAttemptClasses)
          return fail(fmt::format("rule `{}`: more than {} classes of attempts in one group of programs", r.name,
                                  kAttemptClasses));
        it = classes.insert(classes.end(), r.attempt);
      }
      m.attempt = static_cast<uint8_t>(it - classes.begin());
    }
    for (const EventKind kind : r.events) m.kind_set |= bit(kind);
    m.kind_count = static_cast<uint8_t>(r.events.size());
    m.plain = m.attempt == kNoAttempt && m.count > 0 && m.session != SessionAct::kWait &&
              !(m.kind_set & bit(EventKind::kAmbiguous));
    for (const auto& [name, value] : r.constants) m.constants.emplace_back(*fact_of(*parse_capture(name)), value);
    return m;
  }

  std::vector<std::unique_ptr<ProgramRules>>& programs_;
  std::map<std::string, uint32_t> groups_;
  std::map<uint32_t, std::vector<std::string>> attempts_;
};

// Rules that can't be compiled, met when a log is read already: said once, whatever number of threads meets them.
[[noreturn]] void end_with(const Error& error) {
  static std::mutex only_one;
  only_one.lock();
  fmt::print(stderr, "mailward: {}\n", error.message);
  std::fflush(stderr);
  std::_Exit(1);
}

// A site's file for a daemon that is known adds programs, types, macros and rules to it.
Result<void> merge(RuleFile& into, RuleFile&& from) {
  for (Program& p : from.programs)
    if (std::none_of(into.programs.begin(), into.programs.end(), [&](const Program& q) { return q.name == p.name; }))
      into.programs.push_back(std::move(p));
  for (Rule& r : from.rules) {
    for (const Rule& other : into.rules)
      if (other.name == r.name)
        return fail(fmt::format("{}:{}: the daemon {} has a rule called `{}` already", from.path, r.at_line,
                                into.daemon, r.name));
    into.rules.push_back(std::move(r));
  }
  for (auto& n : from.negatives) into.negatives.push_back(std::move(n));
  for (auto& s : from.stories) into.stories.push_back(std::move(s));
  return {};
}

}  // namespace

Result<Grammar> Grammar::load(std::span<const std::string> folders) {
  std::vector<RuleFile> files;
  for (const std::string& folder : folders) {
    std::vector<std::string> paths;
    std::error_code trouble;
    for (const auto& entry : std::filesystem::directory_iterator(folder, trouble))
      if (entry.path().extension() == ".toml") paths.push_back(entry.path().string());
    if (trouble) return fail(fmt::format("{}: no folder of rules can be read here: {}", folder, trouble.message()));
    std::sort(paths.begin(), paths.end());
    for (const std::string& path : paths) {
      auto file = read_rule_file(path);
      if (!file) return std::unexpected(file.error());
      files.push_back(std::move(*file));
    }
  }
  auto joined = join(std::move(files));
  if (!joined) return std::unexpected(joined.error());
  return compile(std::move(*joined));
}

Result<std::vector<RuleFile>> Grammar::join(std::vector<RuleFile> files) {
  std::vector<RuleFile> joined;
  for (RuleFile& file : files) {
    const auto known =
        std::find_if(joined.begin(), joined.end(), [&](const RuleFile& f) { return f.daemon == file.daemon; });
    if (known == joined.end()) {
      joined.push_back(std::move(file));
    } else if (auto ok = merge(*known, std::move(file)); !ok) {
      return std::unexpected(ok.error());
    }
  }
  return joined;
}

Result<Grammar> Grammar::compile(std::vector<RuleFile> files) {
  Grammar g;
  Compiler compiler(g.programs_);
  for (RuleFile& f : files) g.files_.push_back(std::make_unique<RuleFile>(std::move(f)));
  for (const auto& file : g.files_)
    for (const Program& p : file->programs) {
      auto rules = compiler.program(*file, p);
      if (!rules) return std::unexpected(rules.error());
      for (const std::string& glob : p.match) {
        const auto same =
            std::find_if(g.names_.begin(), g.names_.end(), [&](const Pattern_& n) { return n.glob == glob; });
        ProgramRules* last = same == g.names_.end() ? *rules : same->rules;
        while (last != *rules && last->also) last = last->also;
        if (last != *rules) last->also = *rules;
        g.names_.push_back({glob, *rules});
      }
    }
  // An exact name comes before a pattern.
  std::stable_sort(g.names_.begin(), g.names_.end(), [](const Pattern_& a, const Pattern_& b) {
    return std::count(a.glob.begin(), a.glob.end(), '*') < std::count(b.glob.begin(), b.glob.end(), '*');
  });
  return g;
}

Result<void> ProgramRules::prepare() {
  std::call_once(once_, [this] {
    auto made = Tree::compile(patterns, Tree::Parts::kStraightWays);
    if (made)
      straight_ways_ = std::move(*made);
    else
      trouble_ = trouble_of(made.error());
  });
  if (!trouble_.empty()) return fail(trouble_);
  return {};
}

Result<void> ProgramRules::prepare_nodes() const {
  std::call_once(nodes_once_, [this] {
    auto made = Tree::compile(patterns, Tree::Parts::kNodes);
    if (made)
      nodes_ = std::move(*made);
    else
      nodes_trouble_ = trouble_of(made.error());
    nodes_ready_.store(true, std::memory_order_release);
  });
  if (!nodes_trouble_.empty()) return fail(nodes_trouble_);
  return {};
}

// With the place of the rule that the sentence begins with: "rules/x.toml:12: rule `y`: …".
std::string ProgramRules::trouble_of(const Error& error) const {
  for (const RuleMeaning& m : meanings)
    if (error.message.starts_with(fmt::format("rule `{}`:", m.rule->name)))
      return fmt::format("{}:{}: {} (program {})", m.rule->path, m.rule->at_line, error.message, name);
  return fmt::format("rules of {}: program {}: {}", daemon, name, error.message);
}

const RuleMeaning* ProgramRules::explain_first(const char* begin, const char* end, Match& m) const {
  if (auto ok = prepare_nodes(); !ok) end_with(ok.error());
  return explain_by_nodes(begin, end, m);
}

Result<void> Grammar::prepare_all() const {
  for (const auto& p : programs_)
    if (auto ok = p->prepare(); !ok) return ok;
  for (const auto& p : programs_)
    if (auto ok = p->prepare_nodes(); !ok) return ok;
  return {};
}

Grammar::Found Grammar::find(std::string_view program) const {
  for (const Pattern_& n : names_) {
    std::string_view star;
    if (!glob_matches(n.glob, program, &star)) continue;
    for (ProgramRules* rules = n.rules; rules; rules = rules->also)
      if (auto ok = rules->prepare(); !ok) end_with(ok.error());
    return {n.rules, star.empty() ? std::string_view(n.rules->service) : star};
  }
  return {};
}

}  // namespace mailward
