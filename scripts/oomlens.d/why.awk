# SPDX-License-Identifier: GPL-2.0
# why: one OOM in sentences. The record is first reduced to named facts. Then a table
# has the sentences, each with the facts that it needs. A new cause is one row, and a
# new fact if none of the old ones describes it.
#
# In: only (the event; empty: the last), wide, now, uptime,
# allocating (vm.oom_kill_allocating_task now; empty: not known),
# cgroups (see place.awk), min_ttl (/sys/kernel/mm/lru_gen/min_ttl_ms now; empty: not known).

# ---- the table ----

# say(section, facts, text, advice): text is printed if every fact holds ("!": does not
# hold). {x} is replaced by T["x"]. tell(section, 1) prints the first such row only.
function say(section, facts, text, advice) {
	rules++
	rule_section[rules] = section
	rule_facts[rules] = facts
	rule_text[rules] = text
	rule_advice[rules] = advice
}

function rules_outcome() {
	say("outcome", "killed min_ttl group", "{caller} could not keep in memory what was used last ({ttl_file}), and the kernel killed {victims} processes of one cgroup (memory.oom.group): {victim} and the others.")
	say("outcome", "killed min_ttl", "{caller} could not keep in memory what was used last ({ttl_file}), and the kernel killed {victim}.")
	say("outcome", "killed group outside", "{caller} is not in {path}: it lowered the limit there, or what it asked for is charged there. The kernel killed {victims} processes of one cgroup (memory.oom.group): {victim} and the others.")
	say("outcome", "killed outside", "{caller} is not in {path}: it lowered the limit there, or what it asked for is charged there. The kernel killed {victim}.")
	say("outcome", "killed group", "{caller} asked for {request}, and the kernel killed {victims} processes of one cgroup (memory.oom.group): {victim} and the others.")
	say("outcome", "killed request", "The kernel was told to kill, and took {victim}.")
	say("outcome", "killed !probed", "The OOM killer ran in {caller} and killed {victim}.")
	say("outcome", "killed", "{caller} asked for {request}, there was no more, and the kernel killed {victim}.")
	say("outcome", "averted by_reserve", "{caller} asked for {request}. The module's reserve gave memory back and the kill was called off: no process died.", \
		"This was the warning. Free memory before the reserve is spent; \"oomlens reserve\" shows what is left of it.")
	say("outcome", "averted by_pressure", "{caller} asked for {request}. It was a drill: oomlens' own pressure gave its memory back and the kill was called off. No process died.")
	say("outcome", "averted", "{caller} asked for {request}. Some driver's OOM notifier gave memory back and the kill was called off: no process died.", \
		"A driver (a GPU's or a balloon's, as a rule) holds caches that it gives back only now: see that it does so earlier.")
	say("outcome", "dying", "{caller} asked for {request} while it was already being killed or about to exit. The kernel let it use the memory reserves and exit: no other process was chosen.", \
		"Nothing to do for this event: it follows from an earlier kill or an exit.")
	say("outcome", "exiting", "{caller} asked for {request}. The process chosen, {first}, was about to exit by itself, so the kernel let it use the memory reserves instead of killing it.")
	say("outcome", "no_fs", "{caller} asked for {request}, in a place where the file system may not be called (no __GFP_FS). There the kernel kills no process: it returns, and the allocation is tried again or fails.", \
		"If the machine hung here: a driver or file system asks for memory where reclaim can do little. Its allocation needs a pool of its own, or memory kept free (vm.min_free_kbytes).")
	say("outcome", "in_flight", "{caller} asked for {request}. An earlier victim had not given its memory back yet, so the kernel waited for it and killed no other process.", \
		"If many of these follow each other, the earlier victim is stuck in the kernel: look at its stack (/proc/PID/stack) and at the event before.")
	say("outcome", "nobody outside", "{caller} is not in {path}: it lowered the limit there, or what it asked for is charged there. There was no process that may be killed.")
	say("outcome", "nobody memcg", "{caller} asked for {request}. In {path} there was no process that may be killed: the request fails, or is tried again and again.", \
		"Every process in {path} has oom_score_adj -1000, or has gone and left its memory charged (tmpfs files, page cache). Look for files in tmpfs; give one process a higher oom_score_adj.")
	say("outcome", "nobody", "{caller} asked for {request}. There was no process that may be killed.", \
		"Let at least one large process have an oom_score_adj above -1000: without one, the kernel panics.")
	say("outcome", "panicked no_line walked !memcg", "{caller} asked for {request}, there was no more and no process that may be killed, and the kernel {panicked} (\"System is deadlocked on memory\").", \
		"Let at least one large process have an oom_score_adj above -1000: without one, the kernel panics.")
	say("outcome", "panicked", "{caller} asked for {request}, there was no more, and the kernel {panicked} instead of killing a process (vm.panic_on_oom).", \
		"vm.panic_on_oom=0 lets the kernel kill a process instead.")
	say("outcome", "disabled", "{caller} asked for {request} while the OOM killer was switched off (suspend or hibernation): no process was killed.")
	say("outcome", "", "The OOM killer ran in {caller}. What came of it is not known: this kernel lets the module see no more.", \
		"\"oomlens status\" names the kernel option that is missing.")
}

