#!/usr/bin/env python3
"""Talks to a real Dovecot in words made of pieces of its own log lines, and holds the rules against what it writes.

fuzz_dovecot.py LAB WORK ROOT READER [--seed N] [--sessions N] [--keep FILE] [--options JSON] [--setup NAME]
Arguments, what is wrong and the exit status: as fuzz_exim.py. Besides, every session that tried a login must be
told as such (auth_failed, auth_aborted or protocol_error) with its own address. Needs root.
"""
import argparse
import base64
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

PIECES = ["user=<", ">", ">, ", "method=PLAIN", ", rip=192.0.2.7", ", lip=192.0.2.25", ", TLS", ", session=<abcd>", "session=<AAAA+/=>",
          "mpid=12, ", "): ", ">): ", "unknown user", "Password mismatch", "Password mismatch (for LDAP bind)", ",192.0.2.7,<abcd>",
          "(given password: ", ")", "(auth failed, 3 attempts in 2 secs)", "Login: ", "Logged in: ", "imap-login: ", "auth: ",
          ",sasl:plain", ")<abcd>: ", "passwd-file: ", "passwd-file(", "pam_authenticate() failed: Authentication failure",
          " rhost=192.0.2.7", "  user=root", " user=root", "ruser=", "2001:db8:5::7", "192.0.2.7", "::ffff:192.0.2.7", "?", ",", "=", "<", "@",
          "\xe9", "\xff", "\x7f", "\t", "%u", "*", "root", "anna", ",master", ": ", " ", "TLS handshaking: ", "secured", "..."]


def word(rng, most=6):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, most)))


def imap(rng):
    kind = rng.randint(0, 9)
    if kind <= 5:
        return ["login", word(rng, 8), word(rng, 4)]
    if kind == 6:
        return ["auth", "PLAIN", word(rng, 8), word(rng, 4)]
    if kind == 7:
        return ["cmd", "AUTHENTICATE " + rng.choice([word(rng).upper(), '"' + word(rng).replace('"', "") + '"', word(rng)]).replace("\t", "")]
    if kind == 8:
        return ["cmd", 'ID ("name" "' + re.sub(r'[\\"\x80-\xff\x7f]', "", word(rng)) + '")']
    return ["cmd", word(rng)]


def plan_of(rng, i):
    proto, port = rng.choice([("imap", 993), ("imap", 993), ("pop3", 995), ("imap", 143)])
    steps = [imap(rng) for _ in range(rng.randint(1, 3))]
    if proto == "pop3":
        steps = [s if s[0] in ("login", "auth") else ["cmd", word(rng)] for s in steps]
    if rng.random() < 0.3:
        secret = base64.b64encode(b"\0" + word(rng, 8).encode("latin-1") + b"\0" + word(rng, 4).encode("latin-1")).decode()
        steps.append(["cmd", ("AUTHENTICATE PLAIN " if proto == "imap" else "AUTH PLAIN ") + secret])
    steps.append(rng.choice([["quit"], ["drop"]]))
    return {"src": "198.51.100.%d" % (i % 220 + 30), "proto": proto, "port": port, "tls": "none" if port == 143 else "implicit", "steps": steps}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("lab"); ap.add_argument("work"); ap.add_argument("root"); ap.add_argument("reader")
    ap.add_argument("--seed", type=int, default=1); ap.add_argument("--sessions", type=int, default=150)
    ap.add_argument("--keep"); ap.add_argument("--options", default="{}"); ap.add_argument("--setup", default="dovecot")
    args = ap.parse_args()
    sys.path[:0] = [os.path.abspath(args.lab), os.path.abspath(args.work) + "/roots/tools/usr/lib/python3/dist-packages"]
    import client
    import daemons
    import lab
    rng = random.Random(args.seed)
    plans = [plan_of(rng, i) for i in range(args.sessions)]
    setup = {"users": {"anna": "s3cret-anna"}, "mailboxes": ["anna"], "local_domains": ["probe.example"], "rbl": "bl.probe.example", **json.loads(args.options)}
    work = os.path.abspath(args.work)
    name = "f" + args.root[:6] + str(args.seed)
    place = lab.Lab(work, name, args.root, "192.0.2.25", "2001:db8:5::25", "2001:db8::/32", "mail.probe.example")
    try:
        zonefile = f"{work}/live/{name}/zone.json"
        json.dump({"A": {}, "PTR": {}, "TXT": {}, "MX": {}}, open(zonefile, "w"))
        script, ports, logs = daemons.SETUP[args.setup](place, setup)
        place.syslog(logs); place.dns(zonefile); place.start(script, 24310); place.enter_client()
        for port in ports:
            place.wait_port(port, 40)
        time.sleep(1)
        tried = set()
        for plan in plans:
            try:
                replies = client.play(plan, place.srv4, place.srv6)
                if any(r and r[0] in ("login", "auth") and r[1] in ("NO", "-ERR") for r in replies):
                    tried.add(plan["src"])
            except Exception as error:  # the server may hang up in the middle of anything
                print("session:", error, file=sys.stderr)
            time.sleep(0.1)
        time.sleep(3)
        records = [r for _, r in place.records]
    finally:
        place.close()
        shutil.rmtree(place.root, ignore_errors=True)
    sys.exit(judge(args, plans, records, tried))


def judge(args, plans, records, tried):
    sources = {plan["src"] for plan in plans} | {"10.9.0.2"}
    messages = [re.sub(rb"^<\d+>\w{3} +\d+ [\d:]+ (\w[\w-]*)(\[\d+\])?: ", b"", r).rstrip(b"\n\0").replace(b"\n", b"#012") for r in records if re.match(rb"^<\d+>\w{3} +\d+ [\d:]+ (dovecot|auth)", r)]
    if args.keep:
        open(args.keep, "wb").write(b"\n".join(messages) + b"\n")
    done = subprocess.run(args.reader, shell=True, input=b"\n".join(messages) + b"\n", capture_output=True)
    wrong, rules, unread, named = 0, {}, 0, set()
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
        elif cells[1] in ("auth_failed", "auth_aborted", "protocol_error"):
            named.add(cells[2])
    for (rule, event), n in sorted(rules.items(), key=lambda x: -x[1]):
        print(f"{n:6} {rule} {event}")
    hidden = sorted(tried - named)
    print(f"{len(plans)} sessions, {len(messages)} lines, {unread} not understood, {wrong} wrong, {len(hidden)} hidden: {hidden[:5]}")
    return 1 if wrong or hidden else 0


if __name__ == "__main__":
    main()
