# SPDX-License-Identifier: GPL-2.0
# The results of check and rehearse, "LINE tab STATUS tab TEXT tab FOUND", as KTAP, as one
# object, or for Prometheus.
#
# In: json, metrics, first and last (the events of the run; empty: none); from the environment
# OOMLENS_TITLE, OOMLENS_FILE, OOMLENS_IN, OOMLENS_DO.

# Before lib.awk, which would take the line for a key
{
	take_result()
	next
}

function on_row() {
}

function take_result(   part) {
	split($0, part, "\t")
	n++
	number[n] = part[1]
	status[n] = part[2]
	text[n] = part[3]
	found[n] = part[4]
	bad += part[2] == "not ok"
}

# A text as the module would write a name, which json_text() takes
function told(s,   i, c, code, out) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c ~ /[ -~]/ && c != "\\") {
			out = out c
			continue
		}
		for (code = 1; code < 256 && sprintf("%c", code) != c; code++)
			;
		out = out sprintf("\\%03o", code)
	}
	return json_text(out)
}

function env(name) {
	return name in ENVIRON && ENVIRON[name] != "" ? told(ENVIRON[name]) : "null"
}

function print_json(   i, s) {
	for (i = 1; i <= n; i++)
		s = followed(s, ",") "{\"line\":" number[i] ",\"expect\":" told(text[i]) ",\"result\":\"" (status[i] == "not ok" ? "failed" : status[i] == "ok" ? "ok" : "skipped") "\",\"found\":" told(found[i]) "}"
	print "{\"file\":" env("OOMLENS_FILE") ",\"title\":" env("OOMLENS_TITLE") ",\"in\":" env("OOMLENS_IN") ",\"do\":" env("OOMLENS_DO") ",\"events\":" (last >= first && first != "" ? "[" first "," last "]" : "null") ",\"run\":" env("OOMLENS_SAID") ",\"ok\":" (bad ? "false" : "true") ",\"results\":[" s "]}"
}

# A policy is one file: where it stands differs from machine to machine
function policy(   s) {
	s = ENVIRON["OOMLENS_FILE"]
	sub(/.*\//, "", s)
	return "policy=" label_value(ascii_only(s))
}

function print_metrics(   i, skipped) {
	print "# HELP oomlens_check_ok Whether an expectation of a policy holds (oomlens check)."
	print "# TYPE oomlens_check_ok gauge"
	for (i = 1; i <= n; i++)
		if (status[i] == "skip")
			skipped++
		else
			print "oomlens_check_ok{" policy() ",line=\"" number[i] "\",expect=" label_value(ascii_only(text[i])) "} " (status[i] == "ok")
	print "# HELP oomlens_check_failed Expectations of a policy that do not hold."
	print "# TYPE oomlens_check_failed gauge"
	print "oomlens_check_failed{" policy() "} " whole(bad)
	print "# HELP oomlens_check_skipped Expectations that cannot be told here."
	print "# TYPE oomlens_check_skipped gauge"
	print "oomlens_check_skipped{" policy() "} " whole(skipped)
}

# What KTAP ends a description with
function described(s) {
	gsub(/#/, "\\#", s)
	return s
}

# The run and its events
function run_told(   s) {
	s = "# did " ENVIRON["OOMLENS_DO"]
	if (ENVIRON["OOMLENS_IN"] != "")
		s = s " in " ENVIRON["OOMLENS_IN"]
	if (last < first)
		return s ": there was no OOM"
	s = s ": event " first
	if (last > first)
		s = s " to " last
	return s ", oomlens why " first
}

function print_ktap(   i) {
	print "KTAP version 1"
	if (ENVIRON["OOMLENS_TITLE"] != "")
		print "# " ENVIRON["OOMLENS_TITLE"]
	if (first != "" && ENVIRON["OOMLENS_DO"] != "")
		print run_told()
	# Of a run that ended otherwise than it should
	if (ENVIRON["OOMLENS_SAID"] != "")
		print "# " described(ENVIRON["OOMLENS_SAID"])
	print "1.." n
	for (i = 1; i <= n; i++) {
		if (status[i] == "not ok")
			print "# line " number[i] ": found: " found[i]
		print (status[i] == "not ok" ? "not ok " : "ok ") i " " described(text[i]) (status[i] == "skip" ? " # SKIP " found[i] : "")
	}
}

END {
	if (!dying) {
		bad += ENVIRON["OOMLENS_SAID"] != ""
		first = first == "" ? "" : first + 0
		last += 0
		if (metrics)
			print_metrics()
		else if (json)
			print_json()
		else
			print_ktap()
		exit bad > 0
	}
}
