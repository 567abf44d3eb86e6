# SPDX-License-Identifier: GPL-2.0
# Trends in the samples of "history": a straight line by least squares with its spread,
# and from it the time at which something runs out. For history, forecast, top, metrics
# and the report.
#
# In: now, uptime.

# A busybox without math has no sqrt().
function root(v,   r, i) {
	if (v <= 0)
		return 0
	r = v > 1 ? v : 1
	for (i = 0; i < 200 && r * r > v * 1.000001; i++)
		r = (r + v / r) / 2
	return r
}

# ---- the samples in time ----

# The samples, oldest first, into AT (their index) and WHEN (seconds, 0 is the newest).
# Of two that are nearer than half an interval the finer one stays.
function order_samples(   s, i, t, n, near) {
	if (ordered == samples)
		return
	ordered = samples
	n = 0
	for (s = 1; s <= samples; s++) {
		if (!is_number(hist(s, "time_us")) || !is_number(hist(s, "available")))
			continue
		t = hist(s, "time_us") / 1000000
		for (i = ++n; i > 1 && WHEN[i - 1] > t; i--) {
			WHEN[i] = WHEN[i - 1]
			AT[i] = AT[i - 1]
		}
		WHEN[i] = t
		AT[i] = s
	}
	near = num(key("history", "every_s")) / 2
	moments = 0
	for (i = 1; i <= n; i++) {
		if (moments && WHEN[i] - WHEN[moments] < near) {
			if (num(hist(AT[i], "over_s")) < num(hist(AT[moments], "over_s")))
				AT[moments] = AT[i]
			continue
		}
		WHEN[++moments] = WHEN[i]
		AT[moments] = AT[i]
	}
	newest = moments ? WHEN[moments] : 0
	for (i = 1; i <= moments; i++)
		WHEN[i] -= newest
	# The samples' clock is that of the events. It may have gone on since.
	since = uptime - newest
	if (since < 0 || since > 86400 || !moments)
		since = 0
}

# The date of a moment. A module of before real_us had none in its samples.
function time_of(i) {
	if (is_number(hist(AT[i], "real_us")))
		return utc(hist(AT[i], "real_us") / 1000000)
	return has_clock() ? utc(now - uptime + newest + WHEN[i]) : "-"
}

# The first of the newest moments that are no further apart than the interval
function short_first(   i) {
	for (i = moments; i > 1 && WHEN[i] - WHEN[i - 1] < 3 * num(key("history", "every_s")); i--)
		;
	return i
}

# What an allocation can still have without a kill: reclaim frees caches, so they are
# no growth. With "swappable" it is what slab, drivers and the like can have: they take
# swap only in the place of what could be swapped.
function left_at(i, of) {
	return num(hist(AT[i], "available")) + (of == "swappable" ? swappable(i) : num(hist(AT[i], "swap_free")))
}

# What of swap is counted in LEFT
function swap_text() {
	return LEFT_of == "swappable" ? "with what could go to swap" : "free swap included"
}

# What swap could take over. Locked memory is in it: the samples do not tell it apart.
function swappable(i) {
	return num(hist(AT[i], "anon")) + num(hist(AT[i], "shmem"))
}

function no_sample() {
	if (key("history", "every_s") == "0")
		return "The module keeps no history: echo 10 >/sys/module/oomlens/parameters/history"
	return "There is no sample yet: the first comes after " key("history", "every_s") " s."
}

# ---- a line ----

