"""The daemon from outside: its commands, its end, and each fault of docs/reliability.md that can be brought about here."""
import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import program  # noqa: E402

STAMP = "%b %e %H:%M:%S"


def now():
    return time.strftime(STAMP, time.gmtime())


def guess(address, user="info@elsewhere.example", pid=4711):
    """Somebody tries a login of a foreign domain: `strikes` convicts at once."""
    return (f"{now()} mail postfix/smtpd[{pid}]: warning: unknown[{address}]: SASL LOGIN authentication failed: "
            f"authentication failure, sasl_username={user}\n")


class Daemon(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = self.holder.name
        os.chmod(self.folder, 0o755)
        self.log, self.ledger = self.path("mail.log"), self.path("ledger.sqlite")
        self.config, self.called = self.path("mailward.toml"), self.path("called")
        self.ignore = self.path("ignore.txt")
        with open(self.ignore, "w", encoding="ascii") as file:
            file.write("# nobody\n")
        self.script("act", f'echo "$@" >> {self.called}')
        self.configure()
        self.daemons = []
        self.addCleanup(self.kill_all)

    def path(self, name):
        return os.path.join(self.folder, name)

    def script(self, name, text):
        with open(self.path(name + ".new"), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + text + "\n")
        os.chmod(self.path(name + ".new"), 0o755)
        os.rename(self.path(name + ".new"), self.path(name))

    def configure(self, more="", judge="", files=None):
        act = self.path("act")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f'[input]\nfiles = {json.dumps(files or [self.log])}\ntimezone = "UTC"\n'
                       f'[judge]\npolicy = "strikes"\nignore = ["{self.ignore}"]\n{judge}\n'
                       f'[firewall]\nbackend = "command"\n[firewall.command]\nban = ["{act}", "ban", "{{address}}", "{{seconds}}"]\n'
                       f'unban = ["{act}", "unban", "{{address}}"]\n{more}\n')

    def words(self, command, *more):
        return [program.BINARY, command, "--config", self.config, "--ledger", self.ledger, *more]

    def start(self, *more, env=None, before=None, ready=True):
        with open(self.path("errors"), "ab") as errors:
            process = subprocess.Popen(self.words("run", *more), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=errors, env=dict(os.environ, **(env or {})), preexec_fn=before)
        self.daemons.append(process)
        if ready:
            self.until(lambda: self.ask("status").returncode == 0, "the daemon answers")
        return process

    def kill_all(self):
        for process in self.daemons:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()

    def ask(self, command, *more):
        return subprocess.run(self.words(command, *more), capture_output=True, text=True, timeout=program.PATIENCE, check=False)

    def bans(self, *more):
        done = self.ask("bans", "--format", "json", *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def status(self):
        return json.loads(self.ask("status", "--format", "json").stdout)

    def write(self, *lines, path=None):
        with open(path or self.log, "a", encoding="ascii") as file:
            file.write("".join(lines))

    def calls(self):
        try:
            with open(self.called, encoding="ascii") as file:
                return file.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def called_for(self, verb, address):
        return any(line.split()[:2] == [verb, address] for line in self.calls())

    def errors(self):
        with open(self.path("errors"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def until(self, holds, what, patience=30):
        deadline = time.monotonic() + patience
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"in vain: {what}; {self.errors() if os.path.exists(self.path('errors')) else ''}")
            time.sleep(0.02)

    # ------------------------------------------------------------ what it is for

    def test_who_guesses_is_banned_and_can_be_let_in(self):
        self.write("")
        daemon = self.start()
        self.write(guess("203.0.113.9"), guess("2001:db8:1:2::3"))
        self.until(lambda: self.called_for("ban", "203.0.113.9") and self.called_for("ban", "2001:db8:1:2::3"), "both are banned")
        bans = {ban["address"]: ban for ban in self.bans()}
        self.assertEqual(set(bans), {"203.0.113.9", "2001:db8:1:2::3"})
        ban = bans["203.0.113.9"]
        self.assertEqual((ban["policy"], ban["count"], ban["origin"]), ("strikes/foreign-login", 1, "judged"))
        self.assertEqual(self.ask("bans", "--format", "plain").stdout, "203.0.113.9\n2001:db8:1:2::3\n")
        self.assertIn("203.0.113.9", self.ask("bans", "--format", "csv").stdout)
        self.assertIn("2 bans in force", self.ask("bans", "--format", "table").stdout)

        done = self.ask("unban", "203.0.113.9")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.until(lambda: self.called_for("unban", "203.0.113.9"), "he is let in")
        self.assertEqual([ban["address"] for ban in self.bans()], ["2001:db8:1:2::3"])
        self.assertEqual(len(self.bans("--all")), 2)
        # What convicted him doesn't again, after a new start either; something new does.
        daemon.terminate()
        self.assertEqual(daemon.wait(20), 0)
        daemon = self.start()
        self.assertEqual([ban["address"] for ban in self.bans()], ["2001:db8:1:2::3"])
        time.sleep(1.1)
        self.write(guess("203.0.113.9"))
        self.until(lambda: len(self.bans()) == 2, "he is banned again")

    def test_status_says_how_it_stands(self):
        self.write(guess("203.0.113.9"), "what is this\n", f"{now()} mail postfix/smtpd[1]: never seen before\n")
        self.start()
        self.until(lambda: self.status()["inputs"][0]["lines"] == 3, "all is read")
        status = self.status()
        self.assertEqual(status["policy"], "strikes")
        self.assertEqual(status["bans"]["in_force"], 1)
        self.assertEqual(status["firewall"]["backend"], "command")
        self.assertEqual(status["inputs"][0]["not_understood"], 2)
        self.assertTrue(any("never seen" in line for line in status["inputs"][0]["examples"]))
        text = self.ask("status").stdout
        for word in ("strikes", "1 in force", "command", "mail.log", "not understood"):
            self.assertIn(word, text)

    def test_once_says_one_line_and_knows_where_it_was(self):
        self.write(guess("203.0.113.9"))
        done = self.ask("run", "--once")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(self.called_for("ban", "203.0.113.9"))
        self.assertEqual(stat.S_IMODE(os.stat(self.ledger).st_mode), 0o600)
        self.write(guess("203.0.113.10"), guess("203.0.113.11").rstrip("\n"))  # a last line without its end waits
        done = self.ask("run", "--once", "-q")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual({ban["address"] for ban in self.bans()}, {"203.0.113.9", "203.0.113.10"})
        with sqlite3.connect(self.ledger) as db:
            self.assertEqual(db.execute("SELECT sum(count) FROM show_sources WHERE kind = 'auth_failed'").fetchone()[0], 2)

    def test_without_a_daemon_bans_work_by_the_ledger(self):
        self.assertEqual(self.ask("status").returncode, 1)
        done = self.ask("ban", "203.0.113.77", "--for", "1h")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.called_for("ban", "203.0.113.77"))
        self.assertEqual([(b["address"], b["origin"]) for b in self.bans()], [("203.0.113.77", "manual")])
        self.assertEqual(self.ask("unban", "203.0.113.77").returncode, 0)
        self.assertTrue(self.called_for("unban", "203.0.113.77"))
        self.assertEqual(self.bans(), [])

    def test_by_hand_what_must_not_be(self):
        with open(self.ignore, "a", encoding="ascii") as file:
            file.write("198.51.100.0/24\n")
        for running in (False, True):
            if running:
                self.start()
            for address in ("127.0.0.1", "198.51.100.7", "198.51.0.0/16", "::1"):
                done = self.ask("ban", address)
                self.assertEqual(done.returncode, 1, address)
                self.assertIn("--force", done.stderr)
            self.assertEqual(self.bans(), [])
        done = subprocess.run(self.words("ban", "192.0.2.44"), capture_output=True, text=True, check=False,
                              env=dict(os.environ, SSH_CONNECTION="192.0.2.44 5000 192.0.2.1 22"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("logged in from", done.stderr)
        self.assertEqual(self.ask("ban", "198.51.100.7", "--force").returncode, 0)
        self.until(lambda: self.called_for("ban", "198.51.100.7"), "who insists gets it")
        for wrong in (("ban",), ("ban", "x"), ("ban", "192.0.2.1/24"), ("ban", "192.0.2.9", "--for", "soon"), ("ban", "0.0.0.0/0", "--force"), ("unban",)):
            self.assertEqual(self.ask(*wrong).returncode, 2, wrong)

    # ------------------------------------------------------------ configuration

    def test_a_broken_configuration_changes_nothing(self):
        self.start()
        with open(self.config, "a", encoding="ascii") as file:
            file.write("[ledger]\nfile = 5\n")
        done = self.ask("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("mailward.toml:", done.stderr)
        self.assertIn("old configuration stays", done.stderr)
        self.configure()
        self.write(guess("203.0.113.9"))
        self.until(lambda: self.called_for("ban", "203.0.113.9"), "it goes on")

    def test_reload_takes_another_log_and_policy(self):
        other = self.path("other.log")
        self.start()
        self.write(guess("203.0.113.9"))
        self.until(lambda: self.called_for("ban", "203.0.113.9"), "the first log is read")
        self.configure(files=[self.log, other])
        self.assertEqual(self.ask("reload").returncode, 0)
        self.write(guess("203.0.113.10"), path=other)
        self.until(lambda: self.called_for("ban", "203.0.113.10"), "the second log is read")
        self.write(guess("203.0.113.11"))
        self.until(lambda: self.called_for("ban", "203.0.113.11"), "the first is read on")
        self.assertEqual(len(self.bans()), 3)

    def test_who_enters_the_ignore_list_is_let_in_at_once(self):
        self.start()
        self.write(guess("203.0.113.9"), guess("203.0.113.10"))
        self.until(lambda: len(self.bans()) == 2, "both are banned")
        with open(self.ignore, "a", encoding="ascii") as file:
            file.write("203.0.113.9\n")
        self.until(lambda: self.called_for("unban", "203.0.113.9"), "he is let in")
        self.until(lambda: [ban["address"] for ban in self.bans()] == ["203.0.113.10"], "the ledger knows it")
        self.write(guess("203.0.113.9"), guess("203.0.113.12"))
        self.until(lambda: len(self.bans()) == 2, "another one is banned")
        self.assertNotIn("203.0.113.9", [ban["address"] for ban in self.bans()])

    def test_the_brake_holds_back_and_lets_follow(self):
        self.configure(judge="brake = 3")
        self.write(*(guess(f"203.0.113.{n}") for n in range(1, 11)))
        done = self.ask("run", "--once")
        self.assertEqual(done.returncode, 0)
        self.assertIn("7 more wait", done.stderr)
        self.assertEqual(len([c for c in self.calls() if c.startswith("ban ")]), 3)
        self.assertEqual(len(self.bans()), 10)
        self.ask("run", "--once")
        self.assertEqual(len({c.split()[1] for c in self.calls() if c.startswith("ban ")}), 10)

    # ------------------------------------------------------------ beginning and end

    def test_a_second_instance_waits_and_says_so(self):
        self.start()
        begin = time.monotonic()
        done = self.ask("run", "--once")
        self.assertEqual(done.returncode, 1)
        self.assertIn("another mailward", done.stderr)
        self.assertGreaterEqual(time.monotonic() - begin, 9)

    def test_the_service_manager_is_told(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(self.path("notify"))
            manager.settimeout(20)
            daemon = self.start(env={"NOTIFY_SOCKET": self.path("notify"), "WATCHDOG_USEC": "400000"})
            told = [manager.recv(100) for _ in range(4)]
            self.assertEqual(told[0], b"READY=1")
            self.assertEqual(set(told[1:]), {b"WATCHDOG=1"})
            daemon.terminate()
            self.assertEqual(daemon.wait(20), 0)
            rest = b""
            while b"STOPPING=1" not in rest:
                rest += manager.recv(100)

    def test_the_end_stores_what_was_read(self):
        for number in range(1, 6):
            daemon = self.start()
            self.write(guess(f"203.0.113.{number}"))
            self.until(lambda n=number: self.called_for("ban", f"203.0.113.{n}"), "he is banned")
            daemon.send_signal(signal.SIGTERM if number % 2 else signal.SIGINT)
            self.assertEqual(daemon.wait(20), 0)
            self.assertEqual(len(self.bans()), number)
            self.assertFalse(os.path.exists(self.ledger + ".sock"))

    def test_each_part_may_die(self):
        daemon = self.start()
        for number in range(1, 10):
            with open(f"/proc/{daemon.pid}/task/{daemon.pid}/children", encoding="ascii") as file:
                parts = sorted(int(pid) for pid in file.read().split())
            self.assertEqual(len(parts), 3)
            os.kill(parts[number % 3], signal.SIGKILL)
            self.write(guess(f"203.0.113.{number}"))
            self.until(lambda n=number: self.called_for("ban", f"203.0.113.{n}"), "all three are back")
        self.assertEqual(len(self.bans()), 9)
        self.assertIsNone(daemon.poll())

    # ------------------------------------------------------------ faults

    def test_no_log_at_first(self):
        self.log = self.path("later/mail.log")
        self.configure()
        self.start()
        self.until(lambda: self.status()["inputs"][0]["trouble"], "it says that there is none")
        os.mkdir(self.path("later"))
        self.write(guess("203.0.113.9"))
        self.until(lambda: self.called_for("ban", "203.0.113.9"), "it is found", 90)

    def test_a_log_that_vanishes_and_comes_back(self):
        self.start()
        self.write(guess("203.0.113.1"))
        self.until(lambda: self.called_for("ban", "203.0.113.1"), "it is read")
        os.rename(self.log, self.path("away"))
        time.sleep(0.3)
        os.rename(self.path("away"), self.log)
        self.write(guess("203.0.113.2"))
        self.until(lambda: self.called_for("ban", "203.0.113.2"), "it is read on")
        with sqlite3.connect(self.ledger) as db:
            self.until(lambda: db.execute("SELECT sum(count) FROM show_sources").fetchone()[0] == 2, "each once")

    def test_many_rotations(self):
        self.write("")
        self.start()
        number = 300
        for n in range(number):
            self.write(guess(f"198.51.{100 + n // 250}.{1 + n % 250}"))
            os.rename(self.log, self.log + ".1")
            if n % 10 == 0:
                time.sleep(0.02)
            self.write("")
            # Only one that was read may be replaced by the next.
            address = f"198.51.{100 + n // 250}.{1 + n % 250}"
            self.until(lambda a=address: self.called_for("ban", a), "read before it is replaced")
        self.assertEqual(len(self.bans()), number)

    def test_the_ledger_is_locked(self):
        self.start()
        self.write(guess("203.0.113.1"))
        self.until(lambda: len(self.bans()) == 1, "it is stored")
        other = sqlite3.connect(self.ledger, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        self.write(guess("203.0.113.2"))
        self.until(lambda: self.called_for("ban", "203.0.113.2"), "bans go on")
        self.until(lambda: self.status()["ledger"]["trouble"], "it is told")
        other.execute("ROLLBACK")
        other.close()
        self.until(lambda: len(self.bans()) == 2, "it is stored when the lock is gone")
        self.until(lambda: not self.status()["ledger"]["trouble"], "all is well")

    def test_the_ledger_is_deleted(self):
        daemon = self.start()
        self.write(guess("203.0.113.1"))
        self.until(lambda: len(self.bans()) == 1, "it is stored")
        for end in ("", "-wal", "-shm"):
            if os.path.exists(self.ledger + end):
                os.unlink(self.ledger + end)
        self.write(guess("203.0.113.2"))
        self.assertEqual(daemon.wait(30), 1)
        self.assertIn("ledger", self.errors())
        self.assertFalse(os.path.exists(self.ledger))

    def test_what_is_no_ledger_is_not_touched(self):
        with sqlite3.connect(self.ledger) as db:
            db.execute("CREATE TABLE mine (x)")
        with open(self.ledger, "rb") as file:
            before = file.read()
        done = self.ask("run", "--once")
        self.assertEqual(done.returncode, 1)
        self.assertIn("not a ledger", done.stderr)
        with open(self.ledger, "rb") as file:
            self.assertEqual(file.read(), before)
        with open(self.ledger, "wb") as file:
            file.write(b"\x00garbage" * 1000)
        done = self.ask("run", "--once")
        self.assertEqual(done.returncode, 1)
        with open(self.ledger, "rb") as file:
            self.assertEqual(file.read(), b"\x00garbage" * 1000)

    def test_the_firewall_is_down_for_a_while(self):
        self.script("act", "echo it is down >&2; exit 3")
        self.start()
        self.write(guess("203.0.113.1"))
        self.until(lambda: "it is down" in self.status()["firewall"]["trouble"], "it is told")
        self.write(guess("203.0.113.2"))
        self.script("act", f'echo "$@" >> {self.called}')
        self.until(lambda: self.called_for("ban", "203.0.113.1") and self.called_for("ban", "203.0.113.2"), "both are banned", 90)
        self.until(lambda: not self.status()["firewall"]["trouble"], "all is well")

    def test_who_asks_strangely(self):
        self.start()

        def ask(data, answers=1):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(20)
                client.connect(self.ledger + ".sock")
                client.sendall(data)
                text = b""
                while text.count(b"\n") < answers:
                    got = client.recv(65536)
                    if not got:
                        break
                    text += got
                return text

        self.assertIn(b"not known", ask(b"\xff\x00\x1b[31m\n"))
        self.assertIn(b"too long", ask(b"x" * 10_000))
        self.assertEqual(ask(b"status\nstatus\nnonsense\n", 3).count(b"\n"), 3)
        many = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(60)]
        for client in many:
            client.connect(self.ledger + ".sock")
        for client in many:
            client.close()
        self.until(lambda: self.ask("status").returncode == 0, "it still answers")

    def test_many_ask_at_once(self):
        self.start()
        failed = []

        def hammer(n):
            for i in range(10):
                if self.ask("ban", f"203.0.113.{n * 10 + i}", "--for", "1h").returncode != 0:
                    failed.append(n)

        threads = [threading.Thread(target=hammer, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        self.assertEqual(len(self.bans()), 40)


if __name__ == "__main__":
    unittest.main()
