#include "grammar/grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "base/text.h"
#include "grammar/prove.h"
#include "grammar/short_rules.h"

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

// Rules that can't be compiled, met when a log is read already: said once, whatever number of threads meets them.
[[noreturn]] void end_with(const Error& error) {
  static std::mutex only_one;
  only_one.lock();
  fmt::print(stderr, "mailward: {}\n", for_terminal(error.message, 4000));
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

std::vector<std::string> rule_paths(const std::string& folder, std::error_code& trouble) {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder, trouble))
    if (entry.path().extension() == ".toml") paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  return paths;
}

// What stands behind the last rule and is for tests only.
void cut_off_tests(std::string& text) {
  constexpr std::string_view kSections[] = {"\n[[negative]]", "\n[[story]]", "\n[[story.gives]]"};
  const auto is_test = [&](size_t at) {
    return std::any_of(std::begin(kSections), std::end(kSections),
                       [&](std::string_view s) { return std::string_view(text).substr(at).starts_with(s); });
  };
  size_t end = text.size();
  for (size_t at = text.rfind("\n["); at != std::string::npos && is_test(at);
       at = at ? text.rfind("\n[", at - 1) : at - 1)
    end = at;
  text.resize(end);
}

// Of a session in which all goes well. A line that tells nothing else does not make it go on: it ends as if the
// line were not there (docs/sessions.md).
constexpr KindSet kAllIsWell = bit(EventKind::kTlsStarted) | bit(EventKind::kAccepted);

std::unexpected<Error> no_folder(const std::string& folder, const std::error_code& trouble) {
  return fail(fmt::format("{}: no folder of rules can be read here: {}", folder, trouble.message()));
}

}  // namespace

// What rules of several files share: numbers of groups, and of the classes of attempts in each.
class Grammar::Compiler {
 public:
  // A program without rules yet.
  std::unique_ptr<ProgramRules> program(const RuleFile& file, const Program& p) {
    auto out = std::make_unique<ProgramRules>();
    out->daemon = file.daemon;
    out->name = p.name;
    Group& group = groups_.try_emplace(p.group, static_cast<uint32_t>(groups_.size() + 1), file.path).first->second;
    if (group.path != file.path) group.one_file = false;
    out->group = group.number;
    out->service = p.service;
    out->cut = p.cut;
    return out;
  }

  // Its rules. `file` and `p` must stay where they are. Any thread may call it.
  Result<void> fill(ProgramRules& out, const RuleFile& file, const Program& p) {
    const std::lock_guard only_one(mutex_);
    for (const Rule& rule : file.rules) {
      if (std::find(rule.programs.begin(), rule.programs.end(), p.name) == rule.programs.end()) continue;
      auto m = meaning(rule, out, p.twice);
      if (!m) return fail(fmt::format("{}: {}", file.path, m.error().message));
      out.meanings.push_back(std::move(*m));
      TreePattern& pattern = out.patterns.emplace_back(&rule.pattern, rule.name, rank_of(rule));
      for (const Sample& s : rule.samples) pattern.samples.push_back(s.line);
    }
    return {};
  }

  void narrow(KindSet wanted) { wanted_ = wanted; }
  bool narrowed() const { return wanted_ != ~KindSet{0}; }
  // Of the programs of one file, all filled.
  void narrow(std::span<ProgramRules* const> programs) {
    if (!narrowed()) return;
    const std::lock_guard only_one(mutex_);
    const auto tells = [&](const RuleMeaning& m) { return (m.kind_set & wanted_) != 0; };
    std::set<std::pair<uint32_t, KeyKind>> followed;  // sessions that such events stand in
    std::set<uint32_t> twice;                         // groups where one may be a copy of the line before
    for (const ProgramRules* p : programs)
      for (const RuleMeaning& m : p->meanings) {
        if (!tells(m)) continue;
        if (m.session != SessionAct::kNone) followed.emplace(m.group, m.key);
        if (m.twice) twice.insert(m.group);
      }
    std::set<uint32_t> elsewhere;  // groups with programs of other files
    for (const auto& [name, group] : groups_)
      if (!group.one_file) elsewhere.insert(group.number);
    const auto touches = [&](const RuleMeaning& m) {
      const bool shared = elsewhere.contains(m.group);
      return (m.session != SessionAct::kNone && !m.passing && (shared || followed.contains({m.group, m.key}))) ||
             (m.twice && (shared || twice.contains(m.group)));
    };
    for (ProgramRules* p : programs) {
      p->heeded = false;
      for (size_t rule = 0; rule < p->meanings.size(); ++rule) {
        RuleMeaning& m = p->meanings[rule];
        p->patterns[rule].asked = m.heeded = !m.silent && (tells(m) || touches(m));
        p->heeded = p->heeded || m.heeded;
      }
    }
  }

