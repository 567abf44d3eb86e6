#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Loads the module's KUnit tests, where they were built (a kernel with KUnit and
# OOMLENS_KUNIT=1), and takes their results out of the kernel's log.

here=$(dirname "$0")
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
dir=
for d in "$OOMLENS_KUNIT_DIR" "$here" "$here/.." "$here/../.." "$here/../module/tests" /rig; do
	[ -z "$d" ] || [ ! -f "$d/oomlens_ring_kunit.ko" ] || dir=$d
done

if [ "$(id -u)" -ne 0 ] || [ -z "$dir" ]; then
	skip_all "no oomlens_*_kunit.ko: needs CONFIG_KUNIT, OOMLENS_KUNIT=1 and root"
fi
echo "TAP version 13"

# Each suite says how many cases it has, and only when it runs: all run first.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
suites="pure ring history later"
plan=0
for suite in $suites; do
	mark="oomlens-kunit: $suite $$"
	echo "$mark" >/dev/kmsg
	: >"$work/$suite.ended"
	insmod "$dir/oomlens_${suite}_kunit.ko" || echo "it does not load" >>"$work/$suite.ended"
	# Cases stand behind four blanks; the suite's own line, the last, does not.
	dmesg | sed -e "1,/$mark/d" -e 's/^<[0-9]*>//' -e 's/^\[[^]]*\] //' >"$work/$suite"
	rmmod "oomlens_${suite}_kunit" || echo "it does not unload" >>"$work/$suite.ended"
	cases=$(sed -n 's/^    1\.\.\([0-9]*\)$/\1/p' "$work/$suite" | head -n 1)
	echo "${cases:-0}" >"$work/$suite.cases"
	plan=$((plan + ${cases:-0} + 1))
done
echo "1..$plan"
for suite in $suites; do
	seen=0
	for r in $(sed -n 's/^    \(not ok\|ok\) [0-9]* \(- \)\{0,1\}\([a-z_0-9]*\).*/\1:\3/p' "$work/$suite" | tr ' ' _); do
		seen=$((seen + 1))
		[ "${r%%:*}" = ok ]
		result $? "$suite: ${r#*:}"
	done
	[ "$seen" -gt 0 ] && [ "$seen" = "$(cat "$work/$suite.cases")" ] && [ ! -s "$work/$suite.ended" ] &&
		grep -q "^ok [0-9]* \(- \)\{0,1\}oomlens_$suite" "$work/$suite"
	ended=$?
	[ $ended = 0 ] || sed 's/^/# /' "$work/$suite.ended" "$work/$suite"
	result $ended "suite $suite: all of its cases, loaded and unloaded"
done
exit $((bad != 0))
