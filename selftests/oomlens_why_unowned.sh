#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# OOMs of the machine whose memory no process owned: "oomlens why" names what held it and
# the command that frees it. The test runs that command, as it stands there, and by the
# kernel's own figures (/proc/meminfo) the memory is back.
# Without names a quick two, or all of them with $OOMLENS_WHY_ALL.
# shellcheck disable=SC2317,SC2329 # ready_*, hold_* and gone_* are called by name

here=$(cd "$(dirname "$0")" && pwd)
PATH=$here:$here/../scripts:$PATH
proc=/proc/oomlens
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
# shellcheck source=lib/why.sh
. "$here/lib/why.sh"

[ "$(id -u)" = 0 ] || skip_all "not root"
[ -r $proc/memory ] || skip_all "the module is not loaded"
grep -q '^mark_victim yes' $proc/features || skip_all "no mark_victim: events have no objects"
command -v oomlens >/dev/null || skip_all "the command oomlens is not installed"
[ "$(swap_mib)" = 0 ] || skip_all "there is swap: it would be filled first"
stage=$here/oomlens_stage
[ -x "$stage" ] || stage=oomlens_stage
echo -1000 >/proc/self/oom_score_adj

file="/dev/shm/oomlens it's"
place=/tmp/oomlens_unowned
text=/tmp/oomlens_unowned.text
page_kib=$(awk '/^KernelPageSize/ { print $2; exit }' /proc/self/smaps)
# For result()
# shellcheck disable=SC2034
diagnostics=$text

clean_up()
{
	children_end
	[ -z "${1:-}" ] || "gone_$1" 2>/dev/null
	sysctls_back
	rm -f "$file" "$text"
}
trap 'clean_up "$c"; exit 1' INT TERM HUP

# ---- the cases ----
#
# ready_X: may it be staged here?  hold_X MIB: take the memory, and say what is expected:
#   COUNTER  of /proc/meminfo, which rises by it ("": none does)
#   NAMES    words of the explanation
#   SIZE     a pattern of its number of MiB, where NAMES has none
#   COMMAND  a pattern of the command
# gone_X: whatever is left of it. "ipcrm" is the stage's, as busybox has none.

ready_file()
{
	grep -q ' /dev/shm tmpfs ' /proc/mounts || echo "no tmpfs on /dev/shm"
}
hold_file()
{
	dd if=/dev/zero of="$file" bs=1M count="$1" 2>/dev/null
	COUNTER=Shmem NAMES="$file $1 MiB, held by no process"
	COMMAND="rm '/dev/shm/[^;]*s'"
}
gone_file() { :; }

ready_segment() { :; }
hold_segment()
{
	"$stage" segment "$1"
	COUNTER=Shmem NAMES="SYSV00000000 $1 MiB, held by no process"
	COMMAND="ipcrm -m [0-9]*"
}
gone_segment() { :; }
ipcrm()
{
	"$stage" ipcrm "$2"
}

# None of its files is large
ready_mount() { :; }
hold_mount()
{
	mkdir -p "$place"
	mount -t tmpfs -o size=100% oomlens "$place"
	i=0
	while [ "$i" -lt "$1" ]; do
		i=$((i + 4))
		dd if=/dev/zero of="$place/$i" bs=1M count=4 2>/dev/null
	done
	COUNTER=Shmem NAMES="All of that tmpfs at once: umount $place"
	COMMAND="umount $place"
}
gone_mount()
{
	umount "$place"
	rmdir "$place"
}

ready_memfd() { :; }
hold_memfd()
{
	sleeper memfd "$1"
	COUNTER=Shmem NAMES="memfd:oomlens held $1 MiB (oomlens_stage ${children##* })"
	COMMAND="kill ${children##* }"
}
gone_memfd() { :; }

ready_sockets() { :; }
hold_sockets()
{
	# There may be twice as many sockets of this family
	sysctl_set /proc/sys/fs/file-max 500000
	sleeper sockets "$1"
	COUNTER=Slab NAMES="The process with the most descriptors is now oomlens_stage (${children##* })"
	COMMAND="kill ${children##* }"
}
gone_sockets() { :; }

ready_pipes() { :; }
hold_pipes()
{
	# The stage counts in pages of 4 KiB
	sleeper pipes $(($1 * 4 / page_kib))
	COUNTER='' NAMES="The process with the most descriptors is now oomlens_stage (${children##* })"
	COMMAND="kill ${children##* }"
}
gone_pipes() { :; }

helper_ko()
{
	ko=${OOMLENS_KO:-/rig/oomlens.ko}
	for ko in "${ko%/*}"/oomlens_pages.ko "${ko%/*}"/selftests/modules/oomlens_pages.ko; do
		[ ! -r "$ko" ] || return 0
	done
	return 1
}

ready_vmalloc()
{
	helper_ko || echo "no oomlens_pages.ko"
	# With a guard page each they take twice the addresses
	case $(uname -m) in
	*64) ;;
	*) echo "more than the address space" ;;
	esac
}
hold_vmalloc()
{
	helper_ko && insmod "$ko"
	echo $(($1 * 1024 / page_kib)) >/sys/module/oomlens_pages/parameters/vmalloc
	COUNTER=VmallocUsed NAMES="of the module oomlens_pages" SIZE=' Most of it, \([0-9.]*\) MiB, was taken by '
	COMMAND="rmmod oomlens_pages"
}
gone_vmalloc()
{
	rmmod oomlens_pages
}

