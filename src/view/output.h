// Where results go: appended to one string and written out in pieces, so that memory stays flat and
// a system call is paid for many lines. One thread.
//
// A reader that goes away (`| head`) ends the program by SIGPIPE, quietly, as with every filter.
// Where that signal is ignored, `trouble` tells it.
#pragma once

#include <cstddef>
#include <string>

namespace mailward {

class Output {
 public:
  explicit Output(int descriptor);     // borrowed: the caller closes it
  explicit Output(std::string& into);  // for tests

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Append here; then call `pass_on`, which writes once there is enough.
  std::string& text() { return text_; }
  void pass_on() {
    if (text_.size() >= kEnough) write_out();
  }

  enum class Trouble { kNone, kReaderGone, kWriteFailed };
  // After trouble nothing more is written: ask, and stop early.
  Trouble trouble() const { return trouble_; }
  int error_number() const { return errno_; }  // of kWriteFailed

  // Writes what is left.
  Trouble finish();

 private:
  void write_out();

  static constexpr size_t kEnough = 128 << 10;
  std::string text_;
  int descriptor_ = -1;
  std::string* into_ = nullptr;
  Trouble trouble_ = Trouble::kNone;
  int errno_ = 0;
};

}  // namespace mailward
