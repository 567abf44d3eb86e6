# SPDX-License-Identifier: GPL-2.0
# rank, top and whatif: the badness table. rank and top print rows as they
# come, so that 10,000 tasks cost no memory; whatif keeps them.
#
# In: mode (rank, top, whatif), rows (0: all), wide (columns of the terminal),
# colour, json, pid and adj or behind (another pid) of whatif, now, uptime.

function on_row() {
	if (mode == "whatif") {
		keep_row()
		return
	}
	if (self != "" && own(cell("pid"))) {
		hidden++
		return
	}
	if (json) {
		if (!json_head_printed)
			json_head("badness")
		if (rows && printed >= rows)
			exit
		printed++
		print "{" json_row() "}"
		return
	}
	if (!head_printed)
		print_head()
	if (looping) {
		# The rest cannot be killed either.
		if (!all && $c_rank == "-")
			cut = 1
		else
			hold_row()
		return
	}
	if ((rows && printed >= rows) || (!all && $c_rank == "-")) {
		# The header counts the rest.
		cut = 1
		exit
	}
	printed++
	print_ranked()
}

# The present row, as it stands in the table
function print_ranked() {
	print_row($c_rank, $c_adj, with_growth && narrow() ? growth_of($c_pid) : $c_score, $c_points, $c_adj_points, $c_verdict, $c_fate)
}

# What the history says that a process gained, in a minute; top shows it, on a narrow
# screen in the place of the score
function growth_of(p) {
	return p in GROWTH ? size(whole(GROWTH[p])) : "-"
}

# From the samples of the last ten minutes, where there are any
function find_growth(   g) {
	split("", GROWTH)
	with_growth = samples > 1
	if (!with_growth)
		return
	order_samples()
	what_grows(short_first())
	for (g = 1; g <= GAINS["task"]; g++)
		if (G["task", g, "pace"] * 60 >= 1)
			GROWTH[G["task", g, "pid"]] = G["task", g, "pace"] * 60
}

function paint(code, s) {
	return colour ? "\033[" code "m" s "\033[0m" : s
}

# Looked up once, as there may be 10,000 rows.
function find_columns() {
	c_rank = place_of("rank")
	c_pid = place_of("pid")
	c_adj = place_of("adj")
	c_score = place_of("score")
	c_points = place_of("points")
	c_anon = place_of("rss_anon")
	c_file = place_of("rss_file")
	c_shmem = place_of("rss_shmem")
	c_swap = place_of("swap")
	c_pgtables = place_of("pgtables")
	c_adj_points = place_of("adj_points")
	c_locked = place_of("locked")
	c_verdict = place_of("verdict")
	c_fate = place_of("fate")
	c_memcg = place_of("memcg")
	c_comm = place_of("comm")
}

function print_head(   s) {
	head_printed = 1
	find_columns()
	if (mode == "top" && !looping)
		find_growth()
	# On a screen of a few lines the rows come first.
	if (mode == "top" && !(looping && high < 9))
		print_summary()
	if (folding) {
		print paint("1", folded_head())
		return
	}
	s = "RANK     PID   ADJ SCORE POINTS =  ANON   FILE  SHMEM   SWAP PTABLE    ADJ"
	# 80 columns have room for the terms and a short name, fewer have not
	if (narrow() && wide < 78)
		s = "RANK    PID   ADJ SCORE POINTS"
	else if (narrow())
		s = "RANK    PID   ADJ SCORE POINTS = ANON  FILE SHMEM  SWAP  PTBL   ADJ"
	else
		s = s "" (cgroup_room() ? "" : "  LOCKED") " VERDICT  FATE  "
	if (with_growth && narrow())
		sub(/ SCORE/, "  GROW", s)
	else if (with_growth)
		s = s "   GROWTH"
	if (wide >= 130 || !wide)
		s = s " CGROUP              "
	else if (cgroup_room())
		s = s " " left("CGROUP", cgroup_room())
	print paint("1", clip(s " COMMAND"))
}

# Too narrow for the verdict in a column of its own
function narrow() {
	return wide && wide < (with_growth ? 121 : 112)
}

# Columns for the cgroup on a screen that has no room for all the others: a wide one
# leaves LOCKED out instead
function cgroup_room(   n) {
	if (!wide || wide >= 130)
		return 0
	n = narrow() ? wide - 67 - 18 : wide - 91 - (with_growth ? 9 : 0) - 10
	return n < 8 ? 0 : n > 20 ? 20 : n
}

