#include "grammar/rule_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>

#include "base/nearest.h"
#include "base/read_up_to.h"
#include "grammar/short_rules.h"

namespace mailward {
namespace {

constexpr size_t kMaxFile = 8 << 20;

// What is wrong in a file, with its place. Thrown inside this file only; parse_rule_file catches it.
struct Wrong {
  toml::source_position where;
  std::string what;
};

[[noreturn]] void wrong(const toml::node& at, std::string what) { throw Wrong{at.source().begin, std::move(what)}; }

class Reader {
 public:
  explicit Reader(RuleFile& out) : out_(out) {}
  // Rules of a text that was made shorter: `lines` stand before it.
  Reader(RuleFile& out, int lines) : out_(out), lines_before_(lines), short_(true) {}

  void rules(const toml::table& t) {
    for (const toml::table* r : tables(t, "rule")) rule(*r);
  }
  // Samples that are not in the text: to the rules before them, in order.
  void add(std::span<const ShortRules::Line> lines) {
    auto line = lines.begin();
    for (size_t r = 0; r < out_.rules.size(); ++r) {
      std::vector<Sample>& samples = out_.rules[r].samples;
      const size_t read = samples.size();
      for (; line != lines.end(); ++line) {
        const int at = line->at_line + lines_before_;
        if (r + 1 < out_.rules.size() && at > out_.rules[r + 1].at_line) break;
        samples.push_back({std::string(line->text), {}, {}, at});
      }
      std::inplace_merge(samples.begin(), samples.begin() + static_cast<ptrdiff_t>(read), samples.end(),
                         [](const Sample& a, const Sample& b) { return a.at_line < b.at_line; });
    }
  }

  void file(const toml::table& t) {
    known(t, {"daemon", "versions", "about", "evidence", "program", "macro", "type", "rule", "negative", "story"});
    out_.daemon = text(t, "daemon", true);
    out_.versions = text(t, "versions", true);
    out_.about = text(t, "about", false);
    out_.evidence = text(t, "evidence", false);
    for (const toml::table* p : tables(t, "program")) program(*p);
    if (out_.programs.empty()) wrong(t, "a rule file wants at least one [[program]]");
    out_.scope.types = builtin_types();
    if (const auto* macros = table(t, "macro"))
      for (auto&& [key, value] : *macros) out_.scope.macros[std::string(key.str())] = as_text(value);
    if (const auto* types = table(t, "type"))
      for (auto&& [key, value] : *types) type(std::string(key.str()), value);
    out_.has_rules = t.contains("rule");
    rules(t);
    for (const toml::table* n : tables(t, "negative")) negative(*n);
    for (const toml::table* s : tables(t, "story")) story(*s);
  }

 private:
  static void known(const toml::table& t, std::initializer_list<std::string_view> keys) {
    for (auto&& [key, value] : t) {
      if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
      throw Wrong{key.source().begin, fmt::format("unknown key `{}`{}", key.str(),
                                                  tell_nearest(key.str(), {keys.begin(), keys.size()}, "; "))};
    }
  }

