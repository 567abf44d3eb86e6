# SPDX-License-Identifier: GPL-2.0
# memory: what all of RAM is used for, the largest part first; and, for the report, the
# same as one bar.
#
# In: wide, json.

# The lines of the sum, in the file's order, and what each is. A row a counter.
function sheet_lines() {
	if (sheet_count)
		return
	sheet_line("free", "free")
	sheet_line("pcp", "free, on the lists of the processors")
	sheet_line("anon", "processes' own")
	sheet_line("anon_unmapped", "swap cache that nothing maps, pinned pages")
	sheet_line("page_cache", "files, which can be read again")
	sheet_line("shmem", "tmpfs, shared memory, memfd, graphics objects")
	sheet_line("slab_reclaimable", "kernel objects that can be dropped: dentries, inodes")
	sheet_line("slab_unreclaimable", "kernel objects: /proc/slabinfo")
	sheet_line("kernel_stack", "a stack for each thread")
	sheet_line("pagetables", "page tables of processes")
	sheet_line("secondary_pagetables", "page tables of virtual machines and IOMMUs")
	sheet_line("percpu", "a copy for each processor")
	sheet_line("vmalloc", "tables, modules, BPF: /proc/vmallocinfo")
	sheet_line("hugetlb", "huge pages set aside: vm.nr_hugepages")
	sheet_line("zsmalloc", "compressed swap: zram, zswap")
	sheet_line("gpu", "graphics drivers")
	sheet_line("misc_reclaimable", "drivers' pages that come back when asked for")
	sheet_line("module", "held by oomlens: pressure, reserve")
	sheet_line("unaccounted", "in no account: drivers, dma-buf, pipes, sockets")
}

function sheet_line(name, what) {
	sheet_name[++sheet_count] = name
	sheet_what[name] = what
}

function sheet(k) {
	return key("memory", k)
}

# sheet_order[1] is the name of the largest line; returns how many there are
function sort_sheet(   i, n, k) {
	sheet_lines()
	n = 0
	for (k = 1; k <= sheet_count; k++) {
		if (!is_number(sheet(sheet_name[k])) || (sheet(sheet_name[k]) == 0 && sheet_name[k] != "unaccounted"))
			continue
		for (i = ++n; i > 1 && num(sheet(sheet_order[i - 1])) < num(sheet(sheet_name[k])); i--)
			sheet_order[i] = sheet_order[i - 1]
		sheet_order[i] = sheet_name[k]
	}
	return n
}

function sheet_bar(pages, width,   n, s) {
	n = sheet("ram") > 0 ? int(width * pages / sheet("ram") + 0.5) : 0
	while (n-- > 0)
		s = s "#"
	return left(s, width)
}

function print_sheet(   i, n, k) {
	n = sort_sheet()
	print "RAM " bytes(sheet("ram")) ", the largest part first:"
	for (i = 1; i <= n; i++) {
		k = sheet_order[i]
		print clip(left(k, 20) " " right(size(sheet(k)), 7) " " right(percent(sheet(k), sheet("ram")), 4) " " sheet_bar(num(sheet(k)), 20) " " sheet_what[k])
	}
	print "Not of the sum: swap cache " size(sheet("swapcache")) ", locked " size(sheet("locked")) (is_number(sheet("balloon")) ? ", balloon " size(sheet("balloon")) : "") "; unaccounted may be wrong by " size(sheet("drift")) "."
}

function json_sheet(   i, s) {
	sheet_lines()
	s = json_pair("ram", sheet("ram"))
	for (i = 1; i <= sheet_count; i++)
		s = s "," json_pair(sheet_name[i], sheet(sheet_name[i]))
	s = s "," json_pair("drift", sheet("drift")) "," json_pair("swapcache", sheet("swapcache"))
	print "{" s "," json_pair("balloon", sheet("balloon")) "," json_pair("locked", sheet("locked")) ",\"page_kb\":" page_kb() "}"
}
