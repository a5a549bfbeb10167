#include "log/zone.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/read_up_to.h"
#include "log/zone_rule.h"

namespace mailward {
namespace {

constexpr int kLastRuleYear = 2200;
constexpr size_t kMaxFile = 1 << 20;
constexpr int32_t kMaxOffset = 26 * 3600;  // RFC 8536 3.2 says less; more would break read_local
constexpr const char* kFolders[] = {"/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo",
                                    "/etc/zoneinfo"};

// Big-endian numbers of a TZif block; reading past the end gives zeros and is remembered.
class TzifReader {
 public:
  explicit TzifReader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t number(size_t width) {
    if (!has(width)) return 0;
    uint64_t value = 0;
    for (size_t i = 0; i < width; ++i) value = value << 8 | static_cast<uint8_t>(bytes_[at_ + i]);
    at_ += width;
    return value;
  }
  void skip(size_t n) {
    if (has(n)) at_ += n;
  }
  bool broken() const { return broken_; }
  std::string_view rest() const { return bytes_.substr(at_); }

 private:
  bool has(size_t n) {
    if (bytes_.size() - at_ < n) broken_ = true;
    return !broken_;
  }
  std::string_view bytes_;
  size_t at_ = 0;
  bool broken_ = false;
};

struct TzifHeader {
  int version = 0;
  size_t is_ut = 0, is_standard = 0, leaps = 0, times = 0, types = 0, chars = 0;
  bool good = false;
};

TzifHeader read_header(TzifReader& in) {
  TzifHeader h;
  h.good = in.number(4) == 0x545a6966;  // "TZif"
  h.version = static_cast<int>(in.number(1));
  in.skip(15);
  h.is_ut = in.number(4);
  h.is_standard = in.number(4);
  h.leaps = in.number(4);
  h.times = in.number(4);
  h.types = in.number(4);
  h.chars = in.number(4);
  const size_t all = h.is_ut | h.is_standard | h.leaps | h.times | h.types | h.chars;
  h.good = h.good && !in.broken() && all < kMaxFile && h.types > 0 && h.types <= 256;
  return h;
}

void skip_block(TzifReader& in, const TzifHeader& h, size_t width) {
  in.skip(h.times * (width + 1) + h.types * 6 + h.chars + h.leaps * (width + 4) + h.is_standard + h.is_ut);
}

std::optional<std::string> read_whole(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return read_up_to(in, kMaxFile);
}

// "+01:00", "-0330", "+02"
std::optional<int32_t> parse_offset(std::string_view text) {
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool west = text[0] == '-';
  std::string digits;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == ':' && i == 3 && text.size() == 6) continue;
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    digits += text[i];
  }
  if (digits.size() == 2) digits += "00";
  if (digits.size() != 4) return std::nullopt;
  const int hours = std::stoi(digits.substr(0, 2)), minutes = std::stoi(digits.substr(2));
  if (hours > 24 || minutes > 59) return std::nullopt;
  const int32_t seconds = hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

// The zone that a link into the zone files names ("../usr/share/zoneinfo/Europe/Berlin"); else the link's own name.
std::string name_of_link(const char* path) {
  constexpr std::string_view kFolder = "zoneinfo/";
  std::error_code trouble;
  const std::string target = std::filesystem::read_symlink(path, trouble).string();
  const size_t at = target.rfind(kFolder);
  if (trouble || at == std::string::npos || at + kFolder.size() == target.size()) return path;
  const std::string name = target.substr(at + kFolder.size());
  return name == "Etc/UTC" ? "UTC" : name;
}

bool is_file_name(std::string_view name) {
  if (name.empty() || name.size() > 200 || name.find("..") != std::string_view::npos) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+' || c == '.';
  });
}

}  // namespace

Zone::Zone() = default;

Result<Zone> Zone::from_tzif(std::string_view bytes, std::string name) {
  const auto broken = [&] {
    return fail(fmt::format("the zone file for \"{}\" is broken; install tzdata again", name));
  };
  TzifReader in(bytes);
  TzifHeader h = read_header(in);
  if (!h.good) return broken();
  size_t width = 4;
  if (h.version >= '2') {
    skip_block(in, h, 4);
    h = read_header(in);
    width = 8;
    if (!h.good) return broken();
  }
  if (in.rest().size() < h.times * (width + 1) + h.types * 6) return broken();

  Zone zone;
  zone.name_ = name;
  std::vector<int64_t> times(h.times);
  for (int64_t& t : times) {
    t = width == 8 ? static_cast<int64_t>(in.number(8)) : static_cast<int32_t>(static_cast<uint32_t>(in.number(4)));
  }
  std::vector<size_t> kinds(h.times);
  for (size_t& k : kinds) k = in.number(1);
  std::vector<int32_t> offsets(h.types);
  for (int32_t& offset : offsets) {
    offset = static_cast<int32_t>(static_cast<uint32_t>(in.number(4)));
    in.skip(2);
    if (offset < -kMaxOffset || offset > kMaxOffset) return broken();
  }
  in.skip(h.chars + h.leaps * (width + 4) + h.is_standard + h.is_ut);

  zone.first_offset_ = offsets[0];
  for (size_t i = 0; i < times.size(); ++i) {
    if (kinds[i] >= offsets.size() || (i > 0 && times[i] <= times[i - 1])) return broken();
    zone.add_change(times[i], offsets[kinds[i]]);
  }
  if (in.broken()) return broken();
  if (width == 8 && in.rest().starts_with('\n')) {
    std::string_view rule = in.rest().substr(1);
    rule = rule.substr(0, rule.find('\n'));
    if (!rule.empty() && !zone.follow_rule(rule)) return broken();
  }
  return zone;
}

