// `mailward rules test`: the samples, negative samples and stories of the rule files, put through
// the same engine that reads logs.
#pragma once

#include <string>
#include <vector>

#include "grammar/grammar.h"

namespace mailward {

struct SampleReport {
  struct Daemon {
    std::string name, versions;
    size_t rules = 0, samples = 0, negatives = 0, stories = 0;
    size_t rules_with_sample = 0;
  };
  std::vector<Daemon> daemons;
  std::vector<std::string> without_sample;  // "rules/x.toml:12: rule `y` has no sample: nothing shows that it holds"
  std::vector<std::string> failures;        // "rules/x.toml:12: rule `y`: user is `a`, not `b`"
};

SampleReport test_samples(const Grammar& grammar, const std::vector<std::string>& only = {});

}  // namespace mailward
