"""`explain` shows the log lines, also those that count for nothing."""
import gzip
import os
import tempfile
import unittest

import program

HEAD = "Mar  9 08:55:42 mail smtpd[7]: "
LOG = "".join(line + "\n" for line in [
    HEAD + "9a2bd95a086bc4b0 smtp connected address=192.0.2.1 host=<unknown>",
    HEAD + "0000000000000001 smtp connected address=192.0.2.10 host=<unknown>",
    HEAD + "9a2bd95a086bc4b0 a line of its session that nobody knows",
    HEAD + "x9a2bd95a086bc4b0 another one's",
    HEAD + '9a2bd95a086bc4b0 smtp authentication user=a result=permfail' ,
    HEAD + '9a2bd95a086bc4b0 smtp failed-command command="AUTH PLAIN (...)" result="535 Authentication failed"',
    HEAD + "0000000000000001 smtp authentication user=192.0.2.1 result=permfail",
    HEAD + "0000000000000001 smtp authentication user=10.192.0.2.1 result=permfail",
    HEAD + "9a2bd95a086bc4b0 smtp disconnected reason=disconnect",
    HEAD + "9a2bd95a086bc4b0 after its end",
    "x" * 2_000_000,
    HEAD + "somebody wrote 192.0.2.1.",
])


class Explain(unittest.TestCase):
    def explain(self, *arguments, **how):
        done = program.run("explain", *arguments, "--year", "2026", "--policy", "any", **how)
        self.assertEqual((done.code, done.err), (0, b""))
        return done

    def test_all_its_lines(self):
        with tempfile.TemporaryDirectory() as folder:
            plain, packed = os.path.join(folder, "mail.log"), os.path.join(folder, "mail.gz")
            with open(plain, "w", encoding="ascii") as out:
                out.write(LOG)
            with gzip.open(packed, "wt") as out:
                out.write(LOG)
            for path in plain, packed:
                answer = self.explain("192.0.2.1", "--format", "json", path).json
                events = {e["line"] for e in answer["events"]}
                others = {o["line"]: o["raw"] for o in answer["other_lines"]}
                self.assertEqual(events | set(others), {1, 3, 5, 6, 7, 9, 12}, answer)
                self.assertEqual(events & set(others), set())
                self.assertLessEqual({3, 7, 12}, set(others))
                self.assertEqual(others[12], HEAD + "somebody wrote 192.0.2.1.")
                self.assertEqual(answer["other_lines_left_out"], 0)
            self.assertIn(f"{plain}:7", self.explain("192.0.2.1", plain).text)

    def test_of_an_address_that_does_nothing(self):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.write(LOG)
            file.flush()
            text = self.explain("10.192.0.2", file.name).text
            self.assertNotIn("count for nothing", text)  # only part of another address
            file.write(HEAD + "hello from 198.51.100.7: x\n")
            file.flush()
            text = self.explain("198.51.100.7", file.name).text
            self.assertIn("does nothing in these logs", text)
            self.assertIn(f"{file.name}:13\n      {HEAD}hello from 198.51.100.7: x\n", text)


if __name__ == "__main__":
    unittest.main()
