# SPDX-License-Identifier: GPL-2.0
# forecast: how long until memory ends at the present rate, what drives it, and what the
# kernel would take. Over trend.awk.
#
# In: json, limit (seconds; empty: none), wide, self, now, uptime. Exit status 6 if an end
# is in sight (of the machine or of a cgroup; with a limit: not before it is over).

function on_row() {
	if (file == "badness" && victim == "" && cell("rank") == "1") {
		victim = shown(cell("comm")) " (" cell("pid") ")"
		victim_points = cell("points")
		victim_pid = cell("pid")
		victim_comm = cell("comm")
	}
}

# ---- cgroups ----

# The ends of the cgroups that have a limit, into C[i, k]; their number
function cgroup_ends(   i, r, s, path, n, X, Y, usage, limit, slack) {
	for (r = 1; r <= row_count(AT[moments], "memcg"); r++) {
		path = row_of(AT[moments], "memcg", r, "path")
		limit = row_of(AT[moments], "memcg", r, "limit")
		if (path == "-" || !is_number(limit) || limit <= 0)
			continue
		slack = limit * 0.01
		n = 0
		for (i = 1; i <= moments; i++) {
			s = usage_at(i, path)
			if (s == "-")
				continue
			X[++n] = WHEN[i]
			Y[n] = limit - s
		}
		usage = limit - Y[n]
		find_kills(path)
		run_out(X, Y, n, slack)
		if (END_state == "in_sight" && tasks_grow(path, X[END_first])) {
			take_end(path, limit, usage, "usage")
			continue
		}
		# Page cache may fill it all the time: then its processes tell.
		if (usage < limit * 0.9)
			continue
		n = 0
		for (i = 1; i <= moments; i++)
			if (usage_at(i, path) != "-")
				Y[++n] = limit - points_at(i, path)
		# Points count swap, and a shared page once for each process: over the limit they
		# are not what it holds. Near it they may be in swap, if there is any.
		if (Y[n] < -2 * slack)
			continue
		run_out(X, Y, n, slack)
		if (END_state == "in_sight" ? tasks_grow(path, X[END_first]) : END_state == "now" && num(hist(AT[moments], "swap_free")) < slack && tasks_grow(path, -600) && growing_pace * 600 > slack)
			take_end(path, limit, usage, "points")
	}
}

function take_end(path, limit, usage, by,   kept) {
	kept = ++cgroups
	C[kept, "state"] = END_state
	C[kept, "path"] = path
	C[kept, "limit"] = limit
	C[kept, "usage"] = usage
	C[kept, "of"] = by
	C[kept, "pace"] = END_state == "now" ? growing_pace : -END_slope
	C[kept, "about"] = time_left(END_about)
	C[kept, "not_before"] = time_left(END_not_before)
	C[kept, "within"] = time_left(END_within)
	C[kept, "by"] = growing_task
	C[kept, "by_pid"] = growing_pid
}

function time_left(s) {
	return END_state != "now" && s > since ? s - since : 0
}

# The points of the processes in it, as far as the sample has them: the largest, and
# those that grow most
function points_at(i, path,   r, s) {
	for (r = 1; r <= row_count(AT[i], "task"); r++)
		if (index(row_of(AT[i], "task", r, "memcg") "/", path "/") == 1)
			s += num(row_of(AT[i], "task", r, "points"))
	return s + 0
}

function usage_at(i, path,   r) {
	for (r = 1; r <= row_count(AT[i], "memcg"); r++)
		if (row_of(AT[i], "memcg", r, "path") == path)
			return row_of(AT[i], "memcg", r, "usage")
	return "-"
}

# A cgroup's usage counts its page cache, which reclaim frees before any kill. So it
# grows only if the processes in it do, by half of it at least.
function tasks_grow(path, from,   i, g, sum, pace) {
	for (i = 1; i < moments && WHEN[i] < from; i++)
		;
	what_grows(i)
	growing_task = ""
	growing_pid = "-"
	for (g = 1; g <= GAINS["task"]; g++)
		if (index(G["task", g, "memcg"] "/", path "/") == 1) {
			sum += G["task", g, "pace"]
			if (growing_task == "") {
				growing_task = shown(G["task", g, "name"]) " (" G["task", g, "pid"] ")"
				growing_pid = G["task", g, "pid"]
			}
		}
	growing_pace = sum + 0
	return sum * 2 >= -END_slope
}

