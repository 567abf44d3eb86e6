# SPDX-License-Identifier: GPL-2.0
# What "why" says of an event that was read from a log: the rules that go before those of
# why.awk, what the log lacks, and what only the module would have told.

# How the log has it
function of_log(n,   s) {
	s = rec(n, "log", 1, "source")
	s = s ~ /^block/ ? "from the module's lines" : s ~ /^line/ ? "from the module's line" : s == "json" ? "from \"oomlens events --json\"" : "from the kernel's dump"
	if (is_number(rec(n, "log", 1, "number")) && rec(n, "log", 1, "number") != n)
		s = s ", its event " rec(n, "log", 1, "number")
	if (num(rec(n, "log", 1, "boot_nr")) > 1)
		s = s ", boot " rec(n, "log", 1, "boot_nr") " of the log"
	if (rec(n, "log", 1, "release") != "-")
		s = s ", Linux " rec(n, "log", 1, "release")
	return s
}

function rules_log() {
	say("outcome", "underway", "{caller} had called the OOM killer, which was at work when another task, or an interrupt, made the kernel panic.")
	say("outcome", "bare", "The kernel killed {victim}. Of this OOM the log has only that line.")
	say("outcome", "dump panic deadlocked", "{caller} asked for {request}, there was no more and no process that may be killed, and the kernel panicked (\"System is deadlocked on memory\").", \
		"Let at least one large process have an oom_score_adj above -1000: without one, the kernel panics.")
	say("outcome", "dump panic", "{caller} asked for {request}, there was no more, and the kernel panicked instead of killing a process: vm.panic_on_oom was {panic_value}.", \
		"vm.panic_on_oom=0 lets the kernel kill a process instead.")
	say("outcome", "dump unknown front", "The OOM killer ran. Who called it and what came of it is not in the log.")
	say("outcome", "dump unknown", "{caller} asked for {request}, and the OOM killer ran. What came of it is not in the log.")
	say("outcome", "dump killed front !request", "The OOM killer ran and killed {victim}. Who asked for memory is not in the log.")

	say("outcome", "!dump no_outcome", "The OOM killer ran. What came of it is not in the log.")

	say("shortage", "underway kind_unknown", "Not known: the line does not tell.")
	say("shortage", "bare !memcg_unnamed", "Not known: the kernel's dump is not in the log.")
	say("shortage", "dump request !available_known memory_known", "Nothing: the kill was asked for with sysrq f. {free} of RAM was free.", \
		"If that was not intended: kernel.sysrq limits it for keyboards and serial lines; root may always write to /proc/sysrq-trigger.")
	say("shortage", "dump nothing_known", "Not known: that part of the dump is not in the log.")

	say("holder", "memcg memcg_parts", "Of the cgroup's {usage}: {memcg_parts}.")
	say("holder", "memcg memcg_shmem", "Shared memory and tmpfs belong to files: killing a process does not free them.", \
		"Look for files in /dev/shm, /tmp and /run that processes of {path} have written; limit them with size=.")

	say("holder", "dump unevictable_holds", "{unevictable} that can neither be written out nor swapped: files of an initramfs or in ramfs, or what a driver holds.", \
		"What is in an initramfs stays in RAM: make it smaller, or go on from storage (switch_root), which frees it.")

	say("choice", "dump killed marked allocating !first_in_line", "{victim} is the one that asked: vm.oom_kill_allocating_task was set, and takes the caller, whatever its size. {first} with {first_points} was ahead of it.", \
		"vm.oom_kill_allocating_task=0 lets the kernel choose the largest.")
	say("choice", "dump killed marked unplaced", "{victim} was the kernel's choice ({terms}, and its oom_score_adj of {adj}). What an oom_score_adj counts in a cgroup depends on the swap that it may use, which this dump does not tell: so the others cannot be placed.")
	say("choice", "underway !no_line next", "{first} was first in line with {points} ({terms}), {lead} ahead of the next, {next} with {next_points}.")
	say("choice", "dump panic !no_line next", "{first} was first in line with {points} ({terms}), {lead} ahead of the next, {next} with {next_points}.")
	say("choice", "dump panic !no_line", "{first} was the only one in line, with {points} ({terms}).")

	say("recovery", "killed reaped", "By the log's times the OOM reaper had taken {victim_comm}'s memory back {reaped} after the kill.")

	say("lacks", "bare", "All but the last line of the kernel's dump: the kernel prints ten in five seconds and of the others only that line; or the rest is cut off.")
	say("lacks", "dump front !bare", "The beginning: the log starts in the middle of this OOM.")
	say("lacks", "dump nothing_known !front", "What the dump tells of memory.")
	say("lacks", "dump no_table !bare", "The table of tasks: vm.oom_dump_tasks was 0, or it is cut off.")
	say("lacks", "block front", "The beginning of the module's block: what it had reads as not known.")
	say("lacks", "block lost_end", "The end of the module's block.")
	say("lacks", "block lost_lines", "{lost} of the {says} lines of the module's block.")
	say("lacks", "block dropped", "{dropped} lines that the module left out, as a block takes at most 10 KB.")
	say("lacks", "filled", "What is there of the kernel's own dump has filled some of that.")
	say("lacks", "underway line", "All but the module's one line: it prints no more of an OOM that is not the panicking task's own.")
	say("lacks", "line !underway", "All but the module's one line: its parameter log=2 has it print all that it recorded.")

	say("blind", "dump !bare", "{blind}.")
}

