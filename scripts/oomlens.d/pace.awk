# SPDX-License-Identifier: GPL-2.0
# Growth in words: kinds of memory, pages a second.

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
