#include "ledger/pending.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/text.h"

namespace mailward {
namespace {

constexpr int64_t kDayMicros = int64_t{86'400'000'000};

int64_t day_of(int64_t time) { return time >= 0 ? time / kDayMicros : (time + 1) / kDayMicros - 1; }

template <class Item>
void append(Pending::Chain& chain, std::vector<Item>& pool, Item item) {
  const auto at = static_cast<uint32_t>(pool.size());
  (chain.first == Pending::kEnd ? chain.first : pool[chain.last].next) = at;
  chain.last = at;
  item.next = Pending::kEnd;
  pool.push_back(item);
}

}  // namespace

std::string MemoryKey::bytes() const {
  Encoder key;
  const Address a{high, low};
  if (is_name() || (prefix == 32 && a.is_v4())) {
    key.fixed(low, 4);
    return key.take();
  }
  key.fixed(high);
  key.fixed(low);
  key.fixed(static_cast<uint64_t>(prefix), 1);
  return key.take();
}

uint32_t Pending::day_at(Address address, int64_t day) {
  const auto [at, first] = day_numbers_->try_emplace({address, day}, static_cast<uint32_t>(days.size()));
  if (first) days.push_back({address, day});
  return at->second;
}

void Pending::add(const Event& event, std::string_view input) {
  ++events;
  if (is_frame(event.kind)) return;
  const int64_t time = event.time.time_since_epoch().count();
  const uint32_t number = day_at(event.address, day_of(time));
  Day& day = days[number];
  day.first = std::min(day.first, time);
  day.last = std::max(day.last, time);
  uint32_t at = day.counts.first;
  while (at != kEnd && counts[at].kind != event.kind) at = counts[at].next;
  if (at != kEnd)
    counts[at].count += event.count;
  else
    append(day.counts, counts, {event.count, kEnd, event.kind});
  if (event.kind == EventKind::kAuthFailed && !event.user().empty()) add_user(number, event);
  if (severity_of(event.kind) != Severity::kNeutral && day.kept_lines < kMostLines) add_line(day, event, input);
}

void Pending::add_user(uint32_t day, const Event& event) {
  scratch_.clear();
  append_json(scratch_, valid_utf8(event.user().substr(0, kLongestUser)));
  auto at = user_numbers_->find({day, scratch_});
  if (at == user_numbers_->end()) {
    const std::string_view user = text_.keep(scratch_);
    text_bytes_ += user.size();
    at = user_numbers_->emplace(UserKey{day, user}, static_cast<uint32_t>(tried.size())).first;
    append(days[day].tried, tried, {user, 0, kEnd});
  }
  tried[at->second].count += event.count;
}

void Pending::add_line(Day& day, const Event& event, std::string_view input) {
  const int64_t time = event.time.time_since_epoch().count();
  for (uint32_t at = day.lines.first; at != kEnd; at = lines[at].next) {
    const Line& l = lines[at];
    if (l.time == time && l.line == event.line && l.kind == event.kind && l.input == input) return;
  }
  if (last_input_ != input) last_input_ = text_.keep(input);
  const std::string_view text = text_.keep(event.raw.substr(0, kLongestLine));
  text_bytes_ += text.size();
  append(day.lines, lines, {time, event.line, last_input_, text, kEnd, event.kind});
  ++day.kept_lines;
}

void Pending::clear() {
  days.clear();
  counts.clear();
  tried.clear();
  lines.clear();
  bans.clear();
  unbans.clear();
  inputs.clear();
  parts.clear();
  memories.clear();
  replaced.clear();
  events = 0;
  day_numbers_.reset();
  user_numbers_.reset();
  numbers_ = std::make_unique<std::pmr::monotonic_buffer_resource>();
  day_numbers_.emplace(numbers_.get());
  user_numbers_.emplace(numbers_.get());
  text_.clear();
  text_bytes_ = 0;
  last_input_ = {};
}

size_t Pending::size() const {
  constexpr size_t kOfNode = 24;  // in a table, beside what it holds
  return text_bytes_ + days.size() * (sizeof(Day) + sizeof(DayKey) + kOfNode) + counts.size() * sizeof(Count) +
         tried.size() * (sizeof(Tried) + sizeof(UserKey) + kOfNode) + lines.size() * sizeof(Line) +
         bans.size() * sizeof(BanChange) + memories.size() * (sizeof(Changed) + sizeof(Memory));
}

}  // namespace mailward
