#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# What a team rehearses, done by the command under this shell: an OOM in another cgroup.
# Judged by the cgroup's memory.events, by the kernel's log and by which processes are
# left. Everyday a few; all of them with $OOMLENS_REHEARSE.
# shellcheck disable=SC2317,SC2329 # functions are called by name

here=$(cd "$(dirname "$0")" && pwd)
PATH=$here/../scripts:$PATH
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
lens=/sys/kernel/debug/oomlens
root=/sys/fs/cgroup
examples=$here/../scripts/examples
[ -d "$examples" ] || examples=/rig/examples

[ "$(id -u)" = 0 ] || skip_all "not root"
grep -qs '^enabled 1' $lens/trigger || skip_all "no debugfs, or the module without trigger=1"
command -v oomlens >/dev/null || skip_all "the command oomlens is not installed"
grep -qsw memory $root/cgroup.controllers || skip_all "no cgroup v2 with memory cgroups"

work=$(mktemp -d)
delegates=$(cat $root/cgroup.subtree_control)
sysctls='kernel/sysrq vm/panic_on_oom vm/oom_dump_tasks'
for s in $sysctls; do
	[ ! -e "/proc/sys/$s" ] || cat "/proc/sys/$s" >"$work/${s#*/}"
done
children=
# Those of the examples
groups=
# The module is loaded without trigger=1 for a while
plain=
ko=${OOMLENS_KO:-/rig/oomlens.ko}
clean_up()
{
	for p in $children; do
		kill -9 "$p"
	done
	[ -z "$plain" ] || load_again
	for g in oomlens_web oomlens_db oomlens_up $groups; do
		tries=200
		until rmdir "$root/$g" || [ ! -d "$root/$g" ] || [ $((tries -= 1)) = 0 ]; do
			while read -r p; do
				kill -9 "$p"
			done <"$root/$g/cgroup.procs"
			sleep 0.05
		done
	done
	case " $delegates " in
	*' memory '*) ;;
	*) echo -memory >"$root/cgroup.subtree_control" ;;
	esac
	for s in $sysctls; do
		[ ! -e "/proc/sys/$s" ] || cat "$work/${s#*/}" >"/proc/sys/$s"
	done
	rm -rf "$work"
} 2>/dev/null
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
echo -1000 >/proc/self/oom_score_adj
[ ! -e /proc/sys/kernel/sysrq ] || echo 1 >/proc/sys/kernel/sysrq
echo 0 >/proc/sys/vm/panic_on_oom
echo 0 >/proc/sys/vm/oom_dump_tasks

diagnostics=$work/said

# ends STATUS ARGUMENT...: of the command, what it says into said
ends()
{
	want=$1
	shift
	oomlens "$@" >"$work/said" 2>&1
	got=$?
	[ "$got" = "$want" ] && return
	echo "# oomlens $*: exit $got, not $want"
	return 1
}

says()
{
	grep -q -- "$1" "$work/said"
}

event()
{
	sed -n "s/^$2 //p" "$root/oomlens_$1/memory.events"
}

# process GROUP ADJ NAME: one that keeps still, in a cgroup; its pid in made
process()
{
	group=$1
	shift
	in_group "oomlens_$group" "$@"
}

in_group()
{
	(
		echo "$2" >/proc/self/oom_score_adj
		echo 0 >"$root/$1/cgroup.procs"
		printf %s "$3" >/proc/self/comm
		read -r _ <"$work/fifo"
	) &
	made=$!
	children="$children $made"
	until_true named "$made" "$3"
}

named()
{
	[ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]
}

# Dead, though perhaps not yet waited for
gone()
{
	[ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || echo Z)" = Z ]
}

alive()
{
	! gone "$1"
}

killed_by_kernel()
{
	dmesg | grep -q "Killed process $1 ("
}

# ---- an OOM in another cgroup ----

begin()
{
	process web 0 nginx && nginx=$made && process db 0 postgres && postgres=$made && process db -1000 sshd
}

# The kernel takes the one that may be taken there. Neither this shell nor another cgroup
# has lost a process.
test_in()
{
	ends 0 trigger --in /oomlens_web pressure memcg outcome=kill && says "nginx ($nginx)" &&
		until_true gone "$nginx" && killed_by_kernel "$nginx" &&
		[ "$(event web oom_kill)" = 1 ] && [ "$(event db oom_kill)" = 0 ] && alive "$postgres" &&
		[ -z "$(cat "$root/oomlens_web/cgroup.procs")" ]
}

