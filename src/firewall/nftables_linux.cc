// `nftables`: the table `inet NAME`, all of which is ours. For every length of prefix that was banned a set of its
// own: an element of `v4_24` is the first address of a /24, and a rule looks up the packet's source with the bits
// right of the prefix cleared. Such sets are plain hash tables. Sets with intervals were tried first: they refuse
// a ban inside another one (or merge the two and lose one end), and libnftables reads the whole set for each ban,
// 1.2 s at 100,000 (docs/firewalls.md).
//
// The table and its rules are written as text, by libnftables, and only by prepare(); elements go and come by
// NftLink. Every text is made here from checked names, numbers and format_address().
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "base/text.h"
#include "firewall/backends.h"
#include "firewall/nft_link_linux.h"

namespace mailward {
namespace {

// How a packet's source is cut, and by this the set that holds it.
struct Length {
  bool v4;
  int prefix;
  friend auto operator<=>(const Length&, const Length&) = default;
};
Length length_of(const Network& n) { return {n.address.is_v4(), n.prefix}; }
std::string set_of(Length l) { return fmt::format("v{}_{}", l.v4 ? 4 : 6, l.prefix); }

// The set's name, read back; nothing: not one of ours.
std::optional<Length> length_of(std::string_view set) {
  for (const bool v4 : {true, false})
    for (int prefix = 0; prefix <= (v4 ? 32 : 128); ++prefix)
      if (set == set_of({v4, prefix})) return Length{v4, prefix};
  return std::nullopt;
}

// Those that are always there: what the presets ban.
constexpr Length kUsual[] = {{true, 24}, {true, 32}, {false, 64}, {false, 128}};

std::string mask(Length l) {
  const Network all = network_of(l.v4 ? Address::v4(~0U) : Address{~0ULL, ~0ULL}, l.prefix, l.prefix);
  return format_address(all.address);
}

NftElement element_of(const Network& n) {
  NftElement e;
  e.size = n.address.is_v4() ? 4 : 16;
  for (size_t i = 0; i < e.size; ++i) {
    const size_t right = e.size - 1 - i;  // bytes right of this one
    e.key[i] = static_cast<uint8_t>((right < 8 ? n.address.low >> (8 * right) : n.address.high >> (8 * (right - 8))));
  }
  return e;
}

Network network_of(const NftElement& e, Length l) {
  Address a = e.size == 4 ? Address::v4(0) : Address{};
  for (size_t i = 0; i < e.size; ++i) {
    const size_t right = e.size - 1U - i;
    (right < 8 ? a.low : a.high) |= static_cast<uint64_t>(e.key[i]) << (8 * (right % 8));
  }
  return network_of(a, l.prefix, l.prefix);
}

class Nftables : public Firewall {
 public:
  explicit Nftables(const FirewallConfig& config) : table_(config.table), ports_(config.ports) {
    lengths_.insert(std::begin(kUsual), std::end(kUsual));
  }

  std::string_view name() const override { return "nftables"; }
  bool ends_bans() const override { return true; }

  Result<void> prepare() override {
    if (!link_) {
      auto link = NftLink::open();
      if (!link) return trouble("reached", link.error());
      link_ = std::make_unique<NftLink>(std::move(*link));
    }
    const auto sets = link_->sets(table_);  // those of an earlier run have to be looked up, too
    if (!sets && sets.error() != ENOENT) return trouble("read", sets.error());
    for (const std::string& set : sets.value_or(std::vector<std::string>()))
      if (const auto length = length_of(set)) lengths_.insert(*length);
    return write_structure();
  }

  Result<std::vector<Held>> held(Instant now) override {
    if (auto ok = unchanged(); !ok) return std::unexpected(ok.error());
    std::vector<Held> all;
    for (const Length length : lengths_) {
      auto elements = link_->elements(table_, set_of(length));
      // A ban that comes or ends while they are read makes the kernel say so; what it gave may have gaps.
      for (int again = 0; !elements && elements.error() == EINTR && again < 20; ++again)
        elements = link_->elements(table_, set_of(length));
      if (!elements) return std::unexpected(trouble("read", elements.error()).error());
      for (const NftElement& e : *elements) {
        if ((e.size == 4) != length.v4) continue;
        const auto left = std::chrono::milliseconds(e.timeout_ms);
        all.push_back({network_of(e, length), e.timeout_ms == 0 ? kNoInstant : now + left});
      }
    }
    return all;
  }

 private:
  Result<void> put_in(std::span<const Ban> bans, Instant now) override {
    if (auto ok = make_sets(bans); !ok) return ok;
    return for_each_set(
        bans, [](const Ban& ban) { return ban.network; },
        [&](const Ban& ban) {
          NftElement e = element_of(ban.network);
          const auto left = std::chrono::ceil<std::chrono::milliseconds>(ban.until - now).count();
          e.timeout_ms = static_cast<uint64_t>(left);
          return e;
        },
        &NftLink::put_in);
  }

  Result<void> take_out(std::span<const Network> networks) override {
    std::vector<Network> known;  // where there is no set there is no ban
    for (const Network& n : networks)
      if (lengths_.contains(length_of(n))) known.push_back(n);
    return for_each_set(known, std::identity(), element_of, &NftLink::take_out);
  }

