"""./dev on machines that lack something: what it installs, and the one line that it prints."""
import os
import shutil
import stat
import subprocess
import unittest

import program

BASE = ["sh", "awk", "cat", "dirname", "env", "grep", "ls", "mkdir", "mktemp", "rm", "sed", "tail", "tr", "wc", "find", "nproc", "true", "sleep"]


class Dev(program.Case):
    """Each test has a machine of its own: a folder of programs, some of them fakes that note how they were called."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.path("bin"))
        os.mkdir(self.path("house"))
        shutil.copy(os.path.join(program.ROOT, "dev"), self.path("house/dev"))
        for name in BASE:
            os.symlink(shutil.which(name), self.path("bin/" + name))
        self.calls = self.path("calls", b"")
        self.fake("cmake", "exit 3")
        self.fake("ninja", "exit 3")

    def fake(self, name, script):
        path = self.path("bin/" + name, f'#!/bin/sh\necho "{name} $*" >> "{self.calls}"\n{script}\n'.encode())
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)

    def dev(self, *arguments, user=0, installed=()):
        self.fake("id", f"echo {user}")
        self.fake("dpkg-query", f'for p in {" ".join(installed) or "none"}; do echo "ii $p"; done; exit 1')
        done = subprocess.run([self.path("house/dev"), *arguments], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                              env={"PATH": self.path("bin"), "HOME": self.folder.name})
        with open(self.calls, encoding="utf-8") as file:
            return done, [line for line in file.read().splitlines() if line.split()[0] in ("apt-get", "sudo", "cmake")]

    def test_nobody_is_root_and_there_is_no_sudo(self):
        done, calls = self.dev("run", user=1000)
        self.assertEqual(done.returncode, 1)
        said = (done.stdout + done.stderr).splitlines()
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"^su -c '(apt-get update && )?apt-get install -y --no-install-recommends g\+\+ [a-z0-9+. -]+'$")
        self.assertEqual(calls, [])

    def test_sudo_would_ask(self):
        self.fake("sudo", "exit 1")
        done, calls = self.dev("run", user=1000)
        self.assertEqual(done.returncode, 1)
        said = (done.stdout + done.stderr).splitlines()
        self.assertEqual(len(said), 1, said)
        self.assertRegex(said[0], r"^sudo (apt-get update && sudo )?apt-get install -y --no-install-recommends g\+\+ [a-z0-9+. -]+$")
        self.assertEqual(calls, ["sudo -n true"])

    def test_only_what_is_missing(self):
        self.fake("sudo", "exit 1")
        done, _ = self.dev("run", user=1000, installed=["g++", "cmake"])
        self.assertNotIn(" g++ ", done.stderr)
        self.assertIn("ninja-build", done.stderr)
        self.assertNotIn("libgtest-dev", done.stderr, "run needs no tests")
        done, _ = self.dev("test", user=1000, installed=["g++", "cmake"])
        self.assertIn("libgtest-dev", done.stderr)

    def test_root_installs_without_a_question(self):
        self.fake("apt-get", "exit 0")
        done, calls = self.dev("run")
        self.assertIn("apt-get install -y -qq --no-install-recommends", calls[0])
        self.assertTrue(calls[1].startswith("cmake "), calls)

    def test_lists_are_fetched_when_they_are_too_old(self):
        self.fake("apt-get", f'case $* in *update*) touch_it=1; : > "{self.path("fresh")}" ;; *) [ -e "{self.path("fresh")}" ] ;; esac')
        _, calls = self.dev("run")
        self.assertEqual([c.split()[1] for c in calls if c.startswith("apt-get")], ["install", "update", "install"])

    def test_apt_fails(self):
        self.fake("apt-get", "echo no such mirror; exit 100")
        done, _ = self.dev("run")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no such mirror", done.stderr)

    def test_another_system(self):
        os.unlink(self.path("bin/ninja"))
        self.fake("id", "echo 0")
        done = subprocess.run([self.path("house/dev"), "run"], capture_output=True, text=True, check=False, env={"PATH": self.path("bin")})
        self.assertEqual(done.returncode, 1)
        self.assertIn("docs/dependencies.md", done.stderr)

    def test_a_clone_that_cannot_be_written_to(self):
        for name in "run", "test", "build":
            self.path("house/build", b"a file, which not even root can make files in")
            done, calls = self.dev(name)
            said = (done.stdout + done.stderr).splitlines()
            self.assertEqual((done.returncode, len(said), calls), (1, 1, []), said)
            self.assertIn("can't be written to", said[0])
            self.assertTrue(said[0].endswith(f"~/mailward/dev {name}"), said)

    def test_help_and_usage(self):
        done, _ = self.dev("help")
        self.assertEqual(done.returncode, 0)
        for name in ("run", "test", "build", "bench", "fuzz", "lint", "format", "soak"):
            self.assertIn(f"./dev {name}", done.stdout)
        done, _ = self.dev("dance")
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
