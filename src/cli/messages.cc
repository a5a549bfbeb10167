#include "cli/messages.h"

#include <unistd.h>

#include "base/text.h"

namespace mailward {

void Messages::say(std::string_view sentence) const {
  // A sentence is one line: what isn't plain text in it is spelled out, line ends in the names of files too.
  constexpr size_t kLongest = 4000;
  const std::string text = "mailward: " + for_terminal(sentence, kLongest) + '\n';
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
