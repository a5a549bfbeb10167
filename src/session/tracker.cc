#include "session/tracker.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/inline.h"
#include "session/helpers.h"

namespace mailward {
namespace {

constexpr size_t kMaxKept = 1 << 16;       // events that wait for something
constexpr size_t kMaxQuestions = 1 << 15;  // of one part that was read ahead
constexpr size_t kMaxWaiting = 64;         // of one session
constexpr uint32_t kMaxCount = 1'000'000;
constexpr size_t kKeptFact = 512, kKeptRaw = 4096;

struct FactOf {
  Capture capture;
  Fact fact;
};
constexpr FactOf kFactOf[] = {
    {Capture::kUser, Fact::kUser},           {Capture::kPtr, Fact::kPtr},
    {Capture::kHelo, Fact::kHelo},           {Capture::kSender, Fact::kSender},
    {Capture::kRecipient, Fact::kRecipient}, {Capture::kMechanism, Fact::kMechanism},
    {Capture::kReason, Fact::kReason},       {Capture::kService, Fact::kService},
    {Capture::kQueue, Fact::kSession},       {Capture::kSession, Fact::kSession},
};

// vis(3): `\040` octal, `\^J` control, `\M-x` and `\M^x` with the eighth bit, `\\` the backslash.
// Whatever else follows a backslash stands for itself, backslash and all.
void decode_vis(std::string_view text, std::string& out) {
  out.clear();
  auto octal = [](char c) { return c >= '0' && c <= '7'; };
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view rest = text.substr(i);
    if (rest[0] != '\\') {
      out += rest[0];
    } else if (rest.size() >= 4 && octal(rest[1]) && octal(rest[2]) && octal(rest[3])) {
      out += static_cast<char>((rest[1] - '0') * 64 + (rest[2] - '0') * 8 + rest[3] - '0');
      i += 3;
    } else if (rest.size() >= 3 && rest[1] == '^') {
      out += static_cast<char>(rest[2] == '?' ? 0x7f : rest[2] & 0x1f);
      i += 2;
    } else if (rest.size() >= 4 && rest[1] == 'M' && (rest[2] == '-' || rest[2] == '^')) {
      out += static_cast<char>(0x80 | (rest[2] == '-' ? rest[3] : rest[3] == '?' ? 0x7f : rest[3] & 0x1f));
      i += 3;
    } else if (rest.size() >= 2 && rest[1] == '\\') {
      out += '\\';
      ++i;
    } else {
      out += '\\';
    }
  }
}

uint32_t number(std::string_view text, uint32_t otherwise) {
  uint32_t n = 0;
  const auto [end, trouble] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (trouble == std::errc::result_out_of_range) return kMaxCount;
  return trouble == std::errc{} ? std::min(n, kMaxCount) : otherwise;
}

// Where a line stands: in the order of reading.
uint64_t place_of(const Event& e) { return uint64_t{e.file} << 48 | e.line; }

}  // namespace

// ---------------------------------------------------------------- lines

bool Tracker::is_over(const Session& s, const LineContext& where) {
  return has_time(where.record->time) && has_time(s.last) && where.record->time - s.last > lifetime(s.kind);
}

MAILWARD_INLINE Session* Tracker::live(uint64_t key, const LineContext& where, Batch& out) {
  Session* s = table_.find(key);
  if (s && is_over(*s, where)) {
    close(s, out);
    return nullptr;
  }
  return s;
}

// A line's address counts, unless a logger cut the line and the address stands right of free text.
static inline bool has_address(const LineContext& where, const Match& match) {
  return match.has(Capture::kAddress) && !(where.cut && match.address_right);
}

// Most lines stand in a session that is known and say nothing about it that it does not know.
void Tracker::take(const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out) {
  const uint32_t pid = meaning.key == KeyKind::kPid ? where.record->pid : 0;
  if (!meaning.follows || (meaning.key == KeyKind::kPid && pid == 0)) return take_any(where, meaning, match, out);
  Session* const s = table_.find(session_key(meaning.group, meaning.key, where.host, pid, match.text(meaning.id)));
  if (!s || !goes_on(*s, where.record->time) ||
      (has_address(where, match) && !(s->has_address && s->address == match.address)))
    return take_any(where, meaning, match, out);
  if (!meaning.passing) s->last = where.record->time;
  if (tells(meaning, match))
    return meaning.session == SessionAct::kEnd ? tell_and_close(s, where, meaning, match, out)
                                               : tell_each(s, where, meaning, match, out);
  count(s, meaning, s->has_address);
  if (meaning.session == SessionAct::kEnd) close(s, out);
}

