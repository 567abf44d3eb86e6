# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # a part of oomlens, which has the variables
# The commands that write for other programs or machines (report, metrics, save,
# status), and those that act (trigger, reserve).

# write_to FILE: standard input. A regular file is replaced in whole or not at
# all, a link to one stays a link; a device or a pipe is written to.
write_to()
{
	if [ -z "$1" ]; then
		cat || die 1 "cannot write"
		return
	fi
	[ ! -d "$1" ] || die 1 "$1 is a directory"
	to=$1
	[ ! -L "$1" ] || to=$(readlink -f "$1" 2>/dev/null) || to=
	if [ -z "$to" ] || { [ -e "$to" ] && [ ! -f "$to" ]; }; then
		cat 2>/dev/null >"$1" || die 1 "cannot write $1"
	elif ! (
		# noclobber: a link in the place of the new file is not followed
		rm -f "$to.$$" && set -C && cat >"$to.$$" && mv "$to.$$" "$to"
	) 2>/dev/null; then
		rm -f "$to.$$"
		die 1 "cannot write $1"
	fi
}

cmd_report()
{
	OUT='' HTML=''
	while [ $# -gt 0 ]; do
		case $1 in
		--html) HTML=1 ;;
		-o) OUT=${2:-}; [ -n "$OUT" ] || bad_usage "-o needs a file"; shift ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	find_dir
	set_clock
	for f in badness overcommit commit events features stats; do
		file $f
	done
	# Made whole before anything is written: half a page is no report.
	if [ -n "$HTML" ]; then
		host=$(hostname 2>/dev/null || uname -n)
		kernel=$(uname -r)
		[ ! -r "$FROM/host" ] || read -r host kernel _ <"$FROM/host"
		# The kernel's name where none was set
		[ "$host" != "(none)" ] || host=localhost
		up=$UPTIME
		[ -n "$FROM" ] || read -r up _ </proc/uptime
		page=$(run "why report" up="$up" host="$host" kernel="$kernel" "$(meminfo)" "$DIR/overcommit" \
			"$DIR/features" "$DIR/stats" "$DIR/events" "$DIR/badness" "$DIR/commit") || exit
	else
		page=$(text_report) || exit
	fi
	printf '%s\n' "$page" | write_to "$OUT"
}

# section TITLE COMMAND ARGUMENT...
section()
{
	printf '== %s\n' "$1"
	command=cmd_$2
	shift 2
	("$command" "$@") || exit
	echo
}

text_report()
{
	section "What the module sees" status
	section "Overcommit" overcommit
	section "The next victims" rank -n 15
	section "What holds the promise" commit -n 15
	section "OOMs" events
	section "The last one" why
}

cmd_metrics()
{
	OUT='' STATE=''
	while [ $# -gt 0 ]; do
		case $1 in
		-o) OUT=${2:-}; [ -n "$OUT" ] || bad_usage "-o needs a file"; shift ;;
		--state) STATE=${2:-}; [ -n "$STATE" ] || bad_usage "--state needs a file"; shift ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	find_dir
	set_clock
	for f in badness overcommit commit events features stats; do
		file $f
	done
	if [ -n "$STATE" ] && { [ -d "$STATE" ] || ! (: >"$STATE.$$"); } 2>/dev/null; then
		die 1 "cannot write $STATE"
	fi
	boot=
	[ -n "$FROM" ] || read -r boot </proc/sys/kernel/random/boot_id
	# The state is replaced only after the figures are out.
	state=/dev/null
	[ -z "$STATE" ] || [ ! -r "$STATE" ] || state=$STATE
	page=$(run metrics boot="$boot" state="${STATE:+$STATE.$$}" "$(meminfo)" "$DIR/overcommit" \
		"$DIR/features" "$DIR/stats" "$state" "$DIR/events" "$DIR/badness" "$DIR/commit") || {
		status=$?
		[ -z "$STATE" ] || rm -f "$STATE.$$"
		exit "$status"
	}
	printf '%s\n' "$page" | write_to "$OUT" || {
		rm -f "$STATE.$$"
		exit 1
	}
	[ -n "$STATE" ] || return 0
	if [ "$(tail -n 1 "$STATE.$$" 2>/dev/null)" != "end 1" ] || ! mv "$STATE.$$" "$STATE"; then
		rm -f "$STATE.$$"
		die 1 "cannot write $STATE"
	fi
}

