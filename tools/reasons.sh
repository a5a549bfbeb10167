#!/bin/sh
# A silenced warning needs its reason: `NOLINT(name): why`, `shellcheck disable=… # why`.
cd "$(dirname "$0")/.." || exit 1
if grep -rnE 'NOLINT' src fuzz bench --include='*.cc' --include='*.h' --include='*.inc' | grep -vE 'NOLINT(NEXTLINE|BEGIN|END)?\([a-z0-9.,-]+\): .{8}'; then
  echo 'a NOLINT without its check or its reason'
  exit 1
fi