# What ran out: the first that holds
function rules_shortage() {
	say("shortage", "request oomlens", "Nothing: the kill was asked for through \"oomlens trigger\". {available} was available.")
	say("shortage", "request", "Nothing: the kill was asked for with sysrq f. {available} was available.", \
		"If that was not intended: kernel.sysrq limits it for keyboards and serial lines; root may always write to /proc/sysrq-trigger.")
	say("shortage", "min_ttl", "Time: what was used last is to stay in memory for {ttl_file}{ttl}, and kswapd found nothing older to take. That {free} of RAM and {swap_free} of swap were free did not matter to it.", \
		"A smaller {ttl_file} kills later, 0 never for this reason; or start less at once.")
	say("shortage", "memcg memsw_limited", "The cgroup {path} reached its limit of memory and swap together: {memsw} of {memsw_limit} in use, of that {usage} in RAM.{place}", \
		"Raise {swap_file} of {path}.\n{look_inside}")
	say("shortage", "memcg swap_limited", "The cgroup {path} reached its limit: {usage} of {limit} in use, and {swap} of its {swap_limit} of swap too.{place}", \
		"{limit_raise}\n{look_inside}")
	say("shortage", "memcg", "The cgroup {path} reached its limit: {usage} of {limit} in use.{place}", \
		"{limit_raise}\n{look_inside}")
	say("shortage", "memcg_unnamed", "A cgroup reached its limit; which one is not known.")
	say("shortage", "kind_unknown", "Not known: without the notifier and the return probe a cgroup's limit, the whole machine's memory and sysrq f look the same. {free} of the machine's RAM was free.")
	say("shortage", "some_free !by_pressure", "Not known, as {free} of RAM was free: without the return probe sysrq f, a cpuset, a memory policy, and a request that could not use all that is free look the same.", \
		"\"oomlens status\" names the kernel option that is missing.")
	say("shortage", "mempolicy", "The NUMA nodes that the caller's memory policy binds it to{nodes}.", \
		"Widen the policy (numactl --preferred instead of --membind), or move other load off these nodes.")
	say("shortage", "cpuset", "The NUMA nodes of the caller's cpuset{nodes}.", \
		"Give the cpuset more nodes (cpuset.mems), or move other load off these nodes.")
	say("shortage", "fragmented", "Memory in one piece: the request was for {pieces} pages in a row (order {order}), and the {free} that was free had no such piece.", \
		"Fragmentation: let the driver or kernel path ask for less at once or use vmalloc; more room for compaction: raise vm.min_free_kbytes, or echo 1 >/proc/sys/vm/compact_memory before the load.")
	say("shortage", "lowzone movable_zone", "The zones that this request may use ({zones}): it cannot live elsewhere.", \
		"ZONE_MOVABLE takes no kernel memory and no pages that stay where they are: make it smaller (movablecore= or kernelcore= on the command line; memory that was added with online_movable).")
	say("shortage", "lowzone", "The zones that this request may use ({zones}): it cannot live elsewhere.", \
		"Kernel memory and old devices need these zones. On 32 bits: a 64-bit kernel, or fewer, larger kernel objects; for devices: a wider DMA mask.")
	say("shortage", "raced", "Memory was short at the moment of the call; when it was counted, enough was free again ({free}): a near miss.", \
		"Memory comes back later than it is asked for: raise vm.watermark_scale_factor or vm.min_free_kbytes so that reclaim starts earlier.")
	say("shortage", "noswap_at_all zones_known", "RAM of the whole machine: {free} free, no zone above its minimum for this request.")
	say("shortage", "swapfull memory_known", "RAM and swap of the whole machine: {free} free of RAM, {swap_free} of {swap_total} swap.")
	say("shortage", "memory_known", "RAM of the whole machine: {free} free.")
}

# Why though memory looked free: all that hold
function rules_although() {
	say("although", "memcg machine_had", "The machine had {available} available, which does not help: a cgroup may not go over its own limit.")
	say("although", "memcg memsw_limited swap_free", "{swap_free} of swap was free, but this limit counts what is in swap too.")
	say("although", "memcg swap_free !swap_limited !memcg_noswap !memsw_limited", "{swap_free} of swap was free, but what fills the cgroup could not be moved there: locked, in use, or charged by the kernel.")
	say("although", "memcg memcg_noswap swap_free", "{swap_free} of swap was free, but this cgroup may not use it (its swap limit is 0).", \
		"{swap_allow}")
	say("although", "nodes_bound others_free", "Other nodes had {others_free} free, which the caller may not use.")
	say("although", "cma_hides", "{cma} of what looks free is CMA: set aside for devices, and only movable pages may be placed there. This request was not movable.", \
		"Make the CMA area smaller (cma= on the command line, linux,cma in the device tree), or find out which kernel memory grows: it cannot go there.")
	say("although", "highatomic_hides", "{highatomic} of what looks free is kept for urgent large requests (the highatomic reserve): ordinary ones may not have it.", \
		"The reserve grows with bursts of large atomic requests (network drivers): smaller buffers or rings keep it small. Kernels from 6.8, and later updates of 6.1, give its free part back before they kill.")
	say("although", "protection_hides", "{protected} is free in lower zones, which are kept for requests that can use no other ({low_zones}, vm.lowmem_reserve_ratio).", \
		"On a machine whose devices do not need it, vm.lowmem_reserve_ratio gives some of that back.")
	say("although", "other_zones_free", "{other_zones_free} is free in zones that this request may not use ({other_zones}).")
	say("although", "!memcg !request swap_free swap_locked", "{swap_free} of swap was free, but {mlocked} is locked in RAM (mlock) and cannot be swapped.", \
		"Lock less: mlockall() locks all that a program maps, its thread stacks too. Lock only what must not wait; limit with ulimit -l.")
	say("although", "!memcg !request swap_free !swap_locked fragmented", "Swap was free too, but swapping frees single pages, not pages in a row.")
	say("although", "!memcg !request swap_free !swap_locked !fragmented kernel_holds", "{swap_free} of swap was free, but it is the kernel itself that holds the memory, and kernel memory is never swapped.")
	say("although", "!memcg !request swap_free !swap_locked !fragmented !kernel_holds rest_holds", "{swap_free} of swap was free, but most memory is held by drivers or huge pages, which are never swapped.")
	say("although", "!memcg !request swap_free !swap_locked !fragmented !kernel_holds !rest_holds", "{swap_free} of swap was free: memory was asked for faster than pages could be written there, or the pages were in use.", \
		"A faster swap (zram), or a limit on what grows so fast (memory.high).")
	say("although", "file_in_use", "{file} of page cache was there, but reclaim could not free it: mapped, dirty or in use all the time.", \
		"Thrashing on file pages: less dirty data (vm.dirty_bytes), and memory.min for the programs that must not be paged out.")
}