cmd_save()
{
	[ $# = 1 ] || bad_usage "save takes one directory"
	[ -z "$FROM" ] || bad_usage "save reads the live module"
	find_dir
	set_clock
	mkdir -p "$1" || exit 1
	for f in badness overcommit commit events features stats; do
		file $f
		cat "$DIR/$f" >"$1/$f" || die 1 "cannot write $1/$f"
	done
	for f in meminfo zoneinfo; do
		cat /proc/$f >"$1/$f" || die 1 "cannot write $1/$f"
	done
	echo "$NOW $UPTIME" >"$1/clock" || die 1 "cannot write $1/clock"
	echo "$(uname -n) $(uname -r) $(uname -m)" >"$1/host" || die 1 "cannot write $1/host"
}

cmd_status()
{
	[ $# = 0 ] || bad_usage "unknown argument '$1'"
	find_dir
	set_clock
	file features
	file stats
	text=$(awk '
	FNR == 1 { next }
	FILENAME ~ /features$/ {
		if ($2 == "yes")
			printf "%-12s yes\n", $1
		else
			printf "%-12s no: %s\n", $1, ($3 == "" ? "not there" : $3 ($3 ~ /^CONFIG/ ? " is not set in this kernel" : ""))
		next
	}
	$1 != "now_us" { printf "%-12s %s\n", $1, $2 }' "$DIR/features" "$DIR/stats") || exit 1
	printf '%s\n' "$text" || exit 1
}

# ---- control: only debugfs has these ----

CONTROL=/sys/kernel/debug/oomlens

control_file()
{
	[ -z "$FROM" ] || die $E_USAGE "$1 needs the live module, not --from"
	find_dir
	[ -e "$CONTROL/$1" ] || {
		[ "$(id -u)" = 0 ] || die $E_NO_RIGHT "$CONTROL is for root: try sudo"
		die $E_NO_MODULE "$CONTROL/$1 is not there: is debugfs mounted (mount -t debugfs none /sys/kernel/debug), and built in?"
	}
	(: <"$CONTROL/$1") 2>/dev/null || no_right "$CONTROL/$1"
}

# control_write FILE LINE
control_write()
{
	answer=$(printf '%s\n' "$2" | dd of="$CONTROL/$1" bs=4096 2>&1) && return
	answer=$(reason "$answer")
	case $answer in
	'Operation not permitted')
		if [ "$(cat /sys/module/oomlens/parameters/trigger 2>/dev/null)" = N ]; then
			die $E_NO_RIGHT "refused: the module was loaded without trigger=1"
		fi
		die 1 "refused: $answer; the kernel log says why (dmesg | tail)"
		;;
	'No such process') die 5 "$1: $answer" ;;
	esac
	die 1 "$1: ${answer:-failed}"
}

cmd_trigger()
{
	control_file trigger
	if [ $# = 0 ]; then
		cat "$CONTROL/trigger"
		return
	fi
	set_clock
	counter events
	last=$COUNTER
	control_write trigger "$*"
	counter events
	[ "$COUNTER" -gt "$last" ] || {
		echo "done; there was no OOM"
		return
	}
	look_at_terminal
	run events title=1 after="$last" wide="$WIDE" "$(meminfo)" "$DIR/overcommit" "$DIR/events"
}

cmd_reserve()
{
	[ $# -le 1 ] || bad_usage "reserve takes one SIZE"
	control_file reserve
	[ $# = 0 ] || control_write reserve "$1"
	cat "$CONTROL/reserve"
}
