// For tests: lines of all daemons, as loggers write them and as they shouldn't.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "log/header.h"

namespace mailward {

class RandomLines : public testing::Test {
 protected:
  void SetUp() override {
    const std::vector<std::string> folders{(std::filesystem::path(MAILWARD_SOURCE_DATA) / "rules").string()};
    auto grammar = Grammar::load(folders);
    ASSERT_TRUE(grammar) << grammar.error().message;
    grammar_ = std::make_unique<Grammar>(std::move(*grammar));
    for (const auto& program : grammar_->programs())
      for (const TreePattern& pattern : program->patterns)
        for (const std::string_view sample : pattern.samples) samples_.push_back({program.get(), sample});
  }

  struct Sample {
    const ProgramRules* program;
    std::string_view line;
  };

  size_t below(size_t n) { return random_() % n; }

  // A line of this form that holds a sample, now and then another's, bent, or what a logger says itself.
  std::string line(Form form, int at) {
    const Sample& s = samples_[below(samples_.size())];
    const std::string clock = fmt::format("{:02}:{:02}:{:02}", at / 3600 % 24, at / 60 % 60, at % 60);
    std::string text(s.line);
    if (below(9) == 0) text.resize(below(text.size() + 1));
    if (below(9) == 0) text += text;
    if (below(12) == 0) text += '\r';
    switch (form) {
      case Form::kDovecot:
        return fmt::format("Mar 02 {} {}", clock, below(4) ? insert_level(text) : text);
      case Form::kExim:
        return fmt::format("2026-03-02 {} {}", clock, text);
      case Form::kTai64n:
        return fmt::format("@4000000069a5{:04x}00000000 {}", at % 65536, text);
      case Form::kBare:
        return text;
      case Form::kTagged:
        return fmt::format("{}[{}]: {}", s.program->name, 1 + below(30), text);
      case Form::kUptime:
        return fmt::format("[{:5}.000000] mail {}[{}]: {}", at, s.program->name, 1 + below(30), text);
      default:
        break;
    }
    if (below(15) == 0)
      return fmt::format("Mar  2 {} mail syslogd: last message repeated {} times", clock, 1 + below(5));
    if (below(40) == 0) return fmt::format("Mar  2 {} mail rsyslogd: imuxsock lost 5 messages from pid 12", clock);
    const std::string pid = below(5) ? fmt::format("[{}]", 1 + below(30)) : below(3) ? "" : "[x";
    return fmt::format("Mar  2 {} mail {}{}: {}", clock, s.program->name, pid, text);
  }

  std::string insert_level(std::string text) {
    const size_t colon = text.find(": ");
    return text.insert(colon == std::string::npos ? 0 : colon + 2, "Info: ");
  }

  std::unique_ptr<Grammar> grammar_;
  std::vector<Sample> samples_;
  std::mt19937_64 random_{5};
};

}  // namespace mailward
