# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # sourced: "stage" and "proc" are the program's
# What oomlens_why.sh and oomlens_why_unowned.sh share: stages that stay, settings that are put
# back, tasks that no OOM may take, and the event that was meant.

nl='
'

# ---- settings ----

saved=
sysctl_set()
{
	saved="$1 $(cat "$1")$nl$saved"
	echo "$2" >"$1"
}

sysctls_back()
{
	printf '%s' "$saved" | while read -r path value; do
		[ ! -e "$path" ] || echo "$value" >"$path"
	done
	saved=
}

# Nor the other processes that run the tests: all of this session. (Not where an exempt process
# is staged: there the line shall be longer than what an event has room for.)
shelter()
{
	session=$(session_of self)
	for p in /proc/[0-9]*; do
		[ "$(session_of "${p#/proc/}")" != "$session" ] ||
			sysctl_set "$p/oom_score_adj" -1000
	done 2>/dev/null
}

# Of a kernel thread, nothing
session_of()
{
	stat=$(cat "/proc/$1/stat")
	# shellcheck disable=SC2086 # columns: state, parent, group, session
	set -- ${stat##*) }
	[ "$2" = 2 ] || echo "$4"
}

# ---- stages ----

children=

# Where the victim takes long to go: tasks that a second kill takes instead of
# this script. Some are taken before the victim, and the small ones after it.
decoys()
{
	for n_decoy in 1 2 3 4; do
		sleeper -a 1000 anon "$n_decoy"
	done
	for n_decoy in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
		(
			echo 1000 >/proc/self/oom_score_adj
			exec sleep 600
		) &
		children="$children $!"
	done
}

# children_end: of the stages that stay
children_end()
{
	for p in $children; do
		kill -9 "$p" 2>/dev/null
	done
	wait 2>/dev/null
	children=
}

# sleeper ARGUMENTS: a stage that has taken its memory and stays
sleeper()
{
	out=$(mktemp)
	"$stage" "$@" >"$out" &
	children="$children $!"
	tries=0
	while ! grep -q taken "$out" && [ "$tries" -lt 300 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	rm -f "$out"
}

ram_mib()
{
	awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo
}

available_mib()
{
	awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo
}

swap_mib()
{
	awk '/^SwapTotal/ { print int($2 / 1024) }' /proc/meminfo
}

# ---- events ----

# The number of the first event that has all the wanted words
event_meant()
{
	awk -v want="$WANT" -v after="$1" '
	/^event / && $2 > after {
		n = split(want, word, " ")
		for (i = 1; i <= n; i++)
			if (index($0 " ", " " word[i] " ") == 0)
				next
		print $2
		exit
	}' "$proc"/events
}

# Whether event $number has the times of its victims, and its objects
told()
{
	awk -v n="$number" '$2 == n && (/ freed_us=-/ || / details=pending/) { late = 1 }
		END { exit late }' "$proc"/events
}

newest()
{
	awk '$1 == "events" { print $2 }' "$proc"/stats
}
