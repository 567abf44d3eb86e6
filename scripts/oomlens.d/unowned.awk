# SPDX-License-Identifier: GPL-2.0
# What memory that no process owns is held by, and the command that frees it: the objects
# of an event, and of the rest what there is now, by the files memory and unowned
# (unowned.sh). With why.awk.

# ---- objects and slab caches ----

# What held memory that no process owned, and what would free it
function facts_objects(n,   i, list, dmabufs, free_by) {
	tmpfs_seen = tmpfs_freed = tmpfs_limited = ""
	for (i = 1; i <= count(n, "object"); i++) {
		if (rec(n, "object", i, "kind") == "dmabuf") {
			dmabufs = followed(dmabufs, "; ") object_text(n, i)
		} else if (object_pages(n, i) > mib(1)) {
			list = followed(list, "; ") object_text(n, i)
			free_by = followed(free_by, "; ") object_freed_by(n, i)
			if (rec(n, "object", i, "kind") == "tmpfs")
				see_tmpfs(n, i)
		}
	}
	fact("objects_known", list != "")
	fact("dmabufs", dmabufs != "")
	T["objects"] = list
	T["dmabufs"] = dmabufs
	T["free_by"] = "To free it: " free_by "." tmpfs_text()
	facts_slabs(n)
}

function facts_slabs(n,   i, list, files) {
	for (i = 1; i <= count(n, "slab") && i <= 3; i++) {
		list = followed(list, ", ") shown(rec(n, "slab", i, "name")) " " bytes(rec(n, "slab", i, "pages"))
		files = files || rec(n, "slab", i, "name") == "shmem_inode_cache"
	}
	fact("slabs_known", list != "")
	fact("slab_holds", F["machine"] && (mem(n, "slab_reclaimable") + mem(n, "slab_unreclaimable")) * 10 > mem(n, "ram"))
	T["slabs"] = list
	T["slab_idle"] = bytes(mem(n, "slab_reclaimable"))
	fact("slab_idle", mem(n, "slab_reclaimable") * 20 > mem(n, "ram"))
	# Inodes and dentries of tmpfs count as reclaimable, and stay as long as the files
	fact("slab_tmpfs", files)
}

# The mount of a tmpfs' object, once each: the system's own are not for umount.
function see_tmpfs(n, i,   path, name, at) {
	path = object_path(n, i)
	name = rec(n, "object", i, "name")
	at = substr(path, 1, length(path) - length(name))
	if (at == "" || at name != path || index(tmpfs_seen, at "\n"))
		return
	tmpfs_seen = tmpfs_seen at "\n"
	tmpfs_limited = followed(tmpfs_limited, "; ") command("mount -o remount,size=SIZE " file_word(at))
	if (at !~ /^\/((dev|run|var)(\/.*)?|tmp)$/)
		tmpfs_freed = followed(tmpfs_freed, "; ") command("umount " file_word(at))
}

function tmpfs_text(   s) {
	if (tmpfs_freed != "")
		s = " All of that tmpfs at once: " tmpfs_freed "."
	if (tmpfs_limited != "")
		s = s " To limit it: " tmpfs_limited "."
	return s
}

# A path for a shell: \ooo of the module's is no escape there, but for printf.
function file_word(path,   s, n, i, part) {
	# Not between slashes: in brackets busybox takes the escape of one for a backslash.
	if (path ~ "^[A-Za-z0-9/:_.@+-]+$")
		return path
	s = path
	gsub(/\\040/, " ", s)
	if (!index(s, "\\"))
		return quoted(s)
	s = path
	gsub(/%/, "%%", s)
	n = split(s, part, "'")
	s = part[1]
	for (i = 2; i <= n; i++)
		s = s "\\047" part[i]
	return "\"$(printf '" s "')\""
}

function object_pages(n, i) {
	if (rec(n, "object", i, "kind") == "dmabuf")
		return num(rec(n, "object", i, "size"))
	return num(rec(n, "object", i, "resident")) + num(rec(n, "object", i, "swapped"))
}

