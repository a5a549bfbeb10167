"""Replay equals live: the same lines, read at once, and growing in random pieces with rotations and kills, give the same ledger.

    replay.py ROUNDS [SEED]     rounds over the corpora; prints a line each, and figures at the end

One round: a corpus, a seed. The reference is `mailward run --once` over the whole text. Beside it a daemon follows a log
that grows by random pieces, which end anywhere, also within a line; that is rotated (renamed, packed); and whose
processes, one of them or all, are killed by SIGKILL at random moments. In the end both ledgers are compared: bans, counts,
names, the lines that are kept, and the position.
"""
import bz2
import gzip
import lzma
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import program  # noqa: E402

# Corpora whose newest part stands there as a plain file, with the present to read it by.
CORPORA = ("postfix", "postfix-postscreen", "dovecot", "dovecot-verbose", "exim", "exim-verbose", "opensmtpd-ff", "opensmtpd-evp",
           "opensmtpd-newyear", "sendmail", "courier", "sshd")
PRESETS = ("default", "strikes", "tries", "any")


def text_of(corpus):
    """All parts of a corpus' rotated log, oldest first, as one text."""
    folder = os.path.join(program.CORPUS, corpus)
    parts = []
    for name in os.listdir(folder):
        if not name.startswith("mail.log"):
            continue
        rest = name[len("mail.log"):].split(".")
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        if rest[-1] == "gz":
            data = gzip.decompress(data)
        elif rest[-1] == "bz2":
            data = bz2.decompress(data)
        elif rest[-1] == "xz":
            data = lzma.decompress(data)
        elif rest[-1] == "zst":
            data = subprocess.run(["zstd", "-dcq"], input=data, capture_output=True, check=True).stdout
        parts.append((-int(rest[1]) if len(rest) > 1 and rest[1].isdigit() else 0, data))
    return b"".join(data for _, data in sorted(parts))


class World:
    """A folder with a configuration, a log and a ledger."""

    def __init__(self, folder, preset, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        os.chmod(folder, 0o755)
        self.log = os.path.join(self.folder, "mail.log")
        self.ledger = os.path.join(self.folder, "ledger.sqlite")
        self.config = os.path.join(self.folder, "mailward.toml")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f'[input]\nfiles = ["{self.log}"]\ntimezone = "UTC"\n[judge]\npolicy = "{preset}"\nbrake = 1000000\n'
                       '[firewall]\nbackend = "none"\n')
        self.daemon = None

    def words(self, *words):
        return [program.BINARY, words[0], "--config", self.config, "--ledger", self.ledger, *words[1:]]

    def once(self):
        done = subprocess.run(self.words("run", "--once"), capture_output=True, timeout=program.PATIENCE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"run --once: {done.returncode} {done.stderr.decode()}")

    def start(self):
        self.daemon = subprocess.Popen(self.words("run"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=open(os.path.join(self.folder, "errors"), "ab"))

    def parts(self):
        """The daemon's processes, itself last."""
        with open(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children", encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()] + [self.daemon.pid]

    def kill(self, rnd):
        """One part, or the whole."""
        try:
            pids = self.parts()
        except OSError:
            pids = []
        if not pids or self.daemon.poll() is not None:
            return self.start()
        victim = rnd.choice(pids)
        for pid in pids if rnd.random() < 0.2 else [victim]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if victim == self.daemon.pid or self.daemon.poll() is not None:
            self.daemon.wait()
            self.wait_for_parts(pids)
            self.start()

    @staticmethod
    def wait_for_parts(pids):
        """The lock is free when the last of them has gone."""
        deadline = time.monotonic() + program.PATIENCE
        while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.005)

    def wait_until_begun(self):
        """What there was before the first start is no part of the promise: from here on every line counts."""
        deadline = time.monotonic() + program.PATIENCE
        while time.monotonic() < deadline:
            try:
                db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
                rows = db.execute("SELECT count(*) FROM inputs").fetchone()[0]
                db.close()
                if rows:
                    return
            except sqlite3.Error:
                pass
            time.sleep(0.01)
        raise AssertionError("the daemon does not begin")

    def stop(self):
        if self.daemon is None:
            return
        self.daemon.terminate()
        try:
            self.daemon.wait(program.PATIENCE)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            raise AssertionError("the daemon does not end") from None

    def state(self):
        """What the ledger says, without what may differ: when something was stored, and where lines stood."""
        db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True)
        try:
            rows = {view: sorted(db.execute(query).fetchall()) for view, query in (
                ("bans", "SELECT network, since, until, policy, count, nth, origin, withdrawn IS NULL FROM bans"),
                ("sources", "SELECT * FROM show_sources"),
                ("lines", "SELECT address, time, kind, text FROM show_lines"))}
        finally:
            db.close()
        return rows