# A string's precision of 0 leaves it out.
function row_format_for(   s) {
	if (narrow() && wide < 78)
		return "%4s%7s%6s%6s%7s%.0s%.0s%.0s%.0s%.0s%.0s%.0s%.0s%.0s%.0s%.0s %s"
	s = narrow() ? "%4s%7s%6s%6s%7s %6s%6s%6s%6s%6s%6s " : "%4s%8s%6s%6s%7s %7s%7s%7s%7s%7s%7s "
	if (narrow())
		return s "" (cgroup_room() ? "%.0s%.0s%.0s%.0s%-" cgroup_room() "s %s" : "%.0s%.0s%.0s%.0s%.0s%s")
	if (cgroup_room())
		return s "%.0s%-8s %-6s " (with_growth ? "%8s " : "%.0s") "%-" cgroup_room() "s %s"
	return s "%7s %-8s %-6s " (with_growth ? "%8s " : "%.0s") (wide >= 130 || !wide ? "%-20s %s" : "%.0s%s")
}

function print_row(rank, adj, score, points, adj_points, verdict, fate,   s) {
	if (missing)
		$missing = "-"
	if (row_format == "")
		row_format = row_format_for()
	# A row without a rank has no points: a narrow screen shows the verdict there.
	if (rank == "-" && narrow()) {
		score = ""
		points = verdict
	}
	s = sprintf(row_format, rank, $c_pid, adj, score, size(points), size($c_anon), size($c_file), size($c_shmem), size($c_swap), size($c_pgtables), size(adj_points), size($c_locked), verdict, fate, growth_of($c_pid), middle(shown($c_memcg), cgroup_room() ? cgroup_room() : 20), shown($c_comm))
	if (wide)
		s = clip(s)
	if (fate == "victim")
		s = paint("1;31", s)
	else if (fate != "-")
		s = paint("31", s)
	else if (rank == "-")
		s = paint("2", s)
	if (looping)
		draw($0, s)
	print s
}

function draw(row, s) {
	if (++drawings > 500)
		forget_rows()
	drawn[row] = s
	drawn_pid[row] = $c_pid
	drawn_points[row] = $c_points
}

function forget_rows() {
	drawings = 0
	split("", drawn)
	split("", drawn_pid)
	split("", drawn_points)
}

# A line of parts, as many whole ones as the screen has room for
function print_parts(s, parts,   n, i, part) {
	n = split(parts, part, "; ")
	for (i = 1; i <= n; i++) {
		if (i > 1 && wide && length(s part[i]) + 2 > wide)
			break
		s = i > 1 ? s "; " part[i] : s part[i]
	}
	print clip(s)
}

function print_summary(   n, s) {
	s = key("badness", "eligible") " of " key("badness", "tasks") " can be killed; the next kill takes " key("badness", "dies")
	s = s "; scope " shown(key("badness", "scope")) ", " size(key("badness", "totalpages"))
	if (sorting != "")
		s = "by " sorting "; " s
	if (key("badness", "complete") == "0")
		s = "NOT COMPLETE; " s
	print_parts("oomlens: ", s)
	s = size(key("overcommit", "available")) " available of " size(key("overcommit", "ram"))
	s = s "; swap " size(key("overcommit", "swap_free")) " free of " size(key("overcommit", "swap_total"))
	s = s "; promised " size(key("overcommit", "committed")) ", limit " size(key("overcommit", "commit_limit"))
	print_parts("memory:  ", s "; " (key("overcommit", "enforced") == "1" ? "enforced" : "not enforced"))
	if (!looping || high >= 16)
		print gauges()
	n = events ? telling_event() : 0
	s = key("stats", "events") " so far, " key("stats", "kills") " killed"
	if (n) {
		s = s "; last #" n ago(ev(n, "time_us"), " ") ": " ev(n, "kind") ", " ev(n, "outcome")
		if (count(n, "victim"))
			s = s " " shown(rec(n, "victim", 1, "comm")) " (" rec(n, "victim", 1, "pid") ")"
	}
	print_parts("events:  ", s)
	print ""
}

# As bars: how much of RAM is not available, and how much of the last interval of the
# history all tasks stood still for want of memory
function gauges(   ram, s) {
	ram = num(key("overcommit", "ram"))
	s = gauge(ram > 0 ? 1 - num(key("overcommit", "available")) / ram : 0, "in use")
	if (moments && is_decimal(hist(AT[moments], "psi_full")) && !(wide && wide < 50))
		s = s "  " gauge(hist(AT[moments], "psi_full") / 100, "stalled")
	return "         " s
}

