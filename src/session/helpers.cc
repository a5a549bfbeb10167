#include "session/helpers.h"

#include <algorithm>
#include <ranges>

#include "session/session_table.h"

namespace mailward {
namespace {

// Is `a` before `b` by no more than `span`? Without times, as in text without headers, nobody knows.
bool before(Instant a, Instant b, Duration span) {
  if (!has_time(a) || !has_time(b)) return true;
  return a <= b + Helpers::kShortly && b - a <= span;
}

bool near(Instant a, Instant b) { return has_time(a) && has_time(b) && (a < b ? b - a : a - b) <= Helpers::kShortly; }

// Dovecot's own sessions ask with their session's id: the line without one was asked for by somebody else.
bool may_be_about(const Event& helpers, bool apart) { return !helpers.apart || !apart; }

}  // namespace

void Helpers::overdue(Instant now, const Take& take) {
  while (is_overdue(now)) put_out(first_, take);
}

uint8_t helper_number(std::string_view name) { return static_cast<uint8_t>(1 + hash::text(name, 417) % 31); }

// Helpers may be asked without the domain, and in small letters. 0: no name.
uint64_t Helpers::hash_user(std::string_view user) {
  if (user.empty()) return 0;
  const size_t at = user.find_first_of("@%");
  if (at != std::string_view::npos && at > 0) user = user.substr(0, at);
  uint64_t h = 1;
  for (const char c : user.substr(0, kCompared))
    h = hash::mix((h + static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c) + 1) * hash::kPrime);
  return h ? h : 1;
}

void Helpers::pass(std::span<Event> events, const Take& take) {
  size_t begin = 0, end = 0;  // what is left stands in [begin, end)
  const auto hand_on = [&] {
    if (end > begin) take(events.subspan(begin, end - begin));
    begin = end;
  };
  for (size_t i = 0; i < events.size(); ++i) {
    Event& event = events[i];
    if (is_overdue(event.time)) {
      hand_on();
      while (is_overdue(event.time)) put_out(first_, take);
    }
    if (event.kind == EventKind::kAuthFailed) {
      if (event.helper != 0) {
        if (!any_helper_) first_helper();
        hand_on();
        wait(event, take);
        begin = end = i + 1;
        continue;
      }
      if (!any_helper_) {
        note(event);
      } else if (told(event)) {  // it was given a name that lives until the next one
        end = i + 1;
        hand_on();
        continue;
      }
    } else if (event.kind == EventKind::kAuthOk && !waiting_.empty()) {
      let_in(event);
    }
    end = i + 1;
  }
  hand_on();
}

void Helpers::finish(const Take& take) {
  while (!waiting_.empty()) put_out(first_, take);
}

void Helpers::wait(const Event& event, const Take& take) {
  const uint64_t user = hash_user(event.user());
  if (was_told(event, user)) return;
  const auto of = of_.find(event.address);
  for (const uint64_t number : of == of_.end() ? Numbers() : of->second) {
    Waiting& other = at(number);
    // Another database, asked for the same login.
    if (other.user != user || other.event.helper == event.helper || !near(other.event.time, event.time)) continue;
    other.event.apart = other.event.apart && event.apart;
    other.event.unknown_user = other.event.unknown_user && event.unknown_user;
    other.event.helper = event.helper;
    return;
  }
  add(event, take);
}

void Helpers::add(const Event& event, const Take& take) {
  Waiting& w = waiting_.emplace_back();
  w.event = event;
  w.user = hash_user(event.user());
  for (const std::string_view text : event.facts) w.texts += text;
  w.texts += event.raw;
  const char* text = w.texts.data();
  for (std::string_view& fact : w.event.facts) {
    fact = {text, fact.size()};
    text += fact.size();
  }
  w.event.raw = {text, event.raw.size()};
  bytes_ += w.texts.size();
  Numbers& numbers = of_[event.address];
  numbers.push_back(first_ + waiting_.size() - 1);
  if (numbers.size() > kMostOfOne) put_out(numbers.front(), take);
  while (waiting_.size() > kMostWaiting || bytes_ > kMostBytes) put_out(first_, take);
}

// Has a server told of it just before?
bool Helpers::was_told(const Event& helpers, uint64_t user) const {
  for (const Told& t : std::views::reverse(told_)) {
    if (!near(t.time, helpers.time)) break;
    if (t.address == helpers.address && (t.user == user || t.user == 0 || t.many) && may_be_about(helpers, t.apart))
      return true;
  }
  return false;
}

void Helpers::note(const Event& event) {
  Recent& r = recent_[recent_count_++ % recent_.size()];
  r.told = {event.address, 0, event.time, event.apart, event.count > 1};
  r.length = static_cast<uint8_t>(std::min(event.user().size(), kCompared));
  std::copy_n(event.user().data(), r.length, r.user.data());
}

void Helpers::first_helper() {
  any_helper_ = true;
  for (size_t i = recent_count_ - std::min(recent_count_, recent_.size()); i < recent_count_; ++i) {
    Recent& r = recent_[i % recent_.size()];
    r.told.user = hash_user({r.user.data(), r.length});
    told_.push_back(r.told);
  }
}

// A server tells: what its helpers said of it is nothing new. True: but for the name.
bool Helpers::told(Event& event) {
  const uint64_t user = hash_user(event.user());
  const bool many = event.count > 1;  // maybe of several users
  if (told_.size() >= kMostTold) told_.pop_front();
  told_.push_back({event.address, user, event.time, event.apart, many});
  const auto of = of_.find(event.address);
  if (of == of_.end()) return false;
  bool any = false, unknown = true;
  const Numbers numbers = of->second;
  for (const uint64_t number : numbers) {
    Waiting& w = at(number);
    if (w.user != user && user != 0 && !many) continue;
    if (!before(w.event.time, event.time, kWait) || !may_be_about(w.event, event.apart)) continue;
    any = true;
    unknown = unknown && w.event.unknown_user;
    learned_.assign(w.event.user());
    forget(number);
  }
  if (!any) return false;
  event.unknown_user = event.unknown_user || unknown;
  if (user != 0 || learned_.empty()) return false;
  event.facts[static_cast<size_t>(Fact::kUser)] = learned_;
  return true;
}

// Somebody got in: what was said on the way is taken back.
void Helpers::let_in(const Event& event) {
  const auto of = of_.find(event.address);
  if (of == of_.end()) return;
  const uint64_t user = hash_user(event.user());
  const Numbers numbers = of->second;
  for (const uint64_t number : numbers) {
    const Waiting& w = at(number);
    if (w.user != user || !near(w.event.time, event.time) || !may_be_about(w.event, event.apart)) continue;
    forget(number);
    return;
  }
}

void Helpers::put_out(uint64_t number, const Take& take) {
  const Waiting& w = at(number);
  ++put_out_;
  take({&w.event, 1});
  forget(number);
}

// It waits no longer; its place goes when it is the first.
void Helpers::forget(uint64_t number) {
  Waiting& w = at(number);
  if (!w.gone) {
    w.gone = true;
    bytes_ -= w.texts.size();
    const auto of = of_.find(w.event.address);
    std::erase(of->second, number);
    if (of->second.empty()) of_.erase(of);
    w.texts = {};
  }
  for (; !waiting_.empty() && waiting_.front().gone; ++first_) waiting_.pop_front();
}

// Has the first waited in vain? What has no time can't be told from what is long over.
bool Helpers::is_overdue(Instant now) const {
  if (waiting_.empty() || !has_time(now)) return false;
  const Instant since = waiting_.front().event.time;
  return !has_time(since) || now - since > kWait;
}

}  // namespace mailward
