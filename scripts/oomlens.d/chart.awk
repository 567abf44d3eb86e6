# SPDX-License-Identifier: GPL-2.0
# The report's chart of memory over time, from the module's history: an area by kind,
# the three processes that grew most as lines, the OOMs and stalls above. The shapes are
# stretched to the page's width; text and marks lie over them in per cent, so that they
# stay as they are on a phone.

# The kinds from the bottom up: name, keys, number of the colour
function chart_kinds() {
	kind_keys[1] = "anon"
	kind_keys[2] = "shmem"
	kind_keys[3] = "slab_unreclaimable kernel_stack pagetables"
	kind_keys[4] = "unaccounted"
	kind_keys[5] = "page_cache slab_reclaimable"
	kind_keys[6] = "free"
	split("processes' own,tmpfs and shared,kernel,unaccounted,caches,free", kind_label, ",")
	split("1 3 5 6 2 8", kind_colour, " ")
	chart_high = 180
	chart_top = 26
	return 6
}

function kind_at(i, k,   n, j, key_name, s, v) {
	n = split(kind_keys[k], key_name, " ")
	for (j = 1; j <= n; j++) {
		v = num(hist(AT[i], key_name[j]))
		if (v > 0)
			s += v
	}
	return s + 0
}

function x_of(i) {
	return (WHEN[i] - WHEN[chart_first]) / chart_span
}

function y_of(pages) {
	return chart_high * (1 - pages / chart_max)
}

function point(i, pages) {
	return sprintf("%.1f,%.1f ", 1000 * x_of(i), y_of(pages))
}

# The area of kind k between what lies below it and with it
function area(k,   i, up, down) {
	for (i = chart_first; i <= moments; i++) {
		up = up point(i, below[i] + kind_at(i, k))
		down = point(i, below[i]) down
		below[i] += kind_at(i, k)
	}
	print "<polygon points=\"" up down "\" fill=\"var(--c" kind_colour[k] ")\"><title>" kind_label[k] "</title></polygon>"
}

# The task of that gain as a line
function growth_line(g,   i, r, points) {
	for (i = chart_first; i <= moments; i++)
		for (r = 1; r <= row_count(AT[i], "task"); r++)
			if (row_of(AT[i], "task", r, "pid") == G["task", g, "pid"] && row_of(AT[i], "task", r, "start_us") == G["task", g, "start_us"])
				points = points point(i, num(row_of(AT[i], "task", r, "points")))
	print "<polyline class=\"halo\" points=\"" points "\"/><polyline class=\"grows g" g "\" points=\"" points "\"><title>" html_text(G["task", g, "name"]) "</title></polyline>"
}

# Where on the chart a time of the samples' clock is, 0 to 100; empty: not on it
function percent_at(t,   x) {
	x = 100 * (t - newest - WHEN[chart_first]) / chart_span
	return x < 0 || x > 100 ? "" : x
}

function chart_marks(   e, n, i, x, end) {
	for (i = 1; i <= stalls; i++) {
		end = is_number(stall(i, "end_us")) ? num(stall(i, "end_us")) / 1000000 : newest
		x = percent_at(num(stall(i, "begin_us")) / 1000000)
		end = percent_at(end)
		if (x == "" && end == "")
			continue
		print "<rect class=\"stall\" x=\"" sprintf("%.2f%%", x + 0) "\" width=\"" sprintf("%.2f%%", (end == "" ? 100 : end) - x > 0.5 ? (end == "" ? 100 : end) - x : 0.5) "\" y=\"18\" height=\"7\"><title>stall " stall_name[i] ": " html_text(stall_place(i)) ", up to " stall_percent(i) "</title></rect>"
	}
	for (e = 1; e <= events; e++) {
		n = event_at[e]
		x = percent_at(num(ev(n, "time_us")) / 1000000)
		if (x == "")
			continue
		x = sprintf("%.2f%%", x < 1 ? 1 : x > 99 ? 99 : x)
		print "<line class=\"stem\" x1=\"" x "\" x2=\"" x "\" y1=\"10\" y2=\"" chart_top + chart_high "\"/><svg x=\"" x "\" y=\"9\" overflow=\"visible\">" shape(ev(n, "outcome")) "<title>OOM " n ": " ev(n, "outcome") "</title></svg>"
	}
}

# Half of the scale and all of it, and the times at both ends
function chart_axis(   from, to) {
	print "<line x1=\"0\" x2=\"100%\" y1=\"" chart_top + chart_high / 2 "\" y2=\"" chart_top + chart_high / 2 "\"/>"
	print "<text class=\"on\" x=\"4\" y=\"" chart_top + 13 "\">" bytes(whole(chart_max)) "</text><text class=\"on\" x=\"4\" y=\"" chart_top + chart_high / 2 + 13 "\">" bytes(whole(chart_max / 2)) "</text>"
	from = time_of(chart_first)
	to = time_of(moments)
	print "<text x=\"0\" y=\"" chart_top + chart_high + 16 "\">" axis_time(from, to) "</text><text x=\"100%\" y=\"" chart_top + chart_high + 16 "\" text-anchor=\"end\">" axis_time(to, from) (to ~ /Z$/ ? " UTC" : "") "</text>"
}

