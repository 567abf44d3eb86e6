# SPDX-License-Identifier: GPL-2.0
# metrics: Prometheus' text format. The module's own counters last as long as
# it is loaded; what it tells only event by event is added up here, and kept in
# a state file from one run to the next.
#
# In: state (empty: none is kept), boot, now, uptime.
# Read before the events: the old state, lines of "KEY VALUE".

function on_row() {
	if (file == "badness" && !first_seen && cell("rank") == "1") {
		first_seen = 1
		first_score = cell("score")
		first_points = cell("points")
	}
}

# ---- state ----

# Totals by kind and outcome, and the histograms, over all events so far
function add_up(   e, n, i, k) {
	for (k in K)
		if (substr(k, 1, length(STATE)) == STATE && is_sum(substr(k, length(STATE) + 1)) && is_number(K[k]))
			S[substr(k, length(STATE) + 1)] = K[k]
	last = num(K[STATE "last"])
	# Another boot, or the module was loaded anew: numbers begin again.
	if (K[STATE "boot"] != boot || last > num(key("stats", "events")) || ((last in has_event) && ev(last, "time_us") != K[STATE "last_us"]))
		last = 0
	for (e = 1; e <= events; e++) {
		n = event_at[e]
		if (n <= last)
			continue
		# Its victims' times are not known yet: leave it for the next run, with a state.
		if (state != "" && unfinished(n))
			break
		if (last && n > last + 1)
			S["missed"] += n - last - 1
		S["events," ev(n, "kind") "," ev(n, "outcome")]++
		for (i = 1; i <= count(n, "victim"); i++) {
			observe("exit", rec(n, "victim", i, "exit_us"))
			observe("freed", rec(n, "victim", i, "freed_us"))
		}
		last = n
		last_us = ev(n, "time_us")
	}
}

# The keys of the state that are sums
function is_sum(k) {
	return k == "missed" || k ~ /^events,[a-z_-]+,[a-z_-]+$/ || k ~ /^(exit|freed)_(count|us|le,[0-9.]+)$/
}

function unfinished(n,   i) {
	if (uptime - num(ev(n, "time_us")) / 1000000 > 30)
		return 0
	for (i = 1; i <= count(n, "victim"); i++)
		if (!is_number(rec(n, "victim", i, "freed_us")))
			return 1
	return 0
}

function observe(name, us,   i) {
	if (!is_number(us))
		return
	us += 0
	for (i = 1; i <= bounds; i++)
		if (us <= bound[i] * 1000000)
			S[name "_le," bound[i]]++
	S[name "_count"]++
	S[name "_us"] += us
}

# After the figures: the caller puts it into its file.
function print_state(   k) {
	print "# oomlens state 1"
	print "boot " boot
	print "last " last
	print "last_us " num(last_us == "" ? K[STATE "last_us"] : last_us)
	for (k in S)
		print k " " whole(S[k])
	print "end 1"
}

# ---- the exposition ----

function family(name, type, help) {
	print "# HELP oomlens_" name " " help
	print "# TYPE oomlens_" name " " type
}

function one(name, type, help, value) {
	if (value == "-" || value == "")
		return
	family(name, type, help)
	print "oomlens_" name " " value
}

function in_bytes(pages) {
	return is_number(pages) ? whole(pages * page_kb() * 1024) : "-"
}

function histogram(name, key_name, help,   i) {
	family(name, "histogram", help)
	for (i = 1; i <= bounds; i++)
		print "oomlens_" name "_bucket{le=" label_value(bound[i]) "} " whole(S[key_name "_le," bound[i]])
	print "oomlens_" name "_bucket{le=\"+Inf\"} " whole(S[key_name "_count"])
	print "oomlens_" name "_sum " sprintf("%.6f", S[key_name "_us"] / 1000000)
	print "oomlens_" name "_count " whole(S[key_name "_count"])
}

function events_by_kind(   k, n, i, name, part) {
	family("events_total", "counter", "OOM events by what ran out and what came of it.")
	# There from the start, so that the first kill is a rise that an alert sees.
	n = split("global memcg cpuset mempolicy sysrq", name, " ")
	for (i = 1; i <= n; i++)
		S["events," name[i] ",killed"] += 0
	n = 0
	# In the order of the names: what "in" gives is each awk's own.
	for (k in S)
		if (k ~ /^events,/) {
			for (i = ++n; i > 1 && name[i - 1] > k; i--)
				name[i] = name[i - 1]
			name[i] = k
		}
	for (i = 1; i <= n; i++) {
		split(name[i], part, ",")
		print "oomlens_events_total{kind=" label_value(part[2]) ",outcome=" label_value(part[3]) "} " whole(S[name[i]])
	}
	one("events_missed_total", "counter", "OOM events that were overwritten before they were added up by kind.", whole(S["missed"]))
}

# Only with a state: without it these counters would fall when the module overwrites
# an event.
function added_up() {
	events_by_kind()
	histogram("victim_exit_seconds", "exit", "From the kill to the exit of the victim; of one event at most 3 are timed.")
	histogram("recovery_seconds", "freed", "From the kill to the moment that the victim's memory was back; of one event at most 3 are timed.")
}

BEGIN {
	STATE = "state" SUBSEP
	bounds = split("0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 0.5 1 2.5 5 10", bound, " ")
}

