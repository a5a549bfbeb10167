// mailward explain: why an address is, or is not, an offender.
#include "judge/explain.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <utility>

#include "base/text.h"
#include "cli/command.h"
#include "cli/other_lines.h"
#include "cli/reading.h"
#include "view/explanation.h"
#include "view/totals.h"

namespace mailward {
namespace {

constexpr std::array<std::string_view, 2> kExplainFormats{"text", "json"};

struct ExplainOptions {
  std::string address;
  LogOptions log;
};

Outcome<Address> parse_argument(const std::string& text) {
  if (text.empty()) return wrong_usage("explain wants an address: mailward explain 192.0.2.7 [FILE...]");
  if (const auto address = parse_address(text)) return *address;
  return wrong_usage(
      fmt::format("'{}' is no address; write one like 192.0.2.7 or 2001:db8::7, before the files", for_terminal(text)));
}

Explainer make_explainer(const Settings& settings, Address address) {
  JudgeConfig config;
  config.policies = settings.policies;
  config.local_domains = settings.local_domains;
  config.ignore = settings.ignore;
  return Explainer(config, address);
}

ExplanationText text_options(const GlobalOptions& globals, const Settings& settings, const Inputs& inputs) {
  ExplanationText text;
  text.screen = screen_of(surroundings_of(STDOUT_FILENO), globals.color_choice());
  text.time = local_time(settings.zone);
  text.policy = settings.policies.name;
  text.files = inputs.logs.names;
  return text;
}

Outcome<int> explain(const GlobalOptions& globals, const ExplainOptions& options) {
  const Messages messages = globals.messages();
  const auto format = choose_format(options.log.format, "text", kExplainFormats);
  if (!format) return std::unexpected(format.error());
  const auto address = parse_argument(options.address);
  if (!address) return std::unexpected(address.error());
  const auto settings = settle(globals, options.log);
  if (!settings) return std::unexpected(settings.error());
  auto inputs = open_inputs(*settings, messages);
  if (!inputs) return std::unexpected(inputs.error());
  ExplanationText text = text_options(globals, *settings, *inputs);
  Explainer explainer = make_explainer(*settings, *address);
  if (address->empty())
    messages.note(":: is nobody's address: what follows are the events whose lines name no address");

  ReadOptions reading = read_options(*settings);
  reading.wanted = Explainer::needed_kinds();
  reading.keep_raw = true;
  const ReadFigures figures =
      read_logs(*inputs, reading, globals, true, [&](std::span<const Event> batch) { explainer.take(batch); });

  const InputReport input = input_report(figures, inputs->logs);
  const Explanation explanation = explainer.finish(input);
  const OtherLines others = find_other_lines(inputs->logs, explanation, reading);
  text.in_span = has_time(settings->since) || has_time(settings->until);
  if (text.in_span) text.outside = why_nothing(input, settings->since, settings->until, text.time);
  Output out(STDOUT_FILENO);
  if (*format == "json") {
    write_explanation_json(explanation, others, inputs->logs.names, out);
  } else {
    write_explanation(explanation, others, text, out);
  }
  return finish_output(out, messages, status_of(figures, inputs->logs));
}

}  // namespace

Body declare_explain(CLI::App& app, GlobalOptions& globals) {
  auto options = std::make_shared<ExplainOptions>();
  app.add_option("ADDRESS", options->address, "an IPv4 or IPv6 address")->option_text(" ");
  declare_files(app, options->log);
  declare_log_options(app, options->log, "text or json");
  return [&globals, options] { return status_or_end(explain(globals, *options), globals.messages()); };
}

}  // namespace mailward
