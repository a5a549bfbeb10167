// Reading that is stopped anywhere, saved, and gone on with by others tells what reading without a stop tells.
#include "session/saving.h"

#include <string>
#include <vector>

#include "log/zone.h"
#include "session/helpers.h"
#include "session/line_reader.h"
#include "session/random_lines.h"

namespace mailward {
namespace {

class Saving : public RandomLines {
 protected:
  // What reads, and what it tells.
  struct Reading {
    Reading(const Grammar& grammar, const Zone& zone, Form form, Instant previous)
        : reader(grammar, tracker, options), header(form, TimeFold(zone, previous, 2026)) {
      reader.begin(0, 0);
    }
    ReadOptions options;
    Tracker tracker{{}, Tracker::Mode::kInOrder};
    LineReader reader;
    HeaderReader header;
    Helpers helpers;
  };

  static void tell(std::span<const Event> events, std::string& told) {
    for (const Event& e : events) {
      told += fmt::format("{} {} {} x{} {} {}{}{}", e.line, name_of(e.kind), format_address(e.address), e.count,
                          e.daemon, e.unknown_user, e.apart, e.mild);
      for (const std::string_view fact : e.facts) told += fmt::format("|{}", fact);
      told += '\n';
    }
  }

  static std::string save(Reading& r) {
    Encoder out;
    r.tracker.save(out);
    r.reader.save(out);
    r.helpers.save(out);
    return out.take();
  }

  static bool restore(std::string_view bytes, Reading& r) {
    Decoder in(bytes);
    return r.tracker.restore(in) && r.reader.restore(in) && r.helpers.restore(in) && in.finished();
  }

  // With a stop after each line of which `stops` says so.
  template <class Stops>
  std::string read(Form form, const std::vector<std::string>& lines, Stops stops) {
    const auto zone = Zone::load("UTC");
    auto r = std::make_unique<Reading>(*grammar_, *zone, form, kNoInstant);
    std::string told, block;
    const Helpers::Take take = [&](std::span<const Event> events) { tell(events, told); };
    Batch out;
    for (size_t i = 0; i < lines.size(); ++i) {
      block += lines[i] + '\n';
      if (!stops(i) && i + 1 < lines.size()) continue;
      const size_t length = block.size();
      block.append(kMessagePadding, '\n');
      out.clear();
      r->reader.lines(block.data(), block.data() + length, r->header, out);
      if (i + 1 == lines.size()) r->tracker.finish(out);
      r->helpers.pass(out.events, take);
      block.clear();
      if (!stops(i)) continue;
      auto next = std::make_unique<Reading>(*grammar_, *zone, form, r->header.fold().previous());
      saved_ = save(*r);
      EXPECT_TRUE(restore(saved_, *next));
      EXPECT_EQ(save(*next), saved_);
      r = std::move(next);
    }
    r->helpers.finish(take);
    return told;
  }

  std::string saved_;
};

TEST_F(Saving, OthersGoOnAsIfNothingHadHappened) {
  size_t told = 0;
  for (const Form form : {Form::kSyslog, Form::kDovecot, Form::kExim, Form::kTai64n, Form::kTagged}) {
    for (int round = 0; round < 30; ++round) {
      std::vector<std::string> lines;
      for (int at = 0; at < 150; ++at) lines.push_back(below(20) ? line(form, at) : lines.empty() ? "" : lines.back());
      std::vector<bool> stops(lines.size());
      const size_t often = 1 + below(20);
      for (size_t i = 0; i < lines.size(); ++i) stops[i] = below(often) == 0;
      const std::string whole = read(form, lines, [](size_t) { return false; });
      ASSERT_EQ(read(form, lines, [&](size_t i) { return stops[i]; }), whole) << name_of(form) << " " << round;
      told += whole.size();
    }
  }
  EXPECT_GT(told, 100'000U);
}

TEST_F(Saving, WhatIsNotWholeIsRefusedAndChangesNothing) {
  std::vector<std::string> lines;
  for (int at = 0; at < 400; ++at) lines.push_back(line(Form::kSyslog, at));
  read(Form::kSyslog, lines, [](size_t i) { return i % 100 == 50; });
  const auto zone = Zone::load("UTC");
  ASSERT_GT(saved_.size(), 100U);
  for (size_t length = 0; length < saved_.size(); length += 1 + length / 50) {
    Reading r(*grammar_, *zone, Form::kSyslog, kNoInstant);
    Decoder in(std::string_view(saved_).substr(0, length));
    const bool all = r.tracker.restore(in) && r.reader.restore(in) && r.helpers.restore(in);
    EXPECT_FALSE(all) << length << " of " << saved_.size();
  }
  for (int round = 0; round < 2000; ++round) {  // whatever is bent: no crash, and what is taken can be saved
    std::string bent = saved_;
    for (size_t i = 1 + below(4); i > 0; --i) bent[below(bent.size())] = static_cast<char>(below(256));
    Reading r(*grammar_, *zone, Form::kSyslog, kNoInstant);
    if (restore(bent, r)) {
      EXPECT_FALSE(save(r).empty());
    }
  }
}

}  // namespace
}  // namespace mailward
