# Refused logins in an OpenSMTPD log, after the first script of document 000: prints the
# addresses that the preset `strikes` calls offenders for their logins.
#
#   awk -f hard_soft.awk [-v id=6] maillog
#
# id: the column of the session id; 6 with traditional stamps, 4 with RFC 3339, 8 with RFC 5424.
#
# Two things differ from the document, on purpose. Its test of the domain joins two `!=` with `||`,
# which holds for every domain, so that a wrong password for one's own domain is a hard strike too;
# here it is the `&&` that was meant. And its soft strikes count bare names made of letters, digits
# and dots only, so that nobody counts names such as www-data, nor those at a domain of one's own;
# here every refused login that is no hard strike is a soft one, as in the preset.
#
# Like the document's script it keeps each session id for ever: that is what memory is spent on.
BEGIN { if (id == "") id = 6 }

/ smtp connected address=/ {
	address[$id] = substr($(id + 3), 9)
	next
}

/ smtp authentication user=.* result=permfail/ {
	at = index($(id + 3), "@")
	domain = at ? substr($(id + 3), at + 1) : ""
	if (at && domain != "domain1.example" && domain != "domain2.example")
		hard[address[$id]]++
	else
		soft[address[$id]]++
}

END {
	for (a in hard) show(a)
	for (a in soft) if (soft[a] > 5 && !(a in hard)) show(a)
}

function show(a) {	# OpenSMTPD writes IPv6 addresses in brackets
	gsub(/[][]/, "", a)
	print a
}