END {
	if (!dying && logged && !unread("events")) {
		add_up()
		added_up()
		if (stalls)
			count_stalls(stalls)
		if (events)
			last_event()
	} else if (!dying && !unread("overcommit features stats events badness commit")) {
		add_up()
		one("up", "gauge", "1 where the module is loaded and could be read.", 1)
		one("recorded_events_total", "counter", "Calls of the OOM killer since the module was loaded, including those that killed no process.", key("stats", "events"))
		one("overwritten_events_total", "counter", "OOM events that the module overwrote before they were read.", key("stats", "overwritten"))
		one("averted_total", "counter", "OOM kills that were called off because memory was given back.", key("stats", "averted"))
		one("kills_total", "counter", "Processes that the OOM killer marked as victims since the module was loaded.", key("stats", "kills"))
		if (state != "")
			added_up()
		if (events)
			last_event()
		one("commit_limit_bytes", "gauge", "CommitLimit: what may be promised where the limit is enforced.", in_bytes(key("overcommit", "commit_limit")))
		one("committed_bytes", "gauge", "Committed_AS: what has been promised.", in_bytes(key("overcommit", "committed")))
		one("commit_headroom_bytes", "gauge", "Limit less promise; may be negative.", in_bytes(key("overcommit", "headroom")))
		one("commit_enforced", "gauge", "1 where vm.overcommit_memory is 2.", key("overcommit", "enforced"))
		one("commit_uncashed_bytes", "gauge", "Promised and not touched yet.", in_bytes(key("commit", "uncashed")))
		one("commit_deficit_bytes", "gauge", "What would be missing if every promise were called in at once.", in_bytes(key("commit", "deficit")))
		one("available_bytes", "gauge", "MemAvailable.", in_bytes(key("overcommit", "available")))
		memory_by_kind()
		one("swap_free_bytes", "gauge", "Free swap.", in_bytes(key("overcommit", "swap_free")))
		one("eligible_processes", "gauge", "Processes that the OOM killer may take.", key("badness", "eligible"))
		one("next_victim_score", "gauge", "oom_score of the first in line.", first_score)
		one("next_victim_points_bytes", "gauge", "Points of the first in line, in bytes.", in_bytes(first_points))
		one("module_memory_bytes", "gauge", "Memory that the module holds.", key("stats", "memory_bytes"))
		if (samples)
			trends()
		sources()
		if (state != "")
			print_state()
	}
}

# From the history: where an end is in sight, when; what grows most; the stalls
function trends(   i, g, n) {
	machine_end()
	one("memory_ends_in_sight", "gauge", "1 if the trend of the last minutes or hours leads to the end of memory.", END_state == "in_sight" || END_state == "now" ? 1 : 0)
	if (END_state == "now")
		END_about = END_not_before = END_within = 0
	if (END_state == "in_sight" || END_state == "now") {
		family("memory_ends_seconds", "gauge", "When memory ends at the present rate; only while that is in sight.")
		print "oomlens_memory_ends_seconds{bound=\"not_before\"} " whole(END_not_before)
		print "oomlens_memory_ends_seconds{bound=\"about\"} " whole(END_about)
		print "oomlens_memory_ends_seconds{bound=\"within\"} " whole(END_within)
	}
	if (moments > 1)
		what_grows(END_state == "in_sight" ? END_first : short_first())
	if (GAINS["task"]) {
		family("growth_bytes_per_second", "gauge", "What the three processes that grow most gain, by a line through the samples.")
		for (g = 1; g <= GAINS["task"] && g <= 3; g++)
			print "oomlens_growth_bytes_per_second{pid=" label_value(G["task", g, "pid"]) ",comm=" label_value(G["task", g, "name"]) ",cgroup=" label_value(G["task", g, "memcg"]) "} " sprintf("%.0f", G["task", g, "pace"] * page_kb() * 1024)
	}
	for (i = 1; i <= stalls; i++)
		if (num(stall_name[i]) > n)
			n = num(stall_name[i])
	count_stalls(n + 0)
}

function count_stalls(n) {
	one("stalls_total", "counter", "Times in which no task of the machine or of a cgroup could go on for want of memory, without an OOM.", n)
}

# Recordings of older modules have no such file.
function memory_by_kind(   i) {
	if (sheet("ram") == "-")
		return
	sheet_lines()
	one("ram_bytes", "gauge", "MemTotal.", in_bytes(sheet("ram")))
	family("memory_bytes", "gauge", "What RAM is used for: the kinds add up to it. unaccounted is in none of the kernel's counters.")
	for (i = 1; i <= sheet_count; i++)
		if (is_number(sheet(sheet_name[i])))
			print "oomlens_memory_bytes{kind=" label_value(sheet_name[i]) "} " in_bytes(sheet(sheet_name[i]))
}

# The last kill, by name: one series at a time, for marks on a dashboard
function last_kill(   e, n) {
	for (e = events; e > 0 && !count(event_at[e], "victim"); e--)
		;
	if (!e || !dated(event_at[e]))
		return
	n = event_at[e]
	family("last_kill_timestamp_seconds", "gauge", "When the last kill was, its kind, victim and the victim's cgroup.")
	print "oomlens_last_kill_timestamp_seconds{kind=" label_value(ev(n, "kind")) ",victim=" label_value(rec(n, "victim", 1, "comm")) ",pid=" label_value(rec(n, "victim", 1, "pid")) ",cgroup=" label_value(rec(n, "victim", 1, "memcg")) "} " sprintf("%.3f", event_epoch(n))
}

function last_event() {
	last_kill()
	one("last_event_timestamp_seconds", "gauge", "When the last OOM was, seconds since 1970.", dated(event_at[events]) ? sprintf("%.3f", event_epoch(event_at[events])) : "-")
}

function sources(   i) {
	family("source", "gauge", "1 for each source in the kernel, and each line of memory, that the module can use.")
	for (i = 1; i <= features; i++)
		print "oomlens_source{name=" label_value(feature[i]) "} " (key("features", feature[i]) ~ /^yes/ ? 1 : 0)
}
