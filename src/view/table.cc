#include "view/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/text.h"
#include "view/sources.h"

namespace mailward {
namespace {

constexpr size_t kEventsAndLogins = 52;  // columns that these two need for a source to take one line
constexpr size_t kShortAddress = 15;     // IPv4: the least that its column is given
constexpr size_t kGap = 2;               // between columns
constexpr size_t kLongestLogin = 28;     // of one login name
constexpr size_t kLeastPolicy = std::string_view("POLICY BROKEN").size();
constexpr size_t kLongestPolicy = 24;
constexpr size_t kIndent = 2;  // of a source's second line

bool more_hostile(const SourceReport& a, const SourceReport& b) {
  const auto left = hostility(a), right = hostility(b);
  return left != right ? left > right : a.address < b.address;
}

// One source as text, cut to nothing yet.
struct Row {
  const SourceReport* source = nullptr;
  std::string address, policy, first, last, activity;
};

// What a cell may name: the first of so many items, and how many there are.
struct Items {
  std::vector<std::string> shown;
  size_t count = 0;
  std::string all() const { return fmt::format("{}", fmt::join(shown, ", ")); }
};

// "auth_failed 87, dropped 3 +2": as many items as fit, and the number of the others. `noun` says what the number
// counts where no column's head does: "root 44 +31 names"; alone it is "31 names".
std::string fitted(const Items& items, size_t width, std::string_view noun = "") {
  const auto left_after = [&](size_t named) -> std::string {
    const size_t left = items.count - named;
    if (left == 0) return "";
    const std::string what = noun.empty() ? "" : fmt::format(" {}{}", noun, left == 1 ? "" : "s");
    return named > 0 ? fmt::format(" +{}{}", left, what) : fmt::format("{}{}{}", noun.empty() ? "+" : "", left, what);
  };
  std::string best = left_after(0), named;
  if (best.size() > width) best.clear();
  for (size_t i = 0; i < items.shown.size(); ++i) {
    named += (i == 0 ? "" : ", ") + items.shown[i];
    const std::string rest = left_after(i + 1);
    if (width_of(named) > width) break;
    if (width_of(named) + rest.size() <= width) best = named + rest;
  }
  return best;
}

// Hostile kinds before weak before neutral ones, most first.
Items event_items(const SourceReport& source) {
  std::vector<EventKind> kinds;
  for (size_t i = 0; i < kEventKinds; ++i) {
    const auto kind = static_cast<EventKind>(i);
    if (source.events[i] > 0 && !is_frame(kind)) kinds.push_back(kind);
  }
  const auto count = [&](EventKind kind) { return source.events[static_cast<size_t>(kind)]; };
  std::stable_sort(kinds.begin(), kinds.end(), [&](EventKind a, EventKind b) {
    return severity_of(a) != severity_of(b) ? severity_of(a) > severity_of(b) : count(a) > count(b);
  });
  Items items;
  for (EventKind kind : kinds) items.shown.push_back(fmt::format("{} {}", name_of(kind), grouped(count(kind))));
  items.count = kinds.size();
  return items;
}

// The names tried most often, with how often where that is more than once. A few: the rest is a number.
Items login_items(const SourceReport& source, Charset charset) {
  std::vector<const std::pair<std::string, uint64_t>*> users;
  users.reserve(source.users.size());
  for (const auto& user : source.users) users.push_back(&user);
  constexpr size_t kShown = 12;
  const size_t shown = std::min(kShown, users.size());
  std::partial_sort(users.begin(), users.begin() + static_cast<long>(shown), users.end(), [](auto* a, auto* b) {
    return a->second != b->second ? a->second > b->second : a->first < b->first;
  });
  Items items;
  items.count = users.size();
  for (size_t i = 0; i < shown; ++i) {
    std::string item = login_for_screen(users[i]->first, kLongestLogin, charset);
    if (users[i]->second > 1) item += fmt::format(" {}", grouped(users[i]->second));
    items.shown.push_back(std::move(item));
  }
  return items;
}

// The policies' names; the preset's where the report is about another.
std::string policy_cell(const SourceReport& source, const ReportHead& head, Charset charset, size_t columns) {
  if (source.policies.empty()) return "-";
  std::string_view name = source.policies.front();
  if (name.starts_with(head.policy) && name.substr(head.policy.size()).starts_with('/')) {
    name.remove_prefix(head.policy.size() + 1);
  }
  const std::string more = source.policies.size() > 1 ? fmt::format(" +{}", source.policies.size() - 1) : "";
  return for_screen(name, columns - more.size(), charset) + more;
}

// Draws what the view has collected.
class Table {
 public:
  Table(const ReportHead& head, const std::vector<SourceReport>& offenders, const std::vector<SourceReport>& others,
        const TableOptions& options, Output& out)
      : head_(head), offenders_(offenders), others_(others), options_(options), screen_(options.screen), out_(out) {}

