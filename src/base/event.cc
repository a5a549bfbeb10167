#include "base/event.h"

namespace mailward {

std::optional<EventKind> parse_event_kind(std::string_view name) {
  for (size_t i = 0; i < kEventKinds; ++i)
    if (kEventKindInfo[i].name == name) return static_cast<EventKind>(i);
  return std::nullopt;
}

}  // namespace mailward