# What holds the memory: all that hold
function rules_holder() {
	say("holder", "kernel_holds slab_most", "{kernel_parts}", \
		"Find the cache: slabtop or /proc/slabinfo.")
	say("holder", "kernel_holds tables_most", "{kernel_parts}", \
		"Page tables grow with many processes that map the same large memory, and with sparse mappings; huge pages need fewer. VmPTE in /proc/PID/status shows each process' part.")
	say("holder", "kernel_holds stacks_most", "{kernel_parts}", \
		"Stacks grow with the number of threads: Threads in /proc/PID/status; a cgroup's pids.max limits it.")
	say("holder", "by_pressure", "oomlens' own pressure, which gave {given} back.")
	say("holder", "rest_holds !by_pressure", "{rest} is in none of the kernel's usual accounts: huge pages, drivers and GPU buffers, pipes and sockets, or memory that oomlens' pressure holds.", \
		"Look at HugePages_Total in /proc/meminfo, the GPU driver's debugfs, and page_owner.")
	say("holder", "rest_holds !by_pressure sheet", "Of such memory there is now: {sheet_parts}.", \
		"{sheet_advice}")
	say("holder", "rest_holds !by_pressure dmabufs", "Of drivers' buffers that processes hold: {dmabufs}.", \
		"A driver's buffer is freed when each process that has it closes it or ends: oomlens objects PID shows all of one process.")
	say("holder", "slabs_known slab_holds", "The largest slab caches: {slabs}.")
	say("holder", "slabs_known slab_holds slab_idle !slab_tmpfs", "{slab_idle} of slab can be reclaimed.", \
		"Dentries and inodes: echo 2 >/proc/sys/vm/drop_caches frees what of them is not in use.")
	say("holder", "slabs_known slab_holds slab_tmpfs", "Of these shmem_inode_cache is the files of tmpfs, empty ones too.", \
		"The inodes of a tmpfs go with its files, not by drop_caches. Which tmpfs has the most: df -i -t tmpfs")
	say("holder", "descriptors", "The process with the most descriptors is now {most_descriptors}: {descriptors}.", \
		"The memory of pipes and sockets comes back when their processes close them or end: {most_kill}")
	say("holder", "shmem_holds objects_known", "{shmem} of tmpfs and shared memory: {objects}. Killing a process does not free what others hold, or no process.", \
		"{free_by}")
	say("holder", "shmem_holds !objects_known", "{shmem} of tmpfs and shared memory, which belongs to files: killing a process does not free it.", \
		"Look for files in /dev/shm, /tmp and /run (df -t tmpfs, ipcs -m); limit them with size=.")
	say("holder", "anon_holds grew swapfull !by_pressure", "{anon} of processes' own memory, and more of it fills the swap.", \
		"{grower} grew most, by {grown} in {grown_over}: a leak there needs a repair, or a limit that stops it before the machine is full ({grower_limit}). Otherwise: more RAM, more swap.")
	say("holder", "anon_holds grew !swapfull !by_pressure", "{anon} of processes' own memory.", \
		"{grower} grew most, by {grown} in {grown_over}: {grower_limit} stops it before the machine is full.")
	say("holder", "anon_holds !grew swapfull !by_pressure", "{anon} of processes' own memory, and more of it fills the swap.", \
		"Is one process growing, or are all of them together too large? Compare two runs of oomlens rank, some minutes apart. A leak needs a repair, or a limit that stops it before the machine is full: memory.max of its cgroup (MemoryMax= of its unit). Otherwise: fewer processes at once, more RAM, more swap.")
	say("holder", "anon_holds !grew !swapfull !by_pressure", "{anon} of processes' own memory.", \
		"Is one process growing, or are all of them together too large? Compare two runs of oomlens rank, some minutes apart. memory.max of a cgroup (MemoryMax= of a unit) stops one process before the machine is full.")
	say("holder", "noswap_at_all anon_holds !memcg", "There is no swap, so the kernel could not move any of it.", \
		"A little swap, or zram, lets the kernel move out what is never used.")
	say("holder", "overcommitted promised_more", "{committed} had been promised, and RAM and swap are {has}: the kernel promises what it does not have.", \
		"To be refused early instead of killed late: vm.overcommit_memory=2 (oomlens overcommit, oomlens commit).")
	say("holder", "overcommitted !promised_more", "{committed} had been promised, {over} more than the commit limit, which only vm.overcommit_memory=2 enforces; RAM and swap are {has}.", \
		"To be refused early instead of killed late: vm.overcommit_memory=2 (oomlens overcommit, oomlens commit).")
}

