#!/usr/bin/env python3
"""Plays an ssh client that writes log lines: logins, methods, services, banners and farewells made of pieces
of sshd's own messages and of a victim's address. Prints every record that the real sshd made of it.

fuzz_sshd.py LABDIR WORKDIR ROOT [--seed N] [--count N] [--level INFO|VERBOSE] [--raw FILE] [--truth FILE]
  LABDIR   where lab.py, daemons.py and dnsd.py of the laboratory are
  WORKDIR  where its mkroots.sh built; ROOT is a root with openssh-server in it
  --truth  a JSON list of the sessions: source address, port, user as tried, what was sent

The victim is 192.0.2.7, the client 198.51.100.0/24 or 2001:db8:a::/64: whoever reads the records must never
take the first for the peer. Needs root (network namespaces) and python3-paramiko (the root `tools` has it).
"""
import argparse, json, os, random, shutil, sys, time

VICTIM = "192.0.2.7"
PIECES = ["Failed password for root", "Invalid user ", "invalid user ", " from ", VICTIM, " port 22", " port 22 ssh2", " [preauth]", ": ",
          "Connection closed by ", "authenticating user ", "ssh2", " ssh2: RSA SHA256:" + "A" * 43, ",ssh-connection) -> (x",
          "Accepted password for ", "rhost=" + VICTIM, "  user=root", "\n", "\t", "\\", "\"", "'", "\x01", "\xe9", "\u200b", "%s%n", "[", "]",
          " not allowed because listed in DenyUsers", "Change of username or service not allowed", "message repeated 9 times: [ ",
          "banner exchange: Connection from " + VICTIM + " port 22: invalid format", "Too many authentication failures", " for ", " ",
          "x", "root", "11: Bye Bye", "3: a: Auth fail", "::ffff:" + VICTIM, "2001:db8::7"]


def text(rng, longest=12):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, longest)))


