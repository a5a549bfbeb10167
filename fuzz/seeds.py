#!/usr/bin/env python3
"""First inputs for a fuzz target, made of what the repository holds.

    seeds.py TARGET FOLDER

Which kind a target wants is told by a word in its name: rule (rules/*.toml), policy (policy/*.toml),
grammar (the samples of the rules, after a byte that chooses one), scan or records (pieces of logs,
plain and compressed), time (stamps); any other gets single lines. Lines stay below 1 kB, files below
16 kB. The same files every time.
"""
import bz2
import gzip
import hashlib
import json
import lzma
import pathlib
import re
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPENERS = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
STAMP = re.compile(rb"^(?:<\d+>)?(?:1 )?([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT\S+)")


def logs():
    """Lines of each log of the corpora, every hundredth or so."""
    for path in sorted((ROOT / "tests/corpus").glob("*/*")):
        if path.suffix == ".zst" or ".log" not in path.name and "journal" not in path.name:
            continue
        with OPENERS.get(path.suffix, open)(path, "rb") as file:
            yield path.name, file.read().splitlines(keepends=True)


def lines():
    for _, content in logs():
        for line in content[:: max(1, len(content) // 40)]:
            yield line[:1000].rstrip(b"\n")
        for line in content[:2]:  # forms that no log of the corpora has
            if len(line) > 17 and line[15:16] == b" ":
                for stamp in b"Sat 2026-11-21 12:31:54 CET ", b"[13530.929669 <    0.000032 >] ", b"\xef\xbb\xbf", b"":
                    yield stamp + line[16:1000].rstrip(b"\n")
    for path in sorted((ROOT / "tests/injection").glob("*.jsonl")):
        for row in path.read_text(encoding="utf-8").splitlines():
            if row.strip():
                for line in json.loads(row)["lines"]:
                    yield line.encode("utf-8", "surrogateescape")[:1000]


def pieces():
    for name, content in logs():
        for start in range(0, len(content), max(30, len(content) // 6)):
            piece = b"".join(content[start: start + 30])[:16000]
            yield piece
        if not name.startswith("journal"):
            yield b"".join(b"2026-03-02T10:00:00.123456789Z stdout F " + line for line in content[:30])[:16000]
            yield gzip.compress(piece, mtime=0)
            yield bz2.compress(piece)
            yield lzma.compress(piece)


def seeds(target):
    if "rule" in target:
        yield from (p.read_bytes() for p in sorted((ROOT / "rules").rglob("*.toml")) + sorted((ROOT / "tests").rglob("*.toml")))
    elif "policy" in target:
        yield from (p.read_bytes() for p in sorted((ROOT / "policy").glob("*.toml")))
    elif "grammar" in target:
        for path in sorted((ROOT / "rules").glob("*.toml")):
            for number, rule in enumerate(tomllib.loads(path.read_text(encoding="utf-8")).get("rule", [])):
                for sample in rule.get("sample", []):
                    yield bytes([number % 256]) + sample["line"].encode()[:1000]
    elif "time" in target:
        yield from sorted({m.group(1) for m in map(STAMP.match, lines()) if m})[::7]
    elif "scan" in target or "records" in target:
        yield from pieces()
    else:
        yield from lines()


def main():
    target, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds(target):
        (folder / ("seed-" + hashlib.sha256(data).hexdigest()[:16])).write_bytes(data)


if __name__ == "__main__":
    main()
