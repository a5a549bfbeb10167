#include "firewall/guard.h"

#include <fmt/format.h>

#include <algorithm>

namespace mailward {
namespace {

struct Always {
  std::string_view network, why;
};
// RFC 6890; IPv6's ::/96 has the unspecified address, loopback, and IPv4-compatible addresses (RFC 4291, 2.5.5.1).
constexpr Always kAlways[] = {
    {"0.0.0.0/8", "\"this network\""},
    {"127.0.0.0/8", "loopback"},
    {"169.254.0.0/16", "link-local"},
    {"224.0.0.0/4", "multicast"},
    {"240.0.0.0/4", "reserved or broadcast"},
    {"::/96", "unspecified or loopback"},
    {"fe80::/10", "link-local"},
    {"ff00::/8", "multicast"},
};

constexpr Duration kMinute = std::chrono::minutes(1);

int bits_of(const Network& n) { return n.address.is_v4() ? 96 + n.prefix : n.prefix; }

bool starts_with(const Network& n, Address address, int bits) {
  return !n.address.is_v4() && n.prefix >= bits && contains({address, bits}, n.address);
}

// The IPv4 network that an IPv6 network stands for (RFC 6052: the last 32 bits; RFC 3056: those after 2002).
std::optional<Network> inside(const Network& n) {
  if (starts_with(n, {0x0064'ff9b'0000'0000, 0}, 96))
    return network_of(Address::v4(static_cast<uint32_t>(n.address.low)), n.prefix - 96, 0);
  if (starts_with(n, {0x2002'0000'0000'0000, 0}, 16))
    return network_of(Address::v4(static_cast<uint32_t>(n.address.high >> 16)), n.prefix - 16, 0);
  return std::nullopt;
}

}  // namespace

Guard::Range Guard::range_of(const Network& n) {
  const int bits = std::clamp(bits_of(n), 0, 128);
  const uint64_t high = bits >= 64 ? 0 : ~uint64_t{0} >> bits;
  const uint64_t low = bits <= 64 ? ~uint64_t{0} : bits == 128 ? 0 : ~uint64_t{0} >> (bits - 64);
  return {{n.address.high, n.address.low}, {n.address.high | high, n.address.low | low}, {}};
}

Guard::Guard(const std::vector<Protected>& more, Widest widest) : widest_(widest) {
  const auto add = [&](const Network& network, std::string why) {
    ranges_.push_back(range_of(network));
    ranges_.back().why = std::move(why);
  };
  for (const auto& [network, why] : kAlways) add(*parse_network(network), std::string(why));
  for (const Protected& p : more) add(p.network, p.why);
  // Networks lie in one another or apart: the widest of those that begin together comes first and stays.
  std::stable_sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
    return a.first != b.first ? a.first < b.first : b.last < a.last;
  });
  const auto inside_the_one_before = [](const Range& a, const Range& b) { return b.last <= a.last; };
  ranges_.erase(std::unique(ranges_.begin(), ranges_.end(), inside_the_one_before), ranges_.end());
}

std::optional<std::string> Guard::refuses(const Network& network) const {
  const std::string shown = format_network(network);
  const bool v4 = network.address.is_v4();
  if (network.prefix < 0 || network_of(network.address, network.prefix, network.prefix) != network)
    return fmt::format("{} is no network", shown);
  if (const int widest = v4 ? widest_.prefix4 : widest_.prefix6; network.prefix < widest)
    return fmt::format("{} is wider than /{}, the widest network that may be banned", shown, widest);
  const Range asked = range_of(network);
  const auto behind = std::upper_bound(ranges_.begin(), ranges_.end(), asked.last,
                                       [](const Bits& last, const Range& range) { return last < range.first; });
  if (behind != ranges_.begin() && asked.first <= std::prev(behind)->last)
    return fmt::format("{} is, holds or lies in what is never banned: {}", shown, std::prev(behind)->why);
  if (contains(network, Address{0x0064'ff9b'0000'0000, 0}) && network.prefix < 96)
    return fmt::format("{} holds all of IPv4, as NAT64 writes it", shown);
  if (const auto meant = inside(network)) return refuses(*meant);
  return std::nullopt;
}

void Brake::forget(Instant now) {
  for (auto& [at, count] : passed_) at = std::min(at, now);  // the clock was set back
  for (; !passed_.empty() && passed_.front().first <= now - kMinute; passed_.pop_front())
    count_ -= passed_.front().second;
}

size_t Brake::pass(size_t wanted, Instant now) {
  forget(now);
  const size_t passing = std::min(wanted, most_ - count_);
  if (passing > 0) passed_.emplace_back(now, passing);
  count_ += passing;
  return passing;
}

Instant Brake::next(Instant now) {
  forget(now);
  return count_ < most_ || passed_.empty() ? now : passed_.front().first + kMinute;
}

}  // namespace mailward