# A screen of 78 columns has room for two, a narrow one for short ones.
function gauge(share, name,   i, n, s) {
	share = share < 0 ? 0 : share > 1 ? 1 : share
	n = wide && wide < 78 ? 5 : 18
	for (i = 1; i <= n; i++)
		s = s "" (i <= share * n + 0.5 ? "#" : ".")
	s = "[" s "] " right(whole(share * 100), 3) "% " name
	return share >= 0.9 ? paint("31", s) : s
}

# ---- whatif ----

function keep_row(   i) {
	i = ++kept
	line[i] = $0
	rank_of[i] = cell("rank")
	adj_of[i] = cell("adj") + 0
	floor_of[i] = cell("adj_floor")
	points_of[i] = cell("points") + 0
	pid_of[i] = cell("pid") + 0
	verdict_of[i] = cell("verdict")
	if (cell("pid") == pid)
		mine = i
	if (behind != "" && cell("pid") == behind)
		other = i
}

# The kernel's: pages for each unit of adj, all divisions truncate
function adj_pages(adj, total) {
	return adj * int(total / 1000)
}

function terms(   s) {
	s = num(cell("rss_anon")) + num(cell("rss_file")) + num(cell("rss_shmem"))
	return s + num(cell("swap")) + num(cell("pgtables"))
}

# /proc/PID/oom_score: judged against the whole machine in every scope
function score(points, machine) {
	return int(int(1000 + int(points * 1000 / machine)) * 2 / 3)
}

# On a tie the kernel keeps the later task of its list, which is mostly the younger one.
function goes_before(i, points) {
	if (verdict_of[i] == "origin" || points_of[i] > points)
		return 1
	return points_of[i] == points && pid_of[i] > pid
}

# The verdict on the process with the new adj
function verdict_with(adj) {
	if (verdict_of[mine] == "origin" || (adj != -1000 && verdict_of[mine] != "adj_min"))
		return verdict_of[mine]
	return adj == -1000 ? "adj_min" : "eligible"
}

# ---- whatif --behind ----

function named(i,   s) {
	s = $0
	$0 = line[i]
	NAMED = shown(cell("comm")) " (" pid_of[i] ")"
	$0 = s
	return NAMED
}

# True where the process is behind the other one as it is
function is_behind() {
	return rank_of[mine] == "-" || (rank_of[other] != "-" && rank_of[mine] + 0 > rank_of[other] + 0)
}

# The highest oom_score_adj that does it. Fewer points than the other one, not as many:
# of equals the kernel takes the one that is later in its list.
function adj_behind(   step, a) {
	if (is_behind())
		return adj_of[mine]
	if (verdict_of[mine] == "origin")
		die(1, named(mine) " is flagged by the kernel to go first (swapoff, KSM): no oom_score_adj puts it behind another process")
	if (rank_of[other] == "-")
		die(1, named(other) " is passed over (" verdict_of[other] "): no process that may be killed is behind it; -1000 exempts " named(mine) " too")
	$0 = line[mine]
	step = int(key("badness", "totalpages") / 1000)
	for (a = adj_of[mine] - 1; a > -1000 && terms() + a * step >= points_of[other]; a--)
		if (step <= 0)
			a = -999
	return a
}

# What the answer asks for, beside the number
function print_needs(   floor) {
	if (adj == -1000)
		print "No higher value does it. -1000 exempts the process: the kernel never takes it."
	floor = floor_of[mine]
	if (is_number(floor) && adj + 0 < floor + 0)
		print "This is below its floor of " floor ": the writer needs CAP_SYS_RESOURCE, as root has it."
}

function whatif(   i, n, machine, points, place, verdict, was, order, still) {
	if (!mine)
		die(5, "no process " pid " with user memory")
	if (verdict_of[mine] == "init")
		die(1, "process " pid " is init: the kernel never takes it, whatever its adj")
	if (behind != "") {
		if (!other)
			die(5, "no process " behind " with user memory")
		adj = adj_behind()
	}
	machine = key("overcommit", "ram") + key("overcommit", "swap_total")
	if (machine <= 0)
		die(1, "overcommit does not tell the machine's RAM")
	verdict = verdict_with(adj)
	was = rank_of[mine]
	$0 = line[mine]
	points = terms() + adj_pages(adj, key("badness", "totalpages"))
	place = "-"
	for (i = 1; i <= kept; i++) {
		if (i == mine || rank_of[i] == "-")
			continue
		if (place == "-" && verdict == "eligible" && !goes_before(i, points)) {
			order[++n] = mine
			place = n
		}
		order[++n] = i
	}
	if (place == "-" && verdict == "eligible") {
		order[++n] = mine
		place = n
	} else if (verdict == "origin") {
		# Flagged to go first: its adj does not matter.
		place = was
		for (i = n++; i >= place; i--)
			order[i + 1] = order[i]
		order[place] = mine
	}
	victim_stays = n && rank_of[order[1]] == 1
	$0 = line[mine]
	if (json) {
		json_whatif(was, place, verdict)
	} else {
		still = behind != "" && is_behind()
		if (behind == "") {
			print "If " shown(cell("comm")) " (" pid ") had oom_score_adj " adj " instead of " cell("adj") " (nothing has been changed):"
		} else if (still) {
			print named(mine) " is behind " named(other) " already, with oom_score_adj " adj "."
		} else {
			print named(mine) " is behind " named(other) " with oom_score_adj " adj " instead of " cell("adj") " (nothing has been changed)."
			print_needs()
		}
		if (!still)
			print moved(was, place, verdict)
		print ""
		print_head()
	}
	for (i = 1; i <= n && (!rows || i <= rows); i++)
		if (order[i] == mine || !own(pid_of[order[i]]))
			print_place(i, order[i], points, machine, verdict)
	if (place == "-" || (rows && place > rows)) {
		if (place != "-" && place > rows + 1 && !json)
			print "..."
		print_place(place, mine, points, machine, verdict)
	}
}

