#include "cli/messages.h"

#include <unistd.h>

#include <algorithm>

#include "base/text.h"

namespace mailward {

void Messages::say(std::string_view sentence) const {
  // Line ends in our own messages stay; everything else that isn't plain text is spelled out.
  std::string text = "mailward: ";
  while (!sentence.empty()) {
    const size_t end = std::min(sentence.find('\n'), sentence.size());
    constexpr size_t kLongest = 4000;
    text += for_terminal(sentence.substr(0, end), kLongest);
    text += '\n';
    sentence.remove_prefix(std::min(end + 1, sentence.size()));
  }
  // Standard error may be closed or full; there is nobody left to tell.
  [[maybe_unused]] const ssize_t ignored = ::write(descriptor_, text.data(), text.size());
}

void Messages::error(std::string_view sentence) const { say(sentence); }

void Messages::note(std::string_view sentence) const {
  if (!quiet_) say(sentence);
}

void Messages::detail(std::string_view sentence) const {
  if (verbose_ && !quiet_) say(sentence);
}

}  // namespace mailward
