#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# README.md, typed: from the clone to an OOM with its cause in one command, to a green
# rehearsal of a file written for the purpose, and to an uninstall that leaves nothing.
# Each command is README's own; only URL stands for $OOMLENS_README, a repository that
# can be cloned. Judged by the kernel's log, the cgroup's memory.events, /proc and the
# list of files. The output has the transcript. It installs and removes the module and
# the command: for a guest that is thrown away.
# shellcheck disable=SC2016,SC2317,SC2329 # backquotes; functions are called by name

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
# What a user has; the rig's own command is not in it
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
group=/sys/fs/cgroup/web

[ "$(id -u)" = 0 ] || skip_all "not root"
[ -n "${OOMLENS_README:-}" ] || skip_all "OOMLENS_README names no repository"
readme=$OOMLENS_README/README.md
[ -f "$readme" ] || skip_all "no $readme"

work=$(mktemp -d)
idle=
clean_up()
{
	[ -z "$idle" ] || kill -9 "$idle"
	cd /
	rmmod oomlens
	tries=200
	until rmdir "$group" || [ ! -d "$group" ] || [ $((tries -= 1)) = 0 ]; do
		sleep 0.05
	done
	rm -rf "$work"
} 2>/dev/null
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
# The rig has loaded its own
rmmod oomlens 2>/dev/null
cd "$work" || exit 1

# What README shows in blocks, without prompts and remarks, and then between backquotes
{
	sed -n 's/^     *//p' "$readme" | sed 's/^# //; s/   *# .*//'
	grep -o '`[^`]*`' "$readme" | tr -d '`'
} >"$work/shown"

# line BEGINNING: the first that begins so
line()
{
	awk -v beginning="$1" 'index($0, beginning) == 1 { print; exit }' "$work/shown"
}

# types BEGINNING: that line, in this shell, which goes on with the directory and with
# $! that it leaves; what it wrote is in said
types()
{
	command=$(line "$1" | sed "s|\\bURL\\b|$OOMLENS_README|")
	if [ -z "$command" ]; then
		echo "# README has no line that begins with: $1"
		return 1
	fi
	echo "# \$ $command"
	began=$(date +%s)
	eval "$command" >"$work/said" 2>&1
	status=$?
	# Of a progress meter its last state
	sed 's/.*\r//; s/^/#   /' "$work/said"
	echo "#   (exit $status, $(($(date +%s) - began)) s)"
	return $status
}

loaded()
{
	grep -q '^oomlens ' /proc/modules
}

# All but what a running system writes by itself
list_files()
{
	find / -xdev -path /var -prune -o -path "$work" -prune -o ! -type d -print | sort
}

oom_kills()
{
	sed -n 's/^oom_kill //p' $group/memory.events
}

# killed_in_group NAME: into victim the last one that the log has so
killed_in_group()
{
	victim=$(dmesg | sed -n "s/.*oom_memcg=\\/web,.*,task=$1,pid=\\([0-9]*\\),.*/\\1/p" | tail -n 1)
	[ -n "$victim" ] && dmesg | grep -q "Killed process $victim ($1)"
}

named()
{
	[ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ]
}

clones()
{
	types 'git clone ' && [ -f Kbuild ] && [ "$PWD" = "$work/oomlens" ]
}

installs()
{
	# Emulated, one compiler takes a quarter of an hour
	MAKEFLAGS=-j$(nproc)
	export MAKEFLAGS
	# Its indexes are the system's own
	depmod
	list_files >"$work/before"
	types 'make && ' && modinfo -n oomlens && [ "$(command -v oomlens)" = /usr/local/bin/oomlens ]
}

loads()
{
	types 'sudo modprobe oomlens' && loaded && [ "$(cat /sys/module/oomlens/parameters/trigger)" = N ]
}

# The row behind the header is the process with the highest score
looks()
{
	types 'oomlens top ' &&
		first=$(sed -n 's/^ *1 *\([0-9]*\) .*/\1/p' "$work/said") && [ -n "$first" ] &&
		[ "$(cat "/proc/$first/oom_score")" = "$(sort -n /proc/[0-9]*/oom_score 2>/dev/null | tail -n 1)" ]
}

runs_out()
{
	types 'mkdir /sys/fs/cgroup/web' || return 1
	types "sh -c 'echo \$\$ >/sys/fs/cgroup/web/cgroup.procs; exec tail"
	[ $? = 137 ] && killed_in_group tail && [ "$(oom_kills)" = 1 ]
}

explains()
{
	types 'oomlens why' && cause=$(line 'The cgroup /web ') && [ -n "$cause" ] &&
		sed 's/^ *//' "$work/said" | grep -qxF "$cause" &&
		tr '\n' ' ' <"$work/said" | grep -q "the kernel killed tail ($victim)\."
}

loads_with_trigger()
{
	types 'sudo rmmod oomlens; sudo modprobe' && [ "$(cat /sys/module/oomlens/parameters/trigger)" = Y ]
}

# The file is written as README shows it, and what is said is what README shows
rehearses()
{
	types "sh -c 'echo \$\$ >/sys/fs/cgroup/web/cgroup.procs; exec sleep" && idle=$! &&
		until_true named "$idle" sleep || return 1
	policy=$(line 'cat ')
	policy=${policy#cat }
	[ -n "$policy" ] || return 1
	awk -v first="    # cat $policy" '
		$0 == first { shown = 1; next }
		/^    # / { shown = 0 }
		shown' "$readme" | sed 's/^    //' >"$policy"
	echo "# ($policy:)"
	sed 's/^/#   /' "$policy"
	types 'oomlens rehearse ' || return 1
	awk -v first="    # $command" '
		$0 == first { shown = 1; next }
		!/^    / { shown = 0 }
		shown' "$readme" | sed 's/^    //' >"$work/expected"
	diff "$work/expected" "$work/said" | sed 's/^/# README and what was said: /'
	cmp -s "$work/expected" "$work/said" && killed_in_group sleep && [ "$victim" = "$idle" ] &&
		[ "$(oom_kills)" = 2 ]
}

uninstalls()
{
	types 'rmmod oomlens' && ! loaded && types 'sudo make uninstall' || return 1
	# A shell remembers where a command was
	hash -r
	! command -v oomlens || return 1
	list_files >"$work/after"
	diff "$work/before" "$work/after" | sed 's/^/# left: /'
	cmp -s "$work/before" "$work/after"
}

echo "TAP version 13"
echo "1..9"
clones
result $? "git clone"
installs
result $? "make && sudo make install: the module and the command are found"
loads
result $? "modprobe: loaded, and nothing can be changed"
looks
result $? "oomlens top: the process with the highest score is first"
runs_out
result $? "an OOM in a cgroup: by the kernel's log"
explains
result $? "oomlens why: the cause, and the kernel's victim"
loads_with_trigger
result $? "loaded with trigger=1"
rehearses
result $? "oomlens rehearse: a file written for the purpose is green, with README's output"
uninstalls
result $? "make uninstall: no file is left"
exit $((bad != 0))
