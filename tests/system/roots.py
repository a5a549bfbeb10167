#!/usr/bin/env python3
"""Makes the folders in which the daemons of the system test live, from packages of Debian.

    roots.py FOLDER      makes FOLDER/mail, FOLDER/opensmtpd and FOLDER/bouncer; what is ready stays

Packages are only unpacked: nothing is installed on this machine and no script of a package is run. What such a script
would have made (users, keys, a password file) is made here. apt finds out what each needs, as on an empty system; of
what only scripts of packages use it is told that it is there. Needs root, for the owners of files.
"""
import glob
import hashlib
import os
import shutil
import subprocess
import sys

# Only asked for by the scripts that are not run, or replaced by busybox.
LEFT_OUT = ("adduser ca-certificates cpio debconf dpkg e2fsprogs init-system-helpers libpam-runtime lsb-base netbase passwd "
            "perl perl-base procps ssl-cert sysvinit-utils tar ucf").split()
TOOLS = ["busybox-static", "openssl"]
ROOTS = {  # name: (release, None is this machine's; packages)
    "mail": (None, ["postfix", "dovecot-imapd", "openssh-server", *TOOLS]),
    # 6.8 of Debian 12 fails every TLS handshake with that release's OpenSSL.
    "opensmtpd": ("trixie", ["opensmtpd", *TOOLS]),
    "bouncer": (None, None),  # CrowdSec's; runs in the machine's own root
}
PASSWD = """root:x:0:0::/root:/bin/sh
daemon:x:1:1::/:/bin/false
nobody:x:65534:65534::/nonexistent:/bin/false
postfix:x:101:101::/var/spool/postfix:/bin/false
dovecot:x:102:102::/usr/lib/dovecot:/bin/false
dovenull:x:103:103::/nonexistent:/bin/false
sshd:x:104:65534::/run/sshd:/bin/false
opensmtpd:x:105:105::/run/opensmtpd:/bin/false
opensmtpq:x:106:106::/nonexistent:/bin/false
vmail:x:500:500::/var/vmail:/bin/false
anna:x:1000:1000::/home/anna:/bin/sh
"""
GROUP = """root:x:0:
daemon:x:1:
tty:x:5:
mail:x:8:
utmp:x:43:
shadow:x:42:
nogroup:x:65534:
postfix:x:101:
dovecot:x:102:
dovenull:x:103:
postdrop:x:107:
opensmtpd:x:105:
opensmtpq:x:106:
vmail:x:500:
anna:x:1000:
"""
PASSWORD = "s3cret-anna"  # anna's, everywhere
SETGID = {"/usr/sbin/postdrop": 107, "/usr/sbin/postqueue": 107, "/usr/sbin/smtpctl": 106}


def write(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **{"stdin": subprocess.DEVNULL} | more)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-600:]}")
    return done.stdout


class Apt:
    """apt with a state of its own in `folder`: an empty system, and for another release that release's lists."""

    def __init__(self, folder, release):
        self.folder = folder
        os.makedirs(folder + "/archives/partial", exist_ok=True)
        there = "".join(f"Package: {p}\nStatus: install ok installed\nVersion: 99:1\nArchitecture: all\nMulti-Arch: foreign\n"
                        f"Maintainer: -\nDescription: -\n\n" for p in LEFT_OUT)
        write(folder + "/status", there)
        self.options = {"Dir::State::status": folder + "/status", "Dir::Cache": folder, "Dir::Cache::archives": folder + "/archives",
                        "APT::Install-Recommends": "false", "APT::Sandbox::User": "root", "Acquire::Languages": "none",
                        "Acquire::Retries": "2"}
        if release:
            key = "/usr/share/keyrings/debian-archive-keyring.gpg"
            write(folder + "/sources.list", f"deb [signed-by={key}] {self.mirror()} {release} main\n")
            os.makedirs(folder + "/lists/partial", exist_ok=True)
            self.options |= {"Dir::State::Lists": folder + "/lists", "Dir::Etc::SourceList": folder + "/sources.list",
                             "Dir::Etc::SourceParts": "/dev/null"}
            self("update")

    @staticmethod
    def mirror():
        """Where this machine's apt has its Debian from."""
        found = run("apt-get", "indextargets", "Created-By: Packages", "Origin: Debian", "--format", "$(REPO_URI) $(CODENAME)")
        for line in found.splitlines():
            uri, codename = line.rsplit(" ", 1)
            if "-" not in codename:
                return uri
        raise RuntimeError("apt on this machine has no Debian to fetch from")

    def __call__(self, *arguments):
        return run("apt-get", "-qq", *(f"-o{k}={v}" for k, v in self.options.items()), *arguments,
                   env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})

    def fetch(self, packages):
        self("install", "-y", "--download-only", *packages)
        return sorted(glob.glob(self.folder + "/archives/*.deb"))