# Why this victim: the first of "choice" that holds, and all of "adjusted"
function rules_choice() {
	say("choice", "killed marked by_origin", "{victim} had been flagged to go first (\"trigger kill pid=\" does so, and swapoff), so its size did not matter.")
	say("choice", "killed marked caller_taken", "{victim} is the one that asked, and {first} with {first_points} was ahead of it: vm.oom_kill_allocating_task{allocating} takes the caller, whatever its size. If it was not set, the sizes changed after they were measured.", \
		"vm.oom_kill_allocating_task=0 lets the kernel choose the largest.")
	say("choice", "killed marked first_in_line next", "{victim} was first in line with {points} ({terms}), {lead} ahead of the next, {next} with {next_points}.")
	say("choice", "killed marked first_in_line", "{victim} was the only one in line, with {points} ({terms}).")
	say("choice", "killed marked in_line", "{victim} was at rank {rank} with {points} when the others were measured; {first} with {first_points} was ahead of it. In between the sizes changed, or those before it had gone.")
	say("choice", "killed marked no_line", "{victim} had {points} ({terms}). The other candidates were not recorded: {reach}.")
	say("choice", "killed marked", "{victim} had {points} ({terms}); it was not among the first in line when they were measured.")
	say("choice", "panicked !no_line next", "{first} was first in line with {points} ({terms}), {lead} ahead of the next, {next} with {next_points}.")
	say("choice", "panicked !no_line", "{first} was the only one in line, with {points} ({terms}).")
	say("choice", "killed !marked !no_line next", "Which process died is not known: {first} was first in line with {points} ({terms}), {lead} ahead of the next, {next} with {next_points}.")
	say("choice", "killed !marked !no_line", "Which process died is not known: {first} was the only one in line, with {points} ({terms}).")
	say("adjusted", "killed marked pushed_by_adj", "Its oom_score_adj of {adj} counts as {adj_points} of that{without_adj}.", \
		"Give {victim_comm} a lower oom_score_adj if it is not the one to go first: {adj_lower}")
	say("adjusted", "killed marked first_exempt", "{exempt} was larger and was passed over: {exempt_why}.")
}

function rules_recovery() {
	say("recovery", "killed freed", "{victim_comm} had exited after {exit}, and its memory was back after {freed}.")
	say("recovery", "killed freed_slow", "That is long: until then others ran into the same shortage.", \
		"A victim that gives its memory back late waits in the kernel (I/O, a lock) or has very much of it.")
	say("recovery", "killed !marked", "When the memory was back is not known without the victim: \"oomlens status\" names the kernel option that is missing.")
	say("recovery", "killed exited !freed", "{victim_comm} had exited after {exit}; when its memory was back is not known{yet}.")
	say("recovery", "killed marked !exited !freed !untimed", "{victim_comm}'s exit is not recorded{yet}.")
	say("recovery", "called", "The OOM killer ran for {took}, of which the module took {capture}.")
}

# ---- the facts ----

function fact(name, holds) {
	F[name] = holds ? 1 : 0
}

function facts(n) {
	facts_source(n)
	facts_event(n)
	facts_zones(n)
	facts_memory(n)
	facts_objects(n)
	facts_sheet()
	facts_memcg(n)
	facts_choice(n)
	facts_growth(n)
	facts_recovery(n)
	facts_log(n)
}

function named(comm, pid) {
	return pid == "-" ? shown(comm) : shown(comm) " (" pid ")"
}

function facts_event(n,   k, order) {
	k = ev(n, "outcome")
	fact(k, 1)
	fact("panicked", k ~ /^panic/)
	fact("walked", ev(n, "walk") == "complete")
	T["panicked"] = k == "panic_expected" ? "was about to panic" : "panicked"
	fact("by_" ev(n, "by"), 1)
	fact("group", num(ev(n, "victims")) > 1)
	fact("memcg", ev(n, "kind") == "memcg" && count(n, "memcg"))
	fact("memcg_unnamed", ev(n, "kind") == "memcg" && !count(n, "memcg"))
	fact("cpuset", ev(n, "kind") == "cpuset")
	fact("mempolicy", ev(n, "kind") == "mempolicy")
	fact("nodes_bound", F["cpuset"] || F["mempolicy"])
	order = num(ev(n, "order"))
	fact("oomlens", ev(n, "trigger") == "oomlens")
	fact("min_ttl", ev(n, "trigger") == "min_ttl")
	fact("outside", ev(n, "trigger") == "outside" && F["memcg"])
	# Without the return probe: what was asked for, and whether by sysrq, is not known.
	fact("probed", is_number(ev(n, "order")) && ev(n, "gfp") != "-")
	fact("request", ev(n, "kind") == "sysrq" || order < 0 || (!F["probed"] && F["oomlens"] && rec(n, "candidate", 1, "verdict") == "origin"))
	fact("kind_unknown", k != "disabled" && ev(n, "kind") == "-")
	fact("called", is_number(ev(n, "duration_us")) && is_number(ev(n, "capture_us")))
	T["caller"] = ev(n, "comm") == "-" ? "A task" : named(ev(n, "comm"), ev(n, "pid"))
	T["victims"] = ev(n, "victims")
	T["given"] = bytes(ev(n, "freed"))
	T["order"] = order
	# No ^: a busybox without math has none.
	for (T["pieces"] = 1; order-- > 0;)
		T["pieces"] *= 2
	T["ttl_file"] = "/sys/kernel/mm/lru_gen/min_ttl_ms"
	T["ttl"] = is_number(min_ttl) ? " (" min_ttl " ms now)" : ""
	T["request"] = F["min_ttl"] ? "a kill, for " T["ttl_file"] : !is_number(ev(n, "order")) ? "memory" : T["pieces"] > 1 ? T["pieces"] " pages in a row (" bytes(T["pieces"]) ")" : "a page"
	T["took"] = duration(ev(n, "duration_us"))
	# By two clocks' readings the part may come out as more than the whole.
	T["capture"] = F["called"] && num(ev(n, "capture_us")) > num(ev(n, "duration_us")) ? T["took"] : duration(ev(n, "capture_us"))
	T["nodes"] = ev(n, "nodes") == "-" ? "" : " (" ev(n, "nodes") ")"
}

