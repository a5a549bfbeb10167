#include "firewall/nft_link_linux.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mailward {
namespace {

constexpr int kSubsystem = NFNL_SUBSYS_NFTABLES << 8;
constexpr size_t kReceived = 65536;  // libmnl's and the kernel's largest piece of a dump is below
// A transaction: three messages of at most kMost elements, each in 40 bytes, and their heads. Below the smallest
// send buffer that kernels give without being asked (net.core.wmem_default is 208 KB).
constexpr size_t kBatch = 3 * (NftLink::kMost * 48 + 256) + 256;

nlmsghdr* put_header(char* at, int type, int flags, uint32_t sequence, uint8_t family, uint16_t resource) {
  nlmsghdr* message = mnl_nlmsg_put_header(at);
  message->nlmsg_type = static_cast<uint16_t>(type);
  message->nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  message->nlmsg_seq = sequence;
  auto* head = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  head->nfgen_family = family;
  head->version = NFNETLINK_V0;
  head->res_id = htons(resource);
  return message;
}

// The messages of one transaction, one behind the other.
class Batch {
 public:
  Batch(uint32_t sequence, uint32_t generation) : bytes_(kBatch), sequence_(sequence) {
    nlmsghdr* begin = put_header(bytes_.data(), NFNL_MSG_BATCH_BEGIN, 0, sequence_, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
    mnl_attr_put_u32(begin, NFNL_BATCH_GENID, htonl(generation));
    used_ = begin->nlmsg_len;
  }

  void add(int type, const std::string& table, const std::string& set, std::span<const NftElement> elements) {
    const int flags = NLM_F_ACK | (type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0);
    nlmsghdr* message = put_header(bytes_.data() + used_, kSubsystem | type, flags, sequence_, NFPROTO_INET, 0);
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, table.c_str());
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set.c_str());
    nlattr* list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    for (const NftElement& e : elements) {
      nlattr* element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
      nlattr* key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
      mnl_attr_put(message, NFTA_DATA_VALUE, e.size, e.key.data());
      mnl_attr_nest_end(message, key);
      if (type == NFT_MSG_NEWSETELEM && e.timeout_ms > 0)
        mnl_attr_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(e.timeout_ms));
      mnl_attr_nest_end(message, element);
    }
    mnl_attr_nest_end(message, list);
    used_ += message->nlmsg_len;
  }

  std::vector<char> finished() {
    used_ +=
        put_header(bytes_.data() + used_, NFNL_MSG_BATCH_END, 0, sequence_, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
    bytes_.resize(used_);
    return std::move(bytes_);
  }

 private:
  std::vector<char> bytes_;
  size_t used_ = 0;
  uint32_t sequence_;
};

// libmnl's own loops are C only.
template <class Each>
void each_attribute(const void* begin, const void* end, Each each) {
  const auto left = [&](const nlattr* attr) {
    return static_cast<int>(static_cast<const char*>(end) - reinterpret_cast<const char*>(attr));
  };
  for (const auto* attr = static_cast<const nlattr*>(begin); mnl_attr_ok(attr, left(attr)); attr = mnl_attr_next(attr))
    each(attr);
}

template <class Each>
void each_nested(const nlattr* nest, Each each) {
  const auto* begin = static_cast<const char*>(mnl_attr_get_payload(nest));
  each_attribute(begin, begin + mnl_attr_get_payload_len(nest), each);
}

// An attribute of a message, of a nest; one that is too short counts as absent.
const nlattr* find(const nlmsghdr* message, uint16_t type, size_t least) {
  const nlattr* found = nullptr;
  each_attribute(mnl_nlmsg_get_payload_offset(message, sizeof(nfgenmsg)), mnl_nlmsg_get_payload_tail(message),
                 [&](const nlattr* attr) {
                   if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) >= least) found = attr;
                 });
  return found;
}

