#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# "oomlens why" on OOMs of a known cause: each is staged for real, and the
# explanation must say so (oomlens_why.expect). Causes that need swap (which may be on
# $OOMLENS_SWAP_DISK), a second NUMA node or CMA are staged where the machine has that,
# and are skipped elsewhere. Without names a few quick ones, or all of them with
# $OOMLENS_WHY_ALL. $OOMLENS_SAVE: all of them, and a directory for the records, so that
# other machines can read them (scripts/test-cli). The quick ones, and all with
# $OOMLENS_WHY_LOG, run with log=2 where the module can be loaded ($OOMLENS_KO): the block
# in the kernel's log must give the same sentences as the file, and most must have one.
# shellcheck disable=SC2317,SC2329 # ready_* and stage_* are called by name

here=$(cd "$(dirname "$0")" && pwd)
PATH=$here:$here/../scripts:$PATH
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
# shellcheck source=lib/why.sh
. "$here/lib/why.sh"
proc=/proc/oomlens
debug=/sys/kernel/debug/oomlens
cgroups=/sys/fs/cgroup
[ ! -e $cgroups/memory/memory.limit_in_bytes ] || cgroups=$cgroups/memory
group=$cgroups/oomlens_why

[ "$(id -u)" = 0 ] || skip_all "not root"
[ -r $proc/events ] || skip_all "the module is not loaded"
# Cases by name need not all have it.
[ $# -gt 0 ] || grep -qs . $debug/trigger || skip_all "the module has no debugfs that can be read"
command -v oomlens >/dev/null || skip_all "the command oomlens is not installed"
stage=$here/oomlens_stage
[ -x "$stage" ] || stage=oomlens_stage

# The reaper takes no page tables: until a victim has exited, a second kill may
# follow, and must not find this shell.
echo -1000 >/proc/self/oom_score_adj

# ---- put everything back, whichever way this ends ----

clean_up()
{
	children_end
	sysctls_back
	rm -f /dev/shm/oomlens_why
	umount /tmp/oomlens_why 2>/dev/null
	rmdir /tmp/oomlens_why 2>/dev/null
	for g in "$group" "$group/sub"; do
		[ ! -d "$g" ] || while read -r p; do
			kill -9 "$p" 2>/dev/null
		done <"$g"/cgroup.procs
	done
	tries=0
	while [ -d "$group" ] && [ "$tries" -lt 50 ]; do
		rmdir "$group/sub" "$group" 2>/dev/null
		[ ! -d "$group" ] || sleep 0.1
		tries=$((tries + 1))
	done
	{ echo 0 >$debug/reserve; } 2>/dev/null
	[ -z "$own_swap" ] || swapoff "$own_swap" 2>/dev/null
}

trap 'clean_up; exit 1' INT TERM HUP

# in_group COMMAND...: as a member of the cgroup; bounded, as a kernel that
# finds no task to kill tries for ever
in_group()
{
	(
		echo 0 >"$group"/cgroup.procs
		exec timeout 5 "$@"
	) >/dev/null 2>&1
}

make_group()
{
	mkdir "$group" && echo "$1" >"$group"/memory.max
}

# ---- the causes: what is needed, how it is staged, which event is meant ----

want()
{
	WANT=$*
}

need_v2()
{
	grep -qsw memory /sys/fs/cgroup/cgroup.controllers || {
		echo "no cgroup v2 memory controller"
		return 1
	}
	# Only it tells whose limit or which nodes these were.
	grep -q '^oom_probe yes' "$proc"/features || {
		echo "no return probe"
		return 1
	}
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
}

need_trigger()
{
	grep -qs . "$debug"/trigger || {
		echo "no trigger"
		return 1
	}
}

# Off again in clean_up
own_swap=${OOMLENS_SWAP_DISK:-}
! grep -qs "^$own_swap " /proc/swaps || own_swap=
need_swap()
{
	[ -z "$own_swap" ] || swapon "$own_swap" 2>/dev/null
	[ "$(swap_mib)" -ge 64 ] || {
		echo "no swap"
		return 1
	}
}

need_nodes()
{
	[ -d /sys/devices/system/node/node1 ] || {
		echo "one node"
		return 1
	}
}

# Memory of the machine must run out, not its swap first.
need_no_swap()
{
	[ "$(swap_mib)" = 0 ] || {
		echo "there is swap"
		return 1
	}
}

# Only it tells which tasks died.
need_mark()
{
	grep -q '^mark_victim yes' "$proc"/features || {
		echo "no mark"
		return 1
	}
}

# With swap it would be swapped out instead.
ready_limit() { need_v2 && need_no_swap; }
stage_limit()
{
	want kind=memcg outcome=killed
	make_group 20M
	in_group "$stage" anon 60
}

ready_limit_v1()
{
	[ -e "$cgroups"/memory.limit_in_bytes ] || {
		echo "no cgroup v1 memory controller"
		return 1
	}
}
stage_limit_v1()
{
	want kind=memcg outcome=killed
	mkdir "$group" && echo 20M >"$group"/memory.limit_in_bytes
	in_group "$stage" anon 60
}

ready_limit_noswap() { need_v2 && need_swap; }
stage_limit_noswap()
{
	want kind=memcg outcome=killed
	make_group 20M
	echo 0 >"$group"/memory.swap.max
	in_group "$stage" anon 60
}

ready_limit_swap() { need_v2 && need_swap; }
stage_limit_swap()
{
	want kind=memcg outcome=killed
	make_group 20M
	echo 8M >"$group"/memory.swap.max
	in_group "$stage" anon 60
}

ready_nobody() { need_v2; }
stage_nobody()
{
	want kind=memcg outcome=nobody
	make_group 20M
	# Beyond the program's own little, only files: no page fault to repeat.
	(
		echo -1000 >/proc/self/oom_score_adj
		in_group dd if=/dev/zero of=/dev/shm/oomlens_why bs=4k count=10000
	)
}

ready_group() { need_v2; }
stage_group()
{
	want kind=memcg outcome=killed
	make_group 40M
	echo 1 >"$group"/memory.oom.group
	# shellcheck disable=SC2016 # for the inner shell
	in_group sh -c 'echo 0 >/proc/self/oom_score_adj; exec sleep 60' &
	in_group "$stage" anon 10 &
	in_group "$stage" anon 60
}

ready_anon() { need_mark && need_no_swap; }
stage_anon()
{
	want kind=global outcome=killed
	# The next choice: where all is one session, there is no other
	sleeper anon 1
	"$stage" anon $(($(ram_mib) * 2))
}

# The same on a kernel where the victim is not told
ready_unmarked() { ! need_mark >/dev/null || { echo "the victim is told"; return 1; } && need_no_swap; }
stage_unmarked() { stage_anon; }

ready_swapfull() { need_swap; }
stage_swapfull()
{
	want kind=global outcome=killed
	"$stage" anon $((($(ram_mib) + $(swap_mib)) * 2))
}

ready_min_ttl()
{
	[ -e /sys/kernel/mm/lru_gen/min_ttl_ms ] || {
		echo "no multi-generational LRU"
		return 1
	}
}
stage_min_ttl()
{
	want kind=global trigger=min_ttl outcome=killed
	# Where an OOM before has found nothing to reclaim, kswapd is not woken until
	# something was reclaimed: pgdat->kswapd_failures
	need_swap >/dev/null
	sysctl_set /sys/kernel/mm/lru_gen/enabled 7
	sysctl_set /sys/kernel/mm/lru_gen/min_ttl_ms 100000
	"$stage" anon $(($(ram_mib) * 2))
}

# On a busy machine the task that asks may come before kswapd
staged_min_ttl()
{
	dmesg | grep -q 'kswapd[0-9]* invoked oom-killer'
}

ready_locked() { need_swap; }
stage_locked()
{
	want kind=global outcome=killed
	"$stage" -l anon $(($(ram_mib) * 2))
}

ready_shmem() { need_no_swap; }
stage_shmem()
{
	want kind=global outcome=killed
	mkdir /tmp/oomlens_why
	mount -t tmpfs -o size=100% oomlens_why /tmp/oomlens_why
	dd if=/dev/zero of=/tmp/oomlens_why/file bs=1M count=$(($(available_mib) * 7 / 10)) 2>/dev/null
	"$stage" anon "$(ram_mib)"
}

# The victim is reaped long before so many page tables are freed: on a large machine
# the kernel would have killed everything else by then, and panicked.
ready_tables()
{
	[ "$(ram_mib)" -le 512 ] || {
		echo "$(ram_mib) MiB of page tables take too long to free"
		return 1
	}
}
stage_tables()
{
	want kind=global outcome=killed
	decoys
	"$stage" -a 1000 tables $(($(ram_mib) * 2))
}

# Room for the page tables of one, not of two
ready_dying() { need_no_swap; }
stage_dying()
{
	want kind=global outcome=dying
	decoys
	"$stage" -a 1000 fork $(($(available_mib) * 60 / 100))
}

# Of a run of idle calls only the first and the newest are kept: another task's may be
staged_dying()
{
	[ -n "$(event_meant "$before")" ]
}

# Newer ones give back what is free of the reserve before they kill, and by their
# per-CPU lists of large pieces a reserved block is never filled to the end.
ready_highatomic()
{
	need_no_swap || return
	case $(uname -r) in
	5.*) return ;;
	esac
	echo "this kernel gives the reserve back before it kills"
	return 1
}
stage_highatomic()
{
	want kind=global outcome=killed order=0
	# It changes this, and may be killed before it has put it back.
	sysctl_set /proc/sys/vm/min_free_kbytes "$(cat /proc/sys/vm/min_free_kbytes)"
	"$stage" urgent $(($(ram_mib) * 2))
}