# gfp bits that choose the zone; they have kept their place from 5.10 to 7.2
function gfp_bit(n, bit,   digit) {
	digit = index("0123456789abcdef", tolower(substr(ev(n, "gfp"), length(ev(n, "gfp")), 1))) - 1
	return int(digit / bit) % 2
}

function zone_index(name) {
	return index("DMA   DMA32 NormalHighMeMovabl", left(substr(name, 1, 6), 6))
}

# The highest zone that the request may use. Source: GFP_ZONE_TABLE in gfp.h
function highest_zone(n) {
	if (!F["probed"])
		return zone_index("Movable")
	if (gfp_bit(n, 1))
		return zone_index("DMA")
	if (gfp_bit(n, 4))
		return zone_index("DMA32")
	if (gfp_bit(n, 2))
		return zone_index(gfp_bit(n, 8) ? "Movable" : "HighMem")
	return zone_index("Normal")
}

function node_allowed(n, node,   i, parts, part) {
	if (ev(n, "nodes") == "-")
		return 1
	parts = split(ev(n, "nodes"), part, ",")
	for (i = 1; i <= parts; i++)
		if (node + 0 >= part[i] + 0 && node + 0 <= (part[i] ~ /-/ ? substr(part[i], index(part[i], "-") + 1) : part[i]) + 0)
			return 1
	return 0
}

# Pages of zone z that a request which prefers a higher zone may not have:
# setup_per_zone_lowmem_reserve() in mm/page_alloc.c, with the default ratios
function protection(n, z, top,   i, s, ratio) {
	for (i = 1; i <= count(n, "zone"); i++)
		if (rec(n, "zone", i, "node") == rec(n, "zone", z, "node") && zone_index(rec(n, "zone", i, "name")) > zone_index(rec(n, "zone", z, "name")) && zone_index(rec(n, "zone", i, "name")) <= top)
			s += num(rec(n, "zone", i, "managed"))
	ratio = rec(n, "zone", z, "name") ~ /^DMA/ ? 256 : 32
	return int(s / ratio)
}

function facts_zones(n,   z, top, movable, movable_free, free, cma, high, kept, spare, needs, ok, names, name, low, lows, others, other_names, hidden_cma, hidden_high, other_nodes, asked) {
	top = highest_zone(n)
	# Without the probe the request is not known: take one that may use CMA
	movable = !F["probed"] || gfp_bit(n, 8)
	for (z = 1; z <= count(n, "zone"); z++) {
		name = rec(n, "zone", z, "name")
		free = num(rec(n, "zone", z, "free"))
		if (zone_index(name) > top) {
			others += free
			if (name == "Movable")
				movable_free += free
			other_names = followed(other_names, ", ") name
			continue
		}
		if (!node_allowed(n, rec(n, "zone", z, "node"))) {
			other_nodes += free
			continue
		}
		names = followed(names, ", ") name
		cma = movable ? 0 : num(rec(n, "zone", z, "free_cma"))
		high = num(rec(n, "zone", z, "highatomic"))
		kept = protection(n, z, top)
		needs = num(rec(n, "zone", z, "min"))
		spare = free - cma - high
		if (spare > needs + kept) {
			ok = 1
			continue
		}
		# Would the rest have been enough without CMA, or without highatomic?
		if (cma && free - high > needs + kept)
			hidden_cma += cma
		else if (cma && free > needs + kept)
			hidden_cma += cma
		if (high && free - cma > needs + kept)
			hidden_high += high > free ? free : high
		else if (high && free > needs + kept)
			hidden_high += high > free ? free : high
		if (spare > needs) {
			low += spare - needs
			lows = followed(lows, ", ") name
		}
	}
	fact("machine", !F["memcg"] && !F["memcg_unnamed"] && !F["request"] && !F["kind_unknown"])
	asked = F["machine"] && F["probed"]
	fact("zones_known", asked && count(n, "zone"))
	fact("some_free", F["machine"] && !F["probed"] && ok)
	fact("fragmented", asked && ok && num(ev(n, "order")) > 0)
	fact("raced", asked && ok && num(ev(n, "order")) == 0 && !F["min_ttl"])
	fact("cma_hides", asked && hidden_cma)
	fact("highatomic_hides", asked && hidden_high)
	fact("protection_hides", asked && low > mib(1) && low * 50 > mem(n, "ram"))
	fact("other_zones_free", asked && others > mib(1) && others * 50 > mem(n, "ram"))
	fact("lowzone", F["other_zones_free"])
	fact("movable_zone", movable_free * 2 > others)
	fact("others_free", other_nodes > mib(1))
	T["cma"] = bytes(hidden_cma)
	T["highatomic"] = bytes(hidden_high)
	T["protected"] = bytes(low)
	T["low_zones"] = lows
	T["zones"] = names
	T["other_zones"] = other_names
	T["other_zones_free"] = bytes(others)
	T["others_free"] = bytes(other_nodes)
}