  static std::string as_text(const toml::node& n) {
    if (const auto v = n.value_exact<std::string>()) return *v;
    wrong(n, "a string is expected here");
  }
  static std::string text(const toml::table& t, std::string_view key, bool required) {
    const toml::node* n = t.get(key);
    if (!n && required) wrong(t, fmt::format("`{}` is missing", key));
    return n ? as_text(*n) : std::string{};
  }
  static bool flag(const toml::table& t, std::string_view key) {
    const toml::node* n = t.get(key);
    if (!n) return false;
    if (const auto v = n->value_exact<bool>()) return *v;
    wrong(*n, fmt::format("`{}` is true or false", key));
  }
  static const toml::table* table(const toml::table& t, std::string_view key) {
    const toml::node* n = t.get(key);
    if (!n) return nullptr;
    if (const auto* v = n->as_table()) return v;
    wrong(*n, fmt::format("`{}` is a table", key));
  }
  static std::vector<const toml::table*> tables(const toml::table& t, std::string_view key) {
    std::vector<const toml::table*> found;
    const toml::node* n = t.get(key);
    if (!n) return found;
    const auto* list = n->as_array();
    if (!list) wrong(*n, fmt::format("write [[{}]], it may occur several times", key));
    for (const auto& item : *list) {
      if (!item.is_table()) wrong(item, "a table is expected here");
      found.push_back(item.as_table());
    }
    return found;
  }
  // A string, or a list of strings.
  static std::vector<std::string> texts(const toml::table& t, std::string_view key) {
    std::vector<std::string> found;
    const toml::node* n = t.get(key);
    if (!n) return found;
    if (const auto* list = n->as_array()) {
      for (const auto& item : *list) found.push_back(as_text(item));
    } else {
      found.push_back(as_text(*n));
    }
    return found;
  }
  int line_of(const toml::table& t) const { return static_cast<int>(t.source().begin.line) + lines_before_; }

  void program(const toml::table& t) {
    known(t, {"name", "match", "group", "service", "twice", "cut"});
    Program p;
    p.name = text(t, "name", true);
    p.match = texts(t, "match");
    p.group = text(t, "group", false);
    p.service = text(t, "service", false);
    p.twice = flag(t, "twice");
    p.cut = number(t, "cut", 0);
    if (p.match.empty()) p.match = {p.name};
    if (p.group.empty()) p.group = out_.daemon;
    for (const Program& other : out_.programs)
      if (other.name == p.name) wrong(t, fmt::format("the program `{}` stands here twice", p.name));
    out_.programs.push_back(std::move(p));
  }

  void type(const std::string& name, const toml::node& n) {
    const auto* t = n.as_table();
    if (!t) wrong(n, "a type is a table with `chars` and `evidence`");
    known(*t, {"chars", "except", "min", "max", "free", "evidence", "void"});
    if (out_.scope.types.contains(name)) wrong(n, fmt::format("`{}` is a built-in type", name));
    NamedType out;
    const auto set = parse_byte_set(text(*t, "chars", true));
    if (!set) wrong(*t->get("chars"), set.error().message);
    out.type.set = *set;
    if (const auto except = text(*t, "except", false); !except.empty()) {
      const auto minus = parse_byte_set(except);
      if (!minus) wrong(*t->get("except"), minus.error().message);
      out.type.set = out.type.set - *minus;
    }
    if (out.type.set.empty()) wrong(n, "the alphabet is empty");
    if (flag(*t, "free")) out.type.kind = Type::Kind::kFree;
    out.type.min = number(*t, "min", out.type.kind == Type::Kind::kFree ? 0 : 1);
    out.type.max = number(*t, "max", kNoMaximum);
    if (out.type.max < out.type.min || out.type.max == 0) wrong(n, "`max` is smaller than `min`");
    out.evidence = text(*t, "evidence", true);
    out.voided_by = text(*t, "void", false);
    if (out.evidence.empty()) wrong(n, "a closed alphabet wants evidence: the daemon's source, or a run of it");
    out_.scope.types[name] = std::move(out);
  }

  static uint32_t number(const toml::table& t, std::string_view key, uint32_t otherwise) {
    const toml::node* n = t.get(key);
    if (!n) return otherwise;
    const auto v = n->value_exact<int64_t>();
    if (!v || *v < 0 || *v > 1'000'000) wrong(*n, fmt::format("`{}` is a number from 0 to 1000000", key));
    return static_cast<uint32_t>(*v);
  }

  static bool is_login(EventKind k) { return (bit(k) & kLoginKinds) != 0; }

