#!/usr/bin/env bash
# Measures `mailward scan` beside what people use today, on one log, in one run.
#
#   compare.sh [--runs 5] [--skip gawk,finder,…] [--truth FILE] BINARY FILE
#
# Every round runs each command once, in turn, so that a change of the machine's mood meets all of
# them; the first round only warms the page cache and isn't counted. A command that is done in less
# than 0.4 s is run up to five times in each round, for one hiccup would spoil its figure. Without
# a BINARY (`-`, or a path where nothing is) the baselines alone are measured.
#
# Rows: `mawk` and `gawk` are both scripts of document 000, one after the other, which is the
# work that one scan does; `mawk-logins` is the first script alone. `finder` is document 002's
# pipeline in the C locale (in a UTF-8 locale it takes six to nine times as long). Peak RSS is that
# of the largest single process. Ratios are taken between the shortest runs; with `_cpu`, between
# the least processor time, which a busy machine distorts less.
#
# The offenders of the scan are held against those of the scripts, or with --truth against the
# preset `strikes` in the file that the generator wrote, which is right for any kind of log. The
# scripts know OpenSMTPD only: on a log that has more in it a scan must find more.
#
# Ends with 1 when the BINARY fails or its offenders differ, 2 on wrong usage; a baseline that can't
# run is named and left out. The last line is for programs:
#   summary bytes=… wc_s=… mawk_s=… scan1_s=… scan1_rss_mb=… x_mawk=… same=yes|no|none offenders=…
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
runs=5 skip='' truth=''
while [ $# -gt 0 ]; do
  case $1 in
    --runs) runs=$2; shift 2 ;;
    --skip) skip=$2; shift 2 ;;
    --truth) truth=$2; shift 2 ;;
    --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) break ;;
  esac
