# SPDX-License-Identifier: GPL-2.0
# status: the sources that the module can use, and its counters.

function on_row() {
}

function missing_source(option) {
	if (option == "")
		return "not there"
	return option ~ /^CONFIG/ ? option " is not set in this kernel" : option
}

# take_line() has checked the line.
FNR > 1 {
	if (file == "features")
		print left($1, 12) " " ($2 == "yes" ? "yes" : "no: " missing_source($3))
	else if ($1 != "now_us")
		print left($1, 12) " " ($1 in IS_NUMBER ? checked($1, $2) : substr($0, length($1) + 2))
}
