"""All formats of scan tell the same of the same log, in the shape that docs/formats.md promises."""
import csv
import datetime
import io
import ipaddress
import json
import os
import re
import zoneinfo

import program

FRAME = {"connect", "disconnect", "tls_started"}
WEAK = {"no_ptr", "ptr_mismatch", "deferred", "dropped"}
NEUTRAL = FRAME | {"auth_ok", "accepted"}
KINDS = NEUTRAL | WEAK | {"auth_failed", "auth_aborted", "no_tls", "tls_failed", "bad_helo", "dnsbl", "relay_denied", "unknown_recipient",
                          "sender_rejected", "content_rejected", "rate_limited", "protocol_error", "rejected"}


def order(text):
    address = ipaddress.ip_address(text)
    return address.version, int(address)


class Formats(program.Case):
    @classmethod
    def setUpClass(cls):
        arguments, forms, cls.truth = program.corpus("postfix")
        cls.arguments = [*arguments, *forms["traditional"]]

    def scan(self, form, *more):
        done = program.scan("--format", form, *more, *self.arguments)
        self.assert_sound(done)
        return done

    def test_json(self):
        document = self.scan("json").json
        self.assertEqual(list(document), ["input", "sources"])
        for key in ("files", "bytes", "lines", "events", "not_understood", "first", "last"):
            self.assertIn(key, document["input"])
        self.assertEqual(document["input"]["lines"], sum(f["lines"] for f in self.truth["files"] if f["form"] == "traditional"))
        zone = zoneinfo.ZoneInfo(self.truth["timezone"])
        for end in ("first", "last"):
            told = datetime.datetime.fromisoformat(document["input"][end].replace("Z", "+00:00"))
            self.assertEqual(told.astimezone(zone).strftime("%Y-%m-%dT%H"), self.truth[end][:13])
        addresses = [s["address"] for s in document["sources"]]
        self.assertEqual(addresses, sorted(addresses, key=order))
        for source in document["sources"]:
            self.assertEqual(source["address"], str(ipaddress.ip_address(source["address"])))
            self.assertLessEqual(set(source["events"]), KINDS)
            self.assertTrue(set(source["events"]) - FRAME)
            self.assertLessEqual(source["first"], source["last"])
            self.assertEqual(source["offender"], bool(source["policies"]))
            for policy in source["policies"]:
                self.assertRegex(policy, r"^default/[a-z0-9-]+$")

    def test_plain(self):
        lines = self.scan("plain").lines
        self.assertEqual(lines, [s["address"] for s in self.scan("json").json["sources"] if s["offender"]])

    def test_counts(self):
        rows = [line.split() for line in self.scan("counts").lines]
        counts = [int(count) for count, _ in rows]
        self.assertEqual(counts, sorted(counts, reverse=True))
        hostile = {}
        for source in self.scan("json").json["sources"]:
            total = sum(n for kind, n in source["events"].items() if kind not in NEUTRAL | WEAK)
            if total:
                hostile[source["address"]] = total
        self.assertEqual({address: int(count) for count, address in rows}, hostile)

    def test_ndjson_and_csv(self):
        sources = self.scan("json").json["sources"]
        self.assertEqual([json.loads(line)["address"] for line in self.scan("ndjson").lines if "address" in json.loads(line)],
                         [s["address"] for s in sources])
        rows = list(csv.DictReader(io.StringIO(self.scan("csv").text)))
        self.assertEqual([row["address"] for row in rows], [s["address"] for s in sources])

    def test_text_that_follows_a_journal(self):
        """What the journal testified of its last record is nothing to the text's first ones."""
        entry = {"_HOSTNAME": "mx", "SYSLOG_IDENTIFIER": "sshd", "_PID": "4711", "_TRANSPORT": "syslog", "_SYSTEMD_UNIT": "ssh.service",
                 "_COMM": "sshd", "_UID": "0", "MESSAGE": "Failed password for root from 198.51.100.9 port 4711 ssh2"}
        older = self.path("mail.log.1", b"".join(json.dumps({"__REALTIME_TIMESTAMP": str(1772409600000000 + n * 1000000), **entry}).encode() +
                                                 b"\n" for n in range(300)))
        lines = [f"Mar  3 00:00:{n:02} mx sshd[1]: nobody understands this line {n}" for n in range(30)]
        lines.insert(0, "Mar  3 00:00:00 mx rsyslogd: imuxsock lost 5 messages from pid 4711 due to rate-limiting")
        newer = self.path("mail.log", ("\n".join(lines) + "\n").encode())
        for files in ([newer], [older, newer]):
            done = program.scan("--format", "json", "--timezone", "UTC", "--year", "2026", *files)
            self.assert_sound(done)
            self.assertEqual(done.json["input"].get("lost"), 1)

    def test_years_over_text_without_stamps(self):
        """Megabytes without a header stand between: what is read ahead behind them does not know the year."""
        log = self.path("mail.log")
        with open(log, "w", encoding="utf-8") as out:
            for hour in range(580 * 24):
                stamp = (datetime.datetime(2024, 5, 1) + datetime.timedelta(hours=hour)).strftime("%b %e %H:00:00")
                print(f"{stamp} mx sshd[{hour}]: Failed password for invalid user {'x' * 60} from 198.51.100.9 port 4711 ssh2", file=out)
            out.write("no header\n" * 490_000)
            print("Dec  2 00:00:00 mx sshd[7]: Failed password for invalid user tail from 198.51.100.77 port 4711 ssh2", file=out)
        told = [program.run("events", "--threads", str(n), "--timezone", "UTC", "--now", "2026-03-09T12:00:00Z", log) for n in (1, 2)]
        self.assertEqual(told[0].out[-2000:], told[1].out[-2000:])
        self.assertIn('"user": "tail"', told[0].text.splitlines()[-1])

    def test_unknown_lines(self):
        """Each line that `not_understood` counts, in its turn, for any number of threads."""
        known = "Mar  2 00:{:02}:{:02} mx sshd[{}]: Failed password for root from 192.0.2.1 port 4711 ssh2"
        lines = []
        for n in range(3000):
            lines.append((known.format(n // 60 % 60, n % 60, n), False) if n % 3 else
                         (f"Mar  2 00:00:00 mx sshd[{n}]: nobody understands \x1b[31m \xff {n}", True) if n % 2 else
                         (f"no header {n}", True))
            if n % 7 == 0:
                lines.append((f"Mar  2 00:00:00 mx cron[{n}]: of another program", False))
        log = self.path("mail.log", "".join(line + "\n" for line, _ in lines).encode("latin-1"))
        unknown = [number for number, (_, unknown) in enumerate(lines, 1) if unknown]
        told = []
        for threads in (1, 2):
            done = program.run("events", "--unknown", "--threads", str(threads), "--timezone", "UTC", "--year", "2026", log)
            self.assert_sound(done)
            self.assertNotIn(b"\x1b", done.out)
            told.append([json.loads(line) for line in done.text.splitlines()])
        self.assertEqual(told[0], told[1])
        self.assertEqual([line["line"] for line in told[0]], unknown)
        self.assertEqual({line["event"] for line in told[0]}, {"unknown"})
        self.assertTrue(told[0][0]["raw"].startswith("no header 0"))
        scanned = program.scan("--format", "json", "--timezone", "UTC", "--year", "2026", log).json["input"]
        self.assertEqual(scanned["not_understood"], len(unknown))

    # Plain and counts pass over what they don't ask for (Grammar::narrow()): it must make no difference.
    def test_what_is_passed_over_changes_nothing(self):
        for log in program.corpora():
            arguments, forms, _ = program.corpus(log)
            files = min(forms.values(), key=len)
            for policy in ("default", "strikes", "tries", "any"):
                with self.subTest(log=log, policy=policy):
                    told = program.scan("--policy", policy, "--format", "json", *arguments, *files).json["sources"]
                    plain = program.scan("--policy", policy, "--format", "plain", *arguments, *files)
                    self.assertEqual(plain.lines, [s["address"] for s in told if s["offender"]])

    def test_a_pipe_gets_plain(self):
        done = program.scan(*self.arguments)
        self.assertEqual(done.out, self.scan("plain").out)

    def test_table_names_offenders(self):
        table = self.scan("table", "--color", "never").text
        self.assertNotIn("\x1b", table)
        for address in self.scan("plain").lines:
            self.assertIn(address, table)

    def test_events_add_up(self):
        """`events` tells one by one what `scan` counts."""
        done = program.run("events", *self.arguments)
        self.assert_sound(done)
        counted, times = {}, []
        for line in done.lines:
            event = json.loads(line)
            self.assertIn(event["event"], KINDS)
            times.append(event["time"])
            key = event["address"], event["event"]
            counted[key] = counted.get(key, 0) + event.get("count", 1)
        self.assertRegex(times[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        for source in self.scan("json").json["sources"]:
            for kind, count in source["events"].items():
                self.assertEqual(counted.get((source["address"], kind)), count, f"{source['address']} {kind}")

    def test_explain_agrees(self):
        sources = self.scan("json").json["sources"]
        for source in sources[:: max(1, len(sources) // 12)]:
            done = program.run("explain", source["address"], "--format", "json", *self.arguments)
            self.assert_sound(done)
            self.assertEqual(done.json["offender"], source["offender"])

    def test_dovecots_own_log(self):
        """Many lines whose messages are put together by the reader: each keeps its own address."""
        lines = [f"Mar 02 10:00:{i % 60:02} imap-login: Info: Disconnected (auth failed, 1 attempts in 2 secs): "
                 f"user=<{'u' * (i % 37 + 1)}>, method=PLAIN, rip=198.51.100.{i}, lip=192.0.2.25, TLS, session=<s{i}>"
                 for i in range(1, 101)]
        path = self.path("dovecot.log", "".join(line + "\n" for line in lines).encode())
        done = program.run("events", path)
        self.assertEqual([(e["line"], e["address"], e["user"]) for e in map(json.loads, done.lines) if e["event"] == "auth_failed"],
                         [(i, f"198.51.100.{i}", "u" * (i % 37 + 1)) for i in range(1, 101)])

    def test_since_and_until(self):
        early = self.scan("json", "--until", "2025-03-30").json
        late = self.scan("json", "--since", "2025-03-30").json
        whole = self.scan("json").json

        def total(document):
            return sum(sum(n for k, n in s["events"].items() if k not in FRAME) for s in document["sources"])
        self.assertEqual(total(early) + total(late), total(whole))
        self.assertTrue(total(early) and total(late))

    def test_ignore(self):
        found = self.scan("plain").lines
        left = self.scan("plain", "--ignore", found[0]).lines
        self.assertEqual(left, [a for a in found if a != found[0]] if len(left) == len(found) - 1 else left)
        self.assertNotIn(found[0], left)
        listed = self.path("ignore.txt", ("# ours\n" + "\n".join(found[:3]) + "  # three\n\n").encode())
        self.assertFalse(set(found[:3]) & set(self.scan("plain", "--ignore", listed).lines))

    def test_the_example_of_the_docs_is_true(self):
        with open(os.path.join(program.ROOT, "docs/formats.md"), encoding="utf-8") as file:
            text = file.read()
        command = re.search(r"^`mailward (scan [^`]*)` in `([^`]*)`", text, re.M)
        example = json.loads(re.search(r"```json\n(.*?)```", text, re.S).group(1))
        real = program.run(*command.group(1).split(), cwd=os.path.join(program.ROOT, command.group(2)),
                           env={"MAILWARD_DATA": program.ROOT}).json
        self.assertEqual(example["input"], real["input"])
        for source in example["sources"]:
            self.assertIn(source, real["sources"])

    def test_the_order_of_parts_does_not_matter(self):
        arguments, forms, _ = program.corpus("postfix")
        backwards = program.scan("--format", "plain", *arguments, *reversed(forms["traditional"]))
        self.assertEqual(backwards.out, self.scan("plain").out)


if __name__ == "__main__":
    program.main()
