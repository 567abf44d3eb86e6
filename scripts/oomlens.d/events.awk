# SPDX-License-Identifier: GPL-2.0
# events: one line an event, or one JSON object a line.
#
# In: json, after (only later events), only (that event), rows (the last ones),
# title (print the column names), wide, now, uptime.

function on_row() {
}

function json_event(n,   s) {
	use_page(n)
	s = "{\"event\":" n "," json_record(line_of[n, "event", 0], "event time page_kb log memory memcg_state zones candidates victims growths objects slabs")
	s = s ",\"time\":" json_time(event_time(n)) ",\"page_kb\":" page_kb()
	if (count(n, "log"))
		s = s ",\"log\":{" json_record(line_of[n, "log", 1]) "}"
	if (count(n, "memory"))
		s = s ",\"memory\":{" json_record(line_of[n, "memory", 1]) "}"
	if (count(n, "memcg"))
		s = s ",\"memcg_state\":{" json_record(line_of[n, "memcg", 1]) "}"
	return s json_list(n, "zone") json_list(n, "candidate") json_list(n, "victim") json_list(n, "growth") json_list(n, "object") json_list(n, "slab") "}"
}

function json_list(n, type,   i, s) {
	for (i = 1; i <= count(n, type); i++)
		s = followed(s, ",") "{" json_record(line_of[n, type, i]) "}"
	return ",\"" type "s\":[" s "]"
}

function print_title() {
	if (!wide || wide >= 128)
		print clip(right("EVENT", 5) " " left("TIME (UTC)", 20) " " left("KIND", 9) " " left("ASKED BY", 9) " " left("OUTCOME", 9) " " left("CALLER", 22) " " left("VICTIM", 22) right("FREED", 8) right("IN", 9) "  CGROUP")
	else
		print_narrow("EVENT", "TIME (UTC)", "KIND", "OUTCOME", "VICTIM", "FREED", "CGROUP")
}

# Has fewer columns; a wide screen and "why" show the rest. FREED goes before CGROUP does.
function print_narrow(event, time, kind, outcome, victim, freed, memcg,   s) {
	if (wide < 78) {
		print clip(right(event, 5) " " (event == "EVENT" ? "TIME    " : time ~ /T/ ? substr(time, 12, 8) : left(substr(time, 4, 8), 8)) " " left(outcome, 9) " " victim)
		return
	}
	s = right(event, 5) " " left(substr(without_year(time), 1, 15), 15) " " left(kind, 9) " " left(outcome, 9) " " left(victim, 22)
	if (wide >= 96)
		s = s "" right(freed, 8)
	print clip(s "  " middle(memcg, wide - length(s) - 2))
}

function without_year(time) {
	return time ~ /^[0-9]+-[0-9]+-[0-9]+T/ ? substr(time, 6, 5) " " substr(time, 12, 8) : time
}

function task(comm, pid) {
	return comm == "-" && pid == "-" ? "-" : shown(comm) " (" pid ")"
}

# A time in the 8 columns of IN: 12m30s
function in_column(us,   s) {
	s = duration(us)
	if (length(s) > 8) {
		gsub(/ /, "", s)
		sub(/min/, "m", s)
	}
	return s
}

function print_event(n,   victim, freed, took, all, s) {
	use_page(n)
	victim = freed = took = "-"
	if (count(n, "victim")) {
		victim = task(rec(n, "victim", 1, "comm"), rec(n, "victim", 1, "pid"))
		# More may have died than the module keeps.
		all = num(ev(n, "victims"))
		if (all < count(n, "victim"))
			all = count(n, "victim")
		if (all > 1)
			victim = victim " +" all - 1
		freed = (all > count(n, "victim") ? ">" : "") size(victim_pages(n))
		took = in_column(all_freed_us(n))
	} else if (ev(n, "outcome") == "averted") {
		victim = "(by " ev(n, "by") ")"
	}
	if (wide && wide < 128) {
		print_narrow(n, event_time(n), ev(n, "kind"), ev(n, "outcome"), victim, freed, shown(ev(n, "memcg")))
		return
	}
	s = right(n, 5) " " left(event_time(n), 20) " " left(ev(n, "kind"), 9) " " left(ev(n, "trigger"), 9) " " left(ev(n, "outcome"), 9) " " left(task(ev(n, "comm"), ev(n, "pid")), 22) " " left(victim, 22) right(freed, 8) " " right(took, 8) "  "
	print clip(s middle(shown(ev(n, "memcg")), wide - length(s)))
}

