# SPDX-License-Identifier: GPL-2.0
# The command "why", over the sentences of why.awk, which the report uses too.

# Of the table commit, which is read in mode 2, the row with the largest charge
function on_row() {
	if (file == "commit" && most_pid == "" && is_number(cell("charge"))) {
		most_pid = cell("pid")
		most_comm = cell("comm")
		most_charge = cell("charge")
	}
}

# In mode 2 the kernel refuses memory over the limit, without an OOM and without a count.
# This explains a "fork: Cannot allocate memory" for which there is no event.
function refusal(   s) {
	if (logged || asked != "" || key("overcommit", "mode") != "2")
		return ""
	s = "vm.overcommit_memory is 2: a request that would exceed the commit limit is refused (\"Cannot allocate memory\"), and that is no OOM."
	s = s "" (events ? ago(ev(event_at[events], "time_us"), " The last OOM was ", ".") : " There has been no OOM since the module was loaded.")
	s = s " Of the limit of " bytes(key("overcommit", "commit_limit")) " " bytes(key("overcommit", "committed")) " is promised; a mapping of up to " bytes(key("overcommit", "max_mapping_user")) " would be granted now, to root up to " bytes(key("overcommit", "max_mapping_root")) "."
	if (most_pid != "")
		s = s " " named(most_comm, most_pid) " holds most of the promise, " bytes(most_charge) " (oomlens commit " most_pid ")."
	return s
}

# What a log tells of refusals: newer kernels print a line for each, ten in five seconds
function refusals_in_log(   n) {
	n = num(rec(0, "refused", 1, "count"))
	if (!logged || !n)
		return ""
	return "By this log the kernel refused " plural(n, "request", "requests") " for memory that it could not promise, the last of " named(rec(0, "refused", 1, "comm"), rec(0, "refused", 1, "pid")) ", for " (is_number(rec(0, "refused", 1, "bytes")) ? scaled(rec(0, "refused", 1, "bytes") / 1024, " ") "iB" : "an unknown amount") ". It prints at most ten such lines in five seconds."
}

# The sentences for other programs, one object
function why_json(n, waited, newer,   s, i, k, name) {
	explain(n)
	s = "{\"event\":" n ",\"time\":" json_time(event_time(n))
	s = s "," json_pair("kind", ev(n, "kind")) ",\"result\":" json_value("result", ev(n, "outcome"))
	if (count(n, "victim"))
		s = s ",\"victim\":{" json_pair("pid", rec(n, "victim", 1, "pid")) "," json_pair("comm", rec(n, "victim", 1, "comm")) "}"
	s = s ",\"waited\":" waited + 0
	k = split("outcome shortage although holder choice recovery lacks blind", name, " ")
	for (i = 1; i <= k; i++)
		s = s ",\"" name[i] "\":" (told[name[i]] == "" ? "null" : json_text(told[name[i]]))
	s = s ",\"advice\":["
	for (i = 1; i <= advices; i++)
		s = s comma(i) json_text(untabbed(advice[i]))
	return s "],\"stall\":" json_told_stall(newer) "," json_refusal() "}"
}

# Stall i (0: none) with its sentence and the advice
function json_told_stall(i,   s) {
	if (!i)
		return "null"
	s = json_stall(i)
	return substr(s, 1, length(s) - 1) ",\"text\":" json_text(stall_text(i)) ",\"advice\":[" json_text(untabbed(stall_advice(i))) "]}"
}

function stall_advice(i,   path, how) {
	path = stall(i, "memcg")
	if (path == "/")
		return "The working set is larger than memory: fewer processes at once, memory.high or memory.max of what may wait (MemoryHigh=, MemoryMax= of its unit), memory.low of what may not, more RAM. A watchdog in user space (systemd-oomd, earlyoom) kills in such a state, the kernel does not."
	how = limits_of(path, "MemoryHigh=SIZE MemoryMax=SIZE")
	return "The working set of " (path == "-" ? "that cgroup" : shown(path)) " is larger than it could have: fewer processes in it, or higher limits, memory.high and memory.max of it" (how == "" ? "" : " (" how ")") " and of the cgroups above it. memory.events of each tells which held it up (high, max); if all are 0, the machine's memory was short."
}

