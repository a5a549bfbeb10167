// Addresses and networks that are never offenders (--ignore, [judge] ignore). Built once, then read
// by any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace mailward {

class IgnoreList {
 public:
  void add(const Network& network);

  // An address, a network, or a file that has one a line (`#` starts a comment). A network may have
  // bits right of its prefix only if that is a mistake: it is refused.
  Result<void> add(std::string_view address_network_or_file);

  // The widest entry that holds the address; nothing: not ignored.
  std::optional<Network> find(Address a) const;

  // All entries, in no order.
  std::vector<Network> networks() const;

 private:
  Result<void> add_file(const std::string& path);

  // One set for each length of prefix in use, widest first: a look-up costs as many probes.
  struct Length {
    bool v4;
    int prefix;
    std::unordered_set<Address> networks;
  };
  std::vector<Length> lengths_;
};

}  // namespace mailward
