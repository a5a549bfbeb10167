"""A small internet for one test: a server, attackers and honest users in network namespaces of their own.

The test enters a world of its own first (`enter`): namespaces of processes, mounts, network and host name. Whatever
happens, all of it dies with the process that entered, and nothing of the machine is touched: /run, /dev and /etc are
private copies.

            198.51.100.0/24, 203.0.113.0/25, 2001:db8:600d::/48
              honest ──┐
                       ├── router (the test's own namespace) ── server  192.0.2.25, 2001:db8:5::25
           attackers ──┘
            203.0.113.128/25, 2001:db8:bad::/48

Every address of a client's networks is its own: a client binds to the one that it wants to come from.
"""
import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

SERVER = {4: "192.0.2.25", 6: "2001:db8:5::25"}
HOST = "mail.example.com"
CLIENTS = {"attackers": (1, ["203.0.113.128/25", "2001:db8:bad::/48"]),
           "honest": (2, ["198.51.100.0/24", "203.0.113.0/25", "2001:db8:600d::/48"])}
PLACE = "/run/lab"  # in the private /run
NO_SUCH_WORLD = 77  # what a test ends with that can't have one: ctest's word for "skipped"

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, MS_BIND, MS_REC, PR_SET_PDEATHSIG = 0x40000000, 4096, 16384, 1


def server_for(address):
    return SERVER[6 if ":" in address else 4]


