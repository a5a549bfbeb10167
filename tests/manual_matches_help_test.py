"""The manual pages, the completions, --help and the configuration name the same commands, options and keys."""
import glob
import os
import re
import shutil
import sqlite3
import subprocess

import program

MANUAL = os.path.join(program.ROOT, "man/mailward.1")
PAGES = sorted(glob.glob(os.path.join(program.ROOT, "man/*.[1-9]")))
COMPLETIONS = os.path.join(program.ROOT, "packaging/completions")
WITH_FORMATS = ("scan", "events", "explain", "status", "bans")
BACKENDS = {"nftables", "pf", "crowdsec", "command", "none"}  # values that have entries of their own


def options_in(text):
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+|-[a-zA-Z])(?![\w-])", text))


def read(*path):
    with open(os.path.join(program.ROOT, *path), encoding="utf-8") as file:
        return file.read()


def page_of(command):
    """A command of the daemon has a page of its own, which it may share; the others are in mailward(1)."""
    own = os.path.join(program.ROOT, f"man/mailward-{command}.8")
    return os.path.realpath(own) if os.path.exists(own) else MANUAL


def options_told(source):
    """Those that have an entry in a list of the page."""
    told = set()
    for line in re.findall(r"^\.It (Fl .+)$", source, re.M):
        told |= {f"--{name}" if long else f"-{name}" for long, name in re.findall(r"Fl (Fl )?([a-z-]+)", line)}
    return told


def help_of(*words):
    done = program.run(*words, "--help")
    if done.code != 0:
        raise AssertionError(f"{words} --help: exit {done.code}: {done.err[:200]}")
    return done.text


def commands_in(text):
    section = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.M)
    return re.findall(r"^  (\S+)", section.group(1), re.M) if section else []


