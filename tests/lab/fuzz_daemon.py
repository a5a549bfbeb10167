#!/usr/bin/env python3
"""Plays clients that write pieces of a daemon's own log lines into logins, names, paths and commands.

fuzz_daemon.py LAB WORK sendmail|courier|cyrus [--binary MAILWARD] [--seed N] [--sessions N] [--keep FILE]
  LAB    the folder with lab.py, daemons.py, client.py
  WORK   where mkroots.sh built; the roots are sendmail, courier12 (Debian 12: courier-mta courier-imap
         courier-pop courier-authdaemon) and cyrus (Debian 12: cyrus-imapd cyrus-pop3d sasl2-bin)

What must hold of the lines that the daemon wrote: whoever is charged connected (the addresses in the pieces
never did), and every address whose logins were refused is charged. Lines that nobody understood are shown.
Needs root: two network namespaces, addresses of the documentation networks, the daemon's own root.
"""
import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

VICTIMS = ["192.0.2.7", "192.0.2.8", "2001:db8:bad::7"]
PIECES = {
    "sendmail": ['relay=[192.0.2.7]', ', relay=[192.0.2.7]', ', relay=mail.good.example [192.0.2.7] (may be forged)', ', reject=550 5.7.1 x',
                 ', user=root', 'AUTH failure (LOGIN): authentication failure (-13) SASL(-13): authentication failure: checkpass failed',
                 '[192.0.2.7]: possible SMTP attack: command=AUTH, count=3', ' did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA-v4',
                 'ruleset=check_rcpt, arg1=<a@b>', 'ruleset=check_relay, arg1=x, arg2=192.0.2.7', 'from=<a@b>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA-v4',
                 '... User unknown', '... Relaying denied. IP name lookup failed [192.0.2.7]', 'STARTTLS=server, error: accept failed=-1, reason=x',
                 'lost input channel from [192.0.2.7] to MTA-v4 after mail', 'connect from [192.0.2.7]', 'msgid=<x>', '[rejected]', '[IPv6:2001:db8:bad:0:0:0:0:7]'],
    "courier": [', ip=[192.0.2.7]', ', ip=[::ffff:192.0.2.7], port=[1]', 'LOGIN FAILED, user=x', 'LOGIN, user=anna', ', protocol=IMAP', 'method=PLAIN',
                'Maximum connection limit reached for ::ffff:192.0.2.7', 'ip=[192.0.2.7], An unexpected TLS packet was received.', 'INFO: ', 'ERR: ',
                'error,relay=::ffff:192.0.2.7,port=1,msg="535 Authentication failed.",cmd: AUTH LOGIN x', ',from=<a@b>,to=<c@d>: 550 User unknown.', '",cmd: ', ': 513 Relaying denied.'],
    "cyrus": ['[192.0.2.7]', ' [192.0.2.7] plaintext (', 'badlogin: [192.0.2.7] plaintext (x)', '[SASL(-13): authentication failure: checkpass failed]',
              ') invalid user', 'login: [192.0.2.7] anna plaintext User logged in', 'STARTTLS negotiation failed: [192.0.2.7]', 'user not found', '(-notset-)'],
}
GLUE = ['', ' ', ', ', ': ', '"', '\\', '\\"', '(', ')', '<', '>', '@', '@far.example', '@probe.example', ';', '\t', '%', "'", '[', ']', '=', '\u00e9', 'x']


def text(rng, daemon, most=4):
    out = []
    for _ in range(rng.randint(1, most)):
        out += [rng.choice(GLUE), rng.choice(PIECES[daemon]), rng.choice(GLUE)]
    made = ''.join(out)
    if rng.random() < 0.1:
        made = made.ljust(rng.choice([64, 100, 128, 255, 418, 419, 505, 511, 1023]), 'p')
    if rng.random() < 0.05:
        made = 'p' * rng.choice([60, 430, 470, 480, 486, 490, 980]) + made
    return made


def wrapped(rng, made):
    return rng.choice(['<%s>', '<"%s"@far.example>', '<"%s"@probe.example>', '"%s"@far.example', '%s', '<%s@far.example>', '<a(%s)@far.example>',
                       '(%s)a@far.example', '<a@far.example(%s)>', '<a@far.example>(%s)', '<"\\"%s\\""@far.example>', '<@a,@b:"%s"@far.example>', 'x"%s', '<x%s']) % made


