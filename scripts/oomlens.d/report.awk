# SPDX-License-Identifier: GPL-2.0
# report --html: one page that needs nothing else. Bars are inline SVG in per
# cent of their width, so that text stays readable on a phone; each part has a
# texture and its figure in words, so that the page does not depend on colour.
#
# In: OOMLENS_HOST and OOMLENS_KERNEL of the environment, as awk would take a backslash
# in an operand for an escape; up (seconds), now, uptime. With why.awk, for its sentences.

function on_row() {
	if (file == "badness")
		keep_badness()
	else
		keep_commit()
}

function keep_badness(   i) {
	if (cell("rank") == "-" || bars >= 15 || own(cell("pid")))
		return
	i = ++bars
	bar_name[i] = cell("comm")
	bar_pid[i] = cell("pid")
	bar_memcg[i] = cell("memcg")
	bar_adj[i] = cell("adj")
	bar_points[i] = cell("points") + 0
	bar_fate[i] = cell("fate")
	bar[i, 1] = num(cell("rss_anon"))
	bar[i, 2] = num(cell("rss_file"))
	bar[i, 3] = num(cell("rss_shmem"))
	bar[i, 4] = num(cell("swap"))
	bar[i, 5] = num(cell("pgtables"))
	bar[i, 6] = num(cell("adj_points"))
}

function keep_commit(   m) {
	m = cell("memcg")
	if (!(m in charge_of))
		group[++groups] = m
	charge_of[m] += num(cell("charge"))
	uncashed_of[m] += num(cell("uncashed"))
	noreserve_of[m] += num(cell("noreserve"))
	# What was touched and has no charge
	unpromised_of[m] += touched_unpromised(num(cell("touched")) - num(cell("charge")) + num(cell("uncashed")), num(cell("noreserve")))
	processes_of[m]++
}

function touched_unpromised(pages, noreserve) {
	return pages < 0 ? 0 : pages > noreserve ? noreserve : pages
}

# ---- bars ----

function texture(i) {
	return "fill=\"url(#t" i ")\""
}

# One part of the open bar; a part of 0 pages is left out.
function part_of_bar(pages, all, i, name) {
	if (pages <= 0 || all <= 0)
		return
	bar_svg = bar_svg sprintf("<rect x=\"%.3f%%\" width=\"%.3f%%\" height=\"100%%\" %s><title>%s %s</title></rect>", bar_x, 100 * pages / all, texture(i), name, bytes(whole(pages)))
	bar_text = bar_text "<span class=\"part\">" name " " bytes(whole(pages)) "</span> "
	bar_x += 100 * pages / all
}

# From where on oom_score_adj takes away: over the lower half of what there is
function off_bar(from, to, all) {
	from = from < 0 ? 0 : from
	if (to <= from || all <= 0)
		return
	bar_svg = bar_svg sprintf("<rect class=\"off\" x=\"%.3f%%\" width=\"%.3f%%\" y=\"45%%\" height=\"55%%\" %s><title>taken off by oom_score_adj</title></rect>", 100 * from / all, 100 * (to - from) / all, texture(6))
}

function mark_on_bar(pages, all, name) {
	if (pages <= 0 || pages > all)
		return
	bar_svg = bar_svg sprintf("<rect class=\"mark\" x=\"%.3f%%\" width=\"2\" height=\"100%%\"><title>%s %s</title></rect>", 100 * pages / all > 99.5 ? 99.5 : 100 * pages / all, name, bytes(pages))
	bar_text = bar_text "<span class=\"part\"><b>|</b> " name " " bytes(pages) "</span> "
}

function begin_bar() {
	bar_svg = bar_text = ""
	bar_x = 0
}

function end_bar(title) {
	print "<svg class=\"bar\" role=\"img\" aria-label=\"" title "\">" bar_svg "</svg>"
	print "<p class=\"parts\">" bar_text "</p>"
}

# ---- the page ----

