#!/bin/sh
# The pipeline of document 002 over a file instead of the journal: every address on a line
# that speaks of a password prompt, of a name that does not resolve, or of a rejection.
#
#   finder.sh [-c] FILE      -c: with how often each address was found, most first
#
# It also prints addresses that the client wrote itself (a HELO of [10.0.0.7], say), and each
# line's addresses as often as the line names them. That is the baseline's way, kept as it is.
set -eu

count=no
if [ "${1-}" = -c ]; then count=yes; shift; fi
if [ $# -ne 1 ]; then echo "usage: finder.sh [-c] FILE" >&2; exit 2; fi

group='[0-9a-fA-F]{1,4}'
byte='(25[0-5]|(2[0-4]|1?[0-9])?[0-9])'
quad="($byte\\.){3}$byte"
v4='([0-9]{1,3}\.){3}[0-9]{1,3}'
v6="($group:){7}$group|($group:){1,7}:|($group:){1,6}:$group|($group:){1,5}(:$group){1,2}"
v6="$v6|($group:){1,4}(:$group){1,3}|($group:){1,3}(:$group){1,4}|($group:){1,2}(:$group){1,5}"
v6="$v6|$group:(:$group){1,6}|:((:$group){1,7}|:)|fe80:(:[0-9a-fA-F]{0,4}){0,4}%[0-9a-zA-Z]+"
v6="$v6|::(ffff(:0{1,4})?:)?$quad|($group:){1,4}:$quad"

found() { grep -E 'UGFzc3dvcmQ6|not resolve|reject' "$1" | grep -oE "$v4|$v6" | sort; }

if [ $count = yes ]; then found "$1" | uniq -c | sort -rn; else found "$1" | uniq; fi
