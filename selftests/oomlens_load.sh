#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Load and unload under readers, many times; parameters out of range; and what a
# plain load may not do. The module is left as it was found.
# $OOMLENS_KO names the module, $OOMLENS_LOADS the number of loads (100).

here=$(dirname "$0")
loads=${OOMLENS_LOADS:-100}
plan=4
n=0
bad=0
readers=

say()
{
	# $1: 0 is good
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		bad=1
	fi
}

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 4
}

loaded()
{
	[ -d /sys/module/oomlens ]
}

# A reader may hold it for a moment: try until it is free, with a bound.
unload()
{
	tries=0
	while loaded; do
		rmmod oomlens 2>/dev/null && continue
		tries=$((tries + 1))
		[ $tries -lt 3000 ] || return 1
		sleep 0.01 2>/dev/null || usleep 10000
	done
}

# shellcheck disable=SC2317 # called by trap
restore()
{
	trap - EXIT INT TERM
	# shellcheck disable=SC2086 # a list of pids
	[ -z "$readers" ] || kill $readers 2>/dev/null
	wait
	if [ -n "$had" ]; then
		if ! loaded || [ "$(parameters)" != "$had" ]; then
			# shellcheck disable=SC2086 # parameters are words
			unload && insmod "$ko" $had
		fi
	else
		unload
	fi
}

parameters()
{
	for p in /sys/module/oomlens/parameters/*; do
		printf '%s=%s ' "${p##*/}" "$(cat "$p")"
	done
}

read_for_ever()
{
	while :; do
		for f in /proc/oomlens/* /sys/kernel/debug/oomlens/*; do
			cat "$f" >/dev/null 2>&1
		done
	done
}

echo "TAP version 13"
[ "$(id -u)" -eq 0 ] || skip_all "needs root"
for ko in "$OOMLENS_KO" "$here/oomlens.ko" ./oomlens.ko /rig/oomlens.ko "$here/../oomlens.ko"; do
	[ -z "$ko" ] || [ ! -f "$ko" ] || break
done
[ -f "$ko" ] || skip_all "no oomlens.ko: set OOMLENS_KO"
echo "1..$plan"

had=
! loaded || had=$(parameters)
trap restore EXIT
trap 'exit 130' INT TERM

unload
say $? "unload"

read_for_ever &
readers=$!
read_for_ever &
readers="$readers $!"
read_files=0
i=0
failed=0
while [ $i -lt "$loads" ]; do
	i=$((i + 1))
	insmod "$ko" trigger=1 || { failed=1; break; }
	# The files are there and whole at once, not a moment later.
	grep -q '^# oomlens badness 1' /proc/oomlens/badness &&
		grep -q '^# oomlens features 1' /proc/oomlens/features &&
		read_files=$((read_files + 1))
	unload || { failed=1; break; }
	if [ -e /proc/oomlens ] || [ -e /sys/kernel/debug/oomlens ]; then
		failed=1
		break
	fi
done
# shellcheck disable=SC2086 # a list of pids
kill $readers
wait
readers=
[ $failed -eq 0 ] && [ $read_files -eq "$loads" ]
say $? "$i of $loads loads and unloads, $read_files read at once"

failed=0
for p in events=0 events=4097 events=-1 candidates=65 nonsense=x trigger=maybe; do
	# An unknown parameter is only noted by the kernel; a bad value is refused.
	if insmod "$ko" $p 2>/dev/null; then
		[ $p = nonsense=x ] || { echo "# $p was taken"; failed=1; }
		unload
	elif [ $p = nonsense=x ]; then
		echo "# $p was refused"
		failed=1
	fi
	! loaded && [ ! -e /proc/oomlens ] || failed=1
done
say $failed "values out of range are refused, and nothing is left"

failed=0
insmod "$ko" || failed=1
if [ -d /sys/kernel/debug/oomlens ]; then
	for c in kill 'kill pid=1' pressure; do
		err=$( (echo "$c" >/sys/kernel/debug/oomlens/trigger) 2>&1) && failed=1
		case $err in
		*"not permitted"*) ;;
		*) echo "# '$c': $err"; failed=1 ;;
		esac
	done
	(echo 1M >/sys/kernel/debug/oomlens/reserve) 2>/dev/null && failed=1
fi
unload
insmod "$ko" debugfs=0 || failed=1
[ ! -e /sys/kernel/debug/oomlens ] && [ -e /proc/oomlens/badness ] || failed=1
unload
say $failed "loaded plainly it changes nothing; debugfs=0 makes no debugfs files"

exit $bad
