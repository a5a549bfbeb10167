// What is said on standard error, and how much of it. Text of files, logs and arguments in a message
// is escaped here, so callers pass it as it is. One thread.
#pragma once

#include <string>
#include <string_view>

namespace mailward {

class Messages {
 public:
  // `quiet`: errors only. `verbose`: details too.
  Messages(int descriptor, bool quiet, bool verbose) : descriptor_(descriptor), quiet_(quiet), verbose_(verbose) {}

  void error(std::string_view sentence) const;   // always; something failed
  void note(std::string_view sentence) const;    // not with -q
  void detail(std::string_view sentence) const;  // only with -v
  bool quiet() const { return quiet_; }

 private:
  void say(std::string_view sentence) const;

  int descriptor_;
  bool quiet_, verbose_;
};

// Exit status (docs/formats.md).
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;

}  // namespace mailward
