"""One log in forms that no daemon of the corpus writes: what is found stays the same, and every line is in a figure."""
import datetime
import gzip
import json
import os
import random
import re
import subprocess
import zoneinfo

import program

UNITS = {"postfix": "postfix@-.service", "dovecot": "dovecot.service", "exim": "exim4.service", "opensmtpd-ff": "opensmtpd.service",
         "sendmail": "sendmail.service", "sshd": "ssh.service"}


class Log:
    """The lines of a run of the corpus, taken apart: (instant, host, "prog[pid]: text")."""

    def __init__(self, name):
        self.arguments, forms, self.truth = program.corpus(name)
        self.zone = zoneinfo.ZoneInfo(self.truth["timezone"])
        self.lines = []
        year = int(self.truth["first"][:4])
        for path in sorted(forms["traditional"], reverse=True):
            for line in subprocess.check_output(["zstd", "-dcfq", path]).decode("latin-1").split("\n")[:-1]:
                time = datetime.datetime.strptime(f"{year} {line[:15]}", "%Y %b %d %H:%M:%S").replace(tzinfo=self.zone)
                self.lines.append((time, *line[16:].split(" ", 1)))

    def written(self, line):
        return "".join(line(*fields) + "\n" for fields in self.lines).encode("latin-1")


def traditional(time, host, rest):
    return f"{time:%b %e %H:%M:%S} {host} {rest}"


def utc(time):
    return f"{time.astimezone(datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}.000000000Z"


def with_unit(unit):
    return lambda time, host, rest: f"{time:%a %F %T %Z} {host} {unit}" + re.sub(r"^[^\[: ]+", "", rest)


def in_two(time, _, rest):
    return f"{utc(time)} stderr P {rest[:20]}\n{utc(time)} stderr F {rest[20:]}"


class Forms(program.Case):
    def told(self, log, data, form="json"):
        done = program.scan("-q", "--policy", "any", "--format", form, *log.arguments, self.path("0.log", data))
        self.assert_sound(done)
        self.assertEqual(done.err, b"")
        return done.json["sources"] if form == "json" else done.lines

    def test_forms_that_keep_the_time(self):
        forms = {
            "short-full": lambda time, host, rest: f"{time:%a %F %T %Z} {host} {rest}",
            "short-full --utc": lambda time, host, rest: f"{time.astimezone(datetime.timezone.utc):%a %F %T} UTC {host} {rest}",
            "cri": lambda *fields: f"{utc(fields[0])} stdout F {traditional(*fields)}",
            "cri, a tag alone": lambda time, host, rest: f"{utc(time)} stderr F {rest}",
            "cri, in two": in_two,
            "docker, a tag alone": lambda time, host, rest: json.dumps({"log": rest + "\n", "stream": "stdout", "time": utc(time)},
                                                                        ensure_ascii=False)}
        log = Log("postfix")
        expected = self.told(log, log.written(traditional))
        self.assertGreater(len(expected), 20)
        for name, line in forms.items():
            with self.subTest(name):
                self.assertEqual(self.told(log, log.written(line)), expected)
        with self.subTest("a byte order mark"):
            self.assertEqual(self.told(log, b"\xef\xbb\xbf" + log.written(traditional)), expected)
            self.assertEqual(self.told(log, b"\xef\xbb\xbf" + log.written(forms["cri"])), expected)

    def test_forms_without_time(self):
        log = Log("postfix")
        expected = self.told(log, log.written(traditional), "counts")
        for name, line in {"short-monotonic": lambda time, host, rest: f"[{time.timestamp() % 1e5:12.6f}] {host} {rest}",
                           "short-delta": lambda time, host, rest: f"[{time.timestamp() % 1e5:12.6f} <    0.100000 >] {host} {rest}",
                           "a tag alone": lambda time, host, rest: rest}.items():
            with self.subTest(name):
                data = log.written(line)
                self.assertEqual(self.told(log, data, "counts"), expected)
                done = program.scan("--since", "24h", self.path("no-time.log", data))
                self.assertEqual(done.code, 2)
                self.assertIn(b"its lines have no time", done.err)

    def test_a_unit_instead_of_a_program(self):
        for name, unit in UNITS.items():
            with self.subTest(name):
                log = Log(name)
                expected = self.told(log, log.written(traditional), "counts")
                self.assertTrue(expected)
                self.assertEqual(self.told(log, log.written(with_unit(unit)), "counts"), expected)
                self.assertEqual(self.told(log, log.written(with_unit("user@1000.service/evil.service")), "counts"), [])

    def test_utf_16(self):
        log = Log("sshd")
        for encoding, name in ("utf-16-le", b"UTF-16LE"), ("utf-16-be", b"UTF-16BE"):
            for packed in False, True:
                data = log.written(traditional).decode("latin-1").encode(encoding)
                path = self.path("wide.log", gzip.compress(data) if packed else data)
                done = program.scan(path)
                with self.subTest(encoding, packed=packed):
                    self.assertEqual((done.code, done.out), (1, b""))
                    self.assertIn(name + b" text", done.err)
                    self.assertIn(b"iconv -f " + name + b" -t UTF-8", done.err)


