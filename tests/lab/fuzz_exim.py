#!/usr/bin/env python3
"""Talks to a real Exim in words made of pieces of its own log lines, and holds the rules against what it writes.

fuzz_exim.py LAB WORK ROOT READER [--seed N] [--sessions N] [--keep FILE] [--options JSON]
  LAB     the folder with lab.py, client.py, daemons.py; WORK, ROOT as for its probe.py
  READER  a command that reads messages on standard input and prints, for each, RULE (NONE: not understood),
          EVENT, ADDRESS, FACTS and the message, separated by tabs

Every session comes from an address of its own in 198.51.100.0/24 or 2001:db8:50::/48; every word that it says
may hold addresses of 192.0.2.0/24, which never connect. Wrong is: an event that names an address which did not
speak in that session; a line with a speaking address that no rule explains. Exit 1 then. Needs root.
"""
import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

PIECES = ["H=", "[192.0.2.7]", "(x)", ") [192.0.2.7]", "]: 535 Incorrect authentication data", " (set_id=", ")", ": ",
          "rejected RCPT <a@b>: relay not permitted", "F=<", ">", "F=<>", "\" H=", "\"", "' ", "\\", "\\\"",
          "U=x", "I=[192.0.2.8]:25", ":25", " authenticator failed for ", "login", "P=esmtp", "A=plain:root", "S=1",
          "next input=\"", "unrecognized command", "AUTH command used when not advertised", "Warning: ", "<= ",
          "1uAbCe-0001XZ-3n", "Completed", "[1\\2] ", "[2/2] ", "TLS error on connection from ", "(gnutls_handshake): ",
          "SMTP call from ", "dropped: too many ", "2001:db8:5::7", "[IPv6:2001:db8::7]", "%", "=", ",", "\x7f", "\xe9",
          "\xff", "\t", " ", "  ", "<", "root", "mail.example.net", "rejected", "temporarily ", "closed by QUIT", "lost"]
HELO_LITERALS = ["[::1%0) [192.0.2.7]: 535 x]", "[::1%\t]", "[192.0.2.7]", "[IPv6:2001:db8::7]", "[IPv4:192.0.2.7]", "[::1%x)(y]", "[fe80::1%]:535[192.0.2.7]",
                 "[fe80::1%) [192.0.2.7]: 535 Incorrect authentication data (set_id=x]", "[::1%(x)[192.0.2.7]:]", "[]", "[x]",
                 "a_b", "a.b-", "-", ".", "x" * 300, "[192.0.2.7", "192.0.2.7]", "[2001:db8::7]", "[::192.0.2.7%eth0]"]


def word(rng, most=6):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, most)))


def quoted(rng):
    return '"' + re.sub(r'[\\"\r\n]', lambda m: "\\" + m[0], word(rng)) + '"@' + rng.choice(["elsewhere.example", "probe.example"])


def path(rng):
    return rng.choice([quoted(rng), word(rng), word(rng) + "@probe.example", "a@elsewhere.example", "", "nobody@probe.example"])


def helo(rng):
    return rng.choice([rng.choice(HELO_LITERALS), word(rng), "User", "mx1.honest.example", word(rng, 2)])


def steps(rng):
    plan = [["ehlo", helo(rng)], ["ehlo", rng.choice(["User", "x.example", "[192.0.2.7]", helo(rng)])]]
    for _ in range(rng.randint(1, 5)):
        kind = rng.randint(0, 9)
        if kind <= 2:
            plan.append(["auth", rng.choice(["PLAIN", "LOGIN"]), word(rng, 8).replace("\0", ""), "1234"])
        elif kind == 3:
            plan += [["mail", path(rng)], ["rcpt", path(rng)], ["rcpt", path(rng)], ["rset"]]
        elif kind == 4:
            plan.append(["cmd", word(rng)])
        elif kind == 5:
            plan.append(["vrfy", word(rng)])
        elif kind == 6:
            plan.append(["cmd", "AUTH " + word(rng)])
        elif kind == 7:
            plan += [["mail", "a@elsewhere.example"], ["rcpt", "anna@probe.example"],
                     ["data", "Subject: casino " + word(rng) + "\r\nMessage-ID: <" + word(rng) + "@x>\r\n\r\n" + word(rng)]]
        elif kind == 8:
            plan.append(["raw", "RSET\r\nNOOP " + word(rng) + "\r\nEHLO " + word(rng) + "\r\n" + word(rng) + "\r\n"])
            plan.append(["sleep", 0.05])
        else:
            plan.append(["auth_abort", "LOGIN"])
    plan.append(rng.choice([["quit"], ["drop"]]))
    return plan


