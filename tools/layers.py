#!/usr/bin/env python3
"""Does each folder of src/ include only itself and the folders above it?

    layers.py [ROOT]

The order is that of the table in docs/architecture.md (rows that begin with `src/NAME`), and
CMakeLists.txt must say the same: what a station includes stands in its USES. Ends with 1 and one
line for each violation.
"""
import os
import re
import sys

ROW = re.compile(r"^\| `src/([a-z]+)` \|")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STATION = re.compile(r"^station\((\w+)\s*(.*)\)", re.M)
# Libraries that belong to one station: the others get at them through it.
OWNERS = {"zlib.h": "log", "lzma.h": "log", "bzlib.h": "log", "zstd.h": "log", "systemd/": "log", "seccomp.h": "lockdown", "CLI/": "cli",
          "curl/": "firewall", "nftables/": "firewall", "libmnl/": "firewall"}


def order_of(root):
    with open(os.path.join(root, "docs/architecture.md"), encoding="utf-8") as page:
        return [m.group(1) for m in map(ROW.match, page) if m]


def uses_of(root):
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        stations = {}
        for name, rest in STATION.findall(file.read()):
            words = rest.split()
            stations[name] = words[words.index("USES") + 1: words.index("PUBLIC") if "PUBLIC" in words else None] if "USES" in words else []
        return stations


def includes_of(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1), match.group(2)


def violations(root):
    order, uses = order_of(root), uses_of(root)
    if not order:
        yield "docs/architecture.md: no table of stations found"
    for name in uses:
        if name not in order:
            yield f"CMakeLists.txt: station {name} is missing in the table of docs/architecture.md"
    for base, folders, files in os.walk(os.path.join(root, "src")):
        folders.sort()
        for file in sorted(files):
            path = os.path.join(base, file)
            shown = os.path.relpath(path, root)
            parts = shown.split(os.sep)
            if len(parts) < 3 or not file.endswith((".cc", ".h", ".inc")):
                continue  # src/main.cc may use all
            station = parts[1]
            if station not in order:
                yield f"{shown}: the folder src/{station} is missing in the table of docs/architecture.md"
                continue
            for number, bracket, target in includes_of(path):
                where = f"{shown}:{number}"
                for library, owner in OWNERS.items():
                    if target.startswith(library) and station != owner:
                        yield f"{where}: <{target}> belongs to src/{owner}"
                if bracket == "<":
                    continue
                other = target.split("/")[0]
                if "/" not in target or not os.path.exists(os.path.join(root, "src", target)):
                    yield f'{where}: "{target}" is no file of src/ (write the path from src/ on)'
                elif order.index(other) > order.index(station):
                    yield f"{where}: src/{station} includes {target}, but src/{other} stands below it"
                elif other != station and other not in uses.get(station, []):
                    yield f"{where}: src/{station} includes {target}, but CMakeLists.txt does not say that it USES {other}"


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = list(violations(root))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
