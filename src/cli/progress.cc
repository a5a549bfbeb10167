#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/text.h"

namespace mailward {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);  // between two pictures

void write_all(int descriptor, std::string_view text) {
  [[maybe_unused]] const ssize_t ignored = ::write(descriptor, text.data(), text.size());
}

// "9 s", "3 min 20 s", "2 h 5 min"
std::string rough_time(double seconds) {
  const auto s = static_cast<uint64_t>(std::min(seconds + 0.5, 1e9));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::string bar(double share, size_t columns, Charset charset) {
  if (charset == Charset::kAscii) {
    const auto full = static_cast<size_t>(share * static_cast<double>(columns));
    return '[' + std::string(full, '#') + std::string(columns - full, '.') + ']';
  }
  constexpr std::array<std::string_view, 8> kEighths{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<size_t>(share * static_cast<double>(columns) * 8);
  std::string out = "▕";
  for (size_t i = 0; i < eighths / 8; ++i) out += "█";
  out += kEighths[eighths % 8];
  out.append(columns - (eighths + 7) / 8, ' ');
  return out + "▏";
}

}  // namespace

std::string progress_line(uint64_t bytes, uint64_t total, double seconds, const Screen& screen) {
  const double rate = seconds > 0 ? static_cast<double>(bytes) / seconds : 0;
  const std::string speed = format_bytes(static_cast<uint64_t>(rate)) + "/s";
  if (total == 0)
    return for_screen(fmt::format("{} read, {}", format_bytes(bytes), speed), screen.width - 1, screen.charset);
  const double share = std::min(1.0, static_cast<double>(bytes) / static_cast<double>(total));
  const double left = rate > 0 ? static_cast<double>(total - std::min(bytes, total)) / rate : 0;
  const std::string figures =
      fmt::format(" {} of {}, {}, {} left", format_bytes(bytes), format_bytes(total), speed, rough_time(left));
  const std::string percent = fmt::format("{:3.0f} % ", std::floor(share * 100));
  const size_t taken = percent.size() + figures.size() + 3;
  if (taken + 5 > screen.width) return for_screen(percent + figures, screen.width - 1, screen.charset);
  return percent + bar(share, std::min<size_t>(40, screen.width - taken), screen.charset) + figures;
}

Progress::Progress(int descriptor, Screen screen) : descriptor_(descriptor), screen_(screen) {}

void Progress::show(uint64_t bytes, uint64_t total) {
  if (descriptor_ < 0) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + kPause;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  write_all(descriptor_, '\r' + padded(progress_line(bytes, total, seconds, screen_), screen_.width - 1));
  drawn_ = true;
}

void Progress::clear() {
  if (!drawn_) return;
  write_all(descriptor_, '\r' + std::string(screen_.width - 1, ' ') + '\r');
  drawn_ = false;
}

}  // namespace mailward
