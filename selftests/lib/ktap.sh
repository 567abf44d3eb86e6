# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# Sourced by what prints KTAP in shell: a line for each result, and waiting with a bound.
# n and bad are the results so far and those that failed; diagnostics, if it is set, is
# the file with what the program under test wrote.
n=0
# shellcheck disable=SC2034 # for those that source it
bad=0

skip_all()
{
	echo "TAP version 13"
	echo "1..0 # SKIP $1"
	exit 4
}

# result STATUS NAME
result()
{
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
		return
	fi
	echo "not ok $n $2"
	bad=$((bad + 1))
	[ ! -s "${diagnostics:-}" ] || tail -n 100 "$diagnostics" | sed 's/^/# said: /'
}

# skip NAME WHY
skip()
{
	n=$((n + 1))
	echo "ok $n $1 # SKIP $2"
}

# find_ko: the module's file, to load it again, in ko; empty if there is none. What it was
# loaded with, in parameters
find_ko()
{
	ko=
	for d in ${OOMLENS_KO:+"${OOMLENS_KO%/*}"} "$here" "$here/.." "$here/../.." /rig; do
		[ ! -f "$d/oomlens.ko" ] || ko=$d/oomlens.ko
	done
	parameters=trigger=1
	for p in events candidates sources; do
		parameters="$parameters $p=$(cat /sys/module/oomlens/parameters/$p)"
	done
}

# until_true COMMAND...: within 30 s
until_true()
{
	tries=600
	until "$@"; do
		tries=$((tries - 1))
		if [ $tries = 0 ]; then
			echo "# not so: $*"
			return 1
		fi
		sleep 0.05
	done
}