 private:
  struct Group {
    Group(uint32_t n, std::string of) : number(n), path(std::move(of)) {}
    uint32_t number;
    std::string path;  // of the first file that has programs of it
    bool one_file = true;
  };
  Result<RuleMeaning> meaning(const Rule& r, const ProgramRules& program, bool twice) {
    RuleMeaning m;
    m.rule = &r;
    for (size_t i = 0; i < r.events.size(); ++i) m.kinds[i] = r.events[i];
    m.address = r.address;
    m.session = r.session;
    m.key = r.key;
    m.id = r.key == KeyKind::kQueue ? Capture::kQueue : r.key == KeyKind::kSession ? Capture::kSession : Capture::kNone;
    m.group = program.group;
    m.daemon = program.daemon;
    m.hint = r.hint;
    m.settles = r.settles || std::ranges::find(r.events, EventKind::kAuthOk) != r.events.end();
    m.helper = r.helper != Rule::Helper::kNone;
    m.apart = r.helper == Rule::Helper::kOthers;
    m.unknown_user = r.unknown_user;
    m.mild = r.mild;
    m.count = r.count;
    m.twice = r.twice || (twice && std::any_of(r.events.begin(), r.events.end(),
                                               [](EventKind k) { return severity_of(k) != Severity::kNeutral; }));
    for (Capture c : r.vis)
      if (const auto fact = fact_of(c)) m.vis.push_back(*fact);
    m.silent = r.events.empty() && r.session == SessionAct::kNone;
    m.heeded = !m.silent;
    if (!r.attempt.empty()) {
      auto& classes = attempts_[program.group];
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
    m.plain = m.attempt == kNoAttempt && !m.hint && m.count > 0 && m.session != SessionAct::kWait &&
              !(m.kind_set & bit(EventKind::kAmbiguous));
    m.follows = !m.twice && (m.session == SessionAct::kIn || m.session == SessionAct::kEnd);
    m.passing = m.plain && m.follows && m.session == SessionAct::kIn && !m.hint && !m.settles &&
                m.address != AddressFrom::kLine && (m.kind_set & ~kAllIsWell) == 0;
    for (const auto& [name, value] : r.constants) m.constants.emplace_back(*fact_of(*parse_capture(name)), value);
    return m;
  }

  std::mutex mutex_;
  KindSet wanted_ = ~KindSet{0};
  std::map<std::string, Group> groups_;
  std::map<uint32_t, std::vector<std::string>> attempts_;
};

Result<Grammar> Grammar::load(std::span<const std::string> folders) {
  std::vector<RuleFile> files;
  for (const std::string& folder : folders) {
    std::error_code trouble;
    const std::vector<std::string> paths = rule_paths(folder, trouble);
    if (trouble) return no_folder(folder, trouble);
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
  g.compiler_ = std::make_shared<Compiler>();
  for (RuleFile& f : files) {
    const size_t first = g.programs_.size();
    RuleFile& file = *g.files_.emplace_back(std::make_unique<RuleFile>(std::move(f)));
    g.add_programs(file);
    for (size_t i = 0; i < file.programs.size(); ++i)
      if (auto ok = g.compiler_->fill(*g.programs_[first + i], file, file.programs[i]); !ok)
        return std::unexpected(ok.error());
  }
  g.sort_names();
  return g;
}

Result<Grammar> Grammar::open(const std::string& folder) {
  std::error_code trouble;
  const std::vector<std::string> paths = rule_paths(folder, trouble);
  if (trouble) return no_folder(folder, trouble);
  Grammar g;
  g.compiler_ = std::make_shared<Compiler>();
  for (const std::string& path : paths) {
    auto text = read_rule_text(path);
    if (!text) return std::unexpected(text.error());
    const size_t before_rules = text->find("\n[[rule]]");
    auto head = parse_rule_file(short_head(std::string_view(*text).substr(0, before_rules)), path);
    if (!head) return std::unexpected(head.error());
    // Programs are told before rules, and files of one daemon are joined, which takes all that is in them.
    bool whole_needed =
        before_rules != std::string::npos && text->find("\n[[program]]", before_rules) != std::string::npos;
    for (const auto& other : g.files_) whole_needed = whole_needed || other->daemon == head->daemon;
    if (whole_needed) return load({&folder, 1});
    cut_off_tests(*text);
    const size_t first_rule = std::min(before_rules, text->size() - 1) + 1;
    const size_t first = g.programs_.size();
    RuleFile* const file = g.files_.emplace_back(std::make_unique<RuleFile>(std::move(*head))).get();
    g.add_programs(*file);
    std::vector<ProgramRules*> programs;
    for (size_t i = first; i < g.programs_.size(); ++i) programs.push_back(g.programs_[i].get());
    const auto once = std::make_shared<std::once_flag>();
    const auto outcome = std::make_shared<Result<void>>();
    const auto all = std::make_shared<std::string>(*text);  // without the room that reading it took
    for (ProgramRules* each : programs)
      each->read_ = [=, compiler = g.compiler_.get()]() -> Result<void> {
        std::call_once(*once, [&] {
          *outcome = parse_rules(*file, std::exchange(*all, {}), first_rule);
          if (!*outcome) return;
          if (file->programs.size() != programs.size()) {
            *outcome = fail(fmt::format("{}: a program stands behind a rule; programs come first", file->path));
            return;
          }
          for (size_t i = 0; i < programs.size() && *outcome; ++i)
            *outcome = compiler->fill(*programs[i], *file, file->programs[i]);
          compiler->narrow(programs);
        });
        return *outcome;
      };
  }
  g.sort_names();
  return g;
}

void Grammar::narrow(KindSet wanted) {
  compiler_->narrow(wanted);
  // Files that were read already.
  std::map<std::string_view, std::vector<ProgramRules*>> by_daemon;
  for (const auto& p : programs_)
    if (!p->meanings.empty()) by_daemon[p->daemon].push_back(p.get());
  for (const auto& [daemon, programs] : by_daemon) compiler_->narrow(programs);
}

bool Grammar::narrowed() const { return compiler_->narrowed(); }

void Grammar::add_programs(const RuleFile& file) {
  for (const Program& p : file.programs) {
    ProgramRules* const rules = programs_.emplace_back(compiler_->program(file, p)).get();
    for (const std::string& glob : p.match) {
      const auto same = std::find_if(names_.begin(), names_.end(), [&](const Name& n) { return n.glob == glob; });
      ProgramRules* last = same == names_.end() ? rules : same->rules;
      while (last != rules && last->also) last = last->also;
      if (last != rules) last->also = rules;
      names_.push_back({glob, rules});
    }
  }
}

// An exact name comes before a pattern.
void Grammar::sort_names() {
  std::stable_sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) {
    return std::count(a.glob.begin(), a.glob.end(), '*') < std::count(b.glob.begin(), b.glob.end(), '*');
  });
}

