#include "session/saving.h"

#include <algorithm>
#include <set>
#include <vector>

#include "session/helpers.h"
#include "session/line_reader.h"
#include "session/tracker.h"

namespace mailward {
namespace {

constexpr uint64_t kVersion = 1;
constexpr uint64_t kMostKept = 1 << 17;  // events, of one tracker

// A daemon's name outlives every event.
std::string_view lasting(std::string_view name) {
  static thread_local std::set<std::string, std::less<>> names;
  constexpr size_t kMostNames = 1000;
  const auto at = names.find(name);
  if (at != names.end()) return *at;
  return names.size() < kMostNames ? *names.emplace(name).first : std::string_view();
}

}  // namespace

void save_event(const Event& event, Encoder& out) {
  out.time(event.time);
  out.address(event.address);
  out.number(static_cast<uint64_t>(event.kind));
  out.number(uint64_t{event.unknown_user} | uint64_t{event.apart} << 1 | uint64_t{event.mild} << 2);
  out.number(event.helper);
  out.number(event.port);
  out.number(event.count);
  out.number(event.pid);
  out.number(event.file);
  out.number(event.line);
  out.text(event.daemon);
  for (const std::string_view fact : event.facts) out.text(fact);
  out.text(event.raw);
}

Event restore_event(Decoder& in, std::string& texts) {
  Event event;
  event.time = in.time();
  event.address = in.address();
  event.kind = static_cast<EventKind>(in.number(kEventKinds - 1));
  const uint64_t flags = in.number(7);
  event.unknown_user = flags & 1;
  event.apart = flags >> 1 & 1;
  event.mild = flags >> 2 & 1;
  event.helper = static_cast<uint8_t>(in.number(31));
  event.port = static_cast<uint16_t>(in.number(UINT16_MAX));
  event.count = static_cast<uint32_t>(in.number(UINT32_MAX));
  event.pid = static_cast<uint32_t>(in.number(UINT32_MAX));
  event.file = static_cast<uint32_t>(in.number(UINT32_MAX));
  event.line = in.number();
  event.daemon = lasting(in.text());
  std::array<std::string_view, kFacts + 1> views;
  for (std::string_view& view : views) view = in.text();
  texts.clear();
  for (const std::string_view view : views) texts += view;
  const char* at = texts.data();
  const auto own = [&at](std::string_view view) {
    const std::string_view here(at, view.size());
    at += view.size();
    return view.empty() ? std::string_view() : here;
  };
  for (size_t i = 0; i < kFacts; ++i) event.facts[i] = own(views[i]);
  event.raw = own(views[kFacts]);
  return event;
}

// ---------------------------------------------------------------- sessions

void Tracker::save(Encoder& out) {
  out.number(kVersion);
  // In the order of their keys: the same sessions are the same bytes.
  std::vector<const Session*> sessions;
  table_.each([&](const Session& s) { sessions.push_back(&s); });
  std::sort(sessions.begin(), sessions.end(), [](const Session* a, const Session* b) { return a->key < b->key; });
  out.number(sessions.size());
  for (const Session* s : sessions) {
    out.fixed(s->key);
    out.number(s->has_address);
    if (s->has_address) out.address(s->address);
    out.time(s->last);
    for (const uint16_t n : s->attempts) out.number(n);
    out.number(s->told);
    out.number(static_cast<uint64_t>(s->kind));
    out.fixed(s->host, 4);
    out.fixed(s->copy, 4);
    out.number(s->hint != kNothing);
    if (s->hint != kNothing) save_event(kept_[s->hint].event, out);
    uint64_t waiting = 0;
    for (uint32_t k = s->waiting; k != kNothing; k = kept_[k].next) ++waiting;
    out.number(waiting);
    for (uint32_t k = s->waiting; k != kNothing; k = kept_[k].next) save_event(kept_[k].event, out);
  }
}

bool Tracker::restore(Decoder& in) {
  Tracker fresh(options_, mode_);
  if (in.number(kVersion) != kVersion) in.fault();
  std::string texts;
  for (uint64_t n = in.number(kMaxSessions); n > 0 && in.good(); --n) {
    const uint64_t key = in.fixed(8);
    if (key == 0 || fresh.table_.find(key)) {
      in.fault();
      break;
    }
    Session& s = fresh.table_.add(key);
    s.has_address = in.number(1) == 1;
    if (s.has_address) s.address = in.address();
    s.last = in.time();
    for (uint16_t& attempts : s.attempts) attempts = static_cast<uint16_t>(in.number(UINT16_MAX));
    s.told = static_cast<uint16_t>(in.number(UINT16_MAX));
    s.kind = static_cast<KeyKind>(in.number(static_cast<uint64_t>(KeyKind::kQueue)));
    s.host = static_cast<uint32_t>(in.fixed(4));
    s.copy = static_cast<uint32_t>(in.fixed(4));
    if (in.number(1) == 1) s.hint = fresh.keep(restore_event(in, texts));
    uint32_t* link = &s.waiting;
    for (uint64_t waiting = in.number(kMostKept); waiting > 0 && in.good(); --waiting) {
      *link = fresh.keep(restore_event(in, texts));
      link = &fresh.kept_[*link].next;
    }
  }
  if (!in.good()) return false;
  fresh.figures_ = figures_;
  *this = std::move(fresh);
  return true;
}

// ---------------------------------------------------------------- lines

void LineReader::save(Encoder& out) {
  keep_previous();
  out.number(kVersion);
  out.number(line_);
  out.number(has_previous_);
  if (has_previous_) {
    const auto same = [this](const auto& program) { return program.get() == previous_rules_; };
    const auto& programs = grammar_.programs();
    out.number(static_cast<uint64_t>(std::find_if(programs.begin(), programs.end(), same) - programs.begin()));
    out.number(previous_pid_);
    out.text(previous_message_);
  }
  std::vector<std::pair<uint64_t, size_t>> lengths(last_lengths_.begin(), last_lengths_.end());
  std::sort(lengths.begin(), lengths.end());
  out.number(lengths.size());
  for (const auto& [writer, length] : lengths) {
    out.fixed(writer);
    out.number(length);
  }
}

bool LineReader::restore(Decoder& in) {
  if (in.number(kVersion) != kVersion) in.fault();
  const uint64_t line = in.number();
  const bool has_previous = in.number(1) == 1;
  const uint64_t program = has_previous ? in.number() : 0;
  const auto pid = has_previous ? static_cast<uint32_t>(in.number(UINT32_MAX)) : 0;
  const std::string_view message = has_previous ? in.text() : std::string_view();
  if (has_previous && program >= grammar_.programs().size()) in.fault();
  std::unordered_map<uint64_t, size_t> lengths;
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) {
    const uint64_t writer = in.fixed(8);
    lengths[writer] = in.number();
  }
  if (!in.good()) return false;
  forget();
  line_ = line;
  has_previous_ = has_previous;
  knows_previous_ = true;
  previous_rules_ = has_previous ? grammar_.programs()[program].get() : nullptr;
  previous_pid_ = pid;
  previous_message_.assign(message);
  last_lengths_ = std::move(lengths);
  return true;
}

