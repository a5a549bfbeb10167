"""Stamps without a year: the same instants from a file, a compressed file and a pipe."""
import datetime
import gzip
import os
import subprocess
import tempfile
import unittest

import program


def log(first, last, lines, padding=""):
    first, last = (datetime.datetime.fromisoformat(day + "T12:00:00") for day in (first, last))
    stamps = (first + (last - first) * i / (lines - 1) for i in range(lines))
    return "".join(f"{t:%b %e %H:%M:%S} mail sshd[9]: Failed password for root from 192.0.2.9 port 1 ssh2\n"
                   + (f"{t:%b %e %H:%M:%S} mail other[1]: {padding}\n" if padding else "") for t in stamps).encode()


class Years(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def path(self, name, data):
        path = os.path.join(self.folder, name)
        with (gzip.open if name.endswith(".gz") else open)(path, "wb") as out:
            out.write(data)
        return path

    def span(self, done, code=0):
        self.assertEqual(done.code, code, done.err)
        return done.json["input"]["first"][:4], done.json["input"]["last"][:4]

    def piped(self, path, *arguments):
        with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
            return program.run(*arguments, "-", stdin=cat.stdout)

    def test_however_the_log_comes(self):
        cases = [  # first and last line, --now, more arguments, years of the first and the last line
            ("2025-03-01", "2025-03-05", "2025-03-06", [], "2025", "2025"),
            ("2025-03-01", "2025-03-05", "2025-12-06", [], "2025", "2025"),
            ("2024-12-28", "2025-01-02", "2025-01-02", [], "2024", "2025"),
            ("2024-12-28", "2025-01-02", "2025-10-02", [], "2024", "2025"),
            ("2024-12-28", "2025-01-02", "2027-10-02", ["--year", "2025"], "2024", "2025"),
            ("2024-12-01", "2024-12-28", "2025-01-02", [], "2024", "2024"),
            ("2024-02-27", "2024-03-02", "2025-11-01", [], "2024", "2024"),  # no leap year now, nor soon
            ("2024-02-29", "2024-03-02", "2026-11-01", [], "2024", "2024"),
            ("2024-02-20", "2024-02-29", "2027-11-01", [], "2024", "2024"),
            ("2022-03-01", "2025-10-01", "2025-10-02", [], "2022", "2025")]
        for first, last, now, more, *expected in cases:
            data = log(first, last, 50)
            plain, packed = self.path("mail.log", data), self.path("mail.gz", data)
            arguments = ["scan", "--policy", "any", "--timezone", "UTC", "--format", "json", "--now", now, *more]
            with self.subTest(first=first, last=last, now=now, more=more):
                self.assertEqual(self.span(program.run(*arguments, plain)), tuple(expected))
                self.assertEqual(self.span(program.run(*arguments, packed)), tuple(expected))
                self.assertEqual(self.span(self.piped(plain, *arguments)), tuple(expected))

    def test_a_guess_that_turns_out_wrong_is_told(self):
        large = self.path("mail.log", log("2024-12-28", "2025-01-02", 1000, "x" * 6000))
        arguments = ["scan", "--policy", "any", "--timezone", "UTC", "--format", "json", "--now", "2026-10-01", "--year", "2025"]
        done = self.piped(large, *arguments)
        self.assertEqual(self.span(done, code=1), ("2025", "2026"))
        self.assertIn(b"a year late", done.err)
        self.assertEqual(self.span(program.run(*arguments, large)), ("2024", "2025"))


if __name__ == "__main__":
    unittest.main()