function style() {
	print "<style>"
	print ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#5c5c5c;--line:#c9c9c9;--track:#ececec;--ink:#0005;--c1:#4269d0;--c2:#3ca951;--c3:#efb118;--c4:#ff725c;--c5:#a463f2;--c6:#9c6b4e;--c7:#97bbf5;--c8:#d5d5d5}"
	print "@media(prefers-color-scheme:dark){:root{--bg:#16181c;--fg:#ececec;--dim:#a9a9a9;--line:#444a52;--track:#2a2e35;--ink:#0008;--c8:#5a606a}}"
	print "body{background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem;overflow-wrap:anywhere}"
	print "h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:1rem 0 .2rem}"
	print "p{margin:.3rem 0}.dim{color:var(--dim)}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.6rem;margin:1rem 0}"
	print ".tile{border:1px solid var(--line);border-radius:.4rem;padding:.5rem .7rem}.tile b{display:block;font-size:1.25rem}"
	print ".row{margin:.8rem 0;break-inside:avoid}.row>.name>b{white-space:nowrap}.bar{-webkit-print-color-adjust:exact;print-color-adjust:exact}.row>.name{display:flex;justify-content:space-between;gap:1rem}.bar{display:block;width:100%;height:18px;background:var(--track);border-radius:2px}"
	print ".parts{font-size:.85rem;color:var(--dim);margin:.15rem 0}.part{margin-right:.7rem;display:inline-block}.key{width:14px;height:11px;margin-right:.3rem}.mark{fill:var(--fg)}.off{stroke:var(--fg)}.legend{font-size:.85rem}"
	print ".time{display:block;width:100%;height:150px}.time line{stroke:var(--line)}.time text{fill:var(--fg);font:12px system-ui,sans-serif}.time .stem{stroke:var(--fg);stroke-width:2}.time .killed{fill:var(--c4);stroke:var(--fg)}.time .averted{fill:var(--c2);stroke:var(--fg)}.time .other{fill:var(--bg);stroke:var(--fg)}"
	print "details{border:1px solid var(--line);border-radius:.4rem;padding:.4rem .7rem;margin:.5rem 0}summary{cursor:pointer}"
	print ".scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9rem}td,th{padding:.15rem .6rem .15rem 0;text-align:left;white-space:nowrap}"
	chart_style()
	print "</style>"
}

# What each colour stands for, wherever it is
function legend(   i, name) {
	split("processes' own (anon),files and caches,shared memory and tmpfs,swap,page tables and kernel,oom_score_adj and other,promised only,free", name, ",")
	print "<p class=\"legend\">"
	for (i = 1; i <= 8; i++)
		print "<span class=\"part\"><svg class=\"key\" aria-hidden=\"true\"><rect width=\"100%\" height=\"100%\" " texture(i) "/></svg>" name[i] "</span>"
	print "</p>"
}

# A colour and lines of its own direction and distance for each kind of part
function textures(   i, n, lines) {
	n = split("|M0 8L8 0|M0 0L8 8|M4 0V8|M0 4H8|M0 8L8 0M0 0L8 8|M0 2H8M0 6H8|", lines, "|")
	print "<svg width=\"0\" height=\"0\" style=\"position:absolute\" aria-hidden=\"true\"><defs>"
	for (i = 1; i <= n; i++)
		print "<pattern id=\"t" i "\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\"><rect width=\"8\" height=\"8\" fill=\"var(--c" i ")\"/><path d=\"" (lines[i] == "" ? "M0 0" : lines[i]) "\" stroke=\"var(--ink)\" stroke-width=\"1.5\"/></pattern>"
	print "</defs></svg>"
}

function tile(name, value, more) {
	print "<div class=\"tile\"><span class=\"dim\">" name "</span><b>" value "</b><span class=\"dim\">" more "</span></div>"
}

