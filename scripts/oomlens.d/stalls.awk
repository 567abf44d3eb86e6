# SPDX-License-Identifier: GPL-2.0
# Stalls, the OOMs that never come: among the events by time, and in sentences. The
# module's history has them; without a history there are none. Of a log they are in the
# order of the log, which tells of their beginning alone.

function stall(i, k) {
	return row_of("stall", "stall", i, k)
}

# Its date; a log may have it in local time, or only the time since boot
function stall_time(i) {
	if (!logged)
		return has_clock() ? utc(now - uptime + num(stall(i, "begin_us")) / 1000000) : "-"
	if (is_number(stall(i, "real_us")))
		return utc(stall(i, "real_us") / 1000000)
	if (stall(i, "wall") != "-")
		return shown(stall(i, "wall"))
	return is_number(stall(i, "begin_us")) ? sprintf("up %.6f s", stall(i, "begin_us") / 1000000) : "-"
}

# "-" while it goes on, or where a log does not tell
function stall_us(i) {
	return is_number(stall(i, "end_us")) && is_number(stall(i, "begin_us")) ? whole(stall(i, "end_us") - stall(i, "begin_us")) : "-"
}

# The module has forgotten the path of "-".
function stall_place(i) {
	if (stall(i, "memcg") == "/")
		return "the machine"
	return stall(i, "memcg") == "-" ? "a cgroup" : "the cgroup " shown(stall(i, "memcg"))
}

function stall_percent(i) {
	return is_decimal(stall(i, "psi_full_max")) ? whole(stall(i, "psi_full_max")) "%" : "-"
}

# How the log has it
function stall_source(i,   s) {
	s = "from the module's line"
	if (num(stall(i, "boot_nr")) > 1)
		s = s ", boot " stall(i, "boot_nr") " of the log"
	return stall(i, "release") == "-" ? s : s ", Linux " shown(stall(i, "release"))
}

# What the log tells of its further course
function after_stall(i) {
	if (!is_number(stall(i, "after_us")))
		return "When it was over is not in the log."
	if (stall(i, "after_us") + 0 < 1000000)
		return "With that the log of this boot ends."
	return "When it was over is not in the log, which goes on for " duration(stall(i, "after_us")) "."
}

# The tasks of a list in words: those with more than 0
function stall_tasks(list, by,   t, n, i, text) {
	n = tasks_of(list, t)
	for (i = 1; i <= n; i++)
		if (t[i, "points"] + 0 > 0)
			text = followed(text, ", ") shown(t[i, "comm"]) " (" t[i, "pid"] ")" by bytes(t[i, "points"])
	return text
}

# "COMM:PID:POINTS,..." into t; how many. A name may have colons and commas.
function tasks_of(list, t,   n, p) {
	while (match(list, /:[0-9]+:-?[0-9]+(,|$)/)) {
		p = substr(list, RSTART + 1, RLENGTH - 1)
		sub(/,/, "", p)
		t[++n, "comm"] = substr(list, 1, RSTART - 1)
		t[n, "pid"] = substr(p, 1, index(p, ":") - 1)
		t[n, "points"] = substr(p, index(p, ":") + 1)
		list = substr(list, RSTART + RLENGTH)
	}
	return n + 0
}

function json_stall(i,   s) {
	s = "{\"stall\":" stall_name[i] ",\"time\":" json_time(stall_time(i))
	s = s "," json_pair("begin_us", stall(i, "begin_us")) "," json_pair("end_us", stall(i, "end_us")) "," json_pair("psi_full_max", stall(i, "psi_full_max")) "," json_pair("memcg", stall(i, "memcg"))
	if (logged)
		s = s ",\"largest\":[" json_tasks(stall(i, "largest"), "points") "],\"fastest\":[" json_tasks(stall(i, "fastest"), "grew") "]"
	return s "}"
}

function json_tasks(list, k,   t, n, i, s) {
	n = tasks_of(list, t)
	for (i = 1; i <= n; i++)
		s = followed(s, ",") "{" json_pair("comm", t[i, "comm"]) "," json_pair("pid", checked("pid", t[i, "pid"])) "," json_pair(k, checked("points", t[i, "points"])) "}"
	return s
}

# Stall i in a sentence
function stall_text(i,   took) {
	took = stall_us(i)
	if (logged && took == "-")
		return "when it began, " stall_percent(i) " of the time no task of " stall_place(i) " could go on for want of memory. " after_stall(i)
	took = took == "-" ? "since then" : "for " duration(took)
	return took ", up to " stall_percent(i) " of the time no task of " stall_place(i) " could go on for want of memory, and there was no OOM in it."
}

# The stalls that began in the last ten minutes before event n, in a sentence
function stalls_before(n,   i, s, t, at) {
	at = num(ev(n, "time_us"))
	for (i = 1; i <= stalls; i++) {
		t = num(stall(i, "begin_us"))
		if (t <= at && t > at - 600000000 && same_boot(i, n))
			s = followed(s, " ") "Stall " stall_name[i] ", " duration(whole(at - t)) " before: up to " stall_percent(i) " of the time no task of " stall_place(i) " could go on for want of memory."
	}
	return s
}

# Of a log: stall i and event n
function same_boot(i, n) {
	return !logged || stall(i, "boot_nr") == rec(n, "log", 1, "boot_nr") || (stall(i, "boot_id") != "-" && stall(i, "boot_id") == rec(n, "log", 1, "boot_id"))
}

# The newest stall, if it began after the event (0: at all)
function newest_stall(n,   i, best) {
	if (logged)
		return stalls && (!n || (events_before[stalls] && event_at[events_before[stalls]] >= n)) ? stalls : 0
	for (i = 1; i <= stalls; i++)
		if (!best || num(stall(i, "begin_us")) > num(stall(best, "begin_us")))
			best = i
	return best && (!n || num(stall(best, "begin_us")) > num(ev(n, "time_us"))) ? best : 0
}