# The line through Y[first..n] over X. Each point weighs as much as the time around it,
# as the day's samples are further apart. Neighbours whose residuals go the same way tell
# less than as many by chance: the error grows by their correlation.
function fit(X, Y, first, n,   i, w, W, sw, sww, sx, sy, sxx, sxy, v, r, before, rr, ra, r0) {
	for (i = first; i <= n; i++) {
		w = ((i < n ? X[i + 1] : X[i]) - (i > first ? X[i - 1] : X[i])) / 2
		W[i] = w > 0 ? w : 0.001
		sw += W[i]
		sx += W[i] * X[i]
		sy += W[i] * Y[i]
	}
	sx /= sw
	sy /= sw
	for (i = first; i <= n; i++) {
		sxx += W[i] * (X[i] - sx) * (X[i] - sx)
		sxy += W[i] * (X[i] - sx) * (Y[i] - sy)
		sww += W[i] * W[i] * (X[i] - sx) * (X[i] - sx)
	}
	LINE_slope = sxx > 0 ? sxy / sxx : 0
	LINE_end = sy + LINE_slope * (X[n] - sx)
	LINE_span = X[n] - X[first]
	for (i = first; i <= n; i++) {
		r = Y[i] - sy - LINE_slope * (X[i] - sx)
		v += W[i] * r * r
		if (i > first) {
			ra += r * before
			rr += before * before
		}
		before = r
	}
	i = n - first + 1
	v = i > 2 ? v / sw * i / (i - 2) : 0
	r0 = rr > 0 ? ra / rr : 0
	if (r0 < 0)
		r0 = 0
	if (r0 > 0.95)
		r0 = 0.95
	LINE_spread = root(v)
	LINE_error = sxx > 0 ? root(v * sww * (1 + r0) / (1 - r0)) / sxx : 0
}

# ---- how long until it runs out ----

# The kills of the machine's OOMs, or of a cgroup's, by the samples' clock into KILL
function find_kills(path,   e, n) {
	kills = 0
	for (e = 1; e <= events; e++) {
		n = event_at[e]
		if (ev(n, "outcome") == "killed" && (path == "" ? ev(n, "kind") == "global" : ev(n, "memcg") == path))
			KILL[++kills] = num(ev(n, "time_us")) / 1000000 - newest
	}
}

function killed_between(a, b,   i) {
	for (i = 1; i <= kills; i++)
		if (KILL[i] > a && KILL[i] <= b)
			return 1
	return 0
}

# The largest rise from an earlier low since X[n] - back, but for those from a low that was
# an end already: what an OOM freed is no relief to come. Between samples ten minutes
# apart more may have risen and fallen: while there are few of them, what is seen counts
# double.
function largest_rise(X, Y, n, back, end,   i, low, rise, coarse, r, coarse_rise) {
	low = ""
	for (i = 1; i <= n; i++) {
		if (X[i] < X[n] - back)
			continue
		if (low != "" && killed_between(X[i - 1], X[i]))
			low = ""
		r = low != "" && low > end ? Y[i] - low : 0
		if (r > rise)
			rise = r
		if (low != "" && X[i] - X[i - 1] > 300) {
			coarse++
			if (r > coarse_rise)
				coarse_rise = r
		}
		if (low == "" || Y[i] < low)
			low = Y[i]
	}
	if (coarse < 12 && coarse_rise * 2 > rise)
		rise = coarse_rise * 2
	return rise + 0
}

