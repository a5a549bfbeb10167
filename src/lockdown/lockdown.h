// Locking in: a process opens what it needs, then gives up everything that its part doesn't need, for good. What an
// attacker's bytes could still do through a fault in it is what its part may do, and nothing else.
//
// Each returns what holds from now on, in one sentence for -v and `status`: "locked in: seccomp and Landlock", or
// what this kernel lacks. An error: the system refused; the caller ends. What isn't allowed fails with EPERM or
// EACCES (OpenBSD: kills the process). Threads that run already are locked in too by seccomp, but not by Landlock:
// call it on the main thread, before others begin. Under a sanitizer, which needs more than it may have, nothing is
// done, and the sentence says so.
//
// Sources: seccomp(2), landlock(7), OpenBSD's pledge(2) and unveil(2).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace mailward {

// Commands that read logs or mail: reads its descriptors, writes to standard output and error; threads. A system
// without seccomp is told, not refused: who types `scan` wants to see his log.
Result<std::string> lock_in();

// --- The three parts of the daemon (docs/reliability.md). Here a kernel without seccomp is an error; one without
// Landlock is told.

// The reader: descriptors come over its socket (recvmsg), it reads them (files, the journal's by mmap), and sends
// what it found. It opens nothing, connects nowhere, starts neither process nor thread, and reaches nobody else.
// Its sockets must be connected streams or sequenced packets: a datagram could be sent to another name.
//
// sd_journal_open_files_fd(3) needs no more than that. (systemd 256 and later loads libzstd, liblzma and liblz4
// when the first compressed field is met, which fails here unless they are loaded; mailward is linked with the first
// two, and journald compresses with zstd.)
Result<std::string> lock_in_reader();

struct KeeperFolders {
  std::string ledger;                 // makes, writes and removes files in and below it
  std::vector<std::string> readable;  // policies and the like: opens what is in and below them to read
};
// The keeper: SQLite in one folder, an event loop, threads, and sockets that are there already: it accepts from one
// that listens, asks who is at the other end, and writes to ones that are connected; it makes none.
//
// What can't be had: SQLite opens files itself, so opening is allowed, and without Landlock (before Linux 5.13, or
// switched off) only the rights of the process' user keep it to these folders. SQLite's temporary files would be
// elsewhere: PRAGMA temp_store = MEMORY.
Result<std::string> lock_in_keeper(const KeeperFolders& folders);

struct HelperNeeds {
  // It lists these and opens what is in and below them to read: the folders of logs, of the configuration. One that
  // isn't there is left out and named in the sentence: it stays out of reach until a new start. Give folders, not
  // files: a rule on a file ends when a new one takes its name.
  std::vector<std::string> folders;
  bool nftables = false;
  std::vector<uint16_t> ports;        // connects to these by TCP (CrowdSec's API)
  std::vector<std::string> programs;  // runs these (absolute paths): pfctl, the commands of the configuration
  bool starts_readers = false;        // forks, becomes another user there, locks that one in
};
// The helper: opens logs, is told of changes in their folders, changes the firewall. It writes no file.
//
// What can't be had:
// - The host's resolvers, names and protocols stand in /etc, and a file there is replaced rather than written to: all
//   of /etc is readable, as far as the process' user may read it.
// - Netlink: which messages are sent can't be told by a system call's arguments. A broken helper with CAP_NET_ADMIN
//   may change addresses and routes (the link that asks for them is the same) and tables that are not ours.
// - With `ports`: UDP goes anywhere (names are asked for by it), and before Linux 6.7 TCP too.
// - With `programs`, on Linux: what is forbidden here is forbidden to them, and nobody knows what they need. So only
//   what no firewall's command has any business with is: other processes' memory, mounts, modules, namespaces,
//   the clock, keys; and no program gets more rights by its setuid bit (sudo won't work).
// - With `starts_readers`: it can become any user that its rights let it become, and signal those (with Landlock of
//   Linux 6.12: its own children only).
Result<std::string> lock_in_helper(const HelperNeeds& needs);

}  // namespace mailward