  void write(uint64_t offenders_left, uint64_t others_left) {
    if (offenders_.empty() && others_.empty()) return;
    measure();
    if (!offenders_.empty()) {
      write_head("OFFENDER");
      write_rows(offenders_, true);
      if (offenders_left > 0)
        write_rest(fmt::format("and {} more offenders (--format plain names them all)", grouped(offenders_left)));
    }
    if (!others_.empty()) write_others(others_left);
    out_.text() += '\n';
  }

 private:
  size_t longest_policy() const {
    const size_t beside = kShortAddress + kGap;
    return std::clamp(screen_.width - std::min(screen_.width, beside), kLeastPolicy, kLongestPolicy);
  }

  Row row_of(const SourceReport& source) const {
    Row row;
    row.source = &source;
    row.address = format_address(source.address);
    row.policy = policy_cell(source, head_, screen_.charset, policy_width_);
    // "03-09 08:55", with the year where the log has several.
    const auto local = [&](Instant t) {
      return format_local(t, options_.time, 16).substr(has_time(t) ? year_from_ : 0);
    };
    row.first = local(source.first);
    row.last = local(source.last);
    row.activity = sparkline(source.activity, screen_.charset);
    return row;
  }

  void measure() {
    const InputReport& input = head_.input;
    timed_ = has_time(input.first) && has_time(input.last);
    const bool one_year =
        timed_ && format_local(input.first, options_.time, 4) == format_local(input.last, options_.time, 4);
    year_from_ = one_year ? 5 : 0;
    time_width_ = 16 - year_from_;
    policy_width_ = kLeastPolicy;
    for (const auto* list : {&offenders_, &others_}) {
      for (const SourceReport& source : *list) {
        address_width_ = std::max(address_width_, format_address(source.address).size());
        policy_width_ =
            std::max(policy_width_, width_of(policy_cell(source, head_, screen_.charset, longest_policy())));
      }
    }
    // What gives way on a narrow screen: first the policy's name, then the activity, then the address's column (a
    // longer one gets a line to itself), then the times, the first one first.
    times_ = timed_ ? 2 : 0;
    const auto taken_with_times = [&] { return policy_width_ + kGap + times_ * (time_width_ + kGap); };
    while (times_ > 0 && kShortAddress + taken_with_times() > screen_.width) --times_;
    size_t fixed = taken_with_times();
    const size_t one_line = fixed + (timed_ ? kActivityBuckets + kGap : 0) + address_width_ + kGap + kEventsAndLogins;
    one_line_ = screen_.width >= one_line;
    // A long name of a policy is shortened before the activity gives way.
    const size_t too_wide = fixed + kShortAddress + kGap + kActivityBuckets;
    if (timed_ && !one_line_ && too_wide > screen_.width && too_wide - screen_.width <= policy_width_ - kLeastPolicy) {
      policy_width_ -= too_wide - screen_.width;
      fixed = taken_with_times();
    }
    active_ = timed_ && (one_line_ || kShortAddress + kGap + fixed + kActivityBuckets <= screen_.width);
    const size_t taken = fixed + (active_ ? kActivityBuckets + (one_line_ ? kGap : 0) : 0);
    const size_t room = std::max(kShortAddress, screen_.width - std::min(screen_.width, taken + kGap));
    if (one_line_) {
      share_out(screen_.width - taken - address_width_ - kGap);
    } else {
      address_width_ = std::min(address_width_, room);
    }
  }

  // A wide screen's rest, between events and logins.
  void share_out(size_t rest) {
    events_width_ = std::string_view("EVENTS").size();
    for (const auto* list : {&offenders_, &others_}) {
      for (const SourceReport& source : *list) {
        events_width_ = std::max(events_width_, width_of(event_items(source).all()));
      }
    }
    events_width_ = std::min(events_width_, rest * 11 / 20);
    logins_width_ = rest - std::min(rest, events_width_ + kGap);
  }

  void put(std::string_view text) { line_ += text; }
  void column(std::string text, size_t width, Style style = Style::kPlain) {
    const std::string cell = padded(std::move(text), width);
    put(styled(cell, style, screen_));
    put("  ");
  }
  void end_line() {
    while (line_.ends_with(' ')) line_.pop_back();
    out_.text() += line_;
    out_.text() += '\n';
    line_.clear();
  }

  void write_head(std::string_view title) {
    std::string head = padded(std::string(title), address_width_) + "  " + padded("POLICY BROKEN", policy_width_);
    if (times_ > 1) head += "  " + padded("FIRST SEEN", time_width_);
    if (times_ > 0) head += "  " + padded("LAST SEEN", time_width_);
    if (active_) head += "  " + padded("ACTIVITY", kActivityBuckets);
    if (one_line_) head += "  " + padded("EVENTS", events_width_) + "  LOGINS TRIED";
    put(styled(for_screen(head.substr(0, head.find_last_not_of(' ') + 1), screen_.width, screen_.charset), Style::kBold,
               screen_));
    end_line();
  }

