# SPDX-License-Identifier: GPL-2.0
# One expectation of check or rehearse against the module's files. Prints "ok", "not ok"
# or "wait" (it cannot be told yet), a tab, and what was found.
#
# In: what (exempt, rank, victim, outcome, freed, available, headroom), no (1: "not"), by
# (comm, cgroup), op, value, within (ms), after (events up to this one are older), self;
# the pattern in the environment's OOMLENS_PATTERN, where awk takes no backslash for an
# escape. Files: meminfo, overcommit; badness or events.

BEGIN {
	pattern = regex(ENVIRON["OOMLENS_PATTERN"])
}

# A pattern of the shell for names as the module writes them: a byte that is not plain is
# \ooo there, and ? stands for it too
function regex(glob,   i, c, s, open) {
	for (i = 1; i <= length(glob); i++) {
		c = substr(glob, i, 1)
		if (c == "*")
			s = s ".*"
		else if (c == "?")
			s = s "(\\\\[0-7][0-7][0-7]|[^\\\\])"
		else if (c == "[" && (open = index(substr(glob, i + 2), "]"))) {
			c = substr(glob, i + 1, open)
			sub(/^!/, "^", c)
			gsub(/\\/, "", c)
			s = s "[" c "]"
			i += open + 1
		} else
			s = s literal(c)
	}
	return "^" s "$"
}

function literal(c,   code) {
	if (c == "\\")
		return "\\\\134"
	if (c == "^")
		return "\\^"
	if (c ~ /[!-~]/)
		return c ~ /[A-Za-z0-9]/ ? c : "[" c "]"
	for (code = 1; code < 256; code++)
		if (sprintf("%c", code) == c)
			return "\\\\" sprintf("%03o", code)
	return "."
}

function answer(good, found) {
	print (good == "wait" ? "wait" : good ? "ok" : "not ok") "\t" found
	answered = 1
}

function compare(a, b) {
	a += 0
	b += 0
	return op == "<" ? a < b : op == "<=" ? a <= b : op == "=" ? a == b : op == ">=" ? a >= b : a > b
}

# A list of what was found, of which some are enough
function add(text) {
	if (++listed <= 5)
		list = followed(list, ", ") text
	else if (listed == 6)
		list = list ", ..."
}

# ---- the order ----

function on_row(   name) {
	if (file != "badness" || own(cell("pid")))
		return
	name = by == "cgroup" ? cell("memcg") : cell("comm")
	if (what == "victim") {
		# What the next kill would take
		if (cell("fate") == "-")
			return
		add(shown(cell("comm")) " (" cell("pid") ") of " shown(cell("memcg")))
		if (name ~ pattern)
			matches++
		return
	}
	if (name !~ pattern)
		return
	matches++
	if (what == "exempt") {
		if (cell("verdict") != "adj_min" && cell("verdict") != "init") {
			fails++
			add(shown(cell("comm")) " (" cell("pid") ") " place() " with oom_score_adj " cell("adj"))
		}
		return
	}
	# One that is never taken is behind all.
	if (!compare(cell("rank") == "-" ? 1000000000 : cell("rank"), value)) {
		fails++
		add(shown(cell("comm")) " (" cell("pid") ") " place())
	}
}

function place() {
	return cell("rank") == "-" ? "is passed over (" cell("verdict") ")" : "is at rank " cell("rank")
}

function answer_order() {
	if (key("badness", "complete") == "0")
		answer(0, "memory is short: only the first ranks are known")
	else if (what == "victim" && !listed)
		answer(no, "no process would be killed")
	else if (what == "victim")
		answer(no ? !matches : matches, "the next kill would take " list)
	else if (!matches)
		answer(0, "there is no such process")
	else
		answer(!fails, fails ? list : plural(matches, "process", "processes") " of that name")
}

# ---- what happened ----

function answer_events(   i, n, v, name, open, late, longest, f, missed) {
	for (i = 1; i <= events; i++) {
		n = event_at[i]
		if (n <= after + 0)
			continue
		seen++
		unknown += ev(n, "outcome") == "unknown"
		if (what == "outcome") {
			add(ev(n, "outcome"))
			matches += ev(n, "outcome") ~ pattern
			continue
		}
		for (v = 1; v <= count(n, "victim"); v++) {
			f = rec(n, "victim", v, "freed_us")
			name = rec(n, "victim", v, by == "cgroup" ? "memcg" : "comm")
			if (what == "freed") {
				killed++
				if (!is_number(f))
					open++
				else if (f / 1000 > within)
					late++
				if (is_number(f) && f / 1000 > longest)
					longest = f / 1000
				continue
			}
			killed++
			matches += name ~ pattern
			add(shown(rec(n, "victim", v, "comm")) " (" rec(n, "victim", v, "pid") ") of " shown(rec(n, "victim", v, "memcg")))
		}
		# The event has room for three
		if (num(ev(n, "victims")) > count(n, "victim")) {
			missed += ev(n, "victims") - count(n, "victim")
			add((ev(n, "victims") - count(n, "victim")) " more, of which there is no record")
		}
	}
	if (what == "outcome")
		answer(matches ? 1 : unknown ? "wait" : 0, seen ? list : "there was no OOM")
	else if (unknown && !matches)
		answer("wait", "the OOM killer is not done")
	else if (!killed && !missed)
		answer(what == "victim" && no, seen ? "no process died" : "there was no OOM")
	else if (what == "victim" && no && !matches && missed)
		answer(0, "not known: the kernel killed " list)
	else if (what == "victim")
		answer(no ? !matches : matches, "the kernel killed " list)
	else if (late)
		answer(0, "the memory was back after " duration(whole(longest * 1000)))
	else if (missed)
		answer(0, "not known: the kernel killed " missed " more, of which there is no record")
	else
		answer(open ? "wait" : 1, open ? "the memory of " plural(open, "victim", "victims") " is not back" : "the memory was back after " duration(whole(longest * 1000)))
}

# ---- how much is left ----

function answer_level(   have, all) {
	if (what == "available") {
		have = key("overcommit", "available")
		all = key("overcommit", "ram")
	} else {
		have = key("overcommit", "headroom")
		all = key("overcommit", "commit_limit")
	}
	if (!is_number(have))
		answer(0, what " is not known")
	else if (value ~ /%$/)
		answer(all > 0 && compare(100 * have / all, value), sprintf("%.1f%% (%s)", all > 0 ? 100 * have / all : 0, bytes(have)))
	else
		answer(compare(have * page_kb() * 1024, value), bytes(have))
}

END {
	if (!dying && !answered) {
		if (what == "available" || what == "headroom")
			answer_level()
		else if ("badness" in titled)
			answer_order()
		else if ("events" in titled)
			answer_events()
		else
			unread("badness")
	}
}
