// Tells which followed logs grew, or have other files than before. The one that opens the files has it (series.h);
// it opens nothing itself but what libuv needs.
//
// By events of the folder where its file system gives them (inotify): then nothing runs while nothing happens. By
// looking every `poll` elsewhere: on network file systems, where another machine may write; on systems for which
// events_none.cc is built; while the folder isn't there; and where the system's number of watches is used up.
//
// One thread, the loop's. Source: libuv 1.44, fs_event and fs_poll of its guide and src/unix/linux-inotify.c.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mailward {

class Watch {
 public:
  enum class What : uint8_t {
    kGrew,     // one of its files was written to: no new ones are needed
    kChanged,  // files of it came, went or changed their names
  };
  // `input` counts `files` from 0. Told once for many writes, at most twice in one round of the loop: kChanged first.
  using Told = std::function<void(size_t input, What what)>;
  struct Options {
    std::chrono::milliseconds poll{250};
    bool poll_only = false;
  };

  // `files`: the logs that are written to, as configured; they and their folders need not be there yet. Watch first
  // and open then: nothing is told of what was there before.
  Watch(uv_loop_t* loop, const std::vector<std::string>& files, Options options, Told told);
  // What libuv holds is given back in the next rounds of the loop: let it run until uv_run() returns 0.
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Is this one looked at by polling at present?
  bool polls(size_t input) const;

 private:
  struct Input;
  struct Folder;

  void start(Folder& folder);
  void start_polling(Folder& folder);
  void stop_polling(Folder& folder);
  void note(Folder& folder, const char* name, bool changed);
  void tell();

  uv_loop_t* loop_;
  Options options_;
  Told told_;
  std::vector<std::unique_ptr<Folder>> folders_;
  std::vector<std::unique_ptr<Input>> inputs_;
  uv_check_t* after_events_ = nullptr;
};

// Does a change of a file in this folder, whoever makes it, cause an event here?
bool folder_has_events(const std::string& folder);

}  // namespace mailward