# ---- the drivers ----

# What takes a tenth or more of the loss, the most first, three at most, into D. A name
# counts if no single task of it explains it. Of "swappable" processes and shmem take
# nothing: what they gain can go to swap.
function find_drivers(loss,   g, kinds_only) {
	drivers = 0
	kinds_only = LEFT_of == "swappable"
	for (g = 1; g <= GAINS["task"] && !kinds_only; g++)
		add_driver("task", g, loss)
	for (g = 1; g <= GAINS["comm"] && !kinds_only; g++)
		if (!task_explains(g))
			add_driver("comm", g, loss)
	for (g = 1; g <= GAINS["kind"]; g++)
		if (!kinds_only || G["kind", g, "name"] != "shmem")
			add_driver("kind", g, loss)
}

function task_explains(g,   t) {
	for (t = 1; t <= GAINS["task"]; t++)
		if (G["task", t, "name"] == G["comm", g, "name"] && G["task", t, "pace"] * 2 > G["comm", g, "pace"])
			return 1
	return 0
}

function add_driver(type, g, loss,   d) {
	if (G[type, g, "pace"] * 10 < loss)
		return
	for (d = ++drivers; d > 1 && D_pace[d - 1] < G[type, g, "pace"]; d--) {
		D_type[d] = D_type[d - 1]
		D_gain[d] = D_gain[d - 1]
		D_pace[d] = D_pace[d - 1]
	}
	D_type[d] = type
	D_gain[d] = g
	D_pace[d] = G[type, g, "pace"]
}

function driver_text(d,   type, g) {
	type = D_type[d]
	g = D_gain[d]
	if (type == "task")
		return shown(G[type, g, "name"]) " (" G[type, g, "pid"] ")" (G[type, g, "memcg"] == "-" ? "" : " in " shown(G[type, g, "memcg"]))
	if (type == "comm")
		return G[type, g, "count"] " processes named " shown(G[type, g, "name"])
	return kind_name(G[type, g, "name"])
}

# ---- in words ----

function forecast_text(   d) {
	if (!moments)
		return print_wrapped("Not in sight. " no_sample())
	if (END_state == "few")
		return print_wrapped("Not in sight yet: there are " moments " samples, and a trend needs 8.")
	if (END_state == "now")
		return print_wrapped("Memory is at its end: " bytes(LEFT[moments]) " can still be had, " swap_text() ".")
	if (END_state != "in_sight")
		return print_wrapped("Not in sight. " why_not())
	print_wrapped("Memory ends in about " span_text(END_about) " at this rate: not before " span_text(END_not_before) ", within " span_text(END_within) ".")
	print_wrapped("What can still be had, " swap_text() ", fell by " pace_text(-END_slope) " over the last " span_text(END_span) ", and is " bytes(LEFT[moments]) " now.")
	print ""
	print "What drives it"
	for (d = 1; d <= drivers && d <= 3; d++)
		print clip("  " left(pace_text(D_pace[d]), 22) "  " driver_text(d))
	if (!drivers)
		print "  Many together: no process, name or kind of memory takes a tenth of it."
	if (victim != "") {
		print ""
		print "What would be taken"
		print clip("  " victim " with " bytes(victim_points) ", as the order is now")
	}
}

function why_not() {
	if (END_state == "saw")
		return "Memory falls, but it has risen again from such falls before."
	if (END_state == "far")
		return "It falls by " pace_text(-END_slope) ", but too little of it has gone to tell the end" (END_about > 0 ? ", which may be " span_text(END_about) " away" : "") "."
	if (END_state == "more")
		return "There is more memory than before."
	return "There is no trend over the last " span_text(WHEN[moments] - WHEN[1]) ": " bytes(LEFT[moments]) " can be had."
}

function print_wrapped(text) {
	print wrapped("", text, wide >= 40 && wide < 100 ? wide : 80)
}

