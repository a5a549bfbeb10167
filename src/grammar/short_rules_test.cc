// Rules for who only matches: what is left out makes no difference, and nothing is left out that may be wrong.
#include "grammar/short_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <tuple>

#include "grammar/rule_file.h"

namespace mailward {
namespace {

namespace fs = std::filesystem;

const std::string kRule = "[[rule]]\nname = \"a\"\nline = 'x{:int}'\n";
const std::string kSample = "[[rule.sample]]\nversion = \"1.0\"\nline = 'x1'\ngives = { }\n";
const std::string kHead = "daemon = \"d\"\nversions = \"1\"\n[[program]]\nname = \"p\"\n";

auto facts(const RuleFile& f) {
  std::vector<std::tuple<std::string, std::string, int, size_t, std::vector<std::pair<std::string, int>>>> out;
  for (const Rule& r : f.rules) {
    std::vector<std::pair<std::string, int>> samples;
    for (const Sample& s : r.samples) samples.emplace_back(s.line, s.at_line);
    out.emplace_back(r.name, r.text, r.at_line, r.pattern.size(), samples);
  }
  return out;
}

// By parse_rules() and by parse_rule_file(): the same rules, or the same sentence.
void expect_same(const std::string& text, const std::string& path) {
  const auto whole = parse_rule_file(text, path);
  const size_t first_rule = text.find("\n[[rule]]") + 1;
  auto head = parse_rule_file(short_head(std::string_view(text).substr(0, first_rule)), path);
  ASSERT_TRUE(head) << head.error().message;
  const auto read = parse_rules(*head, text, first_rule);
  ASSERT_EQ(whole.has_value(), read.has_value()) << text;
  if (!whole) {
    EXPECT_EQ(whole.error().message, read.error().message);
  } else {
    EXPECT_EQ(facts(*whole), facts(*head)) << path;
  }
}

TEST(ShortRules, LeavesOutWhatIsSoundByItself) {
  const std::string whole = "# why\n" + kRule + kSample;
  const auto text = short_rules(whole);
  EXPECT_FALSE(short_rules(kRule + "[macro]\n"));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->text, "\n" + kRule + "\n\n\n\n");
  ASSERT_EQ(text->lines.size(), 1u);
  EXPECT_EQ(text->lines[0].text, "x1");
  EXPECT_EQ(text->lines[0].at_line, 5);
  EXPECT_EQ(text->samples, 0u);
}

TEST(ShortRules, KeepsALineThatIsNoPlainText) {
  const auto text =
      short_rules(kRule + "[[rule.sample]]\nline = \"x\\u0031\"\nversion = \"1\"\ngives = { event = \"e\" }\n");
  ASSERT_TRUE(text);
  EXPECT_EQ(text->text, kRule + "[[rule.sample]]\nline = \"x\\u0031\"\n\n\n");
  EXPECT_TRUE(text->lines.empty());
  EXPECT_EQ(text->samples, 1u);
}

TEST(ShortRules, RefusesWhatCantBeSeenLineByLine) {
  for (const std::string& sample : std::vector<std::string>{
           "line = 'x1'\n",                                    // no version
           "version = \"1\"\nversion = \"2\"\nline = 'x1'\n",  // two
           "version = '1'\nline = 'x1'\n",                     // of another form
           "version = \"\\u0031\"\nline = 'x1'\n",             //
           "version = \"1\nline = 'x1'\n",                     //
           "version = \"1\"\nline = 'x1'\nother = 1\n",        // an unknown key
           "version = \"1\"\nline = 'x1'\ngives = { a = \"1\", a = \"2\" }\n",
           "version = \"1\"\nline = 'x1'\ngives = { a = \"1\", }\n",    //
           "version = \"1\"\nline = 'x1'\ngives = { a = 01 }\n",        //
           "version = \"1\"\nline = 'x1'\ngives = { a = true }\n",      //
           "version = \"1\"\nline = 'x1'\ngives = { mild = 1 }\n",      //
           "version = \"1\"\nline = 'x1'\ngives = { mild = truer }\n",  //
           "version = \"1\"\nline = 'x1'\ngives = { a = \"1\" } b\n",   //
           "version = \"1\"\nline = 'x1'\ngives = { }\ngives = { }\n",  //
           "version = \"1\"\nline = 'x1'\n  gives = { }\n",             //
           "version = \"1\"\r\nline = 'x1'\r\n",                        //
           "version = \"1\"\nline = \"\"\"x1\"\"\"\n",                  // texts of several lines
           "version = \"1\"\nline = '''x1\n'''\n",                      //
           "version = \"1\"\nline = '''x1''' '''\n",                    //
       })
    EXPECT_FALSE(short_rules(kRule + "[[rule.sample]]\n" + sample)) << sample;
}

TEST(ShortRules, SameRulesAndSameErrors) {
  const std::string rule = "\n" + kRule;
  for (const std::string& rest : std::vector<std::string>{
           rule + kSample,
           rule + kSample + "[[rule.sample]]\nversion = \"1\"\nline = \"x2\"\n" + kSample +
               "\n[[rule]]\nname = \"b\"\nline = 'y'\n" + kSample,
           rule + "sample = [ { line = 'x', version = \"1\" } ]\n",
           rule + "sample = []\n" + kSample,                                     // wrong: two kinds of lists
           rule + "\"s\\u0061mple\" = []\n" + kSample,                           // wrong, too
           rule + "sample = [ { line = 'x' } ]\n",                               // wrong: no version
           rule + "event = [\n" + kSample,                                       // wrong: not closed
           rule + kSample + "line = 'x2'\n",                                     // wrong: twice
           rule + "[[rule.sample]]\nversion = \"1\"\nline = 'x\x01'\n",          // wrong: control character
           rule + "[[rule.sample]]\nversion = \"1\"\nline = 'x\xff'\n",          // wrong: no UTF-8
           rule + "# \x01\n",                                                    // wrong
           rule + "[[rule.sample]]\nversion = \"1\"\nliner = 'x'\n",             // wrong: unknown key
           rule + "[[rule.sample]]\nversion = \"1\"\ngives = { }\n",             // wrong: no line
           rule + kSample + "\n\n[[rule]]\nname = \"b\"\nline = '{nothing}'\n",  // wrong, further down
           rule + kSample + rule,                                                // wrong: two of one name
           "\n[[rule]]\nname = \"c\"\nline = '''x'''\n" + kSample,
           "\n[[rule]]\nname = \"c\"\nline = '''x\n" + kSample + "'''\n",  // wrong: a line of two
       })
    expect_same(kHead + rest, "x.toml");
  // The key `rule` stands in the head already.
  expect_same("rule = []\n" + kHead + rule, "x.toml");
}

TEST(ShortRules, HeadWithoutItsLongTexts) {
  EXPECT_EQ(short_head("# why\n" + kHead + "evidence = \"a run of it\"\nvoid=\"\"\nabout = 'x'\nversions = \"a\" # b"),
            "\ndaemon = \"d\"\nversions = \".\"\n[[program]]\nname = \"p\"\nevidence = \".\"\nvoid=\"\"\nabout = 'x'\n"
            "versions = \"a\" # b");
  const std::string several = "about = \"\"\"\n# no comment\n\"\"\"\n";
  EXPECT_EQ(short_head(several), several);
  // What is wrong is told with the same place.
  for (const std::string& wrong : std::vector<std::string>{
           "# why\n[type.t]\nchars = 'a'\nevidence = \"\"\n",
           "[type.t]\nchars = 'a'\nevidence = \"a b\"\nevidence = \"c\"\n",
           "[type.t]\nchars = 'a'\nevidence = \"a \\q\"\n", "# \x01\n", "x = [\n# why\nvoid = \"a b\"\n]\n",
           "void = \"a b\"\n", "[type.t]\nchars = 'a'\n# why\n", "x = 1 # why\n"}) {
    const auto whole = parse_rule_file(kHead + wrong, "x.toml");
    const auto head = parse_rule_file(short_head(kHead + wrong), "x.toml");
    ASSERT_FALSE(whole) << wrong;
    ASSERT_FALSE(head) << wrong;
    EXPECT_EQ(whole.error().message, head.error().message);
  }
}

TEST(ShortRules, SameRulesOfAllFiles) {
  size_t files = 0, shortened = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(MAILWARD_SOURCE_DATA) / "rules")) {
    if (entry.path().extension() != ".toml") continue;
    const auto text = read_rule_text(entry.path().string());
    ASSERT_TRUE(text);
    ++files;
    expect_same(*text, entry.path().string());
    // As a scan reads it: without what is for tests only.
    const std::string rules = text->substr(0, std::min(text->find("\n[[negative]]"), text->find("\n[[story]]")) + 1);
    expect_same(rules, entry.path().string());
    shortened += short_rules(std::string_view(rules).substr(rules.find("\n[[rule]]") + 1)).has_value();
  }
  EXPECT_GE(files, 14u);
  EXPECT_GE(shortened, 9u);  // in the others types stand behind the first rule
}

}  // namespace
}  // namespace mailward
