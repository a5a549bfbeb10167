// Linux: inotify(7) tells what this machine does to a file system, not what others do to one that they share.
#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "log/follow/watch.h"

namespace mailward {
namespace {

// statfs(2), linux/magic.h; the rest is not in every header.
constexpr std::array<uint32_t, 14> kShared = {
    NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, AFS_SUPER_MAGIC, CODA_SUPER_MAGIC, V9FS_MAGIC, OCFS2_SUPER_MAGIC,
    0xff534d42,  // cifs
    0xfe534d42,  // smb3
    0x00c36400,  // ceph
    0x65735546,  // fuse: sshfs, glusterfs
    0x01161970,  // gfs2
    0x0bd00bd0,  // lustre
    0x786f4256,  // vboxsf
    0x6b414653,  // kafs
};

}  // namespace

bool folder_has_events(const std::string& folder) {
  struct statfs s{};
  if (::statfs(folder.c_str(), &s) != 0) return false;
  return std::find(kShared.begin(), kShared.end(), static_cast<uint32_t>(s.f_type)) == kShared.end();
}

}  // namespace mailward