ready_zram()
{
	modprobe -q zram 2>/dev/null
	[ -r /sys/class/zram-control/hot_add ] || echo "no zram"
}
hold_zram()
{
	read -r zram </sys/class/zram-control/hot_add
	echo $(($1 + 64))M >"/sys/block/zram$zram/disksize"
	# It does not compress what is random, nor look for what it has already
	dd if=/dev/urandom of="$text" bs=1M count=1 2>/dev/null
	i=0
	while [ "$i" -lt "$1" ]; do
		i=$((i + 1))
		cat "$text"
	done >"/dev/zram$zram"
	COUNTER='' NAMES="/dev/zram$zram takes" SIZE="/dev/zram$zram takes \([0-9.]*\) MiB "
	COMMAND="echo 1 >/sys/block/zram$zram/reset"
}
gone_zram()
{
	echo 1 >"/sys/block/zram$zram/reset"
	echo "$zram" >/sys/class/zram-control/hot_remove
}

ready_huge()
{
	[ -e /proc/sys/vm/nr_hugepages ] || echo "no huge pages"
}
hold_huge()
{
	kib=$(meminfo Hugepagesize)
	sysctl_set /proc/sys/vm/nr_hugepages 0
	echo 3 >/proc/sys/vm/drop_caches
	[ ! -e /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory
	echo $(($1 * 1024 / kib)) >/proc/sys/vm/nr_hugepages
	# There may not be as many pieces of that size
	mib=$(($(meminfo Hugetlb) / 1024))
	most=$((mib * 1024 * 8 / 10))
	COUNTER=Hugetlb NAMES="of huge pages set aside" SIZE=' \([0-9.]*\) MiB of huge pages set aside'
	COMMAND="echo 0 >/sys/kernel/mm/hugepages/hugepages-${kib}kB/nr_hugepages"
}
gone_huge() { :; }

# ---- run ----

# meminfo NAME: in KiB, with what each processor keeps back
meminfo()
{
	{ echo 1 >/proc/sys/vm/stat_refresh; } 2>/dev/null
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

happened()
{
	number=$(event_meant "$before") && [ -n "$number" ]
}

# risen NAME FROM KIB, fallen NAME FROM KIB
risen()
{
	now=$(meminfo "$1")
	[ $((now - $2)) -ge "$3" ]
}

fallen()
{
	now=$(meminfo "$1")
	[ $(($2 - now)) -ge "$3" ]
}

pending()
{
	grep -q "^event $number .* details=pending" $proc/events
}

# Within a tenth
of_that_size()
{
	tr -s '\n ' ' ' <"$text" | sed -n "s|.*$SIZE.*|\1|p" |
		awk -v mib="$mib" '$1 >= mib * 0.9 && $1 <= mib * 1.1 { ok = 1 } END { exit !ok }'
}

failed()
{
	echo "# $c: $*"
	awk -v n="${number:-0}" '$2 == n && /^(event|memory|object|slab)/ { print "# " $0 }' $proc/events
	return 1
}

one_case()
{
	number=
	mib=$(($(ram_mib) * 40 / 100))
	# What a slab or a pipe takes beside it, or shares with others
	most=$((mib * 1024 * 8 / 10))
	for counter in Shmem Slab VmallocUsed Hugetlb; do
		eval "was_$counter=$(meminfo $counter)"
	done
	decoys
	SIZE=
	"hold_$c" "$mib"
	before=$(newest)
	"$stage" -a 1000 anon $(($(ram_mib) * 2)) >/dev/null 2>&1
	WANT="kind=global outcome=killed"
	until_true happened || failed "no OOM" || return
	until_true told || echo "# $c: its objects are not told of yet, or a victim's end is not"
	case $c in
	pipes | sockets) ;;
	*) ! pending || failed "details=pending" || return ;;
	esac
	oomlens why "$number" >"$text" 2>&1
	tr -s '\n ' ' ' <"$text" | grep -qF "$NAMES" || failed "not named: $NAMES" || return
	[ -z "$SIZE" ] || of_that_size || failed "not of $mib MiB: $SIZE" || return
	command=$(grep -o "$COMMAND" "$text" | head -n 1)
	[ -n "$command" ] || failed "no command $COMMAND" || return
	# Not MemAvailable, which has much of the slab in it
	free=$(meminfo MemFree)
	if [ -n "$COUNTER" ]; then
		eval "was=\$was_$COUNTER"
		risen "$COUNTER" "$was" $most || failed "$COUNTER is $now, was $was before" || return
		was=$now
	fi
	echo "# $c: $command"
	eval "$command" || failed "$command: exit $?" || return
	[ -z "$COUNTER" ] || until_true fallen "$COUNTER" "$was" $most ||
		failed "$COUNTER was $was and is $now" || return
	until_true risen MemFree "$free" $most ||
		failed "MemFree was $free and is $now"
}

all="file pipes segment mount memfd sockets vmalloc zram huge"
quick="file pipes"
asked=$*
[ $# -gt 0 ] || asked=$quick
# shellcheck disable=SC2086 # a list of names
[ $# -gt 0 ] || set -- $all
[ -z "${OOMLENS_WHY_ALL:-}" ] || asked=$*
c=
echo "TAP version 13"
echo "1..$#"
shelter
for c; do
	case " $asked " in
	*" $c "*) ;;
	*)
		skip "$c" "not OOMLENS_WHY_ALL=1"
		continue
		;;
	esac
	missing=$("ready_$c")
	if [ -n "$missing" ]; then
		skip "$c" "$missing"
		continue
	fi
	began=$(date +%s)
	one_case
	result $? "$c"
	echo "# $c: $(($(date +%s) - began)) s"
	clean_up "$c"
done
exit $((bad != 0))
