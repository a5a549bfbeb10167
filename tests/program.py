"""What the test scripts share: the program under test, and how to run it.

MAILWARD is the binary, MAILWARD_TOOLS the folder with gen and flood, MAILWARD_SANITIZER is set when
the binary is built with sanitizers (then nothing is said about its memory and speed), MAILWARD_SOAK
makes large inputs larger still.
"""
import dataclasses
import json
import os
import resource
import subprocess
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
BINARY = os.path.abspath(os.environ.get("MAILWARD") or os.path.join(ROOT, "build/release/mailward"))
TOOLS = os.path.abspath(os.environ.get("MAILWARD_TOOLS") or os.path.join(ROOT, "build/release"))
SANITIZER = os.environ.get("MAILWARD_SANITIZER", "")
SOAK = bool(os.environ.get("MAILWARD_SOAK"))
CORPUS = os.path.join(HERE, "corpus")

# The words with which sanitizers, the C library and the kernel tell of a bug of ours.
CRASH_WORDS = (b"Sanitizer", b"runtime error:", b"terminate called", b"Assertion", b"core dumped", b"Bad system call")


@dataclasses.dataclass
class Done:
    code: int  # negative: the signal that ended it
    out: bytes
    err: bytes
    megabytes: float
    seconds: float

    @property
    def text(self):
        return self.out.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def lines(self):
        return self.text.splitlines()


PATIENCE = 600 if SOAK else 120  # seconds


def run(*arguments, stdin=None, data=None, stdout=None, timeout=PATIENCE, cwd=None, env=None, before=None, binary=BINARY):
    """Runs mailward to its end. `stdin` is a file or a pipe, `data` are bytes to feed it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        if data is not None:
            given.write(data)
            given.seek(0)
            stdin = given
        begin = time.monotonic()
        process = subprocess.Popen([binary, *map(str, arguments)], stdin=stdin or subprocess.DEVNULL, stdout=stdout or out,
                                   stderr=err, cwd=cwd, env=dict(os.environ, **(env or {})), preexec_fn=before)
        code, megabytes = wait(process, begin + timeout)
        seconds = time.monotonic() - begin
        out.seek(0)
        err.seek(0)
        return Done(code, out.read(), err.read(), megabytes, seconds)


def peak_of(pid):
    """Megabytes that the process ever had at once. (What wait4 tells would count this script's own as well, from before the exec.)"""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM:")), 0)
    except OSError:
        return 0


def wait(process, deadline):
    """Like Popen.wait; (exit code, megabytes). Looks every few milliseconds, so a peak at the very end may be missed."""
    megabytes = 0
    while True:
        megabytes = max(megabytes, peak_of(process.pid))
        code = process.poll()
        if code is not None:
            return code, megabytes
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise AssertionError(f"mailward was not done in time: {process.args}")
        time.sleep(0.003)


def scan(*arguments, **options):
    return run("scan", *arguments, **options)


def tool(name, *arguments):
    """A pipe with the output of gen or flood."""
    return subprocess.Popen([os.path.join(TOOLS, name), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def limit_memory(megabytes):
    """For `before`: the kernel refuses more than so much address space."""
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))


def corpus(name):
    """({option: value} as arguments, {form: [paths]}, truth) of one run."""
    folder = os.path.join(CORPUS, name)
    with open(os.path.join(folder, "truth.json"), encoding="utf-8") as file:
        truth = json.load(file)
    arguments = ["--timezone", truth["timezone"], "--year", str(truth["year_of_last_line"])]
    for domain in truth["local_domains"]:
        arguments += ["--local-domain", domain]
    forms = {}
    for entry in truth["files"]:
        forms.setdefault(entry["form"], []).append(os.path.join(folder, entry["name"]))
    return arguments, forms, truth


def corpora():
    return sorted(name for name in os.listdir(CORPUS) if os.path.exists(os.path.join(CORPUS, name, "truth.json")))


class Case(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="mailward-test-")
        self.addCleanup(self.folder.cleanup)

    def path(self, name, data=None):
        """A path in a folder that is gone after the test."""
        path = os.path.join(self.folder.name, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def assert_sound(self, done, code=0, megabytes=64):
        """It ended as it should have, told of no bug, and stayed small."""
        said = done.err.decode("utf-8", "replace")[-1500:]
        for word in CRASH_WORDS:
            self.assertNotIn(word, done.err, said)
        self.assertIn(done.code, code if isinstance(code, tuple) else (code,), said)
        if not SANITIZER:
            self.assertLessEqual(done.megabytes, megabytes, "megabytes of memory")


def main():
    if not os.access(BINARY, os.X_OK):
        raise SystemExit(f"{BINARY}: no such program; ./dev test builds it")
    unittest.main(verbosity=2)