// Known to be within the lifetime of any session. False: look closer.
inline bool Tracker::goes_on(const Session& s, Instant time) {
  const uint64_t silence =
      static_cast<uint64_t>(time.time_since_epoch().count()) - static_cast<uint64_t>(s.last.time_since_epoch().count());
  return silence <= static_cast<uint64_t>(lifetime(KeyKind::kNone).count());
}

// Most lines tell what nobody wants to see, and stand in nobody's way: they are counted only.
inline bool Tracker::tells(const RuleMeaning& meaning, const Match& match) const {
  return !meaning.plain || (meaning.kind_set & options_.wanted) != 0 || match.has(Capture::kCount);
}
inline void Tracker::count(Session* s, const RuleMeaning& meaning, bool charged) {
  if (s && meaning.settles) settle(*s);
  if (charged)
    figures_.events += meaning.kind_count;
  else if (meaning.address == AddressFrom::kLine)
    figures_.ambiguous += meaning.kind_count;
}

MAILWARD_INLINE void Tracker::tell(Session* s, const LineContext& where, const RuleMeaning& meaning, const Match& match,
                                   bool in_line, Batch& out) {
  if (tells(meaning, match)) return tell_each(s, where, meaning, match, out);
  count(s, meaning, in_line || (s && s->has_address));
}

void Tracker::tell_and_close(Session* s, const LineContext& where, const RuleMeaning& meaning, const Match& match,
                             Batch& out) {
  tell_each(s, where, meaning, match, out);
  close(s, out);
}

void Tracker::take_any(const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out) {
  if (meaning.silent) return;
  if (meaning.twice && where.record->pid != 0 && !where.record->host.empty()) {
    bool unknown = false;
    if (is_copy(where, meaning, out, unknown)) return;
    if (unknown) {
      ask(where, meaning, match, out);
      return;
    }
  }
  const bool in_line = has_address(where, match);
  // Where the header names no process (`journalctl -o cat`, some loggers) the address stands for it.
  const bool by_address = meaning.key == KeyKind::kPid && where.record->pid == 0;
  if (meaning.session == SessionAct::kNone || (by_address && !in_line)) {
    tell(nullptr, where, meaning, match, in_line, out);
    return;
  }
  const uint32_t pid = meaning.key == KeyKind::kPid ? where.record->pid : 0;
  const uint64_t key =
      session_key(meaning.group, meaning.key, where.host, pid, match.text(by_address ? Capture::kAddress : meaning.id));
  if (meaning.passing) return pass(key, where, meaning, match, out);
  Session* s = live(key, where, out);

  if (meaning.session == SessionAct::kOpen && in_line) {
    if (s)
      close(s, out);
    else if (mode_ == Mode::kAhead)
      out.openings.push_back(
          {key, static_cast<uint32_t>(out.events.size()), static_cast<uint32_t>(out.questions.size())});
    s = &open(key, where, meaning.key, out);
    s->address = match.address;
    s->has_address = true;
    tell(s, where, meaning, match, true, out);
    return;
  }
  // A process id is used again: another address means another session.
  bool known_absent = false;
  if (s && in_line && s->has_address && s->address != match.address) {
    close(s, out);
    s = nullptr;
    known_absent = true;
  }
  if (!s && !known_absent && mode_ == Mode::kAhead) {
    ask(where, meaning, match, out);
    return;
  }
  // A last line that announces is all that is left of a session whose other lines are not in the log.
  const bool begins = meaning.session == SessionAct::kIn || (meaning.session == SessionAct::kEnd && meaning.hint);
  if (!s && (meaning.session == SessionAct::kWait || (begins && in_line))) s = &open(key, where, meaning.key, out);
  if (s) {
    if (in_line && !s->has_address) {
      s->address = match.address;
      s->has_address = true;
      answer_waiting(*s, out);
    }
    s->last = where.record->time;
  }
  tell(s, where, meaning, match, in_line, out);
  if (s && meaning.session == SessionAct::kEnd) close(s, out);
}

