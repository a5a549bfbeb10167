"""What only other systems build: chosen by CMake there, and good C++ as far as a compiler here can tell. A copy of the
program that lies elsewhere takes no rules from where it was built."""
import json
import os
import shutil
import subprocess

import program

PLEDGE = b"""#include_next <unistd.h>
#pragma once
extern "C" int pledge(const char*, const char*);
extern "C" int unveil(const char*, const char*);
"""


class Platforms(program.Case):
    def test_openbsd_locks_in(self):
        if not shutil.which("cmake") or not shutil.which("ninja") or not shutil.which("c++"):
            self.skipTest("no cmake, no ninja or no compiler")
        triplet = subprocess.run(["c++", "-print-multiarch"], capture_output=True, text=True, check=False).stdout.strip()
        done = subprocess.run(["cmake", "-G", "Ninja", "-S", program.ROOT, "-B", self.path("build"), "-DCMAKE_SYSTEM_NAME=OpenBSD", "-DMAILWARD_TESTS=OFF",
                               "-DMAILWARD_BENCH=OFF", "-DCMAKE_PREFIX_PATH=/usr",  # to find this system's libraries
                               f"-DCMAKE_LIBRARY_ARCHITECTURE={triplet}"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path("build/compile_commands.json"), encoding="utf-8") as file:
            built = [os.path.basename(entry["file"]) for entry in json.load(file)]
        self.assertIn("lockdown_openbsd.cc", built)
        self.assertIn("rights_none.cc", built)
        self.assertIn("journal_none.cc", built)
        self.assertNotIn("lockdown_linux.cc", built)
        self.path("unistd.h", PLEDGE)
        done = subprocess.run(["c++", "-std=c++23", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", self.folder.name, "-I",
                               os.path.join(program.ROOT, "src"), os.path.join(program.ROOT, "src/lockdown/lockdown_openbsd.cc")],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_copy_elsewhere_reads_nothing_of_the_source_tree(self):
        copy = self.path("mailward")
        shutil.copy(program.BINARY, copy)
        env = {k: v for k, v in os.environ.items() if k != "MAILWARD_DATA"}
        done = subprocess.run([copy, "rules", "list"], capture_output=True, text=True, check=False, env=env)
        if done.returncode == 0:
            self.skipTest("mailward is installed here")
        self.assertIn("the rules are missing", done.stderr)
        self.assertNotIn(program.ROOT + "/rules", done.stderr)

    def test_a_data_folder_that_is_not_there_is_an_error(self):
        done = program.run("rules", "list", env={"MAILWARD_DATA": "/nonexistent"})
        self.assertEqual((done.code, done.out), (1, b""))
        self.assertIn(b"looked in /nonexistent/rules", done.err)


if __name__ == "__main__":
    program.main()
