"""What a person at a terminal, a pipe and a script see: usage, quiet, closed pipes, full disks, looks."""
import contextlib
import fcntl
import gzip
import json
import os
import pty
import re
import struct
import subprocess
import termios
import unicodedata
import unittest

import program

LINE = "Mar  9 08:5{}:42 mail sshd[{}]: Failed password for {} from 203.0.113.{} port 4711 ssh2\n"
COMMON = ["--timezone", "UTC", "--year", "2026", "--policy", "any"]


def log(lines=40):
    names = ["root", "admin", "山田", "m\u00fcller", "a\x1b[31mb", "\u202egnp"]
    return "".join(LINE.format(i % 10, 100 + i, names[i % len(names)], 1 + i % 7) for i in range(lines)).encode()


def on_terminal(arguments, columns, environment, data):
    """Standard output is a terminal of so many columns; returns what it is sent."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "COLUMNS", "NO_COLOR"))}
    process = subprocess.Popen([program.BINARY, *arguments], stdin=subprocess.PIPE, stdout=follower, stderr=subprocess.PIPE,
                               env=dict(env, **environment))
    os.close(follower)
    process.stdin.write(data)
    process.stdin.close()
    text = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(leader)
    error = process.stderr.read()
    process.stderr.close()
    return process.wait(timeout=30), text.replace(b"\r\n", b"\n").decode("utf-8"), error.decode()


def columns_of(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


class Terminal(program.Case):
    def test_a_typed_log_ends_with_one_control_d(self):
        leader, follower = pty.openpty()
        with subprocess.Popen([program.BINARY, "scan", *COMMON, "--format", "plain", "-"], stdin=follower,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            os.close(follower)
            os.write(leader, log(7) + b"\x04")
            try:
                out, error = process.communicate(timeout=30)
            finally:
                process.kill()
                os.close(leader)
        self.assertEqual(len(out.splitlines()), 7)
        self.assertIn(b"Ctrl-D", error)

    def test_table_fits_and_is_harmless(self):
        for columns in (60, 80, 100, 132, 200):
            for locale, term in (("C.UTF-8", "xterm"), ("C", "xterm"), ("C.UTF-8", "linux")):
                code, text, error = on_terminal(["scan", *COMMON, "-"], columns, {"LC_ALL": locale, "TERM": term}, log())
                self.assertEqual((code, error), (0, ""))
                plain = re.sub(r"\x1b\[[0-9]*m", "", text)
                self.assertNotIn("\x1b", plain)
                self.assertNotIn("\u202e", plain)
                self.assertIn("OFFENDER", plain)
                for line in plain.splitlines():
                    if "mailward explain" not in line and not line.startswith("  "):
                        self.assertLessEqual(columns_of(line), columns, line)
                if locale == "C" or term == "linux":
                    self.assertTrue(plain.isascii())
                else:
                    self.assertIn("山田", plain)

    def test_color(self):
        for environment, option, colored in (({"TERM": "xterm"}, "auto", True), ({"TERM": "dumb"}, "auto", False),
                                             ({"TERM": "xterm", "NO_COLOR": "1"}, "auto", False), ({"TERM": "xterm"}, "never", False),
                                             ({"TERM": "xterm", "NO_COLOR": "1"}, "always", True)):
            _, text, _ = on_terminal(["scan", *COMMON, "--color", option, "-"], 80, environment, log())
            self.assertEqual("\x1b[" in text, colored, (environment, option))

    def test_hint_is_not_given_when_quiet(self):
        good = self.path("mail.log", log())
        for more, there in (([good], True), (["-q", good], False), (["-"], False)):  # a pipe can't be read again
            _, text, _ = on_terminal(["scan", *COMMON, *more], 100, {"TERM": "xterm"}, log())
            self.assertEqual("mailward explain" in text, there)

    def test_nothing_is_wider_than_a_narrow_screen(self):
        good = self.path("mail.log", log())
        for columns in (40, 45, 53, 61):
            for words in (["scan", *COMMON, "-q", good], ["rules", "list"]):
                _, text, _ = on_terminal(words, columns, {"TERM": "xterm", "LC_ALL": "C.UTF-8"}, b"")
                for line in re.sub(r"\x1b\[[0-9]*m", "", text).splitlines():
                    self.assertLessEqual(columns_of(line), columns, line)

    def test_an_empty_log_is_called_so(self):
        for name, said in ((self.path("empty.log", b""), "empty.log is empty."), ("-", "Standard input is empty.")):
            done = program.run("scan", "--format", "table", name, data=b"", env={"COLUMNS": "400"})
            self.assertIn(said, done.text)
            self.assertNotIn("Not understood", done.text)


class Pipes(program.Case):
    def test_quiet_says_nothing_but_results(self):
        done = program.run("scan", "-q", *COMMON, "-", data=log())
        self.assertEqual((done.code, done.err), (0, b""))
        self.assertEqual(len(done.lines), 7)

    def test_a_reader_that_goes_away_is_no_error(self):
        for ignore in (True, False):  # whether the caller ignores SIGPIPE
            trap = "trap '' PIPE; " if ignore else ""
            process = subprocess.Popen(["sh", "-c", trap + 'exec "$0" events --year 2026 -', program.BINARY],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(log(200_000))
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            error = process.stderr.read()
            process.stderr.close()
            code = process.wait(timeout=60)
            self.assertEqual(error, b"")
            self.assertIn(code, (0,) if ignore else (0, -13))

    def test_a_full_disk_is_told(self):
        with open("/dev/full", "wb") as full:
            for command in ("scan", "events"):
                done = program.run(command, "--year", "2026", "--policy", "any", "-", data=log(), stdout=full)
                self.assertEqual(done.code, 1)
                self.assertIn(b"No space left", done.err)

    def test_a_file_that_is_not_there_is_named_and_the_rest_done(self):
        good = self.path("mail.log", log())
        done = program.run("scan", *COMMON, "/nonexistent/mail.log", good)
        self.assertEqual(done.code, 1)
        self.assertIn(b"/nonexistent/mail.log", done.err)
        self.assertEqual(len(done.lines), 7)

    def test_no_input_at_all(self):
        done = program.run("scan", *COMMON, "/nonexistent/mail.log")
        self.assertEqual(done.code, 1)
        self.assertEqual(done.out, b"")


    def test_every_format_says_why_there_is_nothing(self):
        strange = self.path("strange.log", b"Mar  9 08:55:42 mail strange[7]: hello\n" * 3)
        good = self.path("mail.log", log())
        for form in ("table", "plain", "counts", "csv", "json", "ndjson"):
            for file, more, said in ((strange, [], b"No line of it tells of a client"), (good, ["--since", "2027-01-01"], b"before --since"),
                                     (good, ["--until", "2025-01-01"], b"not before --until"), (good, [], b"")):
                done = program.run("scan", *COMMON, *more, "--format", form, file, env={"COLUMNS": "400"})
                self.assertEqual(done.code, 0)
                told, silent = (done.out, done.err) if form == "table" else (done.err, done.out)
                self.assertIn(said, told, (form, more))
                if said:
                    self.assertNotIn(said, silent)
                elif form != "table":
                    self.assertEqual(done.err, b"")
                self.assertEqual(program.run("scan", "-q", *COMMON, *more, "--format", form, file).err, b"")

    def test_a_pipe_that_is_not_read_is_told(self):
        text = f'[input]\nfiles = ["{self.path("mail.log", log())}"]\n'.encode()
        words = ["scan", "--config", self.path("mailward.toml", text), *COMMON]
        read, write = os.pipe()
        os.write(write, log())
        os.close(write)
        for options, told in (({"stdin": read}, True), ({"data": log()}, True), ({"data": b""}, False), ({}, False)):
            done = program.run(*words, **options)
            self.assertEqual((done.code, len(done.lines)), (0, 7))
            self.assertEqual(b"mailward scan -" in done.err, told, done.err)
        self.assertNotIn(b"is not read", program.run(*words, "-", data=log()).err)
        os.close(read)

    def test_bytes_are_those_of_the_file(self):
        entry = json.dumps({"__REALTIME_TIMESTAMP": "1741510542000000", "SYSLOG_IDENTIFIER": "sshd", "_PID": "7", "_UID": "0",
                            "_SYSTEMD_UNIT": "ssh.service", "_TRANSPORT": "syslog", "MESSAGE": "Connection closed by 203.0.113.1 port 9"})
        export = "__REALTIME_TIMESTAMP=1741510542000000\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=hello\n\n"
        docker = json.dumps({"log": "hello\n", "stream": "stdout", "time": "2026-03-09T08:55:42Z"})
        for name, data in (("json", (entry + "\n") * 50), ("export", export * 50), ("docker", (docker + "\n") * 50), ("text", log(50).decode())):
            for packed in (False, True):
                plain = data.encode()
                stored = gzip.compress(plain) if packed else plain
                done = program.run("scan", *COMMON, "-q", "--format", "json", self.path(name + (".gz" if packed else ""), stored))
                self.assertEqual(done.json["input"]["bytes"], len(stored), (name, packed))


class Usage(program.Case):
    def test_wrong_usage_is_2_and_says_what_to_type(self):
        for arguments, said in ((["scna"], "did you mean scan?"), (["scan", "--limt", "3"], "did you mean --limit?"),
                                (["scan", "--policy"], "--policy wants a value"), (["scan", "--format", "jsn"], "did you mean json?"),
                                (["scan", "--limit", "-1"], "--limit wants a whole number"), (["scan", "--since", "yesterday"], "--since"),
                                (["scan", "--color", "alwys"], "--color can't be 'alwys' (did you mean always?); one of: auto"), (["version"], "mean --version?"),
                                (["-V"], "mean --version?"), (["scan", "--lodger", "x"], "did you mean --ledger?"), (["scan", "--year", "26"], "--year wants"),
                                (["scan", "--timezone", "Europe/Berln"], "Berln"), (["scan", "--policy", "strickes"], "strikes"),
                                (["scan", "--threads", "0"], "--threads wants"), (["scan", "--local-domain", "a@b"], "no domain"),
                                (["explain"], "wants an address"), (["explain", "mail.log"], "is no address"), (["runn"], "did you mean run?"), (["ban"], "NETWORK"), (["ban", "x"], "neither an address"), (["unban", "192.0.2.1/24"], "right of its prefix"),
                                (["export", "events"], "there is no command 'export'"), (["--now", "2026-01-01", "evnts", "scan"], "no command 'evnts' (did you mean events?)"),
                                (["rules", "list", "postfxi"], "did you mean postfix?"), (["scan", "-x"], "unknown option -x"),
                                (["scan", "--since", "1h", "--until", "2h"], "not before"), (["scan", "--ban", "soon"], "--ban wants")):
            done = program.run(*arguments)
            self.assertEqual(done.code, 2, (arguments, done.err))
            self.assertIn(said, done.err.decode(), arguments)
            self.assertEqual(done.out, b"")

    def test_no_word_is_better_than_a_wrong_one(self):
        for arguments in (["scan", "--policy", "nope"], ["scan", "--format", "xy"], ["qqq"]):
            done = program.run(*arguments)
            self.assertEqual(done.code, 2)
            self.assertNotIn(b"nearest", done.err)
            self.assertNotIn(b"mean", done.err)

    @unittest.skipUnless(os.path.exists("/usr/share/zoneinfo/UTC"), "no zone files")
    def test_zone_files_that_are_there_are_not_missed(self):
        for zone in ("+25:00", "../../etc/passwd", "Mars", "a b"):
            done = program.run("scan", "--timezone", zone, "-")
            self.assertEqual(done.code, 2)
            self.assertIn(b"unknown time zone", done.err)
            self.assertNotIn(b"tzdata", done.err)

    def test_a_hint_that_shows_nothing_is_not_given(self):
        text = b"Mar  2 10:00:00 mail sshd[7]: nobody knows this\n"
        table = ("scan", "--format", "table", "--year", "2026")
        self.assertIn("\n  mailward events --unknown", program.run(*table, self.path("a.log", text)).text)
        done = program.run(*table, self.path("a.log", text.replace(b"nobody", b"n" * 70_000)))
        self.assertIn("longer than can be", done.text)
        self.assertNotIn("--unknown", done.text)

    def test_nothing_to_do(self):
        for arguments in ([], ["rules"]):
            done = program.run(*arguments)
            self.assertEqual((done.code, done.out), (2, b""))
            self.assertIn(b"usage:", done.err)

    def test_help_and_version(self):
        for arguments in (["--help"], ["help"], ["scan", "-h"], ["help", "scan"], ["help", "rules", "check"], ["rules", "test", "--help"]):
            done = program.run(*arguments)
            self.assertEqual((done.code, done.err), (0, b""))
            self.assertIn("usage: mailward", done.text)
            for line in done.lines:
                self.assertLessEqual(len(line), 80)
        self.assertRegex(program.run("--version").text, r"^mailward \d+\.\d+\.\d+\n$")

    def test_help_offers_what_the_command_uses(self):
        self.assertNotIn("--policy", program.run("events", "--help").text)
        self.assertEqual(program.run("events", *COMMON, "-", data=log()).code, 0)  # the words for scan serve all the same
        self.assertIn("explain [OPTION...] ADDRESS [FILE...]", program.run("explain", "--help").text)

    def test_options_may_stand_before_the_command_and_the_last_counts(self):
        done = program.run("--now", "2026-03-10", "--color", "never", "scan", "--limit", "100", "--limit", "0", "--policy", "tries",
                           "--format=counts", "-", data=log())
        self.assertEqual(done.code, 0)
        self.assertEqual(len(done.lines), 7)

    def test_two_dashes_end_the_options(self):
        self.path("-x.log", log())
        done = program.run("scan", *COMMON, "--format", "json", "--", "-x.log", cwd=self.folder.name)
        self.assert_sound(done)
        self.assertEqual(done.json["input"]["files"], ["-x.log"])
        self.assertEqual(program.run("scan", *COMMON, "-x.log", cwd=self.folder.name).code, 2)
        self.assertEqual(program.run("scan", *COMMON, "--bogus", "--", "-x.log", cwd=self.folder.name).code, 2)

    def test_a_repeated_option_takes_one_value_each_time(self):
        good = self.path("mail.log", log())
        done = program.run("scan", *COMMON, "--ignore", "203.0.113.1", good)
        self.assertEqual((done.code, len(done.lines)), (0, 6))

    def test_since_is_refused_for_text_without_times(self):
        bare = "".join(line.split(": ", 1)[1] + "\n" for line in log(40).decode("utf-8").splitlines()).encode()
        self.assertEqual(program.run("scan", "--since", "24h", "-", data=bare).code, 2)
        self.assertEqual(program.run("scan", "-", data=bare).code, 0)


RULES = """daemon = "mydaemon-with-a-name-of-its-own"
versions = "1.0 to 99.0, and every one between them"
about = "a text that is longer than what is left of a terminal's eighty columns, to the last word"
[[program]]
name = "myprogram"
[[rule]]
name = "failed"
line = 'login from {address} failed: {reason:free}'
event = "auth_failed"
"""


class Rules(program.Case):
    def rules(self, text):
        os.makedirs(self.path("rules"), exist_ok=True)
        self.path("rules/site.toml", text.encode())
        return self.path("rules")

    def test_list_is_not_cut_in_a_pipe(self):
        folder = self.rules(RULES)
        text = program.run("rules", "list", "--rules", folder).text
        for word in "mydaemon-with-a-name-of-its-own", "every one between them", "to the last word\n":
            self.assertIn(word, text)
        _, shown, _ = on_terminal(["rules", "list", "--rules", folder], 80, {"LC_ALL": "C.UTF-8"}, b"")
        self.assertLessEqual(max(map(columns_of, shown.splitlines())), 80)
        self.assertNotIn("to the last word", shown)

    def test_a_rule_without_a_sample_is_told(self):
        folder = self.rules(RULES)
        done = program.run("rules", "test", folder)
        self.assertIn("site.toml:6: rule `failed` has no sample", done.text)
        self.assertEqual(done.code, 0)
        self.assertEqual(program.run("rules", "test", "-q", folder).out, b"")
        self.assertNotIn("has no sample", program.run("rules", "test").text)

    def test_a_mistyped_word_is_told_with_the_nearest(self):
        for right, typed, said in (
                ("reason:free", "reasn:free", "`reasn` is no fact; the nearest is `reason`"),
                ("reason:free", "reason:fre", "no type is called `fre`; the nearest is `free`"),
                ('"auth_failed"', '"auth_faild"', "`auth_faild` is no kind of event; the nearest is `auth_failed`"),
                ('event = ', 'program = "myprogam"\nevent = ', "is called `myprogam`; the nearest is `myprogram`"),
                ('event = ', 'vis = ["usr"]\nevent = ', "keeps no `usr`; the nearest is `user`"),
                ('event = ', 'set = { mecanism = "PLAIN" }\nevent = ', "`mecanism` is no fact; the nearest is `mechanism`"),
                ('event = ', 'set = { port = "1" }\nevent = ', "`port` can't be set"),
                ('event = ', 'evnt = ', "unknown key `evnt`; the nearest is `event`")):
            with self.subTest(typed):
                done = program.run("rules", "check", self.rules(RULES.replace(right, typed)))
                self.assertEqual(done.code, 1)
                self.assertIn(said, done.err.decode())


class Names(program.Case):
    """What somebody called a file is escaped wherever it is told."""

    def test_a_line_feed_in_a_name(self):
        there, missing = self.path("a\nb\x1b[31m.log", log()), self.path("no\nsuch")
        toml = self.path("x\ny.toml", b"[[polcy]]\n")
        for arguments in (["scan", "--format", "table", there], ["scan", "-v", there], ["scan", missing], ["events", "-v", there],
                          ["scan", "--policy", toml, there], ["scan", "--policy", missing, there], ["scan", "--rules", missing, there],
                          ["scan", "--config", missing, there], ["scan", "--config", toml, there], ["scan", "--ignore", missing, there],
                          ["explain", "203.0.113.1", there], ["rules", "check", toml], ["rules", "list", "no\nsuch"],
                          ["scan", "--since", "24h", self.path("a\nbare", b"text\n")], ["scan", "--color", "a\nb", there], ["a\nb"]):
            with self.subTest(arguments):
                done = program.run(*arguments)
                for line in (done.out + done.err).split(b"\n"):
                    self.assertFalse(line.startswith((b"b\\x1b", b"b.log", b"such", b"y.toml", b"bare", b"b'", b"b:")), line)
                self.assertNotIn(b"\x1b", done.out + done.err)
                for line in done.err.splitlines():
                    self.assertTrue(line.startswith(b"mailward: "), line)

    def test_the_address_of_nobody(self):
        """`::` is an address; no client has it, and the program itself means nobody by it."""
        named = b"Mar  2 10:00:00 mail sshd[9]: Failed password for root from :: port 1 ssh2\n"
        done = program.run("explain", "::", *COMMON, "-", data=named)
        self.assertEqual(done.code, 0)
        self.assertIn(b":: is nobody's address", done.err)
        self.assertNotIn(b"::", program.scan(*COMMON, "--ignore", "::", "--format", "counts", "-", data=named + log()).out)


class Completion(program.Case):
    def completed(self, *words):
        script = f"""source {program.ROOT}/packaging/completions/mailward.bash
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${{#COMP_LINE}}
            _mailward 2> /dev/null; printf '%s\\n' "${{COMPREPLY[@]}}" """
        return subprocess.run(["bash", "-c", script, "bash", program.BINARY, *words], capture_output=True, text=True, check=False,
                              cwd=self.folder.name).stdout.split()

    def test_bash(self):
        self.assertEqual(self.completed("rules", "li"), ["list"])
        self.assertEqual(self.completed("rules", "list", "p"), ["perdition", "postfix"])
        self.assertEqual(self.completed("-v", "rules", "--rules", "x", "test", "pos"), ["postfix"])
        self.assertEqual(self.completed("rules", "list", "nobody"), [])
        self.assertIn("postfix", self.completed("rules", "list", ""))


class Configuration(program.Case):
    def scan(self, text, *more):
        return program.run("scan", "--config", self.path("mailward.toml", text.encode()), *more, data=log())

    def test_it_is_used_and_the_command_line_wins(self):
        named = self.path("mail.log", log())
        text = f'[input]\nfiles = ["{named}"]\ntimezone = "UTC"\n[judge]\npolicy = "any"\nignore = ["203.0.113.1"]\n'
        self.assertEqual(len(self.scan(text, "--year", "2026").lines), 6)
        self.assertEqual(len(self.scan(text, "--year", "2026", "--ignore", "203.0.113.2").lines), 5)
        self.assertEqual(self.scan(text, "--year", "2026", "--policy", "tries", "--limit", "50").lines, [])

    def test_what_is_wrong_in_it_is_named_with_its_place(self):
        for text, said in (("[judge]\npolicey = 'x'\n", ":2:1: unknown key \"policey\""), ("[judge]\nbrake = 'x'\n", ":2:9: brake must be"),
                           ("[firewall]\nbackend = 'nft'\n", "one of: nftables"), ("[judge\n", ":1:")):
            done = self.scan(text, "-")
            self.assertEqual(done.code, 1)
            self.assertIn(said, done.err.decode())

    def test_what_only_a_command_finds_wrong_is_named_with_its_place(self):
        listed = self.path("ignore.txt", b"192.0.2.1\nx\n")
        for text, said in (("[judge]\npolicy = 'nope'\n", ":2:10: policy: no preset `nope`; expected one of any, default"),
                           ("[judge]\nignore = ['192.0.2.1', '1.2.3']\n", ":2:24: ignore: 1.2.3 is neither an address"),
                           ("[judge]\nignore = ['/no/such']\n", ":2:11: ignore: /no/such is neither"),
                           (f"[judge]\nignore = ['{listed}']\n", "ignore.txt:2: x is neither"),
                           ("[judge]\nlocal_domains = ['a@b']\n", ":2:18: local_domains: 'a@b' is no domain"),
                           ("[input]\ntimezone = 'Mars'\n", ":2:12: timezone: unknown time zone"),
                           ("[firewall.command]\nban = []\n", ":2:7: ban is empty; expected a program")):
            done = self.scan(text, "-")
            self.assertEqual(done.code, 1, text)
            self.assertIn(said, done.err.decode())
            self.assertNotIn(b"--ignore", done.err)

    def test_a_byte_order_mark(self):
        mark = b"\xef\xbb\xbf"
        self.assertEqual(len(program.run("scan", *COMMON, "-", data=log()).lines), 7)
        listed = self.path("ignore.txt", mark + b"203.0.113.1\n")
        self.assertEqual(len(program.run("scan", *COMMON, "--ignore", listed, "-", data=log()).lines), 6)
        self.assertEqual(len(self.scan((mark + b'[judge]\nignore = ["203.0.113.1"]\n').decode(), *COMMON, "-").lines), 6)
        listed = self.path("ignore.txt", b"203.0.113.1\n" + mark + b"203.0.113.2\n")
        self.assertEqual(program.run("scan", "--ignore", listed, "-", data=log()).code, 1)

    def test_sections_of_other_commands_are_accepted(self):
        for text, said in (('[firewall]\nbackend = "none"\n[report]\npause = "7d"\n', 1), ("[judge]\nbrake = 7\n", 0),
                           ('[daemon]\nfacility = "mail"\n[ledger]\nfile = "/x"\n', 0)):
            done = self.scan(text, *COMMON, "-")
            self.assertEqual((done.code, done.err.count(b"not used by this version: [report]")), (0, said), done.err)
            self.assertEqual(done.err.count(b"not used"), said, done.err)
            self.assertEqual(self.scan(text, "-q", *COMMON, "-").err, b"")

    def test_a_file_that_is_not_there(self):
        self.assertEqual(program.run("scan", "--config", "/nonexistent.toml", "-").code, 1)


if __name__ == "__main__":
    program.main()
