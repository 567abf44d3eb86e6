# SPDX-License-Identifier: GPL-2.0
# Judges the log of a guest that panicked in the OOM killer: the block that oomlens
# printed against the kernel's own dump in the same log. Prints one line for each thing
# that is wrong; nothing if all is well.
#
# In: EXPECTED (the block comes before the panic, as kdump is loaded), REASON (of the
# panic), KIND (of the event; "-": the panic is another task's, and the OOM that was under
# way has one line), LOOSE (other tasks than the caller ran on), WHY (a file: what "oomlens
# --last-boot why" said of it after the reboot).

function wrong(what) {
	print what
	bad = 1
}

function fields(line, to,   n, i, w, p) {
	split("", to)
	n = split(line, w, " ")
	for (i = 1; i <= n; i++)
		if ((p = index(w[i], "=")))
			to[substr(w[i], 1, p - 1)] = substr(w[i], p + 1)
}

# Without the time, and the caller's id that some kernels print
{
	sub(/\r$/, "")
	sub(/^\[ *[0-9]+\.[0-9]+\](\[ *[TC][0-9]+\])? /, "")
}

/ invoked oom-killer: / {
	split("", column)
	split("", row)
	split("", tgids)
	rows = 0
	usage = ""
	asked = ""
}

/^CPU: [0-9]+ (UID: [0-9]+ )?PID: [0-9]+ Comm: / && asked == "" {
	asked = $0
	sub(/.*PID: /, "", asked)
	sub(/ .*/, "", asked)
}

/^memory: usage / {
	usage = $3 + 0
	limit = $5 + 0
}

# The names of the columns, then a row a task: "[    113]     0   113      565 ..."
/^\[  pid  \]/ {
	gsub(/\[ *pid *\]/, "pid")
	columns = split($0, column, " ")
	next
}

/^\[ *[0-9]+\] / && columns && !panics {
	gsub(/[][]/, " ")
	split($0, w, " ")
	rows++
	for (i = 1; i <= columns; i++)
		row[w[3], column[i]] = w[i]
	tgids[w[3]] = 1
	next
}

/^Kernel panic - not syncing: / {
	panics++
	if (index($0, "Kernel panic - not syncing: " REASON) != 1)
		wrong("another panic: " $0)
}

panics && /^oomlens: / {
	last_words++
}

/^oomlens: block / {
	if (panics || EXPECTED)
		blocks++
	line_count = 0
	candidates = 0
	ended = 0
	event = ""
	memcg = ""
	next
}

/^oomlens: underway [0-9]+ time_us=[0-9]+ real_us=[0-9]+ pid=[0-9]+ comm=/ {
	underway++
	next
}

/^oomlens: end / {
	fields($0, f)
	ended = 1
	if (f["lines"] != line_count || f["dropped"] != 0)
		wrong("the block has " line_count " lines, and says: " $0)
	next
}

/^oomlens: [a-z]+ [0-9]+ \+ / {
	s = $0
	sub(/^oomlens: [a-z]+ [0-9]+ \+/, "", s)
	if (last == "candidate")
		candidate[candidates] = candidate[candidates] s
	else if (last == "event")
		event = event s
	else if (last == "memcg")
		memcg = memcg s
	next
}

/^oomlens: (event|memory|zone|memcg|candidate|victim) / {
	line_count++
	last = $2
	if ($2 == "event")
		event = $0
	if ($2 == "memcg")
		memcg = $0
	if ($2 == "candidate")
		candidate[++candidates] = $0
}

# What the dump has of a candidate; it leaves out init, and, in a cgroup's OOM, all others
function judge_candidate(c,   pid) {
	fields(c, f)
	pid = f["pid"]
	if (f["verdict"] == "init" || (KIND == "memcg" && f["verdict"] == "scope"))
		return
	if (pid + 0 > newest)
		newest = pid + 0
	# It may have gone before the dump
	if (LOOSE && f["verdict"] == "victim" && !(pid in tgids))
		return
	if (!(pid in tgids)) {
		wrong("not in the kernel's dump: " c)
		return
	}
	seen[pid] = 1
	compare(pid, "oom_score_adj", f["adj"])
	compare(pid, "uid", f["uid"])
	# The rig's own tasks are exempt, and may run on until the panic.
	if (pid != asked && (LOOSE || f["adj"] == -1000))
		return
	compare(pid, "total_vm", f["vm_total"])
	if ((pid, "rss_anon") in row) {
		compare(pid, "rss_anon", f["rss_anon"])
		compare(pid, "rss_file", f["rss_file"])
		compare(pid, "rss_shmem", f["rss_shmem"])
	}
	compare(pid, "rss", f["rss_anon"] + f["rss_file"] + f["rss_shmem"])
	compare(pid, "pgtables_bytes", f["pgtables"] * 4096)
	compare(pid, "swapents", f["swap"])
}

