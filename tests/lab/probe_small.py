#!/usr/bin/env python3
"""Runs one of the smaller mail daemons in a root of its own and plays raw sessions to it.

probe_small.py LABDIR WORKDIR NAME [--raw FILE]      NAME: solid-pop3d | perdition
The sessions hold names made of pieces of the daemon's own lines; 192.0.2.7 is the victim that nothing may name as
the peer. Needs root and the roots solid-pop3d and perdition (Debian 12 packages of the same names).
"""
import argparse, json, os, shutil, socket, sys, time

V = "192.0.2.7"
NAMES = ["anna", "oracle", "root", "a b c", f"x - {V}", f"x - {V}\t", "x" * 60, "y" * 39 + f" - {V}", f"authentication failed for user z - {V}", "", "%s%n", "\x01\x02", "ü",
         f'x" server="y:1" protocol=POP3 server-secure=plaintext status="ok', f'z" status="failed: {V}', f"{V}:22->192.0.2.25:110"]


def pop3(*names):
    return [[f"USER {n}", "PASS wrong"] for n in names]


SETUP = {
    "solid-pop3d": ("useradd -m -s /bin/sh anna; echo 'anna:s3cret' | chpasswd; getent passwd spop3d >/dev/null || useradd -r -g mail spop3d\n"
                    "mkdir -p /var/lib/solid-pop3d; /usr/sbin/solid-pop3d -d &\n", 110),
    "perdition": ("useradd -m -s /bin/sh anna; echo 'anna:s3cret' | chpasswd; getent passwd nobody >/dev/null\n"
                  "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(Listen=>9,LocalAddr=>\"127.0.0.1\",LocalPort=>1110,ReuseAddr=>1);while($c=$s->accept){if(fork){close $c;next}print $c \"+OK\\r\\n\";while(<$c>){if(/^QUIT/i){print $c \"+OK\\r\\n\";last}elsif(/^PASS s3cret/){print $c \"+OK in\\r\\n\"}elsif(/^PASS/){print $c \"-ERR no\\r\\n\"}else{print $c \"+OK\\r\\n\"}}exit}' &\n"
                  "/usr/sbin/perdition.pop3 -P POP3 -l 110 -s 127.0.0.1 -p 1110 --ssl_mode none -F mail -u nobody -g nogroup --no_daemon &\n", 110),
}


def main():
    ap = argparse.ArgumentParser(); ap.add_argument("labdir"); ap.add_argument("work"); ap.add_argument("name"); ap.add_argument("--raw")
    args = ap.parse_args()
    sys.path[:0] = [os.path.abspath(args.labdir)]
    import lab
    place = lab.Lab(os.path.abspath(args.work), "s" + args.name[:8], args.name, "192.0.2.25", "2001:db8:5::25", "2001:db8::/32", "mail.probe.example")
    try:
        zone = os.path.dirname(place.root) + "/zone.json"
        json.dump({"A": {"fake.bad.example": ["198.51.100.99"], "pc.isp.example": ["198.51.100.7"]}, "PTR": {"198.51.100.7": "pc.isp.example", "198.51.100.8": "fake.bad.example"}, "TXT": {}, "MX": {}}, open(zone, "w"))
        script, port = SETUP[args.name]
        place.syslog(["/dev/log"]); place.dns(zone); place.start(script, 2400); place.enter_client(); place.wait_port(port, 30); time.sleep(1)
        seen = len(place.records)
        sessions = [["QUIT"], [], ["USER anna", "PASS s3cret", "QUIT"], ["USER anna", "PASS wrong", "PASS again", "QUIT"], ["USER anna"], ["GET / HTTP/1.0", "x" * 600, "QUIT"], ["APOP anna 0123456789abcdef0123456789abcdef", "QUIT"], ["AUTH PLAIN AGEAYg==", "QUIT"]]
        sessions += pop3(*NAMES)
        for number, lines in enumerate(sessions):
            source = f"198.51.100.{7 + number}"
            s = socket.socket(); s.settimeout(7); s.bind((source, 0)); s.connect((place.srv4, port)); here = s.getsockname()[1]
            answers = []
            try:
                answers.append(s.recv(400))
                for line in lines:
                    s.sendall(line.encode() + b"\r\n"); answers.append(s.recv(400))
            except OSError as e:
                answers.append(str(e).encode())
            s.close(); time.sleep(0.4)
            print("#", source, here, json.dumps(lines)[:200], [a[:40] for a in answers])
            for _, record in place.records[seen:]:
                print(record.decode("utf-8", "replace").rstrip("\n\0"))
            seen = len(place.records)
        time.sleep(3)
        for _, record in place.records[seen:]:
            print(record.decode("utf-8", "replace").rstrip("\n\0"))
        if args.raw:
            open(args.raw, "wb").writelines(r.rstrip(b"\n\0") + b"\n" for _, r in place.records)
    finally:
        place.close(); shutil.rmtree(place.root, ignore_errors=True)


if __name__ == "__main__":
    main()
