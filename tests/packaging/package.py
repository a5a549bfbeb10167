#!/usr/bin/env python3
"""The Debian package from its installation to its purge.

    package.py DEBS FOLDER      the package in the folder DEBS, on the root that machine.py made in FOLDER
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import machine

DEB, FOLDER = "", ""
# What dpkg, adduser, systemd and the loader write for themselves, whatever package it is.
HOUSEKEEPING = re.compile(r"^/(proc|sys|dev|run|tmp|mnt)/|^/var/(lib/dpkg|log|cache|lib/systemd)/|^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$"
                          r"|^/etc/(ld\.so\.cache|machine-id|\.pwd\.lock)$")
UNIT = "/etc/systemd/system/mailward.service.d"


def files(root):
    found = set()
    for folder, folders, names in os.walk(root):
        inside = folder[len(root):]
        found |= {f"{inside}/{name}" for name in [*folders, *names]}
    return {path for path in found if not HOUSEKEEPING.search(path)}


class Package(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = tempfile.mkdtemp(dir=FOLDER)
        self.machine = machine.Machine(machine.base_for(FOLDER, DEB), self.folder)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.machine.shut)
        self.attackers = 0

    def put(self, deb=None):
        shutil.copy(deb or DEB, self.machine.root + "/root/mailward.deb")

    def write(self, path, text, how="w"):
        path = self.machine.root + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, how, encoding="utf-8") as file:
            file.write(text)

    def attack(self):
        """A client guesses passwords; its address."""
        self.attackers += 1
        address = f"203.0.113.{self.attackers}"
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
        self.write("/var/log/mail.log", "".join(
            f"{stamp} mail postfix/smtpd[{4700 + i}]: warning: unknown[{address}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6\n"
            for i in range(7)), "a")
        return address

    # ------------------------------------------------------------ as an installer does: nothing runs

    def test_without_a_running_system(self):
        m = self.machine
        before = files(m.root)
        self.put()
        m.in_root("dpkg", "-i", "/root/mailward.deb")
        ledger = m.root + "/var/lib/mailward"
        self.assertEqual(oct(os.stat(ledger).st_mode & 0o7777), "0o700")
        self.assertIn("mailward:", m.in_root("getent", "passwd", str(os.stat(ledger).st_uid)))
        self.assertTrue(os.path.islink(m.root + "/etc/systemd/system/multi-user.target.wants/mailward.service"))
        self.assertEqual(m.in_root("dpkg", "--verify", "mailward"), "")
        self.once_and_in_the_foreground(ledger)
        m.in_root("dpkg", "--purge", "mailward")
        os.remove(m.root + "/root/mailward.deb")
        os.remove(m.root + "/var/log/mail.log")
        self.assertEqual(files(m.root) - before, set(), "left behind")
        self.assertEqual(before - files(m.root), set(), "taken away")
        self.assertNotIn("mailward", m.in_root("getent", "passwd"))

    def once_and_in_the_foreground(self, ledger):
        m = self.machine
        self.write("/etc/mailward/mailward.toml", '[firewall]\nbackend = "none"\n')  # the machine's own firewall is not ours
        m.in_root("mount", "-t", "proc", "proc", "/proc")
        m.in_root("mount", "-t", "tmpfs", "tmpfs", "/dev")
        try:
            m.in_root("mknod", "-m", "666", "/dev/null", "c", "1", "3")
            m.in_root("mknod", "-m", "666", "/dev/urandom", "c", "1", "9")
            first = self.attack()
            m.in_root("mailward", "run", "--once")
            self.assertEqual(m.in_root("mailward", "bans").split(), [first])
            self.assertEqual({os.stat(os.path.join(ledger, "ledger.sqlite")).st_uid}, {os.stat(ledger).st_uid})
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
                manager.bind(m.root + "/run/notify")
                manager.settimeout(20)
                with subprocess.Popen(["chroot", m.root, "env", "NOTIFY_SOCKET=/run/notify", "WATCHDOG_USEC=400000", "mailward", "run"],
                                      stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
                    self.assertEqual([manager.recv(100) for _ in range(3)], [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"])
                    m.wait(lambda: "running" in m.in_root("mailward", "status"), "no status")
                    daemon.terminate()
                    self.assertEqual(daemon.wait(20), 0)
        finally:
            m.in_root("umount", "/dev")
            m.in_root("umount", "/proc")

    # ------------------------------------------------------------ under systemd

    def test_from_installation_to_purge(self):
        m = self.machine
        self.put()
        self.attack()  # a log that is empty is passed over
        m.boot()
        before = files(m.root)
        m("dpkg", "-i", "/root/mailward.deb")
        self.service_guards()
        self.reload()
        self.parts_and_watchdog()
        self.once_instead()
        self.upgrade()
        m("dpkg", "--remove", "mailward")
        self.assertEqual(m("systemctl", "is-active", "mailward", check=False).strip(), "inactive")
        self.assertNotIn("mailward", m("nft", "list", "tables"))
        self.assertIn("table inet other", m("nft", "list", "tables"))
        self.assertTrue(os.path.exists(m.root + "/var/lib/mailward/ledger.sqlite"), "a removal keeps what is remembered")
        m("dpkg", "-i", "/root/mailward.deb")
        self.assertNotEqual(m("mailward", "bans"), "", "and it is there again")
        m("dpkg", "--purge", "mailward")
        shutil.rmtree(m.root + UNIT)  # the test's own
        self.assertEqual(files(m.root) - before, set(), "left behind")
        self.assertNotIn("mailward", m("getent", "passwd") + m("getent", "group"))
        self.assertNotIn("mailward", m("nft", "list", "tables"))

    def test_journal(self):
        """A Debian without a syslog daemon: what is there is followed without a word of configuration."""
        m = self.machine
        self.put()
        m.boot()
        m("dpkg", "-i", "/root/mailward.deb")
        self.assertRegex(m("mailward", "status"), r"log +journal:")
        for pid in range(7):
            m("logger", "-p", "mail.warning", "-t", f"postfix/smtpd[{4700 + pid}]",
              "warning: unknown[203.0.113.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6")
        self.wait_for_ban("203.0.113.9")

    def banned(self, address):
        return address in self.machine("nft", "list", "table", "inet", "mailward", check=False)

    def wait_for_ban(self, address):
        self.machine.wait(lambda: self.banned(address), f"{address} is not kept out: " + self.machine("mailward", "status", check=False))

    def service_guards(self):
        m = self.machine
        self.assertEqual(m("systemctl", "is-active", "mailward").strip(), "active")
        self.wait_for_ban(self.attack())
        self.assertRegex(m("mailward", "status"), "sandbox +seccomp")
        ids = m("ps", "-o", "user:32=", "-C", "mailward").split()
        self.assertEqual(sorted(ids), ["mailward", "mailward-reader", "root", "root"])
        m("nft", "add", "table", "inet", "other")
        # Who is in the group may look, and nothing else.
        self.write("/tmp/socket.toml", '[daemon]\ncontrol = "/run/mailward/control.sock"\n')
        as_one_of = lambda group, *words: m("setpriv", "--reuid=nobody", f"--regid={group}", "--clear-groups", "mailward", "--config",
                                            "/tmp/socket.toml", *words, check=False, both=True)
        self.assertEqual(as_one_of("mailward", "status"), (0, ""))
        self.assertIn("only root", as_one_of("mailward", "ban", "192.0.2.7")[1])
        self.assertIn("Permission denied", as_one_of("nogroup", "status")[1])

    def reload(self):
        m = self.machine
        pid = m("systemctl", "show", "-P", "MainPID", "mailward")
        self.write("/etc/mailward/mailward.toml", '[firewall]\nports = "all"\n')
        m("systemctl", "reload", "mailward")
        m.wait(lambda: "tcp dport" not in m("nft", "list", "chain", "inet", "mailward", "arriving"), "the new configuration is not in force")
        self.write("/etc/mailward/mailward.toml", '[firewal]\nports = "mail"\n')
        self.assertEqual(m("systemctl", "reload", "mailward", check=False, both=True)[0], 1)
        self.wait_for_ban(self.attack())
        self.assertEqual(m("systemctl", "show", "-P", "MainPID", "mailward"), pid)
        self.write("/etc/mailward/mailward.toml", "# mine\n")
        m("systemctl", "reload", "mailward")

    def parts_and_watchdog(self):
        m = self.machine
        kill = ("pkill", "-KILL", "-u", "mailward-reader")
        m.wait(lambda: m(*kill, check=False, both=True)[0] == 0, "there is no reader")  # a reload starts all anew
        self.wait_for_ban(self.attack())
        # Processes that are gone are started anew by mailward itself; one that hangs by systemd.
        self.write(UNIT + "/test.conf", "[Service]\nWatchdogSec=1s\n")
        m("systemctl", "daemon-reload")
        m("systemctl", "restart", "mailward")
        m("pkill", "-STOP", "-u", "mailward")
        m.wait(lambda: m("systemctl", "show", "-P", "NRestarts", "mailward").strip() == "1", "the watchdog does not bite")
        self.wait_for_ban(self.attack())

    def once_instead(self):
        m = self.machine
        m("systemctl", "start", "mailward-once.service")
        self.assertEqual(m("systemctl", "show", "-P", "ConditionResult", "mailward-once").strip(), "no", "the daemon runs")
        m("systemctl", "disable", "--now", "mailward")
        late = self.attack()
        m("systemctl", "start", "mailward-once.service")
        self.assertTrue(self.banned(late))
        self.assertEqual(m("systemctl", "show", "-P", "Result", "mailward-once").strip(), "success")
        m("systemctl", "enable", "--now", "mailward-once.timer")
        self.assertIn("mailward-once.timer", m("systemctl", "list-timers"))

    def upgrade(self):
        m = self.machine
        m("systemctl", "disable", "--now", "mailward-once.timer")
        m("systemctl", "enable", "--now", "mailward")
        pid = m("systemctl", "show", "-P", "MainPID", "mailward")
        newer = os.path.join(self.folder, "newer")
        machine.run("dpkg-deb", "-R", DEB, newer)
        control = os.path.join(newer, "DEBIAN/control")
        with open(control, encoding="utf-8") as file:
            text = re.sub(r"(?m)^Version: .*$", "Version: 99.0", file.read())
        with open(control, "w", encoding="utf-8") as file:
            file.write(text)
        machine.run("dpkg-deb", "-b", newer, newer + ".deb")
        self.put(newer + ".deb")
        m("dpkg", "-i", "/root/mailward.deb")
        self.assertEqual(m("systemctl", "is-active", "mailward").strip(), "active")
        self.assertNotEqual(m("systemctl", "show", "-P", "MainPID", "mailward"), pid)
        self.assertEqual(m("cat", "/etc/mailward/mailward.toml"), "# mine\n")
        self.assertTrue(self.banned("203.0.113.1"))
        m("systemctl", "enable", "mailward-once.timer")  # is gone after a purge, too


if __name__ == "__main__":
    DEB, FOLDER = machine.package_in(sys.argv[1]), os.path.abspath(sys.argv[2])
    if os.geteuid() != 0 or not machine.cgroup2():
        print("The package was not tried: that needs root, and version 2 of the kernel's control groups.")
        sys.exit(77)
    if not DEB or not machine.base_for(FOLDER, DEB):
        print("The package was not tried: there is none, or no root made for it by machine.py; ./dev test makes both.")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:], verbosity=2)