// A line after which the session is what it was: none that is over is ended by it.
void Tracker::pass(uint64_t key, const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out) {
  Session* const s = table_.find(key);
  if (!s && mode_ == Mode::kAhead) return ask(where, meaning, match, out);
  tell(s && is_over(*s, where) ? nullptr : s, where, meaning, match, false, out);
}

// Exim writes what is meant for its reject log to syslog a second time, right after the first: of two
// equal lines of one process within a second the second is no event. (Where the copies are turned
// off, a client who is refused twice in a second for the same words is counted once.)
bool Tracker::is_copy(const LineContext& where, const RuleMeaning& meaning, Batch& out, bool& unknown) {
  const uint64_t key = session_key(meaning.group, KeyKind::kNone, where.host, where.record->pid, {});
  const uint32_t hash = hash_host(where.record->message) | 1;
  Session* s = live(key, where, out);
  if (!s && mode_ == Mode::kAhead) {
    unknown = true;
    return false;
  }
  if (!s) s = &open(key, where, KeyKind::kNone, out);
  const bool copy =
      s->copy == hash && (!has_time(where.record->time) || where.record->time - s->last <= std::chrono::seconds(1));
  s->copy = copy ? 0 : hash;
  s->last = where.record->time;
  return copy;
}

void Tracker::tell_each(Session* s, const LineContext& where, const RuleMeaning& meaning, const Match& match,
                        Batch& out) {
  const bool in_line = has_address(where, match);
  if (s && meaning.settles) settle(*s);
  for (const EventKind kind : meaning.kinds) {
    if (kind == EventKind::kNone) break;
    if (kind == EventKind::kAmbiguous) {
      ++figures_.ambiguous;
      continue;
    }
    const bool frame = is_frame(kind);
    uint32_t weight = frame ? 1 : match.has(Capture::kCount) ? number(match.text(Capture::kCount), 1) : meaning.count;
    weight = static_cast<uint32_t>(std::min<uint64_t>(uint64_t{weight} * where.repeat, kMaxCount));
    // Of two events one is the login (`dropped` beside `auth_aborted`): only that one is counted as an attempt.
    const bool login = meaning.attempt != kNoAttempt && !frame && kind != EventKind::kDropped;
    if (login) {
      if (meaning.hint && !s) continue;
      if (s) {
        auto& mine = s->attempts[meaning.attempt];
        mine = static_cast<uint16_t>(std::min<uint32_t>(mine + weight, UINT16_MAX));
        if (!meaning.hint) {
          if (mine <= s->told) continue;
          weight = static_cast<uint32_t>(mine - s->told);
          s->told = mine;
        } else if (meaning.session == SessionAct::kEnd && !owes(*s)) {
          continue;  // the session ends with all told
        }
      }
    }
    if (weight == 0) continue;
    const bool charged = in_line || (s && s->has_address);
    if (!charged && meaning.session != SessionAct::kWait) {
      // The line has an address, but not one that can be believed.
      if (meaning.address == AddressFrom::kLine) ++figures_.ambiguous;
      continue;
    }
    const bool announced = meaning.hint && !frame && kind != EventKind::kDropped && s;
    if (!announced && !(options_.wanted & bit(kind))) {
      // What nobody wants to see is counted only; but an announcement stands in the way of a later one.
      if (charged && !meaning.helper) ++figures_.events;
      continue;
    }
    if (charged && !announced) {
      if (!meaning.helper) ++figures_.events;  // it may be nothing: Helpers knows
      if (!delivers(kind, where.record->time)) continue;
      Event& event = out.events.emplace_back();
      fill(event, kind, where, meaning, match);
      event.count = weight;
      event.address = in_line ? match.address : s->address;
      keep_texts(event, out);
      continue;
    }
    Event event;
    fill(event, kind, where, meaning, match);
    event.count = weight;
    if (charged) event.address = in_line ? match.address : s->address;
    if (announced)
      announce(*s, event);
    else if (s)
      wait(*s, event);
  }
}

// Were more attempts announced than told?
bool Tracker::owes(const Session& s) { return *std::max_element(s.attempts.begin(), s.attempts.end()) > s.told; }

// Who got in was not refused by what a module on the way announced (pam_unix before pam_sss); nor is one to blame
// whose handshake failed, as the next line tells, for what our certificate is.
void Tracker::settle(Session& s) {
  s.told = std::max(s.told, *std::max_element(s.attempts.begin(), s.attempts.end()));
  if (s.hint == kNothing || (bit(kept_[s.hint].event.kind) & kLoginKinds)) return;
  drop(s.hint);
  s.hint = kNothing;
}