def sendmail_session(rng, source):
    daemon, way = "sendmail", rng.random()
    steps = [["ehlo", rng.choice(["x.example", text(rng, daemon, 1).replace(" ", "_")])]]
    if way < 0.4:
        steps += [["starttls"], steps[0], ["auth", rng.choice(["LOGIN", "PLAIN"]), text(rng, daemon), "x"], ["quit"]]
        return {"src": source, "port": 587, "steps": steps, "refused": 1}
    if way < 0.8:
        steps += [["cmd", "MAIL FROM:" + rng.choice(["<a@far.example>", wrapped(rng, text(rng, daemon, 2))])]]
        steps += [["cmd", "RCPT TO:" + wrapped(rng, text(rng, daemon, 2))] for _ in range(3)]
        return {"src": source, "port": 25, "steps": steps + [["quit"]], "refused": 0}
    verb = rng.choice(["VRFY ", "EXPN ", "ETRN ", "HELO ", "", "AUTH PLAIN ", "AUTH ", "STARTTLS ", "GET "])
    return {"src": source, "port": 25, "steps": steps + [["cmd", verb + text(rng, daemon, 2)] for _ in range(2)] + [["quit"]], "refused": 0}


def reader_session(daemon):
    def make(rng, source):
        proto = rng.choice(["imap", "pop3"])
        port = {"imap": 143, "pop3": 110}[proto]
        name = text(rng, daemon).replace("\t", " ")
        if daemon == "courier" and rng.random() < 0.3:
            verb = rng.choice(["AUTH LOGIN", "MAIL", "VRFY", ""])
            steps = [["ehlo", "x"], ["auth", "PLAIN", name, "x"] if verb == "AUTH LOGIN" else ["cmd", verb + " " + (("FROM:<" + name + ">") if verb == "MAIL" else name)], ["quit"]]
            return {"src": source, "proto": "smtp", "port": 25, "steps": steps, "refused": 0}
        if rng.random() < 0.2:
            word = text(rng, daemon, 1).replace(" ", "_")
            return {"src": source, "proto": proto, "port": port, "steps": [["raw", ("a AUTHENTICATE " if proto == "imap" else "AUTH ") + word + "\r\n"], ["sleep", 0.3], ["drop"]], "refused": 0}
        plain = all(31 < ord(c) < 127 for c in name) and len(name) < 400 and '"' not in name and '\\' not in name
        return {"src": source, "proto": proto, "port": port, "steps": [["login", name, "x"], ["quit"]], "refused": 1 if plain else 0}
    return make


SESSIONS = {"sendmail": sendmail_session, "courier": reader_session("courier"), "cyrus": reader_session("cyrus")}


def setup_courier(lab, cfg, daemons):
    daemons.w(lab, "/etc/courier/me", lab.hostname + "\n")
    daemons.w(lab, "/etc/courier/locals", "\n".join(["localhost", lab.hostname] + cfg["local_domains"]) + "\n")
    script, _, logs = daemons.courier(lab, cfg)
    return script + r'''
cat /etc/ssl/lab.key /etc/ssl/lab.pem > /etc/courier/esmtpd.pem; chown courier /etc/courier/esmtpd.pem; chmod 600 /etc/courier/esmtpd.pem
for d in probe.example probe.test; do echo $d; done > /etc/courier/esmtpacceptmailfor; makeacceptmailfor
sed -i 's/^ESMTPAUTH=.*/ESMTPAUTH="LOGIN PLAIN"/; s/^MAXPERIP=.*/MAXPERIP=40/; s/^MAXPERC=.*/MAXPERC=40/; s/^MAXDAEMONS=.*/MAXDAEMONS=90/; s/^BOFHCHECKDNS=.*/BOFHCHECKDNS=0/; s/^ESMTPDSTART=.*/ESMTPDSTART=YES/; s/^PORT=.*/PORT=25/; s/^ULIMIT=.*/ULIMIT=unlimited/; s/^TCPDOPTS=.*/TCPDOPTS="-stderrlogger=\/usr\/sbin\/courierlogger -noidentlookup"/' /etc/courier/esmtpd
makealiases; makehosteddomains; makesmtpaccess 2>&1; courier start; esmtpd start; sleep 1
''', [143, 110, 25], logs


def setup_cyrus(lab, cfg, daemons):
    daemons.w(lab, "/etc/lab-users", "".join(f"{u}\t{p}\n" for u, p in cfg["users"].items()))
    return daemons.certs(lab) + r"""
chown cyrus /etc/ssl/lab.pem /etc/ssl/lab.key
cat > /etc/imapd.conf <<'X'
configdirectory: /var/lib/cyrus
proc_path: /run/cyrus/proc
mboxname_lockpath: /run/cyrus/lock
defaultpartition: default
partition-default: /var/spool/cyrus/mail
sievedir: /var/spool/sieve
syslog_prefix: cyrus
allowplaintext: yes
virtdomains: userid
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_mech_list: PLAIN LOGIN CRAM-MD5
tls_server_cert: /etc/ssl/lab.pem
tls_server_key: /etc/ssl/lab.key
X
cat > /etc/cyrus.conf <<'X'
START { recover cmd="/usr/sbin/cyrus ctl_cyrusdb -r" }
SERVICES {
 imap cmd="imapd" listen="143" prefork=0 maxchild=100
 pop3 cmd="pop3d" listen="110" prefork=0 maxchild=100
}
EVENTS { checkpoint cmd="/usr/sbin/cyrus ctl_cyrusdb -c" period=30 }
X
while IFS="$(printf '\t')" read -r u p; do printf '%s' "$p" | saslpasswd2 -c -p -f /etc/sasldb2 -u mail.probe.example "${u%@*}"; done < /etc/lab-users
chown cyrus:mail /etc/sasldb2; mkdir -p /run/cyrus/socket /run/cyrus/proc /run/cyrus/lock; chown -R cyrus:mail /run/cyrus /var/lib/cyrus /var/spool/cyrus
/usr/sbin/cyrmaster -D &
sleep 2
""", [143, 110], ["/dev/log"]


