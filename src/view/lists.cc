#include "view/lists.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "view/sources.h"

namespace mailward {
namespace {

void put_address(std::string& out, Address address) {
  char text[64];
  out.append(text, format_address_to(address, text));
}

}  // namespace

void PlainView::source(SourceReport&& source) {
  if (!source.offender) return;
  put_address(out_.text(), source.address);
  out_.text() += '\n';
  out_.pass_on();
}

void CountsView::source(SourceReport&& source) {
  if (const uint64_t count = events_of(source, Severity::kHostile); count > 0) rows_.push_back({count, source.address});
}

void CountsView::end() {
  std::sort(rows_.begin(), rows_.end(),
            [](const Row& a, const Row& b) { return a.count != b.count ? a.count > b.count : a.address < b.address; });
  for (const Row& row : rows_) {
    fmt::format_to(std::back_inserter(out_.text()), "{} ", row.count);
    put_address(out_.text(), row.address);
    out_.text() += '\n';
    out_.pass_on();
  }
}

}  // namespace mailward
