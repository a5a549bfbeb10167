"""What is installed beside the program fits it and itself; packaging/package.py tries the package as a whole."""
import os
import re
import shutil
import subprocess

import program

PACKAGING = os.path.join(program.ROOT, "packaging")


def read(name):
    with open(os.path.join(PACKAGING, name), encoding="utf-8") as file:
        return file.read()


class Packaging(program.Case):
    def refusal(self, text):
        """What is said of a configuration; empty: it is fine."""
        done = program.run("scan", "-q", "--config", self.path("mailward.toml", text.encode()), "-", data=b"")
        return done.err.decode() if done.code else ""

    def test_configuration_files(self):
        text = read("mailward.toml")
        self.assertEqual(self.refusal(text), "")
        named = re.sub(r"(?m)^#(?=[a-z_]+ +=)", "", text)
        self.assertNotEqual(named, text)
        named = re.sub(r'(?m)^timezone .*|^ignore .*', "", named)  # of a place and a site
        self.assertEqual(self.refusal(named), "")
        self.assertIn("unknown key", self.refusal(named.replace("brake ", "brakes ")))
        for section in re.findall(r"(?m)^\[(.+)\]$", text):
            known = re.search(r"known here: (.+)", self.refusal(f"[{section}]\nnosuch = 1\n")).group(1).split(", ")
            told = re.findall(r"(?m)^#?([a-z_]+) +=", text.split(f"[{section}]\n")[1].split("\n[")[0])
            self.assertEqual(sorted(told), sorted(set(known) - {"command"}), section)
        self.assertEqual(self.refusal(read("openbsd/mailward.toml")), "")

    def test_ignore_list(self):
        self.assertEqual(program.run("scan", "--ignore", os.path.join(PACKAGING, "ignore.txt"), "-", data=b"").code, 0)

    def test_configuration_is_known_to_dpkg(self):
        listed = sorted(line.rsplit("/", 1)[1] for line in read("debian/conffiles").split())
        with open(os.path.join(program.ROOT, "cmake/package.cmake"), encoding="utf-8") as file:
            installed = re.search(r"install\(FILES (.+) DESTINATION /etc/mailward ", file.read()).group(1).split()
        self.assertEqual(listed, sorted(os.path.basename(path) for path in installed))

    def test_units_are_locked_in_alike(self):
        def settings(name):
            lines = [line for line in read(f"systemd/{name}").split("[Service]")[1].split("\n[")[0].splitlines() if line and line[0] != "#"]
            own = ("Type", "ExecStart", "ExecReload", "Restart", "WatchdogSec", "KillMode", "Timeout", "RuntimeDirectory")
            return [line for line in lines if not line.startswith(own)]
        self.assertEqual(settings("mailward.service"), settings("mailward-once.service"))
        self.assertIn("NoNewPrivileges=yes", settings("mailward.service"))

    def test_units_are_understood(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("no systemd-analyze")
        paths = []
        for name in sorted(os.listdir(os.path.join(PACKAGING, "systemd"))):
            if name.endswith((".service", ".timer")):
                paths.append(self.path(name, read(f"systemd/{name}").replace("/usr/bin/mailward", program.BINARY).encode()))
        self.assertEqual(len(paths), 3)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", *paths], capture_output=True, text=True, check=False)
        about = [line for line in done.stderr.splitlines() if "mailward" in line]
        self.assertEqual((about, done.returncode), ([], 0), done.stderr)

    def test_scripts_are_scripts(self):
        for name in ("debian/postinst", "debian/prerm", "debian/postrm", "openbsd/mailward.rc"):
            done = subprocess.run(["sh", "-n", os.path.join(PACKAGING, name)], capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (0, ""), name)


if __name__ == "__main__":
    program.main()
