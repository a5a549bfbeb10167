"""A small Debian with systemd as its first process, in namespaces of its own: what a package is tried on.

    machine.py DEBS FOLDER      makes its root in FOLDER, for the package in the folder DEBS; what is ready stays

A root is made once by debootstrap, with what the package depends on; each Machine works on a copy. It has a network of
its own that leads nowhere. Needs root.
"""
import glob
import os
import shutil
import subprocess
import sys
import time

BASE = ("systemd,systemd-sysv,dbus,init-system-helpers,adduser,nftables,procps,cron")
START = r"""
root=$1
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do touch "$root/dev/$name"; mount --bind /dev/$name "$root/dev/$name"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ip link set lo up
cd "$root"
pivot_root . mnt
umount -l /mnt
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb /lib/systemd/systemd --log-target=null
"""


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **{"stdin": subprocess.DEVNULL, "timeout": 600} | more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-800:]}")
    return done.stdout


def package_in(folder):
    found = glob.glob(os.path.join(folder, "mailward_*.deb"))
    return os.path.abspath(found[0]) if len(found) == 1 else None


def is_made(folder, depends):
    try:
        with open(os.path.join(folder, "made-for"), encoding="utf-8") as file:
            return file.read() == BASE + depends
    except OSError:
        return False


def base_for(folder, deb):
    """The root in which that package may be installed without a network; None: there is none."""
    folder = os.path.join(folder, "base")
    return os.path.join(folder, "root") if is_made(folder, run("dpkg-deb", "-f", deb, "Depends").strip()) else None


def make_base(folder, deb):
    folder = os.path.join(folder, "base")
    depends = run("dpkg-deb", "-f", deb, "Depends").strip()
    if is_made(folder, depends):
        return
    shutil.rmtree(folder, ignore_errors=True)
    root = os.path.join(folder, "root")
    os.makedirs(folder)
    run("debootstrap", "--variant=minbase", f"--include={BASE}", "bookworm", root)
    shutil.copy("/etc/resolv.conf", root + "/etc/resolv.conf")
    apt = ["chroot", root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    run(*apt, "satisfy", "-y", "--no-install-recommends", depends)
    run(*apt, "clean")
    with open(os.path.join(folder, "made-for"), "w", encoding="utf-8") as file:
        file.write(BASE + depends)


def cgroup2():
    """Where version 2 of the kernel's control groups is mounted; systemd needs one of its own to be the first process."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return next((line.split()[1] for line in mounts if line.split()[2] == "cgroup2"), None)


class Machine:
    def __init__(self, base, folder):
        self.root = os.path.join(folder, "root")
        run("cp", "-a", "--reflink=auto", base, self.root)
        os.makedirs(self.root + "/mnt", exist_ok=True)
        self.init = self.group = self.first = None

    def in_root(self, *command, **more):
        """Without anything that runs there, as an installer does."""
        return run("chroot", self.root, *command, **more)

    def boot(self):
        self.group = os.path.join(cgroup2(), f"mailward-package-{os.getpid()}")
        os.mkdir(self.group)
        self.init = subprocess.Popen(
            ["sh", "-c", 'echo $$ > "$0/cgroup.procs"; exec "$@"', self.group, "unshare", "--pid", "--fork", "--kill-child", "--mount",
             "--uts", "--ipc", "--net", "--cgroup", "sh", "-euc", START, "sh", self.root],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.wait(lambda: self.find_first() and self("systemctl", "is-system-running", check=False).strip() in ("running", "degraded"),
                  "systemd does not come up")

    def find_first(self):
        if self.init.poll() is not None:
            raise RuntimeError(f"systemd does not start: {self.init.stderr.read()[-500:]}")
        with open(f"/proc/{self.init.pid}/task/{self.init.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        self.first = children[0] if children else None
        if not self.first:
            return False
        with open(f"/proc/{self.first}/comm", encoding="ascii") as file:
            return file.read().strip() == "systemd"

    def __call__(self, *command, check=True, both=False):
        """Runs it on the booted machine; what it wrote."""
        done = subprocess.run(["nsenter", "-t", self.first, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", *command], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}: {(done.stderr + done.stdout).strip()[-800:]}")
        return (done.returncode, done.stderr) if both else done.stdout

    def wait(self, condition, complaint, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(complaint)
            time.sleep(0.05)

    def shut(self):
        if self.init:
            self.init.kill()
            self.init.wait()
            self.init.stderr.close()
        if self.group:
            def gone():
                try:
                    for folder, _, _ in os.walk(self.group, topdown=False):
                        os.rmdir(folder)
                except OSError:
                    return False
                return True
            self.wait(gone, "the machine's processes do not end")
        shutil.rmtree(self.root, ignore_errors=True)


if __name__ == "__main__":
    if not package_in(sys.argv[1]):
        sys.exit(f"{sys.argv[1]}: there is not one package in it")
    make_base(sys.argv[2], package_in(sys.argv[1]))
