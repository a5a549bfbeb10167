// Hostile text: nothing unsafe may leave, everything else must stay as it is.
#include "base/text.h"

#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <random>

#include "base/nearest.h"

namespace mailward {
namespace {

using std::string_view;
using namespace std::string_view_literals;

struct Row {
  string_view text, terminal, csv, json;
};

constexpr std::array<Row, 20> kTable{{
    {"", "", "", R"("")"},
    {"info@example.com", "info@example.com", "info@example.com", R"("info@example.com")"},
    {"Zoë 山田", "Zoë 山田", "Zoë 山田", R"("Zoë 山田")"},
    {"a\x1b[2J", "a\\x1b[2J", "a\\x1b[2J", R"("a\u001b[2J")"},
    {"a\0b"sv, "a\\x00b", "a\\x00b", R"("a\u0000b")"},
    {"a\nb\tc\r", "a\\x0ab\\x09c\\x0d", "a\\x0ab\\x09c\\x0d", R"("a\nb\tc\r")"},
    {"\x7f\xc2\x9b", "\\x7f\\u{9b}", "\\x7f\\u{9b}", R"("\u007f\u009b")"},
    {"\xff\xfe", "\\xff\\xfe", "\\xff\\xfe", R"("\\xff\\xfe")"},
    {"\xc0\xaf", "\\xc0\\xaf", "\\xc0\\xaf", R"("\\xc0\\xaf")"},                     // overlong
    {"\xed\xa0\x80", "\\xed\\xa0\\x80", "\\xed\\xa0\\x80", R"("\\xed\\xa0\\x80")"},  // a surrogate
    {"\xe2\x82", "\\xe2\\x82", "\\xe2\\x82", R"("\\xe2\\x82")"},                     // cut
    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\xf4\\x90\\x80\\x80", R"("\\xf4\\x90\\x80\\x80")"},
    {"a\u202egnp.exe", "a\\u{202e}gnp.exe", "a\\u{202e}gnp.exe", R"("a\u202egnp.exe")"},
    {"a\u200bb\ufeff", "a\\u{200b}b\\u{feff}", "a\\u{200b}b\\u{feff}", R"("a\u200bb\ufeff")"},
    {"a\u2066b\u2069", "a\\u{2066}b\\u{2069}", "a\\u{2066}b\\u{2069}", R"("a\u2066b\u2069")"},
    {"e\u0301\u0489", "e\\u{301}\\u{489}", "e\\u{301}\\u{489}", R"("e\u0301\u0489")"},
    {"\U000e0041", "\\u{e0041}", "\\u{e0041}", R"("\udb40\udc41")"},
    {"say \"x\\y\"", "say \"x\\y\"", "\"say \"\"x\\y\"\"\"", R"("say \"x\\y\"")"},
    {"=HYPERLINK(1)", "=HYPERLINK(1)", "'=HYPERLINK(1)", R"x("=HYPERLINK(1)")x"},
    {"a,b;c", "a,b;c", "\"a,b;c\"", R"("a,b;c")"},
}};

TEST(Text, Table) {
  for (const Row& row : kTable) {
    EXPECT_EQ(for_terminal(row.text), row.terminal);
    EXPECT_EQ(for_csv(row.text), row.csv);
    std::string json;
    append_json(json, row.text);
    EXPECT_EQ(json, row.json);
    EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), valid_utf8(row.text));
  }
}

TEST(Text, FormulasAreDefused) {
  for (const char* text : {"=1+1", "+1", "-1", "@SUM(A1)"}) EXPECT_EQ(for_csv(text), std::string("'") + text);
  for (const char* text : {"1=1", "a@b", "a-b"}) EXPECT_EQ(for_csv(text), text);
  EXPECT_EQ(for_csv(" a"), "\" a\"");
}

TEST(Text, IsCutToItsColumns) {
  EXPECT_EQ(for_terminal("abcdef", 6), "abcdef");
  EXPECT_EQ(for_terminal("abcdefg", 6), "abcde…");
  EXPECT_EQ(for_terminal("山田山田", 8), "山田山田");
  EXPECT_EQ(for_terminal("山田山田", 7), "山田山…");
  EXPECT_EQ(for_terminal("山田山田", 6), "山田…");
  EXPECT_EQ(for_terminal("ab\x1b\x1b", 8), "ab\\x1b…");  // an escape is never cut in two
  EXPECT_EQ(for_terminal("abc", 0), "");
  EXPECT_EQ(for_terminal("abc", 1), "…");
  EXPECT_EQ(width_of("山a…"), 4u);
}

// Whatever the bytes: what comes out is valid, holds no control character, and keeps its bound.
TEST(Text, HoldsForRandomBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (auto n = random() % 40; n > 0; --n)
      text += static_cast<char>(random() % 4 ? random() % 256 : "\xe2\x80\xae\xc2\x9b\xf3\xa0"[random() % 7]);
    const size_t columns = random() % 30;
    for (const std::string& shown : {for_terminal(text, columns), for_terminal(text, 1000), for_csv(text)}) {
      EXPECT_EQ(valid_utf8(shown), shown);
      for (size_t i = 0; i < shown.size(); ++i) {
        const auto c = static_cast<unsigned char>(shown[i]);
        EXPECT_TRUE(c >= 0x20 && c != 0x7f) << shown;
        EXPECT_FALSE(c == 0xc2 && static_cast<unsigned char>(shown[i + 1]) < 0xa0) << shown;
      }
      EXPECT_EQ(shown.find("\u202e"), std::string::npos);
    }
    EXPECT_LE(width_of(for_terminal(text, columns)), columns);
    std::string json;
    append_json(json, text);
    EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), valid_utf8(text));
  }
}

TEST(Nearest, MeansWhatIsClose) {
  const std::string_view known[] = {"scan", "events", "explain", "rules"};
  struct Row {
    const char *word, *nearest;
  };
  for (const Row& row : {Row{"scna", "scan"}, Row{"evnts", "events"}, Row{"rule", "rules"}, Row{"explian", "explain"},
                         Row{"scan", "scan"}, Row{"run", ""}, Row{"", ""}, Row{"x", ""}, Row{"status", ""}}) {
    EXPECT_EQ(nearest(row.word, known), row.nearest) << row.word;
  }
  const std::string_view words[] = {"any", "foreign-domain", "bare-name", "per", "limit", "spare_after_login", "user"};
  for (const Row& row :
       {Row{"foriegn", "foreign-domain"}, Row{"foreign", "foreign-domain"}, Row{"foreign-domian", "foreign-domain"},
        Row{"spare_after", "spare_after_login"}, Row{"usr", "user"}, Row{"limt", "limit"}, Row{"foo", ""},
        Row{"nope", ""}, Row{"subnet", ""}, Row{"an", "any"}, Row{"ba", ""}, Row{"window", ""}}) {
    EXPECT_EQ(nearest(row.word, words), row.nearest) << row.word;
  }
  EXPECT_EQ(nearest("any", {}), "");
  EXPECT_EQ(tell_nearest("usr", words, " (", ")"), " (the nearest is `user`)");
  EXPECT_EQ(tell_nearest("foo", words, " (", ")"), "");
  EXPECT_EQ(did_you_mean("scna", known), " (did you mean scan?)");
  EXPECT_EQ(did_you_mean("zebra", known), "");
  EXPECT_EQ(nearest(std::string(100000, 's'), known), "");
}

}  // namespace
}  // namespace mailward