class Everything(program.Case):
    @classmethod
    def setUpClass(cls):
        cls.commands, cls.own = {}, {}  # what is within a command; its own options
        top = help_of()
        cls.common = options_in(options_part(top))
        for command in commands_in(top):
            text = help_of(command)
            cls.commands[command] = commands_in(text)
            cls.own[command] = options_in(options_part(text)) - cls.common
            for inner in cls.commands[command]:
                cls.own[command] |= options_in(options_part(help_of(command, inner))) - cls.common
        cls.options = set.union(cls.common, *cls.own.values())

    def test_there_is_something_to_compare(self):
        self.assertLessEqual({"scan", "events", "explain", "rules"}, set(self.commands))
        self.assertLessEqual({"--policy", "--since", "--help", "-q"}, self.options)

    def test_options_in_manual(self):
        for page in {page_of(command) for command in self.commands}:
            of_page = set.union(*(own for command, own in self.own.items() if page_of(command) == page))
            if page == MANUAL:
                of_page |= self.common
            with self.subTest(page):
                self.assertEqual(options_told(read(page)), of_page, "the page's lists of options are not --help's")

    def test_commands_in_manual(self):
        source = read(MANUAL)
        synopsis = source[source.index(".Sh SYNOPSIS"):source.index(".Sh DESCRIPTION")]
        commands = {words[0] for words in (line.split() for line in re.findall(r"^\.Cm (.+)$", synopsis, re.M))}
        self.assertEqual(commands, set(self.commands), "the manual's synopsis does not have --help's commands")
        for command, inside in self.commands.items():
            inner = {word for line in re.findall(rf"^\.Cm {command} (.+)$", synopsis, re.M) for word in line.split(" | ")}
            self.assertEqual(inner, set(inside), command)
        described = set(re.findall(r"^\.It Cm (\w+|\w+ \w+)$", source, re.M))
        for command, inside in self.commands.items():
            for words in [f"{command} {word}" for word in inside] or [command]:
                self.assertIn(words, described, f"the manual does not describe `{words}`")
            if page_of(command) != MANUAL:
                own = read(page_of(command))
                self.assertRegex(own, rf"(?m)^\.Nm mailward-{command}( ,)?$")
                self.assertRegex(own, rf"(?m)^\.Nm mailward\n\.Cm {command}( |$)")

    def test_pages_lead_to_pages(self):
        here = {tuple(os.path.basename(page).rsplit(".", 1)) for page in PAGES}
        for page in PAGES:
            for name, section in re.findall(r"^\.Xr (mailward\S*) (\d)", read(page), re.M):
                self.assertIn((name, section), here, f"{page} leads nowhere")
            title = re.search(r"^\.Dt (\S+) (\d)$", read(page), re.M).groups()
            self.assertEqual(title, tuple(os.path.basename(os.path.realpath(page)).upper().rsplit(".", 1)))

    def test_keys_of_the_configuration(self):
        known = self.keys()
        told = {}
        for part in read("man/mailward.toml.5").split("\n.Ss [")[1:]:
            section, text = part.split("]", 1)
            items = re.findall(r"^\.It Cm ([a-z_0-9, ]+?)(?: No = .*)?$", re.split(r"\n\.S[sh] ", text)[0], re.M)
            told[section] = {name for line in items for name in line.split(" , ")} - BACKENDS
        self.assertEqual(told, {section: keys for section, keys in known.items() if keys})
        page = read("docs/configuration.md")
        for section, keys in known.items():
            for key in keys:
                self.assertIn(f"`{section}.{key}`", page)

    def test_views_of_the_ledger(self):
        log, ledger = self.path("mail.log", b""), self.path("ledger.sqlite")
        done = program.run("import", "logs", log, "--ledger", ledger)
        self.assertEqual(done.code, 0, done.err)
        page, document = read("man/mailward-ledger.5"), read("docs/ledger.md")
        told = {name: set(re.findall(r"^\.Ql (\w+)", text, re.M)) for name, text in
                re.findall(r"^\.It Cm (show_\w+)\n(.*?)(?=^\.It|^\.El)", page, re.M | re.S)}
        with sqlite3.connect(ledger) as database:
            views = {name: {row[1] for row in database.execute(f"PRAGMA table_info({name})")}
                     for (name,) in database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'show%'")}
        database.close()
        self.assertEqual(told, views)
        for name in views:
            self.assertIn(f"`{name}`", document)

    def keys(self):
        """{section: {key}}, from the refusals of keys that don't exist."""
        known, sections = {}, [""]
        while sections:
            section = sections.pop()
            text = (f"[{section}]\n" if section else "") + "nosuch = 1\n"
            said = program.run("scan", "--config", self.path("odd.toml", text.encode()), "-", data=b"").err.decode()
            names = set(re.search(r"known here: (.+)", said).group(1).split(", "))
            tables = names if not section else names & {"command"}
            known[section] = names - tables
            sections += [f"{section}.{name}" if section else name for name in tables]
        del known[""]
        return known

    def test_manual_is_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc")
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", *PAGES], capture_output=True, text=True)
        self.assertEqual(done.stdout, "")

    def test_manual_names_each_format_and_preset(self):
        source = read(MANUAL)
        for preset in os.listdir(os.path.join(program.ROOT, "policy")):
            self.assertIn(f".It Cm {preset.removesuffix('.toml')}\n", source)
        for command in WITH_FORMATS:
            for name in formats_of(command):
                self.assertRegex(read(page_of(command)), rf"(?m)^\.(It )?Cm {name}\b")

    def test_completions(self):
        for name in ("mailward.bash", "_mailward", "mailward.fish"):
            with open(os.path.join(COMPLETIONS, name), encoding="utf-8") as script:
                text = re.sub(r"^\s*#.*$", "", script.read(), flags=re.M)
            found = fish_options(text) if name.endswith(".fish") else options_in(text)
            with self.subTest(name):
                self.assertEqual(self.options - found, set(), "missing")
                foreign = {"-n", "-X", "-c", "-f", "-W", "-d", "-o", "-F", "-C", "-A", "-a", "-g", "-r", "-x", "-s", "-l", "-z"}  # the shells' own
                self.assertEqual(found - self.options - foreign, set(), "not in --help")
                for command, inside in self.commands.items():
                    for word in [command, *inside]:
                        self.assertRegex(text, rf"\b{word}\b")
                for preset in os.listdir(os.path.join(program.ROOT, "policy")):
                    self.assertRegex(text, rf"\b{preset.removesuffix('.toml')}\b")
                for command in WITH_FORMATS:
                    self.assertIn(" ".join(formats_of(command)), text, f"formats of {command}")

    def test_completions_are_valid_scripts(self):
        for shell, name in (("bash", "mailward.bash"), ("zsh", "_mailward"), ("fish", "mailward.fish")):
            if shutil.which(shell):
                done = subprocess.run([shell, "-n", os.path.join(COMPLETIONS, name)], capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""), name)


def options_part(text):
    """Without the examples at the end, which are shell lines."""
    return "\n".join(line for line in text.split("\nFor example:")[0].splitlines() if line.startswith("  -"))


def formats_of(command):
    """The formats that a command knows, from its refusal of another."""
    words = ["192.0.2.1"] if command == "explain" else []
    said = program.run(command, "--format", "?", *words).err.decode()
    found = re.search(r"one of: ([a-z, ]+)$", said.strip())
    if not found:
        raise AssertionError(f"{command} --format '?': {said}")
    return found.group(1).split(", ")


def fish_options(text):
    text = "\n".join(line for line in text.splitlines() if line.startswith("complete "))
    return {f"--{name}" for name in re.findall(r" -l ([a-z-]+)", text)} | {f"-{name}" for name in re.findall(r" -s (\w)\b", text)}


if __name__ == "__main__":
    program.main()
