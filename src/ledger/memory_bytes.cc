#include "ledger/memory_bytes.h"

#include "base/encoding.h"

namespace mailward {
namespace {

constexpr uint64_t kVersion = 1;
constexpr uint64_t kUnknown = 1, kSum = 2, kUntimedFlag = 4, kHasUser = 8;

void encode(const Mark& m, int64_t before, Encoder& out) {
  const bool untimed = m.time == kUntimed;
  out.number(m.source);
  out.number(static_cast<uint64_t>(m.kind) << 4 | m.unknown_user * kUnknown | m.sum * kSum | untimed * kUntimedFlag |
             (m.user != 0) * kHasUser);
  if (!untimed) out.integer(m.time - before);
  if (m.user != 0) out.fixed(m.user, 4);
  out.number(m.weight);
  out.number(m.domain);
  out.number(m.spared);
}

Mark decode_mark(Decoder& in, int64_t before, size_t sources) {
  Mark m;
  m.source = static_cast<uint32_t>(in.number(sources == 0 ? 0 : sources - 1));
  if (sources == 0) in.fault();
  const uint64_t what = in.number(kEventKinds * 16 - 1);
  m.kind = static_cast<EventKind>(what >> 4);
  m.unknown_user = (what & kUnknown) != 0;
  m.sum = (what & kSum) != 0;
  if (!(what & kUntimedFlag))
    m.time = static_cast<int64_t>(static_cast<uint64_t>(before) + static_cast<uint64_t>(in.integer()));
  if (what & kHasUser) m.user = static_cast<uint32_t>(in.fixed(4));
  m.weight = static_cast<uint32_t>(in.number(UINT32_MAX));
  m.domain = static_cast<uint16_t>(in.number(UINT16_MAX));
  m.spared = static_cast<uint8_t>(in.number(UINT8_MAX));
  return m;
}

}  // namespace

std::string encode_memory(const Memory& memory) {
  Encoder out;
  out.number(kVersion);
  out.number(uint64_t{memory.owned} | uint64_t{memory.suspect} << 1);
  out.time(memory.over);
  out.time(memory.pardoned);
  out.number(memory.tidy_at);
  out.number(memory.sources.size());
  for (const Memory::Known& k : memory.sources) {
    out.address(k.address);
    out.number(k.broken);
    out.number(k.settled);
  }
  out.number(memory.marks.size());
  int64_t before = 0;
  for (const Mark& m : memory.marks) {
    encode(m, before, out);
    if (m.time != kUntimed) before = m.time;
  }
  out.number(memory.breaches.size());
  for (const KnownBreach& b : memory.breaches) {
    out.number(b.source);
    out.number(b.rule);
    out.fixed(b.user, 4);
  }
  out.number(memory.bans.size());
  for (const LiveBan& b : memory.bans) {
    out.address(b.network.address);
    out.number(static_cast<uint64_t>(b.network.prefix));
    out.number(b.policy);
    out.time(b.since);
    out.time(b.until);
    out.number(b.count);
    out.number(b.nth);
  }
  return out.take();
}

bool decode_memory(std::string_view bytes, Memory& memory) {
  Decoder in(bytes);
  memory = {};
  if (in.number() != kVersion) return false;
  const uint64_t flags = in.number(3);
  memory.owned = flags & 1;
  memory.suspect = flags >> 1;
  memory.over = in.time();
  memory.pardoned = in.time();
  memory.tidy_at = static_cast<uint32_t>(in.number(UINT32_MAX));
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) {
    const Address a = in.address();
    const auto broken = static_cast<uint32_t>(in.number(UINT32_MAX));
    memory.sources.push_back({a, broken, static_cast<uint32_t>(in.number(UINT32_MAX))});
  }
  int64_t before = 0;
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) {
    memory.marks.push_back(decode_mark(in, before, memory.sources.size()));
    if (memory.marks.back().time != kUntimed) before = memory.marks.back().time;
  }
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) {
    const auto source = static_cast<uint32_t>(in.number(UINT32_MAX));
    const auto rule = static_cast<uint32_t>(in.number(kMostPolicies - 1));
    if (source >= memory.sources.size()) in.fault();
    memory.breaches.push_back({source, rule, static_cast<uint32_t>(in.fixed(4))});
  }
  for (uint64_t n = in.count(); n > 0 && in.good(); --n) {
    LiveBan b;
    b.network.address = in.address();
    b.network.prefix = static_cast<int>(in.number(b.network.address.is_v4() ? 32 : 128));
    b.policy = static_cast<uint32_t>(in.number(kNoPolicy));
    b.since = in.time();
    b.until = in.time();
    b.count = in.number();
    b.nth = static_cast<uint32_t>(in.number(UINT32_MAX));
    memory.bans.push_back(b);
  }
  return in.finished();
}

}  // namespace mailward
