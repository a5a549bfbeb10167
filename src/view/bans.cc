#include "view/bans.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace mailward {
namespace {

constexpr size_t kMinutes = 16;  // of a time: "2026-03-09 08:55"

std::string standing_of(const BanRow& row, Instant now) {
  if (has_time(row.withdrawn)) return "let in again";
  return row.until <= now ? "over" : "in force";
}

}  // namespace

std::string address_of(const Network& n) {
  const bool single = n.prefix == (n.address.is_v4() ? 32 : 128);
  return single ? format_address(n.address) : format_network(n);
}

void put_bans_table(const std::vector<BanRow>& rows, const BansView& how, Output& out) {
  size_t address = 7, policy = 6;
  for (const BanRow& row : rows) {
    address = std::max(address, address_of(row.network).size());
    policy = std::max(policy, std::min<size_t>(row.policy.size(), 40));
  }
  const auto line = [&](std::string_view a, std::string_view since, std::string_view until, std::string_view p,
                        std::string_view count, std::string_view origin, std::string_view standing) {
    std::string text = fmt::format("{}  {}  {}  {}  {:>5}  {}", padded(std::string(a), address),
                                   padded(std::string(since), kMinutes), padded(std::string(until), kMinutes),
                                   padded(std::string(p), policy), count, padded(std::string(origin), 6));
    if (how.all) text += "  " + std::string(standing);
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  if (!rows.empty()) {
    out.text() +=
        styled(line("address", "since", "until", "policy", "count", "origin", "now"), Style::kBold, how.screen);
    out.text() += '\n';
  }
  size_t in_force = 0;
  for (const BanRow& row : rows) {
    const std::string standing = standing_of(row, how.now);
    const bool holds = standing == "in force";
    in_force += holds;
    const std::string text =
        line(address_of(row.network), format_local(row.since, how.time, kMinutes),
             format_local(row.until, how.time, kMinutes), for_screen(row.policy, 40, how.screen.charset),
             row.count > 0 ? std::to_string(row.count) : "", for_screen(row.origin, 10, how.screen.charset), standing);
    out.text() += holds || !how.all ? text : styled(text, Style::kDim, how.screen);
    out.text() += '\n';
    out.pass_on();
  }
  out.text() += fmt::format("{}{} in force; times are in {}.\n", rows.empty() ? "" : "\n", counted(in_force, "ban"),
                            how.time.zone);
}

void put_bans_plain(const std::vector<BanRow>& rows, Output& out) {
  const BanRow* last = nullptr;
  for (const BanRow& row : rows) {
    if (last && last->network == row.network) continue;
    last = &row;
    out.text() += address_of(row.network) + '\n';
    out.pass_on();
  }
}

void put_bans_json(const std::vector<BanRow>& rows, Output& out) {
  out.text() += '[';
  const char* comma = "";
  for (const BanRow& row : rows) {
    std::string& text = out.text();
    text += fmt::format("{}\n{{\"address\": \"{}\", \"since\": \"{}\", \"until\": \"{}\", \"policy\": ", comma,
                        address_of(row.network), format_instant(row.since, false), format_instant(row.until, false));
    append_json(text, row.policy);
    text += fmt::format(", \"count\": {}, \"origin\": ", row.count);
    append_json(text, row.origin);
    if (has_time(row.withdrawn)) text += fmt::format(", \"withdrawn\": \"{}\"", format_instant(row.withdrawn, false));
    text += '}';
    comma = ",";
    out.pass_on();
  }
  out.text() += rows.empty() ? "]\n" : "\n]\n";
}

void put_bans_csv(const std::vector<BanRow>& rows, Output& out) {
  out.text() += "address,since,until,policy,count,origin,withdrawn\n";
  for (const BanRow& row : rows) {
    out.text() += fmt::format("{},{},{},{},{},{},{}\n", address_of(row.network), format_instant(row.since, false),
                              format_instant(row.until, false), for_csv(row.policy), row.count, for_csv(row.origin),
                              has_time(row.withdrawn) ? format_instant(row.withdrawn, false) : "");
    out.pass_on();
  }
}

}  // namespace mailward