function object_path(n, i) {
	return mounted(rec(n, "object", i, "id"), rec(n, "object", i, "name"))
}

function object_holder(n, i) {
	return named(rec(n, "object", i, "comm"), rec(n, "object", i, "pid"))
}

function object_text(n, i,   kind, s, holders, holder) {
	holder = shown(rec(n, "object", i, "comm")) " " rec(n, "object", i, "pid")
	kind = rec(n, "object", i, "kind")
	s = shown(object_path(n, i))
	if (kind == "shared")
		s = "shared memory"
	else if (kind == "gem" || kind == "dmabuf")
		s = "a driver's buffer (" s ")"
	s = s " " bytes(object_pages(n, i))
	holders = rec(n, "object", i, "holders")
	if (holders == "0")
		return s ", held by no process"
	if (num(holders) > 1)
		return s " (" holder " and " holders - 1 " more)"
	return num(holders) ? s " (" holder ")" : s
}

function object_freed_by(n, i,   kind, path, id, closing, also) {
	kind = rec(n, "object", i, "kind")
	path = object_path(n, i)
	id = rec(n, "object", i, "id")
	sub(/.*:/, "", id)
	if (num(rec(n, "object", i, "holders")))
		closing = object_holder(n, i) "" (rec(n, "object", i, "holders") > 1 ? " and the others have to close it or to end" : " has to close it or to end (" command("kill " rec(n, "object", i, "pid")) ")")
	also = closing == "" ? "" : ", and " closing
	if (kind == "sysv")
		return command("ipcrm -m " id) also
	if (kind == "gem")
		return "close what uses the GPU"
	if (path ~ /^\/(bin|boot|etc|lib[a-z0-9]*|sbin|usr)\// && kind == "tmpfs")
		return shown(path) " is of the system, whose files are in RAM"
	if (path ~ /^\// && path !~ /\\040\(deleted\)$/) {
		if (path == rec(n, "object", i, "name") && kind == "tmpfs" && !shown_by_mount(n, i))
			return "remove " shown(path) " in the tmpfs of another mount namespace, or unmount that" also
		return command("rm " file_word(path)) also
	}
	if (rec(n, "object", i, "holders") == "-")
		return shown(path) ": \"oomlens objects\" may find what holds it"
	return closing == "" ? shown(path) " is in flight in a socket, or held by the kernel" : shown(path) ": " closing
}

# Is its filesystem mounted here?
function shown_by_mount(n, i,   dev) {
	dev = rec(n, "object", i, "id")
	sub(/:[0-9]*$/, "", dev)
	return mounts[dev] > 0
}

# ---- what the event does not count ----

# What the event does not count, as the file memory has it now; and where to look for
# the largest of it
function facts_sheet(   i, n, parts, largest) {
	n = sort_sheet()
	for (i = 1; i <= n; i++) {
		if (" percpu vmalloc hugetlb zsmalloc gpu misc_reclaimable secondary_pagetables module unaccounted " !~ " " sheet_order[i] " " || num(sheet(sheet_order[i])) < mib(1))
			continue
		parts = followed(parts, ", ") bytes(sheet(sheet_order[i])) " " sheet_phrase(sheet_order[i])
		if (largest == "")
			largest = sheet_order[i]
	}
	fact("sheet", parts != "")
	T["sheet_parts"] = parts
	T["sheet_advice"] = sheet_cure(largest)
	facts_descriptors()
}

# The process with the most descriptors, if they can be a twentieth of RAM: a page of slab
# each; or a full pipe of 16 pages for two ends, and a full socket (net.core.rmem_default).
function facts_descriptors(   w, n, slab, data) {
	n = split(key("unowned", "most_descriptors"), w, " ")
	slab = F["slab_holds"] ? num(w[4]) : 0
	data = F["rest_holds"] && num(sheet("unaccounted")) * 10 > num(sheet("ram")) ? 8 * num(w[2]) + 52 * num(w[3]) : 0
	fact("descriptors", n >= 5 && is_number(w[1]) && num(w[1]) > 1 && (slab + data) * 20 > num(sheet("ram")))
	T["most_descriptors"] = named(w[5], w[1])
	T["descriptors"] = num(w[4]) " (" plural(num(w[2]), "end of a pipe", "ends of pipes") ", " plural(num(w[3]), "socket", "sockets") ")"
	T["most_kill"] = command("kill " w[1])
}

function sheet_phrase(name) {
	if (name == "hugetlb")
		return "of huge pages set aside"
	if (name == "gpu")
		return "of graphics drivers"
	if (name == "misc_reclaimable")
		return "of drivers that give it back under pressure"
	if (name == "secondary_pagetables")
		return "of page tables of virtual machines and IOMMUs"
	if (name == "module")
		return "that oomlens holds (pressure, reserve)"
	if (name == "unaccounted")
		return "in no account of the kernel"
	return "of " name
}

function sheet_cure(name) {
	if (name == "hugetlb")
		return huge_cure()
	if (name == "vmalloc")
		return vmalloc_cure()
	if (name == "percpu")
		return "Per-CPU memory grows with cgroups, network devices and BPF maps: remove cgroups that are no longer used."
	if (name == "zsmalloc")
		return zram_cure()
	if (name == "gpu")
		return "The graphics driver's debugfs and fdinfo (drm-memory) name the process."
	if (name == "module")
		return "The reserve is given back by " command("oomlens reserve 0") "."
	return "Pipes, sockets and drivers are in no account: ss -m, /proc/net/sockstat, the drivers' debugfs; page_owner=on names who took each page. \"oomlens memory\" has the whole sheet."
}

function huge_cure(   w) {
	if (split(key("unowned", "huge_by"), w, " ") < 3 || !num(w[3]))
		return "Huge pages are set aside whether they are used or not: HugePages_Free in /proc/meminfo; fewer by vm.nr_hugepages."
	return "Huge pages are set aside whether they are used or not. Of " num(w[2]) " of " scaled(num(w[1]), " ") "iB " num(w[3]) " are free. To give these back: " command("echo " num(w[2]) - num(w[3]) " >/sys/kernel/mm/hugepages/hugepages-" num(w[1]) "kB/nr_hugepages")
}

function vmalloc_cure(   w) {
	if (split(key("unowned", "vmalloc_by"), w, " ") < 3)
		return "/proc/vmallocinfo names who took it."
	if (w[3] !~ /^[A-Za-z0-9_]+$/)
		return "Most of it, " bytes(w[1]) ", was taken by " shown(w[2]) "() of the kernel (/proc/vmallocinfo)."
	return "Most of it, " bytes(w[1]) ", was taken by " shown(w[2]) "() of the module " w[3] ", and is freed with it, if it can be done without: " command("rmmod " w[3])
}

function zram_cure(   w, reset) {
	if (split(key("unowned", "zram_by"), w, " ") < 3 || num(w[2]) < 1024 || w[1] !~ /^\/dev\/zram[0-9]+$/)
		return "Compressed swap takes RAM itself: a smaller zram (disksize, mem_limit), or swap on a disk beside it."
	reset = "echo 1 >/sys/block/" substr(w[1], 6) "/reset"
	if (w[3] == "swap")
		return w[1] " takes " scaled(num(w[2]), " ") "iB as compressed swap: a smaller one (disksize, mem_limit), or swap on a disk beside it."
	if (w[3] != "-")
		reset = "umount " file_word(w[3]) " && " reset
	return w[1] " takes " scaled(num(w[2]), " ") "iB" (w[3] == "-" ? " and is neither swap nor mounted" : ", mounted on " shown(w[3])) ". To empty it: " command(reset)
}