# Before the other facts: where the event comes from
function facts_source(n,   s) {
	s = logged ? rec(n, "log", 1, "source") : "-"
	fact("dump", s == "dump")
	fact("line", s == "line")
	fact("block", s ~ /^block/)
	fact("filled", s ~ /^block.dump/)
	fact("untimed", s ~ /^(dump|line)/)
	fact("bare", num(rec(n, "log", 1, "bare")))
}

# After them
function facts_log(n,   panic) {
	fact("front", num(rec(n, "log", 1, "front")))
	fact("lost_end", F["block"] && rec(n, "log", 1, "ended") == "0")
	fact("lost_lines", num(rec(n, "log", 1, "lost")) > 0)
	fact("dropped", num(rec(n, "log", 1, "dropped")) > 0)
	fact("no_outcome", logged && ev(n, "outcome") == "-")
	fact("available_known", is_number(rec(n, "memory", 1, "available")))
	fact("reaped", is_number(rec(n, "log", 1, "reaped_us")))
	T["reaped"] = duration(rec(n, "log", 1, "reaped_us"))
	T["lost"] = rec(n, "log", 1, "lost")
	T["dropped"] = rec(n, "log", 1, "dropped")
	T["says"] = num(rec(n, "log", 1, "says"))
	facts_of_group(n)
	if (!F["dump"])
		return
	panic = rec(n, "log", 1, "panic")
	fact("deadlocked", panic == "deadlocked")
	T["panic_value"] = panic == "compulsory" ? "2" : "1 or 2"
	if (panic == "system")
		T["panic_value"] = "1"
	fact("unevictable_holds", F["machine"] && mem(n, "unevictable") - mem(n, "mlocked") > mem(n, "ram") * 0.3)
	T["unevictable"] = bytes(mem(n, "unevictable") - mem(n, "mlocked"))
	fact("no_table", rec(n, "log", 1, "rows") == "-")
	fact("unplaced", rec(n, "log", 1, "placed") == "0")
	fact("allocating", num(rec(n, "log", 1, "allocating")))
	# The kernel's own line says which of the two it was.
	fact("caller_taken", 0)
	fact("nothing_known", !F["memory_known"] && !F["memcg"] && !F["memcg_unnamed"] && !F["nodes_bound"] && !F["bare"])
	if (F["no_line"])
		T["reach"] = F["bare"] ? "the dump is not in the log" : "the log has no table of tasks"
	T["blind"] = only_the_module(n)
}

# What the cgroup's own statistics in the dump tell
function facts_of_group(n,   file, shmem, s) {
	if (!F["memcg"] || !is_number(rec(n, "memcg", 1, "anon")))
		return
	shmem = num(rec(n, "memcg", 1, "shmem"))
	# It is counted as file, too.
	file = num(rec(n, "memcg", 1, "file")) - shmem
	s = "anon " bytes(rec(n, "memcg", 1, "anon"))
	if (file > 0)
		s = s ", page cache " bytes(file)
	if (shmem)
		s = s ", shared memory and tmpfs " bytes(shmem)
	s = s part_of_group(n, "slab", "slab") part_of_group(n, "pagetables", "page tables") part_of_group(n, "kernel_stack", "thread stacks") part_of_group(n, "sock", "sockets")
	fact("memcg_parts", 1)
	fact("memcg_shmem", shmem * 5 > num(rec(n, "memcg", 1, "usage")))
	T["memcg_parts"] = s
}

function part_of_group(n, k, label) {
	return num(rec(n, "memcg", 1, k)) ? ", " label " " bytes(rec(n, "memcg", 1, k)) : ""
}

function only_the_module(n,   s) {
	s = F["memcg"] || F["memcg_unnamed"] ? "What the machine had free and available" : "How much memory was available, and how much had been promised"
	if (F["no_line"])
		s = s "; which processes were next in line"
	else if (rec(n, "candidate", 2, "rss_anon") == "-" && count(n, "candidate") > 1)
		s = s "; what each candidate's size is made of"
	s = s "; the cgroup that the caller was in"
	if (F["killed"])
		s = s "; when " T["victim_comm"] " had exited and its memory was back"
	return s "; how long the OOM killer ran"
}