function cgroup_text(   i, s, limit, grows) {
	for (i = 1; i <= cgroups; i++) {
		limit = " its limit of " bytes(C[i, "limit"])
		grows = pace_text(C[i, "pace"]) ", " C[i, "by"] " most of all"
		if (C[i, "state"] == "now")
			s = " is at" limit ", and its processes hold as much. They grow by " grows "."
		else if (C[i, "of"] == "points")
			s = " is full, of page cache too. Its processes reach" limit end_text(i) " They grow by " grows "."
		else
			s = " reaches" limit end_text(i) " It grows by " grows ", and has " bytes(C[i, "usage"]) " now."
		print ""
		print_wrapped("The cgroup " shown(C[i, "path"]) s " The kernel would take: oomlens rank --memcg " quoted(C[i, "path"]))
	}
}

function end_text(i) {
	return " in about " span_text(C[i, "about"]) ": not before " span_text(C[i, "not_before"]) ", within " span_text(C[i, "within"]) "."
}

# ---- as JSON ----

function seconds(k, v) {
	return json_text(k) ":" sprintf("%.0f", v)
}

function forecast_json(   s, d, i) {
	s = "{\"state\":" json_text(END_state) ",\"samples\":" moments + 0
	s = s ",\"left\":" (moments ? whole(LEFT[moments]) : "null") ",\"of\":" json_text(LEFT_of)
	if (END_state == "in_sight") {
		s = s "," seconds("about_s", END_about) "," seconds("not_before_s", END_not_before) "," seconds("within_s", END_within) "," seconds("window_s", END_span) ",\"pages_s\":" sprintf("%.3f", -END_slope) ",\"drivers\":["
		for (d = 1; d <= drivers && d <= 3; d++)
			s = s comma(d) driver_json(d)
		s = s "]"
	}
	s = s ",\"next_victim\":" (victim == "" ? "null" : "{\"pid\":" json_value("pid", victim_pid) ",\"comm\":" json_text(victim_comm) ",\"points\":" json_value("points", victim_points) "}")
	s = s ",\"cgroups\":["
	for (i = 1; i <= cgroups; i++)
		s = s comma(i) "{\"path\":" json_text(C[i, "path"]) ",\"limit\":" whole(C[i, "limit"]) ",\"usage\":" whole(C[i, "usage"]) ",\"state\":" json_text(C[i, "state"]) "," seconds("about_s", C[i, "about"]) "," seconds("not_before_s", C[i, "not_before"]) "," seconds("within_s", C[i, "within"]) ",\"pages_s\":" sprintf("%.3f", C[i, "pace"]) ",\"of\":" json_text(C[i, "of"]) ",\"pid\":" json_value("pid", C[i, "by_pid"]) "}"
	print s "],\"page_kb\":" page_kb() "}"
}

function driver_json(d,   type, g) {
	type = D_type[d]
	g = D_gain[d]
	return "{\"type\":" json_text(type) ",\"name\":" json_text(G[type, g, "name"]) ",\"pid\":" json_value("pid", G[type, g, "pid"]) ",\"memcg\":" json_value("memcg", G[type, g, "memcg"]) ",\"from\":" whole(G[type, g, "from"]) ",\"to\":" whole(G[type, g, "to"]) ",\"pages_s\":" sprintf("%.3f", D_pace[d]) "}"
}

# Near enough for the exit status
function near(state, not_before) {
	return state == "now" || (state == "in_sight" && (limit == "" || not_before < limit))
}

END {
	if (!dying && !unread("overcommit history")) {
		order_samples()
		cgroups = 0
		if (moments)
			cgroup_ends()
		machine_end()
		ends = near(END_state, END_not_before)
		if (END_state == "in_sight") {
			what_grows(END_first)
			find_drivers(-END_slope)
		}
		for (i = 1; i <= cgroups; i++)
			if (near(C[i, "state"], C[i, "not_before"]))
				ends = 1
		if (json) {
			forecast_json()
		} else {
			forecast_text()
			cgroup_text()
		}
		if (ends)
			exit 6
	}
}
