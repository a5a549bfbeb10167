#!/usr/bin/env python3
"""From the write of the convicting line to the first dropped packet: p50 and p99, idle and while others fill the log.

    latency.py BINARY [--convictions N] [--rate LINES] [--at-most MS]

How it measures. `mailward run` guards a server in network namespaces of the test's own (tests/system/lab.py), with the
backend nftables. For each conviction an address that has failed to log in as often as the policy allows sends numbered
UDP packets to the server, one about every 60 µs; another socket of the same process, in the server's network, takes out
what got through. At a random moment between two packets the line that convicts him is appended to the log, as a logger
does it: one write(2). The clock is read before that write and before each packet is sent. The latency is the time from
the one to the first packet that never arrived.

How exact it is. Between the two namespaces a packet passes nftables in the context of its sender, microseconds after
the clock was read. So the drop came to be in the gap between the last packet that arrived and the first that didn't;
what is reported is the far end of that gap. The gaps are reported as well: idle some 60 to 100 µs; on a machine whose
cores are all busy longer, and then it is the reported latency that is too long, never too short. The sender sleeps
between packets, lest it take a core of its own from what is measured.

The load is LINES lines a second (50,000 if not told) of Postfix, written in pieces each millisecond by another process
into the same log: mails that are delivered, and one refused login among twenty sessions, each of those from an address
never seen before. How many were really written is reported; when a conviction does not lead to a drop
within two seconds the run fails.

Needs root. Where the machine does other work as well, `chrt -r 1` in front measures mailward and not its neighbours.
198.18.0.0/15 is the network for benchmarks (RFC 2544).
"""
import argparse
import ipaddress
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests", "system"))
import lab as laboratory
from lab import PLACE, SERVER, sh, wait_until

ATTACKERS = ipaddress.ip_network("198.18.0.0/16")
HARMLESS = [str(a) for a in ipaddress.ip_network("198.19.0.0/18").hosts()]
OTHERS = int(ipaddress.ip_address("100.64.0.0"))  # from here on up, each of them once
LIMIT = 4
PAUSE = 20e-6      # seconds asked for between packets; with the timer's grain it is about 60 µs
QUIET = 0.02       # so long nothing arrived: he is cut off
PATIENCE = 2.0
FOLDER = os.path.join(os.path.dirname(HERE), "build", "bench", "latency")  # on a disk: a ledger in memory waits for nothing
LOG = FOLDER + "/mail.log"
CONFIG = f"""[input]
files    = ["{LOG}"]
timezone = "UTC"
[judge]
policy   = "{FOLDER}/policy.toml"
brake    = 1000000
[firewall]
backend  = "nftables"
ports    = "all"
"""
POLICY = f"""[[policy]]
name   = "guessing"
events = ["auth_failed"]
limit  = {LIMIT}
window = "1h"
ban    = "1h"
"""


def stamp():
    now = time.gmtime()
    return time.strftime("%b ", now) + f"{now.tm_mday:2d}" + time.strftime(" %H:%M:%S mail ", now)


# How each daemon says that a login was refused: lines before, the line that tells it, lines after; {s} is a number of
# the session.
REFUSALS = {
    "postfix": (["postfix/smtpd[{s}]: connect from unknown[{a}]"],
                "postfix/smtpd[{s}]: warning: unknown[{a}]: SASL LOGIN authentication failed: authentication failure, sasl_username=info",
                ["postfix/smtpd[{s}]: disconnect from unknown[{a}] ehlo=1 auth=0/1 quit=1 commands=2/3"]),
    "opensmtpd": (["smtpd[812]: {s:016x} smtp connected address={a} host=<unknown>"],
                  "smtpd[812]: {s:016x} smtp authentication user=info result=permfail",
                  ['smtpd[812]: {s:016x} smtp failed-command command="AUTH LOGIN (password)" result="535 Authentication failed"',
                   "smtpd[812]: {s:016x} smtp disconnected reason=quit"]),
    "dovecot": ([], "dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 2 secs): user=<info>, method=PLAIN, "
                "rip={a}, lip=192.0.2.25, TLS, session=<{s:016x}>", []),
    "sshd": ([], "sshd[{s}]: Failed password for root from {a} port 50022 ssh2", []),
}


def refusal(daemon, address, session):
    """What stands in the log before, at and after the refusal."""
    def said(lines):
        return "".join(stamp() + line.format(s=session, a=address) + "\n" for line in lines).encode()
    before, line, after = REFUSALS[daemon]
    return said(before), said([line]), said(after)


