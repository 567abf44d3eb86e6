# SPDX-License-Identifier: GPL-2.0
# history: the samples as a table and as small curves, and what grew. Over trend.awk.
#
# In: json, rows (of the table; 0: all), utf8 (block characters), wide, self, now, uptime.

function on_row() {
}

# ---- JSON ----

function json_rows(s, type,   r, n, i, k, text) {
	n = split(type == "task" ? "pid start_us uid comm memcg points grew from_max" : type == "comm" ? "comm count points grew" : "path usage limit grew from_max psi_full", k, " ")
	for (r = 1; r <= row_count(s, type); r++) {
		text = followed(text, ",") "{"
		for (i = 1; i <= n; i++)
			text = text comma(i) json_pair(k[i], row_of(s, type, r, k[i]))
		text = text "}"
	}
	return ",\"" type "s\":[" text "]"
}

function json_sample(i,   s, n, j, k, text) {
	s = AT[i]
	n = figures(k)
	text = "{\"sample\":" sample_name[s] ",\"time\":" json_time(time_of(i)) "," json_pair("time_us", hist(s, "time_us")) "," json_pair("over_s", hist(s, "over_s"))
	for (j = 1; j <= n; j++)
		text = text "," json_pair(k[j], hist(s, k[j]))
	return text json_rows(s, "task") json_rows(s, "comm") json_rows(s, "memcg") ",\"page_kb\":" page_kb() "}"
}

# "tasks" is a list beside the other rows; the number of tasks has a name of its own.
function figures(k) {
	return split("free available anon page_cache shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unaccounted swap_free committed psi_some psi_full", k, " ")
}

# ---- curves ----

# The values of one figure from moment first to last, as a curve of room characters. A
# character is the last value of its time; a blank is a time without a value.
function curve(k, first, last, room,   i, c, v, low, high, value, s, span) {
	split("", value)
	low = high = ""
	span = WHEN[last] - WHEN[first]
	for (i = first; i <= last; i++) {
		v = k == "left" ? left_at(i) : hist(AT[i], k)
		if (!is_number(v))
			continue
		c = span > 0 ? int((WHEN[i] - WHEN[first]) / span * (room - 0.001)) + 1 : 1
		value[c] = v + 0
		low = low == "" || v + 0 < low ? v + 0 : low
		high = high == "" || v + 0 > high ? v + 0 : high
	}
	curve_low = low
	for (c = 1; c <= room; c++) {
		i = high > low && c in value ? int((value[c] - low) / (high - low) * 7.999) : 0
		v = c in value ? mark(i + 1) : " "
		s = s v
	}
	return s
}

function mark(level) {
	if (utf8)
		return substr("\342\226\201\342\226\202\342\226\203\342\226\204\342\226\205\342\226\206\342\226\207\342\226\210", level * 3 - 2, 3)
	return substr("_.,-~=*#", level, 1)
}

function print_curves(first, last, title,   n, i, k, label, room, a, b, s) {
	room = wide && wide < 80 ? wide - 46 : 34
	if (room < 8)
		room = 8
	print left(title, 22) right("THEN", 8) right("NOW", 8) right("LEAST", 8)
	n = split("available swap_free anon page_cache shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unaccounted committed tasks psi_full", k, " ")
	split("available,free swap,processes' own,page cache,tmpfs and shared,slab (reclaimable),slab (not),thread stacks,page tables,unaccounted,promised,tasks,stalled (full)", label, ",")
	for (i = 1; i <= n; i++) {
		a = hist(AT[first], k[i])
		b = hist(AT[last], k[i])
		if (b == "-" || (k[i] == "swap_free" && !num(a) && !num(b)))
			continue
		s = curve(k[i], first, last, room)
		print "  " left(label[i], 20) right(figure(k[i], a), 8) right(figure(k[i], b), 8) right(figure(k[i], curve_low), 8) "  " s
	}
}

function figure(k, v) {
	if (k == "tasks" || v == "-")
		return v
	return k ~ /^psi/ ? whole(v) "%" : size(v)
}

# ---- the table ----

function print_table(   i, first) {
	print clip(left("TIME (UTC)", 20) right("AVAIL", 7) right("ANON", 7) right("CACHE", 7) right("SHMEM", 7) right("SLAB", 7) right("OTHER", 7) right("SWAP", 7) right("STALL", 7))
	first = rows && moments > rows ? moments - rows + 1 : 1
	for (i = first; i <= moments; i++)
		print clip(left(time_of(i), 20) right(size(hist(AT[i], "available")), 7) right(size(hist(AT[i], "anon")), 7) right(size(hist(AT[i], "page_cache")), 7) right(size(hist(AT[i], "shmem")), 7) right(size(sum_of(i, "slab_reclaimable", "slab_unreclaimable")), 7) right(size(hist(AT[i], "unaccounted")), 7) right(size(hist(AT[i], "swap_free")), 7) right(figure("psi", hist(AT[i], "psi_full")), 7))
}

function sum_of(i, a, b) {
	a = hist(AT[i], a)
	b = hist(AT[i], b)
	return is_number(a) && is_number(b) ? whole(a + b) : "-"
}

# ---- what grew ----

function print_gains(first,   g, i, n, type, text) {
	what_grows(first)
	n = split("task comm memcg kind", type, " ")
	for (i = 1; i <= n; i++)
		for (g = 1; g <= GAINS[type[i]] && g <= 3; g++) {
			# A page a minute is no growth
			if (G[type[i], g, "pace"] * 60 < 1)
				continue
			text = followed(text, "\n") gain_text(type[i], g)
		}
	print "What grew over " span_text(WHEN[moments] - WHEN[first])
	if (text == "")
		text = "  nothing"
	print text
}

function gain_text(type, g,   s) {
	s = "  " left(pace_text(G[type, g, "pace"]), 20) right(size(whole(G[type, g, "from"])), 7) " -> " left(size(whole(G[type, g, "to"])), 7)
	if (type == "task")
		s = s shown(G[type, g, "name"]) " (" G[type, g, "pid"] ")"
	else if (type == "comm")
		s = s G[type, g, "count"] " processes named " shown(G[type, g, "name"])
	else if (type == "memcg")
		s = s "cgroup " shown(G[type, g, "name"])
	else
		s = s kind_name(G[type, g, "name"])
	return clip(s)
}

function print_stalls(   i) {
	for (i = 1; i <= stalls; i++)
		print clip("stall " stall_name[i] ": " stall_time(i) ", " (stall_us(i) == "-" ? "not over" : duration(stall_us(i))) ", up to " stall_percent(i) " of the time, " stall_place(i))
	if (stalls)
		print ""
}

function tell_history(   first) {
	if (!moments) {
		print no_sample()
		return
	}
	first = short_first()
	print_stalls()
	print_curves(first, moments, "The last " span_text(WHEN[moments] - WHEN[first]))
	print ""
	if (first > 1) {
		print_curves(1, moments, "The last " span_text(WHEN[moments] - WHEN[1]))
		print ""
	}
	if (moments > 1) {
		print_gains(first)
		print ""
		if (first > 1) {
			print_gains(1)
			print ""
		}
	}
	print_table()
}

END {
	if (!dying && !unread("overcommit history")) {
		order_samples()
		if (json) {
			json_head("history")
			for (i = rows && moments > rows ? moments - rows + 1 : 1; i <= moments; i++)
				print json_sample(i)
			for (i = 1; i <= stalls; i++)
				print json_stall(i)
		} else {
			tell_history()
		}
	}
}
