#include "log/limits.h"

#include <algorithm>

namespace mailward {
namespace {

constexpr size_t kSmallest = 900;  // below, only busybox and Exim cut
constexpr size_t kLimits[] = {1024, 2000, 2048, 8096, 8192, 49152, 65536};
constexpr size_t kSlack = 5;  // "<191>", or a terminator that a limit counts

bool limit_between(size_t message, size_t line) {
  return std::any_of(std::begin(kLimits), std::end(kLimits),
                     [&](size_t limit) { return message <= limit && limit <= line + kSlack; });
}

// "host mail.info tag[1]: ": a word between host and program.
bool is_busybox(const Record& r) {
  if (r.origin != nullptr || r.host.empty() || r.program.empty()) return false;
  const auto gap = r.program.data() - (r.host.data() + r.host.size());
  return gap > 1 && gap < 24;
}

// "[1/3] …": Exim's first piece of a long entry.
bool is_exim_piece(std::string_view message) { return message.starts_with("[1/") && message.find("] ") < 9; }

}  // namespace

bool at_cut_length(const Record& r) {
  if (r.length >= kSmallest || r.message.size() >= kSmallest)
    return limit_between(r.message.size(), std::max<size_t>(r.length, r.message.size())) || is_exim_piece(r.message);
  if (r.length >= 200 && r.length <= 320 && is_busybox(r)) return r.message.size() <= 256 && r.length + kSlack >= 250;
  return r.length >= 800 && is_exim_piece(r.message);
}

}  // namespace mailward
