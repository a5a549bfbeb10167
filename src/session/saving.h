// What reading a log leaves behind, as bytes: open sessions, events that wait, the line that the next may repeat.
// A tracker and a line reader that were restored go on as those that were saved would have: the daemon keeps this
// with the position behind the last line (docs/reliability.md).
//
// Only between two batches, and in order (Tracker::Mode::kInOrder). What is restored is checked: bytes that are
// not whole are refused, and nothing is changed then. Sessions are known by numbers that the rules give their
// programs: the caller sees to it that the rules are those of the time of saving.
#pragma once

#include "base/encoding.h"
#include "base/event.h"

namespace mailward {

// An event with its texts. `texts` gets what the event's views point to; it must not move afterwards.
void save_event(const Event& event, Encoder& out);
Event restore_event(Decoder& in, std::string& texts);

}  // namespace mailward
