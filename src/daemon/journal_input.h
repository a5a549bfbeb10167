// A systemd journal that is followed, from its entries to events.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "daemon/followed.h"
#include "log/follow/journal_follower.h"

namespace mailward {

class JournalInput final : public Followed {
 public:
  // `position`: of position(); empty: none. `state`: of save().
  JournalInput(const ReadingRules& rules, uint32_t number, std::string_view position, std::string_view state);

  bool listed(Decoder& in, std::vector<Descriptor>& files) override;
  int look_again() const override;
  Instant reached() const override { return reached_; }
  bool work(size_t most_lines, Batch& out) override;
  std::string position() const override { return follower_ ? follower_->position() : position_; }
  void save(Encoder& out) override;
  uint64_t line() const override { return follower_ ? follower_->figures().lines : 0; }

 private:
  bool restore(std::string_view state);
  bool take(JournalStep& step, Batch& out);

  const ReadingRules& rules_;
  const std::string position_;  // kept where the journal can't be read
  std::unique_ptr<JournalFollower> follower_;
  Tracker tracker_;
  LineReader reader_;
  StreamFigures seen_;
  Instant reached_ = kNoInstant;
  std::chrono::steady_clock::time_point last_entry_{};
};

}  // namespace mailward
