# SPDX-License-Identifier: GPL-2.0
# What grew before an OOM, from the event's own lines. With pace.awk and why.awk.

# The three largest growth lines of event n over that time in seconds, in one sentence
function grown_over(n, over,   i, best, done, k, s, gain, most) {
	for (k = 1; k <= 3; k++) {
		best = 0
		for (i = 1; i <= count(n, "growth"); i++)
			if (!(i in done) && rec(n, "growth", i, "over_s") == over && (!best || gain_of(n, i) > gain_of(n, best)))
				best = i
		gain = best ? gain_of(n, best) : 0
		# A growth that is small beside the first explains nothing.
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

# The process that grew most, over the longest time span. None if memory of no process
# grew more: no cgroup's limit stops that. Page cache does not count, as it can be freed.
function facts_growth(n,   i, best, far) {
	for (i = 1; i <= count(n, "growth"); i++)
		if (num(rec(n, "growth", i, "over_s")) > far)
			far = num(rec(n, "growth", i, "over_s"))
	for (i = 1; i <= count(n, "growth"); i++)
		if (num(rec(n, "growth", i, "over_s")) == far && rec(n, "growth", i, "what") != "page_cache" && gain_of(n, i) > mib(1) && (!best || gain_of(n, i) > gain_of(n, best)))
			best = i
	if (best && rec(n, "growth", best, "what") != "-")
		best = 0
	fact("grew", best)
	T["grower"] = best ? grower(n, best) : ""
	T["grower_limit"] = limit_set(best ? rec(n, "growth", best, "memcg") : "-")
	T["grown"] = best ? bytes(whole(gain_of(n, best))) : ""
	T["grown_over"] = span_text(far)
}