# All of the cgroup goes, but for the writer, which is exempt
test_group()
{
	process web 0 nginx && nginx=$made && process web -500 worker && worker=$made || return 1
	echo 1 >"$root/oomlens_web/memory.oom.group"
	ends 0 trigger --in /oomlens_web pressure memcg outcome=kill
	status=$?
	echo 0 >"$root/oomlens_web/memory.oom.group"
	[ "$status" = 0 ] && until_true gone "$nginx" && until_true gone "$worker" && alive "$postgres"
}

held()
{
	grep -q '^running 1' "$lens/trigger" && [ -n "$(cat "$root/oomlens_web/cgroup.procs")" ]
}

# Something else kills all of the cgroup while the run goes on: the command tells it
test_writer_killed()
{
	oomlens trigger --in /oomlens_web pressure memcg leave=2M hold=60000 >"$work/said" 2>&1 &
	command=$!
	until_true held || return 1
	while read -r p; do
		kill -9 "$p"
	done <"$root/oomlens_web/cgroup.procs"
	wait "$command" && says "The writer in /oomlens_web was killed by signal 9" && says "there was no OOM" &&
		grep -q '^running 0' "$lens/trigger"
}

test_in_refusals()
{
	ends 5 trigger --in /not/there pressure && says "no cgroup '/not/there'" &&
		ends 2 trigger --in web pressure && ends 2 trigger --in /oomlens_web &&
		ends 1 trigger --in /oomlens_db pressure memcg && says "/oomlens_db has no limit" || return 1
	process web 0 nginx || return 1
	# A cgroup whose children have the controller takes no process
	mkdir "$root/oomlens_up" && echo +memory >"$root/oomlens_up/cgroup.subtree_control" &&
		ends 1 trigger --in /oomlens_up pressure && says "no process may go into .*/oomlens_up:" || return 1
	(
		echo 0 >"$root/oomlens_web/cgroup.procs"
		ends 1 trigger --in /oomlens_web pressure && says "run this from another cgroup"
	)
}

# ---- the order ----

score()
{
	cat "/proc/$1/oom_score"
}

# What it answers is done, and the kernel's scores say so; two more, and it is not
test_behind()
{
	process web 400 first && first=$made && process web 50 second && second=$made || return 1
	ends 0 whatif "$first" --behind "$second" && says "^This is below its floor of 400" || return 1
	adj=$(sed -n 's/.* with oom_score_adj \([-0-9]*\) instead of 400 .*/\1/p' "$work/said")
	[ "$adj" -gt 40 ] && [ "$adj" -le 51 ] || return 1
	echo "$adj" >"/proc/$first/oom_score_adj"
	[ "$(score "$first")" -le "$(score "$second")" ] || return 1
	ends 0 whatif "$first" --behind "$second" && says "is behind second ($second) already" || return 1
	# One more may be a tie
	echo $((adj + 2)) >"/proc/$first/oom_score_adj"
	[ "$(score "$first")" -ge "$(score "$second")" ] && ends 0 whatif "$first" --behind "$second" &&
		says "with oom_score_adj $adj instead of $((adj + 2)) " && ! says "behind second ($second) already"
}

# ---- a file ----

# write_file PATTERN: the web tier leaks, and PATTERN dies of it
write_file()
{
	cat >"$work/file" <<-TEXT
		title   a leak in the web tier spares the database
		in      /oomlens_web                  # where "do" runs
		do      pressure outcome=kill memcg
		expect  victim "$1"
		expect  victim cgroup "/*web"
		expect  not victim "postgres"
		expect  exempt "sshd"
		expect  rank "postgres" > 1
		expect  outcome killed
		expect  freed within 30s
		expect  within 30s  test -d /proc/$postgres
		expect  available >= 1M within 5s
	TEXT
}

settings()
{
	cat /proc/sys/vm/panic_on_oom /proc/sys/vm/oom_kill_allocating_task /proc/sys/vm/overcommit_memory \
		"$root/oomlens_web/memory.max" "$root/oomlens_web/memory.oom.group" "/proc/$postgres/oom_score_adj"
	cat /proc/sys/kernel/sysrq 2>/dev/null
}

