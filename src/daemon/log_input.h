// One log that is followed, from its files to events: a pure function of its text (docs/reliability.md, "What is a
// function of what"). It knows neither clock nor other inputs; what it left behind can be saved after any line and
// gone on with by another process.
//
// Opens nothing: it is given open files. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/followed.h"
#include "log/follow/follower.h"
#include "log/header.h"

namespace mailward {

class LogInput final : public Followed {
 public:
  // `state`: of save(); empty: none. One that can't be used is left out, and told by trouble().
  LogInput(const ReadingRules& rules, uint32_t number, std::string name, Position position, std::string_view state);
  ~LogInput() override;

  bool listed(Decoder& in, std::vector<Descriptor>& files) override;
  bool has_work() const override { return awake_ || !text_.empty(); }
  Instant reached() const override;
  bool work(size_t most_lines, Batch& out) override;
  std::string position() const override { return to_text(follower_.position()); }
  void save(Encoder& out) override;
  uint64_t line() const override;
  uint64_t offset() const override { return follower_.position().at.offset; }

 private:
  struct Pipeline;
  void changed(Series series);
  bool restore(std::string_view state);
  void begin(const Series& series);
  bool next_step();
  void look_at_form(std::string_view text);
  void make_pipeline(Form form, Instant previous);
  void read_lines(const char* begin, const char* end, Batch& out);

  const ReadingRules& rules_;
  const uint32_t number_;
  const std::string name_;
  Follower follower_;
  std::unique_ptr<Pipeline> pipeline_;
  Form form_ = Form::kSyslog;
  bool in_doubt_ = false;  // no line of the last block had a header of this form
  int base_year_ = 0;
  std::string kept_;       // text that was given and not read when the state was saved, and its padding
  std::string_view text_;  // not read yet: of kept_, or of the follower's block
};

}  // namespace mailward