void Zone::add_change(int64_t at, int32_t offset) {
  if (offset != (changes_.empty() ? first_offset_ : changes_.back().offset)) changes_.push_back({at, offset});
}

bool Zone::follow_rule(std::string_view text) {
  const auto rule = parse_zone_rule(text);
  if (!rule) return false;
  if (std::max(std::abs(rule->standard), std::abs(rule->summer)) > kMaxOffset) return false;
  const int64_t from = changes_.empty() ? INT64_MIN : changes_.back().at;
  if (changes_.empty()) first_offset_ = rule->standard;
  if (!rule->has_summer) return true;
  const int first_year =
      changes_.empty() ? 1970 : 1970 + static_cast<int>(std::clamp<int64_t>(from / 31556952, -200, 230));
  std::vector<Change> ahead;
  for (int year = first_year; year <= kLastRuleYear; ++year) {
    ahead.push_back({rule->begin_in(year), rule->summer});
    ahead.push_back({rule->end_in(year), rule->standard});
  }
  std::stable_sort(ahead.begin(), ahead.end(), [](const Change& a, const Change& b) { return a.at < b.at; });
  for (const Change& c : ahead) {
    if (c.at > from) add_change(c.at, c.offset);
  }
  return true;
}

Result<Zone> Zone::load(std::string_view name) {
  Zone zone;
  if (name == "UTC" || name == "GMT" || name == "Z") return zone;
  zone.name_ = name;
  if (const auto offset = parse_offset(name)) {
    zone.first_offset_ = *offset;
    return zone;
  }
  std::vector<std::string> folders(std::begin(kFolders), std::end(kFolders));
  if (const char* own = std::getenv("TZDIR")) folders.insert(folders.begin(), own);
  if (is_file_name(name)) {
    for (const std::string& folder : folders) {
      if (const auto bytes = read_whole(name[0] == '/' ? std::string(name) : fmt::format("{}/{}", folder, name))) {
        if (bytes->starts_with("TZif")) return from_tzif(*bytes, std::string(name));
      }
    }
  }
  if (zone.follow_rule(name)) return zone;
  const bool any_folder = std::any_of(folders.begin(), folders.end(),
                                      [](const std::string& folder) { return std::ifstream(folder + "/UTC").good(); });
  const std::string hint = any_folder ? "" : " (the zone files are missing here: install tzdata)";
  return fail(fmt::format("unknown time zone \"{}\"{}; write a name such as Europe/Berlin, or an offset such as +01:00",
                          name, hint));
}

Result<Zone> Zone::system() {
  if (const char* tz = std::getenv("TZ"); tz != nullptr) {
    std::string_view name = tz;
    if (name.starts_with(':')) name.remove_prefix(1);
    if (name.empty()) return Zone{};
    return load(name);
  }
  if (const auto bytes = read_whole("/etc/localtime"); bytes && bytes->starts_with("TZif")) {
    return from_tzif(*bytes, name_of_link("/etc/localtime"));
  }
  return Zone{};
}

size_t Zone::index_at(int64_t utc_seconds) const {
  const auto after = std::upper_bound(changes_.begin(), changes_.end(), utc_seconds,
                                      [](int64_t t, const Change& c) { return t < c.at; });
  return static_cast<size_t>(after - changes_.begin());
}

ZoneSpan Zone::span(size_t index) const {
  ZoneSpan s;
  s.offset = index == 0 ? first_offset_ : changes_[index - 1].offset;
  if (index > 0) s.begin = changes_[index - 1].at;
  if (index < changes_.size()) s.end = changes_[index].at;
  return s;
}

ZoneSpan Zone::span_at(int64_t utc_seconds) const { return span(index_at(utc_seconds)); }

LocalReading Zone::read_local(int64_t local_seconds) const {
  LocalReading reading;
  bool found = false;
  const size_t last = index_at(local_seconds + kMaxOffset);
  for (size_t i = index_at(local_seconds - kMaxOffset); i <= last; ++i) {
    const ZoneSpan s = span(i);
    const int64_t utc = local_seconds - s.offset;
    if (utc < s.begin || utc >= s.end) continue;
    if (!found) reading.early = utc;
    reading.late = utc;
    if (found) reading.kind = LocalReading::Kind::kTwice;
    found = true;
  }
  if (found) return reading;
  reading.kind = LocalReading::Kind::kNever;
  for (size_t i = index_at(local_seconds - kMaxOffset); i < last; ++i) {
    const ZoneSpan before = span(i);
    if (local_seconds >= before.end + before.offset && local_seconds < before.end + span(i + 1).offset) {
      reading.early = reading.late = local_seconds - before.offset;
      return reading;
    }
  }
  reading.early = reading.late = local_seconds - span(last).offset;
  return reading;
}

}  // namespace mailward
