#include "ledger/writer.h"

#include <utility>

namespace mailward {

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Writer::on_done(std::function<void()> done) {
  const std::lock_guard lock(mutex_);
  done_ = std::move(done);
}

void Writer::begin(std::unique_ptr<Pending> work) {
  {
    const std::lock_guard lock(mutex_);
    work_ = std::move(work);
  }
  changed_.notify_all();
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

std::optional<Writer::Outcome> Writer::outcome() {
  const std::lock_guard lock(mutex_);
  return std::exchange(outcome_, std::nullopt);
}

Writer::Outcome Writer::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return outcome_.has_value(); });
  Outcome taken = std::move(*outcome_);
  outcome_.reset();
  return taken;
}

void Writer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return work_ || end_; });
    if (!work_) return;
    Outcome outcome;
    outcome.work = std::move(work_);
    const auto done = done_;
    lock.unlock();
    outcome.result = scribe_->write(*outcome.work, outcome.trouble);
    if (outcome.result) outcome.work->clear();
    lock.lock();
    outcome_ = std::move(outcome);
    changed_.notify_all();
    if (!done) continue;
    lock.unlock();
    done();
    lock.lock();
  }
}

}  // namespace mailward
