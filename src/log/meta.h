// Lines about the log itself: what it admits to have lost, and what it wrote short.
//
// A loss is believed only from a program that writes logs (rsyslogd, journald, syslogd …): a client
// whose text could end all sessions of a host would have a way to hide. Repetitions come under the
// daemon's own name. Meant for records that no rule explains; a few compares each.
#pragma once

#include <cstdint>
#include <string_view>

#include "log/record.h"

namespace mailward {

struct Meta {
  enum class Kind : uint8_t {
    kNone,
    kLoss,         // `count` messages are missing before this record (0: it doesn't say how many)
    kRepeatInner,  // rsyslog: "message repeated N times: [ … ]": `inner` stands for `count` more
    kRepeatLast,   // syslogd: "last message repeated N times": the record before stands for `count` more
  } kind = Kind::kNone;
  bool cut = false;  // kRepeatInner: the inner message may have been cut (rsyslog keeps 800 bytes of it)
  uint64_t count = 0;
  std::string_view inner;  // a view into the message
};

Meta classify(const Record& record);

}  // namespace mailward