function tiles(   n) {
	print "<div class=\"tiles\">"
	if (bars)
		tile("Next victim", html_text(bar_name[1]), "process " bar_pid[1] ", " bytes(bar_points[1]) " of points")
	else
		tile("Next victim", "none", "no process may be killed")
	tile("Available", bytes(key("overcommit", "available")), "of " bytes(key("overcommit", "ram")) "; swap " bytes(key("overcommit", "swap_free")) " free of " bytes(key("overcommit", "swap_total")))
	tile("Promised", bytes(key("overcommit", "committed")), percent(key("overcommit", "committed"), key("overcommit", "commit_limit")) " of the limit, which is " (key("overcommit", "enforced") == "1" ? "enforced" : "not enforced"))
	n = key("stats", "events")
	tile("OOMs", events, key("stats", "kills") " killed, " key("stats", "averted") " averted" (events ? ago(ev(event_at[events], "time_us"), "; last ") : "") (is_number(n) && n + 0 > events ? "; " n - events " more not kept" : ""))
	print "</div>"
}

function badness_bars(   i, k, all, name) {
	print "<h2>The next victims</h2>"
	print "<p class=\"dim\">The parts add up to the points by which the kernel chooses; the largest goes first.</p>"
	for (i = 1; i <= bars; i++)
		if (bar_points[i] > all)
			all = bar_points[i]
	for (i = 1; i <= bars; i++)
		if (bar[i, 6] < 0 && bar_points[i] - bar[i, 6] > all)
			all = bar_points[i] - bar[i, 6]
	for (i = 1; i <= bars; i++) {
		name = html_text(bar_name[i])
		print "<div class=\"row\"><div class=\"name\"><span>" i ". <b>" name "</b> (" bar_pid[i] ") <span class=\"dim\">" html_text(bar_memcg[i]) "</span></span><b>" bytes(bar_points[i]) "</b></div>"
		for (k = 1; k <= 6; k++)
			TERM[k] = bar[i, k]
		term_bar(all, bar_points[i], bar_adj[i], bar_fate[i] == "-" ? "" : fate_text(bar_fate[i]))
		end_bar(name ": " bytes(bar_points[i]))
		print "</div>"
	}
}

# The terms of the points in TERM, 1 to 6, as the open bar; what a negative adj takes off
# lies over what it takes it from
function term_bar(all, points, adj, note,   i, sum, name) {
	split("anon,file,shared,swap,page tables", name, ",")
	begin_bar()
	for (i = 1; i <= 5; i++) {
		part_of_bar(TERM[i], all, i, name[i])
		sum += TERM[i] > 0 ? TERM[i] : 0
	}
	part_of_bar(TERM[6], all, 6, "oom_score_adj " adj ":")
	if (TERM[6] < 0) {
		off_bar(points, sum, all)
		bar_text = bar_text "<span class=\"part\">oom_score_adj " adj ": " bytes(TERM[6]) "</span> "
	}
	if (note != "")
		bar_text = bar_text "<span class=\"part\"><b>" note "</b></span>"
}

function fate_text(fate) {
	if (fate == "victim")
		return "the next victim"
	return fate == "group" ? "dies with it (memory.oom.group)" : "dies with it (shares its memory)"
}

function promise(   limit, committed, all, processes, uncashed, shared) {
	limit = num(key("overcommit", "commit_limit"))
	committed = num(key("commit", "committed"))
	processes = num(key("commit", "processes"))
	shared = num(key("commit", "shared_promised"))
	uncashed = num(key("commit", "uncashed")) - shared
	all = limit > committed ? limit : committed
	print "<h2>Limit and promise</h2><div class=\"row\"><div class=\"name\"><span>promised (Committed_AS)</span><b>" bytes(committed) "</b></div>"
	begin_bar()
	part_of_bar(processes - uncashed, all, 1, "processes, touched")
	part_of_bar(uncashed, all, 7, "processes, promised only")
	part_of_bar(num(key("commit", "shared_resident")), all, 3, "shared memory and tmpfs")
	part_of_bar(num(key("commit", "shared_swapped")), all, 4, "the same in swap")
	part_of_bar(shared, all, 7, "the same, promised only")
	part_of_bar(num(key("commit", "unattributed")), all, 6, "no process' own")
	if (limit > committed)
		bar_text = bar_text "<span class=\"part\">left " bytes(limit - committed) "</span> "
	mark_on_bar(limit, all, "limit")
	end_bar("promised " bytes(committed) " of " bytes(limit))
	print "</div><p>" html_text(mode_text()) "</p>"
	if (num(key("commit", "deficit")) > 0)
		print "<p><b>If every promise were called in at once, " bytes(key("commit", "deficit")) " would be missing.</b></p>"
	else
		print "<p>If every promise were called in at once, memory and swap would be enough.</p>"
}

