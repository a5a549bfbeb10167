#!/bin/sh
# ./dev bench [SIZE]: compare.sh on generated logs, one of OpenSMTPD's lines and one of mixed lines.
#   table.sh BINARY GEN [SIZE]     SIZE: 64M if it is not given; the figures of record use 512M
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binary=$1 gen=$2 size=${3:-64M}
folder=$(dirname "$binary")/../bench
mkdir -p "$folder"
status=0
for kind in opensmtpd mixed; do
  log=$folder/$kind-$size.log
  [ -s "$log.truth" ] || "$gen" --kind "$kind" --bytes "$size" --seed 1 --truth "$log.truth" > "$log"
  printf '\n== %s\n' "$kind, $size"
  "$here/compare.sh" --runs 4 --truth "$log.truth" "$binary" "$log" || status=1
done
printf '\n== gzip, opensmtpd, %s\n' "$size"
log=$folder/opensmtpd-$size.log
[ -s "$log.gz" ] || gzip -1 -k "$log"
seconds() { python3 -c 'import subprocess, sys, time
b = time.perf_counter(); subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True); print(f"{time.perf_counter() - b:.2f} s")' "$@"; }
echo "gzip -dc         $(seconds gzip -dc "$log.gz")"
echo "mailward scan    $(seconds "$binary" scan --format plain "$log.gz")"
exit $status
