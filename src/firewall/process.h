// Another program, run to its end: no shell, no inherited environment, a limit of time.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailward {

struct Ran {
  int status = 0;      // exit status; 128 + N: ended by signal N
  std::string output;  // standard output, at most kMostOutput bytes
  std::string errors;  // standard error, at most kMostErrors bytes
};
inline constexpr size_t kMostOutput = 64U << 20;
inline constexpr size_t kMostErrors = 4096;

// Runs arguments[0] (a path, not searched for) with `input` as its standard input. Its environment is a PATH of
// the system's folders and LC_ALL=C; it is the first of a process group of its own, all of which is killed
// when the time is over. Whatever it wrote beyond the bounds is read and dropped.
//
// An error: it could not be started, or it took too long. Another status than 0 is none.
Result<Ran> run_process(std::span<const std::string> arguments, std::string_view input,
                        std::chrono::milliseconds timeout);

// run_process, and another status than 0 is an error: "PATH ended with 1: first line of its standard error".
Result<Ran> run_well(std::span<const std::string> arguments, std::string_view input, std::chrono::milliseconds timeout);

}  // namespace mailward
