"""One refused login is one event, however many processes write about it, in whatever files."""
import json
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

    def test_what_the_server_knows_is_told(self):
        """The name with its domain; where it tells none, what its helpers were asked."""
        foreign = EXIM.replace("hans@example.org", "root@foreign.example")
        asked = f"dovecot: auth: passwd-file(root,{CLIENT}): Password mismatch"
        for order in ((asked, foreign), (foreign, asked)):
            with self.subTest(order), tempfile.TemporaryDirectory() as folder:
                paths = [os.path.join(folder, name) for name in "ab"]
                for path, line in zip(paths, order):
                    with open(path, "w", encoding="utf-8") as out:
                        out.write(log(line))
                for given in (paths, paths[::-1]):
                    document = program.scan("--policy", "strikes", "--local-domain", "home.example", "--format", "json", *given).json
                    self.assertEqual(document["sources"][0]["users"], {"root@foreign.example": 1})
                    self.assertTrue(document["sources"][0]["offender"])
        unknown = FILE.replace("Password mismatch", "unknown user")
        known = f"dovecot: auth: sql({USER},{CLIENT}): Password mismatch"
        events = [[json.loads(line) for line in self.events(log(*lines, every=0))] for lines in ((unknown, NAMELESS), (unknown, known, NAMELESS))]
        self.assertEqual([[e["user"] for e in each] for each in events], [[USER], [USER]])

    def events(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as out:
            out.write(text)
            out.flush()
            return program.run("events", "--year", "2026", "--timezone", "UTC", out.name).text.splitlines()

    def test_imap_and_smtp_are_two(self):
        self.assertEqual(self.attempts(log(*(SQL, LOGIN.format(1).replace("<hans>", f"<{USER}>")) * 4, every=20)), 8)

    def test_who_gets_in_was_not_refused_by_a_module_on_the_way(self):
        got_in = (f"dovecot[650]: imap-login: Login: user=<hans>, method=PLAIN, rip={CLIENT}, lip=192.0.2.25, mpid=7, TLS, "
                  "session=<cqaH2cNgjZ3GM2QJ>")
        self.assertNotIn("auth_failed", "".join(self.events(log(*(PAM, got_in) * 9))))

    def test_a_handshake_after_a_refused_login(self):
        lines = [f"connect from unknown[{CLIENT}]", POSTFIX.split(": ", 1)[1], f"SSL_accept error from unknown[{CLIENT}]: -1",
                 "warning: TLS library problem: error:0A00010B:SSL routines::wrong version number:../ssl/record/ssl3_record.c:350:",
                 f"disconnect from unknown[{CLIENT}] ehlo=1 auth=0/1 starttls=0/1 commands=1/3"]
        told = [json.loads(line)["event"] for line in self.events(log(*(f"postfix/smtpd[1000]: {line}" for line in lines)))]
        self.assertEqual(told, ["connect", "auth_failed", "disconnect", "tls_failed"])

    def test_lists_of_all_beginnings(self):
        for text in ("Exploitable Server See: https://bl.example/", "Queue of spam", "Erroneous", "Quite bad"):
            line = (f"postfix/smtpd[9]: NOQUEUE: reject: RCPT from unknown[{CLIENT}]: 554 5.7.1 Service unavailable; Client host "
                    f"[{CLIENT}] blocked using bl.example; {text}; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<x>")
            with self.subTest(text):
                (event,) = [json.loads(line) for line in self.events(log(line))]
                self.assertEqual(event["event"], "dnsbl")

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
