# SPDX-License-Identifier: GPL-2.0
# The kernel's own OOM dump, as mm/oom_kill.c prints it from 5.10 on, made into the
# records of an event. For log.awk, which calls kernel_line() for each line of the log.
#
# A dump: "invoked oom-killer", the caller, Mem-Info or a cgroup's usage, the table of
# tasks, "oom-kill:", "Killed process". Other lines may stand between, and any of these
# may be missing: the log is cut off, vm.oom_dump_tasks is 0, or the kernel printed only
# the last line, as it does after ten in five seconds.
#
# d is the dump that is open, 0: none. D[key] has its figures, M[] those of Mem-Info.

function kernel_line(t,   p) {
	if (index(t, "\t"))
		gsub(/\t/, " ", t)
	sub(/^ +/, "", t)
	sub(/ +$/, "", t)
	if (!d && t !~ /[Oo]ut of memory|oom|Kernel panic|Mem-Info:|Tasks state|kB|pages RAM|allocation failure|Show Memory|^\[ *[0-9]+\] +[0-9]/)
		return
	p = index(t, " invoked oom-killer: gfp_mask=")
	if (p) {
		begin_dump()
		D["comm"] = substr(t, 1, p - 1)
		asked(substr(t, p + 21))
		return
	}
	if (t ~ /page allocation failure|sysrq: Show Memory/) {
		if (!d || D["over"])
			foreign = 1
		return
	}
	if (index(t, "Killed process ")) {
		killed_line(t)
		return
	}
	if (t ~ /^oom_reaper: reaped process [0-9]+ /) {
		reaped_line(t)
		return
	}
	if (t ~ /^Tasks in .* are going to be killed due to memory.oom.group set/) {
		if (d)
			D["group"] = 1
		return
	}
	if (t ~ /^(Memory cgroup o|O)ut of memory.*: OOM victim [0-9]+ .* is already exiting/) {
		need_dump()
		D["outcome"] = "exiting"
		D["over"] = 1
		return
	}
	if (t ~ /^Out of memory and no killable processes/) {
		need_dump()
		D["outcome"] = "nobody"
		D["over"] = 1
		return
	}
	if (t ~ /^Kernel panic - not syncing: (Out of memory|out of memory|System is deadlocked on memory)/) {
		if (!(d && D["outcome"] == "nobody"))
			need_dump()
		D["outcome"] = "panic"
		D["panic"] = t ~ /deadlocked/ ? "deadlocked" : t ~ /compulsory/ ? "compulsory" : "system"
		D["over"] = 1
		return
	}
	if (foreign && t !~ /^(Tasks state|oom-kill:)/)
		return
	if ((!d || D["over"]) && !body_line(t))
		return
	if (!d || D["over"]) {
		begin_dump()
		D["front"] = 1
	}
	dump_line(t)
}

# Whether a line belongs to a dump whose beginning is not there. Not every Mem-Info is
# an OOM's: only "oom-kill:" and what follows makes it an event.
function body_line(t) {
	return t ~ /^(Mem-Info:|active_anon:[0-9]|Node [0-9]+ .*:[0-9]+kB|(DMA|DMA32|Normal|HighMem|Movable) free:|Free swap +=|Total swap =|[0-9]+ pages RAM|memory: usage [0-9]|Tasks state|oom-kill:constraint=|\[ *[0-9]+\] +[0-9]+ +[0-9]+ +[0-9]+ +[0-9]+ )/
}

function need_dump() {
	if (!d || D["over"]) {
		begin_dump()
		D["front"] = 1
	}
	D["event"] = 1
	foreign = 0
}

function begin_dump() {
	close_dump()
	d = new_entry("dump")
	split("", D)
	split("", M)
	split("", Z)
	split("", C)
	split("", R)
	split("", SLAB)
	split("", tid_row)
	zones = rows = slabs = victims = foreign = 0
	split("", victim_pids)
}