class Rotation:
    """A log that grows and is rotated as logrotate does it: by renaming; older ones are packed."""

    def __init__(self, path, rnd):
        self.path, self.rnd, self.rotations = path, rnd, 0
        self.file = open(path, "ab", buffering=0)

    def write(self, data):
        self.file.write(data)

    def rotate(self):
        for number in range(8, 0, -1):
            for end in ("", ".gz"):
                if os.path.exists(f"{self.path}.{number}{end}"):
                    os.rename(f"{self.path}.{number}{end}", f"{self.path}.{number + 1}{end}")
        os.rename(self.path, self.path + ".1")
        self.file.close()
        self.file = open(self.path, "ab", buffering=0)
        self.rotations += 1
        older = self.path + ".2"
        if os.path.exists(older) and self.rnd.random() < 0.7:
            with open(older, "rb") as source, gzip.open(older + ".tmp", "wb") as packed:
                shutil.copyfileobj(source, packed)
            os.rename(older + ".tmp", older + ".gz")
            os.unlink(older)


def pieces_of(text, rnd):
    """Some hundred of them, cut anywhere; a third of them behind a line."""
    at = 0
    while at < len(text):
        n = rnd.choice((1, 7, 40, 200, len(text) // 200 + 1, len(text) // 60 + 1))
        if rnd.random() < 0.3:
            n = text.find(b"\n", at + n) + 1 - at if text.find(b"\n", at + n) >= 0 else len(text) - at
        yield text[at:at + n]
        at += n


def one_round(corpus, preset, seed, folder, most_rotations=7):
    """(what differs, kills, rotations)."""
    rnd = random.Random(f"{corpus} {preset} {seed}")
    text = text_of(corpus)
    whole, live = World(folder, preset, "whole"), World(folder, preset, "live")
    with open(whole.log, "wb") as file:
        file.write(text)
    whole.once()
    log = Rotation(live.log, rnd)
    kills = 0
    live.start()
    live.wait_until_begun()
    try:
        for piece in pieces_of(text, rnd):
            log.write(piece)
            if rnd.random() < 0.1 and log.rotations < most_rotations and piece.endswith(b"\n"):
                log.rotate()
            if rnd.random() < 0.25:
                time.sleep(rnd.random() * 0.05)
            if rnd.random() < 0.05 and kills < 12:
                live.kill(rnd)
                kills += 1
                if rnd.random() < 0.5:
                    time.sleep(rnd.random() * 0.4)
    finally:
        live.stop()
    live.once()
    expected, found = whole.state(), live.state()
    different = []
    for view in expected:
        missing = [row for row in expected[view] if row not in found[view]]
        more = [row for row in found[view] if row not in expected[view]]
        if missing or more:
            different.append(f"{view}: missing {missing[:3]} more {more[:3]} ({len(missing)}, {len(more)})")
    return different, kills, log.rotations


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    failed = kills = rotations = 0
    for number in range(rounds):
        corpus = CORPORA[number % len(CORPORA)]
        preset = PRESETS[number // len(CORPORA) % len(PRESETS)]
        with tempfile.TemporaryDirectory() as folder:
            different, k, r = one_round(corpus, preset, seed + number, folder)
            kills, rotations, failed = kills + k, rotations + r, failed + bool(different)
            print(f"{corpus} {preset} {seed + number}: {'; '.join(different) or 'the same'} ({k} kills, {r} rotations)", flush=True)
            if different and os.environ.get("MAILWARD_KEEP"):
                shutil.copytree(folder, os.path.join(os.environ["MAILWARD_KEEP"], f"{corpus}-{seed + number}"), dirs_exist_ok=True)
    print(f"{rounds} rounds, {kills} kills, {rotations} rotations: {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