# A mail that is delivered, and a login that is refused, as Postfix tells them: the load.
DELIVERED = ["postfix/smtpd[{p}]: connect from unknown[{a}]\n",
             "postfix/smtpd[{p}]: {q}: client=unknown[{a}]\n",
             "postfix/cleanup[812]: {q}: message-id=<{q}@example.org>\n",
             "postfix/qmgr[813]: {q}: from=<bob@example.org>, size=235, nrcpt=1 (queue active)\n",
             "postfix/smtpd[{p}]: disconnect from unknown[{a}] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5\n",
             "postfix/virtual[814]: {q}: to=<anna@example.com>, relay=virtual, delay=0.02, delays=0.01/0.01/0/0, dsn=2.0.0, "
             "status=sent (delivered to maildir)\n",
             "postfix/qmgr[813]: {q}: removed\n"]
TURNED_AWAY = ["postfix/smtpd[{p}]: connect from unknown[{a}]\n",
               "postfix/smtpd[{p}]: warning: unknown[{a}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n",
               "postfix/smtpd[{p}]: disconnect from unknown[{a}] ehlo=1 auth=0/1 quit=1 commands=2/3\n"]


class Sessions:
    """Numbers that nobody else has just now."""

    def __init__(self):
        self.last = 10000

    def next(self):
        self.last += 1
        return self.last


def fill(rate, first, tell):
    """The load, until SIGTERM; `first` is the number of its first address that is refused. The number of lines written,
    the seconds that it took and the next such number go to `tell`."""
    running = [True]
    signal.signal(signal.SIGTERM, lambda *_: running.clear())
    log = os.open(LOG, os.O_WRONLY | os.O_APPEND)
    begin, written, session = time.monotonic(), 0, 0
    while running:
        due = int((time.monotonic() - begin) * rate)
        if due - written > rate // 2:  # it fell behind by half a second: the machine is too slow, and that is told
            begin += (due - written) / rate
            continue
        at, piece = stamp(), []
        while written + len(piece) < due:
            session += 1
            pid = 2000000 + session % 5000
            refused = session % 20 == 0
            if refused:
                first += 1
                address = socket.inet_ntoa(struct.pack(">I", OTHERS + first))
            else:
                address = HARMLESS[session % len(HARMLESS)]
            piece += [at + line.format(p=pid, q=f"{session:07X}", a=address) for line in (TURNED_AWAY if refused else DELIVERED)]
        os.write(log, "".join(piece).encode())
        written += len(piece)
        time.sleep(0.001)
    os.write(tell, json.dumps([written, time.monotonic() - begin, first]).encode())
    os._exit(0)


class Load:
    """`rate` is what it shall be, and afterwards what it was."""

    refused = 0  # addresses so far

    def __init__(self, rate):
        self.rate = rate

    def __enter__(self):
        if self.rate:
            self.told, tell = os.pipe()
            self.process = os.fork()
            if self.process == 0:
                fill(self.rate, Load.refused, tell)
            os.close(tell)
        return self

    def __exit__(self, *_):
        if self.rate:
            os.kill(self.process, signal.SIGTERM)
            written, seconds, Load.refused = json.loads(os.read(self.told, 100))
            os.waitpid(self.process, 0)
            self.rate = written / seconds


class Probe:
    """Packets from one address, and which of them arrived."""

    def __init__(self, receiver, address):
        self.receiver = receiver
        with laboratory.network("attackers"):
            self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sender.bind((address, 0))
            self.sender.connect(receiver.getsockname())
        self.sent, self.arrived, self.last_arrival = [], -1, 0.0
        while select.select([receiver], [], [], 0)[0]:
            receiver.recv(64)

    def send(self):
        self.sent.append(time.monotonic())
        self.sender.send(struct.pack("=Q", len(self.sent) - 1))
        time.sleep(PAUSE)
        while True:
            try:
                data, peer = self.receiver.recvfrom(64)
            except BlockingIOError:
                return
            if peer == self.sender.getsockname():
                self.arrived, self.last_arrival = max(self.arrived, struct.unpack("=Q", data)[0]), time.monotonic()

    def until_cut_off(self, since):
        """Seconds from `since` to the first packet that did not arrive, and from the last that did to that one."""
        while time.monotonic() - max(self.last_arrival, since) < QUIET:
            if time.monotonic() - since > PATIENCE:
                return None
            self.send()
        if self.arrived + 1 == len(self.sent):
            return None
        first = self.sent[self.arrived + 1]
        return first - since, first - self.sent[self.arrived]


