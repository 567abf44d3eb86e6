# SPDX-License-Identifier: GPL-2.0
# status: the sources that the module can use, and its counters.
#
# In: json, version (of the command), module (its version; empty: not known).

BEGIN {
	GIVES["notifier"] = "OOMs of the machine, as they begin"
	GIVES["mark_victim"] = "the victims"
	GIVES["oom_probe"] = "each call with its outcome, OOMs of cgroups"
	GIVES["memcg"] = "cgroups: columns, scopes, limits"
	GIVES["psi"] = "stalls of the machine and of cgroups"
	GIVES["procfs"] = "values that the kernel does not export"
	GIVES["sysrq"] = "trigger kill"
	GIVES["debugfs"] = "trigger and reserve"
}

function on_row() {
}

function missing_source(option) {
	if (option == "")
		return "not there"
	return option ~ /^CONFIG/ ? option " is not set in this kernel" : option
}

function print_versions() {
	print left("version", 12) " " (module == "" ? version : version "; the module " module)
}

# A line of the features or stats, which take_line() has checked
function take_status(   k, v) {
	k = $1
	v = substr($0, length($1) + 2)
	if (file == "features") {
		v = $2 == "yes" ? "yes" : "no: " missing_source($3)
		if (k in GIVES)
			v = followed(v, $2 == "yes" ? " " : "; it would give: ") GIVES[k]
		print left(k, 12) " " v
	} else if (k != "now_us") {
		print left(k, 12) " " (k in IS_NUMBER ? checked(k, $2) : v)
	}
}

# The openers are lines of one key, and come last.
function json_line(   i, p, s) {
	if ($1 != "opener") {
		if (!((file, $1) in told_key))
			text[file] = followed(text[file], ",") (file == "features" ? json_text($1) ":" json_text(substr($0, length($1) + 2)) : json_pair($1, checked($1, $2)))
		told_key[file, $1] = 1
		return
	}
	s = "\"file\":" json_text($2)
	for (i = 3; i <= NF; i++)
		if ((p = index($i, "=")) && substr($i, 1, p - 1) ~ /^(pid|uid|comm)$/ && index(s, "\"" substr($i, 1, p - 1) "\":") == 0)
			s = s "," json_pair(substr($i, 1, p - 1), checked(substr($i, 1, p - 1), substr($i, p + 1)))
	openers = followed(openers, ",") "{" s "}"
}

FNR == 1 && !json && !versions_printed {
	versions_printed = 1
	print_versions()
}

FNR > 1 {
	if (json)
		json_line()
	else
		take_status()
}

END {
	if (json && !dying)
		print "{\"version\":" json_text(version) ",\"module\":" (module == "" ? "null" : json_text(module)) ",\"features\":{" text["features"] "},\"stats\":{" text["stats"] "},\"openers\":[" openers "]}"
}