function mode_text() {
	if (key("overcommit", "mode") == "2")
		return "Mode 2: a request that goes over the limit is refused."
	if (key("overcommit", "mode") == "1")
		return "Mode 1: nothing is refused, the limit is not enforced."
	return "Mode 0: only one request larger than RAM and swap together is refused, the limit is not enforced."
}

function commit_bars(   i, j, m, all) {
	print "<h2>What holds the promise</h2>"
	for (i = 2; i <= groups; i++)
		for (j = i; j > 1 && charge_of[group[j]] > charge_of[group[j - 1]]; j--) {
			m = group[j]
			group[j] = group[j - 1]
			group[j - 1] = m
		}
	for (i = 1; i <= groups; i++)
		if (charge_of[group[i]] + unpromised_of[group[i]] > all)
			all = charge_of[group[i]] + unpromised_of[group[i]]
	for (i = 1; i <= groups && i <= 15; i++) {
		m = group[i]
		print "<div class=\"row\"><div class=\"name\"><span><b>" html_text(m) "</b> <span class=\"dim\">" processes_of[m] (processes_of[m] == 1 ? " process" : " processes") "</span></span><b>" bytes(charge_of[m]) "</b></div>"
		begin_bar()
		part_of_bar(charge_of[m] - uncashed_of[m], all, 1, "touched")
		part_of_bar(uncashed_of[m], all, 7, "promised only")
		part_of_bar(unpromised_of[m], all, 6, "touched without a promise (NORESERVE)")
		if (noreserve_of[m] > unpromised_of[m])
			bar_text = bar_text "<span class=\"part\">NORESERVE, not touched " bytes(whole(noreserve_of[m] - unpromised_of[m])) "</span>"
		end_bar(html_text(m) ": " bytes(charge_of[m]))
		print "</div>"
	}
	if (groups > 15)
		print "<p class=\"dim\">and " plural(groups - 15, "more cgroup", "more cgroups") "</p>"
}

# The seven largest parts of RAM, and the rest as one
function sheet_bars(   i, n, k, all, rest) {
	if (sheet("ram") == "-")
		return
	n = sort_sheet()
	all = num(sheet("ram"))
	print "<h2>What memory is used for</h2><div class=\"row\"><div class=\"name\"><span>RAM</span><b>" bytes(all) "</b></div>"
	begin_bar()
	for (i = 1; i <= n; i++) {
		k = sheet_order[i]
		if (k == "free")
			continue
		if (++shown_parts > 6)
			rest += num(sheet(k))
		else
			part_of_bar(num(sheet(k)), all, sheet_colour(k), k)
	}
	part_of_bar(rest, all, 6, "other")
	part_of_bar(num(sheet("free")), all, 8, "free")
	end_bar("what RAM is used for")
	print "</div><p class=\"dim\">unaccounted: " bytes(sheet("unaccounted")) ", which is in none of the kernel's counters: drivers, dma-buf, pipes, sockets.</p>"
}

# As the legend has it
function sheet_colour(k) {
	if (k ~ /^anon/)
		return 1
	if (k == "page_cache" || k == "slab_reclaimable")
		return 2
	if (k == "shmem")
		return 3
	return k ~ /^(slab_unreclaimable|kernel_stack|pagetables|secondary_pagetables|percpu|vmalloc)$/ ? 5 : 6
}

# ---- events ----

# Height of a stem: 0.1 ms to 10 s, each decade the same; no log() in a busybox
# without math
function decade(us,   h) {
	for (h = 0; us >= 1000; us /= 10)
		h += 1
	return us > 100 ? h + (us - 100) / 900 : h
}