// The line only announces what others may tell: the first one that knows the user's name is kept.
void Tracker::announce(Session& s, const Event& event) {
  if (s.hint != kNothing) {
    if (!kept_[s.hint].event.user().empty() || event.user().empty()) return;
    drop(s.hint);
  }
  s.hint = keep(event);
}

void Tracker::wait(Session& s, const Event& event) {
  size_t length = 0;
  uint32_t* link = &s.waiting;
  for (; *link != kNothing; link = &kept_[*link].next)
    if (++length >= kMaxWaiting) return;
  *link = keep(event);
}

void Tracker::answer_waiting(Session& s, Batch& out) {
  for (uint32_t k = s.waiting; k != kNothing;) {
    const uint32_t next = kept_[k].next;
    kept_[k].event.address = s.address;
    emit(kept_[k].event, out);
    drop(k);
    k = next;
  }
  s.waiting = kNothing;
  if (s.hint != kNothing && kept_[s.hint].event.address.empty()) kept_[s.hint].event.address = s.address;
}

void Tracker::ask(const LineContext& where, const RuleMeaning& meaning, const Match& match, Batch& out) {
  Question& q = out.questions.emplace_back();
  q.position = static_cast<uint32_t>(out.events.size());
  q.meaning = &meaning;
  q.record.time = where.record->time;
  q.record.pid = where.record->pid;
  q.record.host = out.texts.keep(where.record->host);
  q.record.program = out.texts.keep(where.record->program);
  q.record.message = meaning.twice ? out.texts.keep(where.record->message) : std::string_view{};
  q.where = where;
  q.where.record = &q.record;
  q.where.service = out.texts.keep(where.service);
  q.where.raw = options_.keep_raw ? out.texts.keep(where.raw) : std::string_view{};
  q.match.rule = match.rule;
  q.match.present = match.present;
  q.match.address_right = match.address_right;
  q.match.address = match.address;
  for (size_t c = 0; c < kCaptures; ++c) {
    if (!(match.present >> c & 1)) continue;
    const std::string_view kept = out.texts.keep(match.spans[c].view());
    q.match.spans[c] = {kept.data(), kept.data() + kept.size()};
  }
}

// ---------------------------------------------------------------- sessions

Session& Tracker::open(uint64_t key, const LineContext& where, KeyKind kind, Batch& out) {
  if (table_.size() >= kMaxSessions || kept_used_ >= kMaxKept) make_room(out);
  Session& s = table_.add(key);
  s.kind = kind;
  s.last = where.record->time;
  s.host = where.host;
  most_sessions_ = std::max(most_sessions_, table_.size());
  return s;
}

void Tracker::close(Session* s, Batch& out) {
  if (s->hint != kNothing) {
    Event& event = kept_[s->hint].event;
    const bool login = (bit(event.kind) & kLoginKinds) != 0;
    if ((!login || owes(*s)) && !event.address.empty()) {
      if (login)
        event.count = static_cast<uint32_t>(*std::max_element(s->attempts.begin(), s->attempts.end()) - s->told);
      emit(event, out);
    }
    drop(s->hint);
  }
  for (uint32_t k = s->waiting; k != kNothing;) {
    const uint32_t next = kept_[k].next;
    drop(k);
    k = next;
  }
  table_.erase(s);
}

void Tracker::make_room(Batch& out) {
  for (uint64_t key : table_.older_half()) close(table_.find(key), out);
}

void Tracker::show(const LineContext& where, Batch& out) {
  if (!within(where.record->time)) return;
  Event& e = out.events.emplace_back();
  e.time = where.record->time;
  e.pid = where.record->pid;
  e.file = where.file;
  e.line = where.line;
  e.facts[static_cast<size_t>(Fact::kHost)] = where.record->host;
  e.facts[static_cast<size_t>(Fact::kProgram)] = where.record->program;
  e.raw = where.raw.empty() ? where.record->message : where.raw;
  keep_texts(e, out);
}

void Tracker::lose(std::string_view host, Batch& out) { lose_host(hash_host(host), out); }