  void rule(const toml::table& t) {
    known(t,
          {"name",   "program", "line",         "event", "address", "session",  "key",   "attempt", "hint",   "settles",
           "helper", "count",   "unknown_user", "mild",  "set",     "fallback", "twice", "vis",     "sample", "note"});
    Rule r;
    r.path = out_.path;
    r.at_line = line_of(t);
    r.name = text(t, "name", true);
    for (const Rule& other : out_.rules)
      if (other.name == r.name) wrong(t, fmt::format("two rules are called `{}`", r.name));
    rule_programs(t, r);
    r.text = text(t, "line", true);
    auto pattern = parse_pattern(r.text, out_.scope);
    if (!pattern) wrong(*t.get("line"), fmt::format("rule `{}`: {}", r.name, pattern.error().message));
    r.pattern = std::move(*pattern);
    rule_event(t, r);
    rule_session(t, r);
    r.unknown_user = flag(t, "unknown_user");
    r.mild = flag(t, "mild");
    if (r.mild && std::ranges::any_of(r.events, is_login))
      wrong(*t.get("mild"), "`mild` is for refusals that are no logins");
    r.fallback = flag(t, "fallback");
    r.twice = flag(t, "twice");
    for (const std::string& name : texts(t, "vis")) {
      const auto c = parse_capture(name);
      if (!c || !captures(r.pattern, *c))
        wrong(*t.get("vis"), fmt::format("rule `{}` keeps no `{}`{}", r.name, name, c ? "" : nearest_capture(name)));
      r.vis.push_back(*c);
    }
    if (const auto* set = table(t, "set"))
      for (auto&& [key, value] : *set) {
        const auto c = parse_capture(key.str());
        if (!c || *c == Capture::kAddress || *c == Capture::kSession || *c == Capture::kQueue || *c == Capture::kPort ||
            *c == Capture::kCount || *c == Capture::kHelper)
          wrong(value,
                fmt::format("`{}` {}", key.str(), c ? "can't be set" : "is no fact" + nearest_capture(key.str())));
        r.constants[std::string(key.str())] = as_text(value);
      }
    for (const toml::table* s : tables(t, "sample")) {
      known(*s, {"line", "version", "gives"});
      r.samples.push_back({text(*s, "line", true), text(*s, "version", !short_), {}, line_of(*s)});
      if (const auto* g = table(*s, "gives")) r.samples.back().gives = expectation(*g);
    }
    out_.rules.push_back(std::move(r));
  }

  void rule_programs(const toml::table& t, Rule& r) {
    r.programs = texts(t, "program");
    for (const auto& name : r.programs)
      if (std::none_of(out_.programs.begin(), out_.programs.end(), [&](const Program& p) { return p.name == name; }))
        wrong(*t.get("program"),
              fmt::format("no [[program]] of this file is called `{}`{}", name, nearest_program(name)));
    if (r.programs.empty())
      for (const Program& p : out_.programs) r.programs.push_back(p.name);
  }

  std::string nearest_program(const std::string& name) const {
    std::vector<std::string_view> names;
    for (const Program& p : out_.programs) names.push_back(p.name);
    return tell_nearest(name, names, "; ");
  }

  static std::string nearest_kind(std::string_view name) {
    std::vector<std::string_view> names;
    for (size_t i = 1; i < kEventKinds; ++i) names.push_back(kEventKindInfo[i].name);
    return tell_nearest(name, names, "; ");
  }

  static bool captures(const Pattern& p, Capture c) {
    for (const Element& e : p) {
      if (e.kind == Element::Kind::kField && e.capture == c) return true;
      for (const Pattern& branch : e.branches)
        if (captures(branch, c)) return true;
    }
    return false;
  }

