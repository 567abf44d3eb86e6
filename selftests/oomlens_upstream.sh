#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The kernel's own selftests of memory cgroups, whose OOMs and limits the module sees:
# each of their results is the same with the module and without it. They may fail by
# themselves, and some do not always; one that has the same result once in three runs
# counts as the same. They are in upstream/, from linux-source.
# shellcheck disable=SC2317,SC2329 # functions are called by name

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"

[ -n "${OOMLENS_UPSTREAM:-}" ] || skip_all "not OOMLENS_UPSTREAM=1"
[ "$(id -u)" = 0 ] || skip_all "not root"
[ -x "$here/upstream/test_memcontrol" ] || skip_all "no upstream/ with the kernel's cgroup selftests"
grep -qsw memory /sys/fs/cgroup/cgroup.controllers || skip_all "no memory cgroups of version 2"
find_ko
[ -n "$ko" ] || skip_all "no oomlens.ko to load again"
work=$(mktemp -d)
# They write files where they run; those of an initramfs can never be reclaimed.
mkdir "$work/files"
mount -t tmpfs tmpfs "$work/files" && cd "$work/files" || exit 1
clean_up()
{
	# shellcheck disable=SC2086 # words
	[ -d /sys/module/oomlens ] || insmod "$ko" $parameters
	cd / && umount "$work/files"
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# outcomes PROGRAM FILE: "NAME ok", "NAME not" or "NAME skip" for each of its tests
outcomes()
{
	"$here/upstream/$1" 2>/dev/null |
		sed -n 's/^ok [0-9]* *# SKIP *\(.*\)/\1 skip/p; t
			s/^ok [0-9]* *\(.*\) # SKIP.*/\1 skip/p; t
			s/^ok [0-9]* *\(.*\)/\1 ok/p; t
			s/^not ok [0-9]* *\(.*\)/\1 not/p' | sort >>"$2"
}

# differing: the tests of which no result with the module was one without it
differing()
{
	awk 'NR == FNR { with[$0]; name[$1]; next } { tested[$1] } $0 in with { same[$1] }
		END { for (t in name) if (!(t in same)) print t; for (t in tested) if (!(t in name)) print t }' \
		"$work/with" "$work/without"
}

# alike PROGRAM: up to three runs each
alike()
{
	: >"$work/with"
	: >"$work/without"
	for run in 1 2 3; do
		outcomes "$1" "$work/with"
		rmmod oomlens || return 1
		outcomes "$1" "$work/without"
		# shellcheck disable=SC2086 # words
		insmod "$ko" $parameters || return 1
		[ -s "$work/without" ] || return 1
		differ=$(differing)
		[ -n "$differ" ] || break
	done
	echo "# $1: $(sort -u "$work/without" | grep -c ' ok$') ok, $(sort -u "$work/without" | grep -c ' not$') not ok, $(sort -u "$work/without" | grep -c ' skip$') skipped, after $run"
	[ -z "$differ" ] || echo "$differ" | while read -r t; do
		echo "# $t: with the module $(grep "^$t " "$work/with" | sort -u | tr '\n' ' '), without $(grep "^$t " "$work/without" | sort -u | tr '\n' ' ')"
	done
	[ -z "$differ" ]
}

echo "TAP version 13"
echo "1..3"
for program in test_memcontrol test_kmem test_kill; do
	alike $program
	result $? "$program: the same with the module and without"
done
exit $((bad != 0))