# Whether a block is left that has no page to give depends on what came before
staged_highatomic()
{
	dmesg | awk '/invoked oom-killer/ { kept = 0 }
		/reserved_highatomic:[1-9]/ { kept = 1 }
		END { exit !kept }'
}

ready_pipes() { :; }
stage_pipes()
{
	want kind=global outcome=killed
	decoys
	"$stage" -a 1000 pipes $(($(ram_mib) * 2))
}

ready_pieces() { :; }
stage_pieces()
{
	want kind=global outcome=killed
	sysctl_set /proc/sys/net/core/optmem_max 100000
	"$stage" -a 1000 pieces $(($(ram_mib) * 2))
}

ready_huge()
{
	[ -e /proc/sys/vm/nr_hugepages ] || {
		echo "no huge pages"
		return 1
	}
}
stage_huge()
{
	want kind=global outcome=killed
	# It takes whole pieces of 2 MiB: what is cached must go
	sysctl_set /proc/sys/vm/nr_hugepages 0
	echo 3 >/proc/sys/vm/drop_caches
	[ ! -e /proc/sys/vm/compact_memory ] || echo 1 >/proc/sys/vm/compact_memory
	echo $(($(ram_mib) * 6 / 10 / 2)) >/proc/sys/vm/nr_hugepages
	"$stage" anon $((($(ram_mib) + $(swap_mib)) * 2))
}