Result<void> ProgramRules::prepare() {
  std::call_once(once_, [this] {
    if (const Result<void> read = read_ ? read_() : Result<void>(); !read) {
      trouble_ = read.error().message;
      return;
    }
    if (!heeded) return;
    if (also)  // what this daemon's rules don't explain, those may
      for (TreePattern& pattern : patterns) pattern.asked = true;
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
    if (!made) {
      nodes_trouble_ = trouble_of(made.error());
      return;
    }
    nodes_ = std::move(*made);
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

const ProgramRules& ProgramRules::unheeded() {
  static const std::unique_ptr<const ProgramRules> kRules = [] {
    auto rules = std::make_unique<ProgramRules>();
    rules->heeded = false;
    rules->straight_ways_ = Tree::passing_all();
    return rules;
  }();
  return *kRules;
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

void Grammar::need_all() const {
  if (auto ok = prepare_all(); !ok) end_with(ok.error());
}

Grammar::Found Grammar::find(std::string_view program) const {
  for (const Name& n : names_) {
    std::string_view star;
    if (!glob_matches(n.glob, program, &star)) continue;
    ProgramRules* rules = n.rules;
    do {
      if (auto ok = rules->prepare(); !ok) end_with(ok.error());
    } while ((rules = rules->also) != nullptr);
    return {n.rules, star.empty() ? std::string_view(n.rules->service) : star};
  }
  return {};
}

}  // namespace mailward
