#!/usr/bin/env python3
"""A stand-in for pfctl(8) of OpenBSD 7.6, for tests on systems without pf.

It keeps tables and states in pf.json beside the path that it was called by, and knows the options that
mailward uses and those that a test needs to play an admin. It refuses what pfctl refuses, with its messages and
its exit status; an option that it doesn't know ends it with 1, as pfctl's usage does.

The file is JSON: {"tables": {"ANCHOR": {"NAME": {"used": true, "entries": ["192.0.2.0/24", "!192.0.2.1/32"]}}},
"states": [["in", "192.0.2.1", 25, "203.0.113.9", 4711]], "limit": 200000, "calls": [[…]]}; a state's first
address is ours. An inbound state's source is the other side, an outbound one's is ours.
"""
import getopt
import ipaddress
import json
import os
import sys

COMMANDS = ["add", "delete", "expire", "flush", "kill", "load", "replace", "show", "test", "zero"]
MODIFIERS = ["queue", "rules", "Anchors", "Sources", "states", "info", "Interfaces", "labels", "timeouts", "memory",
             "Tables", "osfp", "Running", "all"]


def usage():
    sys.stderr.write("usage: pfctl [-deghNnPqrvz] [-a anchor] …\n")
    sys.exit(1)


def warn(text, status):
    sys.stderr.write(f"pfctl: {text}\n")
    sys.exit(status)


def lookup(text, words, what):
    found = [w for w in words if w.startswith(text)]
    if not text or not found:
        sys.stderr.write(f"pfctl: Unknown {what} '{text}'\n")
        usage()
    return found[0]


def network(text, masked):
    """As pfctl reads it; names are not resolved here, and the kernel refuses bits right of the prefix."""
    negated = text.startswith("!")
    try:
        value = ipaddress.ip_network(text.lstrip("!"), strict=not masked)
    except ValueError:
        try:
            ipaddress.ip_network(text.lstrip("!"), strict=False)
        except ValueError:
            warn(f"no IP address found for {text}", 255)
        warn("Anchor does not exist", 255)  # its text for EINVAL
    return ("!" if negated else "") + value.with_prefixlen


def shown(entry):
    negated, entry = entry.startswith("!"), entry.lstrip("!")
    value = ipaddress.ip_network(entry)
    text = str(value.network_address) if value.prefixlen == value.max_prefixlen else entry
    return ("!" if negated else " ") + text


def table_command(world, anchor, name, command, addresses, options):
    def say(text):
        if not options["quiet"]:
            sys.stderr.write(text + "\n")

    tables = world["tables"].setdefault(anchor, {})
    networks = [network(a, False) for a in addresses]
    if command == "add" and name not in tables:
        tables[name] = {"used": False, "entries": []}
        say("1 table created")
    if name not in tables:
        warn("Table does not exist", 255)
    entries = tables[name]["entries"]
    if command == "show":
        for entry in entries:
            print("  " + shown(entry))
    elif command == "flush":
        say(f"{len(entries)} addresses deleted")
        entries.clear()
    elif command == "kill":
        del tables[name]
        say("1 table deleted")
    elif command in ("add", "delete"):
        there, changed = set(entries), []
        for n in networks:
            if (n in there) != (command == "add"):
                (there.add if command == "add" else there.discard)(n)
                changed.append(n)
        if sum(len(t["entries"]) for a in world["tables"].values() for t in a.values()) - len(entries) + len(there) > world.get("limit", 200000):
            warn("Cannot allocate memory", 255)
        entries[:] = sorted(there)
        say(f"{len(changed)}/{len(networks)} addresses {'added' if command == 'add' else 'deleted'}")
        if options["verbose"]:
            for n in changed:
                print(("A " if command == "add" else "D ") + shown(n))
    else:
        warn(f"the stand-in has no -T {command}", 1)


def show(world, modifier, anchor, options):
    if modifier == "Tables":
        for name, table in sorted(world["tables"].get(anchor, {}).items()):
            mark = f"-pa-{'r' if table['used'] else '-'}--\t" if options["verbose"] else ""
            print(mark + name + (f"@{anchor}" if anchor else ""))
    elif modifier == "states":
        for direction, ours, port, other, other_port in world["states"]:
            one, two = (f"{a}:{p}" if ":" not in a else f"{a}[{p}]" for a, p in ((ours, port), (other, other_port)))
            arrow = "<-" if direction == "in" else "->"
            print(f"all tcp {one} {arrow} {two}       ESTABLISHED:ESTABLISHED")
    else:
        warn(f"the stand-in has no -s {modifier}", 1)


def kill(world, killers, options):
    source, target = [ipaddress.ip_network(network(k, True)) for k in (killers * 2)[:2]]

    def goes(state):
        direction, ours, _, other, _ = state
        ends = [ipaddress.ip_address(a) for a in ((other, ours) if direction == "in" else (ours, other))]
        return ends[0] in source and (len(killers) == 1 or ends[1] in target)

    before = len(world["states"])
    world["states"] = [s for s in world["states"] if not goes(s)]
    if not options["quiet"]:
        sys.stderr.write(f"killed {before - len(world['states'])} states from 1 sources and {len(killers) - 1} destinations\n")


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "pf.json")
    with open(path, encoding="utf-8") as file:
        world = json.load(file)
    world.setdefault("calls", []).append(sys.argv[1:])
    anchor, name, command, modifier, file, killers = "", None, None, None, None, []
    options = {"quiet": False, "verbose": 0}
    try:
        given, rest = getopt.getopt(sys.argv[1:], "a:dD:eqf:F:ghi:k:K:L:Nno:Pp:R:rS:s:t:T:vV:x:z")
    except getopt.GetoptError:
        usage()
    if len(sys.argv) < 2:
        usage()
    for option, value in given:
        if option == "-a":
            if not value:
                warn("anchor name must not be empty", 1)
            anchor = value
        elif option == "-q":
            options["quiet"] = True
        elif option == "-v":
            options["verbose"] += 1
        elif option == "-t":
            name = value
        elif option == "-T":
            command = lookup(value, COMMANDS, "table command")
        elif option == "-s":
            modifier = lookup(value, MODIFIERS, "show modifier")
        elif option == "-f":
            file = value
        elif option == "-k":
            killers.append(value)
            if len(killers) > 2:
                sys.stderr.write("pfctl: can only specify -k twice\n")
                usage()
        else:
            warn(f"the stand-in has no {option}", 1)
    if (command is None) != (name is None) or (name is not None and len(name) >= 32):
        usage()
    if command is None and rest:
        sys.stderr.write(f"pfctl: unknown command line argument: {rest[0]} ...\n")
        usage()
    if command not in ("add", "delete", "replace", "test", "zero") and command is not None and (rest or file):
        usage()
    if modifier is not None:
        show(world, modifier, anchor, options)
    if killers:
        kill(world, killers, options)
    if command is not None:
        if file == "-":
            rest += [word for line in sys.stdin for word in line.split("#")[0].split()]
        elif file is not None:
            warn("the stand-in reads standard input only", 1)
        table_command(world, anchor, name, command, rest, options)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(world, out)


main()