// Lines that announced something, in order: what their sessions leave behind comes out in this one.
std::vector<uint64_t> Tracker::announced(const std::function<bool(const Session&)>& whose) {
  std::vector<std::pair<uint64_t, uint64_t>> found;  // line, key
  table_.each([&](const Session& s) {
    if (s.hint != kNothing && whose(s)) found.emplace_back(place_of(kept_[s.hint].event), s.key);
  });
  std::sort(found.begin(), found.end());
  std::vector<uint64_t> keys;
  for (const auto& [line, key] : found) keys.push_back(key);
  return keys;
}

void Tracker::lose_host(uint32_t host, Batch& out) {
  const auto lost = [host](const Session& s) { return s.kind == KeyKind::kPid && s.host == host; };
  if (mode_ == Mode::kAhead) {
    Question& q = out.questions.emplace_back();
    q.kind = Question::Kind::kLoss;
    q.position = static_cast<uint32_t>(out.events.size());
    q.host = host;
  }
  for (const uint64_t key : announced(lost)) close(table_.find(key), out);
  if (mode_ == Mode::kAhead)
    out.questions.back().events = static_cast<uint32_t>(out.events.size()) - out.questions.back().position;
  std::vector<uint64_t> silent;
  table_.each([&](const Session& s) {
    if (lost(s)) silent.push_back(s.key);
  });
  for (const uint64_t key : silent) close(table_.find(key), out);
}

void Tracker::finish(Batch& out) {
  for (const uint64_t key : announced([](const Session&) { return true; })) close(table_.find(key), out);
  reset();
}

void Tracker::reset() {
  table_.clear();
  kept_.clear();
  free_kept_.clear();
  most_sessions_ = most_kept_ = kept_used_ = 0;
}

// ---------------------------------------------------------------- events

void Tracker::decode_fact(Event& e, Fact f) const {
  std::string_view& text = e.facts[static_cast<size_t>(f)];
  if (text.find('\\') == std::string_view::npos) return;
  std::string& decoded = decoded_[static_cast<size_t>(f)];
  decode_vis(text, decoded);
  text = decoded;
}

void Tracker::fill(Event& e, EventKind kind, const LineContext& where, const RuleMeaning& meaning,
                   const Match& match) const {
  e.time = where.record->time;
  e.kind = kind;
  e.unknown_user = meaning.unknown_user;
  e.mild = meaning.mild;
  e.apart = meaning.helper ? meaning.apart : match.has(Capture::kSession);
  if (meaning.helper)
    e.helper = helper_number(match.has(Capture::kHelper) ? match.text(Capture::kHelper) : meaning.rule->name);
  e.pid = where.record->pid;
  e.file = where.file;
  e.line = where.line;
  if (options_.keep_raw) e.raw = where.raw;
  if (!options_.keep_facts) {
    if (bit(kind) & kLoginKinds) e.facts[static_cast<size_t>(Fact::kUser)] = match.text(Capture::kUser);
    if (meaning.mild) {  // by these the judge knows one that comes again
      e.facts[static_cast<size_t>(Fact::kSender)] = match.text(Capture::kSender);
      e.facts[static_cast<size_t>(Fact::kRecipient)] = match.text(Capture::kRecipient);
    }
    for (Fact f : meaning.vis) decode_fact(e, f);
    return;
  }
  e.daemon = meaning.daemon;
  e.port =
      static_cast<uint16_t>(match.has(Capture::kPort) ? std::min(number(match.text(Capture::kPort), 0), 65535U) : 0);
  auto set = [&e](Fact f, std::string_view text) { e.facts[static_cast<size_t>(f)] = text; };
  set(Fact::kHost, where.record->host);
  set(Fact::kProgram, where.record->program);
  set(Fact::kService, where.service);
  for (const auto& [fact, text] : meaning.constants) set(fact, text);
  for (const auto& [capture, fact] : kFactOf)
    if (match.has(capture)) set(fact, match.text(capture));
  for (Fact f : meaning.vis) decode_fact(e, f);
  if (const auto ptr = e.fact(Fact::kPtr); ptr == "unknown" || ptr == "<unknown>") set(Fact::kPtr, {});
}

bool Tracker::delivers(EventKind kind, Instant time) const {
  return (options_.wanted & bit(kind)) != 0 && within(time);
}

bool Tracker::within(Instant time) const {
  if (has_time(options_.since) && !(has_time(time) && time >= options_.since)) return false;
  return !has_time(options_.until) || (has_time(time) && time < options_.until);
}

