// Writes a mail server's log of any size: always the same bytes for the same options.
//
//   gen --kind opensmtpd|postfix|mixed --bytes 512M --seed 1 --sources 200000 --attackers 0.1
//       --form traditional|rfc3339|rfc5424 [--days 7] [--open 96] [--truth FILE]  > mail.log
//
// Build: c++ -std=c++20 -O2 -o gen gen.cc
//
// How the log comes about: a fixed number of sessions (--open) is open at any moment; each line is
// the next one of a session picked at random, so the lines of sessions interleave, and a session
// that has written its last line is replaced by a new one of a new source. Sources are addresses;
// the first share of them (--attackers) attacks, most of those a few times only, with counts
// around the limits of the presets (5 and 10), some of them all the time. Stamps are UTC, never go
// back, and spread over --days from 2026-03-02 on. The last sessions may lack their end.
//
// --truth writes what a perfect reader must find: counts per address and the offenders under the
// presets `strikes` (local domains domain1.example and domain2.example) and `tries`. What a line
// means is counted once per attempt: OpenSMTPD's failed-command that follows a refused login, or
// sshd's three lines about one password, are one auth_failed. Lines for which daemons leave two
// readings (OpenSMTPD's `550 Invalid recipient`) are counted as `other`.

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace {

using std::string_view;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "gen: %s\n", what.c_str());
  std::exit(2);
}

// ---------------------------------------------------------------- options

enum class Kind { kOpensmtpd, kPostfix, kMixed };
enum class Form { kTraditional, kRfc3339, kRfc5424 };

struct Options {
  Kind kind = Kind::kOpensmtpd;
  Form form = Form::kTraditional;
  std::string kind_name = "opensmtpd";
  std::string form_name = "traditional";
  std::string truth_file;
  uint64_t bytes = uint64_t{1} << 20;
  uint64_t seed = 1;
  uint32_t sources = 200'000;
  double attackers = 0.1;
  uint32_t days = 7;
  uint32_t open_sessions = 96;
};

uint64_t parse_size(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  uint64_t unit = 1;
  switch (*end) {
    case 'k':
    case 'K':
      unit = uint64_t{1} << 10;
      break;
    case 'm':
    case 'M':
      unit = uint64_t{1} << 20;
      break;
    case 'g':
    case 'G':
      unit = uint64_t{1} << 30;
      break;
    case '\0':
      break;
    default:
      fail("not a size: " + text);
  }
  if (end == text.c_str() || number < 0) fail("not a size: " + text);
  return static_cast<uint64_t>(number * static_cast<double>(unit));
}

Options parse_options(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--help") {
      std::puts(
          "gen --kind opensmtpd|postfix|mixed --bytes 512M --seed 1 --sources 200000 --attackers 0.1\n"
          "    --form traditional|rfc3339|rfc5424 [--days 7] [--open 96] [--truth FILE]");
      std::exit(0);
    }
    if (i + 1 >= argc) fail("option without a value: " + name);
    const std::string value = argv[++i];
    if (name == "--kind") {
      o.kind_name = value;
      if (value == "opensmtpd")
        o.kind = Kind::kOpensmtpd;
      else if (value == "postfix")
        o.kind = Kind::kPostfix;
      else if (value == "mixed")
        o.kind = Kind::kMixed;
      else
        fail("--kind is opensmtpd, postfix or mixed, not " + value);
    } else if (name == "--form") {
      o.form_name = value;
      if (value == "traditional")
        o.form = Form::kTraditional;
      else if (value == "rfc3339")
        o.form = Form::kRfc3339;
      else if (value == "rfc5424")
        o.form = Form::kRfc5424;
      else
        fail("--form is traditional, rfc3339 or rfc5424, not " + value);
    } else if (name == "--bytes")
      o.bytes = parse_size(value);
    else if (name == "--seed")
      o.seed = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "--sources")
      o.sources = static_cast<uint32_t>(parse_size(value));
    else if (name == "--attackers")
      o.attackers = std::strtod(value.c_str(), nullptr);
    else if (name == "--days")
      o.days = static_cast<uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
    else if (name == "--open")
      o.open_sessions = static_cast<uint32_t>(std::strtoul(value.c_str(), nullptr, 10));
    else if (name == "--truth")
      o.truth_file = value;
    else
      fail("unknown option: " + name);
  }
  if (o.sources < 20 || o.sources > 10'000'000) fail("--sources is 20 to 10000000");
  if (o.attackers < 0 || o.attackers > 1) fail("--attackers is 0 to 1");
  if (o.open_sessions < 1 || o.days < 1) fail("--open and --days are at least 1");
  return o;
}

// ---------------------------------------------------------------- chance

class Random {  // splitmix64: small, quick, the same everywhere
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 0x1234567u) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(((next() >> 32) * n) >> 32); }
  bool percent(uint32_t n) { return below(100) < n; }

 private:
  uint64_t state_;
};

// ---------------------------------------------------------------- sources

enum class Habit : uint8_t { kGuest, kForeign, kLocal, kBare, kNoTls, kProber };

