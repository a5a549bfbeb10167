#include "view/output.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

namespace mailward {

Output::Output(int descriptor) : descriptor_(descriptor) { text_.reserve(kEnough + (4 << 10)); }

Output::Output(std::string& into) : into_(&into) {}

void Output::write_out() {
  if (into_) into_->append(text_);
  size_t written = 0;
  while (!into_ && trouble_ == Trouble::kNone && written < text_.size()) {
    ssize_t n = ::write(descriptor_, text_.data() + written, text_.size() - written);
    if (n >= 0) {
      written += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {  // somebody set the shared terminal or pipe to non-blocking
      pollfd wait{descriptor_, POLLOUT, 0};
      ::poll(&wait, 1, -1);
    } else if (errno != EINTR) {
      errno_ = errno;
      trouble_ = errno == EPIPE ? Trouble::kReaderGone : Trouble::kWriteFailed;
    }
  }
  text_.clear();
}

Output::Trouble Output::finish() {
  write_out();
  return trouble_;
}

}  // namespace mailward
