// Lengths at which loggers cut. A record of such a length may end in the middle of what its daemon
// wrote: what stands right of client text in it can't be believed.
//
// What a limit counts differs: the message, the datagram (priority, stamp, tag, message) or the line in
// the file (with the host's name). So a record is under suspicion when the limit lies anywhere between
// its message's length and its line's with the priority's five bytes added:
//
//   1024   RFC 3164 4.1 (the packet); musl's syslog(); FreeBSD's and sysklogd's MAXLINE of old
//   2000   Postfix, msg_syslog(3): "Output records are truncated to 2000 characters"
//   2048   RFC 5424 6.1 ("SHOULD be able to receive"); NetBSD, sysklogd 2
//   8096   rsyslog's maxMessageSize (8k) in old versions, 8192 in present ones and on OpenBSD (LOG_MAXLINE)
//   49152  journald's LineMax for what a service prints (journald.conf(5))
//   65536  syslog-ng's log-msg-size()
//    256   busybox' syslogd (FEATURE_SYSLOGD_READ_BUFFER_SIZE), only where the line has its mark, the
//          word "mail.info" between host and tag: else half of all lines would be under suspicion
//
// Exim splits by itself what is longer than 870 bytes ("[1/3] …"), rsyslog keeps 800 bytes of a
// repeated message (Meta::cut). Docker's pieces of 16 KiB are joined and cut nothing.
#pragma once

#include "log/record.h"

namespace mailward {

// A few compares; ask only where it matters.
bool at_cut_length(const Record& record);

}  // namespace mailward
