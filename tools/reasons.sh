#!/bin/sh
# A silenced warning needs its reason: `NOLINT(name): why`, `shellcheck disable=… # why`.
cd "$(dirname "$0")/.." || exit 1
if grep -rnE 'NOLINT' src fuzz bench --include='*.cc' --include='*.h' --include='*.inc' | grep -vE 'NOLINT(NEXTLINE|BEGIN|END)?\([a-z0-9.,-]+\): .{8}'; then
  echo 'a NOLINT without its check or its reason'
  exit 1
fi
if grep -rnE 'shellcheck disable=' .ci dev bench fuzz tests tools packaging | grep -vE 'shellcheck disable=[A-Z0-9,]+ +# .{8}' | grep -v '^tools/reasons.sh:'; then
  echo 'a shellcheck without its reason'
  exit 1
fi
