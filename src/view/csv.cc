#include "view/csv.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/text.h"
#include "view/sources.h"

namespace mailward {
namespace {

// Kinds that `sources` tells of: no frames, nothing that is no event of anybody's.
bool has_column(EventKind kind) { return kind != EventKind::kNone && kind != EventKind::kAmbiguous && !is_frame(kind); }

template <class List>
std::string joined(const List& texts) {
  return fmt::format("{}", fmt::join(texts, " "));
}

// The cell's own separator in a name is doubled: then a lone one always stands between two names.
std::string name_in_cell(std::string_view name) {
  std::string text;
  for (const char c : name) text.append(c == ';' ? 2 : 1, c);
  return text;
}

std::string users_cell(const SourceReport& source) {
  std::string cell;
  for (const auto& [name, count] : users_of(source)) {
    if (!cell.empty()) cell += "; ";
    cell += name_in_cell(name);
    cell += fmt::format(" {}", count);
  }
  return cell;
}

}  // namespace

void CsvView::begin(const ReportHead&) {
  std::string& text = out_.text();
  text += "address,offender,policies,networks,first,last";
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    if (!has_column(static_cast<EventKind>(kind))) continue;
    text += ',';
    text += kEventKindInfo[kind].name;
  }
  text += ",users\n";
}

void CsvView::source(SourceReport&& source) {
  std::string& text = out_.text();
  text += format_address(source.address);
  text += source.offender ? ",yes," : ",no,";
  text += for_csv(joined(source.policies)) + ',' + for_csv(joined(source.networks)) + ',';
  text += format_instant(source.first, false) + ',' + format_instant(source.last, false);
  for (size_t kind = 0; kind < kEventKinds; ++kind) {
    if (has_column(static_cast<EventKind>(kind))) text += fmt::format(",{}", source.events[kind]);
  }
  text += ',' + for_csv(users_cell(source)) + '\n';
  out_.pass_on();
}

}  // namespace mailward
