// `crowdsec`: decisions in a CrowdSec, by its local API and with the credentials of a machine; its bouncers close what
// they are there for. Ours have the origin "mailward", the policy as their scenario and the scope Ip or Range; others
// are never looked at. What the API does was tried on 1.4.6 (Debian 12); of its filters, `ip` and `range` also hit
// what lies around an address, `value` only what is written just so.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/read_up_to.h"
#include "base/text.h"
#include "firewall/backends.h"
#include "firewall/http.h"

namespace mailward {
namespace {

using nlohmann::json;

constexpr std::string_view kOrigin = "mailward";
constexpr size_t kMostAtOnce = 500;   // decisions in an alert; an alert is one transaction in CrowdSec's database
constexpr size_t kDeleteUnseen = 16;  // so many are taken out without a look at what there is
constexpr size_t kMostCredentials = 65536;

bool single(const Network& n) { return n.prefix == (n.address.is_v4() ? 32 : 128); }
std::string value_of(const Network& n) { return single(n) ? format_address(n.address) : format_network(n); }
const char* scope_of(const Network& n) { return single(n) ? "Ip" : "Range"; }

// Go's way to write a duration: "-2h23m57.74s", "1.5ms". Nothing: it isn't one.
std::optional<Duration> go_duration(std::string_view text) {
  struct Unit {
    std::string_view name;
    double microseconds;
  };
  constexpr Unit kUnits[] = {{"ns", 1e-3}, {"us", 1}, {"µs", 1}, {"ms", 1e3}, {"h", 3.6e9}, {"m", 6e7}, {"s", 1e6}};
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  double sum = 0;
  while (!text.empty()) {
    const size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos || digits > 20) return std::nullopt;
    const double number = std::strtod(std::string(text.substr(0, digits)).c_str(), nullptr);
    text.remove_prefix(digits);
    const auto* unit = std::ranges::find_if(kUnits, [&](const Unit& u) { return text.starts_with(u.name); });
    if (unit == std::end(kUnits)) return std::nullopt;
    sum += number * unit->microseconds;
    text.remove_prefix(unit->name.size());
  }
  if (sum > 4e15) return std::nullopt;  // more than a hundred years
  return Duration(static_cast<int64_t>(negative ? -sum : sum));
}

struct Credentials {
  std::string url, login, password;
};

// The file that `cscli machines add` writes: "key: value" a line, a value perhaps in quotes.
Result<Credentials> read_credentials(const std::string& path) {
  std::ifstream in(path);
  const std::string text = read_up_to(in, kMostCredentials);
  Credentials found;
  for (const auto& [key, to] : {std::pair("url", &found.url), {"login", &found.login}, {"password", &found.password}}) {
    const std::string begin = std::string("\n") + key + ":";
    const std::string all = "\n" + text;
    size_t at = all.find(begin);
    if (at == std::string::npos) continue;
    at += begin.size();
    std::string value = all.substr(at, all.find('\n', at) - at);
    const size_t first = value.find_first_not_of(" \t\"'"), last = value.find_last_not_of(" \t\r\"'");
    *to = first == std::string::npos ? "" : value.substr(first, last - first + 1);
  }
  if (!found.url.starts_with("http") || found.login.empty() || found.password.empty())
    return fail(
        fmt::format("{} gives no url, login and password of CrowdSec's local API; make them: cscli machines add "
                    "mailward --auto --file {}",
                    for_terminal(path), for_terminal(path)));
  while (found.url.ends_with('/')) found.url.pop_back();
  return found;
}

class CrowdSec : public Firewall {
 public:
  explicit CrowdSec(const FirewallConfig& config) : path_(config.crowdsec_credentials), timeout_(config.timeout) {}

  std::string_view name() const override { return "crowdsec"; }
  bool ends_bans() const override { return true; }

  Result<void> prepare() override {  // the file is read anew: passwords change
    auto read = read_credentials(path_);
    if (!read) return std::unexpected(read.error());
    credentials_ = std::move(*read);
    client_ = std::make_unique<HttpClient>(credentials_.url, timeout_);
    return log_in();
  }

  Result<std::vector<Held>> held(Instant now) override {
    // Limit 0 is none; without the origin there would be thousands of the central API.
    const auto alerts = ask("GET", fmt::format("/v1/alerts?has_active_decision=true&origin={}&limit=0", kOrigin), {});
    if (!alerts) return std::unexpected(alerts.error());
    std::map<Network, Instant> ends;  // several of one network: the latest end holds
    for (const json& alert : *alerts)
      if (const auto decisions = alert.find("decisions"); decisions != alert.end())
        for (const json& decision : *decisions) read_decision(decision, now, ends);
    std::vector<Held> all;
    for (const auto& [network, until] : ends) all.push_back({network, until});
    return all;
  }

 private:
  static void read_decision(const json& decision, Instant now, std::map<Network, Instant>& ends) {
    if (!decision.is_object() || decision.value("origin", "") != kOrigin || decision.value("type", "") != "ban") return;
    const auto network = parse_network(decision.value("value", ""));
    const auto left = go_duration(decision.value("duration", ""));
    if (!network || !left || *left <= Duration(0)) return;  // taken out and over: a negative one
    auto& end = ends.try_emplace(*network, now).first->second;
    end = std::max(end, now + *left);
  }

