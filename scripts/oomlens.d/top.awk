# SPDX-License-Identifier: GPL-2.0
# top on a terminal, with rank.awk: one awk runs all the time, as starting a process
# costs more than a frame.
#
# In: looping, delay (seconds; empty: by the number of processes), fixed (rows that were
# asked for), high (of the terminal), history (1: there is one), tty (a read waits for
# delay, or 2 seconds, no echo; empty: none), dir, scoped.

# read_lines PATH: as if it had been an operand; what on_row() cut off is left. Of the
# figures only a line that is not as it was is looked at.
function read_lines(path,   got, n) {
	begin_file(path)
	cut = 0
	while ((got = (getline < path)) > 0 && !cut && !dying) {
		n++
		if (file == "badness" ? hold_again() : file != "events" && $0 == LINE[path, n])
			continue
		LINE[path, n] = $0
		take_line()
	}
	close(path)
	return got >= 0
}

# A scope is written to the descriptor that is then read, which awk cannot.
function read_scoped(   command) {
	# As open_scoped() has it. Without a scope there is no need: what is not read is not
	# printed either.
	command = "exec 3<>\"$OOMLENS_BADNESS\" && printf '%s\\n' \"$OOMLENS_SCOPE\" >&3 && { " (sorting != "" || folding ? "" : "(echo rows " rows + 65 " >&3) >/dev/null 2>&1; ") "cat <&3; }"
	begin_file("badness")
	cut = 0
	while ((command | getline) > 0 && !cut && !dying)
		if (!hold_again())
			take_line()
	close(command)
}

# The terminal's size may change; stty is a process, so not in each frame
function look_at_size(   line, word) {
	# A pid may be used again.
	if (frames % 25 == 0)
		forget_parents()
	if (frames++ % 5 || tty == "")
		return
	"stty size <" tty " 2>/dev/null" | getline line
	close("stty size <" tty " 2>/dev/null")
	# A serial console that was never told its size says 0.
	if (split(line, word, " ") == 2 && word[1] > 0 && word[2] > 0) {
		high = word[1]
		if (wide != word[2])
			forget_rows()
		wide = word[2]
		row_format = ""
	}
}

# As set_clock() has it
function look_at_clock(   line) {
	if (is_number(key("stats", "now_us"))) {
		uptime = key("stats", "now_us") / 1000000
		return
	}
	getline line < "/proc/uptime"
	close("/proc/uptime")
	uptime = first_word(line) + 0
}

function frame(   every) {
	look_at_size()
	rows = fixed ? fixed : high - (high < 9 ? 2 : high < 16 ? 6 : 7)
	if (rows < 1)
		rows = 1
	printed = head_printed = hidden = 0
	# Or it would grow for ever.
	split("", SIZE)
	if (!read_lines(dir "/overcommit") || !read_lines(dir "/stats"))
		return 0
	look_at_clock()
	# A process gains little in a minute, or in six samples if they come faster.
	if (history && uptime >= history_till) {
		read_history()
		every = num(key("history", "every_s"))
		history_till = uptime + (every > 0 && every < 10 ? 6 * every : 60)
		forget_rows()
		row_format = ""
	}
	# The file is long, and changes only by an OOM, or when its victims exit
	if (key("stats", "events") != events_then || uptime < event_till) {
		if (key("stats", "events") != events_then)
			event_till = uptime + 10
		events_then = key("stats", "events")
		forget_events()
		read_lines(dir "/events")
	}
	printf "\033[H"
	if (helping) {
		print_keys()
		printf "\033[J"
		fflush()
		return 1
	}
	delete titled["badness"]
	forget_held()
	if (scoped)
		read_scoped()
	else
		read_lines(dir "/badness")
	if (!("badness" in titled))
		print "badness cannot be read now: no memory for it, or the scope is gone"
	else if (!head_printed)
		print_head()
	print_held()
	if (("badness" in titled) && !printed)
		print nothing_ranked()
	printf "\033[J"
	fflush()
	return 1
}

# ---- growth, over the last ten minutes of the history ----