# A band's name on it, at its right end, where there is room
function band_names(n,   k, base, v) {
	for (k = 1; k <= n; k++) {
		v = kind_at(moments, k)
		if (v / chart_max * chart_high >= 18)
			print "<text class=\"on\" x=\"99%\" y=\"" sprintf("%.1f", chart_top + y_of(base + v / 2) + 4) "\" text-anchor=\"end\">" kind_label[k] "</text>"
		base += v
	}
}

function chart_legend(n,   k, g) {
	print "<p class=\"parts\">"
	for (k = n; k >= 1; k--)
		print "<span class=\"part\">" kind_label[k] " " bytes(whole(kind_at(chart_first, k))) " &#8594; " bytes(whole(kind_at(moments, k))) "</span>"
	for (g = 1; g <= GAINS["task"] && g <= 3; g++)
		print "<span class=\"part\"><svg class=\"key wide\" aria-hidden=\"true\"><line class=\"grows g" g "\" x1=\"0\" x2=\"100%\" y1=\"50%\" y2=\"50%\"/></svg><b>" html_text(G["task", g, "name"]) "</b> (" G["task", g, "pid"] ") " bytes(whole(G["task", g, "from"])) " &#8594; " bytes(whole(G["task", g, "to"])) "</span>"
	print "</p>"
}

# From moment first to the newest
function chart(first, title,   n, i, k, g, sum) {
	chart_first = first
	chart_span = WHEN[moments] - WHEN[first]
	chart_max = num(key("overcommit", "ram"))
	n = chart_kinds()
	for (i = first; i <= moments; i++) {
		sum = 0
		for (k = 1; k <= n; k++)
			sum += kind_at(i, k)
		if (sum > chart_max)
			chart_max = sum
		below[i] = 0
	}
	if (chart_span <= 0 || chart_max <= 0)
		return
	what_grows(first)
	print "<div class=\"row\"><h3>" title "</h3><svg class=\"chart\" role=\"img\" aria-label=\"memory by kind, " title "\">"
	print "<svg y=\"" chart_top "\" width=\"100%\" height=\"" chart_high "\" viewBox=\"0 0 1000 " chart_high "\" preserveAspectRatio=\"none\"><rect width=\"1000\" height=\"" chart_high "\" fill=\"var(--track)\"/>"
	for (k = 1; k <= n; k++)
		area(k)
	for (g = 1; g <= GAINS["task"] && g <= 3; g++)
		growth_line(g)
	print "</svg>"
	chart_axis()
	band_names(n)
	chart_marks()
	print "</svg>"
	chart_legend(n)
	print "</div>"
}

function charts(   first) {
	order_samples()
	if (moments < 2)
		return
	print "<h2>Memory over time</h2>"
	machine_end()
	print "<p>" html_text(forecast_line()) "</p><p class=\"dim\">Lines: the processes that grew most. Above: OOMs (as below) and, as bars, stalls.</p>"
	first = short_first()
	chart(first, "The last " span_text(WHEN[moments] - WHEN[first]))
	if (first > 1)
		chart(1, "The last " span_text(WHEN[moments] - WHEN[1]))
}

function forecast_line() {
	if (END_state == "now")
		return "Memory is at its end: " bytes(whole(LEFT[moments])) " can still be had, " swap_text() "."
	if (END_state != "in_sight")
		return "An end of memory is not in sight: " bytes(whole(LEFT[moments])) " can be had, " swap_text() "."
	return "Memory ends in about " span_text(END_about) " at this rate: not before " span_text(END_not_before) ", within " span_text(END_within) "."
}

function chart_style() {
	print ".chart{display:block;width:100%;height:226px;overflow:visible}.chart line{stroke:var(--line)}.chart text{fill:var(--fg);font:12px system-ui,sans-serif}.chart text.on{paint-order:stroke;stroke:var(--bg);stroke-width:3px;stroke-linejoin:round}.chart polygon{stroke:var(--bg);stroke-width:.5;vector-effect:non-scaling-stroke}.grows,.halo{fill:none;stroke:var(--fg);stroke-width:2.5;vector-effect:non-scaling-stroke}.halo{stroke:var(--bg);stroke-width:5}.g2{stroke-dasharray:8 4}.g3{stroke-dasharray:2 4}.key.wide{width:30px}.chart .stem{stroke:var(--fg);stroke-width:1.5;stroke-dasharray:3 3}.chart .killed{fill:var(--c4);stroke:var(--fg)}.chart .averted{fill:var(--c2);stroke:var(--fg)}.chart .other{fill:var(--bg);stroke:var(--fg)}.chart .stall{fill:var(--c4);stroke:var(--fg)}"
}
