"""A reader that was taken over can do nothing but accuse, and that up to the brake, and nobody whom a guard protects."""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import program  # noqa: E402

BROKEN = os.path.join(program.TOOLS, "broken_reader")
BRAKE = 20


class BrokenReader(unittest.TestCase):
    def setUp(self):
        self.assertTrue(os.path.exists(BROKEN), "./dev test builds it")
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        folder = self.holder.name
        self.log, self.ledger, self.config = (os.path.join(folder, name) for name in ("mail.log", "l.sqlite", "c.toml"))
        self.called, act = os.path.join(folder, "called"), os.path.join(folder, "act")
        with open(act, "w", encoding="ascii") as file:
            file.write(f'#!/bin/sh\necho "$@" >> {self.called}\n')
        os.chmod(act, 0o755)
        with open(self.log, "w", encoding="ascii"):
            pass
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f'[input]\nfiles = ["{self.log}"]\n[judge]\npolicy = "strikes"\nignore = ["198.51.100.0/24"]\nbrake = {BRAKE}\n'
                       f'[firewall]\nbackend = "command"\n[firewall.command]\nban = ["{act}", "{{network}}"]\nunban = ["{act}", "-", "{{network}}"]\n')

    def attack(self, name, until):
        """Its words on standard error."""
        process = subprocess.Popen([BROKEN, name, self.config, self.ledger], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 30
        try:
            while time.monotonic() < deadline and not until():
                time.sleep(0.05)
        finally:
            process.terminate()
            text = process.communicate(timeout=30)[1]
        return text

    def calls(self):
        try:
            with open(self.called, encoding="ascii") as file:
                return file.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def status(self):
        done = subprocess.run([program.BINARY, "status", "--format", "json", "--config", self.config, "--ledger", self.ledger],
                              capture_output=True, text=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def test_the_system_gives_it_nothing(self):
        said = []
        text = self.attack("system", lambda: said.append(self.status()) or len([s for s in said if s]) > 3)
        self.assertNotIn("DONE", text)
        for what in ("open /etc/passwd", "exec", "fork", "kill its parent", "a socket of family 2", "unlink the log", "become root"):
            self.assertIn(f"failed: {what}", text)
        self.assertTrue(os.path.exists(self.log) and os.path.exists(self.ledger))

    def test_it_can_accuse_up_to_the_brake_and_nobody_who_is_protected(self):
        text = self.attack("accuse", lambda: len(self.calls()) >= BRAKE // 2 and self.status().get("bans", {}).get("held_back", 0) > 0)
        self.assertNotIn("DONE", text)
        banned = [call for call in self.calls() if not call.startswith("-")]
        self.assertLessEqual(len(banned), BRAKE)  # those whom a guard refuses use it up as well
        self.assertGreaterEqual(len(banned), BRAKE // 2)
        for call in banned:
            self.assertRegex(call, r"^192\.0\.\d+\.\d+/32$")

    def test_what_is_no_message_starts_all_anew_and_bans_nobody(self):
        for name in ("nonsense", "impossible"):
            with self.subTest(name):
                text = self.attack_for(name, 1.5)
                self.assertIn("start anew", text)
                self.assertNotIn("DONE", text)
                self.assertEqual(self.calls(), [])

    def attack_for(self, name, seconds):
        end = time.monotonic() + seconds
        return self.attack(name, lambda: time.monotonic() > end)


if __name__ == "__main__":
    unittest.main()