def convict(receiver, log, address, lines):
    """One conviction: None if he was not cut off."""
    before, line, after = lines
    os.write(log, before)
    probe = Probe(receiver, address)
    go = time.monotonic() + random.uniform(0.01, 0.04)
    while time.monotonic() < go:
        probe.send()
    if probe.arrived < 0:
        raise RuntimeError(f"{address} is cut off before he was convicted")
    written = time.monotonic()
    os.write(log, line)
    result = probe.until_cut_off(written)
    os.write(log, after)
    probe.sender.close()
    return result


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def prepare():
    """The world with one network more, its receiver of packets, and the log."""
    lab = laboratory.Lab(".")
    sh(f"ip -n attackers route add local {ATTACKERS} dev lo; ip route add {ATTACKERS} via 10.0.1.2")
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    for name, text in (("mailward.toml", CONFIG), ("policy.toml", POLICY)):
        with open(f"{FOLDER}/{name}", "w", encoding="ascii") as file:
            file.write(text)
    with laboratory.network("server"):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.bind((SERVER[4], 9))
        receiver.setblocking(False)
    return lab, receiver, os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)


def start(lab, binary):
    options = ["--config", FOLDER + "/mailward.toml", "--ledger", FOLDER + "/ledger.sqlite"]
    process = lab.start("mailward", binary, "run", *options)

    def ready():
        if process.poll() is not None:
            raise RuntimeError(open(PLACE + "/log/mailward.out", encoding="utf-8").read())
        return lab.run(binary, "status", *options)[0] == 0
    wait_until("mailward answers", ready)
    return process


def measure(receiver, log, daemon, addresses, sessions, load):
    """Each address has failed LIMIT times before; the next failure convicts."""
    for address in addresses:
        for _ in range(LIMIT):
            os.write(log, b"".join(refusal(daemon, address, sessions.next())))
    found = []
    with load:
        time.sleep(1)  # the load's first second, and time to read what stands above
        for address in addresses:
            result = convict(receiver, log, address, refusal(daemon, address, sessions.next()))
            if result is None:
                raise RuntimeError(f"{address} was not cut off within {PATIENCE:g} s of the line that convicts him ({daemon})")
            found.append(result)
            time.sleep(random.uniform(0, 0.02))
    return found


def run(arguments, receiver, log, process):
    addresses, sessions, slow = iter(ATTACKERS.hosts()), Sessions(), False
    print(f"{'line to drop, ms':<34}{'p50':>8}{'p99':>8}{'longest':>9}{'number':>8}   gap p50, p99")
    for rate in (0, arguments.rate):
        for daemon in arguments.daemons.split(","):
            load = Load(rate)
            some = [str(next(addresses)) for _ in range(arguments.convictions)]
            found = measure(receiver, log, daemon, some, sessions, load)
            times, gaps = [f[0] * 1000 for f in found], [f[1] * 1000 for f in found]
            name = f"{daemon}, " + (f"{load.rate:,.0f} lines/s" if rate else "idle")
            print(f"{name:<34}{percentile(times, 0.5):8.2f}{percentile(times, 0.99):8.2f}{max(times):9.2f}{len(times):8}"
                  f"   {percentile(gaps, 0.5):.2f}, {percentile(gaps, 0.99):.2f}", flush=True)
            slow = slow or (arguments.at_most and percentile(times, 0.99) >= arguments.at_most)
    process.send_signal(signal.SIGTERM)
    process.wait(10)
    shutil.rmtree(FOLDER)
    if slow:
        sys.exit(f"a p99 is not below {arguments.at_most:g} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("binary")
    parser.add_argument("--convictions", type=int, default=200, help="of each daemon's lines, idle and under load")
    parser.add_argument("--daemons", default="postfix,opensmtpd", help=f"whose lines convict: some of {','.join(REFUSALS)}")
    parser.add_argument("--rate", type=int, default=50000, help="lines a second of others")
    parser.add_argument("--at-most", type=float, metavar="MS", help="fail if a p99 is not below this")
    arguments = parser.parse_args()
    binary = os.path.abspath(arguments.binary)
    laboratory.enter()
    laboratory.libc.prctl(29, 1)  # PR_SET_TIMERSLACK: sleeps end when they should, to a nanosecond
    lab, receiver, log = prepare()
    try:
        run(arguments, receiver, log, start(lab, binary))
    except (RuntimeError, TimeoutError, OSError) as error:
        with open(PLACE + "/log/mailward.out", encoding="utf-8", errors="replace") as file:
            sys.exit(f"{error}\nmailward said:\n{file.read()[-4000:]}")


if __name__ == "__main__":
    main()
