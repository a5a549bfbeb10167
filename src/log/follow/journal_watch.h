// Tells that a followed journal grew, or has other files than before: for journals what watch.h is for logs, with the
// same events and the same fallback. The one that opens the files has it (journal_files.h).
//
// journald writes by mmap(2), which causes no event. But 250 to 500 ms after an entry, once for all that came since, it
// sets its file's size to what it is, and that does (measured: docs/following.md).
//
// One thread, the loop's.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "log/follow/journal_files.h"
#include "log/follow/watch.h"

namespace mailward {

class JournalWatch {
 public:
  using Told = std::function<void(Watch::What what)>;

  // `where` as in journal_files.h; its folders need not be there yet. Watch first and open then.
  JournalWatch(uv_loop_t* loop, std::string where, Watch::Options options, Told told, JournalPlaces places = {});
  // What libuv holds is given back in the next rounds of the loop: let it run until uv_run() returns 0.
  ~JournalWatch();
  JournalWatch(const JournalWatch&) = delete;
  JournalWatch& operator=(const JournalWatch&) = delete;

  // Is it looked at by polling at present?
  bool polls() const { return timer_ != nullptr; }

 private:
  struct Folder;

  void start();
  void stop();
  bool start_events(const std::string& path, std::string awaited);
  void note(const Folder& folder, const char* name, bool changed);
  void look();
  void tell();

  uv_loop_t* loop_;
  const std::string where_;
  const Watch::Options options_;
  const Told told_;
  const JournalPlaces places_;
  std::vector<std::unique_ptr<Folder>> folders_;
  uv_check_t* after_events_ = nullptr;
  uv_timer_t* timer_ = nullptr;  // where there are no events
  std::string names_, sizes_;    // as they were at the last look
  bool grew_ = false, changed_ = false, restart_ = false;
};

}  // namespace mailward