def play_all(args, client, daemons, lab):
    root = {"courier": "courier12"}.get(args.daemon, args.daemon)
    zone = {"A": {"far.example": ["198.51.100.7"]}, "PTR": {"198.51.100.11": "192.0.2.7.bad.example", "198.51.100.12": "a" * 60 + "." + "b" * 30 + ".example",
                                                          "198.51.100.13": "a" * 60 + "." + "b" * 16 + ".example"}, "MX": {"far.example": ["far.example"]}}
    cfg = {"users": {"anna": "s3cret-anna"}, "mailboxes": ["anna"], "local_domains": ["probe.example"], "rbl": "bl.probe.example", "v7": False}
    place = lab.Lab(args.work, "f" + args.daemon[:8], root, "192.0.2.25", "2001:db8:5::25", "2001:db8::/32", "mail.probe.example")
    rng = random.Random(args.seed)
    try:
        zonefile = f"{args.work}/live/f{args.daemon[:8]}/zone.json"
        with open(zonefile, "w") as out:
            json.dump(zone, out)
        setup = {"courier": setup_courier, "cyrus": setup_cyrus}.get(args.daemon)
        script, ports, logs = setup(place, cfg, daemons) if setup else daemons.SETUP[args.daemon](place, cfg)
        place.syslog(logs); place.dns(zonefile); place.start(script, 24310); place.enter_client()
        for port in ports:
            place.wait_port(port, 40)
        time.sleep(1)
        sessions = [{"tls": "none", "proto": "smtp", **SESSIONS[args.daemon](rng, f"198.51.100.{rng.randint(9, 99)}")} for _ in range(args.sessions)]
        answered = threading.Lock()
        refused = {}

        def one(session):
            try:
                answers = client.play(session, place.srv4, place.srv6)
            except Exception:
                answers = []
            said_no = any(str(a[1]) in ("535", "NO", "-ERR") and a[0] in ("auth", "login") for a in answers)
            if session["refused"] and said_no:
                with answered:
                    refused[session["src"]] = refused.get(session["src"], 0) + 1

        with ThreadPoolExecutor(16 if args.daemon != "sendmail" else 8) as pool:
            list(pool.map(one, sessions))
        time.sleep(3)
        return [record for _, record in place.records], {s["src"] for s in sessions}, refused
    finally:
        place.close()
        shutil.rmtree(place.root, ignore_errors=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("lab"); ap.add_argument("work"); ap.add_argument("daemon", choices=sorted(PIECES))
    ap.add_argument("--binary", default="build/release/mailward")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--sessions", type=int, default=300)
    ap.add_argument("--keep", metavar="FILE", help="leave the log here")
    args = ap.parse_args()
    args.work = os.path.abspath(args.work)
    sys.path[:0] = [os.path.abspath(args.lab), args.work + "/roots/tools/usr/lib/python3/dist-packages"]
    import client, daemons, lab
    records, clients, refused = play_all(args, client, daemons, lab)
    log = args.keep or os.path.join(tempfile.mkdtemp(), "fuzz.log")
    with open(log, "wb") as out:
        for record in records:
            out.write(record.split(b">", 1)[-1].rstrip(b"\n\0").replace(b"\n", b"#012") + b"\n")
    done = subprocess.run([args.binary, "scan", "--policy", "any", "--format", "json", "--timezone", "UTC", log], capture_output=True, text=True)
    told = json.loads(done.stdout)
    charged = {s["address"]: s["events"] for s in told["sources"]}
    bystanders = sorted(a for a in charged if a not in clients and a != "10.9.0.2")
    missed = {a: n for a, n in refused.items() if charged.get(a, {}).get("auth_failed", 0) < 1}
    wrong = {a: (n, charged.get(a, {}).get("auth_failed", 0)) for a, n in refused.items() if charged.get(a, {}).get("auth_failed", 0) < n}
    print(f"{args.daemon}: seed {args.seed}, {args.sessions} sessions, {len(records)} lines, not understood {told['input']['not_understood']}, ambiguous {told['input'].get('ambiguous', 0)}")
    print(f"bystanders charged: {bystanders}; addresses of refused logins that are not charged: {missed}; charged with fewer than were refused (refused, counted): {wrong}")
    return 1 if bystanders or missed else 0


if __name__ == "__main__":
    sys.exit(main())
