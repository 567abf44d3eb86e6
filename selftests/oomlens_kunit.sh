#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loads the module's KUnit tests, where they were built (a kernel with KUnit and
# OOMLENS_KUNIT=1), and takes their results out of the kernel's log.

here=$(dirname "$0")
dir=
for d in "$OOMLENS_KUNIT_DIR" "$here" "$here/.." "$here/../.." "$here/../module/tests" /rig; do
	[ -z "$d" ] || [ ! -f "$d/oomlens_ring_kunit.ko" ] || dir=$d
done

echo "TAP version 13"
if [ "$(id -u)" -ne 0 ] || [ -z "$dir" ]; then
	echo "1..0 # SKIP no oomlens_*_kunit.ko: needs CONFIG_KUNIT, OOMLENS_KUNIT=1 and root"
	exit 4
fi

n=0
bad=0
say()
{
	n=$((n + 1))
	echo "$1 $n $2"
	[ "$1" = ok ] || bad=1
}

for suite in pure ring history later; do
	mark="oomlens-kunit: $suite $$"
	echo "$mark" >/dev/kmsg
	insmod "$dir/oomlens_${suite}_kunit.ko" || say "not ok" "load $suite"
	# Cases stand behind four blanks; the suite's own line, the last, does not.
	log=$(dmesg | sed -e "1,/$mark/d" -e 's/^<[0-9]*>//' -e 's/^\[[^]]*\] //')
	results=$(echo "$log" | sed -n 's/^    \(not ok\|ok\) [0-9]* \(- \)\{0,1\}\([a-z_]*\).*/\1:\3/p')
	for r in $(echo "$results" | tr ' ' _); do
		say "$(echo "${r%%:*}" | tr _ ' ')" "$suite: ${r#*:}"
	done
	if [ -z "$results" ] ||
			! echo "$log" | grep -q "^ok [0-9]* \(- \)\{0,1\}oomlens_$suite"; then
		echo "$log" | sed 's/^/# /'
		say "not ok" "suite $suite"
	fi
	rmmod "oomlens_${suite}_kunit" || say "not ok" "unload $suite"
done
echo "1..$n"
exit $bad