# Whether it is over; a log does not tell
function stall_state(i) {
	return stall_us(i) != "-" ? "over" : logged ? "-" : "goes on"
}

# Its row among the events: the number with an s, how much of the time for a victim
function print_stall(i,   s) {
	if (json) {
		print json_stall(i)
	} else if (wide && wide < 128) {
		print_narrow("s" stall_name[i], stall_time(i), "stall", stall_state(i), stall_percent(i) " stalled", "-", shown(stall(i, "memcg")))
	} else {
		s = right("s" stall_name[i], 5) " " left(stall_time(i), 20) " " left("stall", 9) " " left("-", 9) " " left(stall_state(i), 9) " " left("-", 22) " " left(stall_percent(i) " stalled", 22) right("-", 8) " " right(in_column(stall_us(i)), 8) "  "
		print clip(s middle(shown(stall(i, "memcg")), wide - length(s)))
	}
}

# Is stall i before the event at place e? In a log its order tells.
function stall_before(i, e) {
	return logged ? events_before[i] < e : num(stall(i, "begin_us")) < num(ev(event_at[e], "time_us"))
}

# The stalls up to the event at place e (0: all), in their order, which is that of the file
function stalls_until(e) {
	for (; stalls_told < stalls && (!e || stall_before(stalls_told + 1, e)); stalls_told++)
		if (stalls_from == 1 || !stall_before(stalls_told + 1, stalls_from))
			print_stall(stalls_told + 1)
}

# What the victims gave back: their own memory in RAM. Shared memory and files stay, and
# each process that maps them counts them.
function victim_pages(n,   i, s) {
	for (i = 1; i <= count(n, "victim"); i++)
		s += num(rec(n, "victim", i, "rss_anon"))
	return s
}

# When the memory of all victims was back; "-" while that of one is not
function all_freed_us(n,   i) {
	for (i = 1; i <= count(n, "victim"); i++)
		if (!is_number(rec(n, "victim", i, "freed_us")))
			return "-"
	return longest_of(n, "freed_us")
}

# All victims' memory is back, or it has been long enough
function settled(n) {
	return !settle || all_freed_us(n) != "-" || !count(n, "victim") || uptime - num(ev(n, "time_us")) / 1000000 > settle
}

END {
	if (!dying && !headless)
		unread("overcommit events")
	if (!dying) {
		if (only != "" && !(only in has_event))
			die(5, not_kept(only))
		first = rows && events > rows ? events - rows + 1 : 1
		# Those before the first event that is shown are left out with -n
		stalls_from = first
		if (!events && !stalls && title && !headless && !tell) {
			print logged ? "There is no OOM in this log." : "There has been no OOM since the module was loaded."
			exit
		}
		if (title && !rows && only == "" && after == "" && event_at[1] > 1 && !logged)
			print plural(event_at[1] - 1, "earlier OOM is", "earlier OOMs are") " not kept any more."
		if (title)
			print_title()
		for (e = first; e <= events; e++) {
			if (event_at[e] <= after || (only != "" && event_at[e] != only))
				continue
			# In order: what comes later waits as well.
			if (!settled(event_at[e]))
				break
			if (tell && event_at[e] > after + 1 && after)
				print "oomlens: " plural(event_at[e] - after - 1, "event was", "events were") " overwritten before " (event_at[e] - after == 2 ? "it was" : "they were") " read" | "cat >&2"
			if (only == "")
				stalls_until(e)
			if (json)
				print json_event(event_at[e])
			else
				print_event(event_at[e])
			after = event_at[e]
		}
		if (only == "" && !headless)
			stalls_until(0)
		# To follow(): how far it has come
		if (tell)
			print after | "cat >&3"
	}
}