  void write_rows(const std::vector<SourceReport>& sources, bool offenders) {
    for (const SourceReport& source : sources) {
      write_row(row_of(source), offenders);
      out_.pass_on();
    }
  }

  void write_row(const Row& row, bool offender) {
    const size_t longer = row.address.size() > address_width_ ? 1 : 0;
    column(row.address, address_width_, offender ? Style::kAlarm : Style::kPlain);
    if (longer) {
      end_line();
      column("", address_width_);
    }
    column(row.policy, policy_width_);
    if (times_ > 1) column(row.first, time_width_);
    if (times_ > 0) column(row.last, time_width_);
    if (active_) column(row.activity, kActivityBuckets, Style::kCaution);
    const Items logins = login_items(*row.source, screen_.charset);
    if (one_line_) {
      column(fitted(event_items(*row.source), events_width_), events_width_);
      put(fitted(logins, logins_width_));
    } else {
      end_line();
      write_second_line(event_items(*row.source), logins);
    }
    end_line();
  }

  // "  auth_failed 87, dropped 3 · root 44, admin 12 +31 names"
  void write_second_line(const Items& events, const Items& logins) {
    const std::string_view between = screen_.charset == Charset::kUtf8 ? " · " : " | ";
    const size_t room = screen_.width - std::min(screen_.width, kIndent);
    const size_t share = std::min(width_of(logins.all()), room * 2 / 5);
    // What happened first is told in any case.
    const size_t least =
        events.shown.empty() ? 0 : width_of(events.shown.front()) + std::string_view(" +12 kinds").size();
    const size_t events_room = logins.count == 0 ? room : std::max(room - share - 3, std::min(room, least));
    const std::string told = fitted(events, events_room, "kind");
    const size_t rest = room - std::min(room, width_of(told) + 3);
    put(std::string(kIndent, ' '));
    put(styled(told, Style::kDim, screen_));
    if (logins.count == 0) return;
    const std::string names = fitted(logins, rest, "name");
    if (!names.empty()) put(styled(fmt::format("{}{}", between, names), Style::kDim, screen_));
  }

  void write_others(uint64_t left) {
    if (!offenders_.empty()) out_.text() += '\n';
    write_head("NO OFFENDER");
    write_rows(others_, false);
    if (left > 0) write_rest(fmt::format("and {} more that broke no policy (--format csv shows them)", grouped(left)));
  }

  void write_rest(const std::string& text) {
    put(styled(wrapped(text, screen_.width, ""), Style::kDim, screen_));
    end_line();
  }

  const ReportHead& head_;
  const std::vector<SourceReport>& offenders_;
  const std::vector<SourceReport>& others_;
  const TableOptions& options_;
  const Screen& screen_;
  Output& out_;
  std::string line_;
  bool timed_ = false, active_ = false, one_line_ = false;
  size_t times_ = 0;  // how many columns of time
  size_t year_from_ = 0;
  size_t address_width_ = kShortAddress, policy_width_ = 0, time_width_ = 0, events_width_ = 0, logins_width_ = 0;
};

// Keeps the `most` most hostile, as a heap whose top is the least of them.
void keep(std::vector<SourceReport>& list, SourceReport&& source, size_t most) {
  list.push_back(std::move(source));
  std::push_heap(list.begin(), list.end(), more_hostile);
  if (list.size() <= most) return;
  std::pop_heap(list.begin(), list.end(), more_hostile);
  list.pop_back();
}

}  // namespace

std::string sparkline(const std::array<uint32_t, kActivityBuckets>& activity, Charset charset) {
  constexpr std::array<std::string_view, 9> kBars{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  constexpr std::array<std::string_view, 9> kAscii{" ", ".", ".", ":", ":", "-", "=", "+", "#"};
  const uint64_t most = *std::max_element(activity.begin(), activity.end());
  std::string line;
  for (const uint64_t n : activity) {
    const size_t level = n == 0 ? 0 : static_cast<size_t>(std::max<uint64_t>(1, (n * 8 + most / 2) / most));
    line += charset == Charset::kUtf8 ? kBars[level] : kAscii[level];
  }
  return line;
}

void TableView::source(SourceReport&& source) {
  ++totals_.sources;
  if (source.offender) {
    ++totals_.offenders;
    keep(offenders_, std::move(source), options_.offenders);
  } else if (hostility(source) != std::pair<uint64_t, uint64_t>{0, 0}) {
    ++totals_.others;
    keep(others_, std::move(source), options_.others);
  }
}

void TableView::end() {
  std::sort(offenders_.begin(), offenders_.end(), more_hostile);
  std::sort(others_.begin(), others_.end(), more_hostile);
  if (!offenders_.empty()) {
    totals_.worst = offenders_.front().address;
  } else if (!others_.empty()) {
    totals_.worst = others_.front().address;
  }
  Table(head_, offenders_, others_, options_, out_)
      .write(totals_.offenders - offenders_.size(), totals_.others - others_.size());
  write_totals(head_, totals_, options_, out_);
}

}  // namespace mailward