const nlattr* find(const nlattr* nest, uint16_t type) {
  const nlattr* found = nullptr;
  each_nested(nest, [&](const nlattr* attr) {
    if (mnl_attr_get_type(attr) == type) found = attr;
  });
  return found;
}

std::string text_of(const nlattr* attr) {
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attr));
  return {text, strnlen(text, mnl_attr_get_payload_len(attr))};
}

uint64_t number_of(const nlattr* attr) { return be64toh(mnl_attr_get_u64(attr)); }

bool read_element(const nlattr* from, NftElement& e) {
  const nlattr* key = find(from, NFTA_SET_ELEM_KEY);
  const nlattr* value = key != nullptr ? find(key, NFTA_DATA_VALUE) : nullptr;
  if (value == nullptr) return false;
  const size_t size = mnl_attr_get_payload_len(value);
  if (size != 4 && size != 16) return false;
  std::memcpy(e.key.data(), mnl_attr_get_payload(value), size);
  e.size = static_cast<uint8_t>(size);
  if (const nlattr* left = find(from, NFTA_SET_ELEM_EXPIRATION); left && mnl_attr_get_payload_len(left) >= 8)
    e.timeout_ms = std::max<uint64_t>(number_of(left), 1);
  return true;
}

}  // namespace

void NftLink::Close::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

NftResult<NftLink> NftLink::open() {
  NftLink link;
  link.socket_.reset(mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC));
  if (!link.socket_ || mnl_socket_bind(link.socket_.get(), 0, MNL_SOCKET_AUTOPID) < 0) return std::unexpected(errno);
  int on = 1;  // an error comes without the message that it is about
  mnl_socket_setsockopt(link.socket_.get(), NETLINK_CAP_ACK, &on, sizeof on);
  return link;
}

// nftables has no "put in or change" for elements (since Linux 6.12 it has, before that the old timeout stays
// without an error) and none for "take out if there" (since 6.3). Added, taken out and added again in one
// transaction is both, on every kernel: packets see the state before or the one behind it.
NftResult<void> NftLink::put_in(const std::string& table, const std::string& set, std::span<const NftElement> elements,
                                uint32_t generation) {
  Batch batch(++sequence_, generation);
  for (const int type : {NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM, NFT_MSG_NEWSETELEM})
    batch.add(type, table, set, elements);
  return send_batch(batch.finished());
}

NftResult<void> NftLink::take_out(const std::string& table, const std::string& set,
                                  std::span<const NftElement> elements, uint32_t generation) {
  Batch batch(++sequence_, generation);
  for (const int type : {NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM}) batch.add(type, table, set, elements);
  return send_batch(batch.finished());
}

