# SPDX-License-Identifier: GPL-2.0
# What grew before an OOM, from the event's own lines, and how growth is said. With
# why.awk; trend.awk has the module's samples.

# ---- words ----

function kind_name(k) {
	if (k == "shmem")
		return "tmpfs and shared memory"
	if (k == "slab_unreclaimable")
		return "slab that cannot be reclaimed"
	if (k == "kernel_stack")
		return "thread stacks"
	if (k == "pagetables")
		return "page tables"
	if (k == "page_cache")
		return "page cache"
	return "memory in no account of the kernel (drivers, pipes, sockets)"
}

# Pages a second in a sentence, by the unit of time in which it is a figure
function pace_text(pace) {
	pace *= page_kb()
	if (pace >= 64)
		return scaled(pace, " ") "iB a second"
	if (pace * 60 >= 10)
		return scaled(pace * 60, " ") "iB a minute"
	return scaled(pace * 3600, " ") "iB an hour"
}

# Seconds in a sentence: 45 s, 4 min 30 s, 3 h 20 min, 4 days
function span_text(s) {
	if (s < 100)
		return whole(s) " s"
	if (s < 900)
		return int(s / 60) " min" (int(s / 10) % 6 ? " " int(s / 10) % 6 * 10 " s" : "")
	if (s < 5400)
		return whole(s / 60) " min"
	if (s < 36000)
		return int(s / 3600) " h" (int(s / 60) % 60 ? " " int(s / 60) % 60 " min" : "")
	if (s < 172800)
		return whole(s / 3600) " h"
	return whole(s / 86400) " days"
}

# ---- an event's lines ----

# The lines of event n over so many seconds (the three largest), in one sentence
function grown_over(n, over,   i, best, done, k, s, gain, most) {
	for (k = 1; k <= 3; k++) {
		best = 0
		for (i = 1; i <= count(n, "growth"); i++)
			if (!(i in done) && rec(n, "growth", i, "over_s") == over && (!best || gain_of(n, i) > gain_of(n, best)))
				best = i
		gain = best ? gain_of(n, best) : 0
		# What is small beside the first says nothing.
		if (gain <= 0 || gain * 20 < most)
			break
		if (k == 1)
			most = gain
		done[best] = 1
		s = followed(s, ", ") grower(n, best) " by " bytes(whole(gain)) " to " bytes(rec(n, "growth", best, "to"))
	}
	return s == "" ? "" : "Over the last " span_text(num(over)) ": " s "."
}

function gain_of(n, i) {
	return num(rec(n, "growth", i, "to")) - num(rec(n, "growth", i, "from"))
}

function grower(n, i) {
	if (rec(n, "growth", i, "what") != "-")
		return kind_name(rec(n, "growth", i, "what"))
	if (rec(n, "growth", i, "pid") == "-")
		return "the processes named " shown(rec(n, "growth", i, "comm"))
	return named(rec(n, "growth", i, "comm"), rec(n, "growth", i, "pid"))
}

# All of event n: a sentence for each time span, in their order
function growth_text(n,   i, over, seen, s, part) {
	for (i = 1; i <= count(n, "growth"); i++) {
		over = rec(n, "growth", i, "over_s")
		if (over == "-" || over in seen)
			continue
		seen[over] = 1
		part = grown_over(n, over)
		if (part != "")
			s = followed(s, " ") part
	}
	return s
}

# The one that grew most, of the longest time span
function facts_growth(n,   i, best, far) {
	for (i = 1; i <= count(n, "growth"); i++)
		if (num(rec(n, "growth", i, "over_s")) > far)
			far = num(rec(n, "growth", i, "over_s"))
	for (i = 1; i <= count(n, "growth"); i++)
		if (num(rec(n, "growth", i, "over_s")) == far && gain_of(n, i) > mib(1) && (!best || gain_of(n, i) > gain_of(n, best)))
			best = i
	fact("grew", best)
	T["grower"] = best ? grower(n, best) : ""
	T["grown"] = best ? bytes(whole(gain_of(n, best))) : ""
	T["grown_over"] = span_text(far)
}