done
if [ $# -ne 2 ] || [ ! -r "$2" ]; then
  echo "usage: compare.sh [--runs N] [--skip ROW,…] [--truth FILE] BINARY FILE" >&2; exit 2
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 - "$here/baselines" "$1" "$2" "$runs" "$skip" "$truth" "$scratch" <<'PYTHON'
import json, os, shlex, shutil, statistics, subprocess, sys, time

baselines, binary, log, runs, skip, truth, scratch = sys.argv[1:]
runs, skip = max(int(runs), 2), set(skip.split(",")) - {""}
size = os.path.getsize(log)
environment = dict(os.environ, LC_ALL="C")
gnu_time = "/usr/bin/time" if os.path.exists("/usr/bin/time") else None
quote = shlex.quote

def id_column():
    with open(log, "rb") as f:
        first = f.readline()
    if first[:1] == b"<": return 8        # RFC 5424
    if first[:4].isdigit(): return 4      # RFC 3339
    return 6

def awk(name, *scripts):
    return " && ".join(f"{name} -v id={id_column()} -f {quote(os.path.join(baselines, s))} {quote(log)}" for s in scripts)

scan = f"{quote(os.path.abspath(binary))} scan --policy strikes --local-domain domain1.example --local-domain domain2.example --format plain"
rows = {
    "wc": ("wc", f"wc -l {quote(log)}"),
    "grep": ("grep", f"grep -c permfail {quote(log)}"),
    "mawk-logins": ("mawk", awk("mawk", "hard_soft.awk")),
    "mawk": ("mawk", awk("mawk", "hard_soft.awk", "no_tls.awk")),
    "mawk-tries": ("mawk", awk("mawk", "tries.awk")),
    "gawk": ("gawk", awk("gawk", "hard_soft.awk", "no_tls.awk")),
    "finder": ("grep", f"{quote(os.path.join(baselines, 'finder.sh'))} -c {quote(log)}"),
    "scan1": (binary, f"{scan} --threads 1 {quote(log)}"),
    "scan": (binary, f"{scan} {quote(log)}"),
}
if binary == "-" or not (os.path.isfile(binary) and os.access(binary, os.X_OK)):
    print(f"no binary at {binary}: baselines only")
    del rows["scan1"], rows["scan"]
for name in list(rows):
    if name in skip or not (rows[name][0] == binary or shutil.which(rows[name][0])):
        print(f"left out: {name}")
        del rows[name]

seconds, cpu, rss, failed = {n: [] for n in rows}, {n: [] for n in rows}, {n: [] for n in rows}, {}

def run(name):
    note, out = os.path.join(scratch, "time"), os.path.join(scratch, name)
    command = ["/bin/sh", "-c", rows[name][1]]
    if gnu_time: command = [gnu_time, "-q", "-f", "%M", "-o", note] + command
    with open(out, "wb") as stdout, open(out + ".err", "wb") as stderr:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, stdin=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    # Without GNU time the figure for memory can't fall below that of this script itself (10 MB).
    kilobytes = int(open(note).read().split()[-1]) if gnu_time else usage.ru_maxrss
    # grep -c ends with 1 when it counts nothing
    if process.returncode not in ((0, 1) if name == "grep" else (0,)):
        text = open(out + ".err", errors="replace").read().strip().splitlines()
        failed[name] = f"exit {process.returncode}: {text[-1] if text else 'says nothing'}"
    return wall, usage.ru_utime + usage.ru_stime, kilobytes / 1024

for round_number in range(runs):
    for name in list(rows):
        spent, repeats = 0.0, 0
        while name not in failed and spent < 0.4 and repeats < 5:
            wall, busy, megabytes = run(name)
            spent, repeats = spent + wall, repeats + 1
            if round_number == 0: break
            if name not in failed:
                seconds[name].append(wall), cpu[name].append(busy), rss[name].append(megabytes)

best = {n: min(seconds[n]) for n in rows if seconds[n] and n not in failed}
print(f"{size / 2**20:.0f} MiB, {runs - 1} counted rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
print(f"{'':12} {'min s':>8} {'median s':>9} {'cpu s':>8} {'MB/s':>8} {'RSS MB':>8}   of wc   of mawk")
for name in rows:
    if name not in best:
        print(f"{name:12} failed, {failed.get(name)}")
        continue
    ratios = "".join(f"{best[name] / best[other]:>8.2f}x" if other in best else f"{'-':>9}" for other in ("wc", "mawk"))
    print(f"{name:12} {best[name]:8.3f} {statistics.median(seconds[name]):9.3f} {min(cpu[name]):8.3f} "
          f"{size / best[name] / 1e6:8.0f} {max(rss[name]):8.1f} {ratios}")

least = {n: min(cpu[n]) for n in best}
def ratio(slow, quick, of=None):
    of = of or best
    return of[slow] / of[quick] if slow in of and of.get(quick) else None

for thing, label in (("scan1", "one thread"), ("scan", "all threads")):
    if thing not in best: continue
    words = [f"{ratio(o, thing):.1f} times as fast as {o}" for o in ("mawk", "gawk", "finder") if ratio(o, thing)]
    if ratio(thing, "wc"): words.append(f"{ratio(thing, 'wc'):.1f} times the time of wc")
    print(f"{label}: " + ", ".join(words))

def addresses(*names):
    found = set()
    for name in names:
        with open(os.path.join(scratch, name), errors="replace") as f:
            found |= {line.strip() for line in f if line.strip()}
    return found

same, expected = "none", set()
reference = next((n for n in ("mawk", "gawk") if n in best), None)
if truth:
    with open(truth) as f:
        expected = set(json.load(f)["offenders"]["strikes"])
    if reference:
        by_scripts = addresses(reference)
        print(f"the scripts against the truth: {len(by_scripts & expected)} of {len(expected)}, {len(by_scripts - expected)} others")
elif reference:
    expected = addresses(reference)
for name in ("scan1", "scan"):
    if name not in best or not (truth or reference): continue
    found = addresses(name)
    if same != "no": same = "yes" if found == expected else "no"
    if found != expected:
        print(f"{name}: {len(found - expected)} too many, {len(expected - found)} missing; "
              f"e.g. {sorted(found - expected)[:3]} and {sorted(expected - found)[:3]}")
if "scan1" in failed or "scan" in failed: same = "no"
print(f"same offenders: {same} ({len(expected)})")

def shown(value): return "-" if value is None else f"{value:.3f}"
print("summary", f"bytes={size}", " ".join(f"{n.replace('-', '_')}_s={shown(best.get(n))}" for n in ("wc", "grep", "mawk-logins", "mawk", "gawk", "finder", "scan1", "scan")),
      " ".join(f"{n}_rss_mb={shown(max(rss[n]) if n in best else None)}" for n in ("mawk", "scan1", "scan")),
      f"x_mawk={shown(ratio('mawk', 'scan1'))} x_mawk_cpu={shown(ratio('mawk', 'scan1', least))} x_gawk={shown(ratio('gawk', 'scan1'))} x_finder={shown(ratio('finder', 'scan1'))} of_wc={shown(ratio('scan1', 'wc'))}",
      f"x_mawk_all={shown(ratio('mawk', 'scan'))} same={same} offenders={len(expected)}")
sys.exit(1 if same == "no" else 0)
PYTHON