# n MiB in pages
function mib(n) {
	return n * 1024 / page_kb()
}

function mem(n, k) {
	return num(rec(n, "memory", 1, k))
}

function facts_memory(n,   managed, z, kernel, accounted, rest, swap_free, has) {
	for (z = 1; z <= count(n, "zone"); z++)
		managed += num(rec(n, "zone", z, "managed"))
	kernel = mem(n, "slab_unreclaimable") + mem(n, "pagetables") + mem(n, "kernel_stack")
	# A dump has only the zones of the request, and locked pages on lists of their own.
	if (F["dump"])
		managed = mem(n, "ram")
	accounted = (F["dump"] ? mem(n, "unevictable") : 0) + mem(n, "free") + mem(n, "anon") + mem(n, "file") + mem(n, "shmem") + mem(n, "slab_reclaimable") + kernel
	rest = managed > accounted ? managed - accounted : 0
	swap_free = mem(n, "swap_free")
	fact("kernel_holds", F["machine"] && kernel > managed * 0.3)
	fact("tables_most", mem(n, "pagetables") >= mem(n, "slab_unreclaimable") && mem(n, "pagetables") >= mem(n, "kernel_stack"))
	fact("stacks_most", !F["tables_most"] && mem(n, "kernel_stack") > mem(n, "slab_unreclaimable"))
	fact("slab_most", !F["tables_most"] && !F["stacks_most"])
	fact("rest_holds", F["machine"] && rest > managed * 0.3)
	fact("shmem_holds", F["machine"] && mem(n, "shmem") > managed * 0.2)
	fact("anon_holds", F["machine"] && mem(n, "anon") > managed * 0.3)
	fact("file_in_use", F["machine"] && !F["fragmented"] && mem(n, "file") > managed * 0.15)
	fact("memory_known", count(n, "memory"))
	fact("noswap_at_all", count(n, "memory") && !mem(n, "swap_total"))
	# A megabyte or a hundredth is as good as none.
	fact("swap_free", swap_free > mib(1) && swap_free * 100 > mem(n, "swap_total"))
	fact("swapfull", mem(n, "swap_total") && !F["swap_free"])
	fact("swap_locked", mem(n, "mlocked") > managed * 0.2 || mem(n, "unevictable") - mem(n, "shmem") > managed * 0.2)
	fact("machine_had", mem(n, "available") > mib(4))
	fact("overcommitted", F["machine"] && mem(n, "committed") > mem(n, "commit_limit") && count(n, "memory"))
	has = (mem(n, "ram") ? mem(n, "ram") : managed) + mem(n, "swap_total")
	fact("promised_more", mem(n, "committed") > has)
	T["has"] = bytes(has)
	T["free"] = bytes(mem(n, "free"))
	T["available"] = count(n, "memory") ? bytes(mem(n, "available")) : "An unknown amount"
	T["swap_free"] = bytes(swap_free)
	T["swap_total"] = bytes(mem(n, "swap_total"))
	T["mlocked"] = bytes(mem(n, "mlocked") > 0 ? mem(n, "mlocked") : mem(n, "unevictable"))
	T["kernel_parts"] = "The kernel itself: " bytes(mem(n, "slab_unreclaimable")) " of slab that cannot be reclaimed, " bytes(mem(n, "pagetables")) " of page tables, " bytes(mem(n, "kernel_stack")) " of thread stacks."
	T["rest"] = bytes(rest)
	T["shmem"] = bytes(mem(n, "shmem"))
	T["anon"] = bytes(mem(n, "anon"))
	T["file"] = bytes(mem(n, "file"))
	T["committed"] = bytes(mem(n, "committed"))
	T["over"] = bytes(mem(n, "committed") - mem(n, "commit_limit"))
}