function timeline(   e, n, from, to, x, last_x, y, v, h, outcome) {
	print "<h2>OOMs so far</h2>"
	if (!events) {
		print "<p>None " (logged ? "in this log" : "since the module was loaded") ".</p>"
		return
	}
	from = num(ev(event_at[1], "time_us"))
	to = num(ev(event_at[events], "time_us"))
	if (to <= from)
		to = from + 1
	print "<p class=\"dim\">Height: how long until the memory was back. Circle: killed, diamond: averted, square: no process died, for another reason, triangle: not known.</p>"
	print "<svg class=\"time\" role=\"img\" aria-label=\"timeline of " events " events\">"
	for (h = 0; h <= 5; h++)
		print "<line x1=\"0\" x2=\"100%\" y1=\"" 125 - 22 * h "\" y2=\"" 125 - 22 * h "\"/>" (h % 2 ? "<text x=\"0\" y=\"" 122 - 22 * h "\">" duration(h == 1 ? 1000 : h == 3 ? 100000 : 10000000) "</text>" : "")
	last_x = -9
	for (e = 1; e <= events; e++) {
		n = event_at[e]
		# Several boots have no time in common.
		x = 18 + 78 * (logged ? (events > 1 ? (e - 1) / (events - 1) : 0) : (num(ev(n, "time_us")) - from) / (to - from))
		v = longest_of(n, "freed_us")
		h = is_number(v) ? decade(v + 0) : 0
		y = 125 - 22 * (h > 5 ? 5 : h)
		outcome = ev(n, "outcome")
		x = sprintf("%.2f%%", x)
		print "<line class=\"stem\" x1=\"" x "\" x2=\"" x "\" y1=\"125\" y2=\"" sprintf("%.1f", y) "\"/>"
		print "<svg x=\"" x "\" y=\"" sprintf("%.1f", y) "\" overflow=\"visible\">" shape(outcome) "<title>" n ": " outcome ", " duration(v) "</title></svg>"
		if (x - last_x >= 4) {
			print "<text x=\"" x "\" y=\"" sprintf("%.1f", y - 8) "\" text-anchor=\"middle\">" n "</text>"
			last_x = x + 0
		}
	}
	from = event_time(event_at[1])
	to = event_time(event_at[events])
	print "<text x=\"18%\" y=\"143\" text-anchor=\"middle\">" axis_time(from, to) "</text>"
	print "<text x=\"96%\" y=\"143\" text-anchor=\"end\">" axis_time(to, from) (to ~ /Z$/ ? " UTC" : "") "</text></svg>"
}

# The date too, if the other end is of another day
function axis_time(t, other) {
	if (t !~ /T/)
		return html_text(t)
	return substr(t, 1, 10) == substr(other, 1, 10) ? substr(t, 12, 8) : substr(t, 1, 10) " " substr(t, 12, 5)
}

function shape(outcome) {
	if (outcome == "killed")
		return "<circle class=\"killed\" r=\"5\"/>"
	if (outcome == "averted")
		return "<path class=\"averted\" d=\"M-6 0L0 -6L6 0L0 6Z\"/>"
	if (outcome == "unknown")
		return "<path class=\"other\" d=\"M0 -6L6 5H-6Z\"/>"
	return "<path class=\"other\" d=\"M-4 -4H4V4H-4Z\"/>"
}