// The kernel has done all of it and queued its answers when send() returns: none is waited for.
NftResult<void> NftLink::send_batch(const std::vector<char>& bytes) {
  if (mnl_socket_sendto(socket_.get(), bytes.data(), bytes.size()) < 0) return std::unexpected(errno);
  bool answered = false;
  int first_error = 0;
  alignas(nlmsghdr) char answers[kReceived];
  for (;;) {
    const ssize_t n = ::recv(mnl_socket_get_fd(socket_.get()), answers, sizeof answers, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;
    int left = static_cast<int>(n);
    for (auto* m = reinterpret_cast<nlmsghdr*>(answers); mnl_nlmsg_ok(m, left); m = mnl_nlmsg_next(m, &left)) {
      if (m->nlmsg_seq != sequence_ || m->nlmsg_type != NLMSG_ERROR || mnl_nlmsg_get_payload_len(m) < sizeof(int))
        continue;
      answered = true;
      if (const int error = *static_cast<const int*>(mnl_nlmsg_get_payload(m)); first_error == 0) first_error = -error;
    }
  }
  if (first_error != 0) return std::unexpected(first_error);
  if (!answered) return std::unexpected(EPROTO);
  return {};
}

template <class Each>
NftResult<void> NftLink::ask(int type, int flags, const std::string& table, const std::string& set, Each each) {
  const auto call = [](const nlmsghdr* message, void* data) {
    if (message->nlmsg_len >= sizeof(nlmsghdr) + sizeof(nfgenmsg)) (*static_cast<Each*>(data))(message);
    return MNL_CB_OK;
  };
  char request[512];
  nlmsghdr* message = put_header(request, kSubsystem | type, flags, ++sequence_, NFPROTO_INET, 0);
  // A table is named by the first attribute in every one of these messages, a set by the second.
  static_assert(NFTA_TABLE_NAME == 1 && NFTA_RULE_TABLE == 1 && NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1);
  static_assert(NFTA_SET_ELEM_LIST_SET == 2);
  if (!table.empty()) mnl_attr_put_strz(message, NFTA_TABLE_NAME, table.c_str());
  if (!set.empty()) mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set.c_str());
  if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) return std::unexpected(errno);
  alignas(nlmsghdr) char answer[kReceived];
  for (int state = MNL_CB_OK; state > MNL_CB_STOP;) {
    const ssize_t n = mnl_socket_recvfrom(socket_.get(), answer, sizeof answer);
    if (n < 0) return std::unexpected(errno);
    state = mnl_cb_run(answer, static_cast<size_t>(n), sequence_, mnl_socket_get_portid(socket_.get()), call, &each);
    if (state < 0) return std::unexpected(errno);
  }
  return {};
}

NftResult<uint32_t> NftLink::generation() {
  uint32_t generation = 0;
  const auto done = ask(NFT_MSG_GETGEN, NLM_F_ACK, {}, {}, [&](const nlmsghdr* m) {
    if (const nlattr* id = find(m, NFTA_GEN_ID, 4)) generation = ntohl(mnl_attr_get_u32(id));
  });
  if (!done) return std::unexpected(done.error());
  return generation;
}

NftResult<std::vector<std::string>> NftLink::sets(const std::string& table) {
  std::vector<std::string> names;
  const auto done = ask(NFT_MSG_GETSET, NLM_F_DUMP, table, {}, [&](const nlmsghdr* m) {
    if (const nlattr* name = find(m, NFTA_SET_NAME, 1)) names.push_back(text_of(name));
  });
  if (!done) return std::unexpected(done.error());
  return names;
}

NftResult<std::vector<NftElement>> NftLink::elements(const std::string& table, const std::string& set) {
  std::vector<NftElement> all;
  const auto done = ask(NFT_MSG_GETSETELEM, NLM_F_DUMP, table, set, [&](const nlmsghdr* m) {
    const nlattr* list = find(m, NFTA_SET_ELEM_LIST_ELEMENTS, 0);
    if (list == nullptr) return;
    each_nested(list, [&](const nlattr* element) {
      if (NftElement e; read_element(element, e)) all.push_back(e);
    });
  });
  if (!done) return std::unexpected(done.error());
  return all;
}

NftResult<std::vector<uint64_t>> NftLink::shape(const std::string& table) {
  std::vector<uint64_t> numbers;
  auto done = ask(NFT_MSG_GETTABLE, NLM_F_ACK, table, {}, [&](const nlmsghdr* m) {
    if (const nlattr* handle = find(m, NFTA_TABLE_HANDLE, 8)) numbers.push_back(number_of(handle));
    if (const nlattr* flags = find(m, NFTA_TABLE_FLAGS, 4)) numbers.push_back(ntohl(mnl_attr_get_u32(flags)));
  });
  if (done) {
    done = ask(NFT_MSG_GETRULE, NLM_F_DUMP, table, {}, [&](const nlmsghdr* m) {
      if (const nlattr* handle = find(m, NFTA_RULE_HANDLE, 8)) numbers.push_back(number_of(handle));
    });
  }
  if (!done) return std::unexpected(done.error());
  return numbers;
}

}  // namespace mailward