  void rule_event(const toml::table& t, Rule& r) {
    for (const std::string& name : texts(t, "event")) {
      const auto kind = parse_event_kind(name);
      if (!kind || *kind == EventKind::kNone)
        wrong(*t.get("event"), fmt::format("rule `{}`: `{}` is no kind of event{}", r.name, name, nearest_kind(name)));
      r.events.push_back(*kind);
    }
    if (r.events.size() > 2) wrong(*t.get("event"), "at most two events come from one line");
    r.attempt = text(t, "attempt", false);
    r.hint = flag(t, "hint");
    r.settles = flag(t, "settles");
    const std::string helper = text(t, "helper", false);
    if (!helper.empty() && helper != "any" && helper != "others")
      wrong(*t.get("helper"), "`helper` is any (of any login) or others (not of its own daemon's sessions)");
    r.helper = helper.empty() ? Rule::Helper::kNone : helper == "any" ? Rule::Helper::kAny : Rule::Helper::kOthers;
    r.count = number(t, "count", 1);
    if (r.count == 0) wrong(*t.get("count"), "`count` is at least 1");
    const bool login = std::ranges::any_of(r.events, is_login);
    if (r.hint && r.events.empty()) wrong(*t.get("hint"), "`hint` goes with an `event`");
    if (r.hint && login && r.attempt.empty()) wrong(*t.get("hint"), "`hint` goes with `attempt`");
    const bool helps = r.helper != Rule::Helper::kNone;
    if (helps && (r.events.size() != 1 || r.events[0] != EventKind::kAuthFailed || !r.attempt.empty()))
      wrong(*t.get("helper"), "`helper` goes with the event auth_failed, and without `attempt`");
    if (!helps && captures(r.pattern, Capture::kHelper)) wrong(t, "{helper} goes with `helper`");
    if (!r.attempt.empty() && r.events.empty()) wrong(*t.get("attempt"), "`attempt` goes with an `event`");
  }

  void rule_session(const toml::table& t, Rule& r) {
    const bool has_address = captures(r.pattern, Capture::kAddress);
    const bool ambiguous = std::find(r.events.begin(), r.events.end(), EventKind::kAmbiguous) != r.events.end();
    const std::string from = text(t, "address", false);
    const std::string act = text(t, "session", false);
    const std::string key = text(t, "key", false);
    if (!from.empty() && from != "session")
      wrong(*t.get("address"), "`address` may only say \"session\"; an address in the line is the field {address}");
    if (!from.empty() && has_address) wrong(*t.get("address"), "the line has an {address} of its own");
    if (ambiguous && has_address)
      wrong(t,
            fmt::format("rule `{}`: an ambiguous line names nobody; write {{:ip}} or {{:free}} instead of {{address}}",
                        r.name));
    r.session = act.empty()     ? SessionAct::kNone
                : act == "open" ? SessionAct::kOpen
                : act == "in"   ? SessionAct::kIn
                : act == "end"  ? SessionAct::kEnd
                                : SessionAct::kWait;
    if (r.session == SessionAct::kWait && act != "wait") wrong(*t.get("session"), "`session` is open, in, end or wait");
    r.address = has_address ? AddressFrom::kLine : AddressFrom::kNobody;
    if (!has_address && !ambiguous && (!r.events.empty() || !from.empty())) r.address = AddressFrom::kSession;
    if (r.session == SessionAct::kOpen && !has_address)
      wrong(*t.get("session"),
            "a line that opens a session needs an {address}; `wait` is for sessions whose address comes later");
    if (r.session == SessionAct::kNone && (r.address == AddressFrom::kSession || !r.attempt.empty() || r.settles))
      r.session = SessionAct::kIn;
    if (r.session == SessionAct::kNone) {
      if (!key.empty()) wrong(*t.get("key"), "`key` goes with `session`");
      return;
    }
    const bool by_session = captures(r.pattern, Capture::kSession), by_queue = captures(r.pattern, Capture::kQueue);
    r.key = key == "session" ? KeyKind::kSession
            : key == "queue" ? KeyKind::kQueue
            : key == "pid"   ? KeyKind::kPid
            : by_session     ? KeyKind::kSession
            : by_queue       ? KeyKind::kQueue
                             : KeyKind::kPid;
    if (!key.empty() && key != "session" && key != "queue" && key != "pid")
      wrong(*t.get("key"), "`key` is session, queue or pid");
    if ((r.key == KeyKind::kSession && !by_session) || (r.key == KeyKind::kQueue && !by_queue))
      wrong(*t.get("key"), fmt::format("the line has no {{{}}}", key));
  }

