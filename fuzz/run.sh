#!/bin/sh
# ./dev fuzz [SECONDS]: each target for so long, two at a time on two cores. What it learned stays in
# BUILD/corpus/TARGET; the first inputs are made of the logs, rules and policies of the repository.
#   run.sh BUILD SECONDS [TARGET…]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2; shift 2
[ $# -gt 0 ] || for target in "$build"/targets/*; do set -- "$@" "$(basename "$target")"; done
one() {  # one TARGET
  corpus=$build/corpus/$1 findings=$build/findings/$1
  mkdir -p "$corpus" "$findings"
  python3 "$here/seeds.py" "$1" "$corpus"
  log=$build/$1.log
  name=$1
  set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$findings/" "$corpus"
  if "$build/targets/$name" "$@" > "$log" 2>&1; then
    echo "ok      $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs, $(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1) places reached"
  else
    echo "FAILED  $name: see $log; the inputs are in $findings"
    return 1
  fi
}
failed=0
while [ $# -gt 0 ]; do
  one "$1" & first=$!
  shift
  second=
  if [ $# -gt 0 ] && [ "$(nproc)" -gt 1 ]; then one "$1" & second=$!; shift; fi
  wait $first || failed=1
  [ -z "$second" ] || wait "$second" || failed=1
done
exit $failed
