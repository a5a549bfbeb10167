#!/usr/bin/env python3
"""Talks to a real Postfix or OpenSMTPD in words made of pieces of their own log lines, and holds mailward against it.

fuzz_smtpd.py LAB WORK ROOT MAILWARD [--seed N] [--sessions N] [--keep FILE] [--options JSON]
  LAB       the folder with lab.py, client.py, daemons.py; WORK, ROOT (postfix, opensmtpd76 …) as for its probe.py
  MAILWARD  the program; it reads the daemon's own lines with `scan --policy any --format json`

Every session comes from an address of its own in 198.51.100.0/24 or 2001:db8:50::/48. What it says may hold
addresses of 192.0.2.0/24, which never connect, and some of its addresses have odd names in the DNS. Wrong is:
an event that names an address which did not speak; a login that the server refused (535) and nobody counted,
or counted more often than the session tried; a line of the daemon that no rule explains. Exit 1 then. Needs root.
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

ID = "3b1f0c52aa9e7d10"
VICTIM = "192.0.2.7"
PIECES = ["unknown[192.0.2.7]", "warning: ", ": SASL LOGIN authentication failed: ", "authentication failure", ", sasl_username=",
          "NOQUEUE: reject: RCPT from ", ": 554 5.7.1 ", "<x@y>", ": Relay access denied", "; from=<", "> to=<", "> proto=ESMTP", " helo=<", ">",
          "Helo command rejected: ", "Sender address rejected: ", "Recipient address rejected: User unknown in local recipient table",
          "connect from ", "disconnect from ", "lost connection after AUTH from ", "auth=0/1", " authentication aborted", "client=",
          "4Zx1y02abcz9: ", "reject: header Subject: ", "PREGREET 9 after 0 from [192.0.2.7]:25: ", "CONNECT from [192.0.2.7]:25",
          "blocked using bl", "[192.0.2.7]:25", "for service smtp", "status=sent", "removed", "request longer than 2048: ",
          ID, " smtp ", ID + " smtp connected address=192.0.2.7 host=x", "smtp authentication user=root result=permfail", " result=ok",
          "failed-command command=\"", "\" result=\"535 Authentication failed\"", "\" result=\"500 5.5.1 ", "disconnected reason=quit",
          "event=failed-command address=192.0.2.7 host=x", "smtp-in: New session " + ID + " from host x [192.0.2.7]", "Invalid recipient: <",
          "\" => 535 Authentication failed", "Unsupported option ", "AUTH LOGIN (password)", "(...)", "\"", "\\", "\\\"", "'", "<", "=", ",", ":", ";", "@",
          "%", "\x7f", "\x07", "\x08", "\xe9", "\xff", "\t", " ", "  ", "root", "mail.example.net", "2001:db8:5::7", "[IPv6:2001:db8::7]", "(", ")", "[", "]"]
ODD_NAMES = ["x[192.0.2.7]", "a b.example", "x\"y.example", "192.0.2.7", "192.0.2.7.dyn.example", "under_score.example", "x] host=y", "a=b.example"]


def word(rng, most=6):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, most)))


def quoted(rng, domain):
    return '"' + re.sub(r'[\\"\r\n]', lambda m: "\\" + m[0], word(rng)) + '"@' + domain


def path(rng):
    domain = rng.choice(["elsewhere.example", "probe.example", "nx.elsewhere.invalid"])
    return rng.choice([quoted(rng, domain), quoted(rng, domain), word(rng), word(rng) + "@" + domain, "a@" + domain, "", "a@" + word(rng), "nobody@probe.example"])


def auth_command(rng):
    mechanism = rng.choice(["PLAIN", "LOGIN", "X", "<" + word(rng) + ">", '"' + word(rng).replace('"', "") + '"', word(rng), "x" * 99 + '"' + word(rng)])
    return "AUTH " + mechanism + rng.choice(["", "", " AGEAYg==", " " + word(rng), " !"])


def steps(rng):
    plan = [["ehlo", rng.choice([word(rng), "User", "mx1.honest.example", "[192.0.2.7]"])], ["ehlo", "x.elsewhere.example"]]
    for _ in range(rng.randint(1, 5)):
        kind = rng.randint(0, 10)
        if kind <= 2:
            plan.append(["auth", rng.choice(["PLAIN", "LOGIN"]), word(rng, 8).replace("\0", ""), "1234"])
        elif kind == 3:
            plan += [["mail", path(rng)], ["rcpt", path(rng)], ["rcpt", path(rng)], ["rset"]]
        elif kind == 4:
            plan += [["cmd", word(rng)], ["cmd", word(rng)]]
        elif kind == 5:
            plan.append(["vrfy", word(rng)])
        elif kind == 6:
            plan += [["cmd", auth_command(rng)], ["cmd", "*"]]
        elif kind == 7:
            plan += [["mail", "a@probe.example"], ["rcpt", "anna@probe.example"],
                     ["data", "Subject: casino " + word(rng) + "\r\nMessage-ID: <" + word(rng) + "@x>\r\n\r\n" + word(rng)]]
        elif kind == 8:
            plan += [["raw", "RSET\r\nNOOP " + word(rng) + "\r\n" + word(rng) + "\r\n"], ["sleep", 0.05]]
        elif kind == 9:
            plan.append(["auth_abort", "LOGIN"])
        else:
            plan.append(["cmd", rng.choice(["ETRN ", "EXPN ", "MAIL FROM:<a@b.example> ", "BDAT ", "HELP ", "STARTTLS "]) + word(rng)])
    plan.append(rng.choice([["quit"], ["drop"], ["auth_drop", "LOGIN"]]))
    return plan


def sessions(rng, number):
    out = []
    for i in range(number):
        tls = rng.random() < 0.6
        plan = steps(rng)
        if not tls and rng.random() < 0.15:
            plan = [["early", word(rng) + "\r\n" + word(rng) + "\r\n"], ["sleep", 0.1], ["hear"]]
        source = "198.51.100.%d" % (i % 220 + 30) if i % 5 else "2001:db8:50:%x::1" % (i + 1)
        out.append({"src": source, "proto": "smtp", "port": 465 if tls else 25, "tls": "implicit" if tls else "none", "steps": plan})
    return out


def play(args, plans):
    """(records, answers by session): runs the daemon and the sessions."""
    sys.path[:0] = [os.path.abspath(args.lab), os.path.abspath(args.work) + "/roots/tools/usr/lib/python3/dist-packages"]
    import client
    import daemons
    import lab
    zone = {"A": {"mx1.honest.example": ["198.51.100.40"]}, "PTR": {"198.51.100.40": "mx1.honest.example"}, "TXT": {}, "MX": {}}
    for n, odd in enumerate(ODD_NAMES):
        zone["PTR"]["198.51.100.%d" % (50 + n)] = odd
        zone["A"][odd] = ["198.51.100.%d" % (50 + n)]
    setup = {"users": {"anna": "s3cret-anna"}, "mailboxes": ["anna", "bert"], "local_domains": ["probe.example", "probe.test"], "rbl": "bl.probe.example",
             "v7": args.root == "opensmtpd76", **json.loads(args.options)}
    work, name = os.path.abspath(args.work), "f" + args.root[:9]
    place = lab.Lab(work, name, args.root, "192.0.2.25", "2001:db8:5::25", "2001:db8::/32", "mail.probe.example")
    answers = []
    try:
        zonefile = f"{work}/live/{name}/zone.json"
        json.dump(zone, open(zonefile, "w"))
        script, ports, logs = daemons.SETUP[args.root](place, setup)
        place.syslog(logs); place.dns(zonefile); place.start(script, 24310); place.enter_client()
        for port in ports:
            place.wait_port(port, 40)
        time.sleep(1)
        for plan in plans:
            try:
                answers.append(client.play(plan, place.srv4, place.srv6))
            except Exception as error:  # the server may hang up in the middle of anything
                answers.append([])
                print("session:", error, file=sys.stderr)
            time.sleep(0.05)
        time.sleep(3)
        return [r for _, r in place.records], answers
    finally:
        place.close()
        shutil.rmtree(place.root, ignore_errors=True)


def judge(args, plans, records, answers):
    ours = re.compile(rb"^<\d+>(\w{3} +\d+ [\d:]+) ((?:postfix|smtpd)[^:]*: .*)", re.S)
    lines = [m[1] + b" mail " + m[2].rstrip(b"\n\0").replace(b"\n", b"#012") for m in map(ours.match, records) if m]
    if args.keep:
        open(args.keep, "wb").write(b"\n".join(lines) + b"\n")
    done = subprocess.run([args.mailward, "scan", "--policy", "any", "--format", "json", "--timezone", "UTC", "-"], input=b"\n".join(lines) + b"\n", capture_output=True)
    if done.returncode:
        sys.exit("mailward: " + done.stderr.decode("utf-8", "replace").strip())
    report = json.loads(done.stdout)
    counted = {s["address"]: s["events"] for s in report["sources"]}
    tried, refused = {}, {}
    for plan, replies in zip(plans, answers):
        source = plan["src"]
        logins = sum(1 if s[0].startswith("auth") else len(re.findall(r"(?im)^\s*auth", s[1])) if s[0] in ("cmd", "raw", "early") else 0 for s in plan["steps"])
        tried[source] = tried.get(source, 0) + logins
        refused[source] = refused.get(source, 0) + sum(1 for r in replies if len(r) > 1 and r[1] == 535)
    wrong = 0
    for address, events in counted.items():
        if address not in tried and address != "10.9.0.2":
            wrong += 1
            print("WRONG: accuses", address, events)
    for source, number in refused.items():
        got = counted.get(source, {}).get("auth_failed", 0)
        if not number <= got <= tried[source]:
            wrong += 1
            print(f"WRONG: {source}: {number} logins refused, {tried[source]} tried, {got} counted")
    missed = report["input"]["not_understood"]
    print(f"{len(plans)} sessions, {len(lines)} lines, {sum(refused.values())} refused logins, {missed} lines not understood, {wrong} wrong")
    return 1 if wrong or missed else 0


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("lab", "work", "root", "mailward"):
        ap.add_argument(name)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--sessions", type=int, default=200)
    ap.add_argument("--keep")
    ap.add_argument("--options", default="{}")
    args = ap.parse_args()
    args.mailward = os.path.abspath(args.mailward)
    plans = sessions(random.Random(args.seed), args.sessions)
    records, answers = play(args, plans)
    sys.exit(judge(args, plans, records, answers))


if __name__ == "__main__":
    main()