function facts_memcg(n,   limit, swap, v1) {
	limit = rec(n, "memcg", 1, "swap_limit")
	swap = rec(n, "memcg", 1, "swap")
	fact("memcg_noswap", F["memcg"] && limit == "0")
	fact("swap_limited", F["memcg"] && num(limit) > 0 && num(swap) * 10 >= num(limit) * 9)
	# Version 1 counts memory and swap together, and its files have other names.
	v1 = (n, "memcg", 1, "memsw") in R
	fact("memsw_limited", F["memcg"] && num(rec(n, "memcg", 1, "memsw_limit")) > 0 && num(rec(n, "memcg", 1, "memsw")) * 100 >= num(rec(n, "memcg", 1, "memsw_limit")) * 99 && num(rec(n, "memcg", 1, "usage")) * 100 < num(rec(n, "memcg", 1, "limit")) * 99)
	T["memsw"] = bytes(rec(n, "memcg", 1, "memsw"))
	T["memsw_limit"] = bytes(rec(n, "memcg", 1, "memsw_limit"))
	T["limit_file"] = v1 ? "memory.limit_in_bytes" : "memory.max"
	T["swap_file"] = v1 ? "memory.memsw.limit_in_bytes" : "memory.swap.max"
	T["path"] = shown(rec(n, "memcg", 1, "path"))
	T["usage"] = bytes(rec(n, "memcg", 1, "usage"))
	T["limit"] = bytes(rec(n, "memcg", 1, "limit"))
	T["swap"] = bytes(swap)
	T["swap_limit"] = bytes(limit)
	facts_place(n)
}

# The terms of a record that are not 0, the largest first
function terms_of(n, type, i,   name, label, pages, k, best, s, told) {
	split("rss_anon rss_file rss_shmem swap pgtables adj_points rss", name, " ")
	split("anon,file,shared,swap,page tables,adj,resident", label, ",")
	for (k = 1; k <= 7; k++)
		pages[k] = num(rec(n, type, i, name[k]))
	# A victim's record has the sum, and not this
	if (type == "victim" && is_number(rec(n, type, i, "points")))
		pages[6] = rec(n, type, i, "points") - terms_sum(n, type, i)
	for (;;) {
		best = 0
		for (k = 1; k <= 7; k++)
			if (!(k in told) && pages[k] && (!best || pages[k] > pages[best]))
				best = k
		if (!best)
			return s
		told[best] = 1
		s = followed(s, ", ") label[best] " " bytes(pages[best])
	}
}

function terms_sum(n, type, i) {
	return num(rec(n, type, i, "rss_anon")) + num(rec(n, type, i, "rss_file")) + num(rec(n, type, i, "rss_shmem")) + num(rec(n, type, i, "swap")) + num(rec(n, type, i, "pgtables")) + num(rec(n, type, i, "rss"))
}

function facts_choice(n,   i, pid, ranked, mine, next_one, p, points) {
	pid = count(n, "victim") ? rec(n, "victim", 1, "pid") : "-"
	for (i = 1; i <= count(n, "candidate"); i++) {
		if (rec(n, "candidate", i, "pid") == pid)
			mine = i
		if (rec(n, "candidate", i, "rank") == "-") {
			p = terms_sum(n, "candidate", i)
			if (pid != "-" && p > num(rec(n, "victim", 1, "points")) && !F["first_exempt"]) {
				fact("first_exempt", 1)
				T["exempt"] = named(rec(n, "candidate", i, "comm"), rec(n, "candidate", i, "pid"))
				T["exempt_why"] = verdict_text(rec(n, "candidate", i, "verdict"))
			}
			continue
		}
		ranked++
		# If the victim is not recorded: the first in line, and the next one.
		if (pid == "-" && ranked == 1)
			mine = i
		else if (!next_one && rec(n, "candidate", i, "pid") != pid)
			next_one = i
	}
	points = mine ? rec(n, "candidate", mine, "points") : rec(n, "victim", 1, "points")
	fact("marked", pid != "-")
	fact("no_line", !ranked)
	fact("in_line", mine)
	fact("first_in_line", mine && num(rec(n, "candidate", mine, "rank")) == 1)
	fact("next", next_one)
	fact("by_origin", (mine && rec(n, "candidate", mine, "verdict") == "origin") || ev(n, "trigger") == "oomlens" && pid != "-" && mine && !F["first_in_line"] && F["request"])
	# In a cgroup's OOM the kernel does not look at that setting.
	fact("caller_taken", F["machine"] && pid == ev(n, "pid") && ranked && !F["first_in_line"])
	T["allocating"] = allocating == "" ? "" : " (" allocating " now)"
	T["reach"] = walk_text(ev(n, "walk"))
	T["victim"] = pid == "-" ? "a process that was not recorded" : named(rec(n, "victim", 1, "comm"), pid)
	T["victim_comm"] = pid == "-" ? "The victim" : shown(rec(n, "victim", 1, "comm"))
	T["first"] = ranked ? named(rec(n, "candidate", 1, "comm"), rec(n, "candidate", 1, "pid")) : T["victim"]
	T["first_points"] = bytes(rec(n, "candidate", 1, "points"))
	T["rank"] = mine ? rec(n, "candidate", mine, "rank") : "-"
	T["points"] = is_number(points) ? bytes(points) : "points that are not known"
	T["terms"] = mine ? terms_of(n, "candidate", mine) : terms_of(n, "victim", 1)
	if (next_one) {
		T["next"] = named(rec(n, "candidate", next_one, "comm"), rec(n, "candidate", next_one, "pid"))
		T["next_points"] = bytes(rec(n, "candidate", next_one, "points"))
		T["lead"] = bytes(num(points) - num(rec(n, "candidate", next_one, "points")))
	}
	facts_adj(n, mine, next_one, points)
}

