// Telling the service manager how it stands: sd_notify(3)'s protocol, which is a datagram to a socket, spoken without
// its library so that it is the same everywhere.
#pragma once

#include <chrono>
#include <string_view>

#include "base/descriptor.h"

namespace mailward {

class Notify {
 public:
  // From NOTIFY_SOCKET and WATCHDOG_USEC; neither is there: silent.
  Notify();
  void say(std::string_view text) const;
  // How often "WATCHDOG=1" is expected at least; zero: never.
  std::chrono::microseconds watchdog() const { return watchdog_; }

 private:
  Descriptor socket_;
  std::chrono::microseconds watchdog_{0};
};

}  // namespace mailward