# When Y reaches 0: into END_state (few, now, steady, more, saw, far, in_sight), and for
# in_sight END_about, END_not_before and END_within, seconds from X[n] on. slack: Y may
# end that much above 0. The windows end at X[n] and begin anywhere; of those that pass
# the longest, unless a shorter one tells the end clearly better.
function run_out(X, Y, n, slack,   first, step, k, steep, flat, soon, late, fall, saw, state, best, level) {
	END_first = 0
	END_state = n < 8 ? "few" : "steady"
	END_slope = END_span = 0
	if (n && Y[n] <= slack)
		END_state = "now"
	if (END_state != "steady")
		return
	for (step = n; step >= (n < 20 ? 8 : 14); step = int(step * 0.85)) {
		first = n - step + 1
		fit(X, Y, first, n)
		if (LINE_span <= 0)
			continue
		k = 3 * (1 + 6 / (step - 2))
		steep = -LINE_slope + k * LINE_error
		flat = -LINE_slope - k * LINE_error
		if (!END_first && steep < 0 && step == n)
			END_state = "more"
		if (flat <= 0)
			continue
		fall = -LINE_slope * LINE_span
		level = LINE_end
		state = "in_sight"
		# A line is not drawn on for more than five times its length
		if (fall * 6 < level + fall)
			state = "far"
		saw = largest_rise(X, Y, n, LINE_span * 6 < 3600 ? 3600 : LINE_span * 6, slack * 4)
		if (fall < 1.5 * saw)
			state = "saw"
		steep *= 1.05
		flat *= 0.95
		soon = (level - slack - 2.5 * LINE_spread) / steep
		late = (level + 1.5 * LINE_spread) / flat
		if (soon < 0)
			soon = 0
		if (END_state != "in_sight" ? state == "in_sight" || END_state == "steady" || END_state == "more" : state == "in_sight" && late - soon < 0.8 * best) {
			best = late - soon
			END_state = state
			END_first = first
			END_slope = LINE_slope
			END_span = LINE_span
			END_about = (level - slack / 2) / -LINE_slope
			END_not_before = soon
			END_within = late
		}
	}
	if (END_state == "in_sight" && END_about < END_not_before)
		END_about = END_not_before
}

# ---- the machine ----

# What is left at each moment, into LEFT. Of the day's samples it is the least that there
# was in their time: they are raised by as much as the finer samples lie above their own
# least, measured from their line.
function take_left(of,   i, first, raise, r) {
	LEFT_of = of
	for (i = 1; i <= moments; i++)
		LEFT[i] = left_at(i, of)
	for (first = moments; first > 1 && !of_the_day(first - 1); first--)
		;
	if (first == 1 || moments - first < 7)
		return
	fit(WHEN, LEFT, first, moments)
	for (i = first; i <= moments; i++) {
		r = LINE_end + LINE_slope * (WHEN[i] - WHEN[moments]) - LEFT[i]
		if (r > raise)
			raise = r
	}
	for (i = 1; i < first; i++)
		LEFT[i] += raise
}

function of_the_day(i) {
	return num(hist(AT[i], "over_s")) > 3 * num(key("history", "every_s"))
}

# The end of the machine's memory. Where more swap is free than could be used, what cannot
# be swapped may end before the swap does: the earlier end counts.
function machine_end(   soon) {
	order_samples()
	find_kills("")
	soon = ""
	if (moments && is_number(hist(AT[moments], "anon")) && num(hist(AT[moments], "swap_free")) > swappable(moments)) {
		end_of("swappable")
		soon = end_at()
	}
	end_of("swap_free")
	if (soon != "" && (end_at() == "" || soon + 0 < end_at() + 0))
		end_of("swappable")
}

# In seconds; empty: not in sight
function end_at() {
	return END_state == "now" ? 0 : END_state == "in_sight" ? END_about : ""
}

# By run_out(). The kernel kills when what reads as available is between nothing and a
# hundredth of RAM.
function end_of(what) {
	take_left(what)
	run_out(WHEN, LEFT, moments, num(key("overcommit", "ram")) * 0.012)
	if (END_state == "in_sight") {
		END_about -= since
		END_not_before -= since
		END_within -= since
		if (END_about < 0)
			END_about = 0
		if (END_not_before < 0)
			END_not_before = 0
		if (END_within < 0)
			END_within = 0
	}
}

# ---- what grows ----

# The kinds of memory that only an end of something frees
function kinds(name) {
	return split("shmem slab_unreclaimable kernel_stack pagetables unaccounted", name, " ")
}