function facts_adj(n, mine, next_one, points,   adj_points) {
	adj_points = mine ? num(rec(n, "candidate", mine, "adj_points")) : 0
	T["adj"] = mine ? rec(n, "candidate", mine, "adj") : "-"
	T["adj_points"] = bytes(adj_points)
	fact("pushed_by_adj", adj_points > 0 && F["first_in_line"])
	T["adj_lower"] = adj_lower(rec(n, "victim", 1, "memcg"), T["adj"])
	T["without_adj"] = ""
	if (next_one && num(points) - adj_points < num(rec(n, "candidate", next_one, "points")))
		T["without_adj"] = ": without it, " T["next"] " would have been first"
}

function walk_text(v) {
	if (v == "off")
		return "the module was loaded with candidates=0"
	if (v == "limited")
		return "it was too soon after the previous OOM"
	if (!F["probed"])
		return "that needs the return probe"
	return v == "partial" ? "the time for it was over" : "the OOM ended first"
}

function verdict_text(v) {
	if (v == "adj_min")
		return "its oom_score_adj is -1000"
	if (v == "victim")
		return "it was being killed already"
	if (v == "reaped")
		return "it had been killed already and its memory taken back"
	if (v == "vfork")
		return "it shares its parent's memory until it calls exec"
	if (v == "init")
		return "the first process is never taken"
	return v
}

function facts_recovery(n,   exit_us, freed_us) {
	exit_us = longest_of(n, "exit_us")
	freed_us = longest_of(n, "freed_us")
	fact("exited", exit_us != "-")
	fact("freed", exit_us != "-" && freed_us != "-")
	fact("freed_slow", F["freed"] && num(freed_us) > 1000000)
	T["exit"] = duration(exit_us)
	T["freed"] = duration(freed_us)
	T["yet"] = has_clock() && uptime - num(ev(n, "time_us")) / 1000000 < 5 ? " yet" : ""
}

# ---- telling ----

function rule_holds(i,   n, k, word, want) {
	n = split(rule_facts[i], word, " ")
	for (k = 1; k <= n; k++) {
		want = word[k] !~ /^!/
		sub(/^!/, "", word[k])
		if ((F[word[k]] ? 1 : 0) != want)
			return 0
	}
	return 1
}

function fill(text,   s, p, q) {
	while ((p = index(text, "{")) && (q = index(text, "}")) > p) {
		s = s substr(text, 1, p - 1) T[substr(text, p + 1, q - p - 1)]
		text = substr(text, q + 1)
	}
	return s text
}

# Each line of text is a piece of advice.
function advise(text,   n, i, line) {
	n = split(text, line, "\n")
	for (i = 1; i <= n; i++)
		if (line[i] != "" && !(advices && advice[advices] == line[i]))
			advice[++advices] = line[i]
}

# The sentences of a section; the advice of each is kept for the end
function tell(section, one,   i, s) {
	for (i = 1; i <= rules; i++) {
		if (rule_section[i] != section || !rule_holds(i))
			continue
		s = followed(s, " ") fill(rule_text[i])
		advise(fill(rule_advice[i]))
		if (one)
			break
	}
	return s
}

function explain(n) {
	split("", F)
	split("", T)
	advices = 0
	use_page(n)
	if (!rules) {
		rules_log()
		rules_outcome()
		rules_shortage()
		rules_although()
		rules_holder()
		rules_choice()
		rules_recovery()
	}
	facts(n)
	told["outcome"] = tell("outcome", 1)
	told["shortage"] = F["dying"] || F["disabled"] ? "" : tell("shortage", 1)
	# A dying caller needs little memory: what holds the rest does not matter.
	# What was free did not matter to min_ttl_ms.
	told["although"] = F["dying"] || F["disabled"] || F["min_ttl"] ? "" : tell("although", 0)
	told["holder"] = F["dying"] || F["disabled"] ? "" : tell("holder", 0)
	told["choice"] = tell("choice", 1)
	s = tell("adjusted", 0)
	told["choice"] = told["choice"] (s == "" ? "" : " ") s
	told["recovery"] = tell("recovery", 0)
	told["lacks"] = tell("lacks", 0)
	told["blind"] = tell("blind", 1)
	# A drill takes all memory there is: nothing is wrong with the machine.
	if (F["by_pressure"])
		advices = 0
}

function chapter(title, text, width) {
	if (text == "")
		return
	print ""
	print title
	print wrapped("  ", text, width)
}

# waited: the number of calls after it that only waited for a victim
function why(n, waited,   width, i) {
	width = wide >= 40 && wide < 100 ? wide : 80
	explain(n)
	if (waited)
		told["outcome"] = told["outcome"] " " waited " more " (waited > 1 ? "calls" : "call") " of the OOM killer, up to event " n + waited ", waited for a victim to exit and killed no process."
	print wrapped("", "OOM " n ", " event_time(n) "" (logged ? " (" of_log(n) ")" : ago(ev(n, "time_us"), " (", ")")) ": " told["outcome"], width)
	chapter("What ran out", told["shortage"], width)
	chapter("Why, though some looked free", told["although"], width)
	chapter("What held the memory", told["holder"], width)
	chapter("What grew", growth_text(n), width)
	chapter("Stalls before it", stalls_before(n), width)
	chapter("Why this one", told["choice"], width)
	chapter("How long it took", told["recovery"], width)
	if (advices) {
		print ""
		print "What could be done"
		for (i = 1; i <= advices; i++)
			print wrapped("- ", advice[i], width)
	}
	chapter("What the log lacks", told["lacks"], width)
	chapter("What only the module would have told", told["blind"], width)
}