ready_caller() { need_no_swap; }
stage_caller()
{
	want kind=global outcome=killed
	sysctl_set /proc/sys/vm/oom_kill_allocating_task 1
	sleeper anon $(($(ram_mib) * 5 / 10))
	"$stage" anon "$(ram_mib)"
}

ready_adjusted() { need_no_swap; }
stage_adjusted()
{
	want kind=global outcome=killed
	sleeper anon $(($(ram_mib) * 5 / 10))
	"$stage" -a 700 anon "$(ram_mib)"
}

ready_exempt() { need_no_swap; }
stage_exempt()
{
	want kind=global outcome=killed
	sleeper -a -1000 anon $(($(ram_mib) * 5 / 10))
	"$stage" anon "$(ram_mib)"
}

ready_sysrq()
{
	[ -e /proc/sysrq-trigger ] || {
		echo "no sysrq"
		return 1
	}
}
stage_sysrq()
{
	want kind=sysrq trigger=sysrq
	sleeper -a 500 anon 20
	echo f >/proc/sysrq-trigger
	sleep 1
}

ready_pinned() { ready_sysrq && need_trigger; }
stage_pinned()
{
	want trigger=oomlens outcome=killed
	sysctl_set /proc/sys/kernel/sysrq 1
	sleeper anon 10
	oomlens trigger kill pid="${children##* }" >/dev/null
}

ready_drill() { need_trigger; }
stage_drill()
{
	want trigger=oomlens outcome=averted
	oomlens trigger pressure >/dev/null
}

