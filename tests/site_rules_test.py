"""Rules that a site adds: they must be sound together with ours, or nothing is read."""
import os
import shutil
import tempfile
import unittest

import program

UNSOUND = os.path.join(program.HERE, "unsound")
UNSOUND_FILES = sorted(name for name in os.listdir(UNSOUND) if name.endswith(".toml"))
LOG = b"Mar  9 08:55:42 mail t[7]: login [192.0.2.1] failed: x\n"
SOUND = """
daemon = "site"
versions = "1"
[[program]]
name = "t"
[[rule]]
name = "failed"
line = 'login [{address}] failed: {reason:free}'
event = "auth_failed"
[[rule.sample]]
version = "1"
line = 'login [192.0.2.1] failed: x'
gives = { event = "auth_failed", address = "192.0.2.1" }
"""

# Sound by itself. Beside our rule for the same words, which reads the address from the end, a login could be one.
BESIDE_OURS = """
daemon = "{daemon}"
versions = "1"
[[program]]
name = "{program}"
match = ["{match}"]
[[rule]]
name = "site-refused"
line = 'authentication failed for user {{address}} - {{helo:free}}'
event = "auth_failed"
[[rule.sample]]
version = "1"
line = 'authentication failed for user 192.0.2.1 - x'
gives = {{ event = "auth_failed", address = "192.0.2.1" }}
"""


def scan(folder):
    return program.run("scan", "--rules", folder, "--policy", "any", "--year", "2026", "--format", "plain", "-", data=LOG)


def check(*arguments, **environment):
    return program.run("rules", "check", *arguments, env=environment)


class SiteRules(unittest.TestCase):
    def test_check_refuses_whatever_a_scan_refuses(self):
        for name in UNSOUND_FILES:
            with self.subTest(name):
                path = os.path.join(UNSOUND, name)
                done = check(path)
                with open(path, encoding="utf-8") as file:
                    sentence = file.readline().removeprefix("# expect: ").strip()
                self.assertEqual(done.code, 1, done.out)
                self.assertIn(sentence.split(";")[0], " ".join((done.text + done.err.decode()).split()))

    def test_rules_of_a_folder_join_ours_as_for_a_scan(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(os.path.join(program.ROOT, "rules", "courier.toml"), folder)
            for words in (["check"], ["test"], ["list"]):
                done = program.run("rules", *words, "--rules", folder)
                self.assertEqual((done.code, done.out), (1, b""))
                self.assertIn(b"has a rule called", done.err)
            self.assertEqual(scan(folder).code, 1)

    def test_a_daemon_is_checked_by_its_name(self):
        for words in ("check", "test"):
            self.assertEqual(program.run("rules", words, "solid-pop3d").code, 0)
            done = program.run("rules", words, "solid-pop3")
            self.assertEqual(done.code, 2)
            self.assertIn(b"did you mean solid-pop3d?", done.err)
            self.assertEqual(program.run("rules", words, "./solid-pop3d").code, 1)  # a file, which is not there

    def test_rules_that_cannot_be_compiled_end_a_scan_with_a_sentence(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.join(program.ROOT, "policy"), os.path.join(folder, "policy"))
            os.mkdir(os.path.join(folder, "rules"))
            shutil.copy(os.path.join(UNSOUND, "no-end.toml"), os.path.join(folder, "rules"))
            for words in (["scan", "-"], ["events", "-"], ["explain", "192.0.2.1", "-"], ["rules", "test"]):
                done = program.run(*words, data=LOG, env={"MAILWARD_DATA": folder})
                self.assertEqual((done.code, done.out), (1, b""), words)
                self.assertRegex(done.err, rb"^mailward: .*no-end\.toml:7: rule `x`: .*\n$")

    def test_a_broken_file_is_in_the_way_of_its_own_logs_only(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("policy", "rules"):
                shutil.copytree(os.path.join(program.ROOT, name), os.path.join(folder, name))
            broken = os.path.join(folder, "rules", "qmail.toml")
            with open(broken, "a", encoding="utf-8") as out:
                out.write('\n[[rule]]\nname = "x"\nlin = "x"\n')
            env = {"MAILWARD_DATA": folder}
            ours = b"Mar  2 00:00:00 h sshd[7]: Failed password for invalid user x from 192.0.2.1 port 1 ssh2\n"
            self.assertEqual(program.run("scan", "-", data=ours * 9, env=env).code, 0)
            for threads in ("1", "2"):
                done = program.run("scan", "--threads", threads, "-", data=ours + b"Mar  2 00:00:01 h qmail-smtpd: x\n", env=env)
                self.assertEqual((done.code, done.out), (1, b""))
                self.assertRegex(done.err, rb"^mailward: .*/qmail\.toml:\d+:1: unknown key `lin`; .*\n$")
            bare = b"Failed password for invalid user x from 192.0.2.1 port 1 ssh2\n"  # could be anybody's
            self.assertEqual(program.run("scan", "-", data=bare, env=env).code, 1)
            self.assertEqual(program.run("rules", "check", env=env).code, 1)

    def test_a_sound_file_is_used(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "site.toml"), "w", encoding="utf-8") as out:
                out.write(SOUND)
            done = scan(folder)
        self.assertEqual((done.code, done.text), (0, "192.0.2.1\n"), done.err)

    def test_what_shares_a_name_with_ours_is_proved_together_with_it(self):
        # daemon, program, name in the log; whether it is refused
        cases = [("solid-pop3d", "solid-pop3d", "solid-pop3d", True),  # adds to our rules
                 ("site", "pop", "solid-pop3d", True),                 # a daemon of its own, under the same name
                 ("site", "pop", "spop3d", True),
                 ("site", "solid-pop3d", "popd", False),               # called like ours, but writes under another name
                 ("site", "pop", "popd", False)]
        for daemon, name, match, refused in cases:
            with self.subTest(daemon=daemon, program=name, match=match), tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, "site.toml"), "w", encoding="utf-8") as out:
                    out.write(BESIDE_OURS.format(daemon=daemon, program=name, match=match))
                done = scan(folder)
                self.assertEqual((done.code, done.out), (1 if refused else 0, b""), done.err)
                self.assertEqual(b"two addresses" in done.err, refused, done.err)

    def test_an_unsound_file_is_refused_before_anything_is_read(self):
        for name in UNSOUND_FILES:
            with self.subTest(name), tempfile.TemporaryDirectory() as folder:
                shutil.copy(os.path.join(UNSOUND, name), folder)
                done = scan(folder)
                self.assertEqual((done.code, done.out), (1, b""), done.err)
                with open(os.path.join(UNSOUND, name), encoding="utf-8") as file:
                    sentence = file.readline().removeprefix("# expect: ").strip()
                self.assertIn(sentence.split(";")[0], done.err.decode())


if __name__ == "__main__":
    unittest.main()
