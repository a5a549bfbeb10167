#include "lockdown/become.h"

#include <fmt/format.h>
#include <grp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "lockdown/rights.h"

namespace mailward {
namespace {

bool is(uid_t user, gid_t group) {
  uid_t u[3];
  gid_t g[3];
  if (::getresuid(&u[0], &u[1], &u[2]) != 0 || ::getresgid(&g[0], &g[1], &g[2]) != 0) return false;
  for (int i = 0; i < 3; ++i) {
    if (u[i] != user || g[i] != group) return false;
  }
  return true;
}

Result<void> change_to(uid_t user, gid_t group) {
  const char* what = nullptr;
  if (::setgroups(1, &group) != 0) {
    what = "groups";
  } else if (::setresgid(group, group, group) != 0) {
    what = "group";
  } else if (::setresuid(user, user, user) != 0) {
    what = "user";
  }
  if (what == nullptr) return {};
  return fail(fmt::format("user {} and group {} can't be taken on ({}: {}); start as root, or as that user", user,
                          group, what, std::strerror(errno)));
}

}  // namespace

Result<void> become(uid_t user, gid_t group) {
  if (user == 0 || group == 0) return fail("a part that gives up its rights can't be root or of root's group");
  if (!is(user, group)) {
    if (auto changed = change_to(user, group); !changed) return changed;
  }
  // The way back: were one of these to succeed, the rest would be for nothing.
  const bool powerless = give_up_capabilities();
  const bool back = ::setresuid(0, 0, 0) == 0 || ::setuid(0) == 0 || ::setresgid(0, 0, 0) == 0;
  if (!powerless || back || !is(user, group))
    return fail(fmt::format("user {} could get rights back that were given up", user));
  return give_up_new_rights();
}

}  // namespace mailward
