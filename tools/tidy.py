#!/usr/bin/env python3
"""clang-tidy over the sources, in parallel, and only over what changed since it last passed.

    tidy.py [FILE…]      default: every .cc below src/ and fuzz/ that is no test

A file is looked at again when it, a header that it includes (of ours), .clang-tidy or the compiler's
options changed: a hash of all of these is kept in build/tidy/passed once it passes.
"""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build/tidy")
PASSED = os.path.join(BUILD, "passed")
INCLUDE = re.compile(rb'^\s*#\s*include\s*"([^"]+)"', re.M)
contents = {}


def read(path):
    if path not in contents:
        with open(path, "rb") as file:
            contents[path] = file.read()
    return contents[path]


def closure(path, seen):
    """The file and every header of ours that it includes, directly or not."""
    if path in seen or not os.path.exists(path):
        return seen
    seen.add(path)
    for name in INCLUDE.findall(read(path)):
        for folder in (os.path.join(ROOT, "src"), os.path.dirname(path)):
            closure(os.path.normpath(os.path.join(folder, name.decode())), seen)
    return seen


def main():
    done = subprocess.run(["cmake", "--preset", "tidy"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout + done.stderr)
        return 1
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        commands = {entry["file"]: entry["command"] for entry in json.load(file)}
    wanted = [os.path.abspath(f) for f in sys.argv[1:]] or [
        f for f in commands if f.startswith((ROOT + "/src/", ROOT + "/fuzz/")) and not f.endswith("_test.cc")]
    os.makedirs(PASSED, exist_ok=True)

    def key(path):
        digest = hashlib.sha256((commands[path] + path).encode() + read(os.path.join(ROOT, ".clang-tidy")))
        for part in sorted(closure(path, set())):
            digest.update(read(part))
        return os.path.join(PASSED, digest.hexdigest())

    todo = [(path, key(path)) for path in sorted(wanted) if path in commands]
    todo = [(path, stamp) for path, stamp in todo if not os.path.exists(stamp)]

    def tidy(job):
        path, stamp = job
        # The compile commands are clang's; GCC's own warning options are unknown to nobody here.
        done = subprocess.run(["clang-tidy-19", "-p", BUILD, "--quiet", path], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            with open(stamp, "wb"):
                pass
            return None
        return done.stdout or done.stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        complaints = [text for text in pool.map(tidy, todo) if text]
    print("\n".join(dict.fromkeys(line for text in complaints for line in text.splitlines())), end="\n" if complaints else "")
    print(f"clang-tidy: {len(todo)} of {len(wanted)} files looked at, {len(complaints)} with findings")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
