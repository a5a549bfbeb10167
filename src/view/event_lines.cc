#include "view/event_lines.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "base/text.h"

namespace mailward {
namespace {

void append_fact(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  out += key;
  append_json(out, value);
}

void append_number(std::string& out, std::string_view key, uint64_t value) {
  out += key;
  const fmt::format_int digits(value);
  out.append(digits.data(), digits.size());
}

void append_address(std::string& out, Address address) {
  char text[64];
  out += ", \"address\": \"";
  out.append(text, format_address_to(address, text));
  out += '"';
}

}  // namespace

EventLines::EventLines(const std::vector<std::string>& files) {
  files_.reserve(files.size());
  for (const std::string& file : files) append_json(files_.emplace_back(), file);
}

void EventLines::append_time(std::string& out, Instant time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  if (second != second_) {
    second_ = second;
    second_text_ = format_instant(second, false);
    second_text_.pop_back();  // the Z
  }
  const auto micros = static_cast<uint32_t>((time - second).count());
  char fraction[8] = {'.'};
  for (uint32_t i = 6, rest = micros; i > 0; --i, rest /= 10) fraction[i] = static_cast<char>('0' + rest % 10);
  fraction[7] = 'Z';
  out += ", \"time\": \"";
  out += second_text_;
  out.append(fraction, sizeof fraction);
  out += '"';
}

void EventLines::append(std::string& out, const Event& event) {
  const size_t start = out.size();
  out += '{';
  if (has_time(event.time)) append_time(out, event.time);
  append_fact(out, ", \"host\": ", event.fact(Fact::kHost));
  append_fact(out, ", \"program\": ", event.fact(Fact::kProgram));
  if (event.pid != 0) append_number(out, ", \"pid\": ", event.pid);
  append_fact(out, ", \"daemon\": ", event.daemon);
  append_fact(out, ", \"session\": ", event.fact(Fact::kSession));
  append_fact(out, ", \"event\": ", event.kind == EventKind::kNone ? "unknown" : name_of(event.kind));
  if (!event.address.empty()) append_address(out, event.address);
  if (event.port != 0) append_number(out, ", \"port\": ", event.port);
  append_fact(out, ", \"ptr\": ", event.fact(Fact::kPtr));
  append_fact(out, ", \"user\": ", event.fact(Fact::kUser));
  append_fact(out, ", \"mechanism\": ", event.fact(Fact::kMechanism));
  append_fact(out, ", \"helo\": ", event.fact(Fact::kHelo));
  append_fact(out, ", \"sender\": ", event.fact(Fact::kSender));
  append_fact(out, ", \"recipient\": ", event.fact(Fact::kRecipient));
  append_fact(out, ", \"reason\": ", event.fact(Fact::kReason));
  append_fact(out, ", \"service\": ", event.fact(Fact::kService));
  if (event.file < files_.size()) {
    out += ", \"file\": ";
    out += files_[event.file];
  }
  append_number(out, ", \"line\": ", event.line);
  if (event.kind == EventKind::kNone)
    append_fact(out, ", \"raw\": ", event.raw);
  else
    append_number(out, ", \"count\": ", event.count);
  if (event.mild) out += ", \"mild\": true";
  out += "}\n";
  out.erase(start + 1, 2);  // the first field's comma, whichever field that is
}

void EventLines::write(std::span<const Event> batch, Output& out) {
  for (const Event& event : batch) {
    append(out.text(), event);
    out.pass_on();
  }
}

}  // namespace mailward
