# SPDX-License-Identifier: GPL-2.0
# Growth in words: kinds of memory, pages a second, spans of time.

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