def unpack(archives, root):
    for name in ("bin", "sbin", "lib", "lib64"):  # /usr is merged; no package brings these links
        os.makedirs(f"{root}/usr/{name}", exist_ok=True)
        os.symlink("usr/" + name, f"{root}/{name}")
    for archive in archives:  # `dpkg-deb -x` would replace the links by folders
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as files:
            run("tar", "-xpf", "/dev/stdin", "-C", root, "--keep-directory-symlink", stdin=files.stdout)
        if files.returncode:
            raise RuntimeError(f"{archive} can't be unpacked")


def furnish(root):
    """What installing would have made."""
    for name in ("dev", "proc", "tmp", "run", "root", "home/anna", "var/vmail", "var/mail", "var/spool", "var/lib/dovecot"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    os.symlink("/run", root + "/var/run")
    os.chmod(root + "/tmp", 0o1777)
    os.chmod(root + "/var/mail", 0o1777)
    os.chown(root + "/home/anna", 1000, 1000)
    os.chown(root + "/var/vmail", 500, 500)
    run("chroot", root, "/bin/busybox", "--install", "-s")
    write(root + "/etc/passwd", PASSWD)
    write(root + "/etc/group", GROUP)
    secret = run("chroot", root, "openssl", "passwd", "-6", PASSWORD).strip()
    users = [line.split(":")[0] for line in PASSWD.splitlines()]
    write(root + "/etc/shadow", "".join(f"{u}:{secret if u == 'anna' else '*'}:19000:0:99999:7:::\n" for u in users), 0o600)
    write(root + "/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\n")
    write(root + "/etc/services", "smtp 25/tcp\nsubmission 587/tcp\nsubmissions 465/tcp\nimap2 143/tcp\nimaps 993/tcp\nssh 22/tcp\n")
    write(root + "/etc/pam.d/sshd", "auth required pam_unix.so nodelay\naccount required pam_unix.so\nsession required pam_unix.so\n")
    write(root + "/etc/pam.d/other", "auth required pam_deny.so\naccount required pam_deny.so\nsession required pam_deny.so\n")
    write(root + "/etc/shells", "/bin/sh\n")
    for path, group in SETGID.items():
        if os.path.exists(root + path):
            os.chown(root + path, 0, group)
            os.chmod(root + path, 0o2755)
    run("chroot", root, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
        "-subj", "/CN=mail.example.com", "-keyout", "/etc/ssl/lab.key", "-out", "/etc/ssl/lab.pem")


def make(name, folder):
    release, packages = ROOTS[name]
    root, state = f"{folder}/{name}", f"{folder}/{name}.apt"
    for old in (root, state):
        shutil.rmtree(old, ignore_errors=True)
    os.makedirs(root)
    os.makedirs(state)
    if packages is None:  # one package for this machine itself
        run("apt-get", "-qq", "download", "crowdsec-firewall-bouncer", cwd=state)
        run("dpkg-deb", "-x", *glob.glob(state + "/*.deb"), root)
    else:
        apt = Apt(os.path.abspath(state), release)
        unpack(apt.fetch(packages), root)
        furnish(root)
    shutil.rmtree(state)


def main(folder):
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o700)  # programs in there have the rights that packages give them
    with open(__file__, "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    failed = False
    for name in ROOTS:
        stamp = f"{folder}/{name}.ready"
        if os.path.exists(stamp) and open(stamp, encoding="ascii").read() == wanted:
            continue
        try:
            if os.path.exists(stamp):
                os.unlink(stamp)
            make(name, folder)
            write(stamp, wanted)
        except (RuntimeError, OSError) as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
