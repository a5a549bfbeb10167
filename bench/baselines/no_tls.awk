# Clients that connect and never start TLS, after the second script of document 000: prints
# the addresses that did so more than five times.
#
#   awk -f no_tls.awk [-v id=6] maillog
#
# id: the column of the session id; 6 with traditional stamps, 4 with RFC 3339, 8 with RFC 5424.
BEGIN { if (id == "") id = 6 }

/ smtp connected address=/ {
	address[$id] = substr($(id + 3), 9)
	next
}

/ smtp disconnected reason="io-error: No TLS error"/ { times[address[$id]]++ }

END {
	for (a in times)
		if (times[a] > 5) {
			gsub(/[][]/, "", a)
			print a
		}
}
