#!/usr/bin/env python3
"""The preset `any` beside the pipeline of document 002, on the real logs with known truth.

    differences.py BINARY [CORPUS]

For every run (its first text form) the addresses that one finds and the other does not, by what the
driver knows of them. The table stands in docs/scripts.md.
"""
import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
CHARGES = {"auth_failed", "auth_aborted", "no_tls", "tls_failed", "no_ptr", "ptr_mismatch", "bad_helo", "dnsbl", "relay_denied", "unknown_recipient",
           "sender_rejected", "content_rejected", "rate_limited", "protocol_error", "rejected", "deferred", "dropped"}


def text_of(path):
    if path.endswith(".zst"):
        return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout
    opener = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(os.path.splitext(path)[1], open)
    with opener(path, "rb") as file:
        return file.read()


def what_is(truth, address):
    source = truth["sources"].get(address)
    if source:
        if source["role"] != "innocent":
            return source["role"]
        return "innocent, with a weak or hostile event" if set(source["events"]) & CHARGES else "innocent, nothing that the driver noted"
    if address in (truth["server"] if isinstance(truth["server"], list) else [truth["server"]]):
        return "the server itself"
    return "not an address of this network"


def main():
    binary = sys.argv[1]
    corpus = sys.argv[2] if len(sys.argv) > 2 else os.path.join(HERE, "../tests/corpus")
    totals = {}
    for run in sorted(os.listdir(corpus)):
        if not os.path.exists(os.path.join(corpus, run, "truth.json")):
            continue
        with open(os.path.join(corpus, run, "truth.json"), encoding="utf-8") as file:
            truth = json.load(file)
        form = next(f["form"] for f in truth["files"] if not f["form"].startswith("journal"))
        paths = [os.path.join(corpus, run, f["name"]) for f in truth["files"] if f["form"] == form]
        with tempfile.NamedTemporaryFile() as log:
            for path in paths:
                log.write(text_of(path))
            log.flush()
            done = subprocess.run([os.path.join(HERE, "baselines/finder.sh"), log.name], capture_output=True, text=True, check=False)
        finder = set(done.stdout.split())
        arguments = ["--timezone", truth["timezone"], "--year", str(truth["year_of_last_line"])]
        done = subprocess.run([binary, "scan", "--policy", "any", "--format", "plain", *arguments, *paths], capture_output=True, text=True, check=True)
        ours = set(done.stdout.split())
        row = {"both": len(finder & ours)}
        for name, addresses in (("finder only", finder - ours), ("any only", ours - finder)):
            for address in addresses:
                key = f"{name}: {what_is(truth, address)}"
                row[key] = row.get(key, 0) + 1
        print(f"{run:20} finder {len(finder):3}, any {len(ours):3}; " + ", ".join(f"{k} {n}" for k, n in sorted(row.items())))
        for key, count in row.items():
            totals[key] = totals.get(key, 0) + count
    print("together: " + ", ".join(f"{k} {n}" for k, n in sorted(totals.items())))


if __name__ == "__main__":
    main()