  // A decision can't be changed: the old one goes, a new one comes, before a bouncer asks again.
  Result<void> put_in(std::span<const Ban> bans, Instant now) override {
    std::vector<Network> networks;
    for (const Ban& ban : bans) networks.push_back(ban.network);
    if (auto ok = take_out(networks); !ok) return ok;
    for (; !bans.empty(); bans = bans.subspan(std::min(kMostAtOnce, bans.size()))) {
      const json alerts = json::array({alert_of(bans.first(std::min(kMostAtOnce, bans.size())), now)});
      const auto answer = ask("POST", "/v1/alerts", alerts.dump());
      if (!answer) return std::unexpected(answer.error());
    }
    return {};
  }

  Result<void> take_out(std::span<const Network> networks) override {
    std::set<Network> there;
    const bool look = networks.size() > kDeleteUnseen;
    if (look) {
      const auto all = held({});
      if (!all) return std::unexpected(all.error());
      for (const Held& h : *all) there.insert(h.network);
    }
    for (const Network& n : networks) {
      if (look && !there.contains(n)) continue;
      const auto answer = ask("DELETE",
                              fmt::format("/v1/decisions?scopes={}&value={}&origin={}", scope_of(n),
                                          client_ ? client_->escaped(value_of(n)) : "", kOrigin),
                              {});
      if (!answer) return std::unexpected(answer.error());
    }
    return {};
  }

  static json alert_of(std::span<const Ban> bans, Instant now) {
    json decisions = json::array();
    for (const Ban& ban : bans) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(ban.until - now).count();
      decisions.push_back({{"duration", fmt::format("{}ms", left)},
                           {"type", "ban"},
                           {"scope", scope_of(ban.network)},
                           {"value", value_of(ban.network)},
                           {"origin", kOrigin},
                           {"scenario", ban.reason.empty() ? std::string(kOrigin) : valid_utf8(ban.reason)},
                           {"simulated", false}});
    }
    // A decision's time begins with its alert.
    const std::string time = format_instant(now, true);
    const Ban& first = bans.front();
    return {{"scenario", decisions[0]["scenario"]},
            {"message", fmt::format("mailward bans {}{}", value_of(first.network),
                                    bans.size() > 1 ? fmt::format(" and {} more", bans.size() - 1) : "")},
            {"source", {{"scope", scope_of(first.network)}, {"value", value_of(first.network)}}},
            {"start_at", time},
            {"stop_at", time},
            {"decisions", std::move(decisions)},
            {"capacity", 0},
            {"events", json::array()},
            {"events_count", bans.size()},
            {"leakspeed", "0"},
            {"scenario_hash", ""},
            {"scenario_version", ""},
            {"simulated", false}};
  }

  Result<void> log_in() {
    const json body{
        {"machine_id", credentials_.login}, {"password", credentials_.password}, {"scenarios", json::array()}};
    const auto answer = client_->ask("POST", "/v1/watchers/login", body.dump(), {});
    if (!answer) return fail(answer.error().message + "; is CrowdSec running? systemctl status crowdsec");
    const json read = json::parse(answer->body, nullptr, false);
    if (answer->status != 200 || !read.is_object() || !read.value("token", json()).is_string())
      return fail(
          fmt::format("CrowdSec refuses the login of machine {} ({}: {}); make it anew: cscli machines add {} "
                      "--auto --force --file {}",
                      for_terminal(credentials_.login), answer->status, for_terminal(answer->body),
                      for_terminal(credentials_.login), for_terminal(path_)));
    token_ = read["token"];
    return {};
  }

  // The answer's JSON. A token lasts an hour: a new one is fetched when it is refused.
  Result<json> ask(const std::string& method, const std::string& path, const std::string& body) {
    if (!client_) return fail("CrowdSec was not asked for a login yet");
    for (const bool again : {false, true}) {
      auto answer = client_->ask(method, path, body, token_);
      if (!answer) return fail(answer.error().message + "; is CrowdSec running? systemctl status crowdsec");
      if (answer->status == 401 && !again) {
        if (auto ok = log_in(); !ok) return std::unexpected(ok.error());
        continue;
      }
      json read = json::parse(answer->body, nullptr, false);
      if (answer->status / 100 == 2 && !read.is_discarded()) return read.is_null() ? json::array() : read;
      return fail(fmt::format("CrowdSec answers {} to {} {}: {}", answer->status, method,
                              path.substr(0, path.find('?')), for_terminal(answer->body)));
    }
    return fail("CrowdSec refuses the token that it gave");
  }

  const std::string path_;
  const std::chrono::milliseconds timeout_;
  Credentials credentials_;
  std::unique_ptr<HttpClient> client_;
  std::string token_;
};

}  // namespace

Result<std::unique_ptr<Firewall>> make_crowdsec(const FirewallConfig& config) {
  return std::make_unique<CrowdSec>(config);
}

}  // namespace mailward
