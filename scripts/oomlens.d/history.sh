# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # a part of oomlens, which has the variables
# The commands over the module's record in time: history, forecast.

# need_history: or exit, with what would bring it
need_history()
{
	need_files overcommit
	if [ ! -e "$DIR/history" ]; then
		[ -z "$FROM" ] || die $E_NO_MODULE "$DIR/history is not there: it was saved from a module without history"
		if [ -e /sys/module/oomlens/parameters/history ]; then
			die $E_NO_MODULE "the module keeps no history: its parameter history is 0 (echo 10 >/sys/module/oomlens/parameters/history)"
		fi
		die $E_NO_MODULE "this module has no history: a newer one has"
	fi
	file history
}

# history: its path, or an empty file where the module has none
history()
{
	if [ -r "$DIR/history" ]; then
		echo "$DIR/history"
	else
		echo /dev/null
	fi
}

cmd_history()
{
	ROWS='' JSON=''
	while [ $# -gt 0 ]; do
		case $1 in
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		--json) JSON=1 ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	need_history
	look_at_terminal
	[ -z "$JSON" ] || ROWS=${ROWS:-0}
	run "own pace stalls trend history" rows="${ROWS:-10}" json="$JSON" utf8="$UTF8" wide="$WIDE" self="$SELF" \
		"$(meminfo)" "$DIR/overcommit" "$DIR/history"
}

cmd_forecast()
{
	JSON='' LIMIT=''
	while [ $# -gt 0 ]; do
		case $1 in
		--within) need_count --within "${2:-}"; LIMIT=$(($2 * 60)); shift ;;
		--json) JSON=1 ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	need_history
	file events
	file badness
	look_at_terminal
	run "own pace trend forecast" json="$JSON" limit="$LIMIT" wide="$WIDE" self="$SELF" \
		"$(meminfo)" "$DIR/overcommit" "$DIR/events" "$DIR/history" "$DIR/badness"
}
