#!/usr/bin/env python3
"""Does the cost of a scan grow with the log only, and in a straight line?

    growth.py BINARY GEN [LARGEST]      LARGEST: 1G, or 4G for the figures of record

Two tables: one log at growing sizes (time, rate, memory; one thread), and one log with more and more
rule files among the installed ones: copies of them for daemons that don't occur.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPIES = [0, 1, 3, 9]
SIZES = ["1M", "4M", "16M", "64M", "256M", "1G", "4G"]


def run(command, environment=None):
    """(seconds, megabytes)"""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    spent = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit {process.returncode}: {process.stderr.read().decode(errors='replace')}")
    process.stderr.close()
    return spent, usage.ru_maxrss / 1024


def measured(command, environments=(None,), rounds=3):
    """(least seconds, most megabytes) for each environment; they take turns, so that the machine's mood meets all."""
    runs = [[run(command, each) for each in environments] for _ in range(rounds)]
    return [(min(s for s, _ in column), max(m for _, m in column)) for column in zip(*runs)]


def copies(folder, times):
    """Rule files for daemons with other names: the same patterns, other programs."""
    for number in range(times):
        for path in sorted((ROOT / "rules").glob("*.toml")):
            text = path.read_text(encoding="utf-8")
            text = re.sub(r'^daemon(\s*)=(\s*)"', rf'daemon\1=\2"copy{number}-', text, flags=re.M)
            text = re.sub(r"^(match\s*=\s*\[)([^\]]*)\]", lambda m: m.group(1) + re.sub(r'"([^"]*)"', rf'"copy{number}-\1"', m.group(2)) + "]", text, flags=re.M)
            text = re.sub(r'^group(\s*)=(\s*)"', rf'group\1=\2"copy{number}-', text, flags=re.M)
            (folder / f"copy{number}-{path.name}").write_text(text, encoding="utf-8")


def main():
    binary, gen, largest = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "1G"
    scan = [binary, "scan", "--threads", "1", "--format", "plain", "--policy", "strikes"]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR") or "/var/tmp") as name:
        folder = pathlib.Path(name)
        print(f"{'size':>6} {'s':>8} {'MB/s':>8} {'RSS MB':>8}")
        for size in SIZES[: SIZES.index(largest) + 1]:
            log = folder / "mail.log"
            with open(log, "wb") as out:
                subprocess.run([gen, "--kind", "mixed", "--bytes", size, "--seed", "1"], stdout=out, check=True)
            [(seconds, megabytes)] = measured(scan + [str(log)])
            print(f"{size:>6} {seconds:8.3f} {log.stat().st_size / seconds / 1e6:8.0f} {megabytes:8.1f}", flush=True)
            if size == "256M":
                os.rename(log, folder / "kept.log")
        log = folder / "kept.log"
        if not log.exists():
            return
        print(f"\n{'rules':>6} {'s':>8} {'MB/s':>8} {'RSS MB':>8}   (256M)")
        environments = []
        for times in COPIES:
            # As if they were installed: rules of a site's own are proved at every start, and that has its price.
            data = folder / f"data{times}"
            shutil.copytree(ROOT / "rules", data / "rules")
            shutil.copytree(ROOT / "policy", data / "policy")
            copies(data / "rules", times)
            environments.append(dict(os.environ, MAILWARD_DATA=str(data)))
        for times, (seconds, megabytes) in zip(COPIES, measured(scan + [str(log)], environments, rounds=7)):
            print(f"{times + 1:>5}x {seconds:8.3f} {log.stat().st_size / seconds / 1e6:8.0f} {megabytes:8.1f}", flush=True)


if __name__ == "__main__":
    main()
