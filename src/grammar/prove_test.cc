// The proof: what must be refused is refused, with the right sentence and a line that shows it; what
// the program installs is sound.
#include "grammar/prove.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "grammar/check.h"
#include "grammar/oracle.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

// The first sentence that a rule file is refused with, whatever refuses it; empty: it is sound.
std::string refusal(const std::string& path, std::vector<Finding>* findings, std::unique_ptr<Grammar>& keep) {
  auto file = read_rule_file(path);
  if (!file) return file.error().message;
  std::vector<RuleFile> files;
  files.push_back(std::move(*file));
  auto grammar = Grammar::compile(std::move(files));
  if (!grammar) return grammar.error().message;
  keep = std::make_unique<Grammar>(std::move(*grammar));
  if (auto ok = keep->prepare_all(); !ok) return ok.error().message;
  for (auto& program : check_rules(*keep).programs)
    for (auto& f : program.findings) findings->push_back(f);
  return findings->empty() ? "" : findings->front().sentence;
}

TEST(Prove, RefusesEachUnsoundFile) {
  size_t files = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(MAILWARD_SOURCE_DATA) / "tests" / "unsound")) {
    if (entry.path().extension() != ".toml") continue;
    ++files;
    std::ifstream in(entry.path());
    std::string first;
    std::getline(in, first);
    ASSERT_TRUE(first.starts_with("# expect: ")) << entry.path();
    std::vector<Finding> findings;
    std::unique_ptr<Grammar> keep;
    const std::string said = refusal(entry.path().string(), &findings, keep);
    EXPECT_NE(said.find(first.substr(10)), std::string::npos) << entry.path() << " is refused with: " << said;
  }
  EXPECT_GE(files, 14U);
}

// A witness is a line that both rules really accept (by the oracle), and its marks are as long as it.
TEST(Prove, WitnessesAreLines) {
  for (const auto& entry : fs::directory_iterator(fs::path(MAILWARD_SOURCE_DATA) / "tests" / "unsound")) {
    if (entry.path().extension() != ".toml") continue;
    std::vector<Finding> findings;
    std::unique_ptr<Grammar> keep;
    refusal(entry.path().string(), &findings, keep);
    for (const Finding& f : findings) {
      EXPECT_EQ(f.witness.size(), f.first_marks.size());
      EXPECT_EQ(f.witness.size(), f.second_marks.size());
      bool complete;
      const auto first = all_readings(f.first->pattern, f.witness, 100'000, 10'000'000, &complete);
      const auto second = all_readings(f.second->pattern, f.witness, 100'000, 10'000'000, &complete);
      // The automaton's addresses are a little more than all addresses: such a witness may be none.
      if (f.first_marks.find('a') == std::string::npos && f.second_marks.find('a') == std::string::npos) {
        EXPECT_FALSE(first.empty()) << f.witness;
        EXPECT_FALSE(second.empty()) << f.witness;
      }
    }
  }
}

struct Small {
  const char* name;
  std::vector<const char*> lines;
  bool sound;
};

// The dangerous lines of real daemons, in short.
const Small kSmall[] = {
    {"free left, address last", {"Invalid user {user:free} from {address} port {port}"}, true},
    {"free right", {"PREGREET {:int} after {:int} from [{address}]:{port}: {:free}"}, true},
    {"optional tail that the client can supply", {"closed by {user:free} {address} port {port}{? [preauth]}"}, true},
    {"two tails of different kind", {"closed by {user:free} {address} port {port}{?: {:free}}"}, false},
    {"free on both sides", {"x {user:free}, rip={address}, {:free}"}, false},
    {"text without an equals sign",
     {"user=<{user:free}>, rip={address}, lip={:ip}{?, TLS{?: {:plain}}}, session=<{session:base64}>"},
     true},
    {"the same with free text",
     {"user=<{user:free}>, rip={address}, lip={:ip}{?, TLS{?: {:free}}}, session=<{session:base64}>"},
     false},
    {"once between two free fields", {"for ({helo:free}) [{address}]{!: 535 (set_id=}{user:free})"}, true},
    {"the text once, but a free tail behind the address", {"{!for }{helo:free} [{address}] {user:free}"}, false},
    {"quoted path", {"arg1=<{recipient:path}>, relay=[{address}], reject={:free}"}, true},
    {"rhost, then the user", {"rhost={address}  user={user:free}"}, true},
    {"two rules, the second cut", {"Failed for {user:free} from {address} ssh2", "Failed for {user:free}"}, false},
};

TEST(Prove, SmallPatterns) {
  for (const Small& s : kSmall) {
    PatternScope scope;
    scope.types = builtin_types();
    scope.types["plain"] = {{Type::Kind::kClass, ByteSet::all() - ByteSet::of("="), 1, kNoMaximum}, "test", ""};
    std::vector<Rule> rules;
    for (const char* line : s.lines) {
      Rule& r = rules.emplace_back();
      r.name = "r" + std::to_string(rules.size());
      auto p = parse_pattern(line, scope);
      ASSERT_TRUE(p) << s.name << p.error().message;
      r.pattern = std::move(*p);
      r.events = {EventKind::kAuthFailed};
      r.address = std::string_view(line).find("{address}") != std::string_view::npos ? AddressFrom::kLine
                                                                                     : AddressFrom::kSession;
    }
    std::vector<const Rule*> pointers;
    for (const Rule& r : rules) pointers.push_back(&r);
    const auto found = prove(pointers);
    EXPECT_EQ(found.empty(), s.sound) << s.name
                                      << (found.empty() ? "" : ": " + found[0].sentence + " | " + found[0].witness);
  }
}

TEST(Prove, InstalledRulesAreSound) {
  const std::vector<std::string> folders{(fs::path(MAILWARD_SOURCE_DATA) / "rules").string()};
  auto grammar = Grammar::load(folders);
  ASSERT_TRUE(grammar) << grammar.error().message;
  auto ready = grammar->prepare_all();
  ASSERT_TRUE(ready) << ready.error().message;
  const CheckReport report = check_rules(*grammar);
  for (const auto& p : report.programs)
    for (const auto& f : p.findings) ADD_FAILURE() << p.daemon << "/" << p.program << ": " << describe(f);
  for (const auto& c : report.complaints) ADD_FAILURE() << c;
  EXPECT_GE(report.programs.size(), 20U);
}

}  // namespace
}  // namespace mailward
