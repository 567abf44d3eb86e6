# SPDX-License-Identifier: GPL-2.0
# What lib.awk and the reader of logs share.

# A number that becomes text keeps all its digits. mawk's and POSIX's way for those from
# 2^31 on is "%.6g": 5184012331109 microseconds are two months.
BEGIN {
	CONVFMT = OFMT = "%.0f"
}

# Any other byte as \ooo, as the module writes it
function ascii_only(s,   n, i, c, text) {
	if (!bytes_known)
		for (bytes_known = 1; bytes_known < 256; bytes_known++)
			BYTE[sprintf("%c", bytes_known)] = bytes_known
	n = length(s)
	for (i = 1; i <= n; i++) {
		c = substr(s, i, 1)
		if (c ~ /[ -~]/)
			text = text c
		else
			text = text sprintf("\\%03o", c in BYTE ? BYTE[c] : 0)
	}
	return text
}

# A list so far and what comes before its next item. Not "s (...)": an old
# busybox takes a variable before a bracket for a function's name.
function followed(s, by) {
	return s == "" ? s : s by
}

# A label of Prometheus: of printing ASCII only backslash and quote need an escape. Not by
# gsub(): awks differ in what a backslash means there.
function label_value(v,   i, c, s) {
	if (v !~ /[\\"]/)
		return "\"" v "\""
	for (i = 1; i <= length(v); i++) {
		c = substr(v, i, 1)
		if (c == "\\" || c == "\"")
			s = s "\\"
		s = s c
	}
	return "\"" s "\""
}