enum Count : uint8_t {
  kForeignUser,
  kLocalUser,
  kBareUser,
  kUnnamedUser,
  kNoTls,
  kNoPtr,
  kPtrMismatch,
  kBadHelo,
  kDnsbl,
  kRelayDenied,
  kUnknownRecipient,
  kSenderRejected,
  kDropped,
  kOther,
  kCounts
};
constexpr std::array<const char*, kCounts> kCountNames = {
    "foreign",  "local", "bare",         "unnamed",           "no_tls",          "no_ptr",  "ptr_mismatch",
    "bad_helo", "dnsbl", "relay_denied", "unknown_recipient", "sender_rejected", "dropped", "other"};

struct Source {
  char address[40];  // RFC 5952, no brackets
  uint8_t address_length;
  bool v6;
  bool named;  // has a PTR
  Habit habit;
  uint16_t attacks_left;  // sessions in which it will still attack; kForever: no end
  uint32_t number;
};
constexpr uint16_t kForever = 65535;

class Sources {
 public:
  Sources(const Options& o, Random& random)
      : attackers_(static_cast<uint32_t>(o.sources * o.attackers)), list_(o.sources), counts_(o.sources) {
    std::unordered_set<std::string> taken;
    for (uint32_t i = 0; i < o.sources; ++i) {
      Source& s = list_[i];
      do {
        make_address(s, random);
      } while (!taken.emplace(s.address, s.address_length).second);
      s.number = i;
      s.named = random.percent(i < attackers_ ? 40 : 92);
      s.habit = Habit::kGuest;
      s.attacks_left = 0;
      if (i >= attackers_) continue;
      constexpr Habit kHabits[] = {Habit::kForeign, Habit::kForeign, Habit::kForeign, Habit::kLocal,  Habit::kBare,
                                   Habit::kBare,    Habit::kNoTls,   Habit::kNoTls,   Habit::kProber, Habit::kProber};
      s.habit = kHabits[random.below(10)];
      // A tenth never tires; the others stop near the limits that policies have.
      s.attacks_left = i < attackers_ / 10 ? kForever : static_cast<uint16_t>(1 + random.below(14));
    }
  }

  // Who opens the next session: mostly attackers, as on any server in the open.
  Source& pick(Random& random) {
    if (attackers_ > 0 && random.percent(60)) {
      const uint32_t tireless = std::max(attackers_ / 10, 1u);
      const uint32_t i = random.percent(50) ? skewed(random, tireless) : random.below(attackers_);
      return list_[i];
    }
    if (attackers_ == list_.size()) return list_[random.below(attackers_)];
    return list_[attackers_ + skewed(random, static_cast<uint32_t>(list_.size()) - attackers_)];
  }

  void count(const Source& s, Count what) { ++counts_[s.number][what]; }
  const std::vector<Source>& list() const { return list_; }
  const std::array<uint32_t, kCounts>& counts(const Source& s) const { return counts_[s.number]; }

 private:
  static uint32_t skewed(Random& random, uint32_t n) {  // few often, most seldom
    const double u = static_cast<double>(random.next() >> 11) * 0x1p-53;
    return std::min(static_cast<uint32_t>(u * u * u * n), n - 1);
  }

  static void make_address(Source& s, Random& random) {
    char text[INET6_ADDRSTRLEN];
    s.v6 = random.percent(8);
    if (s.v6) {
      unsigned char raw[16] = {0x20, 0x01, 0x0d, 0xb8};  // 2001:db8::/32, for documentation
      const uint64_t net = random.next(), host = random.next();
      std::memcpy(raw + 4, &net, 4);
      if (random.percent(40))
        raw[15] = static_cast<unsigned char>(1 + (host & 0x7f)), raw[13] = static_cast<unsigned char>(host >> 8);
      else
        std::memcpy(raw + 8, &host, 8);
      inet_ntop(AF_INET6, raw, text, sizeof text);
    } else {
      const uint64_t r = random.next();
      const auto first = static_cast<unsigned>(1 + r % 222);
      std::snprintf(text, sizeof text, "%u.%u.%u.%u", first == 10 || first == 127 ? 11u : first,
                    static_cast<unsigned>(r >> 16 & 255), static_cast<unsigned>(r >> 24 & 255),
                    static_cast<unsigned>(1 + (r >> 32) % 254));
    }
    s.address_length = static_cast<uint8_t>(std::strlen(text));
    std::memcpy(s.address, text, s.address_length);
  }

  uint32_t attackers_;
  std::vector<Source> list_;
  std::vector<std::array<uint32_t, kCounts>> counts_;
};

// ---------------------------------------------------------------- words

constexpr string_view kForeignDomains[] = {
    "example.com",    "example.net",     "example.org",         "corp.example", "mail.shop.example",
    "office.example", "domain3.example", "domain1.example.com", "bank.example", "xn--bcher-kva.example"};
constexpr string_view kLocalDomains[] = {"domain1.example", "domain2.example"};
constexpr string_view kLogins[] = {"info",      "admin",     "sales",    "test",      "support",    "contact",
                                   "office",    "marketing", "john.doe", "anna",      "backup",     "scan",
                                   "noreply",   "billing",   "hr",       "webmaster", "postmaster", "www-data",
                                   "m.mueller", "user1",     "printer",  "scanner2",  "k_jones",    "root"};
constexpr string_view kHelos[] = {"mono.shop.example",   "WIN-CLJ1B0GQ6JP", "ylmf-pc", "localhost",
                                  "mail.office.example", "[10.0.0.7]",      "User",    "smtp2.corp.example"};
