#include "daemon/enforcer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mailward {
namespace {

using Steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLookEvery{60'000};
constexpr milliseconds kRightAway{1}, kFirstPause{500}, kLongestPause{60'000};
constexpr size_t kAtOnce = 20'000;  // bans of one job
constexpr Duration kSameEnd = std::chrono::seconds(3);

}  // namespace

// One visit to the firewall.
struct Enforcer::Job {
  uv_work_t request{};
  std::shared_ptr<Firewall> firewall;
  std::shared_ptr<bool> alive;
  Enforcer* owner = nullptr;
  Instant now;
  bool look = false;
  std::vector<Network> in, out;
  std::vector<Ban> bans;
  std::deque<std::string> reasons;
  std::vector<Held> held;
  std::string trouble;

  void run() {
    if (look) {
      auto ready = firewall->prepare();
      if (!ready) return void(trouble = ready.error().message);
      auto all = firewall->held(now);
      if (!all) return void(trouble = all.error().message);
      held = std::move(*all);
      return;
    }
    if (auto put = firewall->ban(bans, now); !put) return void(trouble = put.error().message);
    if (auto taken = firewall->unban(out); !taken) trouble = taken.error().message;
  }
};

Enforcer::Enforcer(uv_loop_t* loop, std::unique_ptr<Firewall> firewall, Options options, Told told)
    : loop_(loop),
      firewall_(std::move(firewall)),
      options_(std::move(options)),
      told_(std::move(told)),
      timer_(new uv_timer_t),
      brake_(std::max<size_t>(1, options_.most_a_minute)) {
  uv_timer_init(loop_, timer_);
  timer_->data = this;
}

Enforcer::~Enforcer() {
  *alive_ = false;
  uv_timer_stop(timer_);
  uv_close(reinterpret_cast<uv_handle_t*>(timer_), [](uv_handle_t* h) { delete reinterpret_cast<uv_timer_t*>(h); });
}

const Guard* Enforcer::guard() {
  const Instant now = options_.now();
  const bool fresh = has_time(guard_made_) && now >= guard_made_ && now - guard_made_ < std::chrono::seconds(1);
  if (fresh) return guard_.get();
  guard_made_ = now;
  auto made = options_.guard();
  guard_ = made ? std::make_unique<Guard>(std::move(*made)) : nullptr;
  guard_trouble_ = made ? "" : made.error().message;
  return guard_.get();
}

void Enforcer::desire(const Network& network, Instant until, std::string_view reason, bool forced) {
  const Instant now = options_.now();
  if (until <= now) return;
  if (const auto why = forced ? std::nullopt : refuses(network)) return told_.refused(network, *why);
  auto known = std::find(reasons_.begin(), reasons_.end(), reason);
  if (known == reasons_.end()) known = reasons_.insert(known, std::string(reason));
  const auto [at, is_new] = wanted_.try_emplace(network);
  at->second.until = until;
  at->second.reason = static_cast<uint16_t>(std::min<std::ptrdiff_t>(known - reasons_.begin(), 0xffff));
  leaving_.erase(network);
  ends_.emplace(until, network);
  if (!begun_) return;
  settled_ = false;
  if (is_new && brake_.pass(1, now) == 0) {
    held_back_.push_back(network);
    return arm();
  }
  queue(network);
  if (!health_.trouble.empty() && !running_) must_look_ = true, retry_ = {};
  go_on();
}

std::optional<std::string> Enforcer::refuses(const Network& network) {
  const Guard* may = guard();
  return may ? may->refuses(network) : guard_trouble_;
}

void Enforcer::release(const Network& network) {
  wanted_.erase(network);
  leaving_.insert(network);
  if (!begun_) return;
  settled_ = false;
  todo_.push_back(network);
  go_on();
}

void Enforcer::queue(const Network& network) {
  const auto at = wanted_.find(network);
  if (at == wanted_.end() || std::exchange(at->second.queued, true)) return;
  todo_.push_back(network);
}

void Enforcer::all_desired() {
  begun_ = true;
  must_look_ = true;
  settled_ = false;
  go_on();
}

void Enforcer::take_out_strays() {
  strays_go_ = true;
  must_look_ = true;
  settled_ = false;
  go_on();
}

void Enforcer::ours(const std::vector<Network>& networks) {
  asked_ -= std::min<size_t>(asked_, 1);
  for (const Network& n : networks) {
    if (wanted_.contains(n)) continue;
    leaving_.insert(n);
    todo_.push_back(n);
    settled_ = false;
  }
  go_on();
}

void Enforcer::go_on() {
  if (running_ || !begun_) return;
  if (!health_.trouble.empty() && Steady::now() < retry_) return arm();
  auto job = std::make_unique<Job>();
  job->now = options_.now();
  if (must_look_) {
    job->look = true;
    return start(std::move(job));
  }
  while (!todo_.empty() && job->in.size() + job->out.size() < kAtOnce) {
    const Network network = todo_.front();
    todo_.pop_front();
    const auto at = wanted_.find(network);
    if (at == wanted_.end()) {
      if (leaving_.erase(network) > 0) job->out.push_back(network);
      continue;
    }
    at->second.queued = false;
    job->in.push_back(network);
    job->reasons.push_back(reasons_[at->second.reason]);
    job->bans.push_back({network, at->second.until, job->reasons.back()});
  }
  if (!job->in.empty() || !job->out.empty()) return start(std::move(job));
  arm();
  if (held_back_.empty() && asked_ == 0 && !std::exchange(settled_, true)) told_.settled();
}

void Enforcer::start(std::unique_ptr<Job> job) {
  running_ = true;
  job->firewall = firewall_;
  job->alive = alive_;
  job->owner = this;
  job->request.data = job.get();
  uv_queue_work(
      loop_, &job.release()->request, [](uv_work_t* r) { static_cast<Job*>(r->data)->run(); },
      [](uv_work_t* r, int) {
        const std::unique_ptr<Job> finished(static_cast<Job*>(r->data));
        if (*finished->alive) finished->owner->done(*finished);
      });
}

void Enforcer::done(Job& job) {
  running_ = false;
  if (!job.trouble.empty()) return failed(job);
  health_.trouble.clear();
  pause_ = milliseconds(0);
  if (job.look) looked(job);
  tell();
  go_on();
}

void Enforcer::failed(const Job& job) {
  // Some of it may be done: all is looked at again. Whom to let in a firewall that can't be asked doesn't know.
  for (auto& [network, wanted] : wanted_) wanted.queued = false;
  leaving_.insert(job.out.begin(), job.out.end());
  todo_.clear();
  must_look_ = true;
  health_.trouble = job.trouble;
  // The first time at once: somebody may have changed what is ours, and all that is needed is to put it in again.
  pause_ = pause_.count() == 0 ? kRightAway : std::clamp(pause_ * 2, kFirstPause, kLongestPause);
  retry_ = Steady::now() + pause_;
  tell();
  arm();
}

// What it holds, against what is desired.
void Enforcer::looked(Job& job) {
  must_look_ = false;
  next_look_ = Steady::now() + kLookEvery;
  forget_over();
  std::unordered_map<Network, Instant, NetworkHash> held;
  held.reserve(job.held.size());
  for (const Held& h : job.held) held.emplace(h.network, h.until);
  const std::unordered_set<Network, NetworkHash> back(held_back_.begin(), held_back_.end());
  for (auto& [network, wanted] : wanted_) {
    const auto at = held.find(network);
    const bool differs = at == held.end() || (has_time(at->second) ? at->second > wanted.until + kSameEnd ||
                                                                         at->second + kSameEnd < wanted.until
                                                                   : firewall_->ends_bans());
    if (differs && !back.contains(network)) queue(network);
  }
  std::vector<Network> strays;
  for (const auto& [network, until] : held)
    if (!wanted_.contains(network)) strays.push_back(network);
  const auto leaves = [&](const Network& n) { return leaving_.contains(n) || (strays_go_ && !firewall_->is_shared()); };
  std::vector<Network> asked;
  for (const Network& n : strays) {
    if (leaves(n))
      leaving_.insert(n);
    else if (strays_go_)
      asked.push_back(n);
  }
  todo_.insert(todo_.end(), leaving_.begin(), leaving_.end());
  if (asked.empty()) return;
  ++asked_;
  told_.strays(asked);
}

void Enforcer::let_through() {
  while (!held_back_.empty() && brake_.pass(1, options_.now()) > 0) {
    const Network network = held_back_.front();
    held_back_.pop_front();
    queue(network);
  }
}

// Bans that are over: the kernel has ended them, or they are taken out now.
void Enforcer::forget_over() {
  const Instant now = options_.now();
  while (!ends_.empty() && ends_.top().first <= now) {
    const Network network = ends_.top().second;
    ends_.pop();
    const auto at = wanted_.find(network);
    if (at == wanted_.end() || at->second.until > now) continue;
    wanted_.erase(at);
    std::erase(held_back_, network);
    if (firewall_->ends_bans()) continue;
    leaving_.insert(network);
    todo_.push_back(network);
    settled_ = false;
  }
}

// For the next thing that only time brings.
void Enforcer::arm() {
  tell();
  auto next = Steady::time_point::max();
  const auto by_clock = [&](Instant when) {
    const Duration left = when - options_.now();
    return Steady::now() + std::clamp<Duration>(left, Duration(0), kLookEvery);
  };
  if (!health_.trouble.empty())
    next = retry_;
  else if (!wanted_.empty())
    next = next_look_;
  if (!held_back_.empty()) next = std::min(next, by_clock(brake_.next(options_.now())));
  if (!ends_.empty() && !firewall_->ends_bans()) next = std::min(next, by_clock(ends_.top().first));
  if (next == Steady::time_point::max()) return void(uv_timer_stop(timer_));
  const auto left = std::chrono::ceil<milliseconds>(next - Steady::now()).count();
  uv_update_time(loop_);
  uv_timer_start(
      timer_,
      [](uv_timer_t* t) {
        Enforcer& e = *static_cast<Enforcer*>(t->data);
        e.let_through();
        e.forget_over();
        if (Steady::now() >= e.next_look_ && !e.running_) e.must_look_ = true;
        e.go_on();
      },
      static_cast<uint64_t>(std::max<int64_t>(left, 1)), 0);
}

void Enforcer::tell() {
  health_.held = wanted_.size() - std::min(wanted_.size(), todo_.size() + held_back_.size());
  health_.waiting = todo_.size() + held_back_.size();
  if (health_.trouble == told_health_.trouble && health_.held == told_health_.held &&
      health_.waiting == told_health_.waiting)
    return;
  told_health_ = health_;
  told_.health(health_);
}

}  // namespace mailward
