// The tree against the oracle that tries everything, on lines made from the patterns themselves
// and on lines bent a little.
#include "grammar/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "grammar/oracle.h"

namespace mailward {
namespace {

using Lines = std::vector<std::string>;

struct Compiled {
  std::vector<Pattern> patterns;
  std::vector<int> ranks;
  Tree tree;
};

// A text that begins with '~' is a fallback (rank 1).
std::unique_ptr<Compiled> compile(const Lines& texts, std::string* error = nullptr,
                                  const std::vector<Lines>& samples = {}, const std::vector<bool>& asked = {}) {
  auto out = std::make_unique<Compiled>();
  PatternScope scope;
  scope.types = builtin_types();
  scope.types["tls"] = {{Type::Kind::kClass, ByteSet::range(' ', '~') - ByteSet::of("="), 1, kNoMaximum}, "test", ""};
  for (const auto& t : texts) {
    auto p = parse_pattern(std::string_view(t).substr(t.starts_with('~')), scope);
    if (!p) {
      if (error) *error = p.error().message;
      return nullptr;
    }
    out->patterns.push_back(std::move(*p));
  }
  std::vector<TreePattern> named;
  for (size_t i = 0; i < out->patterns.size(); ++i) {
    TreePattern& named_pattern =
        named.emplace_back(&out->patterns[i], "r" + std::to_string(i), texts[i].starts_with('~'));
    out->ranks.push_back(named_pattern.rank);
    if (i < asked.size()) named_pattern.asked = asked[i];
    if (i < samples.size()) named_pattern.samples.assign(samples[i].begin(), samples[i].end());
  }
  auto tree = Tree::compile(named);
  if (!tree) {
    if (error) *error = tree.error().message;
    return nullptr;
  }
  out->tree = std::move(*tree);
  return out;
}

struct Got {
  bool matched;
  Match m;
};
Got match(const Compiled& c, std::string& padded, std::string_view line) {
  padded.assign(line);
  padded.append(kMessagePadding, 'x');  // what stands behind a message is not the message
  Got g{};
  g.matched = c.tree.match(padded.data(), padded.data() + line.size(), g.m);
  return g;
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}
  size_t below(size_t n) { return random_() % n; }
  std::string line(const Pattern& p) {
    std::string s;
    for (const Element& e : p) element(e, s);
    return s;
  }
  std::string bend(std::string s, const std::vector<Pattern>& patterns) {
    switch (below(4)) {
      case 0:
        if (!s.empty()) s.erase(below(s.size()), 1 + below(4));
        break;
      case 1:
        s.insert(below(s.size() + 1), 1, "\"<>= ,:[]1a\\x"[below(13)]);
        break;
      case 2:
        s.insert(below(s.size() + 1), line(patterns[below(patterns.size())]).substr(0, below(60)));
        break;
      case 3:
        s.insert(below(s.size() + 1), s.substr(below(s.size() + 1), below(30)));
        break;
    }
    return s;
  }

