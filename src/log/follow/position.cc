#include "log/follow/position.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "log/follow/reading.h"

namespace mailward {
namespace {

constexpr std::string_view kForm = "p1";

std::string place_text(const Place& p) {
  return fmt::format(" {:x} {:x} {:x} {:x} {:x} {:x} {:x}", p.device, p.inode, p.offset, p.lines,
                     static_cast<uint64_t>(p.modified_ns), p.head, p.tail);
}

// Words of hexadecimal digits with one blank between them.
class Words {
 public:
  explicit Words(std::string_view text) : rest_(text) {}
  std::string_view word() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    const std::string_view w = rest_.substr(0, end);
    const bool blank = end < rest_.size();
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    // A blank at the end is one too many.
    good_ = good_ && !w.empty() && !(rest_.empty() && blank);
    return w;
  }
  uint64_t number(uint64_t most = UINT64_MAX) {
    const std::string_view w = word();
    uint64_t v = 0;
    const auto [end, error] = std::from_chars(w.data(), w.data() + w.size(), v, 16);
    good_ = good_ && error == std::errc() && end == w.data() + w.size() && v <= most;
    return good_ ? v : 0;
  }
  Place place() {
    Place p;
    for (uint64_t* field : {&p.device, &p.inode, &p.offset, &p.lines}) *field = number();
    p.modified_ns = static_cast<int64_t>(number());
    p.head = number();
    p.tail = number();
    return p;
  }
  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::string to_text(const Position& position) {
  std::string text = fmt::format("{} {:x} {:x}", kForm, position.key, position.begun ? 1 : 0);
  text += place_text(position.at);
  text += fmt::format(" {:x}", position.earlier.size());
  for (const Place& p : position.earlier) text += place_text(p);
  text += fmt::format(" {:x} {:x}", position.trail_bytes, position.trail.size());
  for (const uint32_t hash : position.trail) text += fmt::format(" {:x}", hash);
  return text;
}

Result<Position> position_from_text(std::string_view text) {
  Words words(text);
  const bool known = words.word() == kForm;
  Position p;
  p.key = words.number();
  p.begun = words.number(1) == 1;
  p.at = words.place();
  const uint64_t earlier = words.number(Position::kEarlier);
  for (uint64_t i = 0; i < earlier && words.good(); ++i) p.earlier.push_back(words.place());
  p.trail_bytes = words.number(Position::kTrail);
  const uint64_t trail = words.number(Position::kTrailLines);
  for (uint64_t i = 0; i < trail && words.good(); ++i)
    p.trail.push_back(static_cast<uint32_t>(words.number(UINT32_MAX)));
  if (!known || !words.good() || !words.at_end() || p.trail_bytes > p.at.offset) {
    return fail("a stored position in a log can't be read: it is damaged, or of another version of mailward");
  }
  return p;
}

bool matches(int descriptor, const Position& position) {
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return false;
  Result<Reading> reading = Reading::open(Descriptor(own), "", false);
  return reading && reading->place(position.at, position.key) == Reading::Found::kHere;
}

}  // namespace mailward
