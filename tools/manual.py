#!/usr/bin/env python3
"""Does the manual tell what `--help` tells: the same commands, and for each the same options?

    manual.py BINARY [PAGE]       PAGE: man/mailward.1

In the page a command is an item `.It Cm NAME …` of the description and a `.Cm NAME` of the synopsis,
an option an item `.It Fl Fl name`; options that several commands share are told once. So what is held
together is: each command of --help has its place in the page, each option of any --help (those of
commands below a command as well) is told, and the page tells of none that --help doesn't know.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OPTION = re.compile(r"(?<![\w-])--([a-z][a-z0-9-]*)")
MAN_OPTION = re.compile(r"^\.(?:It|Fl|Op).*?\bFl Fl ([a-z][a-z0-9-]*)", re.M)
MAN_COMMAND = re.compile(r"^\.It Cm ([a-z]+)", re.M)
SYNOPSIS = re.compile(r"^\.Sh SYNOPSIS\n(.*?)^\.Sh ", re.M | re.S)
SYNOPSIS_COMMAND = re.compile(r"^\.Nm\n\.Cm ([a-z]+)", re.M)
COMMAND = re.compile(r"^ {2}([a-z]{2,})\s{2,}\S", re.M)


def help_of(binary, *words):
    done = subprocess.run([binary, *words, "--help"], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"mailward {' '.join(words)} --help: exit {done.returncode}")
    return done.stdout


def main():
    binary = sys.argv[1]
    page = sys.argv[2] if len(sys.argv) > 2 else os.path.join(ROOT, "man/mailward.1")
    with open(page, encoding="utf-8") as file:
        manual = file.read()
    top = help_of(binary)
    commands = set(COMMAND.findall(top))
    options = {name: "mailward" for name in OPTION.findall(top)}
    for command in sorted(commands):
        text = help_of(binary, command)
        below = [text] + [help_of(binary, command, name) for name in COMMAND.findall(text)]
        for name in OPTION.findall("".join(below)):
            options.setdefault(name, command)
    told, items = set(MAN_OPTION.findall(manual)), set(MAN_COMMAND.findall(manual))
    synopsis = set(SYNOPSIS_COMMAND.findall(SYNOPSIS.search(manual).group(1)))
    told_commands = items & synopsis
    wrong = [f"{page}: `{c}` stands in the synopsis only" for c in sorted(synopsis - items)]
    wrong += [f"{page}: the command `{c}` is missing" for c in sorted(commands - told_commands)]
    wrong += [f"{page}: tells of a command `{c}` that --help does not know" for c in sorted(told_commands - commands)]
    wrong += [f"{page}: the option --{o} of `{options[o]}` is missing" for o in sorted(set(options) - told)]
    wrong += [f"{page}: tells of an option --{o} that --help does not know" for o in sorted(told - set(options))]
    if not commands:
        wrong.append("no commands found in --help")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