def sh(command):
    done = subprocess.run(["sh", "-ec", command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{command.strip()}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def mount(source, target, kind="", flags=0, options=""):
    if libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()):
        raise OSError(ctypes.get_errno(), f"mounting {target}: {os.strerror(ctypes.get_errno())}")


def enter():
    """Starts this program once more in a world of its own, ends with its status, and returns only there."""
    if os.environ.pop("MAILWARD_LAB", ""):
        return
    if os.getuid() != 0:
        skip("needs root: daemons with users of their own, in network namespaces")
    isolate = ["unshare", "--mount", "--propagation", "private", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
    needs = ("mount -t tmpfs lab /run; mkdir /run/a /run/b /run/c; mount -t overlay -o lowerdir=/etc,upperdir=/run/a,workdir=/run/b lab /run/c; "
             "ip link add type veth; nft add table inet try")
    tried = subprocess.run([*isolate, "sh", "-ec", needs], capture_output=True, text=True, check=False)
    if tried.returncode:
        skip(f"no namespaces of its own to be had here: {tried.stderr.strip()}")
    inside = subprocess.Popen([*isolate, "--mount-proc", sys.executable, "-B", *sys.argv], env=os.environ | {"MAILWARD_LAB": "1"},
                              preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: inside.kill())
    sys.exit(abs(inside.wait()))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(NO_SUCH_WORLD)


@contextlib.contextmanager
def network(name):
    """What this thread opens within stays in that network; the thread is nowhere else meanwhile."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open("/run/netns/" + name, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
        os.close(there)


def wait_until(what, condition, seconds=10.0, pause=0.05):
    """Polls; the first true answer of `condition`, or TimeoutError with `what` did not come about."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


class Lab:
    """`roots` is the folder that roots.py filled."""

    def __init__(self, roots):
        self.roots = os.path.abspath(roots)
        self.children = {}  # name: process
        mount("lab", "/run", "tmpfs")
        os.makedirs(PLACE + "/log")
        self.own_etc()
        self.own_dev()
        self.logger = Logger("/dev/log", PLACE + "/log")
        socket.sethostname(HOST)
        self.own_network()

    @staticmethod
    def own_etc():
        for name in ("upper", "work"):
            os.makedirs(f"{PLACE}/etc/{name}")
        mount("overlay", "/etc", "overlay", 0, f"lowerdir=/etc,upperdir={PLACE}/etc/upper,workdir={PLACE}/etc/work")
        for name, text in {"hosts": f"127.0.0.1 localhost\n{SERVER[4]} {HOST} mail\n{SERVER[6]} {HOST} mail\n",
                           "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"}.items():
            if os.path.lexists("/etc/" + name):
                os.unlink("/etc/" + name)
            with open("/etc/" + name, "w", encoding="ascii") as file:
                file.write(text)

    @staticmethod
    def own_dev():
        """The devices that a daemon needs, and a /dev/log of ours; the daemons' roots get the same."""
        dev = PLACE + "/dev"
        os.mkdir(dev)
        mount("lab", dev, "tmpfs", 0, "mode=755")
        for name in ("null", "zero", "full", "random", "urandom", "tty"):
            open(f"{dev}/{name}", "wb").close()
            mount("/dev/" + name, f"{dev}/{name}", flags=MS_BIND)
        os.mkdir(dev + "/shm", 0o1777)
        os.chmod(dev + "/shm", 0o1777)
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            os.symlink(f"/proc/self/fd/{number}", f"{dev}/{name}")
        os.symlink("/proc/self/fd", dev + "/fd")
        mount(dev, "/dev", flags=MS_BIND | MS_REC)

    @staticmethod
    def own_network():
        settings = ("for f in all default; do echo 0 > /proc/sys/net/ipv4/conf/$f/rp_filter; "
                    "echo 0 > /proc/sys/net/ipv6/conf/$f/accept_dad; echo {0} > /proc/sys/net/ipv6/conf/$f/forwarding; done; "
                    "echo {0} > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind")
        sh("ip link set lo up\n" + settings.format(1))
        link = ("ip netns add {n}; nsenter --net=/run/netns/{n} sh -ec '" + settings.format(0) + "'; ip -n {n} link set lo up\n"
                "ip link add r-{n} type veth peer name eth0 netns {n}\n"
                "ip addr add {r4} dev r-{n}; ip addr add {r6} dev r-{n} nodad; ip link set r-{n} up\n"
                "ip -n {n} addr add {c4} dev eth0; ip -n {n} addr add {c6} dev eth0 nodad; ip -n {n} link set eth0 up\n"
                "ip -n {n} route add default via {g4}; ip -n {n} route add default via {g6}\n")
        sh(link.format(n="server", r4="192.0.2.1/24", r6="2001:db8:5::1/64", c4=SERVER[4] + "/24", c6=SERVER[6] + "/64",
                       g4="192.0.2.1", g6="2001:db8:5::1"))
        for name, (i, networks) in CLIENTS.items():
            sh(link.format(n=name, r4=f"10.0.{i}.1/24", r6=f"fd00:0:0:{i}::1/64", c4=f"10.0.{i}.2/24", c6=f"fd00:0:0:{i}::2/64",
                           g4=f"10.0.{i}.1", g6=f"fd00:0:0:{i}::1"))
            for n in networks:
                sh(f"ip -n {name} route add local {n} dev lo; ip route add {n} via " +
                   (f"fd00:0:0:{i}::2" if ":" in n else f"10.0.{i}.2"))

    def root(self, name):
        """A daemon's root: what roots.py made lies below, all that is written goes above it and is forgotten."""
        place = f"{PLACE}/{name}"
        for part in ("root", "upper", "work"):
            os.makedirs(f"{place}/{part}")
        mount("overlay", place + "/root", "overlay", 0, f"lowerdir={self.roots}/{name},upperdir={place}/upper,workdir={place}/work")
        mount("/proc", place + "/root/proc", flags=MS_BIND)
        mount("/dev", place + "/root/dev", flags=MS_BIND | MS_REC)
        for file in ("hosts", "resolv.conf"):
            sh(f"cp /etc/{file} {place}/root/etc/{file}")
        return place + "/root"

    def start(self, name, *command, at="server", root=None, env=None):
        """A process in that network, and in that root if one is given. What it says goes to PLACE/log/NAME.out."""
        inside = ["chroot", root] if root else []
        with open(f"{PLACE}/log/{name}.out", "ab") as out:
            self.children[name] = subprocess.Popen(["nsenter", f"--net=/run/netns/{at}", *inside, *command], stdin=subprocess.DEVNULL,
                                                   stdout=out, stderr=out, env=os.environ | (env or {}))
        return self.children[name]

    @staticmethod
    def run(*command, at="server", root=None, timeout=20, env=None):
        """A process in that network, to its end: (status, standard output, standard error)."""
        inside = ["chroot", root] if root else []
        done = subprocess.run(["nsenter", f"--net=/run/netns/{at}", *inside, *command], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", check=False, timeout=timeout, env=os.environ | (env or {}))
        return done.returncode, done.stdout, done.stderr

    @staticmethod
    def wait_for_ports(ports, seconds=15):
        """Until somebody listens on each. Nobody is called: that would stand in the logs."""
        def missing():
            with network("server"), open("/proc/thread-self/net/tcp", encoding="ascii") as file:
                lines = [line.split() for line in file.readlines()[1:]]
            return set(ports) - {int(line[1].split(":")[1], 16) for line in lines if line[3] == "0A"}
        wait_until(f"one listens on each of {ports}", lambda: not missing(), seconds)


class Logger:
    """/dev/log and the files that a syslog daemon makes of it, in the traditional format: mail.log and auth.log."""

    FACILITIES = {2: "mail.log", 4: "auth.log", 10: "auth.log"}

    def __init__(self, path, folder):
        self.folder, self.files, self.busy = folder, {}, threading.Lock()
        self.open_files()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        threading.Thread(target=self.work, daemon=True).start()

    def open_files(self):
        for name in [*self.FACILITIES.values(), "syslog"]:
            self.files[name] = os.open(f"{self.folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def rotate(self):
        """As logrotate does it with `create`: renamed, and the logger told to begin new ones."""
        with self.busy:
            for name, file in self.files.items():
                os.rename(f"{self.folder}/{name}", f"{self.folder}/{name}.1")
                os.close(file)
            self.open_files()

    def work(self):
        while True:
            record = self.socket.recv(65536).rstrip(b"\n\0")
            parts = re.fullmatch(rb"<(\d{1,3})>(\w{3} [ \d]\d [\d:]{8}) (.*)", record, re.DOTALL)
            if not parts:
                continue
            text = re.sub(rb"[\0-\x1f\x7f]", lambda m: b"#%03o" % m[0][0], parts[3])
            with self.busy:
                file = self.files[self.FACILITIES.get(int(parts[1]) >> 3, "syslog")]
                os.write(file, parts[2] + b" " + HOST.split(".", maxsplit=1)[0].encode() + b" " + text + b"\n")
