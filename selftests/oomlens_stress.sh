#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Load that nobody here wrote: stress-ng takes memory until the kernel kills, with a
# cgroup beside it that hits its limit over and over. Each kill of the kernel is an
# event and names the victim that the log names; where the walk was complete the victim
# was the first candidate, or nearly as large as it. Judged by /proc/vmstat, the cgroup's
# memory.events and the kernel's log. $OOMLENS_STRESS_S (10): seconds of each stressor.
# shellcheck disable=SC2317,SC2329 # functions are called by name

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
lens=/sys/kernel/debug/oomlens
group=/sys/fs/cgroup/oomlens-stress
seconds=${OOMLENS_STRESS_S:-10}

[ "$(id -u)" = 0 ] || skip_all "not root"
command -v stress-ng >/dev/null || skip_all "no stress-ng"
[ -r $lens/events ] || skip_all "no debugfs"
grep -qsw memory /sys/fs/cgroup/cgroup.subtree_control || skip_all "no memory cgroups"
echo -1000 >/proc/self/oom_score_adj

work=$(mktemp -d)
printk=$(cat /proc/sys/kernel/printk)
children=
clean_up()
{
	rm -f "$work/follow" "$work/storm"
	# shellcheck disable=SC2086 # a list of pids
	kill $children 2>/dev/null
	[ ! -d "$group" ] || echo 1 >"$group/cgroup.kill" 2>/dev/null
	until_true rmdir_group >/dev/null
	echo "$printk" >/proc/sys/kernel/printk
	rm -rf "$work"
}

rmdir_group()
{
	[ ! -d "$group" ] || rmdir "$group" 2>/dev/null
}
trap clean_up EXIT
trap 'exit 130' INT TERM
# A slow console would be what is measured.
echo 1 >/proc/sys/kernel/printk

kernel_kills()
{
	awk '$1 == "oom_kill" { print $2 }' /proc/vmstat
}

group_kills()
{
	awk '$1 == "oom_kill" { print $2 }' "$group/memory.events"
}

# follow NAME: the events and the log as they come, until $work/follow is gone
follow()
{
	rm -f "$work/follows"
	: >"$work/follow"
	(
		exec 3<$lens/events
		cat <&3 >/dev/null
		: >"$work/follows"
		while [ -e "$work/follow" ]; do
			cat <&3
			sleep 0.05
		done
		cat <&3
	) >"$work/events" &
	events_pid=$!
	dmesg --follow-new >"$work/log" 2>"$work/log.lost" &
	log_pid=$!
	children="$events_pid $log_pid"
	until_true [ -e "$work/follows" ] && until_true log_follows "$1"
}

log_follows()
{
	echo "oomlens_stress: $1" >/dev/kmsg
	grep -q "oomlens_stress: $1" "$work/log"
}

# A task of the group takes memory until it is killed, then the next one does.
storm()
{
	while [ -e "$work/storm" ]; do
		(
			echo 0 >/proc/self/oom_score_adj
			echo 0 >"$group/cgroup.procs"
			exec tail /dev/zero
		)
	done
}

# judge: prints five numbers: kills in events; gaps in the events' numbers (idle calls
# leave some); complete walks; victims that were not the first candidate; and of these the
# ones that were smaller by more than a twentieth of its memory
judge()
{
	awk -v pids="$work/pids" '
	function value(key,   i) {
		for (i = 3; i <= NF; i++)
			if (index($i, key "=") == 1)
				return substr($i, length(key) + 2)
		return "-"
	}
	$1 == "event" {
		gaps += last && $2 != last + 1
		last = $2
		first = ""
		complete = value("walk") == "complete"
		killed = value("outcome") == "killed"
		kills += killed
	}
	$1 == "candidate" && first == "" { first = value("pid"); most = value("points"); memory = most - value("adj_points") }
	$1 == "candidate" { points[$2, value("pid")] = value("points") }
	$1 == "victim" && killed {
		print value("tid") >pids
		if (!complete)
			next
		walks++
		if (value("pid") == first)
			next
		missed++
		if (!(($2, value("pid")) in points) || most - points[$2, value("pid")] > memory / 20) {
			far++
			print "# event " $2 ": the first candidate was " first ", the victim " value("pid") >"/dev/stderr"
		}
	}
	END { print kills + 0, gaps + 0, walks + 0, missed + 0, far + 0 }' "$work/events"
}

kills_followed()
{
	[ "$(grep -c '^event .* outcome=killed ' "$work/events")" -ge "$kernel" ]
}

logged()
{
	[ "$(killed_by_log | wc -l)" -ge "$kernel" ]
}

# stressed NAME OPTION...: a stressor's kills. 0, 1, or 4 if it cannot run here
stressed()
{
	name=$1
	shift
	mkdir "$group" && echo 16M >"$group/memory.max" || return 1
	[ ! -e "$group/memory.swap.max" ] || echo 0 >"$group/memory.swap.max"
	follow "$name" || return 1
	before=$(kernel_kills)
	: >"$work/storm"
	# The shell tells of each that is killed.
	storm >/dev/null 2>&1 &
	storm_pid=$!
	children="$children $storm_pid"
	stress-ng --quiet --pathological --timeout "$seconds" "$@" >"$work/said" 2>&1
	ended=$?
	rm -f "$work/storm"
	echo 1 >"$group/cgroup.kill" 2>/dev/null
	wait "$storm_pid"
	in_group=$(group_kills)
	kernel=$(($(kernel_kills) - before))
	until_true kills_followed
	until_true logged
	rm -f "$work/follow"
	kill "$log_pid"
	wait "$events_pid" "$log_pid" 2>/dev/null
	children=
	until_true rmdir_group
	: >"$work/pids"
	# shellcheck disable=SC2046 # five numbers
	set -- $(judge)
	echo "# $name: $kernel kills, $in_group of them in the cgroup; $3 complete walks, $4 missed, $5 by far"
	case $ended in
	0 | 2 | 137) ;;
	3 | 4) return 4 ;;
	*)
		echo "# stress-ng ended with $ended: $(tail -n 1 "$work/said")"
		return 1
		;;
	esac
	sort "$work/pids" >"$work/pids.sorted"
	killed_by_log | sort >"$work/log.sorted"
	[ ! -s "$work/log.lost" ] || sed 's/^/# dmesg: /' "$work/log.lost"
	[ "$1" = "$kernel" ] && [ "$5" = 0 ] && [ "$in_group" -gt 0 ] &&
		[ "$3" -ge $((kernel / 2)) ] &&
		cmp -s "$work/pids.sorted" "$work/log.sorted" && return
	echo "# $1 events that killed, $2 gaps; by the log $(wc -l <"$work/log.sorted")"
	diff "$work/pids.sorted" "$work/log.sorted" | head -n 10 | sed 's/^/# /'
	return 1
}

killed_by_log()
{
	sed -n 's/.*: Killed process \([0-9]*\) .*/\1/p' "$work/log"
}

echo "TAP version 13"
echo "1..7"
while read -r name options; do
	# shellcheck disable=SC2086 # options
	stressed "$name" $options
	case $? in
	4) skip "stress-ng $name" "cannot run here" ;;
	0) result 0 "stress-ng $name: each kill is an event, its victim the first candidate" ;;
	*) result 1 "stress-ng $name: each kill is an event, its victim the first candidate" ;;
	esac
done <<STRESSORS
vm --vm 4 --vm-bytes 150%
brk --brk 4
bigheap --bigheap 4
stack --stack 4
mmapfork --mmapfork 2
oom-pipe --oom-pipe 4
memrate --memrate 2 --memrate-bytes 400M
STRESSORS
exit $((bad != 0))
