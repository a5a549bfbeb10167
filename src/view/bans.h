// Lists of bans: for eyes, for programs (docs/formats.md).
#pragma once

#include <string_view>
#include <vector>

#include "ledger/ledger.h"
#include "view/output.h"
#include "view/screen.h"

namespace mailward {

struct BansView {
  Screen screen;
  LocalTime time;
  Instant now;
  bool all = false;  // past ones are among them: a column says how each stands
};

// `rows` sorted by network, then by beginning.
void put_bans_table(const std::vector<BanRow>& rows, const BansView& how, Output& out);
void put_bans_plain(const std::vector<BanRow>& rows, Output& out);
void put_bans_json(const std::vector<BanRow>& rows, Output& out);
void put_bans_csv(const std::vector<BanRow>& rows, Output& out);

// One address as an address, a network as a prefix.
std::string address_of(const Network& network);

}  // namespace mailward