def sessions(rng, number):
    out = []
    for i in range(number):
        tls = rng.random() < 0.6
        plan = steps(rng)
        if not tls and rng.random() < 0.15:
            plan = [["early", word(rng) + "\r\n" + word(rng) + "\r\n"], ["sleep", 0.1], ["hear"]]
        source = "198.51.100.%d" % (i % 200 + 30) if i % 5 else "2001:db8:50:%x::1" % (i + 1)
        out.append({"src": source, "proto": "smtp", "port": 465 if tls else rng.choice([25, 587]), "tls": "implicit" if tls else "none", "steps": plan})
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("lab"); ap.add_argument("work"); ap.add_argument("root"); ap.add_argument("reader")
    ap.add_argument("--seed", type=int, default=1); ap.add_argument("--sessions", type=int, default=200)
    ap.add_argument("--keep"); ap.add_argument("--options", default="{}")
    args = ap.parse_args()
    sys.path[:0] = [os.path.abspath(args.lab), os.path.abspath(args.work) + "/roots/tools/usr/lib/python3/dist-packages"]
    import client
    import daemons
    import lab
    rng = random.Random(args.seed)
    plans = sessions(rng, args.sessions)
    zone = {"A": {"mx1.honest.example": ["198.51.100.40"]}, "PTR": {"198.51.100.40": "mx1.honest.example"}, "TXT": {}, "MX": {}}
    for n, bad in enumerate(["x) [192.0.2.7]: 535", "a b.example", "h[192.0.2.7]", "h(x)", "under_score.example", "x\"y.example"]):
        zone["PTR"]["198.51.100.%d" % (50 + n)] = bad
        zone["A"][bad] = ["198.51.100.%d" % (50 + n)]
    setup = {"users": {"anna": "s3cret-anna"}, "mailboxes": ["anna", "bert"], "local_domains": ["probe.example"], "rbl": "bl.probe.example", **json.loads(args.options)}
    work = os.path.abspath(args.work)
    name = "f" + args.root[:6]
    place = lab.Lab(work, name, args.root, "192.0.2.25", "2001:db8:5::25", "2001:db8::/32", "mail.probe.example")
    told = []
    try:
        zonefile = f"{work}/live/{name}/zone.json"
        json.dump(zone, open(zonefile, "w"))
        script, ports, logs = daemons.SETUP["exim"](place, setup)
        place.syslog(logs); place.dns(zonefile); place.start(script, 24310); place.enter_client()
        for port in ports:
            place.wait_port(port, 40)
        time.sleep(1)
        for plan in plans:
            seen = len(place.records)
            try:
                client.play(plan, place.srv4, place.srv6)
            except Exception as error:  # the server may hang up in the middle of anything
                print("session:", error, file=sys.stderr)
            time.sleep(0.12)
            told.append((plan, seen))
        time.sleep(3)
        records = [r for _, r in place.records]
    finally:
        place.close()
        shutil.rmtree(place.root, ignore_errors=True)
    sys.exit(judge(args, plans, records))


def judge(args, plans, records):
    sources = {plan["src"] for plan in plans} | {"10.9.0.2"}
    messages = [re.sub(rb"^<\d+>\w{3} +\d+ [\d:]+ \w+(\[\d+\])?: ", b"", r).rstrip(b"\n\0").replace(b"\n", b"#012") for r in records]
    if args.keep:
        open(args.keep, "wb").write(b"\n".join(messages) + b"\n")
    done = subprocess.run(args.reader, shell=True, input=b"\n".join(messages) + b"\n", capture_output=True)
    wrong, rules, unread = 0, {}, 0
    for row in done.stdout.decode("utf-8", "surrogateescape").split("\n"):
        cells = row.split("\t", 4)
        if cells[0] == "NONE":
            unread += 1
            print("not understood:", ascii(cells[-1])[:300])
            continue
        if len(cells) < 5:
            continue
        rules[(cells[0], cells[1])] = rules.get((cells[0], cells[1]), 0) + 1
        if cells[2] and cells[2] not in sources:
            wrong += 1
            print("WRONG", cells[:4], ascii(cells[4])[:400])
    for (rule, event), n in sorted(rules.items(), key=lambda x: -x[1]):
        print(f"{n:6} {rule} {event}")
    print(f"{len(plans)} sessions, {len(messages)} lines, {unread} not understood, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
