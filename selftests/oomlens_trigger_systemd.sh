#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# A unit whose worker is taken by "kill pid=N" has had a real OOM kill: systemd
# reacts as systemd.service(5) says of OOMPolicy= and Restart=. Judged by
# "systemctl show", by the unit's memory.events, and by the processes that are left.
# shellcheck disable=SC2317,SC2329 # functions are called by name

here=$(cd "$(dirname "$0")" && pwd)
PATH=$here/../scripts:$PATH
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
lens=/sys/kernel/debug/oomlens
unit=oomlens-selftest.service
file=/run/systemd/system/$unit
script=/run/oomlens-selftest.sh
said=/run/oomlens-selftest.said
diagnostics=$said

[ "$(id -u)" = 0 ] || skip_all "not root"
[ -d /run/systemd/system ] || skip_all "process 1 is not systemd"
grep -qs '^enabled 1' $lens/trigger || skip_all "needs debugfs and trigger=1"
grep -q ' cgroup2 ' /proc/mounts || skip_all "systemd has no OOMPolicy= on cgroup v1"

sysrq=$(cat /proc/sys/kernel/sysrq)
printk=$(cat /proc/sys/kernel/printk)
stranger=
clean_up()
{
	[ -z "$stranger" ] || kill -KILL "$stranger" 2>/dev/null
	systemctl -q stop "$unit"
	rm -f "$file" "$script" "$said"
	systemctl daemon-reload
	systemctl -q reset-failed "$unit" 2>/dev/null
	echo "$sysrq" >/proc/sys/kernel/sysrq
	echo "$printk" >/proc/sys/kernel/printk
}
trap clean_up EXIT
trap 'exit 130' INT TERM
echo 1 >/proc/sys/kernel/sysrq
# A slow console would give systemd the time to kill before the kernel does
echo 1 >/proc/sys/kernel/printk

verdict()
{
	result "$@"
	[ "$1" = 0 ] ||
		systemctl show -p ActiveState,SubState,Result,NRestarts,MainPID $unit | sed 's/^/# /'
}

shown()
{
	[ "$(systemctl show --value -p "$1" $unit)" = "$2" ]
}

# Main process and workers of the unit as it is now
main=
workers=
at_work()
{
	main=$(systemctl show --value -p MainPID $unit)
	[ "$main" != 0 ] || return 1
	workers=$(cat "/proc/$main/task/$main/children" 2>/dev/null)
	# shellcheck disable=SC2086 # a list of pids
	set -- $workers
	[ $# = 2 ] && grep -q "^ready $main" $said && asleep "$@"
}

# Until then it is still the shell that was forked
asleep()
{
	for p; do
		[ "$(cat "/proc/$p/comm" 2>/dev/null)" = sleep ] || return 1
	done
}

gone()
{
	for p; do
		[ ! -d "/proc/$p" ] || return 1
	done
}

# start POLICY [LINE...]: a unit of a main process and two workers
start()
{
	policy=$1
	shift
	systemctl -q stop "$unit" 2>/dev/null
	cat >$script <<-TEXT
		trap 'echo "asked to end \$\$" >>$said; exit 0' TERM
		sleep 3600 &
		sleep 3600 &
		echo "ready \$\$" >>$said
		wait
	TEXT
	: >$said
	printf '%s\n' '[Service]' "OOMPolicy=$policy" MemoryAccounting=yes \
		"ExecStart=/bin/sh $script" "$@" >$file
	systemctl daemon-reload
	systemctl -q reset-failed $unit 2>/dev/null
	systemctl start $unit
	until_true at_work || return 1
	events=/sys/fs/cgroup$(systemctl show --value -p ControlGroup $unit)/memory.events
	# The later worker
	worker=${workers% }
	worker=${worker##* }
	other=${workers%% *}
}

event()
{
	[ "$(sed -n "s/^$1 //p" "$events")" = "$2" ]
}

kernel_killed()
{
	dmesg | grep -q "Killed process $1 (sleep)"
}

# The kernel kills all of a group one by one. systemd is told of the first and
# kills the rest too: where it is faster, the kernel comes too late.
kernel_killed_group()
{
	dmesg | grep -A3 "Tasks in [^ ]*/$unit are going to be killed due to memory.oom.group" |
		grep -qE "(Killed process|OOM victim) ($1|$2) \("
}

take_worker()
{
	echo "kill pid=$worker" >$lens/trigger && until_true gone "$worker" &&
		kernel_killed "$worker"
}

logged()
{
	journalctl -q -u "$unit" | grep -q 'killed by the OOM killer'
}

policy_continue()
{
	start continue && take_worker && event oom_kill 1 || return 1
	# Once it has said so, it has also done what it does
	until_true logged || return 1
	shown ActiveState active && shown Result success && [ -d "/proc/$main" ] &&
		[ -d "/proc/$other" ] && ! grep -q asked $said
}

policy_stop()
{
	start stop && take_worker && until_true shown ActiveState failed &&
		shown Result oom-kill && until_true gone "$main" "$other" &&
		grep -q "asked to end $main" $said
}

policy_kill()
{
	start kill && [ "$(cat "${events%events}oom.group")" = 1 ] && take_worker &&
		until_true shown ActiveState failed && shown Result oom-kill &&
		until_true gone "$main" "$other" && ! grep -q asked $said &&
		kernel_killed_group "$main" "$other"
}

restart()
{
	start stop Restart=on-failure RestartSec=0 || return 1
	before=$main
	take_worker && until_true shown NRestarts 1 && until_true at_work &&
		[ "$main" != "$before" ] && shown ActiveState active &&
		until_true gone "$before"
}

bystander()
{
	start stop || return 1
	sleep 3600 >/dev/null 2>&1 &
	stranger=$!
	until_true asleep $stranger || return 1
	echo "kill pid=$stranger" >$lens/trigger && until_true gone $stranger &&
		kernel_killed $stranger && event oom_kill 0 && at_work &&
		shown ActiveState active && shown Result success
}

# scripts/examples/systemd-unit as it is: its unit, with a limit
example()
{
	examples=$here/../scripts/examples
	[ -d "$examples" ] || examples=/rig/examples
	web=/run/systemd/system/web.service
	printf '%s\n' '[Service]' MemoryMax=32M MemorySwapMax=0 OOMPolicy=stop \
		'ExecStart=/bin/sh -c "sleep 3600 & sleep 3600"' >$web
	systemctl daemon-reload
	systemctl start web.service && oomlens rehearse "$examples/systemd-unit" >>$said 2>&1
	status=$?
	[ $status = 0 ] || sed 's/^/# said: /' $said
	systemctl -q stop web.service
	rm $web
	systemctl daemon-reload
	systemctl -q reset-failed web.service 2>/dev/null
	return $status
}

echo "TAP version 13"
echo "1..6"
policy_continue
verdict $? "OOMPolicy=continue: the unit goes on without the worker"
policy_stop
verdict $? "OOMPolicy=stop: the rest is asked to end, Result=oom-kill"
policy_kill
verdict $? "OOMPolicy=kill: the kernel takes the whole unit, Result=oom-kill"
restart
verdict $? "Restart=on-failure: it is started again"
bystander
verdict $? "an OOM kill outside the unit is none of its business"
example
verdict $? "scripts/examples/systemd-unit: the unit has failed with oom-kill, and nothing else"
exit $((bad != 0))
