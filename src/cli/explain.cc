#include "cli/command.h"
namespace mailward {
Body declare_explain(CLI::App&, GlobalOptions&) {
  return [] { return 1; };
}
}  // namespace mailward