function compare(pid, name, ours) {
	if (row[pid, name] != ours)
		wrong("pid " pid ": " name " is " row[pid, name] " in the dump, " ours " in the block")
}

# Every task that may be taken is a candidate, unless there are ten others, or it has been
# forked since the walk
function judge_missing(   pid) {
	for (pid in tgids)
		if (!(pid in seen) && !(LOOSE && pid + 0 > newest) && row[pid, "oom_score_adj"] > -1000 && candidates < 10)
			wrong("the block lacks pid " pid)
}

# ---- what was said after the reboot ----

# By the dump, which has no init; tasks of the rig that may be taken have no adj
function points_of(pid,   rss) {
	rss = (pid, "rss") in row ? row[pid, "rss"] : row[pid, "rss_anon"] + row[pid, "rss_file"] + row[pid, "rss_shmem"]
	return rss + row[pid, "swapents"] + int(row[pid, "pgtables_bytes"] / 4096)
}

# "12 MiB" is this many pages, as it is rounded there
function says_pages(said, unit, pages,   kib) {
	kib = unit == "KiB" ? 1 : unit == "MiB" ? 1024 : 1048576
	return said * kib - pages * 4 <= kib / 2 && pages * 4 - said * kib <= kib / 2
}

function judge_why(   line, text, pid, first, second, w, n, i) {
	while ((getline line <WHY) > 0)
		text = text " " line
	for (pid in tgids) {
		if (row[pid, "oom_score_adj"] != 0)
			continue
		if (first == "" || points_of(pid) > points_of(first)) {
			second = first
			first = pid
		} else if (second == "" || points_of(pid) > points_of(second)) {
			second = pid
		}
	}
	gsub(/ +/, " ", text)
	if (text !~ / the kernel panicked instead of killing a process \(vm\.panic_on_oom\)\./)
		wrong("why does not name the cause:" text)
	if (!match(text, / [^ ]+ \([0-9]+\) was first in line with .* ahead of the next, [^ ]+ \([0-9]+\)/)) {
		wrong("why does not name the first in line and its lead:" text)
		return
	}
	n = split(substr(text, RSTART, RLENGTH), w, " ")
	if (w[1] != row[first, "name"] || w[2] != "(" first ")" || !says_pages(w[8], w[9], points_of(first)))
		wrong("first in line by the dump is " row[first, "name"] " (" first ") with " points_of(first) " pages:" text)
	for (i = 1; w[i] != "ahead"; i++)
		;
	if (w[n - 1] != row[second, "name"] || w[n] != "(" second ")" || !says_pages(w[i - 2], w[i - 1], points_of(first) - points_of(second)))
		wrong("next by the dump is " row[second, "name"] " (" second "), by " points_of(first) - points_of(second) " pages:" text)
}

END {
	if (panics != 1)
		wrong("panics: " panics + 0)
	if (KIND == "-" && (underway != 1 || blocks || last_words != 1))
		wrong("lines of ours behind the panic: " last_words + 0)
	if (KIND == "-")
		exit bad
	if (EXPECTED && last_words)
		wrong("lines of ours behind the panic: " last_words)
	if (blocks != 1)
		wrong("blocks behind the panic: " blocks + 0)
	if (!bad && !ended)
		wrong("the block has no end")
	if (!bad) {
		fields(event, e)
		if (e["outcome"] != (EXPECTED ? "panic_expected" : "panic") || e["kind"] != KIND)
			wrong("outcome or kind: " event)
		if (e["pid"] != asked)
			wrong("the caller is " asked ": " event)
		if (KIND == "memcg") {
			fields(memcg, f)
			if (f["limit"] * 4 != limit || f["usage"] * 4 != usage)
				wrong("the kernel has " usage " kB of " limit " kB: " memcg)
		}
		if (!rows || !candidates)
			wrong("no tasks in the dump, or no candidates: " rows + 0 ", " candidates + 0)
		for (i = 1; i <= candidates; i++)
			judge_candidate(candidate[i])
		judge_missing()
	}
	if (WHY != "")
		judge_why()
	exit bad
}