# Looking kills nothing, and knows what the next one will see
test_check()
{
	process web 500 nginx && nginx=$made || return 1
	write_file "ngin?"
	kills=$(event web oom_kill)
	ends 0 check "$work/file" && [ "$(grep -c '^ok .* # SKIP ' "$work/said")" = 2 ] &&
		[ "$(event web oom_kill)" = "$kills" ] && alive "$nginx" || return 1
	write_file "postgres"
	ends 1 check "$work/file" && says '^not ok 1 victim "postgres"' &&
		says "^# line 4: found: the next kill would take nginx ($nginx) of /oomlens_web"
}

test_rehearse()
{
	process web 500 nginx && nginx=$made || return 1
	write_file "ngin?"
	kills=$(event web oom_kill)
	settings >"$work/before"
	ends 0 rehearse --keep "$work/kept" "$work/file" || return 1
	settings | cmp -s - "$work/before" || return 1
	[ "$(event web oom_kill)" = $((kills + 1)) ] && [ "$(event db oom_kill)" = 0 ] &&
		until_true gone "$nginx" && killed_by_kernel "$nginx" && alive "$postgres" &&
		[ "$(grep -c '^ok ' "$work/said")" = 9 ] && cmp -s "$work/said" "$work/kept/verdict" &&
		ends 0 --from "$work/kept" why && says "killed.*nginx\|nginx ($nginx)"
}

# The same with a wrong expectation
test_wrong_expectation()
{
	process web 500 nginx && nginx=$made || return 1
	write_file "postgres"
	ends 1 rehearse "$work/file" && says '^not ok 1 victim "postgres"' &&
		says "^# line 4: found: the kernel killed nginx ($nginx) of /oomlens_web" &&
		[ "$(grep -c '^not ok ' "$work/said")" = 1 ] && until_true gone "$nginx" && alive "$postgres"
}

test_json()
{
	process web 500 nginx && nginx=$made || return 1
	write_file "postgres"
	ends 1 rehearse --json "$work/file" && says '"ok":false' && says "\"result\":\"failed\",\"found\":\"the kernel killed nginx ($nginx)"
}

# What a rehearsal could change, by the kernel's own files
touched()
{
	settings
	for g in oomlens_web oomlens_db; do
		cat "$root/$g/memory.events" "$root/$g/cgroup.procs"
	done
	grep '^oom_kill ' /proc/vmstat
	ls -d "$work/kept" "$work/ran" 2>/dev/null
}

# refused_before STATUS PATTERN [FILE]: with PATTERN, and before anything was touched
refused_before()
{
	touched >"$work/before"
	ends "$1" rehearse --keep "$work/kept" "${3:-$work/file}" && says "$2" || return 1
	touched | cmp -s - "$work/before" || {
		touched | diff "$work/before" - | sed 's/^/# touched: /'
		return 1
	}
}

# instead SED: the file, so edited
instead()
{
	sed "$1" "$work/file" >"$work/other"
}

# refusal_file: one with a leftover of its own, if it is ever begun
refusal_file()
{
	rm -rf "$work/kept" "$work/ran"
	process web 500 nginx && nginx=$made || return 1
	write_file "nginx"
	echo "expect within 1s touch $work/ran" >>"$work/file"
}

# Nothing is done where it would be unsafe or pointless
test_refusals()
{
	refusal_file || return 1
	for policy in 1 2; do
		echo "$policy" >/proc/sys/vm/panic_on_oom
		refused_before 1 'refused: vm.panic_on_oom is set, .*: echo 0 >/proc/sys/vm/panic_on_oom'
		status=$?
		echo 0 >/proc/sys/vm/panic_on_oom
		[ "$status" = 0 ] || return 1
	done
	instead 's,/oomlens_web ,/not/there ,'
	refused_before 5 "no cgroup '/not/there': .* mkdir '$root/not/there'" "$work/other" || return 1
	instead 's,/oomlens_web ,/oomlens_db ,'
	refused_before 1 'has no limit.*: echo ' "$work/other" || return 1
	instead 's,victim,victims,'
	refused_before 2 ":4: 'victims'" "$work/other" || return 1
	instead '/^in /d; s,^do .*,do kill pid=99999999,'
	refused_before 5 "no process 99999999" "$work/other" || return 1
	(
		# Its own processes come and go there
		echo 0 >"$root/oomlens_web/cgroup.procs"
		ends 1 rehearse "$work/file" && says "run this from another cgroup"
	) || return 1
	while read -r p; do
		echo -1000 >"/proc/$p/oom_score_adj"
	done <"$root/oomlens_web/cgroup.procs"
	refused_before 1 "no process in /oomlens_web may be killed" && alive "$nginx"
}

