# Refused logins counted per address, after the script of document 001: prints the addresses
# with more than `tries` of them, as the preset `tries` does.
#
#   awk -f tries.awk [-v tries=10] [-v id=6] maillog
#
# id: the column of the session id; 6 with traditional stamps, 4 with RFC 3339, 8 with RFC 5424.
BEGIN {
	if (id == "") id = 6
	if (tries == "") tries = 10
}

/ smtp connected / { address[$id] = substr($(id + 3), 9) }

/ smtp authentication / && /result=permfail/ { refused[address[$id]]++ }

END {
	for (a in refused)
		if (refused[a] > tries + 0) {
			gsub(/[][]/, "", a)
			print a
		}
}
