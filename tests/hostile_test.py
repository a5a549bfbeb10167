"""Input that is meant to do harm, and a world that is in a bad state: bounded memory, no crash, and
what docs/formats.md says of exit status and output.
"""
import bz2
import csv
import gzip
import io
import json
import lzma
import os
import shutil
import signal
import subprocess
import threading
import time

import program

# Sanitizers take ten times as long; ./dev soak has the patience for more.
SCALE = 0.02 if program.SANITIZER else 10 if program.SOAK else 1

ATTACK = b"""Mar  9 07:55:42 mail smtpd[60467]: 9a2bd95a086bc4b0 smtp connected address=203.0.113.209 host=<unknown>
Mar  9 07:55:42 mail smtpd[60467]: 9a2bd95a086bc4b0 smtp authentication user=info@elsewhere.example result=permfail
Mar  9 07:55:43 mail smtpd[60467]: 9a2bd95a086bc4b0 smtp disconnected reason=quit
"""
STRIKES = ["--policy", "strikes", "--format", "plain", "--year", "2026", "--timezone", "UTC"]


def attack_by(address):
    return ATTACK.replace(b"203.0.113.209", address.encode())


class Size(program.Case):
    """Memory stays bounded whatever the size."""

    def scan_flood(self, what, count, *arguments, megabytes=64, **options):
        source = program.tool("flood", what, int(count))
        try:
            done = program.scan(*arguments, "-", stdin=source.stdout, timeout=900, **options)
        finally:
            source.stdout.close()
            source.wait()
        self.assert_sound(done, megabytes=megabytes)
        return done

    def test_a_line_without_end(self):
        done = self.scan_flood("line", SCALE * 2**30, "--format", "json")
        self.assertEqual(done.json["input"]["lines"], 1)
        self.assertEqual(done.json["sources"], [])

    def test_a_line_without_end_in_a_file(self):
        path = self.path("mail.log")
        with open(path, "wb") as out:
            out.write(ATTACK)
            for _ in range(int(SCALE * 256)):
                out.write(b"x" * 2**20)
            out.write(b"\n" + attack_by("203.0.113.7").replace(b"9a2b", b"0000"))
        done = program.scan(*STRIKES, path)
        self.assert_sound(done)
        self.assertEqual(done.lines, ["203.0.113.7", "203.0.113.209"])

    def test_empty_lines(self):
        done = self.scan_flood("lines", SCALE * 3e7, "--format", "json")
        self.assertEqual(done.json["sources"], [])

    def test_sessions_that_never_end(self):
        # Open sessions are bounded, so ten times as many must not take ten times the memory.
        for what in ("sessions", "pids"):
            with self.subTest(what):
                self.scan_flood(what, SCALE * 1e7, *STRIKES, megabytes=256)

    def test_addresses(self):
        done = self.scan_flood("addresses", SCALE * 1e6, *STRIKES, megabytes=64 + SCALE * 400)
        self.assertEqual(len(done.lines), int(SCALE * 1e6))

    def test_names(self):
        """Past a bound of memory the names that an address tried are counted under the ellipsis."""
        count = int(SCALE * 3e6)
        done = self.scan_flood("users", count, "--format", "json", megabytes=256)
        (source,) = done.json["sources"]
        self.assertEqual(source["events"]["auth_failed"], count)
        self.assertEqual(sum(source["users"].values()), count)
        if SCALE >= 1:
            self.assertIn("…", source["users"])

    def test_bombs(self):
        """A few kilobytes that become gigabytes: many members of nothing but zeros or line ends."""
        for byte in (b"\0", b"\n"):
            piece = byte * 2**25
            members = max(1, int(SCALE * 32))
            for suffix, pack, factor in ((".gz", lambda d: gzip.compress(d, 6), 1), (".xz", lzma.compress, 1), (".bz2", bz2.compress, 4)):
                with self.subTest(suffix=suffix, byte=byte):
                    path = self.path("bomb" + suffix, pack(piece) * max(1, members // factor) + pack(ATTACK))
                    done = program.scan(*STRIKES, path, timeout=2 * program.PATIENCE)
                    self.assert_sound(done, megabytes=100)
                    self.assertEqual(done.lines, ["203.0.113.209"] if byte == b"\n" else [])

    def test_a_bomb_of_zstd(self):
        path = self.path("bomb.zst")
        with open(path, "wb") as out:
            packer = subprocess.Popen(["zstd", "-q", "-3", "--long=24"], stdin=subprocess.PIPE, stdout=out)
            for _ in range(max(1, int(SCALE * 1024))):
                packer.stdin.write(b"\n" * 2**20)
            packer.stdin.write(ATTACK)
            packer.stdin.close()
            packer.wait()
        done = program.scan(*STRIKES, path)
        self.assert_sound(done, megabytes=100)
        self.assertEqual(done.lines, ["203.0.113.209"])


class World(program.Case):
    """Files that are not what they seem. What can't be read is named, the rest is done."""

    def assert_named(self, name, *arguments, **options):
        """Scans something unreadable beside a good log."""
        good = self.path("good.log", ATTACK)
        done = program.scan(*STRIKES, *arguments, good, **options)
        self.assert_sound(done, code=1)
        self.assertEqual(done.lines, ["203.0.113.209"], "the rest is still done")
        self.assertIn(name.encode(), done.err)
        return done

    def test_missing(self):
        self.assert_named("no-such.log", self.path("no-such.log"))

    def test_directory(self):
        os.mkdir(self.path("folder.d"))
        self.assert_named("folder.d", self.path("folder.d"))

    def test_no_permission(self):
        path = self.path("secret.log", attack_by("203.0.113.1"))
        os.chmod(path, 0)
        good = self.path("good.log", ATTACK)
        options = {}
        if os.getuid() == 0:  # root may read everything: become nobody, with a copy of all that the program needs
            os.chmod(self.folder.name, 0o755)
            for name in ("rules", "policy"):
                shutil.copytree(os.path.join(program.ROOT, name), self.path(name))
            options = {"binary": shutil.copy(program.BINARY, self.path("mailward")),
                       "env": {"MAILWARD_DATA": self.folder.name},
                       "before": lambda: (os.setgroups([]), os.setgid(65534), os.setuid(65534))}
        done = program.scan(*STRIKES, path, good, **options)
        self.assert_sound(done, code=1)
        self.assertEqual(done.lines, ["203.0.113.209"])
        self.assertIn(b"secret.log", done.err)

    def test_link_to_itself(self):
        os.symlink("loop.log", self.path("loop.log"))
        self.assert_named("loop.log", self.path("loop.log"))

    def test_cut_short_within_its_compression(self):
        whole = ATTACK + b"".join(b"Mar  9 08:00:%02d mail smtpd[1]: %016x smtp connected address=198.51.100.1 host=x\n" % (n % 60, n * 2654435761 % 2**64)
                                  for n in range(20000))
        for suffix, pack in ((".gz", gzip.compress), (".xz", lzma.compress), (".bz2", bz2.compress)):
            with self.subTest(suffix):
                packed = pack(whole)
                self.assert_named("cut.log" + suffix, self.path("cut.log" + suffix, packed[: len(packed) * 2 // 3]))

    def test_not_what_its_name_says(self):
        """Compression is told by the bytes, not by the name."""
        for name, data in (("plain.gz", attack_by("203.0.113.5")), ("packed.log", gzip.compress(attack_by("203.0.113.5")))):
            with self.subTest(name):
                done = program.scan(*STRIKES, self.path(name, data))
                self.assert_sound(done)
                self.assertEqual(done.lines, ["203.0.113.5"])

    def test_noise(self):
        """Bytes that no logger wrote."""
        noise = os.urandom(3 << 20)
        for name, data in (("noise.log", noise), ("noise.gz", b"\x1f\x8b\x08\x00" + noise), ("noise.zst", b"\x28\xb5\x2f\xfd" + noise),
                           ("noise.json", b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":[1,2,' + noise), ("noise.export", b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7f" + noise)):
            with self.subTest(name):
                self.assert_sound(program.scan(*STRIKES, self.path(name, data)), code=(0, 1))

    def test_empty(self):
        done = program.scan("--format", "json", self.path("empty.log", b""))
        self.assert_sound(done)
        self.assertEqual(done.json["input"]["lines"], 0)

    def test_pipe_with_a_name(self):
        path = self.path("pipe.log")
        os.mkfifo(path)

        def write():
            with open(path, "wb") as out:
                out.write(ATTACK)
        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        time.sleep(0.1)
        done = program.scan(*STRIKES, path, timeout=20)
        self.assert_sound(done, code=(0, 1))
        if done.code == 0:
            self.assertEqual(done.lines, ["203.0.113.209"])
        else:
            self.assertIn(b"pipe.log", done.err)

    def test_pipe_that_nobody_writes_to(self):
        """It waits, as cat does, and can be interrupted."""
        path = self.path("dead.log")
        os.mkfifo(path)
        process = subprocess.Popen([program.BINARY, "scan", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        code, megabytes = program.wait(process, time.monotonic() + 20)
        self.assertNotEqual(code, 0)
        self.assertLess(megabytes, 64 if not program.SANITIZER else 1000)

    def test_file_that_shrinks(self):
        path = self.path("mail.log")
        with open(path, "wb") as out:
            for _ in range(40 if program.SANITIZER else 400):
                out.write(ATTACK * 3000)
        shrink = threading.Timer(0.02, lambda: os.truncate(path, 1000))
        shrink.start()
        done = program.scan(*STRIKES, path)
        shrink.join()
        self.assert_sound(done, code=(0, 1))

    def test_file_that_grows(self):
        path = self.path("mail.log", ATTACK * 1000)
        stop = threading.Event()

        def grow():
            with open(path, "ab") as out:
                while not stop.is_set():
                    out.write(ATTACK * 100)
                    out.flush()
        writer = threading.Thread(target=grow)
        writer.start()
        try:
            done = program.scan(*STRIKES, path, timeout=60)
        finally:
            stop.set()
            writer.join()
        self.assert_sound(done)
        self.assertEqual(done.lines, ["203.0.113.209"])

    def test_reader_that_goes_away(self):
        path = self.path("mail.log", b"".join(attack_by(f"203.0.{n // 250}.{n % 250}").replace(b"9a2bd95a", b"%08x" % n) for n in range(20000)))
        for verb in (["scan", "--format", "json"], ["scan", "--format", "plain", "--policy", "any"], ["events"]):
            with self.subTest(verb):
                process = subprocess.Popen([program.BINARY, *verb, "--year", "2026", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                process.stdout.read(10)
                process.stdout.close()
                said = process.stderr.read()
                code, _ = program.wait(process, time.monotonic() + 60)
                process.stderr.close()
                self.assertIn(code, (0, 1, -signal.SIGPIPE), said)
                for word in program.CRASH_WORDS:
                    self.assertNotIn(word, said)

    def test_output_that_is_full(self):
        with open("/dev/full", "wb") as full:
            done = program.scan("--policy", "any", "--format", "json", self.path("mail.log", ATTACK), stdout=full)
        self.assert_sound(done, code=1)
        self.assertTrue(done.err, "a full disk must be told")

    def test_no_output_at_all(self):
        done = program.scan(*STRIKES, self.path("mail.log", ATTACK), before=lambda: os.close(1))
        self.assert_sound(done, code=(0, 1))


class Text(program.Case):
    """What clients wrote never reaches a terminal, a cell or a reader of JSON as anything but text."""
    NAMES = [b"\x1b]0;owned\x07", b"\x1b[2J\x1b[31mred", b"caf\xe9", b"\xff\xfe\x00x", b"a\rb", "\u202egnp.exe\u2066".encode(),
             b"\xc2\x9b31m", b"=cmd|' /C calc'!A0", b'"quoted", and, commas', b"<script>alert(1)</script>", b"tab\there",
             b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"x" * 5000]

    def log(self):
        lines = []
        for n, name in enumerate(self.NAMES):
            lines.append(b"Mar  9 07:55:42 mail smtpd[1]: %016x smtp connected address=203.0.113.%d host=<unknown>\n" % (n + 1, n + 1))
            lines.append(b"Mar  9 07:55:42 mail smtpd[1]: %016x smtp authentication user=%s@elsewhere.example result=permfail\n" % (n + 1, name))
            lines.append(b"Mar  9 07:55:43 mail smtpd[1]: %016x smtp disconnected reason=quit\n" % (n + 1))
            lines.append(b"Mar  9 07:56:42 mail dovecot: imap-login: Disconnected: Connection closed (auth failed, 1 attempts in 1 secs): "
                         b"user=<%s>, method=PLAIN, rip=198.51.100.%d, lip=192.0.2.25, session=<aaaaaaaaaaaaaa%02d>\n" % (name, n + 1, n))
        return self.path("mail.log", b"".join(lines))

    def assert_plain_text(self, out, colour=False):
        text = out.decode("utf-8")  # invalid UTF-8 fails here
        if colour:
            import re
            text = re.sub(r"\x1b\[[0-9;]*m", "", text)
        bad = [c for c in text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160 or c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"]
        self.assertEqual(bad[:5], [], "control characters reached the output")

    def test_every_format(self):
        path = self.log()
        for form in ("table", "plain", "counts", "csv", "json", "ndjson"):
            with self.subTest(form):
                done = program.scan("--policy", "any", "--format", form, "--color", "always", path)
                self.assert_sound(done)
                text = done.out.replace(b"\r\n", b"\n") if form == "csv" else done.out
                self.assert_plain_text(text, colour=form == "table")
                if form == "json":
                    self.assertGreater(len(done.json["sources"]), len(self.NAMES))
                if form == "csv":
                    for row in csv.reader(io.StringIO(done.text)):
                        for cell in row:
                            self.assertFalse(cell.startswith(("=", "+", "-", "@", "\t")), f"a formula: {cell}")

    def test_events_and_explain(self):
        path = self.log()
        done = program.run("events", path)
        self.assert_sound(done)
        self.assert_plain_text(done.out)
        for line in done.lines:
            json.loads(line)
        for address in ("203.0.113.1", "203.0.113.2", "198.51.100.4", "203.0.113.9"):
            done = program.run("explain", address, "--policy", "any", "--color", "always", path)
            self.assert_sound(done)
            self.assert_plain_text(done.out, colour=True)

    def test_the_name_of_a_file_is_text_as_well(self):
        done = program.scan(self.path("evil\x1b[31m\n.log"))
        self.assert_sound(done, code=1)
        self.assert_plain_text(done.err)


class Usage(program.Case):
    def test_wrong_usage(self):
        for arguments in (["scan", "--no-such-option"], ["scan", "--format", "xml", "-"], ["no-such-command"], ["scan", "--threads", "x", "-"],
                          ["scan", "--since", "yesterday-ish", "-"], ["scan", "--timezone", "Mars/Olympus", "-"], ["scan", "--ban", "7 parsecs", "-"],
                          ["explain"], ["explain", "not-an-address", "-"], ["scan", "--year", "20266", "-"]):
            with self.subTest(arguments):
                done = program.run(*arguments)
                self.assert_sound(done, code=2)
                self.assertEqual(done.out, b"")
                self.assertTrue(done.err)

    def test_things_that_are_not_there(self):
        path = self.path("mail.log", ATTACK)
        for arguments in (["--policy", "no-such-policy"], ["--rules", "/no/such/folder"], ["--ignore", "/no/such/list"], ["--config", "/no/such.toml"]):
            with self.subTest(arguments):
                done = program.scan(*arguments, path)
                self.assert_sound(done, code=(1, 2))
                self.assertIn(arguments[1].encode(), done.err)

    def test_quiet_on_success(self):
        done = program.scan("-q", "--format", "plain", self.path("mail.log", b"Mar  9 07:55:42 mail cron[1]: nothing\n"))
        self.assert_sound(done)
        self.assertEqual((done.out, done.err), (b"", b""))

    def test_help_and_version(self):
        for arguments in (["--help"], ["--version"], ["scan", "--help"], ["events", "--help"], ["explain", "--help"], ["rules", "--help"]):
            done = program.run(*arguments)
            self.assert_sound(done)
            self.assertTrue(done.out)


if __name__ == "__main__":
    program.main()
