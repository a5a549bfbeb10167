// A thread that writes what is pending, one piece of work at a time. All calls from one thread, the ledger's.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.h"
#include "ledger/pending.h"
#include "ledger/scribe.h"

namespace mailward {

class Writer {
 public:
  struct Outcome {
    Result<void> result;
    LedgerTrouble trouble = LedgerTrouble::kNone;
    std::unique_ptr<Pending> work;  // emptied if it was written
  };

  explicit Writer(std::unique_ptr<Scribe> scribe) : scribe_(std::move(scribe)) {}
  // Ends what it is at.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Called on the writer's thread after each piece of work.
  void on_done(std::function<void()> done);
  // Nothing may be at work. Starts the thread, the first time.
  void begin(std::unique_ptr<Pending> work);
  // What became of it, once; nothing: it is still at work, or there was none.
  std::optional<Outcome> outcome();
  Outcome wait();
  bool in_the_way() const { return scribe_->in_the_way(); }  // see Scribe

 private:
  void run();

  std::unique_ptr<Scribe> scribe_;  // the thread's, once it runs
  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> done_;  // these under the mutex
  std::unique_ptr<Pending> work_;
  std::optional<Outcome> outcome_;
  bool end_ = false;
  std::thread thread_;
};

}  // namespace mailward