# What each task, name, cgroup and kind of memory gained from moment first on, the most
# first; without those that only go up and down. In G[type, i, k]: type is task, comm,
# memcg or kind, k is name, pid, start_us, memcg, count, from, to or pace (pages a second,
# by a line). GAINS[type] is their number.
function what_grows(first,   i, r, s, id, n, name) {
	split("", G)
	split("", GAINS)
	split("", S_of)
	split("", S_points)
	split("", S_at)
	split("", S_value)
	split("", S_name)
	series = 0
	for (i = first; i <= moments; i++) {
		s = AT[i]
		for (r = 1; r <= row_count(s, "task"); r++)
			add_task(i, s, r, first)
		for (r = 1; r <= row_count(s, "comm"); r++)
			if (num(row_of(s, "comm", r, "count")) > 1)
				S_name[add_point("comm " row_of(s, "comm", r, "comm"), i, row_of(s, "comm", r, "points")), "count"] = row_of(s, "comm", r, "count")
		for (r = 1; r <= row_count(s, "memcg"); r++)
			add_point("memcg " row_of(s, "memcg", r, "path"), i, row_of(s, "memcg", r, "usage"))
	}
	n = kinds(name)
	for (r = 1; r <= n; r++)
		for (i = first; i <= moments; i++)
			add_point("kind " name[r], i, hist(AT[i], name[r]))
	for (id = 1; id <= series; id++)
		take_gain(id, first)
}

# The series of that name; a new point if v is a figure
function add_point(name, i, v,   id) {
	if (!(name in S_of)) {
		S_of[name] = ++series
		S_name[series, "id"] = name
	}
	id = S_of[name]
	if (is_number(v)) {
		S_at[id, ++S_points[id]] = i
		S_value[id, S_points[id]] = v + 0
	}
	return id
}

# A pid that was used again has another start. Before its start a task has nothing.
function add_task(i, s, r, first,   name, id, born, j) {
	name = "task " row_of(s, "task", r, "pid") " " row_of(s, "task", r, "start_us")
	if (!(name in S_of)) {
		born = num(row_of(s, "task", r, "start_us")) / 1000000 - newest
		for (j = first; j < i && born <= WHEN[i] && WHEN[j] < born; j++)
			add_point(name, j, 0)
	}
	id = add_point(name, i, row_of(s, "task", r, "points"))
	S_name[id, "comm"] = row_of(s, "task", r, "comm")
	S_name[id, "memcg"] = row_of(s, "task", r, "memcg")
}

# What Y[1..n] gained a second in a time of that span, by a line; 0 if it only goes up and
# down. Seen in a part of the time only: no line, but what it gained.
function pace_of(X, Y, n, span) {
	if (n <= 2 || (X[n] - X[1]) * 2 < span)
		return (Y[n] - Y[1]) / span
	fit(X, Y, 1, n)
	return LINE_slope > 3 * LINE_error ? LINE_slope : 0
}

# A series that goes on to the end, as a gain if it is one
function take_gain(id, first,   n, i, X, Y, word, type, pace, g) {
	n = S_points[id]
	if (n < 2 || S_at[id, n] < moments - 1)
		return
	for (i = 1; i <= n; i++) {
		X[i] = WHEN[S_at[id, i]]
		Y[i] = S_value[id, i]
	}
	pace = pace_of(X, Y, n, WHEN[moments] - WHEN[first])
	split(S_name[id, "id"], word, " ")
	type = word[1]
	if (pace <= 0 || (type == "task" && own(word[2])))
		return
	for (g = ++GAINS[type]; g > 1 && G[type, g - 1, "pace"] < pace; g--)
		move_gain(type, g - 1, g)
	G[type, g, "name"] = type == "task" ? S_name[id, "comm"] : word[2]
	G[type, g, "pid"] = type == "task" ? word[2] : "-"
	G[type, g, "start_us"] = type == "task" ? word[3] : "-"
	G[type, g, "memcg"] = type == "task" ? S_name[id, "memcg"] : "-"
	G[type, g, "count"] = type == "comm" ? S_name[id, "count"] : "-"
	G[type, g, "from"] = Y[1]
	G[type, g, "to"] = Y[n]
	G[type, g, "pace"] = pace
}

function move_gain(type, from, to,   n, i, k) {
	n = split("name pid start_us memcg count from to pace", k, " ")
	for (i = 1; i <= n; i++)
		G[type, to, k[i]] = G[type, from, k[i]]
}
