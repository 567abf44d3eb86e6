#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# oomlens_why_check.sh CASE FILE [EXPECT]: does this text of "oomlens why" say what
# oomlens_why.expect asks for, and nothing that it excludes?

expect=${3:-$(dirname "$0")/oomlens_why.expect}
# Lines are wrapped: compare words.
text=$(tr '\n' ' ' <"$2" | tr -s ' ')
checked=0
bad=0
while read -r case what words; do
	[ "$case" = "$1" ] || continue
	checked=$((checked + 1))
	case $text in
	*"$words"*) found=yes ;;
	*) found=no ;;
	esac
	[ "$found" = "$what" ] || {
		echo "# $1: should ($what) say: $words"
		bad=1
	}
done <"$expect"
[ $checked -gt 0 ] || {
	echo "# $1: nothing is expected of it"
	bad=1
}
[ $bad = 0 ] || sed 's/^/# /' "$2"
exit $bad
