// What can fail returns Result<T>; an Error is one sentence for a person, saying what to do where
// something can be done. Odd input is counted, never an Error; our own bugs abort.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace mailward {

struct Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) { return std::unexpected<Error>(Error{std::move(message)}); }

}  // namespace mailward
