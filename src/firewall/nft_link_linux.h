// The few questions and orders about elements that nftables gets often, straight over netlink (libmnl): libnftables
// would read all bans of the host for them, as text (docs/firewalls.md has the figures). The kernel's side is
// linux/netfilter/nf_tables.h; every number here is a host's, byte orders are turned inside.
//
// Failures are errno values: ENOENT (table or set is gone), ERESTART (another hand changed nftables since).
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct mnl_socket;

namespace mailward {

template <class T>
using NftResult = std::expected<T, int>;

struct NftElement {
  std::array<uint8_t, 16> key{};  // in network order; an IPv4 address is the first four
  uint8_t size = 0;               // of the key: 4 or 16
  uint64_t timeout_ms = 0;        // given: until it ends; read: what is left. 0: never
};

class NftLink {
 public:
  static NftResult<NftLink> open();

  // One transaction, at most kMost elements: all or none, and only if nftables is at `generation`.
  // put_in: what is there gets the new timeout. take_out: what isn't there is fine.
  static constexpr size_t kMost = 512;
  NftResult<void> put_in(const std::string& table, const std::string& set, std::span<const NftElement> elements,
                         uint32_t generation);
  NftResult<void> take_out(const std::string& table, const std::string& set, std::span<const NftElement> elements,
                           uint32_t generation);

  // How often nftables was changed on this host, by anybody; each transaction adds one.
  NftResult<uint32_t> generation();

  NftResult<std::vector<std::string>> sets(const std::string& table);
  NftResult<std::vector<NftElement>> elements(const std::string& table, const std::string& set);

  // Numbers that stay the same as long as nobody but for elements touches the table: its own and its rules'
  // handles, which the kernel never gives twice, and its flags (`dormant`).
  NftResult<std::vector<uint64_t>> shape(const std::string& table);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const;
  };
  template <class Each>
  NftResult<void> ask(int type, int flags, const std::string& table, const std::string& set, Each each);
  NftResult<void> send_batch(const std::vector<char>& bytes);

  std::unique_ptr<mnl_socket, Close> socket_;
  uint32_t sequence_ = 0;
};

}  // namespace mailward