# load PARAMETER...: the module anew; false if it is in use
load()
{
	tries=100
	while [ -d /sys/module/oomlens ] && [ $((tries -= 1)) -gt 0 ]; do
		rmmod oomlens 2>/dev/null || sleep 0.05
	done
	insmod "$ko" "$@"
}

# The module as it was loaded before
load_again()
{
	# shellcheck disable=SC2086 # parameters are words
	load trigger=1 $parameters && plain=
}

test_refused_without_trigger()
{
	refusal_file || return 1
	parameters=
	for p in events candidates sources log history stall; do
		parameters="$parameters $p=$(cat /sys/module/oomlens/parameters/"$p")"
	done
	plain=1
	load && refused_before 4 'refused: the module was loaded without trigger=1: .*modprobe oomlens trigger=1'
	status=$?
	load_again && [ "$status" = 0 ] && alive "$nginx"
}

# ---- the examples, as they are; systemd's is done by oomlens_trigger_systemd.sh ----

# example_group NAME LIMIT
example_group()
{
	mkdir "$root/$1" || return 1
	groups="$groups $1"
	echo "$2" >"$root/$1/memory.max"
	echo 0 2>/dev/null >"$root/$1/memory.swap.max" || :
}

# Exempt, it starts a worker again whenever it has died
supervisor()
{
	echo 0 >"$root/app/cgroup.procs"
	printf supervisor >/proc/self/comm
	while :; do
		(
			printf worker >/proc/self/comm
			echo 0 >/proc/self/oom_score_adj
			read -r _ <"$work/fifo"
		) &
		echo $! >"$work/worker"
		wait $!
	done
}

new_worker()
{
	[ -s "$work/worker" ] && [ "$(cat "$work/worker")" != "$1" ] && named "$(cat "$work/worker")" worker
}

test_example_embedded()
{
	example_group app 16M || return 1
	supervisor &
	children="$children $!"
	until_true new_worker none || return 1
	worker=$(cat "$work/worker")
	ends 0 rehearse "$examples/embedded-supervisor" && killed_by_kernel "$worker" && until_true new_worker "$worker"
}

test_example_web()
{
	example_group web 16M && example_group database max || return 1
	in_group web 500 nginx && nginx=$made && in_group database 0 postgres || return 1
	ends 0 rehearse "$examples/web-and-database" && killed_by_kernel "$nginx" && alive "$made"
}

# Where the first to go is one that should not
test_example_fleet()
{
	process web 990 hog && ends 0 check "$examples/fleet-policy" &&
		process web 1000 sshd && ends 1 check "$examples/fleet-policy" &&
		says "^# line .*: found: the next kill would take sshd ($made) of /oomlens_web"
}

case " $delegates " in
*' memory '*) ;;
*) echo +memory >"$root/cgroup.subtree_control" ;;
esac
mkdir "$root/oomlens_web" "$root/oomlens_db" || exit 1
echo 12M >"$root/oomlens_web/memory.max"
[ ! -e "$root/oomlens_web/memory.swap.max" ] || echo 0 >"$root/oomlens_web/memory.swap.max"

echo "TAP version 13"
mkfifo "$work/fifo"
begin || exit 1
set -- in group writer_killed in_refusals behind check rehearse wrong_expectation json refusals \
	example_embedded example_web example_fleet refused_without_trigger
asked='in behind rehearse wrong_expectation'
[ -z "${OOMLENS_REHEARSE:-}" ] || asked=$*
echo "1..$#"
for t; do
	name=$(echo "$t" | tr _ ' ')
	case " $asked " in
	*" $t "*) ;;
	*)
		skip "$name" "not OOMLENS_REHEARSE=1"
		continue
		;;
	esac
	if [ "$t" = refused_without_trigger ] && [ ! -r "$ko" ]; then
		skip "$name" "no oomlens.ko to load again"
		continue
	fi
	: >"$work/said"
	"test_$t"
	result $? "$name"
done
exit $((bad != 0))
