#!/usr/bin/env python3
"""How many lines a second the daemon takes in, with its ledger: reader, keeper and helper together on one core.

    intake.py BINARY GEN [--bytes 512M] [--kind mixed] [--core 1]

`run --once` over a generated log, with an empty ledger and again with one that knows all of its sources (the same log,
its times a day later), all parts bound to one core; the memory is the sum of what the parts had at most (Pss where the
kernel tells it, so that what they share counts once).
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import time

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build", "bench", "intake")


def memory_of(pid):
    """Megabytes of a process and its children, shared pages counted once."""
    total = 0.0
    pids = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path, encoding="ascii") as file:
                pids += [int(word) for word in file.read().split()]
        except OSError:
            pass
    for one in pids:
        try:
            with open(f"/proc/{one}/smaps_rollup", encoding="ascii") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) / 1024
        except OSError:
            pass
    return total


def measure(binary, config, ledger, core):
    begin = time.monotonic()
    process = subprocess.Popen(["taskset", "-c", str(core), binary, "run", "--once", "--config", config, "--ledger", ledger],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    most = 0.0
    while process.poll() is None:
        most = max(most, memory_of(process.pid))
        time.sleep(0.05)
    seconds = time.monotonic() - begin
    told = process.stderr.read().strip()
    if process.returncode != 0:
        raise SystemExit(f"run --once: {told}")
    return seconds, most, told


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary")
    arguments.add_argument("gen")
    arguments.add_argument("--bytes", default="512M")
    arguments.add_argument("--kind", default="mixed")
    arguments.add_argument("--core", type=int, default=1)
    a = arguments.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    os.makedirs(FOLDER)
    log, config, ledger = (os.path.join(FOLDER, name) for name in ("mail.log", "mailward.toml", "ledger.sqlite"))
    with open(log, "wb") as file:
        subprocess.run([a.gen, "--kind", a.kind, "--bytes", a.bytes, "--seed", "1"], stdout=file, stderr=subprocess.DEVNULL, check=True)
    with open(config, "w", encoding="ascii") as file:
        file.write(f'[input]\nfiles = ["{log}"]\ntimezone = "UTC"\n[judge]\nbrake = 1000000000\n[firewall]\nbackend = "none"\n')
    with open(log, "rb") as file:
        lines = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    for name in ("empty ledger", "all known"):
        seconds, most, told = measure(a.binary, config, ledger, a.core)
        print(f"{name}: {lines} lines in {seconds:.2f} s: {lines / seconds:,.0f} lines a second; {most:.0f} MB; "
              f"ledger {os.path.getsize(ledger) / 1e6:.0f} MB; {re.sub(r'^mailward: ', '', told)}", flush=True)
        with open(log, "rb") as file:  # a day later
            text = file.read()
        os.rename(log, log + ".1")
        with open(log, "wb") as file:
            file.write(re.sub(rb"(?m)^Mar ( \d|\d\d) ", lambda m: b"Apr " + m.group(1) + b" ", text))
        os.unlink(log + ".1")
    shutil.rmtree(FOLDER)


if __name__ == "__main__":
    sys.exit(main())