ready_reserve() { need_trigger; }
stage_reserve()
{
	want outcome=averted by=reserve
	oomlens reserve 16M >/dev/null
	"$stage" anon $((($(ram_mib) + $(swap_mib)) * 2))
}

ready_cpuset()
{
	need_nodes && need_v2 || return
	grep -qw cpuset /sys/fs/cgroup/cgroup.controllers || {
		echo "no cpuset controller"
		return 1
	}
}
stage_cpuset()
{
	want kind=cpuset outcome=killed
	echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control
	make_group max
	echo 1 >"$group"/cpuset.mems
	(
		echo 0 >"$group"/cgroup.procs
		exec "$stage" anon $((($(ram_mib) + $(swap_mib)) * 2))
	)
}

ready_mempolicy() { need_nodes; }
stage_mempolicy()
{
	want kind=mempolicy outcome=killed
	"$stage" -n 1 anon $((($(ram_mib) + $(swap_mib)) * 2))
}

ready_cma()
{
	grep -q '^CmaTotal: *[1-9]' /proc/meminfo || {
		echo "no CMA area"
		return 1
	}
}
stage_cma()
{
	want kind=global outcome=killed
	decoys
	"$stage" -a 1000 pipes $(($(ram_mib) * 2))
}

# ---- run ----

# huge before those that leave memory in pieces
all="huge limit limit_v1 limit_noswap limit_swap nobody group anon unmarked min_ttl swapfull locked shmem tables pipes
	pieces highatomic caller adjusted exempt dying sysrq pinned drill reserve cpuset
	mempolicy cma"
# And those that few machines can stage
quick="limit limit_v1 drill cpuset mempolicy"

save_event()
{
	[ -n "${OOMLENS_SAVE:-}" ] || return 0
	mkdir -p "$OOMLENS_SAVE/why"
	awk -v n="$2" '/^#/ || $2 == n' $proc/events >"$OOMLENS_SAVE/why/$1"
}

# bring_about NAME: anew, a few times, where "staged_NAME" says by the kernel's word
# that the stage has not brought about what it is for
bring_about()
{
	for attempt in 1 2 3 4 5; do
		before=$(newest)
		"stage_$1" >/dev/null 2>&1
		{ command -v "staged_$1" >/dev/null && ! "staged_$1"; } || return 0
		echo "# $1: try $attempt did not bring it about"
		children_end
	done
}

# reload PARAMETER...: false if there is no module to load
ko=${OOMLENS_KO:-/rig/oomlens.ko}
reload()
{
	[ -r "$ko" ] || return 1
	tries=0
	while [ -d /sys/module/oomlens ] && [ "$tries" -lt 50 ]; do
		rmmod oomlens 2>/dev/null || sleep 0.1
		tries=$((tries + 1))
	done
	echo "$mark" >/dev/kmsg
	insmod "$ko" "$@" || {
		echo "Bail out! cannot load $ko"
		exit 1
	}
}

# The kernel's log since the module was loaded: each load counts its events from 1.
mark="oomlens_why: from here $$"
log()
{
	dmesg | awk -v mark="$mark" '{ line[++n] = $0 } index($0, mark) { n = 0 }
		END { for (i = 1; i <= n; i++) print line[i] }'
}

# in_log NUMBER: the lines of its block; or its one line, as of a storm only five blocks in
# five seconds are printed; or none, as of a run of idle calls only the first is in the log
in_log()
{
	tries=0
	until log | grep -q "oomlens: end $1 "; do
		[ "$tries" -lt 50 ] || break
		! log | grep "oomlens: [a-z]* $1 " | head -n 1 | grep -q "oomlens: event " || break
		sleep 0.1
		tries=$((tries + 1))
	done
	log | grep "oomlens: [a-z]* $1 "
}