// ---------------------------------------------------------------- helpers of servers

void Helpers::save(Encoder& out) const {
  out.number(kVersion);
  const auto living =
      static_cast<uint64_t>(std::count_if(waiting_.begin(), waiting_.end(), [](const Waiting& w) { return !w.gone; }));
  out.number(living);
  for (const Waiting& w : waiting_)
    if (!w.gone) save_event(w.event, out);
  const auto save_told = [&](const Told& t) {
    out.address(t.address);
    out.fixed(t.user);
    out.time(t.time);
    out.number(uint64_t{t.apart} | uint64_t{t.many} << 1);
  };
  out.number(any_helper_);
  // Of what servers told only what is near matters; those before the last ones can't be near any more.
  out.number(told_.size());
  for (const Told& t : told_) save_told(t);
  const size_t recent = any_helper_ ? 0 : std::min(recent_count_, recent_.size());
  out.number(recent);
  for (size_t i = recent_count_ - recent; i < recent_count_; ++i) {
    const Recent& r = recent_[i % recent_.size()];
    save_told(r.told);
    out.text({r.user.data(), r.length});
  }
}

bool Helpers::restore(Decoder& in) {
  Helpers fresh;
  if (in.number(kVersion) != kVersion) in.fault();
  std::string texts;
  const Take nobody = [](std::span<const Event>) {};
  for (uint64_t n = in.number(kMostWaiting); n > 0 && in.good(); --n) fresh.add(restore_event(in, texts), nobody);
  const auto restore_told = [&] {
    Told t;
    t.address = in.address();
    t.user = in.fixed(8);
    t.time = in.time();
    const uint64_t flags = in.number(3);
    t.apart = flags & 1;
    t.many = flags >> 1;
    return t;
  };
  fresh.any_helper_ = in.number(1) == 1;
  for (uint64_t n = in.number(kMostTold); n > 0 && in.good(); --n) fresh.told_.push_back(restore_told());
  for (uint64_t n = in.number(fresh.recent_.size()); n > 0 && in.good(); --n) {
    Recent& r = fresh.recent_[fresh.recent_count_++];
    r.told = restore_told();
    const std::string_view user = in.text().substr(0, kCompared);
    r.length = static_cast<uint8_t>(user.size());
    std::copy(user.begin(), user.end(), r.user.begin());
  }
  if (!in.good()) return false;
  fresh.put_out_ = put_out_;
  *this = std::move(fresh);
  return true;
}

}  // namespace mailward