  static Expectation expectation(const toml::table& t) {
    Expectation e;
    for (auto&& [key, value] : t) {
      std::string v;
      if (const auto s = value.value_exact<std::string>())
        v = *s;
      else if (const auto i = value.value_exact<int64_t>())
        v = std::to_string(*i);
      else if (const auto b = value.value_exact<bool>(); b && key.str() == "mild")
        v = *b ? "true" : "";
      else
        wrong(value, "a fact is a string or a number");
      if (key.str() == "event")
        e.event = v;
      else
        e.facts[std::string(key.str())] = v;
    }
    return e;
  }

  void negative(const toml::table& t) {
    known(t, {"program", "line", "not", "why"});
    out_.negatives.push_back(
        {text(t, "program", false), text(t, "line", true), text(t, "not", false), text(t, "why", false), line_of(t)});
    if (out_.negatives.back().program.empty()) out_.negatives.back().program = out_.programs.front().name;
  }

  void story(const toml::table& t) {
    known(t, {"name", "version", "lines", "gives", "why"});
    Story s{text(t, "name", true), texts(t, "lines"), {}, line_of(t)};
    for (const toml::table* g : tables(t, "gives")) s.gives.push_back(expectation(*g));
    out_.stories.push_back(std::move(s));
  }

  RuleFile& out_;
  const int lines_before_ = 0;
  const bool short_ = false;  // samples have no versions
};

}  // namespace

Result<RuleFile> parse_rule_file(std::string_view text, const std::string& path) {
  auto at = [&](const toml::source_position& p, std::string_view what) {
    return fail(fmt::format("{}:{}:{}: {}", path, p.line, p.column, what));
  };
  RuleFile file;
  file.path = path;
  try {
    const toml::table t = toml::parse(text);
    Reader(file).file(t);
  } catch (const Wrong& w) {
    return at(w.where, w.what);
  } catch (const toml::parse_error& e) {
    return at(e.source().begin, e.description());
  }
  return file;
}

namespace {

// From the shortened text; false where something is wrong with it, or may be: the whole text then tells what, and
// where.
bool parse_shorter(RuleFile& head, std::string_view text, size_t first_rule) {
  const auto shorter = head.has_rules ? std::nullopt : short_rules(text.substr(first_rule));
  if (!shorter) return false;
  try {
    const toml::table t = toml::parse(shorter->text);
    Reader reader(head, static_cast<int>(std::ranges::count(text.substr(0, first_rule), '\n')));
    reader.rules(t);
    size_t samples = 0;
    for (const Rule& r : head.rules) samples += r.samples.size();
    if (samples != shorter->samples) return false;
    reader.add(shorter->lines);
    return true;
  } catch (const Wrong&) {
    return false;
  } catch (const toml::parse_error&) {
    return false;
  }
}

}  // namespace

Result<void> parse_rules(RuleFile& head, std::string_view text, size_t first_rule) {
  if (parse_shorter(head, text, first_rule)) return {};
  auto all = parse_rule_file(text, head.path);
  if (!all) return std::unexpected(all.error());
  head = std::move(*all);
  return {};
}

Result<std::string> read_rule_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(fmt::format("{}: can't be read", path));
  std::string text = read_up_to(in, kMaxFile + 1);
  if (text.size() > kMaxFile) return fail(fmt::format("{}: larger than 8 MiB; that is no rule file", path));
  return text;
}

Result<RuleFile> read_rule_file(const std::string& path) {
  const auto text = read_rule_text(path);
  if (!text) return std::unexpected(text.error());
  return parse_rule_file(*text, path);
}

}  // namespace mailward
