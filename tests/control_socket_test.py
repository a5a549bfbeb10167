"""The control socket keeps what docs/control-socket.md and mailward-control(7) say of it."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import time

import program

DOCUMENTS = ("docs/control-socket.md", "man/mailward-control.7")


def keys_in(value):
    if isinstance(value, dict):
        return set(value) | set().union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


class ControlSocket(program.Case):
    def setUp(self):
        super().setUp()
        self.log = self.path("mail.log", b"")
        self.config = self.path("mailward.toml", f'[input]\nfiles = ["{self.log}"]\ntimezone = "UTC"\n[firewall]\nbackend = "none"\n'.encode())
        self.ledger = self.path("memory/ledger.sqlite")
        self.daemon = subprocess.Popen([program.BINARY, "run", "--config", self.config, "--ledger", self.ledger],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(self.end)
        self.wait(lambda: os.path.exists(self.ledger + ".sock") and b"true" in self.ask("status")[0])

    def end(self):
        self.daemon.send_signal(signal.SIGTERM)
        out, err = self.daemon.communicate(timeout=30)
        self.assertEqual((self.daemon.returncode, out), (0, b""), err)
        self.assertFalse(os.path.exists(self.ledger + ".sock"))

    def wait(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end, "it takes too long")
            self.assertIsNone(self.daemon.poll(), "mailward ended")
            time.sleep(0.02)

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        self.addCleanup(connection.close)
        connection.connect(self.ledger + ".sock")  # waits where many come at once, as it does not with a timeout
        connection.settimeout(30)
        return connection

    def ask(self, *lines, end="\n"):
        """The answers to lines that are sent at once."""
        try:
            with self.connect() as connection, connection.makefile("rb") as answers:
                connection.sendall("".join(line + end for line in lines).encode())
                return [answers.readline() for _ in lines]
        except OSError:  # not there yet, or on its way to a new start
            return [b""] * len(lines)

    def test_answers_in_their_order(self):
        table = [
            ("ban 203.0.113.9 24h", True, "is banned until"),
            ("ban 127.0.0.1 24h", False, "loopback"),
            ("ban 192.0.2.0/24 7d force", True, "is banned until"),
            ("unban 203.0.113.0/24", True, "let in again"),
            ("unban 203.0.113.0/24", True, "was not banned"),
            ("sync", True, ""),
            ("hello", False, "not known"),
            ("", False, "empty line"),
            ("ban 203.0.113.9", False, "takes"),
            ("ban 203.0.113.9 soon", False, "no duration"),
            ("ban 203.0.113.9/8 24h", False, "no address and no network"),
            ("ban 203.0.113.9 24h now", False, "not the word force"),
            ("unban nobody", False, "no address and no network"),
            ("status of all", False, "takes nothing"),
        ]
        for end in ("\n", "\r\n"):
            for (line, done, words), answer in zip(table, self.ask(*(row[0] for row in table), end=end), strict=True):
                with self.subTest(line=line, end=end):
                    document = json.loads(answer)
                    self.assertEqual(set(document), {"ok", "message"})
                    self.assertEqual(document["ok"], done)
                    self.assertIn(words, document["message"])

    def test_status_is_documented(self):
        with open(self.log, "a", encoding="utf-8") as log:
            log.write("2026-03-09T08:00:00+00:00 mail postfix/smtpd[1]: something that nobody knows\n")
        self.wait(lambda: json.loads(self.ask("status")[0])["inputs"][0]["lines"] == 1)
        known = keys_in(json.loads(self.ask("status")[0])) - {"ok"}
        for name in DOCUMENTS:
            with open(os.path.join(program.ROOT, name), encoding="utf-8") as file:
                words = set(re.findall(r"[a-z_]+", file.read()))
            self.assertEqual(known - words, set(), f"{name} doesn't tell")
        with open(os.path.join(program.ROOT, DOCUMENTS[0]), encoding="utf-8") as file:
            example = re.search(r"```json\n(.+?)```", file.read(), re.S).group(1)
        self.assertEqual(keys_in(json.loads(example)), known | {"ok"}, "the example is not what it says")

    def test_bounds(self):
        for text in (b"x" * 4098, b"ban 203.0.113.9 24h" + b" " * 5000 + b"\n"):
            connection = self.connect()
            connection.sendall(text)
            with connection.makefile("rb") as answers:
                self.assertIn("error", json.loads(answers.readline()))
                with contextlib.suppress(ConnectionResetError):
                    self.assertEqual(answers.readline(), b"", "it should be closed")
        self.assertIn("was not banned", json.loads(self.ask("unban 203.0.113.9")[0])["message"], "a line that was refused was obeyed")
        time.sleep(0.2)  # those that are closed are forgotten by then
        crowd = [self.connect() for _ in range(32)]
        for one in crowd:
            one.sendall(b"sync\n")
            self.assertIn(b"true", one.recv(100))
        one_more = self.connect()
        self.assertIn("error", json.loads(one_more.recv(1000)))
        crowd[0].sendall(b"sync\n")
        self.assertIn(b"true", crowd[0].recv(100), "the others don't suffer")

    def test_reload(self):
        with open(self.config, encoding="utf-8") as file:
            text = file.read()
        before = json.loads(self.ask("status")[0])["started"]
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text + "polcy = 1\n")
        answer = json.loads(self.ask("reload")[0])
        self.assertFalse(answer["ok"])
        self.assertIn("unknown key", answer["message"])
        self.assertEqual(json.loads(self.ask("status")[0])["started"], before)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text + '[judge]\npolicy = "tries"\n')
        time.sleep(1)  # `started` is told in seconds
        self.assertTrue(json.loads(self.ask("reload")[0])["ok"])
        self.wait(lambda: b'"policy":"tries"' in self.ask("status")[0])
        self.assertNotEqual(json.loads(self.ask("status")[0])["started"], before)


if __name__ == "__main__":
    program.main()
