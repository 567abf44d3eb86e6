# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # a part of oomlens, which has the variables
# What holds memory now that is neither a process' own nor an object of the file objects:
# the caller that took most of vmalloc, the largest zram, the largest pool of huge pages,
# and the process with the most descriptors (pipes, sockets). As keys, which unowned.awk
# makes sentences of.

# unowned_now: or as it was when that was saved
unowned_now()
{
	if [ -z "$FROM" ]; then
		unowned
	elif [ -r "$FROM/unowned" ]; then
		cat "$FROM/unowned"
	fi
}

# unowned: only the title, unless such memory is a tenth of RAM
unowned()
{
	echo "# oomlens unowned 1"
	[ -r "$DIR/memory" ] && awk '$1 == "ram" { ram = $2 }
		$1 ~ /^(slab_reclaimable|slab_unreclaimable|vmalloc|hugetlb|zsmalloc|unaccounted)$/ { sum += $2 }
		END { exit !(ram && sum * 10 > ram) }' "$DIR/memory" || return 0
	unowned_vmalloc
	unowned_zram
	unowned_huge
	unowned_descriptors
} 2>/dev/null

# vmalloc_by PAGES CALLER MODULE ("-": of the kernel itself). vmap() maps pages that were
# allocated by other means.
unowned_vmalloc()
{
	[ ! -r /proc/vmallocinfo ] || awk '
	/ vmalloc( |$)/ {
		module = $4 ~ /^\[.*\]$/ ? substr($4, 2, length($4) - 2) : "-"
		who = $3
		sub(/\+0x.*/, "", who)
		for (i = 4; i <= NF; i++)
			if ($i ~ /^pages=/)
				sum[who " " module] += substr($i, 7)
	}
	END {
		for (who in sum)
			if (sum[who] > most) {
				most = sum[who]
				name = who
			}
		if (most)
			printf "vmalloc_by %.0f %s\n", most, name
	}' /proc/vmallocinfo
}

# zram_by DEVICE KIB USE: swap, the place where it is mounted, or "-". Columns of mm_stat:
# Documentation/admin-guide/blockdev/zram.rst
unowned_zram()
{
	for at in /sys/block/zram*; do
		read -r _ _ used _ <"$at/mm_stat" || continue
		awk -v dev="/dev/${at##*/}" -v kib=$((used / 1024)) '$1 == dev && use == "" {
			use = FILENAME ~ /swaps$/ ? "swap" : $2
		}
		END { print "zram_by", dev, kib, use == "" ? "-" : use }' /proc/swaps /proc/mounts
	done | sort -k 3n | tail -n 1
}

# huge_by SIZE_KB TOTAL FREE, of the size that takes most
unowned_huge()
{
	for at in /sys/kernel/mm/hugepages/hugepages-*kB; do
		size=${at##*-}
		read -r total <"$at/nr_hugepages" || continue
		read -r unused <"$at/free_hugepages" || continue
		[ "$total" = 0 ] || echo "huge_by ${size%kB} $total $unused $((${size%kB} * total))"
	done | sort -k 5n | tail -n 1
}

# most_descriptors PID PIPES SOCKETS ALL COMM, of pipes the ends. FDSize is the size of a
# process' table.
unowned_descriptors()
{
	pid=$(grep -s FDSize /proc/[0-9]*/status | sed 's/[^0-9]*\([0-9]*\)[^0-9]*/\1 /' | sort -k 2n | tail -n 1)
	[ "${pid#* }" -ge 1024 ] || return 0
	pid=${pid% *}
	# shellcheck disable=SC2012 # what the links say is of the kernel
	ls -l "/proc/$pid/fd" | awk -v pid="$pid" '
	/ -> pipe:/ { pipes++ }
	/ -> socket:/ { sockets++ }
	/ -> / { all++ }
	END {
		getline comm <("/proc/" pid "/comm")
		gsub(/ /, "\\040", comm)
		if (all)
			print "most_descriptors", pid, pipes + 0, sockets + 0, all, comm
	}'
}
