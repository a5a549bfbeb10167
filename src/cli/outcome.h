// How a command ends early: a sentence for standard error and the exit status that goes with it.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "base/result.h"
#include "cli/messages.h"

namespace mailward {

struct Refusal {
  int status = kFailed;
  std::string message;
};

template <class T>
using Outcome = std::expected<T, Refusal>;

inline std::unexpected<Refusal> wrong_usage(std::string message) {
  return std::unexpected(Refusal{kWrongUsage, std::move(message)});
}
inline std::unexpected<Refusal> failed(std::string message) {
  return std::unexpected(Refusal{kFailed, std::move(message)});
}

// The one place where a command's early end becomes words and a status.
inline int end_with(const Refusal& refusal, const Messages& messages) {
  messages.error(refusal.message);
  return refusal.status;
}
inline int status_or_end(const Outcome<int>& outcome, const Messages& messages) {
  return outcome ? *outcome : end_with(outcome.error(), messages);
}

}  // namespace mailward
