"""One refused login is one event, however many processes write about it, in whatever files."""
import os
import tempfile
import unittest

import program

CLIENT, USER = "192.0.2.44", "hans@example.org"
POSTFIX = (f"postfix/submission/smtpd[1000]: warning: unknown[{CLIENT}]: SASL PLAIN authentication failed: "
           f"(reason unavailable), sasl_username={USER}")
NAMELESS = f"postfix/submission/smtpd[1000]: warning: unknown[{CLIENT}]: SASL PLAIN authentication failed: "
EXIM = f"exim[900]: dovecot_login authenticator failed for ([127.0.0.1]) [{CLIENT}]: 535 Incorrect authentication data (set_id={USER})"
FILE = f"dovecot: auth: passwd-file({USER},{CLIENT}): Password mismatch"
SQL = f"dovecot: auth-worker(311): conn unix:auth-worker (pid=300,uid=97): auth-worker<7>: sql({USER},{CLIENT}): unknown user"
NEW = f"dovecot: auth({USER},{CLIENT},sasl:login): passwd-file: Password mismatch"
PAM = ("auth[700]: pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser=hans "
       f"rhost={CLIENT}  user=hans")
LOGIN = (f"dovecot[650]: imap-login: Disconnected: Connection closed (auth failed, {{}} attempts in 5 secs): user=<hans>, "
         f"method=PLAIN, rip={CLIENT}, lip=192.0.2.25, TLS, session=<cqaH2cNgjZ3GM2QJ>")


def log(*lines, every=2):
    return "".join(f"Mar  2 08:{every * i // 60:02}:{every * i % 60:02} mail {line}\n" for i, line in enumerate(lines))


class OneAttempt(unittest.TestCase):
    def attempts(self, *logs, **options):
        with tempfile.TemporaryDirectory() as folder:
            paths = []
            for i, text in enumerate(logs):
                paths.append(os.path.join(folder, f"log{i}"))
                with open(paths[-1], "w", encoding="utf-8") as out:
                    out.write(text)
            seen = [program.scan("--format", "json", "--threads", str(n), "--year", "2026", "--timezone", "UTC", *paths).json
                    for n in (1, 2)]
            self.assertEqual(seen[0], seen[1])
            events = program.run("events", "--year", "2026", "--timezone", "UTC", *paths).text.splitlines()
            failed = [line for line in events if '"auth_failed"' in line]
            (source,) = [s for s in seen[0]["sources"] if s["address"] == CLIENT]
            self.assertEqual(seen[0]["input"]["events"], len(events))
            self.assertLessEqual(len(failed), source["events"]["auth_failed"])
            return source["events"]["auth_failed"]

    def test_a_server_and_its_helper(self):
        for lines, expected in (((FILE, POSTFIX), 1), ((FILE, SQL, POSTFIX), 1), ((NEW, POSTFIX), 1), ((FILE, NAMELESS), 1),
                                ((FILE, EXIM), 1), ((PAM, LOGIN.format(1)), 1), ((PAM, PAM, LOGIN.format(2)), 2),
                                ((FILE, POSTFIX) * 3, 3), ((FILE,), 1), ((FILE, FILE), 2), ((POSTFIX, POSTFIX), 2),
                                ((PAM,), 1), ((POSTFIX, FILE, POSTFIX, FILE), 2)):
            with self.subTest(lines):
                self.assertEqual(self.attempts(log(*lines)), expected)

    def test_each_in_a_file_of_its_own(self):
        self.assertEqual(self.attempts(log(FILE, FILE, FILE, every=10), log(POSTFIX, POSTFIX, POSTFIX, every=10)), 3)

    def test_minutes_apart_are_two(self):
        self.assertEqual(self.attempts(log(FILE, POSTFIX, every=200)), 2)

    def test_three_mistakes_are_no_attack(self):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as out:
            out.write(log(*(FILE, POSTFIX) * 3, every=20))
            out.flush()
            self.assertEqual(program.scan("--policy", "default", "--format", "plain", out.name).text, "")

    def test_a_syslogd_that_repeats_without_a_name(self):
        refused = f"sshd[34]: Failed password for root from {CLIENT} port 22 ssh2"
        for repeated in ("last message repeated 2 times", "syslogd: last message repeated 2 times"):
            with self.subTest(repeated):
                self.assertEqual(self.attempts(log(refused, repeated)), 3)


if __name__ == "__main__":
    unittest.main()