constexpr string_view kCiphers[] = {"TLSv1.3:TLS_AES_256_GCM_SHA384:256", "TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256",
                                    "TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:256",
                                    "TLSv1.2:ECDHE-RSA-CHACHA20-POLY1305:256"};

template <size_t N>
string_view any_of(const string_view (&words)[N], Random& random) {
  return words[random.below(N)];
}

// ---------------------------------------------------------------- output

struct Tag {  // program and process id as the header shows them
  std::string text;
  std::string priority;
};

// Fills blocks and writes them; a line costs one check of the room left.
class Writer {
 public:
  Writer(const Options& o)
      : form_(o.form), block_(new char[kBlock + kLongest]), at_(block_.get()), now_us_(kStart * 1'000'000) {
    const uint64_t lines = std::max<uint64_t>(o.bytes / 96, 1);
    mean_step_us_ = std::max<uint64_t>(uint64_t{o.days} * 86'400'000'000 / lines, 1);
    render_second();
  }

  void begin(const Tag& tag, Random& random) {
    if (at_ - block_.get() >= static_cast<ptrdiff_t>(kBlock)) flush();
    now_us_ += random.next() % (2 * mean_step_us_);
    if (now_us_ / 1'000'000 != second_) render_second();
    if (form_ == Form::kTraditional) {
      put(stamp_);
    } else {
      if (form_ == Form::kRfc5424) put(tag.priority);
      auto us = static_cast<uint32_t>(now_us_ % 1'000'000);
      for (int i = 5; i >= 0; --i, us /= 10) stamp_[20 + static_cast<size_t>(i)] = static_cast<char>('0' + us % 10);
      put(stamp_);
    }
    put(tag.text);
  }

  void put(string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(char c) { *at_++ = c; }
  template <typename... Parts>
  void put(const Parts&... parts)
    requires(sizeof...(Parts) > 1)
  {
    (put(parts), ...);
  }

  struct Hex {
    uint64_t value;
    int digits;
  };
  void put(Hex hex) {
    for (int i = hex.digits - 1; i >= 0; --i, hex.value >>= 4) at_[i] = "0123456789abcdef"[hex.value & 15];
    at_ += hex.digits;
  }
  void put(uint32_t number) {
    char digits[10];
    int n = 0;
    do {
      digits[n++] = static_cast<char>('0' + number % 10);
    } while ((number /= 10) > 0);
    while (n > 0) *at_++ = digits[--n];
  }

  void end() {
    *at_++ = '\n';
    ++lines_;
  }

  void flush() {
    for (const char* from = block_.get(); from < at_;) {
      const ssize_t n = ::write(STDOUT_FILENO, from, static_cast<size_t>(at_ - from));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail(std::string("write: ") + std::strerror(errno));
      from += n;
    }
    flushed_ += static_cast<uint64_t>(at_ - block_.get());
    at_ = block_.get();
  }

  uint64_t bytes() const { return flushed_ + static_cast<uint64_t>(at_ - block_.get()); }
  uint64_t lines() const { return lines_; }
  uint64_t now_us() const { return now_us_; }

 private:
  static constexpr size_t kBlock = size_t{1} << 18;
  static constexpr size_t kLongest = 4096;           // no line is longer
  static constexpr uint64_t kStart = 1'772'409'600;  // 2026-03-02T00:00:00Z

  void render_second() {
    second_ = now_us_ / 1'000'000;
    const auto seconds = static_cast<time_t>(second_);
    tm t{};
    gmtime_r(&seconds, &t);
    char text[64];
    const size_t n = form_ == Form::kTraditional
                         ? std::strftime(text, sizeof text, "%b %e %H:%M:%S mail ", &t)
                         : std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000000+00:00 mail ", &t);
    stamp_.assign(text, n);
  }

  Form form_;
  std::unique_ptr<char[]> block_;
  char* at_;
  uint64_t now_us_, second_ = 0, mean_step_us_ = 1, flushed_ = 0, lines_ = 0;
  std::string stamp_;
};

// ---------------------------------------------------------------- sessions

enum class Op : uint8_t {
  // OpenSMTPD
  kConnected,
  kTls,
  kAuthFail,
  kAuthFailCommand,
  kAuthOk,
  kMessage,
  kEnvelope,
  kMdaDelivery,
  kMtaDelivery,
  kBadRecipient,
  kNotSupported,
  kBadInput,
  kQuit,
  kGone,
  kNoTlsError,
  // Postfix
  kMismatch,
  kPfConnect,
  kPfSasl,
  kPfReject,
  kPfLost,
  kPfDisconnect,
  kPfClient,
  kPfCleanup,
  kPfQueued,
  kPfLmtp,
  kPfSmtp,
  kPfRemoved,
  // Dovecot, sshd, others
  kDcFailed,
  kDcLogin,
  kDcLogout,
  kSshInvalid,
  kSshFailed,
  kSshClosed,
  kSshAccepted,
  kNoise
};

struct Session {
  uint64_t id = 0;
  Source* source = nullptr;
  string_view login, domain;
  uint32_t slot = 0, port = 0;
  uint8_t size = 0, next = 0, refused = 0, tried = 0, reject = 0;
  std::array<Op, 24> ops{};
  void add(Op op) { ops[size++] = op; }
};

class Server {
 public:
  explicit Server(const Options& o)
      : o_(o), random_(o.seed), sources_(o, random_), out_(o), sessions_(o.open_sessions) {
    smtpd_ = tag("smtpd", 60467, 22);
    dovecot_ = tag("dovecot", 0, 22);
    kernel_ = tag("kernel", 0, 6);
    cron_ = tag("CRON", 31177, 78);
    pf_qmgr_ = tag("postfix/qmgr", 1187, 22);
    // Postfix and sshd give a process to each open session, so a slot is a process.
    for (uint32_t i = 0; i < o.open_sessions; ++i) {
      pf_smtpd_.push_back(tag("postfix/smtpd", 21400 + 7 * i, 22));
      pf_cleanup_.push_back(tag("postfix/cleanup", 21403 + 7 * i, 22));
      pf_lmtp_.push_back(tag("postfix/lmtp", 21404 + 7 * i, 22));
      pf_smtp_.push_back(tag("postfix/smtp", 21405 + 7 * i, 22));
      sshd_.push_back(tag("sshd", 9100 + 31 * i, 38));
    }
    for (uint32_t i = 0; i < o.open_sessions; ++i) {
      sessions_[i].slot = i;
      open(sessions_[i]);
    }
  }

  void run() {
    while (out_.bytes() < o_.bytes) {
      Session& s = sessions_[random_.below(static_cast<uint32_t>(sessions_.size()))];
      write(s, s.ops[s.next++]);
      out_.end();
      if (s.next == s.size) open(s);
    }
    out_.flush();
  }

  void write_truth(const std::string& file) const;

 private:
  Tag tag(const char* program, uint32_t pid, uint32_t priority) const {
    const std::string id = std::to_string(pid);
    if (o_.form == Form::kRfc5424)
      return {std::string(program) + (pid ? " " + id : " -") + " - - ", "<" + std::to_string(priority) + ">1 "};
    return {program + (pid ? "[" + id + "]: " : std::string(": ")), ""};
  }

  // What the new session in this slot will do: the list of lines that it is going to write.
  void open(Session& s) {
    const uint32_t slot = s.slot;
    s = Session{};
    s.slot = slot;
    s.source = &sources_.pick(random_);
    s.port = 1025 + random_.below(64000);
    s.id = (++opened_ * 0x01d35ull + 0x9a2bd95aull) << 32 | (random_.next() & 0xffffffff);
    const uint32_t dice = random_.below(100);
    bool attacks = s.source->attacks_left > 0;
    switch (o_.kind) {
      case Kind::kOpensmtpd:
        if (dice < 97) return open_opensmtpd(s, take(s, attacks));
        if (dice == 97) return s.add(Op::kSshAccepted);
        return s.add(Op::kNoise);
      case Kind::kPostfix:
        if (dice < 76) return open_postfix(s, take(s, attacks));
        if (dice < 90) return open_dovecot(s, take(s, attacks));
        if (dice < 95) return open_sshd(s, take(s, attacks));
        return s.add(Op::kNoise);
      case Kind::kMixed:
        if (dice < 45) return open_opensmtpd(s, take(s, attacks));
        if (dice < 80) return open_postfix(s, take(s, attacks));
        if (dice < 90) return open_dovecot(s, take(s, attacks));
        if (dice < 96) return open_sshd(s, take(s, attacks));
        return s.add(Op::kNoise);
    }
  }

  static bool take(Session& s, bool attacks) {
    if (attacks && s.source->attacks_left != kForever) --s.source->attacks_left;
    return attacks;
  }

  // A guest mistypes now and then; an attacker tries what it is after.
  void choose_login(Session& s) {
    s.login = any_of(kLogins, random_);
    Habit habit = s.source->habit;
    if (habit == Habit::kGuest) habit = random_.percent(50) ? Habit::kBare : Habit::kLocal;
    if (habit == Habit::kProber) habit = random_.percent(50) ? Habit::kForeign : Habit::kLocal;
    if (habit == Habit::kForeign)
      s.domain = any_of(kForeignDomains, random_);
    else if (habit == Habit::kLocal)
      s.domain = any_of(kLocalDomains, random_);
    else
      s.domain = {};
  }

  void count_login(const Session& s) {
    sources_.count(*s.source, s.domain.empty()                                               ? kBareUser
                              : s.domain == kLocalDomains[0] || s.domain == kLocalDomains[1] ? kLocalUser
                                                                                             : kForeignUser);
  }

  void put_login(const Session& s) {
    out_.put(s.login);
    if (!s.domain.empty()) out_.put('@', s.domain);
  }

  void open_opensmtpd(Session& s, bool attacks) {
    s.add(Op::kConnected);
    const Habit habit = s.source->habit;
    if (attacks && habit == Habit::kNoTls) return s.add(Op::kNoTlsError);
    if (attacks && habit == Habit::kProber) {
      s.add(random_.percent(60) ? Op::kBadRecipient : random_.percent(70) ? Op::kNotSupported : Op::kBadInput);
      if (random_.percent(30)) s.add(Op::kBadRecipient);
      return s.add(random_.percent(50) ? Op::kGone : Op::kQuit);
    }
    s.add(Op::kTls);
    if (attacks) {
      const uint32_t tries = random_.percent(80) ? 1 : 2 + random_.below(2);
      for (uint32_t i = 0; i < tries; ++i) s.add(Op::kAuthFail), s.add(Op::kAuthFailCommand);
      return s.add(random_.percent(70) ? Op::kQuit : Op::kGone);
    }
    if (random_.percent(2)) s.add(Op::kAuthFail), s.add(Op::kAuthFailCommand);
    if (random_.percent(40)) s.add(Op::kAuthOk);
    if (random_.percent(85)) {
      s.add(Op::kMessage), s.add(Op::kEnvelope);
      s.add(random_.percent(70) ? Op::kMdaDelivery : Op::kMtaDelivery);
    }
    s.add(Op::kQuit);
  }

  void open_postfix(Session& s, bool attacks) {
    const Habit habit = s.source->habit;
    if (attacks && !s.source->named && random_.percent(30)) s.add(Op::kMismatch);
    s.add(Op::kPfConnect);
    if (attacks && (habit == Habit::kProber || habit == Habit::kNoTls)) {
      s.reject = static_cast<uint8_t>(s.source->named ? 1 + random_.below(5) : random_.below(6));
      s.add(Op::kPfReject);
      if (random_.percent(25)) s.add(Op::kPfReject);
      if (random_.percent(30)) s.add(Op::kPfLost);
    } else if (attacks) {
      const uint32_t tries = random_.percent(80) ? 1 : 2 + random_.below(2);
      for (uint32_t i = 0; i < tries; ++i) s.add(Op::kPfSasl);
      if (random_.percent(50)) s.add(Op::kPfLost);
    } else {
      if (random_.percent(2)) s.add(Op::kPfSasl);
      if (random_.percent(85)) {
        for (const Op op : {Op::kPfClient, Op::kPfCleanup, Op::kPfQueued}) s.add(op);
        s.add(random_.percent(70) ? Op::kPfLmtp : Op::kPfSmtp);
        s.add(Op::kPfRemoved);
      }
    }
    s.add(Op::kPfDisconnect);
  }

  void open_dovecot(Session& s, bool attacks) {
    if (attacks || random_.percent(3)) return s.add(Op::kDcFailed);
    s.add(Op::kDcLogin), s.add(Op::kDcLogout);
  }

  void open_sshd(Session& s, bool attacks) {
    if (!attacks) return s.add(Op::kSshAccepted);
    if (random_.percent(70)) s.add(Op::kSshInvalid);
    s.login = any_of(kLogins, random_);
    s.add(Op::kSshFailed), s.add(Op::kSshClosed);
  }

  string_view address(const Session& s) const { return {s.source->address, s.source->address_length}; }

  void put_name(const Session& s, string_view unknown) {
    if (!s.source->named) return out_.put(unknown);
    out_.put("h", s.source->number,
             (s.source->number & 1) ? string_view(".dyn.isp.example") : string_view(".mx.sender.example"));
  }
  void put_client(const Session& s) {  // Postfix: name[address]
    put_name(s, "unknown");
    out_.put('[', address(s), ']');
  }
  void put_mailbox(uint64_t chance) {
    out_.put(kLogins[chance % std::size(kLogins)], '@', kForeignDomains[(chance >> 8) % std::size(kForeignDomains)]);
  }
  void put_local_mailbox(uint64_t chance) {
    out_.put(kLogins[chance % std::size(kLogins)], '@', kLocalDomains[(chance >> 8) & 1]);
  }
  void put_queue_id(const Session& s) {  // long queue ids, without vowels
    constexpr char kLetters[] = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    char id[12] = {'4', 'Z'};
    uint64_t v = s.id * 0x9e3779b97f4a7c15u >> 4;
    for (size_t i = 2; i < sizeof id; ++i, v /= 52) id[i] = kLetters[v % 52];
    out_.put(string_view(id, sizeof id));
  }

  void smtp(const Session& s, string_view what) {
    out_.begin(smtpd_, random_);
    out_.put(Writer::Hex{s.id, 16}, what);
  }

  void write(Session& s, Op op);
  void write_reject(Session& s);
  void write_noise(Session& s);

  const Options& o_;
  Random random_;
  Sources sources_;
  Writer out_;
  std::vector<Session> sessions_;
  uint64_t opened_ = 0;
  Tag smtpd_, dovecot_, kernel_, cron_, pf_qmgr_;
  std::vector<Tag> pf_smtpd_, pf_cleanup_, pf_lmtp_, pf_smtp_, sshd_;
};

void Server::write(Session& s, Op op) {
  switch (op) {
    case Op::kConnected:
      smtp(s, " smtp connected address=");
      if (s.source->v6)
        out_.put('[', address(s), ']');
      else
        out_.put(address(s));
      out_.put(" host="), put_name(s, "<unknown>");
      return;
    case Op::kTls:
      return smtp(s, " smtp tls ciphers="), out_.put(kCiphers[s.id & 3]);
    case Op::kAuthFail:
      choose_login(s), count_login(s);
      smtp(s, " smtp authentication user="), put_login(s), out_.put(" result=permfail");
      return;
    case Op::kAuthFailCommand:
      return smtp(s, " smtp failed-command command=\"AUTH LOGIN (password)\" result=\"535 Authentication failed\"");
    case Op::kAuthOk:
      choose_login(s), smtp(s, " smtp authentication user="), put_login(s), out_.put(" result=ok");
      return;
    case Op::kMessage:
      smtp(s, " smtp message msgid="),
          out_.put(Writer::Hex{s.id, 8}, " size=", 900 + static_cast<uint32_t>(s.id & 0xffff), " nrcpt=1 proto=ESMTP");
      return;
    case Op::kEnvelope:
      smtp(s, " smtp envelope evpid="), out_.put(Writer::Hex{s.id, 8}, Writer::Hex{s.id >> 13, 8}, " from=<");
      put_mailbox(s.id), out_.put("> to=<"), put_local_mailbox(s.id >> 5), out_.put('>');
      return;
    case Op::kMdaDelivery: {
      Session delivery = s;
      delivery.id += 0x0fffffff;
      smtp(delivery, " mda delivery evpid="), out_.put(Writer::Hex{s.id, 8}, Writer::Hex{s.id >> 13, 8}, " from=<"),
          put_mailbox(s.id);
      out_.put("> to=<"), put_local_mailbox(s.id >> 5), out_.put("> rcpt=<"), put_local_mailbox(s.id >> 5);
      out_.put("> user=vmail delay=1s result=Ok stat=Delivered");
      return;
    }
    case Op::kMtaDelivery: {
      Session delivery = s;
      delivery.id += 0x1fffffff;
      smtp(delivery, " mta delivery evpid="), out_.put(Writer::Hex{s.id, 8}, Writer::Hex{s.id >> 13, 8}, " from=<"),
          put_local_mailbox(s.id);
      out_.put("> to=<"), put_mailbox(s.id >> 5),
          out_.put(
              "> rcpt=<-> source=\"192.0.2.25\" relay=\"198.51.100.80 (mx.example.net)\" delay=2s result=\"Ok\" "
              "stat=\"250 2.0.0 Ok: queued as ");
      put_queue_id(s), out_.put('"');
      return;
    }
    case Op::kBadRecipient:
      sources_.count(*s.source, kOther);
      smtp(s, " smtp failed-command command=\"RCPT TO:<"), put_mailbox(s.id),
          out_.put("> \" result=\"550 Invalid recipient: <"), put_mailbox(s.id), out_.put(">\"");
      return;
    case Op::kNotSupported:
      sources_.count(*s.source, kOther);
      return smtp(
          s, " smtp failed-command command=\"AUTH LOGIN\" result=\"503 5.5.1 Invalid command: Command not supported\"");
    case Op::kBadInput:
      sources_.count(*s.source, kOther);
      return smtp(s, " smtp bad-input result=\"500 5.5.1 Invalid command: Pipelining not supported\"");
    case Op::kQuit:
      return smtp(s, " smtp disconnected reason=quit");
    case Op::kGone:
      return smtp(s, " smtp disconnected reason=disconnect");
    case Op::kNoTlsError:
      sources_.count(*s.source, kNoTls);
      return smtp(s, " smtp disconnected reason=\"io-error: No TLS error\"");

    case Op::kMismatch:
      sources_.count(*s.source, kPtrMismatch);
      out_.begin(pf_smtpd_[s.slot], random_);
      out_.put("warning: hostname h", s.source->number, ".dynamic.isp.example does not resolve to address ",
               address(s));
      if (s.id & 1) out_.put(": Name or service not known");
      return;
    case Op::kPfConnect:
      out_.begin(pf_smtpd_[s.slot], random_), out_.put("connect from "), put_client(s);
      return;
    case Op::kPfSasl: {
      choose_login(s);
      s.tried++, s.refused++;
      out_.begin(pf_smtpd_[s.slot], random_), out_.put("warning: "), put_client(s), out_.put(": SASL ");
      out_.put((s.id & 3) ? string_view("LOGIN") : string_view("PLAIN"));
      const auto shape = static_cast<uint32_t>(s.id >> 2 & 3);
      if (shape < 2)
        sources_.count(*s.source, kUnnamedUser), out_.put(" authentication failed: UGFzc3dvcmQ6");
      else
        count_login(s),
            out_.put(shape == 2 ? string_view(" authentication failed: authentication failure, sasl_username=")
                                : string_view(" authentication failed: UGFzc3dvcmQ6, sasl_username=")),
            put_login(s);
      return;
    }
    case Op::kPfReject:
      s.refused++;
      return write_reject(s);
    case Op::kPfLost:
      sources_.count(*s.source, kDropped);
      out_.begin(pf_smtpd_[s.slot], random_),
          out_.put(s.tried ? string_view("lost connection after AUTH from ")
                           : string_view("lost connection after RCPT from ")),
          put_client(s);
      return;
    case Op::kPfDisconnect:
      out_.begin(pf_smtpd_[s.slot], random_), out_.put("disconnect from "), put_client(s), out_.put(" ehlo=1");
      if (s.tried)
        out_.put(" auth=0/", static_cast<uint32_t>(s.tried), " quit=1 commands=2/", 2u + s.tried);
      else if (s.refused)
        out_.put(" mail=1 rcpt=0/", static_cast<uint32_t>(s.refused), " quit=1 commands=3/", 3u + s.refused);
      else
        out_.put(" starttls=1 mail=1 rcpt=1 data=1 quit=1 commands=6");
      return;
    case Op::kPfClient:
      out_.begin(pf_smtpd_[s.slot], random_), put_queue_id(s), out_.put(": client="), put_client(s);
      return;
    case Op::kPfCleanup:
      out_.begin(pf_cleanup_[s.slot], random_), put_queue_id(s),
          out_.put(": message-id=<", Writer::Hex{s.id, 16}, "@mx.sender.example>");
      return;
    case Op::kPfQueued:
      out_.begin(pf_qmgr_, random_), put_queue_id(s), out_.put(": from=<"), put_mailbox(s.id);
      out_.put(">, size=", 900 + static_cast<uint32_t>(s.id & 0xffff), ", nrcpt=1 (queue active)");
      return;
    case Op::kPfLmtp:
      out_.begin(pf_lmtp_[s.slot], random_), put_queue_id(s), out_.put(": to=<"), put_local_mailbox(s.id);
      out_.put(
          ">, relay=mail.domain1.example[private/dovecot-lmtp], delay=0.36, delays=0.24/0.01/0/0.11, dsn=2.0.0, "
          "status=sent (250 2.0.0 <");
      put_local_mailbox(s.id), out_.put("> ", Writer::Hex{s.id, 16}, " Saved)");
      return;
    case Op::kPfSmtp:
      out_.begin(pf_smtp_[s.slot], random_), put_queue_id(s), out_.put(": to=<"), put_mailbox(s.id);
      out_.put(
          ">, relay=mx.example.net[198.51.100.80]:25, delay=1.2, delays=0.1/0/0.6/0.5, dsn=2.0.0, status=sent (250 "
          "2.0.0 Ok: queued as ");
      put_queue_id(s), out_.put(')');
      return;
    case Op::kPfRemoved:
      out_.begin(pf_qmgr_, random_), put_queue_id(s), out_.put(": removed");
      return;

    case Op::kDcFailed:
      choose_login(s), count_login(s);
      out_.begin(dovecot_, random_);
      out_.put((s.id & 7) ? string_view("imap-login") : string_view("pop3-login"),
               ": Disconnected (auth failed, 1 attempts in ", 2u + (s.slot & 7), " secs): user=<");
      put_login(s),
          out_.put(">, method=PLAIN, rip=", address(s), ", lip=192.0.2.25, TLS, session=<", Writer::Hex{s.id, 16}, '>');
      return;
    case Op::kDcLogin:
      choose_login(s), out_.begin(dovecot_, random_), out_.put("imap-login: Login: user=<"), put_login(s);
      out_.put(">, method=PLAIN, rip=", address(s), ", lip=192.0.2.25, mpid=", s.port, ", TLS, session=<",
               Writer::Hex{s.id, 16}, '>');
      return;
    case Op::kDcLogout:
      out_.begin(dovecot_, random_), out_.put("imap("), put_login(s),
          out_.put(")<", s.port, "><", Writer::Hex{s.id, 16});
      out_.put(">: Disconnected: Logged out in=", 40 + s.slot, " out=", 500 + s.port,
               " deleted=0 expunged=0 trashed=0 hdr_count=0 hdr_bytes=0 body_count=0 body_bytes=0");
      return;

    case Op::kSshInvalid:
      s.reject = 1;
      out_.begin(sshd_[s.slot], random_), out_.put("Invalid user ", s.login, " from ", address(s), " port ", s.port);
      return;
    case Op::kSshFailed:
      sources_.count(*s.source, kBareUser);
      out_.begin(sshd_[s.slot], random_),
          out_.put("Failed password for ", s.reject ? string_view("invalid user ") : string_view(""), s.login);
      out_.put(" from ", address(s), " port ", s.port, " ssh2");
      return;
    case Op::kSshClosed:
      out_.begin(sshd_[s.slot], random_),
          out_.put("Connection closed by ",
                   s.reject ? string_view("invalid user ") : string_view("authenticating user "), s.login);
      out_.put(' ', address(s), " port ", s.port, " [preauth]");
      return;
    case Op::kSshAccepted:
      out_.begin(sshd_[s.slot], random_),
          out_.put("Accepted publickey for backup from ", address(s), " port ", s.port,
                   " ssh2: ED25519 SHA256:", Writer::Hex{s.id, 16}, Writer::Hex{~s.id, 16});
      return;
    case Op::kNoise:
      return write_noise(s);
  }
}

void Server::write_reject(Session& s) {
  const string_view helo = kHelos[s.id % std::size(kHelos)];
  out_.begin(pf_smtpd_[s.slot], random_), out_.put("NOQUEUE: reject: RCPT from "), put_client(s);
  switch (s.reject) {
    case 0:
      sources_.count(*s.source, kNoPtr);
      out_.put(": 450 4.7.25 Client host rejected: cannot find your hostname, [", address(s), ']');
      break;
    case 1:
      sources_.count(*s.source, kBadHelo);
      out_.put(": 504 5.5.2 <", helo, ">: Helo command rejected: need fully-qualified hostname");
      break;
    case 2:
      sources_.count(*s.source, kDnsbl);
      out_.put(": 554 5.7.1 Service unavailable; Client host [", address(s),
               "] blocked using zen.dnsbl.example; https://www.dnsbl.example/query/ip/", address(s));
      break;
    case 3:
      sources_.count(*s.source, kRelayDenied);
      out_.put(": 454 4.7.1 <"), put_mailbox(s.id >> 3), out_.put(">: Relay access denied");
      break;
    case 4:
      sources_.count(*s.source, kUnknownRecipient);
      out_.put(": 550 5.1.1 <"), put_local_mailbox(s.id >> 3),
          out_.put(">: Recipient address rejected: User unknown in virtual mailbox table");
      break;
    default:
      sources_.count(*s.source, kSenderRejected);
      out_.put(": 450 4.1.8 <"), put_mailbox(s.id), out_.put(">: Sender address rejected: Domain not found");
  }
  out_.put("; from=<"), put_mailbox(s.id), out_.put("> to=<");
  if (s.reject == 3)
    put_mailbox(s.id >> 3);
  else
    put_local_mailbox(s.id >> 3);
  out_.put("> proto=ESMTP helo=<", helo, '>');
}

void Server::write_noise(Session& s) {
  switch (s.id & 3) {
    case 0:
      out_.begin(kernel_, random_), out_.put('[', s.port, ".", s.slot + 100000,
                                             "] nft-drop: IN=eth0 OUT= MAC=52:54:00:12:34:56 SRC=", address(s));
      out_.put(" DST=192.0.2.25 LEN=60 TOS=0x00 PREC=0x00 TTL=49 ID=", s.port, " PROTO=TCP SPT=", s.port,
               " DPT=23 WINDOW=64240 RES=0x00 SYN URGP=0");
      return;
    case 1:
      out_.begin(kernel_, random_), out_.put('[', s.port, ".", s.slot + 100000,
                                             "] usb 1-1: new high-speed USB device number ", s.slot, " using xhci_hcd");
      return;
    case 2:
      out_.begin(cron_, random_), out_.put("pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)");
      return;
    default:
      out_.begin(cron_, random_), out_.put("(root) CMD (test -x /usr/local/sbin/rotate && /usr/local/sbin/rotate -q)");
  }
}

// ---------------------------------------------------------------- what a reader must find

void Server::write_truth(const std::string& file) const {
  FILE* f = std::fopen(file.c_str(), "w");
  if (!f) fail(file + ": " + std::strerror(errno));
  std::vector<const Source*> seen;
  std::array<uint64_t, kCounts> total{};
  for (const Source& s : sources_.list()) {
    const auto& c = sources_.counts(s);
    for (size_t i = 0; i < kCounts; ++i) total[i] += c[i];
    if (std::any_of(c.begin(), c.end(), [](uint32_t n) { return n > 0; })) seen.push_back(&s);
  }
  auto text = [](const Source* s) { return string_view(s->address, s->address_length); };
  std::sort(seen.begin(), seen.end(), [&](auto a, auto b) { return text(a) < text(b); });

  const auto logins = [](const auto& c) { return c[kForeignUser] + c[kLocalUser] + c[kBareUser] + c[kUnnamedUser]; };
  const auto print_counts = [f, &logins](const auto& c) {
    if (logins(c)) std::fprintf(f, ",\"auth_failed\":%llu", static_cast<unsigned long long>(logins(c)));
    for (size_t i = 0; i < kCounts; ++i)
      if (c[i]) std::fprintf(f, ",\"%s\":%llu", kCountNames[i], static_cast<unsigned long long>(c[i]));
  };
  const auto print_offenders = [&](const char* name, auto offends) {
    std::fprintf(f, "\"%s\":[", name);
    const char* comma = "";
    for (const Source* s : seen)
      if (offends(sources_.counts(*s)))
        std::fprintf(f, "%s\n\"%.*s\"", comma, s->address_length, s->address), comma = ",";
    std::fprintf(f, "]");
  };

  std::fprintf(f,
               "{\"kind\":\"%s\",\"form\":\"%s\",\"seed\":%llu,\"bytes\":%llu,\"lines\":%llu,\"last_us\":%llu,"
               "\n\"total\":{\"addresses\":%zu",
               o_.kind_name.c_str(), o_.form_name.c_str(), static_cast<unsigned long long>(o_.seed),
               static_cast<unsigned long long>(out_.bytes()), static_cast<unsigned long long>(out_.lines()),
               static_cast<unsigned long long>(out_.now_us()), seen.size());
  print_counts(total);
  std::fprintf(f, "},\n\"offenders\":{");
  print_offenders("strikes", [](const auto& c) {
    return c[kForeignUser] > 0 || c[kLocalUser] + c[kBareUser] + c[kUnnamedUser] > 5 || c[kNoTls] > 5;
  });
  std::fprintf(f, ",\n");
  print_offenders("tries", [&](const auto& c) { return logins(c) > 10; });
  std::fprintf(f, "},\n\"addresses\":[");
  for (size_t i = 0; i < seen.size(); ++i) {
    std::fprintf(f, "%s\n{\"address\":\"%.*s\"", i ? "," : "", seen[i]->address_length, seen[i]->address);
    print_counts(sources_.counts(*seen[i]));
    std::fprintf(f, "}");
  }
  std::fprintf(f, "]}\n");
  if (std::fclose(f) != 0) fail(file + ": " + std::strerror(errno));
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  Server server(options);
  server.run();
  if (!options.truth_file.empty()) server.write_truth(options.truth_file);
}
