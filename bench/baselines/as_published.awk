# What the scripts of document 000 and 001 print as they were published, errors included, for the
# figures in docs/scripts.md; hard_soft.awk, no_tls.awk and tries.awk are the same with them mended.
#
#   awk -v script=logins|no_tls|tries -f as_published.awk maillog      (traditional stamps only)
#
# Kept as they are: the columns are counted from the left, so another form of stamp finds nothing;
# `||` between two `!=`, which holds for every domain; bare names of letters, digits and dots only;
# IPv6 addresses in their brackets; a session id is never forgotten; and what a client wrote is
# searched for the words that the server writes.
script == "tries" && / smtp connected / { address[$6] = substr($9, 9) }
script != "tries" && /smtp connected address=.*/ {
	split($9, word, "=")
	address[$6] = word[2]
}

script == "logins" && /smtp authentication user=.*@.* result=permfail/ {
	split($9, word, "@")
	if (word[2] != "domain1.example" || word[2] != "domain2.example") hard[address[$6]]++
}
script == "logins" && /smtp authentication user=[[:alnum:].]* result=permfail/ { soft[address[$6]]++ }
script == "no_tls" && /smtp disconnected reason="io-error: No TLS error"/ { soft[address[$6]]++ }
script == "tries" && / smtp authentication / && /result=permfail/ { soft[address[$6]]++ }

END {
	limit = script == "tries" ? 10 : 5
	for (a in hard) print a
	for (a in soft) if (soft[a] > limit) print a
}
