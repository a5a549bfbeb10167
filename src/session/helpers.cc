#include "session/helpers.h"

#include <algorithm>

#include "session/session_table.h"

namespace mailward {
namespace {

// Helpers may be asked without the domain, and in small letters.
uint64_t hash_user(std::string_view user) {
  const size_t at = user.find('@');
  if (at != std::string_view::npos && at > 0) user = user.substr(0, at);
  uint64_t h = 0;
  for (const char c : user)
    h = hash::mix((h + static_cast<uint8_t>(c >= 'A' && c <= 'Z' ? c + 32 : c) + 1) * hash::kPrime);
  return h;
}

// Without times, as in text without headers, all is together.
bool together(Instant a, Instant b) {
  if (!has_time(a) || !has_time(b)) return true;
  return (a < b ? b - a : a - b) <= Helpers::kTogether;
}

}  // namespace

// A seed with which the known names have different numbers.
uint8_t helper_number(std::string_view name) { return static_cast<uint8_t>(1 + hash::text(name, 2) % 63); }

size_t Helpers::settle(std::span<Event> events) {
  size_t left = 0;
  for (Event& event : events) {
    if (event.kind == EventKind::kAuthFailed) {
      const Attempt attempt = attempt_of(event);
      if (!any_helper_ && attempt.helper != 0) first_helper();
      if (!any_helper_) {
        recent_[recent_count_++ % kRecent] = attempt;
      } else if (const uint64_t count = untold(attempt); count > 0) {
        event.count = static_cast<uint32_t>(count);
      } else {
        ++dropped_;
        continue;
      }
    }
    if (&event != &events[left]) events[left] = event;
    ++left;
  }
  return left;
}

Helpers::Attempt Helpers::attempt_of(const Event& event) {
  Attempt a;
  a.address = event.address;
  a.time = event.time;
  a.count = event.count;
  a.helper = event.helper;
  a.length = static_cast<uint8_t>(std::min(event.user().size(), kCompared));
  std::copy_n(event.user().data(), a.length, a.user.data());
  return a;
}

void Helpers::first_helper() {
  any_helper_ = true;
  const size_t known = std::min(recent_count_, kRecent);
  for (size_t i = recent_count_ - known; i < recent_count_; ++i) untold(recent_[i % kRecent]);
}

// How many of these attempts nobody has told yet.
uint64_t Helpers::untold(const Attempt& attempt) {
  Login& login = login_of(attempt);
  if (!together(login.last, attempt.time)) {
    login.told = login.by_servers = 0;
    login.by_helpers.clear();
  }
  login.last = std::max(login.last, attempt.time);
  uint64_t* mine = &login.by_servers;
  if (attempt.helper != 0) {
    auto at = std::ranges::find(login.by_helpers, attempt.helper, &std::pair<uint8_t, uint64_t>::first);
    if (at == login.by_helpers.end()) at = login.by_helpers.insert(at, {attempt.helper, 0});
    mine = &at->second;
  }
  *mine += attempt.count;
  if (*mine <= login.told) return 0;
  const uint64_t count = std::min<uint64_t>(attempt.count, *mine - login.told);
  login.told = *mine;
  return count;
}

// A server that tells no name tells of the user whom its helper told of last.
Helpers::Login& Helpers::login_of(const Attempt& attempt) {
  if (logins_.size() >= forget_at_) forget(attempt.time);
  Logins& all = logins_[attempt.address];
  all.last = std::max(all.last, attempt.time);
  std::vector<Login>& users = all.users;
  if (attempt.length == 0 && attempt.helper == 0) {
    Login* best = nullptr;
    for (Login& each : users)
      if (each.told > each.by_servers && together(each.last, attempt.time) && (!best || each.last >= best->last))
        best = &each;
    if (best) return *best;
  }
  const uint64_t user = attempt.length == 0 ? 0 : hash_user({attempt.user.data(), attempt.length});
  const auto known = std::ranges::find(users, user, &Login::user);
  if (known != users.end()) return *known;
  if (users.size() >= kMostUsers) users.erase(std::ranges::min_element(users, {}, &Login::last));
  Login& added = users.emplace_back();
  added.user = user;
  added.last = attempt.time;
  return added;
}

void Helpers::forget(Instant now) {
  std::erase_if(logins_, [&](const auto& each) { return !together(each.second.last, now); });
  if (logins_.size() >= kMostAddresses) logins_.clear();
  forget_at_ = std::max<size_t>(1024, 2 * logins_.size());
  forget_at_ = std::min(forget_at_, kMostAddresses);
}

}  // namespace mailward
