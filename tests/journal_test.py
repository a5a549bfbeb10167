"""The journal: what it lacks ends the sessions that are known by a process number only."""
import gzip
import json
import os
import shutil
import tempfile
import unittest

import program

JOURNAL = os.path.join(program.HERE, "journal")
OPENED = "Connection from 192.0.2.1 port 50022 on 198.51.100.1 port 22"
WITHOUT_ADDRESS = "Disconnecting: Too many authentication failures for root [preauth]"
SUPPRESSED = "Suppressed 8 messages from ssh.service"
WHOLE_RUN = 1000  # JournalSequence::kWholeRun


class Writer:
    """Entries as `journalctl -o json` and `-o export` tell them; `skip` leaves numbers out."""

    def __init__(self):
        self.entries = []
        self.number = 0

    def add(self, message, identifier="sshd", transport="syslog", skip=0, **more):
        self.number += 1 + skip
        self.entries.append({"__CURSOR": f"s=fda4c03a;i={self.number:x};b=0;m=1;t=2;x=3",
                             "__REALTIME_TIMESTAMP": str(1768781456341452 + self.number), "_HOSTNAME": "post",
                             "SYSLOG_IDENTIFIER": identifier, "_PID": "97", "SYSLOG_PID": "97",
                             "_TRANSPORT": transport, "_UID": "0", "MESSAGE": message, **more})
        return self

    @property
    def json(self):
        return "".join(json.dumps(e) + "\n" for e in self.entries).encode()

    @property
    def export(self):
        return "".join("".join(f"{k}={v}\n" for k, v in e.items()) + "\n" for e in self.entries).encode()


def run_of_entries():
    writer = Writer()
    for i in range(WHOLE_RUN):
        writer.add(f"debug1: {i}")
    return writer.add(OPENED)


# What stands before the line without an address, and whether the session still lends it one.
CASES = {
    "nothing": (lambda: Writer().add(OPENED), True),
    "dropped by the rate limit": (
        lambda: Writer().add(OPENED).add(SUPPRESSED, "systemd-journald", "driver", MESSAGE_ID="a596d6fe7bfa4994828e72309e95d61e",
                                         N_DROPPED="8"), False),
    "kernel messages missed": (lambda: Writer().add(OPENED).add("Missed 3 kernel messages", "systemd-journald", "driver"), False),
    "somebody else says so": (lambda: Writer().add(OPENED).add(SUPPRESSED, "systemd-journald"), True),
    "a daemon says so": (lambda: Writer().add(OPENED).add(SUPPRESSED), True),
    "of another host": (lambda: Writer().add(OPENED).add(SUPPRESSED, "systemd-journald", "driver", _HOSTNAME="other"), True),
    "numbers are missing": (lambda: run_of_entries().add("debug1: x", skip=4), False),
    "no number is missing": (lambda: run_of_entries().add("debug1: x"), True),
    "a selection of entries": (lambda: Writer().add(OPENED).add("debug1: x", skip=4), True),
}


class Losses(unittest.TestCase):
    def told(self, *arguments, **how):
        """(does an event without an address of its own have one, how many losses were counted)"""
        events = program.run("events", "-q", *arguments, **how)
        report = program.run("scan", "-q", "--policy", "any", "--format", "json", *arguments, **how)
        for done in events, report:
            self.assertEqual((done.code, done.err), (0, b""))
        failed = [json.loads(line) for line in events.lines if '"auth_failed"' in line]
        self.assertTrue(all(e["address"] == "192.0.2.1" for e in failed))
        return len(failed) == 1, report.json["input"].get("lost", 0)

    def test_piped(self):
        for name, (make, believed) in CASES.items():
            for form in "json", "export":
                with self.subTest(f"{name}, {form}"):
                    data = getattr(make().add(WITHOUT_ADDRESS), form)
                    self.assertEqual(self.told("-", data=data), (believed, 0 if believed and "host" not in name else 1))

    def test_the_journal_itself(self):
        cases = {(1, 2, 3): (True, 0), (1, 3): (False, 1), (1,): (False, 0)}
        with tempfile.TemporaryDirectory() as folder:
            for numbers, expected in cases.items():
                where = os.path.join(folder, "".join(map(str, numbers)))
                os.mkdir(where)
                for n in numbers:
                    with gzip.open(f"{JOURNAL}/{n}.journal.gz") as packed, open(f"{where}/{n}.journal", "wb") as out:
                        shutil.copyfileobj(packed, out)
                if program.run("scan", f"journal:{where}").err.startswith(b"mailward: this build of mailward can't read"):
                    self.skipTest("built without libsystemd")
                with self.subTest(numbers):
                    self.assertEqual(self.told(f"journal:{where}"), expected)
            with self.subTest("one file of many"):  # what it lacks, others have
                self.assertEqual(self.told(f"journal:{folder}/123/3.journal"), (False, 0))


class SplitRecords(unittest.TestCase):
    """Courier's logger splits what is too long; journald takes the blanks off that made it too long."""

    def told(self, data):
        return [json.loads(line)["address"] for line in program.run("events", "-q", "-", data=data).lines]

    def test_what_follows_a_trimmed_record_is_no_line(self):
        rest = "LOGIN FAILED, user=x, ip=[::ffff:192.0.2.7], port=[4711]"
        for trimmed, expected in ({}, ["192.0.2.7"]), ({"SYSLOG_RAW": "<22>imapd: LOGIN FAILED, user=a   "}, []):
            writer = Writer().add("LOGIN FAILED, user=a", "imapd", **trimmed).add(rest, "imapd")
            for form in "json", "export":
                with self.subTest(f"{trimmed}, {form}"):
                    self.assertEqual(self.told(getattr(writer, form)), expected)


if __name__ == "__main__":
    unittest.main()