def overlong(rng, head, tail, width=4):
    """Text that sshd writes `width` times as long as it is, so that its line is cut right behind `tail`.
    What the child before the login says is escaped twice (\\\\001, five bytes), what the monitor says once."""
    pad = 500 - len(head) - len(tail)
    return "x" * (pad % width) + "\x01" * (pad // width) + tail + "".join(rng.choice(PIECES) for _ in range(4))


class Client:
    def __init__(self, source, server, port=22):
        import client as lab_client, paramiko
        self.paramiko = paramiko
        self.conn = lab_client.Conn(source, server, port)
        self.port = self.conn.lport
        self.transport = None

    def start(self):
        self.transport = self.paramiko.Transport(self.conn.s)
        self.transport.banner_timeout = self.transport.auth_timeout = 8
        self.transport.start_client(timeout=8)
        # Answers of the login phase are not waited for: what sshd logs is what counts here.
        self.transport._handler_table = {**getattr(self.transport, "_handler_table", {})}
        self.message(5, b"ssh-userauth")
        time.sleep(0.08)

    def message(self, kind, *parts):
        m = self.paramiko.Message()
        m.add_byte(bytes([kind]))
        for part in parts:
            if isinstance(part, bool):
                m.add_boolean(part)
            elif isinstance(part, int):
                m.add_int(part)
            else:
                m.add_string(part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape"))
        self.transport._send_message(m)

    def request(self, user, method, *rest, service="ssh-connection"):
        self.message(50, user, service, method, *rest)
        time.sleep(0.12)

    def password(self, user, password="1234"):
        self.request(user, "password", False, password)

    def key(self, user, blob=None):
        k = self.paramiko.RSAKey.generate(1024) if blob is None else None
        self.request(user, "publickey", False, "rsa-sha2-256", k.asbytes() if k else blob)

    def farewell(self, code, words):
        self.message(1, code, words, "")

    def close(self):
        try:
            if self.transport:
                self.transport.packetizer.close()
                self.transport.active = False
            self.conn.close()
        except Exception:
            pass


def known(rng):
    """Sessions by hand: the wordings that rules must know. (what, function of a Client)"""
    def banner(words):
        return lambda c: (c.conn.send(words), time.sleep(0.2))
    def auth(*steps):
        def run(c):
            c.start()
            for step in steps:
                step(c)
        return run
    p, n, k = (lambda u: lambda c: c.password(u)), (lambda u: lambda c: c.request(u, "none")), (lambda u: lambda c: c.key(u))
    bye = lambda code, words: lambda c: c.farewell(code, words)
    return [
        ("password, known user", auth(p("anna"), p("anna"))), ("password, unknown user", auth(p("oracle"))), ("right password", auth(lambda c: c.password("anna", "s3cret-anna"))),
        ("root", auth(p("root"))), ("denied user", auth(p("backup"))), ("none", auth(n("oracle"))), ("none, known", auth(n("anna"))),
        ("key, unknown", auth(k("oracle"))), ("keys, known", auth(k("anna"), k("anna"), k("anna"), k("anna"), k("anna"))), ("too many", auth(*[p("root")] * 6)),
        ("change of user", auth(p("oracle"), p("anna"))), ("change of service", auth(lambda c: c.request("oracle", "password", False, "x"), lambda c: c.request("oracle", "password", False, "x", service="from " + VICTIM + " port 22"))),
        ("bogus method", auth(lambda c: c.request("oracle", "password for root from " + VICTIM + " port 22 ssh2"))),
        ("bogus method, no blank", auth(lambda c: c.request("oracle", "rot13"))), ("bogus method, colon", auth(lambda c: c.request("oracle", "publickey for root from " + VICTIM + " port 22 ssh2: RSA SHA256:x, client user \"x"))),
        ("keyboard-interactive", auth(lambda c: c.request("anna", "keyboard-interactive", "", ""), lambda c: (c.message(61, 1, "1234"), time.sleep(0.3)))),
        ("keyboard-interactive, unknown", auth(lambda c: c.request("oracle", "keyboard-interactive", "", ""), lambda c: (c.message(61, 1, "1234"), time.sleep(0.3)))),
        ("hostbased", auth(lambda c: c.request("anna", "hostbased", "rsa-sha2-256", c.paramiko.RSAKey.generate(1024).asbytes(), "x from " + VICTIM + " port 22 ssh2", "y", "sig"))),
        ("colon in the name", auth(p("x from " + VICTIM + " port 22 ssh2: RSA SHA256:" + "A" * 43))), ("empty name", auth(p(""))), ("name with blanks", auth(p("a b c"))),
        ("long name", auth(p("\x01" * 100 + "tail"))), ("long name, plain", auth(p("n" * 300))),
        ("cut: closed by", auth(p(overlong(rng, "Connection closed by invalid user ", " " + VICTIM + " port 22 [preauth]", 5)))),
        ("cut: failed", auth(p(overlong(rng, "Failed password for invalid user ", " from " + VICTIM + " port 22 ssh2")))),
        ("cut: by the method", auth(lambda c: c.request("oracle", "password for invalid user " + "x" * (500 - 32 - 30) + " from " + VICTIM + " port 22 ssh2"))),
        ("cut: closed by, long port", auth(p("x" + "\x01" * 95 + " " + VICTIM + " port " + "2" * 80))),
        ("cut: disconnecting", auth(p("\x01" * 110), p("y"))),
        ("farewell 11", auth(p("oracle"), bye(11, "Failed password for root from " + VICTIM + " port 22 ssh2"))), ("farewell 3", auth(p("oracle"), bye(3, "com.x.Y: Auth fail"))),
        ("farewell 14", auth(n("anna"), bye(14, "No supported authentication methods available"))), ("farewell at once", auth(bye(11, "Bye Bye"))), ("farewell, long", auth(bye(2, "\x01" * 200))),
        ("closed after the start", auth()), ("nothing", lambda c: None), ("http", banner(b"GET / HTTP/1.1\r\n\r\n")), ("banner is a line", banner(b"Invalid user x from 192.0.2.7 port 22\r\n")),
        ("banner, binary", banner(b"\x16\x03\x01\0\0\r\n")), ("banner, old", banner(b"SSH-1.5-old\r\n")), ("banner, odd", banner(b"SSH-odd from 192.0.2.7 port 22\r\n")), ("banner, long", banner(b"x" * 9000)),
        ("banner, quotes", banner(b'x" from 192.0.2.7 port 22\r\n')), ("banner, wide", banner(b"\x01" * 250 + b"' from 192.0.2.7 port 22\r\n")), ("banner only", banner(b"SSH-2.0-Go\r\n")), ("probe", banner(b"SSH-1.0-SSH_Version_Mapper\r\n")), ("scanner", banner(b"SSH-2.0-OpenSSH_2.5.1p1 probe_SSH-scan 192.0.2.7\r\n")),
        ("garbage after the banner", banner(b"SSH-2.0-Go\r\n" + b"\xff" * 64)), ("kexinit of nonsense", banner(b"SSH-2.0-Go\r\n" + kexinit(b"from 192.0.2.7 port 22"))),
        ("service", lambda c: (c.start(), c.message(5, "x from " + VICTIM + " port 22"), time.sleep(0.2))),
    ]


def kexinit(name):
    lists = b"".join(len(name).to_bytes(4, "big") + name for _ in range(10))
    body = b"\x14" + b"0" * 16 + lists + b"\0" * 5
    pad = 8 - (len(body) + 5) % 8 + 4
    pad += 8 if pad < 4 else 0
    while (len(body) + 5 + pad) % 8:
        pad += 1
    return (len(body) + 1 + pad).to_bytes(4, "big") + bytes([pad]) + body + b"\0" * pad


def fuzzed(rng):
    choice = rng.random()
    if choice < 0.5:
        user = text(rng)
        steps = [lambda c: c.password(user)] * rng.randint(1, 3)
        if rng.random() < 0.3:
            steps.append(lambda c: c.farewell(rng.choice([2, 3, 11, 14]), text(rng)))
        return f"password {user!r}", lambda c: (c.start(), [s(c) for s in steps])
    if choice < 0.65:
        user, method = text(rng, 5), text(rng)
        return f"method {method!r} user {user!r}", lambda c: (c.start(), c.request(user, method))
    if choice < 0.75:
        user, service = text(rng, 4), text(rng)
        return f"service {service!r} user {user!r}", lambda c: (c.start(), c.request(user, "password", False, "x", service=service), c.request(user, "password", False, "x"))
    if choice < 0.85:
        head = rng.choice(["Connection closed by invalid user ", "Disconnecting invalid user ", "Connection reset by authenticating user "])
        user = overlong(rng, head, rng.choice([" 192.0.2.7 port 22 [preauth]", " 192.0.2.7 port 22", " from 192.0.2.7 port 22 ssh2"]), rng.choice([4, 5]))
        return f"cut {user!r}", lambda c: (c.start(), c.password(user))
    line = text(rng).encode("utf-8", "surrogateescape") + b"\r\n"
    return f"banner {line!r}", lambda c: (c.conn.send(rng.choice([b"", b"SSH-2.0-", b"SSH-1.99-"]) + line), time.sleep(0.2))


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("labdir"); ap.add_argument("work"); ap.add_argument("root")
    ap.add_argument("--seed", type=int, default=1); ap.add_argument("--count", type=int, default=60)
    ap.add_argument("--level", default="INFO"); ap.add_argument("--raw"); ap.add_argument("--truth")
    ap.add_argument("--kbd", default="no"); ap.add_argument("--extra", default="")
    args = ap.parse_args()
    work = os.path.abspath(args.work)
    sys.path[:0] = [os.path.abspath(args.labdir), work + "/roots/tools/usr/lib/python3/dist-packages"]
    import logging
    import daemons, lab
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    rng = random.Random(args.seed)
    place = lab.Lab(work, "f" + args.root[-8:], args.root, "192.0.2.25", "2001:db8:5::25", "2001:db8::/32", "mail.probe.example")
    told = []
    try:
        zonefile = os.path.dirname(place.root) + "/zone.json"
        # Reverse names: one that leads elsewhere, one that is an address, one that leads nowhere.
        json.dump({"A": {"fake.bad.example": ["198.51.100.99"]}, "TXT": {}, "MX": {},
                   "PTR": {"198.51.100.11": "fake.bad.example", "198.51.100.12": VICTIM, "198.51.100.13": "gone.bad.example"}}, open(zonefile, "w"))
        open(place.root + "/etc/hosts.deny", "a").write("sshd: 198.51.100.14\n")
        script, ports, logs = daemons.sshd(place, {"users": {"anna": "s3cret-anna"}})
        config = place.root + "/etc/ssh/sshd_config"
        body = open(config).read().replace("KbdInteractiveAuthentication no", "KbdInteractiveAuthentication " + args.kbd)
        body = args.extra.replace(";", "\n") + "\n" + body + f"LogLevel {args.level}\n"  # the first word counts
        open(config, "w").write(body)
        place.syslog(logs); place.dns(zonefile); place.start(script, 24310)
        place.enter_client(); place.wait_port(22, 40); time.sleep(1)
        seen = len(place.records)
        cases = known(rng) + [fuzzed(rng) for _ in range(args.count)]
        for number, (what, run) in enumerate(cases):
            source = f"198.51.100.{10 + number % 200}" if number % 5 else f"2001:db8:a::{number + 16:x}"
            place_to = place.srv6 if ":" in source else place.srv4
            session = {"what": what, "source": source}
            c = None
            try:
                c = Client(source, place_to)
                session["port"] = c.port
                run(c)
                time.sleep(0.15)
            except Exception as trouble:
                session["trouble"] = f"{type(trouble).__name__}: {trouble}"[:120]
            finally:
                if c:
                    c.close()
            time.sleep(0.35)
            print("#", json.dumps(session)[:300])
            for _, record in place.records[seen:]:
                print(record.decode("utf-8", "replace").rstrip())
            seen = len(place.records)
            told.append(session)
        time.sleep(2)
        for _, record in place.records[seen:]:
            print(record.decode("utf-8", "replace").rstrip())
        if args.raw:
            with open(args.raw, "wb") as out:
                out.writelines(record.rstrip(b"\n\0") + b"\n" for _, record in place.records)
        if args.truth:
            json.dump(told, open(args.truth, "w"), indent=1)
    finally:
        place.close()
        shutil.rmtree(place.root, ignore_errors=True)


if __name__ == "__main__":
    main()