// The event's views point into the line: what they show must outlive it.
void Tracker::keep_texts(Event& event, Batch& out) const {
  if (options_.keep_facts || event.mild) {
    for (std::string_view& text : event.facts) text = out.texts.keep(text);
  } else {
    std::string_view& user = event.facts[static_cast<size_t>(Fact::kUser)];
    if (!user.empty()) user = out.texts.keep(user);
  }
  if (options_.keep_raw) event.raw = out.texts.keep(event.raw);
}

void Tracker::emit(const Event& event, Batch& out) {
  ++figures_.events;
  if (delivers(event.kind, event.time)) keep_texts(out.events.emplace_back(event), out);
}

uint32_t Tracker::keep(const Event& event) {
  uint32_t index;
  if (free_kept_.empty()) {
    index = static_cast<uint32_t>(kept_.size());
    kept_.emplace_back();
  } else {
    index = free_kept_.back();
    free_kept_.pop_back();
  }
  most_kept_ = std::max(most_kept_, ++kept_used_);
  Kept& k = kept_[index];
  k.event = event;
  k.next = kNothing;
  k.texts.clear();
  size_t total = std::min(event.raw.size(), kKeptRaw);
  for (std::string_view text : event.facts) total += std::min(text.size(), kKeptFact);
  k.texts.reserve(total);  // the views point into it: it must not move
  auto copy = [&k](std::string_view& text, size_t most) {
    if (text.empty()) return;
    const size_t at = k.texts.size();
    k.texts.append(text.substr(0, most));
    text = {k.texts.data() + at, k.texts.size() - at};
  };
  for (std::string_view& text : k.event.facts) copy(text, kKeptFact);
  copy(k.event.raw, kKeptRaw);
  return index;
}

void Tracker::drop(uint32_t kept) {
  free_kept_.push_back(kept);
  --kept_used_;
}

// ---------------------------------------------------------------- parts

bool Tracker::can_join(const Batch& part, const Tracker& ahead) const {
  return table_.size() + ahead.most_sessions_ + part.questions.size() < kMaxSessions &&
         kept_used_ + ahead.most_kept_ + part.questions.size() < kMaxKept && part.questions.size() < kMaxQuestions;
}

void Tracker::join(Batch& part, Tracker& ahead, uint64_t first_line, Batch& out) {
  size_t events = 0, openings = 0;
  auto events_up_to = [&](size_t position) {
    for (; events < position; ++events) {
      part.events[events].line += first_line;
      out.events.push_back(part.events[events]);
    }
  };
  auto openings_up_to = [&](size_t questions) {
    for (; openings < part.openings.size() && part.openings[openings].questions <= questions; ++openings) {
      Session* s = table_.find(part.openings[openings].key);
      if (!s) continue;
      events_up_to(part.openings[openings].position);
      close(s, out);
    }
  };
  for (size_t i = 0; i < part.questions.size(); ++i) {
    openings_up_to(i);
    Question& q = part.questions[i];
    events_up_to(q.position);
    if (q.kind == Question::Kind::kLoss) {
      // What the part's own sessions left behind, and what those from before it do, in one order.
      const auto begin = static_cast<ptrdiff_t>(out.events.size());
      lose_host(q.host, out);
      const auto middle = static_cast<ptrdiff_t>(out.events.size());
      events_up_to(q.position + q.events);
      std::inplace_merge(out.events.begin() + begin, out.events.begin() + middle, out.events.end(),
                         [](const Event& x, const Event& y) { return place_of(x) < place_of(y); });
      continue;
    }
    q.where.line += first_line;
    take(q.where, *q.meaning, q.match, out);
  }
  openings_up_to(part.questions.size());
  events_up_to(part.events.size());
  figures_.events += ahead.figures_.events;
  figures_.ambiguous += ahead.figures_.ambiguous;

  ahead.table_.each([&](const Session& from) {
    Session& s = table_.add(from.key);
    s = from;
    if (from.hint != kNothing) {
      Event event = ahead.kept_[from.hint].event;
      event.line += first_line;
      s.hint = keep(event);
    }
    uint32_t* link = &s.waiting;
    for (uint32_t k = from.waiting; k != kNothing; k = ahead.kept_[k].next) {
      Event event = ahead.kept_[k].event;
      event.line += first_line;
      *link = keep(event);
      link = &kept_[*link].next;
    }
    *link = kNothing;
  });
  most_sessions_ = std::max(most_sessions_, table_.size());
}

}  // namespace mailward
