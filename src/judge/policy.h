// Policies: what makes an offender. Read from TOML files (docs/policies.md);
// nothing about a preset is compiled in. Values, immutable after reading, any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/event.h"
#include "base/instant.h"
#include "base/result.h"

namespace mailward {

// Which logins count, by the name tried. Events without a name count only under kAny and
// kNotForeignDomain ("any other").
enum class When : uint8_t { kAny, kForeignDomain, kLocalDomain, kBareName, kUnknownUser, kNotForeignDomain };

// What is counted over.
enum class Per : uint8_t { kAddress, kNetwork, kUser };

struct Policy {
  std::string name;
  KindSet events = 0;
  When when = When::kAny;
  Per per = Per::kAddress;
  uint32_t limit = 0;      // an offender has more than this many …
  uint32_t kinds = 1;      // … of at least so many different kinds …
  uint32_t addresses = 1;  // per user: … and so many addresses took part …
  Duration window{0};      // … within (t - window, t]; zero: the whole log
  Duration ban{0};
  double repeat = 1.0;                       // each further ban of the same address lasts this many times longer
  Duration forgive = std::chrono::days(30);  // after its end, and as long as it lasted, the next is the first again
  Duration spare{0};           // spare_after_login: failures of a user that this address logged in as; zero: off
  Duration spare_clients{0};   // other events of an address that anybody logged in from within this span; zero: off
  bool spare_senders = false;  // an address that more messages were taken from than events counted
  bool spare_mild = false;     // refusals that are not held against the client (Event::mild): alike ones are one
  uint32_t spare_people = 0;   // so many events are allowed for each user who logs in, see docs/policies.md; 0: off
  int prefix4 = 24;            // per network only
  int prefix6 = 64;            // per network; per address: what is taken for one address
  bool needs_domains = false;  // counts nothing while no local domain is known
};

struct PolicySet {
  std::string name;  // "default", or the file's name without its folder and .toml
  std::vector<Policy> policies;
};

// The policies' number and sizes have bounds, so that what the judge keeps has them too.
inline constexpr size_t kMostPolicies = 32;
inline constexpr size_t kMostSpans = 7;  // different pairs of a span of sparing and what is one address
inline constexpr uint32_t kMostLimit = 1'000'000;
inline constexpr uint32_t kMostForAPerson = 50;

// How many of those there are; the judge can tell kMostSpans apart.
size_t sparing_spans(const std::vector<Policy>& policies);

// Instead of every `limit` and `ban` of the policies (--limit, --ban).
struct Overrides {
  int64_t limit = -1;  // negative: as written
  Duration ban{0};     // zero: as written
};

// Reads one policy file's text. `path` is for messages: "PATH:LINE:COLUMN: what is wrong, what was
// expected". The set is called `name`.
Result<PolicySet> parse_policies(std::string_view text, const std::string& path, const std::string& name);

// A preset's name ("strikes") or a path: what has a slash in it or ends in ".toml" is a path.
Result<PolicySet> load_policies(const std::string& name_or_path);

void apply(const Overrides& overrides, PolicySet& set);

std::string_view name_of(When when);
std::string_view name_of(Per per);
// "auth_failed", "hostile", "auth_failed, no_tls": as a policy file would say it.
std::string describe_kinds(KindSet kinds);

}  // namespace mailward