function memory_bar(n,   all, z, kernel, rest, m) {
	use_page(n)
	if (!count(n, "memory"))
		return
	for (z = 1; z <= count(n, "zone"); z++)
		all += num(rec(n, "zone", z, "managed"))
	kernel = mem(n, "slab_reclaimable") + mem(n, "slab_unreclaimable") + mem(n, "kernel_stack") + mem(n, "pagetables")
	rest = all - mem(n, "anon") - mem(n, "file") - mem(n, "shmem") - kernel - mem(n, "free")
	if (rest < 0) {
		all -= rest
		rest = 0
	}
	print "<div class=\"row\"><div class=\"name\"><span>RAM at the time</span><b>" bytes(all) "</b></div>"
	begin_bar()
	part_of_bar(mem(n, "anon"), all, 1, "anon")
	part_of_bar(mem(n, "file"), all, 2, "file")
	part_of_bar(mem(n, "shmem"), all, 3, "shared")
	part_of_bar(kernel, all, 5, "kernel")
	part_of_bar(rest, all, 6, "other")
	part_of_bar(mem(n, "free"), all, 8, "free")
	end_bar("RAM at event " n)
	print "</div>"
	m = mem(n, "swap_total")
	if (!m)
		return
	print "<div class=\"row\"><div class=\"name\"><span>swap</span><b>" bytes(m) "</b></div>"
	begin_bar()
	part_of_bar(m - mem(n, "swap_free"), m, 4, "used")
	part_of_bar(mem(n, "swap_free"), m, 8, "free")
	end_bar("swap at event " n)
	print "</div>"
}

# In a cgroup's OOM: how full it was, and its swap where that has a limit
function memcg_bars(n,   path) {
	if (ev(n, "kind") != "memcg" || !count(n, "memcg"))
		return
	path = html_text(rec(n, "memcg", 1, "path"))
	limit_bar(path ": used", "usage", "limit", n, 1)
	limit_bar(path ": swap", "swap", "swap_limit", n, 4)
	limit_bar(path ": memory and swap", "memsw", "memsw_limit", n, 1)
}

function limit_bar(title, used, limit, n, colour,   u, l) {
	u = num(rec(n, "memcg", 1, used))
	l = num(rec(n, "memcg", 1, limit))
	# A limit beyond the machine is none.
	if (l <= 0 || (mem(n, "ram") > 0 && l > 64 * mem(n, "ram")))
		return
	print "<div class=\"row\"><div class=\"name\"><span>" title "</span><b>" bytes(u) " of " bytes(l) "</b></div>"
	begin_bar()
	part_of_bar(u, l > u ? l : u, colour, "used")
	part_of_bar(l - u, l > u ? l : u, 8, "left below the limit")
	end_bar(title)
	print "</div>"
}

# The first in line, as they were
function candidate_bars(n,   i, k, r, all, name, shown_candidates, key_name) {
	split("rss_anon rss_file rss_shmem swap pgtables adj_points", key_name, " ")
	for (i = 1; i <= count(n, "candidate"); i++)
		if (rec(n, "candidate", i, "rank") != "-") {
			r = num(rec(n, "candidate", i, "points"))
			k = num(rec(n, "candidate", i, "adj_points"))
			if (k < 0)
				r -= k
			if (r > all)
				all = r
		}
	if (all <= 0)
		return
	print "<h3>The first in line</h3>"
	for (i = 1; i <= count(n, "candidate") && shown_candidates < 5; i++) {
		if (rec(n, "candidate", i, "rank") == "-")
			continue
		shown_candidates++
		name = html_text(rec(n, "candidate", i, "comm"))
		print "<div class=\"row\"><div class=\"name\"><span>" rec(n, "candidate", i, "rank") ". <b>" name "</b> (" rec(n, "candidate", i, "pid") ") <span class=\"dim\">" html_text(rec(n, "candidate", i, "memcg")) "</span></span><b>" bytes(rec(n, "candidate", i, "points")) "</b></div>"
		for (k = 1; k <= 6; k++)
			TERM[k] = num(rec(n, "candidate", i, key_name[k]))
		term_bar(all, num(rec(n, "candidate", i, "points")), rec(n, "candidate", i, "adj"), rec(n, "candidate", i, "pid") == rec(n, "victim", 1, "pid") && count(n, "victim") ? "killed" : "")
		end_bar(name)
		print "</div>"
	}
}

function section(title, text) {
	if (text != "")
		print "<h3>" title "</h3><p>" html_text(text) "</p>"
}