# Before the rows: what was asked, and what would come of it
function json_whatif(was, place, verdict) {
	find_columns()
	print "{\"table\":\"whatif\"," json_pair("pid", pid) "," json_pair("comm", cell("comm")) "," json_pair("adj", adj) "," json_pair("adj_now", cell("adj")) "," json_pair("rank", place) "," json_pair("rank_now", was) "," json_pair("verdict", verdict) "," json_pair("verdict_now", cell("verdict")) "," json_pair("adj_floor", cell("adj_floor")) (behind == "" ? "" : "," json_pair("behind", behind)) ",\"page_kb\":" page_kb() "}"
}

function put_row(rank, adj, oom_score, points, adj_points, verdict, fate) {
	if (!json) {
		print_row(rank, adj, oom_score, points, adj_points, verdict, fate)
		return
	}
	set_cell("rank", rank)
	set_cell("adj", adj)
	set_cell("score", oom_score)
	set_cell("points", points)
	set_cell("adj_points", adj_points)
	set_cell("verdict", verdict)
	set_cell("fate", fate)
	print "{" json_row() "}"
}

function set_cell(name, v) {
	if (name in col)
		$col[name] = v
}

function moved(was, place, verdict) {
	if (was == place)
		return place == "-" ? "It would still be passed over (" verdict ")." : "It would stay at rank " place "."
	if (place == "-")
		return "It would never be chosen; it is at rank " was " now."
	if (was == "-")
		return "It would be at rank " place "; it is passed over now (" verdict_of[mine] ")."
	return "It would go from rank " was " to rank " place "."
}

# Which processes die along is known only if the victim stays the same.
function fate_at(place, i, verdict) {
	if (place == 1)
		return "victim"
	if (place == "-" && i != mine)
		return "-"
	if (cell("fate") == "victim")
		return "?"
	# memory.oom.group spares those
	if (i == mine && verdict == "adj_min" && cell("fate") != "sharer")
		return "-"
	return victim_stays ? cell("fate") : "?"
}

function print_place(place, i, points, machine, verdict,   fate) {
	$0 = line[i]
	fate = fate_at(place, i, verdict)
	if (i != mine || verdict == "origin")
		put_row(place, cell("adj"), cell("score"), cell("points"), cell("adj_points"), verdict_of[i], fate)
	else
		put_row(place, adj, verdict == "eligible" ? score(terms() + adj_pages(adj, machine), machine) : "0", verdict == "eligible" ? whole(points) : "-", whole(adj_pages(adj, key("badness", "totalpages"))), verdict, fate)
}

function nothing_ranked() {
	if (hidden)
		return "There is no process but those of this command (--self shows them)."
	if (key("badness", "tasks") == "0")
		return "There is no process in " shown(key("badness", "scope")) "."
	return "None of the " key("badness", "tasks") " processes can be killed: oomlens rank -a says why."
}

END {
	if (!dying && !looping)
		unread("badness overcommit")
	if (!dying) {
		if (mode == "whatif")
			whatif()
		else if (json && !json_head_printed)
			json_head("badness")
		else if (!head_printed && !json && !looping)
			print_head()
		if (mode != "whatif" && !json && !looping && !printed)
			print nothing_ranked()
		if (mode == "rank" && !json) {
			tail = key("badness", all ? "tasks" : "eligible") - printed - hidden
			if (cut && rows && tail > 0)
				print "... " tail " more (-n 0 shows all)"
			if (key("badness", "complete") == "0")
				print "Memory is short: this is only the head of the order."
		}
	}
}