function asked(s,   w, n, i) {
	D["event"] = D["invoked"] = 1
	n = split(s, w, ", ")
	for (i = 1; i <= n; i++) {
		if (w[i] ~ /^gfp_mask=0x[0-9a-f]+/) {
			D["gfp"] = substr(w[i], 10)
			sub(/[^0-9a-fx].*/, "", D["gfp"])
		} else if (w[i] ~ /^order=-?[0-9]+$/) {
			D["order"] = fig(substr(w[i], 7))
		}
	}
}

# "KEY:123kB" in a line, in KB; "-" where it is not
function kb_of(t, k,   p) {
	p = index(t, " " k ":")
	if (!p)
		return "-"
	t = substr(t, p + length(k) + 2)
	sub(/^ +/, "", t)
	sub(/[kK]B.*/, "", t)
	return fig(t)
}

function dump_line(t,   w, n, i, p) {
	if (t ~ /^CPU: [0-9]+ (UID: [0-9]+ )?PID: [0-9]+ Comm: /) {
		p = index(t, "PID: ")
		if (!("tid" in D)) {
			D["tid"] = fig(first_number(substr(t, p + 5)))
			if (match(t, / [0-9]+\.[0-9]+\.?[^ ]* #/) && !(boot in release_of))
				release_of[boot] = substr(t, RSTART + 1, RLENGTH - 3)
		}
	} else if (t ~ /^\[ *[0-9]+\] +[0-9]+ +[0-9]+ /) {
		task_row(t)
	} else if (t ~ /^\[ *pid *\] /) {
		D["table"] = 1
		sub(/^\[ *pid *\]/, "pid", t)
		D["split"] = index(t, " rss_anon ") > 0
		D["titled"] = 1
	} else if (t ~ /^Tasks state/) {
		D["table"] = D["event"] = 1
		foreign = 0
	} else if (t ~ /^(memory|swap|memory\+swap|kmem): usage [0-9]+kB, limit [0-9]+kB/) {
		usage_line(substr(t, 1, index(t, ":") - 1), t)
	} else if (t ~ /^Memory cgroup stats for /) {
		if (!("path" in D)) {
			D["path"] = substr(t, 25)
			sub(/:?[ ]*$/, "", D["path"])
		}
		D["memcg"] = D["in_stats"] = 1
	} else if (t ~ /^[a-z_]+:[0-9]+( [a-z_]+:[0-9]+)*$/) {
		n = split(t, w, " ")
		for (i = 1; i <= n; i++) {
			p = index(w[i], ":")
			if (!(substr(w[i], 1, p - 1) in M))
				M[substr(w[i], 1, p - 1)] = fig(substr(w[i], p + 1))
		}
	} else if (t ~ /^Node [0-9]+ active_anon:/) {
		n = "node " first_number(substr(t, 6))
		if (!(n in M)) {
			M[n] = 1
			M["stack_kb"] += num_of(kb_of(t, "kernel_stack"))
			M["stack"] = 1
		}
	} else if (t ~ /^(Node [0-9]+ )?[A-Za-z0-9]+ free:[0-9]+kB /) {
		zone_line(t)
	} else if (t ~ /^(Node [0-9]+ )?[A-Za-z0-9]+: [0-9]+\*[0-9]+kB /) {
		if (match(t, /: [0-9]+\*[0-9]+kB/)) {
			t = substr(t, RSTART, RLENGTH - 2)
			sub(/.*\*/, "", t)
			page_is(t)
		}
	} else if (t ~ /^Free swap += [0-9]+kB/) {
		D["swap_free"] = fig(first_number(substr(t, index(t, "=") + 2)))
	} else if (t ~ /^Total swap += [0-9]+kB/) {
		D["swap_total"] = fig(first_number(substr(t, index(t, "=") + 2)))
	} else if (t ~ /^[0-9]+ pages RAM/) {
		D["present"] = fig(first_number(t))
	} else if (t ~ /^[0-9]+ pages reserved/) {
		D["reserved"] = fig(first_number(t))
	} else if (t ~ /^oom-kill:constraint=/) {
		summary_line(t)
	} else if (t ~ /^Unreclaimable slab info:/) {
		D["in_slab"] = 1
	} else if (D["in_slab"] && t ~ /^[^ ]+ +[0-9]+KB +[0-9]+KB$/) {
		slab_line(t)
	} else if (D["in_stats"] && t ~ /^[a-z_]+ [0-9]+$/) {
		n = split(t, w, " ")
		if (!(w[1] in C))
			C[w[1]] = fig(w[2])
	}
}

function first_number(s) {
	return match(s, /^[0-9]+/) ? substr(s, 1, RLENGTH) : "-"
}

# No architecture has pages over 1 MiB.
function page_is(kb) {
	kb = num_of(kb)
	if (kb >= 4 && kb <= 1024 && !("page" in D))
		D["page"] = dump_page = kb
}

function usage_line(what, line,   p) {
	if (!match(line, /usage [0-9]+kB, limit [0-9]+kB/))
		return
	line = substr(line, RSTART, RLENGTH)
	p = index(line, ", limit ")
	D["memcg"] = 1
	if (!((what " usage") in D)) {
		D[what " usage"] = fig(first_number(substr(line, 7)))
		D[what " limit"] = fig(first_number(substr(line, p + 8)))
	}
}

function zone_line(t,   w, node, name, z) {
	split(t, w, " ")
	node = w[1] == "Node" ? w[2] : 0
	name = w[1] == "Node" ? w[3] : w[1]
	if ((node, name) in Z || zones >= 1000)
		return
	z = Z[node, name] = ++zones
	Z[z, "node"] = node
	Z[z, "name"] = name
	Z[z, "free"] = kb_of(t, "free")
	Z[z, "min"] = kb_of(t, "min")
	Z[z, "low"] = kb_of(t, "low")
	Z[z, "high"] = kb_of(t, "high")
	Z[z, "managed"] = kb_of(t, "managed")
	Z[z, "present"] = kb_of(t, "present")
	Z[z, "free_cma"] = kb_of(t, "free_cma")
	# What the watermark check subtracts, where the kernel tells it
	Z[z, "highatomic"] = kb_of(t, index(t, " free_highatomic:") ? "free_highatomic" : "reserved_highatomic")
	Z[z, "anon"] = sum_of(kb_of(t, "active_anon"), kb_of(t, "inactive_anon"))
	Z[z, "file"] = sum_of(kb_of(t, "active_file"), kb_of(t, "inactive_file"))
	Z[z, "unevictable"] = kb_of(t, "unevictable")
	Z[z, "mlocked"] = kb_of(t, "mlocked")
	# 5.8 and older
	if (index(t, " kernel_stack:")) {
		M["stack_kb"] += num_of(kb_of(t, "kernel_stack"))
		M["stack"] = 1
	}
}

function sum_of(a, b) {
	return a == "-" || b == "-" ? "-" : a + b
}

# The five largest caches
function slab_line(t,   w, i, kb) {
	split(t, w, " ")
	sub(/KB/, "", w[3])
	kb = num_of(w[3])
	for (i = slabs < 5 ? ++slabs : 6; i > 1 && SLAB[i - 1, "kb"] < kb; i--)
		if (i <= 5) {
			SLAB[i, "kb"] = SLAB[i - 1, "kb"]
			SLAB[i, "name"] = SLAB[i - 1, "name"]
		}
	if (i <= 5) {
		SLAB[i, "kb"] = kb
		SLAB[i, "name"] = w[1]
	}
}

# [  pid  ]   uid  tgid total_vm      rss [rss_anon rss_file rss_shmem] pgtables_bytes swapents oom_score_adj name
function task_row(t,   w, n, i, split_rss, last, name) {
	sub(/^\[ */, "", t)
	sub(/\]/, "", t)
	n = split(t, w, " ")
	split_rss = D["titled"] ? D["split"] : n >= 12 && w[9] ~ /^-?[0-9]+$/ && w[10] ~ /^-?[0-9]+$/ && w[11] ~ /^-?[0-9]+$/
	last = split_rss ? 11 : 8
	if (n <= last || rows >= 100000)
		return
	for (i = 1; i <= last; i++)
		if (fig(w[i]) == "-")
			return
	name = t
	for (i = 1; i <= last; i++)
		sub(/^ *[^ ]+ /, "", name)
	rows++
	D["table"] = 1
	R[rows, "tid"] = w[1]
	R[rows, "uid"] = w[2]
	R[rows, "pid"] = w[3]
	R[rows, "vm"] = w[4] + 0
	R[rows, "rss"] = w[5] + 0
	if (split_rss) {
		R[rows, "anon"] = w[6] + 0
		R[rows, "file"] = w[7] + 0
		R[rows, "shmem"] = w[8] + 0
	}
	R[rows, "pgtables"] = w[last - 2] + 0
	R[rows, "swap"] = w[last - 1] + 0
	R[rows, "adj"] = w[last] + 0
	R[rows, "name"] = name
	tid_row[w[1]] = rows
}

# The paths of cgroups may have commas in them, and a name too
function summary_line(t,   p, q, rest) {
	D["event"] = 1
	foreign = 0
	D["constraint"] = match(t, /CONSTRAINT_[A-Z_]+/) ? substr(t, RSTART + 11, RLENGTH - 11) : ""
	if (match(t, /,nodemask=[0-9(][-0-9,a-z)]*,cpuset=/)) {
		D["nodemask"] = substr(t, RSTART + 10, RLENGTH - 18)
	}
	if (match(t, /,mems_allowed=[0-9][-0-9,]*,(oom_memcg=|global_oom)/)) {
		rest = substr(t, RSTART + 14, RLENGTH - 14)
		sub(/,[a-z].*/, "", rest)
		D["mems"] = rest
	}
	p = index(t, ",oom_memcg=")
	q = last_index(t, ",task=")
	rest = q ? substr(t, 1, q - 1) : t
	if (p) {
		D["memcg"] = 1
		D["oom_memcg"] = substr(rest, p + 11)
		q = last_index(D["oom_memcg"], ",task_memcg=")
		if (q) {
			D["task_memcg"] = substr(D["oom_memcg"], q + 12)
			D["oom_memcg"] = substr(D["oom_memcg"], 1, q - 1)
		}
	} else if ((p = last_index(rest, ",task_memcg="))) {
		D["task_memcg"] = substr(rest, p + 12)
	}
}

function last_index(s, what,   p, at) {
	while ((p = index(s, what))) {
		at += p
		s = substr(s, p + 1)
	}
	return at + 0
}

function killed_line(t,   pid, comm, p, q, rest) {
	p = index(t, "Killed process ")
	rest = substr(t, p + 15)
	pid = fig(first_number(rest))
	q = last_index(rest, "total-vm:")
	if (pid == "-" || !q)
		return
	comm = substr(rest, 1, q - 1)
	sub(/^[0-9]+ \(/, "", comm)
	sub(/\)[^)]*$/, "", comm)
	rest = " " substr(rest, q)
	gsub(/,/, " ", rest)
	if (d && D["over"] && D["group"] && D["outcome"] == "killed" && ((pid in tid_row) || soon_after(last_kill))) {
		last_kill = stamp
		if (!(pid in victim_pids))
			add_victim(pid, comm, rest)
		return
	}
	if (!d || D["over"]) {
		begin_dump()
		D["bare"] = 1
	}
	D["event"] = D["over"] = 1
	D["outcome"] = "killed"
	last_kill = stamp
	D["by_caller"] = index(t, "oom_kill_allocating_task") > 0
	if (index(t, "Memory cgroup out of memory") && index(t, "Memory cgroup out of memory") < p)
		D["memcg"] = 1
	add_victim(pid, comm, rest)
}

# The kills of one memory.oom.group follow each other, a slow console's line apart.
function soon_after(when) {
	return stamp == "" || when == "" || stamp - when < 0.25
}

function add_victim(pid, comm, rest) {
	victims++
	victim_pids[pid] = victims
	if (victims > 200)
		return
	D["v", victims, "pid"] = pid
	D["v", victims, "comm"] = comm
	D["v", victims, "vm"] = kb_of(rest, "total-vm")
	D["v", victims, "anon"] = kb_of(rest, "anon-rss")
	D["v", victims, "file"] = kb_of(rest, "file-rss")
	D["v", victims, "shmem"] = kb_of(rest, "shmem-rss")
	D["v", victims, "pgtables"] = kb_of(rest, "pgtables")
	D["v", victims, "uid"] = match(rest, / UID:[0-9]+/) ? fig(substr(rest, RSTART + 5, RLENGTH - 5)) : "-"
	D["v", victims, "adj"] = match(rest, / oom_score_adj:-?[0-9]+/) ? fig(substr(rest, RSTART + 15, RLENGTH - 15)) : "-"
	D["v", victims, "stamp"] = stamp
	reaper_of[boot, pid] = d SUBSEP victims
}

# Long after: the dump may be closed by then
function reaped_line(t,   pid, w) {
	pid = first_number(substr(t, 28))
	if (!((boot, pid) in reaper_of))
		return
	split(reaper_of[boot, pid], w, SUBSEP)
	reaped_at[w[1], w[2]] = stamp
	delete reaper_of[boot, pid]
}

# ---- the records ----

function close_dump(   e) {
	if (!d)
		return
	e = d
	d = 0
	if (!D["event"]) {
		gone[e] = 1
		return
	}
	find_page()
	entry_front[e] = D["front"]
	entry_page[e] = D["page"]
	dump_event(e)
	dump_memory(e)
	dump_zones(e)
	dump_memcg(e)
	dump_tasks(e)
	dump_victims(e)
	dump_slabs(e)
	entry_more[e] = " rows=" (D["table"] ? rows : "-") " panic=" ("panic" in D ? D["panic"] : "-") " allocating=" (D["by_caller"] ? 1 : 0) " bare=" (D["bare"] ? 1 : 0) " placed=" (D["unplaced"] ? 0 : 1)
	if (("v", 1, "stamp") in D)
		killed_at[e] = D["v", 1, "stamp"]
}

# Of a page, where no list of free blocks tells: the victim's size is there in both units.
function find_page(   r) {
	if (!("page" in D) && victims && (D["v", 1, "pid"] in tid_row)) {
		r = tid_row[D["v", 1, "pid"]]
		if (R[r, "vm"] > 0 && D["v", 1, "vm"] % R[r, "vm"] == 0)
			page_is(D["v", 1, "vm"] / R[r, "vm"])
	}
	if (!("page" in D))
		D["page"] = dump_page ? dump_page : 4
}

function pages(kb) {
	return kb == "-" || kb == "" ? "-" : sprintf("%.0f", int(kb / D["page"]))
}

function figure(v) {
	return v == "" ? "-" : v
}

# A limit of nearly 2^63 bytes, or of 2^31 pages on 32 bits, is none. A part of a line is
# text to awk, and compared as such.
function limit_pages(kb) {
	return kb == "-" || kb == "" || kb + 0 >= 9007199254740000 || kb + 0 == 8589934588 ? "-" : pages(kb)
}

function group_of_task(tid) {
	return tid in tid_row ? R[tid_row[tid], "pid"] : tid
}

function kind_of(   c) {
	c = D["constraint"]
	if (D["order"] == "-1")
		return "sysrq"
	if (D["memcg"])
		return "memcg"
	if (c == "CPUSET")
		return "cpuset"
	if (c == "MEMORY_POLICY")
		return "mempolicy"
	return D["bare"] ? "-" : "global"
}

function dump_event(e,   kind, c) {
	kind = kind_of()
	c = D["constraint"]
	set_key(e, "time_us", stamp_us(entry_at[e]))
	set_key(e, "kind", kind)
	# Only kswapd's kills for MGLRU's min_ttl_ms are its own.
	set_key(e, "trigger", kind == "sysrq" ? "sysrq" : !D["invoked"] ? "-" : D["comm"] ~ /^kswapd[0-9]+$/ ? "min_ttl" : "allocator")
	set_key(e, "constraint", c == "NONE" ? "none" : c == "MEMCG" ? "memcg" : c == "CPUSET" ? "cpuset" : c == "MEMORY_POLICY" ? "mempolicy" : "-")
	set_key(e, "gfp", D["gfp"] == "" ? "-" : D["gfp"])
	set_key(e, "order", D["order"] == "" ? "-" : D["order"])
	set_key(e, "pid", D["by_caller"] ? D["v", 1, "pid"] : D["tid"] == "" ? "-" : group_of_task(D["tid"]))
	set_key(e, "comm", word(D["comm"]))
	set_key(e, "memcg", kind == "memcg" ? word(memcg_path()) : "/")
	set_key(e, "totalpages", figure(total_pages(kind)))
	set_key(e, "outcome", "outcome" in D ? D["outcome"] : "unknown")
	set_key(e, "victims", victims + 0)
	set_key(e, "by", "-")
	set_key(e, "freed", 0)
	set_key(e, "walk", "-")
	set_key(e, "nodes", kind == "cpuset" ? node_list(D["mems"]) : kind == "mempolicy" ? node_list(D["nodemask"]) : "-")
}

function node_list(v) {
	return v ~ /^[0-9][-0-9,]*$/ ? v : "-"
}

function memcg_path() {
	return "oom_memcg" in D ? D["oom_memcg"] : D["path"]
}

# The kernel's totalpages, where the dump has its parts (oom_badness() judges by it)
function total_pages(kind,   ram, swap, z) {
	if (kind == "memcg")
		return memcg_total()
	if (!("present" in D) || !("reserved" in D) || !("swap_total" in D) || D["swap_total"] == "-")
		return "-"
	swap = pages(D["swap_total"])
	if (kind == "cpuset" || kind == "mempolicy") {
		for (z = 1; z <= zones; z++) {
			if (Z[z, "present"] == "-")
				return "-"
			ram += pages(Z[z, "present"])
		}
		return zones ? ram + swap : "-"
	}
	return D["present"] - D["reserved"] + swap
}

# How much of the machine's swap counts, the cgroup's dump does not tell.
function memcg_total(   limit) {
	limit = limit_pages(D["memory limit"])
	if (limit != "-" && (D["swap limit"] == "0" || (("memory+swap limit") in D && D["memory+swap limit"] == D["memory limit"])))
		return limit
	return "-"
}

function pair(k, v) {
	return k "=" figure(v) " "
}

function dump_memory(e,   z, locked, swap_free, anon) {
	if (!("free" in M) || !("active_anon" in M))
		return
	for (z = 1; z <= zones; z++)
		locked = Z[z, "mlocked"] == "-" || locked == "-" ? "-" : locked + pages(Z[z, "mlocked"])
	# Shared memory is on the same lists.
	anon = num_of(M["active_anon"]) + num_of(M["inactive_anon"]) + num_of(M["isolated_anon"]) - num_of(M["shmem"])
	add_record(e, "memory", pair("free", M["free"]) "available=- " pair("anon", anon < 0 ? 0 : anon) pair("file", sum_of(figure(M["active_file"]), figure(M["inactive_file"]))) pair("shmem", M["shmem"]) pair("slab_reclaimable", M["slab_reclaimable"]) pair("slab_unreclaimable", M["slab_unreclaimable"]) pair("kernel_stack", M["stack"] ? pages(M["stack_kb"]) : "-") pair("pagetables", M["pagetables"]) pair("unevictable", M["unevictable"]) pair("mlocked", locked) pair("swap_total", pages(D["swap_total"])) pair("swap_free", pages(D["swap_free"])) "committed=- commit_limit=- ram=" ("present" in D && "reserved" in D ? D["present"] - D["reserved"] : "-"))
}

function dump_zones(e,   z, usable) {
	for (z = 1; z <= zones; z++) {
		usable = num_of(Z[z, "free"]) - num_of(Z[z, "free_cma"]) - num_of(Z[z, "highatomic"])
		add_record(e, "zone", pair("node", Z[z, "node"]) pair("name", word(Z[z, "name"])) pair("free", pages(Z[z, "free"])) pair("free_cma", pages(Z[z, "free_cma"])) pair("highatomic", pages(Z[z, "highatomic"])) pair("usable", pages(usable < 0 ? 0 : usable)) pair("min", pages(Z[z, "min"])) pair("low", pages(Z[z, "low"])) pair("high", pages(Z[z, "high"])) pair("managed", pages(Z[z, "managed"])) pair("anon", pages(Z[z, "anon"])) pair("file", pages(Z[z, "file"])) pair("unevictable", pages(Z[z, "unevictable"])) "mlocked=" pages(Z[z, "mlocked"]))
	}
}

# What the cgroup's own statistics tell is more than the module keeps.
function dump_memcg(e,   swap) {
	if (!D["memcg"] || !("memory usage" in D))
		return
	if ("memory+swap usage" in D)
		swap = pair("memsw", pages(D["memory+swap usage"])) pair("memsw_limit", limit_pages(D["memory+swap limit"]))
	else
		swap = pair("swap", pages(D["swap usage"])) pair("swap_limit", limit_pages(D["swap limit"]))
	add_record(e, "memcg", pair("path", word(memcg_path())) pair("usage", pages(D["memory usage"])) pair("limit", limit_pages(D["memory limit"])) swap pair("anon", of_stats("anon", "rss")) pair("file", of_stats("file", "cache")) pair("shmem", of_stats("shmem")) pair("kernel_stack", of_stats("kernel_stack")) pair("pagetables", of_stats("pagetables")) pair("slab", of_stats("slab")) "sock=" of_stats("sock"))
}

# Bytes in the statistics, as pages
function of_stats(k, old) {
	if (!(k in C))
		k = old
	return k in C ? pages(num_of(C[k]) / 1024) : "-"
}

# ---- the tasks: in the order in which the kernel chooses ----

function dump_tasks(e,   r, best, n, total, i, exempt, first) {
	total = EK[e, "totalpages"]
	first = victims && (D["v", 1, "pid"] in tid_row) ? tid_row[D["v", 1, "pid"]] : 0
	for (r = 1; r <= rows; r++) {
		R[r, "pgpages"] = int(R[r, "pgtables"] / (D["page"] * 1024))
		R[r, "terms"] = R[r, "rss"] + R[r, "swap"] + R[r, "pgpages"]
		R[r, "placed"] = R[r, "adj"] == 0 || total != "-"
		R[r, "points"] = R[r, "terms"] + (R[r, "adj"] == 0 ? 0 : R[r, "adj"] * int(total / 1000))
		if (R[r, "adj"] == -1000) {
			if (!exempt || R[r, "terms"] > R[exempt, "terms"])
				exempt = r
			continue
		}
		if (!R[r, "placed"]) {
			D["unplaced"] = 1
			continue
		}
		# The later of two equals goes first, unless the kernel took the other.
		for (i = n < 10 ? ++n : 11; i > 1 && before(r, best[i - 1], first); i--)
			if (i <= 10)
				best[i] = best[i - 1]
		if (i <= 10)
			best[i] = r
	}
	# Any task that cannot be placed may stand between the others.
	if (D["unplaced"]) {
		if (first)
			candidate(e, first, 1, "victim")
		return
	}
	for (i = 1; i <= n; i++)
		candidate(e, best[i], i, best[i] == first ? "victim" : "-")
	if (exempt && (!n || R[exempt, "terms"] > R[best[1], "terms"]))
		candidate(e, exempt, "-", "-")
}

function before(r, s, first) {
	if (R[r, "points"] != R[s, "points"])
		return R[r, "points"] > R[s, "points"]
	return s != first
}

function candidate(e, r, rank, fate,   parts, adj_points) {
	adj_points = R[r, "adj"] == 0 ? 0 : R[r, "placed"] ? R[r, "points"] - R[r, "terms"] : "-"
	if ((r, "anon") in R)
		parts = pair("rss_anon", R[r, "anon"]) pair("rss_file", R[r, "file"]) pair("rss_shmem", R[r, "shmem"])
	else if (fate == "victim" && victim_parts(r) != "")
		parts = victim_parts(r)
	else
		parts = "rss_anon=- rss_file=- rss_shmem=- rss=" R[r, "rss"] " "
	add_record(e, "candidate", pair("rank", rank) pair("pid", R[r, "pid"]) pair("uid", R[r, "uid"]) pair("adj", R[r, "adj"]) "score=- " pair("points", rank == "-" || !R[r, "placed"] ? "-" : sprintf("%.0f", R[r, "points"])) parts pair("swap", R[r, "swap"]) pair("pgtables", R[r, "pgpages"]) pair("adj_points", adj_points == "-" || adj_points == "" ? adj_points : sprintf("%.0f", adj_points)) "locked=- " pair("vm_total", R[r, "vm"]) "threads=- " pair("verdict", R[r, "adj"] == -1000 ? "adj_min" : "eligible") pair("fate", fate) pair("memcg", fate == "victim" && "task_memcg" in D ? word(D["task_memcg"]) : "-") "comm=" word(R[r, "name"]))
}

# The table's sum in the parts that the kill's line has, if that is still the same sum
function victim_parts(r,   a, f, s) {
	a = pages(D["v", 1, "anon"])
	f = pages(D["v", 1, "file"])
	s = pages(D["v", 1, "shmem"])
	if (a == "-" || f == "-" || s == "-" || a + f + s != R[r, "rss"])
		return ""
	return pair("rss_anon", a) pair("rss_file", f) pair("rss_shmem", s)
}

function dump_victims(e,   v, r, points) {
	for (v = 1; v <= victims && v <= 200; v++) {
		r = D["v", v, "pid"] in tid_row ? tid_row[D["v", v, "pid"]] : 0
		points = r && R[r, "placed"] ? sprintf("%.0f", R[r, "points"]) : "-"
		add_record(e, "victim", pair("pid", group_of_task(D["v", v, "pid"])) pair("uid", D["v", v, "uid"]) pair("adj", D["v", v, "adj"]) pair("comm", word(D["v", v, "comm"])) pair("points", points) pair("rss_anon", pages(D["v", v, "anon"])) pair("rss_file", pages(D["v", v, "file"])) pair("rss_shmem", pages(D["v", v, "shmem"])) pair("swap", r ? R[r, "swap"] : "-") pair("pgtables", pages(D["v", v, "pgtables"])) "locked=- " pair("vm_total", pages(D["v", v, "vm"])) "threads=- killed=1 " pair("memcg", v == 1 && "task_memcg" in D ? word(D["task_memcg"]) : "-") "exit_us=- freed_us=-")
	}
}

function dump_slabs(e,   i) {
	for (i = 1; i <= slabs; i++)
		add_record(e, "slab", pair("name", word(SLAB[i, "name"])) pair("pages", pages(SLAB[i, "kb"])) "objects=-")
}

# Between the kill's line and the reaper's, by the log's own times
function reaped_us(e,   t) {
	if (!((e, 1) in reaped_at) || killed_at[e] == "" || reaped_at[e, 1] == "")
		return "-"
	t = (reaped_at[e, 1] - killed_at[e]) * 1000000
	return t < 0 ? "-" : sprintf("%.0f", t)
}
