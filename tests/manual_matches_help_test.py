"""The manual page, the completions and --help name the same commands and the same options."""
import os
import re
import shutil
import subprocess

import program

MANUAL = os.path.join(program.ROOT, "man/mailward.1")
COMPLETIONS = os.path.join(program.ROOT, "packaging/completions")
BUILT_IN = {"help"}  # a word for --help; no command of the table


def options_in(text):
    return set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+|-[a-zA-Z])(?![\w-])", text))


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
        cls.options, cls.commands, cls.formats = set(), {}, {}
        top = help_of()
        cls.options |= options_in(options_part(top))
        for command in commands_in(top):
            text = help_of(command)
            cls.commands[command] = commands_in(text)
            cls.options |= options_in(options_part(text))
            for inner in cls.commands[command]:
                cls.options |= options_in(options_part(help_of(command, inner)))

    def test_there_is_something_to_compare(self):
        self.assertLessEqual({"scan", "events", "explain", "rules"}, set(self.commands))
        self.assertLessEqual({"--policy", "--since", "--help", "-q"}, self.options)

    def test_manual(self):
        with open(MANUAL, encoding="utf-8") as page:
            source = page.read()
        told = set()
        for line in re.findall(r"^\.It (Fl .+)$", source, re.M):
            told |= {f"--{name}" if long else f"-{name}" for long, name in re.findall(r"Fl (Fl )?([a-z-]+)", line)}
        self.assertEqual(told, self.options, "the manual's list of options is not --help's")
        synopsis = source[source.index(".Sh SYNOPSIS"):source.index(".Sh DESCRIPTION")]
        commands = {words[0] for words in (line.split() for line in re.findall(r"^\.Cm (.+)$", synopsis, re.M))}
        self.assertEqual(commands, set(self.commands), "the manual's synopsis does not have --help's commands")
        inner = {words for line in re.findall(r"^\.Cm rules (.+)$", synopsis, re.M) for words in line.split(" | ")}
        self.assertEqual(inner, set(self.commands["rules"]))
        described = set(re.findall(r"^\.It Cm (scan|events|explain|rules \w+|\w+ \w+)$", source, re.M))
        for command, inside in self.commands.items():
            for words in [f"{command} {word}" for word in inside] or [command]:
                self.assertIn(words, described, f"the manual does not describe `{words}`")

    def test_manual_is_well_formed(self):
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc")
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", MANUAL], capture_output=True, text=True)
        self.assertEqual(done.stdout, "")

    def test_manual_names_each_format_and_preset(self):
        with open(MANUAL, encoding="utf-8") as page:
            source = page.read()
        for preset in os.listdir(os.path.join(program.ROOT, "policy")):
            self.assertIn(f".It Cm {preset.removesuffix('.toml')}\n", source)
        for command in ("scan", "events", "explain"):
            for name in formats_of(command):
                self.assertRegex(source, rf"\.(It )?Cm {name}\b")

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
                for command in ("scan", "events", "explain"):
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