# Of a log; those of the history are in its chart.
function stall_details(   i, s) {
	if (!logged || !stalls)
		return
	print "<h2>Stalls</h2>"
	for (i = 1; i <= stalls; i++) {
		use_page_of(stall(i, "page_kb"))
		print "<p>" html_text("Stall " stall_name[i] ", " stall_time(i) " (" stall_source(i) "): " stall_text(i)) "</p>"
		s = stall_tasks(stall(i, "largest"), " with ")
		section("What was largest", s)
		s = stall_tasks(stall(i, "fastest"), " by ")
		section("What had grown most", s)
	}
}

# A kill on purpose, or memory that pressure took and gave back
function drill(n) {
	return ev(n, "trigger") == "oomlens" || ev(n, "by") == "pressure"
}

# The last that killed or panicked and was no drill; else the last that was no drill
function first_told(   e) {
	for (e = events; e > 0; e--)
		if (ev(event_at[e], "outcome") ~ /^(killed|panic)/ && !drill(event_at[e]))
			return event_at[e]
	for (e = events; e > 0; e--)
		if (!only_waited(event_at[e]) && !drill(event_at[e]))
			return event_at[e]
	return 0
}

# The one that matters most comes first and is open; then the others, the newest first
function event_details(   e, first) {
	first = first_told()
	if (first)
		event_detail(first, " open")
	for (e = events; e > 0; e--)
		if (event_at[e] != first)
			event_detail(event_at[e], "")
}

function event_detail(n, open,   i) {
	explain(n)
	print "<details" open "><summary><b>" n "</b> " html_text(event_time(n)) " " ev(n, "kind") ": " ev(n, "outcome") (drill(n) ? " (a drill)" : "") (count(n, "victim") ? " <b>" html_text(rec(n, "victim", 1, "comm")) "</b> (" rec(n, "victim", 1, "pid") ")" : "") "</summary>"
	print "<p>" html_text(told["outcome"]) "</p>"
	memcg_bars(n)
	memory_bar(n)
	section("What ran out", told["shortage"])
	section("Why, though some looked free", told["although"])
	section("What held the memory", told["holder"])
	section("What grew", growth_text(n))
	section("Stalls before it", stalls_before(n))
	section("Why this one", told["choice"])
	candidate_bars(n)
	section("How long it took", told["recovery"])
	section("What the log lacks", told["lacks"])
	section("What only the module would have told", told["blind"])
	if (advices) {
		print "<h3>What could be done</h3><ul>"
		for (i = 1; i <= advices; i++)
			print "<li>" html_text(untabbed(advice[i])) "</li>"
		print "</ul>"
	}
	print "</details>"
}

function sources(   i) {
	print "<h2>What the module sees on this kernel</h2><div class=\"scroll\"><table>"
	for (i = 1; i <= features; i++)
		print "<tr><td>" html_text(feature[i]) "</td><td>" html_text(key("features", feature[i])) "</td></tr>"
	print "</table></div>"
}

# A recording may lack the clock, or the file host
function below_title(   s) {
	if (logged)
		return "from a log"
	s = has_clock() ? utc(now) : ""
	if (kernel != "")
		s = followed(s, ", ") "Linux " html_text(kernel)
	return has_clock() ? s ", up " duration(whole(up * 1000000)) : s
}

END {
	if (!dying && !unread("overcommit features stats events badness commit")) {
		host = ascii_only(ENVIRON["OOMLENS_HOST"])
		kernel = ascii_only(ENVIRON["OOMLENS_KERNEL"])
		print "<!DOCTYPE html>"
		title = host != "" ? "oomlens: " html_text(host) : has_clock() ? "OOM report of " utc(now) : "OOM report"
		print "<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>" title "</title>"
		style()
		print "</head><body>"
		textures()
		print "<h1>" title "</h1><p class=\"dim\">" below_title() "</p>"
		if (!logged) {
			tiles()
			legend()
			charts()
			badness_bars()
			promise()
			commit_bars()
			sheet_bars()
		}
		timeline()
		stall_details()
		event_details()
		if (!logged)
			sources()
		print "</body></html>"
	}
}