# Of the file only what is new, and of that only the processes: after a day all of it
# would cost as much as hundreds of frames. A module of before "after" refuses it, and
# prints all.
function read_history(   command, type) {
	command = "if (: 3<>\"$OOMLENS_HISTORY\") 2>/dev/null; then exec 3<>\"$OOMLENS_HISTORY\"; (echo after " sample_number + 0 " >&3) 2>/dev/null; else exec 3<\"$OOMLENS_HISTORY\"; fi; cat <&3"
	begin_file("history")
	while ((command | getline) > 0) {
		type = substr($0, 1, 5)
		if (type == "sampl")
			take_sample()
		else if (type == "task " && taking)
			take_growing()
		else if (type ~ /^#/)
			take_line()
	}
	close(command)
	find_growing()
}

# The value of a key of the present line, without a look at the others
function value_of(name,   p, s) {
	p = index($0, " " name "=")
	if (!p)
		return "-"
	s = substr($0, p + length(name) + 2)
	p = index(s, " ")
	return p ? substr(s, 1, p - 1) : s
}

# The day's samples are left out, and those that were taken before. After a gap all
# begins anew.
function take_sample(   t, every) {
	t = num(value_of("time_us")) / 1000000
	every = num(key("history", "every_s"))
	sample_number = $2
	taking = t > sample_t[sample_ts] && num(value_of("over_s")) <= 3 * every
	if (!taking)
		return
	if (sample_ts && t - sample_t[sample_ts] > 3 * every) {
		forget_growing()
		sample_number = $2
	}
	sample_t[++sample_ts] = t
	moments = AT[1] = 1
	H[1, "psi_full"] = value_of("psi_full")
}

# A pid that was used again has another start. Before its start a process has nothing.
function take_growing(   id, born, i) {
	id = value_of("pid") " " value_of("start_us")
	if (!(id in grows_to)) {
		grows_from[id] = 1
		born = num(value_of("start_us")) / 1000000
		for (i = 1; i < sample_ts && born <= sample_t[sample_ts]; i++)
			if (sample_t[i] < born)
				add_growing(id, i, 0)
	}
	add_growing(id, sample_ts, num(value_of("points")))
}

function add_growing(id, i, v) {
	grows_at[id, ++grows_to[id]] = i
	grows_value[id, grows_to[id]] = v
}

function forget_growing() {
	sample_ts = sample_number = 0
	split("", sample_t)
	split("", grows_from)
	split("", grows_to)
	split("", grows_at)
	split("", grows_value)
}

function find_growing(   id, i, n, first, X, Y, word, pace) {
	split("", GROWTH)
	first = sample_ts - num(key("history", "short")) + 1
	if (first < 1)
		first = 1
	with_growth = sample_ts > first
	for (id in grows_to) {
		n = 0
		for (i = grows_from[id]; i <= grows_to[id]; i++) {
			if (grows_at[id, i] < first) {
				delete grows_value[id, i]
				delete grows_at[id, i]
				grows_from[id] = i + 1
				continue
			}
			X[++n] = sample_t[grows_at[id, i]]
			Y[n] = grows_value[id, i]
		}
		if (n < 2 || X[n] < sample_t[sample_ts - 1])
			continue
		pace = pace_of(X, Y, n, sample_t[sample_ts] - sample_t[first])
		split(id, word, " ")
		if (pace * 60 >= 1)
			GROWTH[word[1]] = pace * 60
	}
	# Or it would grow for ever: a line a process that ever was among the largest
	if (sample_ts > 3000) {
		forget_growing()
		history_till = 0
	}
}

function forget_events() {
	events = 0
	split("", has_event)
	split("", event_at)
	split("", E)
	split("", R)
	split("", records)
	split("", line_of)
}

function print_keys() {
	print "oomlens top"
	print ""
	print "  q  leave"
	print "  a  also the processes that cannot be killed, and why (" (all ? "now" : "not now") ")"
	print "  o  order: the kernel's, by memory" (with_growth ? ", by growth" : "") " (now " (sorting == "" ? "the kernel's" : sorting) ")"
	print "  c  a row for each cgroup, the one that loses a process first comes first (" (folding ? "now" : "not now") ")"
	print "  s  also the processes of this command (" (self == "" ? "now" : "not now") ")"
	print "  ?  these keys; any key goes back"
	print ""
	print "ANON to ADJ add up to POINTS, by which the kernel chooses. Red: goes with the"
	print "next kill. GROWTH: in a minute, over the last ten. RANK is exact; processes whose"
	print "points are within 2% of each other keep their places on the screen."
}

# A key but q
function obey(k) {
	forget_rows()
	split("", held_line)
	if (helping)
		helping = 0
	else if (k ~ /[?h]/)
		helping = 1
	else if (k ~ /a/)
		all = !all
	else if (k ~ /c/)
		folding = !folding
	else if (k ~ /o/)
		sorting = sorting == "" ? "memory" : sorting == "memory" && with_growth ? "growth" : ""
	else if (k ~ /s/) {
		own_shell = own_shell == "" ? self : own_shell
		self = self == "" ? own_shell : ""
	}
}

# Between two looks. One at 10,000 processes costs the kernel more than it costs awk: so
# many are looked at less often.
function pause_s(   s) {
	if (delay != "")
		return delay
	s = int(num(key("badness", "tasks")) / 1250)
	return s < 2 ? 2 : s > 10 ? 10 : s
}

# True when q was pressed. A read that finds nothing ends, as at a file's end. Not by
# getline from the terminal: it reads on while a key is held down.
function wait_key(   s, k, command) {
	if (tty == "") {
		system("sleep " pause_s())
		return 0
	}
	command = "dd bs=64 count=1 <" tty " 2>/dev/null"
	for (s = 0; s < pause_s(); s += delay == "" ? 2 : delay) {
		k = ""
		command | getline k
		close(command)
		if (k ~ /q/)
			return 1
		if (k != "") {
			obey(k)
			return 0
		}
	}
	return 0
}

END {
	if (looping && !dying) {
		# Each line ends what stood there before.
		ORS = "\033[K\n"
		while ((there = frame()) && !dying && !wait_key())
			;
		if (!there)
			die(3, "the module is gone")
	}
}
