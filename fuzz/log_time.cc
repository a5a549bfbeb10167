// The time resolver: a walk of stamps through a zone that the input makes up, each step with and
// without the fold's memory. And the readers of zones: files and rules.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "log/stamp.h"
#include "log/time_fold.h"
#include "log/zone.h"

using namespace mailward;

namespace {

const Zone& zone_of(uint8_t choice) {
  static const Zone zones[] = {Zone(), Zone::load("CET-1CEST,M3.5.0,M10.5.0/3").value_or(Zone()),
                               Zone::load("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0").value_or(Zone()),
                               Zone::load("EST5EDT,M3.2.0,M11.1.0").value_or(Zone()),
                               Zone::load("-0330").value_or(Zone())};
  return zones[choice % 5];
}

// A stamp that is read has fields in range and lies within the text.
void read_as_stamp(std::string_view text) {
  for (const auto parse :
       {parse_traditional_stamp, parse_iso_stamp, parse_unix_stamp, parse_full_stamp, parse_tai64_stamp}) {
    Stamp s;
    const size_t n = parse(text, s);
    if (n == 0) continue;
    const bool in_range = s.month >= 1 && s.month <= 12 && s.day >= 1 && s.day <= 31 && s.hour < 24 && s.minute < 60 &&
                          s.second <= 60 && s.micros >= 0 && s.micros < 1'000'000;
    if (n > text.size() || !in_range || !has_time(resolve_stamp(zone_of(1), s, kNoInstant, 2026))) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_as_stamp(bytes);
  if (data[0] == 'T') {
    const auto zone = Zone::from_tzif(bytes, "fuzz");
    if (!zone) return 0;
    for (int64_t t = -5'000'000'000; t < 8'000'000'000; t += 100'000'007) {
      const ZoneSpan span = zone->span_at(t);
      if (t < span.begin || t >= span.end) std::abort();
      const LocalReading r = zone->read_local(t + span.offset);
      if (r.early > r.late) std::abort();
    }
    return 0;
  }
  if (data[0] == 'R') {
    (void)Zone::load(bytes.substr(1));
    return 0;
  }
  const Zone& zone = zone_of(data[1]);
  const int base = 1971 + (data[2] | data[3] << 8) % 228;
  TimeFold fold(zone, base);
  Instant plain = kNoInstant;
  for (size_t i = 4; i + 6 <= size; i += 6) {
    Stamp s;
    s.year = (data[i] & 0x70) == 0 ? static_cast<int16_t>(1970 + data[i] * 7 % 230) : int16_t{0};
    s.month = static_cast<uint8_t>(1 + data[i + 1] % 12);
    s.day = static_cast<uint8_t>(1 + data[i + 2] % 31);
    s.hour = data[i + 3] % 24;
    s.minute = data[i + 4] % 60;
    s.second = data[i + 5] % 61;
    s.has_offset = (data[i] & 0x80) != 0;
    s.offset = s.has_offset ? (data[i + 5] - 128) * 900 : 0;
    plain = resolve_stamp(zone, s, plain, base);
    if (fold.resolve(s) != plain || fold.previous() != plain || !has_time(plain)) std::abort();
  }
  return 0;
}