  // Items are sorted by family and address, not by length: the few lengths are gone through one by one.
  template <class Items, class NetworkOf, class ElementOf, class Order>
  Result<void> for_each_set(const Items& items, NetworkOf network, ElementOf element, Order order) {
    for (const Length length : lengths_) {
      std::vector<NftElement> elements;
      for (const auto& item : items)
        if (length_of(network(item)) == length) elements.push_back(element(item));
      const std::span all(elements);
      for (size_t at = 0; at < all.size(); at += NftLink::kMost) {
        const auto part = all.subspan(at, std::min(NftLink::kMost, all.size() - at));
        if (auto ok = transact(length, part, order); !ok) return ok;
      }
    }
    return {};
  }

  // The transaction is valid for the state of nftables that we know. If another hand changed it meanwhile, we look
  // whether that concerned us; a change of another's table does not.
  template <class Order>
  Result<void> transact(Length length, std::span<const NftElement> part, Order order) {
    for (int again = 0; again < 20; ++again) {
      if (!link_) return unchanged();
      const auto done = (*link_.*order)(table_, set_of(length), part, generation_);
      if (done) {
        generation_ = generation_ + 1 == 0 ? 1 : generation_ + 1;  // as the kernel counts
        return {};
      }
      if (done.error() != ERESTART) return trouble("changed", done.error());
      if (auto ok = unchanged(); !ok) return ok;
    }
    return fail("nftables is changed all the time by others: no ban got in between");
  }

  // Is all that is ours, but for the elements, as prepare() left it?
  Result<void> unchanged() {
    if (!link_) return fail("nftables was not prepared yet");
    const auto generation = link_->generation();
    const auto shape = link_->shape(table_);
    if (!generation || (!shape && shape.error() != ENOENT))
      return trouble("read", generation ? shape.error() : generation.error());
    if (!shape || *shape != shape_)
      return fail(
          fmt::format("the table inet {} was changed or flushed by another hand; its bans are put in again", table_));
    generation_ = *generation;
    return {};
  }

  Result<void> make_sets(std::span<const Ban> bans) {
    const size_t before = lengths_.size();
    for (const Ban& ban : bans) lengths_.insert(length_of(ban.network));
    if (lengths_.size() == before) return {};
    if (auto ok = unchanged(); !ok) return ok;  // else the flush would go unnoticed
    return write_structure();
  }

  // All in one transaction: what is there stays, but rules are written anew.
  std::string structure() const {
    std::string text = fmt::format("add table inet {0}\n", table_);
    for (const Length l : lengths_)
      text += fmt::format("add set inet {} {} {{ type {}; flags timeout; }}\n", table_, set_of(l),
                          l.v4 ? "ipv4_addr" : "ipv6_addr");
    text += fmt::format(
        "add chain inet {0} arriving {{ type filter hook prerouting priority raw; policy accept; }}\n"
        "add chain inet {0} banned\n"
        "flush chain inet {0} arriving\nflush chain inet {0} banned\n"
        "add rule inet {0} arriving {1}jump banned\n",
        table_, ports_.all ? "" : fmt::format("tcp dport {{ {} }} ", fmt::join(ports_.some, ", ")));
    for (const Length l : lengths_) {
      const bool whole = l.prefix == (l.v4 ? 32 : 128);
      text += fmt::format("add rule inet {} banned {} saddr {}@{} counter drop\n", table_, l.v4 ? "ip" : "ip6",
                          whole ? "" : fmt::format("& {} ", mask(l)), set_of(l));
    }
    return text;
  }

  Result<void> write_structure() {
    // The link is open, so netlink is there: libnftables would end the program without it.
    const std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)> nft(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
    if (!nft || nft_ctx_buffer_error(nft.get()) != 0 || nft_ctx_buffer_output(nft.get()) != 0)
      return fail("libnftables can't be started");
    if (nft_run_cmd_from_buffer(nft.get(), structure().c_str()) != 0) {
      const std::string_view said = nft_ctx_get_error_buffer(nft.get());
      return fail(
          fmt::format("nftables refuses the table inet {}: {} (if it is another program's, choose another "
                      "firewall.table; if an older mailward's: nft delete table inet {})",
                      table_, for_terminal(said.substr(0, said.find('\n'))), table_));
    }
    const auto generation = link_->generation();  // before the shape: a change between the two is noticed
    const auto shape = link_->shape(table_);
    if (!generation || !shape) return trouble("read", generation ? shape.error() : generation.error());
    if (shape->size() != 2 + 1 + lengths_.size())  // the table's two numbers, the jump, a rule a set
      return fail(fmt::format("the table inet {} is changed by another hand at this moment", table_));
    generation_ = *generation;
    shape_ = *shape;
    return {};
  }

  Result<void> trouble(std::string_view what, int error) const {
    return fail(fmt::format("nftables (table inet {}) can't be {}: {}{}", table_, what, std::strerror(error),
                            error == EPERM ? "; this needs root or CAP_NET_ADMIN" : ""));
  }

  const std::string table_;
  const Ports ports_;
  std::unique_ptr<NftLink> link_;
  std::set<Length> lengths_;
  uint32_t generation_ = 0;
  std::vector<uint64_t> shape_;  // empty: not prepared
};

}  // namespace

Result<std::unique_ptr<Firewall>> make_nftables(const FirewallConfig& config) {
  return std::make_unique<Nftables>(config);
}

}  // namespace mailward
