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

    def test_only_the_time_asked_for(self):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            for day in (2, 3, 4):
                file.write(f"Mar  {day} 10:00:00 mail sshd[7]: Failed password for root from 192.0.2.1 port 1 ssh2\n"
                           f"Mar  {day} 10:00:00 mail sshd[7]: nobody knows this of 192.0.2.1 {day}\n"
                           "  and this line of 192.0.2.1 has no stamp\n")
            file.flush()
            zone = ("--timezone", "UTC")
            text = " ".join(self.explain("192.0.2.1", *zone, "--since", "2030-01-01", file.name).text.split())
            self.assertIn("Nothing lies in the time asked for: the log ends at 2026-03-04 10:00, before --since.", text)
            self.assertNotIn("does nothing in these logs", text)
            self.assertNotIn("count for nothing", text)
            text = " ".join(self.explain("192.0.2.1", *zone, "--since", "2026-03-02T12:00", "--until", "2026-03-02T13:00",
                                         file.name).text.split())
            self.assertIn("192.0.2.1 does nothing in the time asked for", text)
            self.assertNotIn("Mar ", text)
            answer = self.explain("192.0.2.1", *zone, "--format", "json", "--since", "2026-03-03", "--until", "2026-03-04", file.name).json
            self.assertEqual([e["line"] for e in answer["events"]], [4])
            with tempfile.NamedTemporaryFile("wb", suffix=".gz") as packed:
                with open(file.name, "rb") as plain:
                    packed.write(gzip.compress(plain.read()))
                packed.flush()
                again = self.explain("192.0.2.1", *zone, "--format", "json", "--since", "2026-03-03", "--until", "2026-03-04", packed.name).json
                self.assertEqual([o["line"] for o in again["other_lines"]], [5, 6])
            self.assertEqual([o["line"] for o in answer["other_lines"]], [5, 6])
            self.assertEqual(len(self.explain("192.0.2.1", "--format", "json", file.name).json["other_lines"]), 6)

    def test_a_process_that_serves_twice_has_two_sessions(self):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            for day in (2, 3):
                head = f"Mar  {day} 10:00:00 mail postfix/smtpd[77]: "
                file.write(head + "warning: hostname x.example does not resolve to address 192.0.2.1\n" +
                           head + "connect from unknown[192.0.2.1]\n" +
                           head + "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: x\n" +
                           head + "disconnect from unknown[192.0.2.1] ehlo=1 auth=0/1 commands=1/2\n")
            file.flush()
            lines = self.explain("192.0.2.1", "--timezone", "UTC", file.name).lines
            heads = [line.strip() for line in lines if "process 77" in line]
            self.assertEqual(heads, [f"2026-03-0{day} 10:00:00  postfix smtp, process 77" for day in (2, 3)])

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