class Figures(program.Case):
    """Lines that no rule was asked about are counted, each once."""
    EXIM = "2026-03-02 10:00:0{} no host name found for IP address 192.0.2.9\n"

    def figures(self, data, *arguments):
        done = program.scan("--policy", "any", "--format", "json", "--timezone", "UTC", *arguments, self.path("mainlog", data.encode()))
        self.assert_sound(done)
        told = done.json["input"]
        return {key: told.get(key, 0) for key in ("lines", "events", "not_understood", "other_programs", "continued", "untrusted")}, done.err

    def test_another_log_in_an_exim_log(self):
        exim = "".join(self.EXIM.format(i) for i in range(8))
        other = "Mar  2 10:00:00 mail sshd[9]: Failed password for root from 192.0.2.9 port 1 ssh2\n"
        figures, said = self.figures(exim + other * 3 + "Envelope-from: <a>\n\n")
        self.assertEqual(figures, {"lines": 13, "events": 8, "not_understood": 3, "other_programs": 0, "continued": 2, "untrusted": 0})
        self.assertEqual(said, b"")  # a few
        figures, said = self.figures(exim * 20 + other * 30)
        self.assertEqual((figures["lines"], figures["not_understood"]), (190, 30))
        self.assertIn(b"mainlog: 30 of 190 lines have another form than most lines of the file", said)

    def test_text_that_nobody_understands_is_counted_and_shown(self):
        apache = '127.0.0.1 - - [10/Oct/2026:13:55:36 +0200] "GET / HTTP/1.1" 200 5\n'
        noise = random.Random(5).randbytes(200_000).replace(b"\n\n", b"\n.\n")
        for data in (b"hello", apache.encode() * 20, b"<html>\n[section]\n>quoted\na b: c\n\n" * 20, noise):
            path = self.path("some.log", data)
            told = program.scan("--format", "json", path).json["input"]
            lines = data.count(b"\n") + (not data.endswith(b"\n"))
            self.assertEqual((told["lines"], told["events"]), (lines, 0))
            self.assertEqual(told["not_understood"], lines - told.get("continued", 0), data[:60])
            shown = program.run("events", "--unknown", path)
            self.assertEqual(len(shown.lines), told["not_understood"])

    def test_text_without_a_header_that_is_known_is_understood(self):
        with open(os.path.join(program.CORPUS, "postfix/mail.log"), encoding="utf-8") as file:
            lines = [line.split("]: ", 1)[1] for line in file if "]: " in line][:200]
        told = program.scan("--format", "json", self.path("cat.log", "".join(lines).encode())).json["input"]
        self.assertEqual((told["lines"], told["not_understood"]), (200, 0))

    def test_lines_with_a_header_in_text_without_one(self):
        head = "Mar  2 10:00:00 mail sshd[9]: "
        text = "Failed password for root from 192.0.2.9 port 1 ssh2\n"
        mixed = self.path("mix.log", (text * 60 + (head + text) * 40).encode())
        few = self.path("few.log", (text * 300 + (head + text) * 5).encode())
        for command in ("scan", "events"):
            done = program.run(command, mixed, few)
            self.assertIn(b"mix.log: 40 of 100 lines have another form than most lines of the file", done.err)
            self.assertIn(b"give each a file of its own", done.err)
            self.assertNotIn(b"few.log", done.err)
        self.assertEqual(program.scan("--format", "json", mixed).json["input"]["not_understood"], 40)
        self.assertEqual(json.loads(program.run("events", "--unknown", mixed).lines[0])["line"], 61)

    def test_every_kind(self):
        line = "Mar  2 10:00:0{} mail {}\n".format
        known = "".join(line(i, "sshd[9]: Failed password for root from 192.0.2.9 port 1 ssh2") for i in range(5))
        log = (known + line(5, "sshd[9]: nobody knows this") + line(6, "cron[7]: other") * 2 + "no header\n" + "\n" +
               line(7, "exim[3]: [2\\10] the rest of an entry") + "@400000006982056b0ee6b280 another form\n")
        figures, _ = self.figures(log)
        self.assertEqual(figures, {"lines": 12, "events": 5, "not_understood": 3, "other_programs": 2, "continued": 2, "untrusted": 0})

    def test_a_journal(self):
        entry = {"__REALTIME_TIMESTAMP": "1768781456341452", "_HOSTNAME": "post", "SYSLOG_IDENTIFIER": "sshd", "_PID": "97",
                 "_TRANSPORT": "syslog", "MESSAGE": "Failed password for root from 192.0.2.9 port 1 ssh2"}
        entries = [{**entry, "_UID": "0"}, {**entry, "_UID": "1000", "_SYSTEMD_UNIT": "session-3.scope"},
                   {**entry, "SYSLOG_IDENTIFIER": "cron"}]
        figures, _ = self.figures("".join(json.dumps(e) + "\n" for e in entries) + "junk\n")
        self.assertEqual(figures, {"lines": 4, "events": 1, "not_understood": 1, "other_programs": 1, "continued": 0, "untrusted": 1})


if __name__ == "__main__":
    program.main()