# same_in_log NUMBER: the block gives the sentences that the file gives. Of the file what
# came later than the block is left out: times of victims, growth, objects, slab caches.
same_in_log()
{
	[ -n "$blocks" ] || return 0
	saved_to=$(mktemp -d)
	in_log "$1" >"$saved_to/log"
	case $WANT$(head -n 1 "$saved_to/log")$(grep "oomlens: end " "$saved_to/log") in
	*outcome=nobody | *outcome=dying | *"oomlens: event "* | *" dropped="[1-9]*)
		echo "# no block of it in the log, or not all lines"
		rm -r "$saved_to"
		return 0
		;;
	esac
	compared=$((compared + 1))
	cp $proc/overcommit $proc/features /proc/meminfo "$saved_to"
	# How long ago it was, which a log does not tell
	echo "4000000000 1000000000.0" >"$saved_to/clock"
	awk -v n="$1" '
	FNR == NR {
		sub(/.*oomlens: /, "")
		there[$1]++
		if ($1 == "victim")
			for (i = 1; i <= NF; i++)
				if ($i ~ /^(exit|freed)_us=/)
					late[there[$1], substr($i, 1, 4)] = $i
		next
	}
	/^#/ || ($2 == n && seen[$1]++ < there[$1]) {
		if ($1 == "victim")
			for (i = 1; i <= NF; i++)
				if ($i ~ /^(exit|freed)_us=/)
					$i = late[seen[$1], substr($i, 1, 4)]
		print
	}' "$saved_to/log" $proc/events >"$saved_to/events"
	oomlens --from "$saved_to" why --json "$1" >"$saved_to/of_file"
	oomlens --log "$saved_to/log" why --json >"$saved_to/of_log"
	same=1
	if cmp -s "$saved_to/of_file" "$saved_to/of_log" && grep -q '"outcome":"..' "$saved_to/of_file"; then
		same=0
	else
		echo "# the file and its block in the log differ:"
		sed 's/^/# /' "$saved_to/of_file" "$saved_to/of_log" "$saved_to/log"
	fi
	rm -r "$saved_to"
	return $same
}

one_case()
{
	bring_about "$1"
	tries=0
	while number=$(event_meant "$before") && [ -z "$number" ] && [ "$tries" -lt 50 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	if [ -z "$number" ]; then
		echo "# no event with $WANT; there were:"
		awk -v n="$before" '/^event / && $2 > n { print "# " $0 }' $proc/events
		return 1
	fi
	# Long enough for the times of its victims
	tries=0
	until told || [ "$tries" -ge 50 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	save_event "$1" "$number"
	oomlens why "$number" >/tmp/oomlens_why.text 2>&1
	"$here/oomlens_why_check.sh" "$1" /tmp/oomlens_why.text && same_in_log "$number"
}

[ -z "${OOMLENS_SAVE:-}" ] || oomlens save "$OOMLENS_SAVE"
echo "TAP version 13"
asked=$*
[ $# -gt 0 ] || asked=$quick
# shellcheck disable=SC2086 # a list of names
[ $# -gt 0 ] || set -- $all
[ -z "${OOMLENS_WHY_ALL:-}${OOMLENS_SAVE:-}" ] || asked=$*
echo "1..$(($# + 1))"
blocks=
no_blocks="not OOMLENS_WHY_LOG=1"
if [ "$asked" = "$quick" ] || [ -n "${OOMLENS_WHY_LOG:-}" ]; then
	no_blocks="no oomlens.ko to load again"
	! reload trigger=1 log=2 || blocks=1
fi
ran=0
compared=0
for c; do
	case " $asked " in
	*" $c "*) ;;
	*)
		skip "$c" "not OOMLENS_WHY_ALL=1"
		continue
		;;
	esac
	if missing=$("ready_$c"); then
		began=$(date +%s)
		# Of idle calls, and of what is told of one by one, there are no blocks.
		case $c in
		nobody | dying) ;;
		*) ran=$((ran + 1)) ;;
		esac
		[ "$c" = exempt ] || shelter
		one_case "$c"
		result $? "$c"
		echo "# $c: $(($(date +%s) - began)) s"
	else
		skip "$c" "$missing"
	fi
	clean_up
done
if [ -n "$blocks" ]; then
	[ "$compared" -gt 0 ] && [ $((compared * 2)) -ge $ran ]
	result $? "the same in the log, for at least half of them"
	echo "# $compared of $ran"
else
	skip "the same in the log" "$no_blocks"
fi
rm -f /tmp/oomlens_why.text
[ -z "$blocks" ] || reload trigger=1
exit $((bad != 0))