 private:
  void element(const Element& e, std::string& s) {
    if (e.kind == Element::Kind::kChoice) {
      for (const Element& inner : e.branches[below(e.branches.size())]) element(inner, s);
    } else if (e.kind != Element::Kind::kField) {
      s += e.text;
    } else if (e.type.kind == Type::Kind::kAddress) {
      static constexpr std::string_view kSome[] = {"192.0.2.7",       "1.2.3.4", "2001:db8::9",
                                                   "::ffff:10.0.0.1", "1.2.3",   "255.255.255.255"};
      s += kSome[below(6)];
    } else if (e.type.kind == Type::Kind::kPath || e.type.kind == Type::Kind::kQuoted ||
               e.type.kind == Type::Kind::kFree) {
      static constexpr std::string_view kSome[] = {
          "",   "a",   "a b",         "\"q>\"@x", "> x", ", rip=1.2.3.4", ">: c", " from 9.9.9.9 port 1",
          "\"", "x=y", "[1.1.1.1]: ", "\\\""};
      s += kSome[below(12)];
    } else {
      size_t n = e.type.fixed() ? e.type.min : e.type.min + below(5);
      n = std::min<size_t>(n, e.type.max);
      std::string bytes;
      for (unsigned c = ' '; c < 127; ++c)
        if (e.type.set.has(static_cast<uint8_t>(c))) bytes += static_cast<char>(c);
      for (size_t i = 0; i < n; ++i) s += bytes[below(bytes.size())];
    }
  }
  std::mt19937_64 random_;
};

const std::vector<Lines> kSets = {
    {"{session:hex(16)} smtp connected address={address} host={ptr:free}",
     "{session:hex(16)} smtp authentication user={user:free} result={|permfail|tempfail}",
     "{session:hex(16)} smtp disconnected reason={reason:free}", "{session:hex(16)} smtp tls {:free}"},
    {"warning: {ptr}[{address}]{?:{port}}: SASL {mechanism:token} authentication failed: {reason:free}",
     "connect from {ptr}[{address}]", "connect from {ptr}[{address}]:{port}",
     "disconnect from {ptr}[{address}]{? {:free}}"},
    {"user=<{user:free}>, method={mechanism:alpha}, rip={address}, lip={:ip}{?, TLS{?: {:tls}}}, "
     "session=<{session:base64}>",
     "user=<>, rip={address}, lip={:ip}{?, TLS{?: {:tls}}}, session=<{session:base64}>"},
    {"reject: RCPT from {ptr}[{address}]: {:int(3)} <{recipient:path}>: {|Relay|User} denied; from=<{sender:free}> "
     "to=<{:free}> proto={:alpha} helo=<{helo:free}>"},
    {"Failed {mechanism:token} for {?invalid user }{user:free} from {address} port {port} ssh2",
     "Accepted {mechanism:token} for {user:free} from {address} port {port} ssh2",
     "Connection closed by {?invalid user {user:free} }{address} port {port}{? [preauth]}"},
    {"{mechanism:token} authenticator failed for {?{ptr} }{?({helo:free}) }[{address}]{?:{port}}{!: 535 "
     "(set_id=}{user:free})"},
    {"a{?b{?c}}{|d|de|def}{count}", "ab{user:free}z", "abz"},
    {"H={?{ptr} }{?({helo:free}) }[{address}] F=<{sender:path}> rejected RCPT {?<{recipient:path}>}: {reason:free}"},
    {"{:word(1,8)} {:int(2,3)}:{user:free(0,5)}!", "\"{user:quoted}\" {address}"},
    {"{queue:word}: client={ptr}[{address}], user={user:free}", "~{queue:word}: client={ptr}[{address}]{?, {:free}}",
     "~{:word}: {:free}", "fatal: {:free}",
     "disconnect from {ptr}[{address}]{? ehlo={:int}} auth=0/{count}{? quit={:int}}",
     "~disconnect from {ptr}[{address}]{? {:tls}}", "~disconnect {:free}"},
};

// With samples, the straight ways that they show are walked; without, the tree alone. Most lines go
// both ways in the same test, which compares them.
void compare_with_oracle(bool with_samples) {
  size_t matches = 0, compared = 0;
  std::string padded;
  for (size_t set = 0; set < kSets.size(); ++set) {
    std::string error;
    auto c = compile(kSets[set], &error);
    ASSERT_TRUE(c) << set << ": " << error;
    Generator g(set + 1);
    if (with_samples) {
      std::vector<Lines> samples;
      for (const Pattern& p : c->patterns)
        for (Lines& lines = samples.emplace_back(); lines.size() < 6;) lines.push_back(g.line(p));
      c = compile(kSets[set], &error, samples);
      ASSERT_TRUE(c) << set << ": " << error;
    }
    for (int round = 0; round < 4000; ++round) {
      std::string line = g.line(c->patterns[g.below(c->patterns.size())]);
      for (size_t bends = g.below(3); bends > 0; --bends) line = g.bend(line, c->patterns);
      if (line.size() > 200) continue;
      std::vector<std::pair<size_t, Reading>> readings;
      bool all = true;
      for (size_t p = 0; p < c->patterns.size(); ++p) {
        bool complete;
        for (const Reading& r : all_readings(c->patterns[p], line, 5000, 500'000, &complete))
          readings.emplace_back(p, r);
        all = all && complete;
      }
      if (!all) continue;
      ++compared;
      const Got got = match(*c, padded, line);
      ASSERT_EQ(got.matched, !readings.empty()) << "set " << set << ": " << line;
      Match plain;
      ASSERT_EQ(c->tree.match_plain(padded.data(), padded.data() + line.size(), plain), got.matched) << line;
      if (!got.matched) continue;
      ASSERT_EQ(plain.rule, got.m.rule) << line;
      ASSERT_EQ(plain.present, got.m.present) << line;
      // What a lower rank reads is none of a higher one's.
      const auto rank_of = [&](const std::pair<size_t, Reading>& r) { return c->ranks[r.first]; };
      const int rank = rank_of(*std::min_element(
          readings.begin(), readings.end(), [&](const auto& a, const auto& b) { return rank_of(a) < rank_of(b); }));
      ASSERT_EQ(c->ranks[got.m.rule], rank) << "set " << set << ": " << line;
      std::erase_if(readings, [&](const auto& r) { return rank_of(r) != rank; });
      ++matches;
      bool same_address = true;
      const size_t a = static_cast<size_t>(Capture::kAddress);
      for (const auto& [p, r] : readings)
        same_address = same_address && r.spans[a].data() == readings[0].second.spans[a].data() &&
                       r.spans[a].size() == readings[0].second.spans[a].size();
      auto offset = [&](Capture k) { return got.m.spans[static_cast<size_t>(k)].begin - padded.data(); };
      if (same_address && readings[0].second.spans[a].data() && got.m.has(Capture::kAddress)) {
        ASSERT_EQ(got.m.text(Capture::kAddress), readings[0].second.spans[a]) << line;
        ASSERT_EQ(offset(Capture::kAddress), readings[0].second.spans[a].data() - line.data());
        ASSERT_EQ(got.m.address, *parse_address(readings[0].second.spans[a]));
      }
      // Whatever fact was kept, some reading by that rule has it.
      for (size_t k = 0; k < kCaptures; ++k) {
        if (!got.m.has(static_cast<Capture>(k))) continue;
        bool known = false;
        for (const auto& [p, r] : readings)
          known = known || (p == got.m.rule && r.spans[k].data() && r.spans[k] == got.m.text(static_cast<Capture>(k)));
        ASSERT_TRUE(known) << "set " << set << " fact " << name_of(static_cast<Capture>(k)) << " `"
                           << got.m.text(static_cast<Capture>(k)) << "`: " << line;
      }
    }
  }
  EXPECT_GT(compared, 20'000U);
  EXPECT_GT(matches, 8'000U);
}

TEST(Tree, SaysWhatTheOracleSays) { compare_with_oracle(false); }
TEST(Tree, StraightWaysSayWhatTheOracleSays) { compare_with_oracle(true); }

// What is passed at a glance, no pattern that is asked for explains; and all are explained as before.
TEST(Tree, PassesOnlyWhatNobodyAsksFor) {
  size_t passed = 0, asked_for = 0;
  std::string padded;
  for (size_t round = 0; round < 8 * kSets.size(); ++round) {
    const Lines& texts = kSets[round % kSets.size()];
    Generator g(round + 1);
    const auto patterns = std::move(compile(texts)->patterns);
    std::vector<Lines> samples;
    std::vector<bool> asked;
    for (const Pattern& p : patterns) {
      for (Lines& lines = samples.emplace_back(); lines.size() < 6;) lines.push_back(g.line(p));
      asked.push_back(g.below(3) == 0);
    }
    const auto c = compile(texts, nullptr, samples, asked), all = compile(texts, nullptr, samples);
    ASSERT_TRUE(c && all);
    for (int n = 0; n < 400; ++n) {
      std::string line = g.line(patterns[g.below(patterns.size())]);
      for (size_t bends = g.below(3); bends > 0; --bends) line = g.bend(line, patterns);
      const Got got = match(*c, padded, line), otherwise = match(*all, padded, line);
      ASSERT_EQ(got.matched, otherwise.matched) << line;
      ASSERT_FALSE(all->tree.passes(padded.data(), padded.data() + line.size())) << line;
      if (!c->tree.passes(padded.data(), padded.data() + line.size())) continue;
      ++passed;
      for (size_t p = 0; p < patterns.size(); ++p) {
        if (!asked[p]) continue;
        ++asked_for;
        bool complete;
        ASSERT_TRUE(all_readings(patterns[p], line, 1, 500'000, &complete).empty()) << line;
      }
    }
  }
  EXPECT_GT(passed, 2'000U);
  EXPECT_GT(asked_for, 1'000U);
  const Tree everything = Tree::passing_all();
  padded.assign(kMessagePadding + 8, 'x');
  EXPECT_TRUE(everything.passes(padded.data(), padded.data() + 8));
}

// The bytes behind a message are not the message.
TEST(Tree, PassesNothingThatIsTooShortToTell) {
  const auto c =
      compile({"connect {address}", "started tls"}, nullptr, {{"connect 192.0.2.1"}, {"started tls"}}, {true, false});
  const std::string line = "started tls" + std::string(kMessagePadding, ' ');
  size_t shortest = 0;
  while (shortest < 11 && !c->tree.passes(line.data(), line.data() + shortest)) ++shortest;
  EXPECT_EQ(shortest, 8U);
}

TEST(Tree, StraightWaysAreLaidOutOnlyWhereNoLowerRankCouldRead) {
  const Lines rules = {"client={ptr}[{address}], user={user:free}", "~client={ptr}[{address}]{?, {:free}}"};
  EXPECT_EQ(compile(rules, nullptr, {{}, {"client=a[192.0.2.1]"}})->tree.straight_ways(), 1U);
  EXPECT_EQ(compile(rules, nullptr, {{}, {"client=a[192.0.2.1], b"}})->tree.straight_ways(), 0U);
  EXPECT_EQ(compile(rules, nullptr, {{"client=a[192.0.2.1], user=b", "client=c[192.0.2.1], user="}, {}})
                ->tree.straight_ways(),
            1U);
}

TEST(Tree, WithoutRulesKnowsNothing) {
  const auto c = compile({});
  ASSERT_TRUE(c);
  std::string padded;
  EXPECT_FALSE(match(*c, padded, "").matched);
  EXPECT_FALSE(match(*c, padded, "connect").matched);
}

TEST(Tree, RefusesAFieldWithoutAnEnd) {
  for (const char* text : {"{user:word}{count}", "a {user:tls}x{address}", "{count}{user:free}", "\"{user:quoted}x",
                           "<{user:path}{count}"}) {
    std::string error;
    EXPECT_FALSE(compile({text}, &error)) << text;
    EXPECT_NE(error.find("can't be told"), std::string::npos) << error;
  }
}

TEST(Tree, LeavesOutWhatIsNotUnique) {
  const auto c = compile({"from={address} a=<{sender:free}> b=<{recipient:free}>"});
  std::string padded;
  Got g = match(*c, padded, "from=192.0.2.7 a=<x> b=<y>");
  ASSERT_TRUE(g.matched);
  EXPECT_EQ(g.m.text(Capture::kSender), "x");
  EXPECT_EQ(g.m.text(Capture::kRecipient), "y");
  g = match(*c, padded, "from=192.0.2.7 a=<x> b=<z> b=<y>");
  ASSERT_TRUE(g.matched);
  EXPECT_FALSE(g.m.has(Capture::kSender));
  EXPECT_FALSE(g.m.has(Capture::kRecipient));
  EXPECT_TRUE(g.m.has(Capture::kAddress));
}

// Sixteen ways to cut and more: they are not all looked at, so none is believed.
TEST(Tree, KeepsNothingOfTooManyCuts) {
  const auto c = compile({"from={address} a=<{sender:free}> b=<{recipient:free}> c=<{helo:free}>"});
  std::string padded, line = "from=192.0.2.7 a=<x";
  for (int i = 0; i < 20; ++i) line += "> b=<y";
  line += "> c=<z>";
  const Got g = match(*c, padded, line);
  ASSERT_TRUE(g.matched);
  EXPECT_TRUE(g.m.has(Capture::kAddress));
  EXPECT_FALSE(g.m.has(Capture::kSender));
  EXPECT_FALSE(g.m.has(Capture::kRecipient));
}

// Every text of the bytes of an address, as parse_address() reads it: with and without a straight way.
TEST(Tree, ReadsAddressesAsTheyAreParsed) {
  const auto nodes = compile({"from {address} port {count}"});
  const auto straight = compile({"from {address} port {count}"}, nullptr, {{"from 192.0.2.7 port 25"}});
  ASSERT_EQ(straight->tree.straight_ways(), 1U);
  std::mt19937_64 random(11);
  const auto below = [&](size_t n) { return random() % n; };
  const auto quad = [&] {
    std::string s;
    for (int i = 0; i < 4; ++i) {
      if (i > 0) s += '.';
      s += below(20) == 0 ? "0" + std::to_string(below(300)) : std::to_string(below(below(2) ? 256 : 300));
    }
    return s;
  };
  const auto groups = [&] {
    std::string s;
    const size_t n = 1 + below(9), gap = below(2) ? below(n + 1) : 99;
    for (size_t i = 0; i < n; ++i) {
      if (i > 0 || i == gap) s += ':';
      if (i == gap) s += ':';
      for (size_t digits = below(40) == 0 ? 5 : 1 + below(4); digits > 0; --digits)
        s += "0123456789abcdefABCDEF"[below(22)];
    }
    if (gap == n) s += "::";
    if (below(10) == 0) s += ":" + quad();
    return s;
  };
  size_t good = 0;
  std::string padded;
  for (int round = 0; round < 200'000; ++round) {
    std::string text = below(2) ? quad() : groups();
    if (below(3) == 0) {  // bent a little
      const size_t at = below(text.size());
      const char byte = "0123456789abcdefg:.: ]"[below(22)];
      if (below(2))
        text[at] = byte;
      else
        text.insert(at, 1, byte);
    }
    const std::string line = "from " + text + " port 7";
    const auto expected = parse_address(text);
    good += expected.has_value();
    for (const Compiled* c : {nodes.get(), straight.get()}) {
      const Got got = match(*c, padded, line);
      ASSERT_EQ(got.matched, expected.has_value()) << line;
      if (expected) {
        ASSERT_EQ(got.m.address, *expected) << line;
        ASSERT_EQ(got.m.text(Capture::kAddress), text);
      }
    }
  }
  EXPECT_GT(good, 50'000U);
}

TEST(Tree, ReadsNoOtherAddressesThanTheTypeHas) {
  for (const std::vector<Lines>& samples : {std::vector<Lines>{}, {{"from 192.0.2.7 port 25"}}}) {
    const auto c = compile({"from {address:address4} port {count}"}, nullptr, samples);
    std::string padded;
    EXPECT_TRUE(match(*c, padded, "from 192.0.2.7 port 25").matched);
    EXPECT_FALSE(match(*c, padded, "from 2001:db8::5 port 25").matched);
    EXPECT_FALSE(match(*c, padded, "from ::ffff:192.0.2.7 port 25").matched);
  }
}

TEST(Tree, TextThatMustOccurOnce) {
  const auto c = compile({"for ({helo:free}) [{address}]{!: 535 (set_id=}{user:free})"});
  std::string padded;
  EXPECT_TRUE(match(*c, padded, "for (x) [192.0.2.7]: 535 (set_id=joe)").matched);
  EXPECT_FALSE(match(*c, padded, "for (x) [192.0.2.7]: 535 (set_id=y) [198.51.100.9]: 535 (set_id=joe)").matched);
}

TEST(Tree, SeparatorsBuyNoTime) {
  const auto c = compile({"a <{sender:free}> b <{recipient:free}> c <{helo:free}> d {address}"});
  std::string line = "a <", padded;
  for (int i = 0; i < 8000; ++i) line += "> b <> c <";
  line += "> d 192.0.2.7x";
  EXPECT_FALSE(match(*c, padded, line).matched);
}

}  // namespace
}  // namespace mailward
