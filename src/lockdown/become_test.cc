#include "lockdown/become.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/stat.h>

#include <fstream>

#include "base/test_folder.h"
#include "lockdown/test_child.h"

namespace mailward {
namespace {

constexpr uid_t kUser = 65534;
constexpr gid_t kGroup = 65533;

#define SKIP_UNLESS_ROOT() \
  if (getuid() != 0) GTEST_SKIP() << "only root can become somebody else"

uint32_t permitted() {
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3]{};
  syscall(SYS_capget, &head, sets);
  return sets[0].permitted | sets[1].permitted;
}

TEST(Become, AnotherUserForGood) {
  SKIP_UNLESS_ROOT();
  const TestFolder folder;
  chmod(folder.name().c_str(), 0755);
  std::ofstream(folder.path("secret")) << "x";
  chmod(folder.path("secret").c_str(), 0600);
  const int result = in_child([&] {
    const gid_t more[] = {0, 4};
    if (setgroups(2, more) != 0) return 1;
    if (!become(kUser, kGroup)) return 2;
    if (getuid() != kUser || geteuid() != kUser || getgid() != kGroup || getegid() != kGroup) return 3;
    gid_t groups[8];
    if (getgroups(8, groups) != 1 || groups[0] != kGroup) return 4;
    if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setgid(0) == 0 || setgroups(2, more) == 0) return 5;
    if (permitted() != 0) return 6;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0) return 7;
    return open(folder.path("secret").c_str(), O_RDONLY) < 0 ? 0 : 8;
  });
  EXPECT_EQ(result, 0);
}

TEST(Become, KeepsNoCapabilityThatOutlivesTheChange) {
  SKIP_UNLESS_ROOT();
  EXPECT_EQ(in_child([] {
              prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
              if (setresgid(kGroup, kGroup, kGroup) != 0 || setresuid(kUser, kUser, kUser) != 0) return 1;
              if (permitted() == 0) return 2;  // else this proves nothing
              if (!become(kUser, kGroup)) return 3;
              return permitted() == 0 ? 0 : 4;
            }),
            0);
}

TEST(Become, ItsMemoryIsItsOwn) {
  EXPECT_EQ(in_child([] {
              if (prctl(PR_GET_DUMPABLE) != 1 || !give_up_new_rights()) return 1;
              return prctl(PR_GET_DUMPABLE) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 2;
            }),
            0);
}

TEST(Become, WhoIsThatUserAlreadyStays) {
  SKIP_UNLESS_ROOT();
  EXPECT_EQ(in_child([] { return become(kUser, kGroup) && become(kUser, kGroup) ? 0 : 1; }), 0);
}

TEST(Become, NeverRootAndNeverHalf) {
  SKIP_UNLESS_ROOT();
  const auto refused = [](uid_t user, gid_t group) { return become(user, group) ? 1 : 0; };
  EXPECT_EQ(in_child([&] { return refused(0, kGroup); }), 0);
  EXPECT_EQ(in_child([&] { return refused(kUser, 0); }), 0);
  // Another user's process, and one that keeps a way back.
  EXPECT_EQ(in_child([&] { return setresuid(kUser, kUser, kUser) != 0 ? 2 : refused(kUser - 1, kGroup); }), 0);
  EXPECT_EQ(in_child([&] {
              if (setresgid(kGroup, kGroup, kGroup) != 0 || setresuid(kUser, kUser, 0) != 0) return 2;
              return refused(kUser, kGroup);
            }),
            0);
}

}  // namespace
}  // namespace mailward
