// mailward status, reload: how the daemon stands, and its configuration read anew.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/by_hand.h"
#include "cli/command.h"
#include "cli/daemon_client.h"
#include "cli/reading.h"
#include "view/bans.h"

namespace mailward {
namespace {

using nlohmann::json;
constexpr std::array<std::string_view, 2> kFormats{"table", "json"};

struct StatusOptions {
  std::string format, timezone;
};

std::string text_of(const json& at, const char* key) { return at.contains(key) && at[key].is_string() ? at[key] : ""; }
uint64_t number_of(const json& at, const char* key) {
  return at.contains(key) && at[key].is_number() ? at[key].get<uint64_t>() : 0;
}

class StatusText {
 public:
  StatusText(const Site& site, const Screen& screen, std::string& out)
      : time_(local_time(site.zone)), screen_(screen), out_(out) {}

  void put(const json& status) {
    row("running", fmt::format("since {} ({})", local(text_of(status, "started")), time_.zone));
    const json bans = status.value("bans", json::object()), wall = status.value("firewall", json::object());
    row("policy", text_of(status, "policy"));
    row("bans",
        fmt::format("{} in force; {} new since the start, {} let in again{}", grouped(number_of(bans, "in_force")),
                    grouped(number_of(bans, "since_start")), grouped(number_of(bans, "withdrawn")),
                    number_of(bans, "held_back") > 0
                        ? fmt::format("; {} wait for the brake", grouped(number_of(bans, "held_back")))
                        : ""));
    row("firewall",
        fmt::format(
            "{}: holds {}{}", text_of(wall, "backend"), grouped(number_of(wall, "held")),
            number_of(wall, "waiting") > 0 ? fmt::format(", {} on the way", grouped(number_of(wall, "waiting"))) : ""));
    trouble(text_of(wall, "trouble"));
    const json ledger = status.value("ledger", json::object());
    row("ledger", shown(text_of(ledger, "file")));
    trouble(text_of(ledger, "trouble"));
    row("memory", format_bytes(number_of(status, "memory")));
    if (const std::string sandbox = text_of(status, "sandbox"); !sandbox.empty())
      row("sandbox", shown(sandbox.starts_with("locked in: ") ? sandbox.substr(11) : sandbox));
    for (const json& input : status.value("inputs", json::array())) put_input(input);
    const json warnings = status.value("warnings", json::array());
    if (!warnings.empty()) out_ += '\n';
    for (const json& warning : warnings)
      out_ += fmt::format("{}  {}\n", local(text_of(warning, "time")),
                          styled(shown(text_of(warning, "text")), Style::kCaution, screen_));
  }

 private:
  void row(std::string_view name, const std::string& value) {
    if (!value.empty()) out_ += styled(padded(std::string(name), 11), Style::kBold, screen_) + value + '\n';
  }
  void trouble(const std::string& sentence) {
    if (!sentence.empty()) out_ += padded("", 11) + styled(shown(sentence), Style::kAlarm, screen_) + '\n';
  }
  void put_input(const json& input) {
    out_ += '\n';
    row("log", shown(text_of(input, "file")));
    trouble(text_of(input, "trouble"));
    const uint64_t lines = number_of(input, "lines"), odd = number_of(input, "not_understood");
    if (!text_of(input, "reached").empty()) row("read up to", local(text_of(input, "reached")));
    row("lines", fmt::format("{} since the start, {} not understood", grouped(lines), grouped(odd)));
    if (const uint64_t lost = number_of(input, "lost") + number_of(input, "losses"); lost > 0)
      trouble(fmt::format("{} of lost lines", counted(lost, "report")));
    for (const json& line : input.value("examples", json::array()))
      if (line.is_string())
        out_ += padded("", 11) +
                styled(for_screen(line.get<std::string>(), screen_.width - 12, screen_.charset), Style::kDim, screen_) +
                '\n';
  }
  std::string shown(const std::string& text) const { return for_screen(text, 1000, screen_.charset); }
  std::string local(const std::string& utc) const {
    const auto instant = parse_rfc3339(utc);
    return instant ? format_local(*instant, time_, 19) : "-";
  }

  LocalTime time_;
  const Screen& screen_;
  std::string& out_;
};

Outcome<int> status(const GlobalOptions& globals, const StatusOptions& options) {
  const auto format = choose_format(options.format, "table", kFormats);
  if (!format) return std::unexpected(format.error());
  const auto site = site_of(globals, options.timezone, Broken::kTold);
  if (!site) return std::unexpected(site.error());
  const auto answer = ask_daemon(site->control, {.verb = Request::Verb::kStatus});
  if (!answer) return failed(answer.error().message);
  if (!*answer)
    return failed(fmt::format(
        "no daemon listens at {}; `mailward run` starts it, and `mailward bans` works without one", site->control));
  const json parsed = json::parse(**answer, nullptr, false);
  if (!parsed.is_object()) return failed("what the daemon answered can't be read; is it of another version?");
  if (!parsed.value("ok", false)) return failed(text_of(parsed, "message"));
  Output out(STDOUT_FILENO);
  if (*format == "json") {
    out.text() += parsed.dump(1) + '\n';
  } else {
    const Screen screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
    StatusText(*site, screen, out.text()).put(parsed);
  }
  return finish_output(out, globals.messages(), kDone);
}

Outcome<int> reload(const GlobalOptions& globals) {
  const auto site = site_of(globals, "");
  if (!site) return failed(site.error().message + "; the old configuration stays in force");
  const auto answer = ask_daemon(site->control, {.verb = Request::Verb::kReload});
  if (!answer) return failed(answer.error().message);
  if (!*answer) return failed(fmt::format("no daemon listens at {}: there is nothing to reload", site->control));
  const json parsed = json::parse(**answer, nullptr, false);
  if (!parsed.is_object()) return failed("what the daemon answered can't be read; is it of another version?");
  if (!parsed.value("ok", false)) return failed(text_of(parsed, "message"));
  globals.messages().note(text_of(parsed, "message"));
  return kDone;
}

}  // namespace

Body declare_status(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<StatusOptions>();
  app.add_option("--format", options->format, "table or json")->option_text("F");
  app.add_option("--timezone", options->timezone, "in which times are shown")->option_text("ZONE");
  return [&globals, options] { return status_or_end(status(globals, *options), globals.messages()); };
}

Body declare_reload(CLI::App&, GlobalOptions& globals) {
  return [&globals] { return status_or_end(reload(globals), globals.messages()); };
}

}  // namespace mailward
