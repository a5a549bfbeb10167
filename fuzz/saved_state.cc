// Bytes that the daemon's parts give each other, and that the ledger gives back: a reader that was taken over, or a
// damaged file, may hold anything. They must be refused, or give something that can be saved and read again.
#include <cstdint>
#include <string_view>
#include <vector>

#include "daemon/protocol.h"
#include "daemon/requests.h"
#include "ledger/memory_bytes.h"
#include "log/follow/position.h"
#include "session/helpers.h"
#include "session/tracker.h"

using namespace mailward;

namespace {

void events(std::string_view bytes) {
  Decoder in(bytes);
  std::vector<Event> all;
  while (!in.finished() && in.good() && all.size() < 1000) all.push_back(read_event(in));
  if (!in.good()) return;
  Encoder out;
  for (const Event& e : all) write_event(e, out);
  const std::string again = out.take();
  Decoder second(again);
  for (const Event& e : all) {
    const Event same = read_event(second);
    if (same.kind != e.kind || same.address != e.address || same.time != e.time || same.user() != e.user())
      __builtin_trap();
  }
  Helpers helpers;
  helpers.pass(all, [](std::span<const Event>) {});
}

void messages(std::string_view bytes) {
  Decoder mark(bytes), health(bytes), network(bytes), series(bytes), journal(bytes);
  (void)read_mark(mark);
  (void)read_health(health);
  const Network n = read_network(network);
  if (network.good() && network_of(n.address, n.prefix, n.prefix) != n) __builtin_trap();
  std::vector<Descriptor> none;
  Series files;
  JournalFiles entries;
  (void)read_series(series, none, files);
  (void)read_journal_files(journal, none, entries);
}

void states(std::string_view bytes) {
  Tracker tracker({}, Tracker::Mode::kInOrder);
  if (Decoder in(bytes); tracker.restore(in) && in.good()) {
    Encoder out;
    tracker.save(out);
    Batch batch;
    tracker.finish(batch);
  }
  Helpers helpers;
  if (Decoder in(bytes); helpers.restore(in)) helpers.finish([](std::span<const Event>) {});
  Memory memory;
  if (decode_memory(bytes, memory)) {
    Memory again;
    if (!decode_memory(encode_memory(memory), again)) __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      events(bytes);
      break;
    case 1:
      messages(bytes);
      break;
    case 2:
      states(bytes);
      break;
    default:
      if (const auto position = position_from_text(bytes); position && !position_from_text(to_text(*position)))
        __builtin_trap();
      if (const auto request = parse_request(bytes); request && !parse_request(format_request(*request)))
        __builtin_trap();
  }
  return 0;
}