# The place of the stall of that name; of a log's boots the last
function stall_of(name,   i) {
	for (i = stalls; i > 0 && stall_name[i] + 0 != name + 0; i--)
		;
	return i + 0
}

function json_refusal(   s) {
	s = refusal() "" refusals_in_log()
	return "\"refusal\":" (s == "" ? "null" : json_text(s))
}

# The explanation, or that there is nothing to explain; and what was refused without an OOM
function print_why(n, waited,   width, first, last) {
	width = wide >= 40 && wide < 100 ? wide : 80
	first = refusal()
	last = refusals_in_log()
	if (first != "")
		print wrapped("", first, width)
	if (first != "" && events)
		print ""
	if (events)
		why(n, waited)
	else if (logged)
		print "There is no OOM in this log."
	else if (first == "")
		print "There has been no OOM since the module was loaded. \"oomlens rank\" shows which process would be next."
	if (last != "")
		print "\n" wrapped("", last, width)
}

function sentence(text) {
	return text == "" ? "" : text "."
}

# A stall: what was largest and what grew when it began, by the samples around it
function why_stall(i,   width, last, first, text, g, path, listed) {
	width = wide >= 40 && wide < 100 ? wide : 80
	print wrapped("", "Stall " stall_name[i] ", " stall_time(i) "" (logged ? " (" stall_source(i) ")" : ago(stall(i, "begin_us"), " (", ")")) ": " stall_text(i), width)
	if (logged) {
		use_page_of(stall(i, "page_kb"))
		chapter("What was largest", sentence(stall_tasks(stall(i, "largest"), " with ")), width)
		chapter("What had grown most", sentence(stall_tasks(stall(i, "fastest"), " by ")), width)
	}
	order_samples()
	for (last = moments; last > 1 && WHEN[last] + newest > num(stall(i, "begin_us")) / 1000000; last--)
		;
	for (first = last; first > 1 && WHEN[last] - WHEN[first] < 600; first--)
		;
	if (first < last) {
		moments = last
		what_grows(first)
		path = stall(i, "memcg")
		for (g = 1; g <= GAINS["task"] && listed < 3; g++)
			if (path == "/" || index(G["task", g, "memcg"] "/", path "/") == 1) {
				listed++
				text = followed(text, ", ") named(G["task", g, "name"], G["task", g, "pid"]) " by " pace_text(G["task", g, "pace"])
			}
		chapter("What grew before it", sentence(text), width)
	}
	chapter("What could be done", stall_advice(i), width)
}

END {
	if (!dying && !unread("overcommit events")) {
		asked = only
		if (only ~ /^s/) {
			newer = stall_of(substr(only, 2))
			if (!newer)
				die(5, "no stall " substr(only, 2) (stalls ? ": the newest is " stall_name[stalls] : ": there was none"))
			if (json)
				print "{\"event\":null,\"stall\":" json_told_stall(newer) "," json_refusal() "}"
			else
				why_stall(newer)
			exit
		}
		if (only == "") {
			only = telling_event()
			waited = event_at[events] - only
			newer = newest_stall(events ? only : 0)
		}
		if (newer && !json) {
			why_stall(newer)
			if (events)
				print "\nThe last OOM was before it: oomlens why " only
			exit
		}
		if (asked != "" && !(only in has_event))
			die(5, not_kept(only))
		if (!json)
			print_why(only, waited)
		else if (events)
			print why_json(only, waited, newer)
		else
			print "{\"event\":null,\"stall\":" json_told_stall(newer) "," json_refusal() "}"
	}
}
