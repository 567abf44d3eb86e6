# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # a part of oomlens, which has the variables
# Events from a log instead of the module: --log and --last-boot.

# The events of the log as the module's file has them; read once
LOGGED=
# The command's arguments, for a message
REST=

# read_log: from LOG (a file, or "-"), into LOGGED
read_log()
{
	[ -z "$LOGGED" ] || return 0
	reader=$(parts text.awk log.awk dump.awk json.awk) || exit
	[ -z "$LAST_BOOT" ] || {
		read_last_boot
		return
	}
	case $LOG in
	-) ;;
	*)
		[ -e "$LOG" ] || die 1 "$LOG: no such file"
		[ ! -d "$LOG" ] || die 1 "$LOG is a directory"
		(: <"$LOG") 2>/dev/null || die $E_NO_RIGHT "$LOG cannot be read"
		;;
	esac
	LOGGED=$(log_text | tr -d '\000' | awk "$reader" one_log=1) || die 1 "the log could not be read"
	case $LOGGED in
	'# oomlens events 1'*) ;;
	*cat)
		[ "$LOG" != - ] || die 1 "the log is compressed: $LOGGED | oomlens --log - $COMMAND$REST"
		die 1 "$LOG is compressed: $LOGGED$(for_shell "$LOG") | oomlens --log - $COMMAND$REST"
		;;
	*) die 1 "the log could not be read" ;;
	esac
}

# for_shell WORD...: as a shell takes them, a blank before each
for_shell()
{
	for word; do
		case $word in
		'' | *[!A-Za-z0-9/._,:=@%+-]*) word="'$(printf '%s' "$word" | sed "s/'/'\\\\''/g")'" ;;
		esac
		printf ' %s' "$word"
	done
}

log_text()
{
	case $LOG in
	-) cat ;;
	*) cat <"$LOG" ;;
	esac
}

# run_log "PART..." ARGUMENT...: as run, over the events of the log
run_log()
{
	printf '%s\n' "$LOGGED" | run "$@" logged=1 -
}

# of_log: whether a log is what is asked about; it is read then
of_log()
{
	[ -n "$LOG$LAST_BOOT" ] || return 1
	NOW=0 UPTIME=0
	read_log
}

report_of_log()
{
	if [ -n "$HTML" ]; then
		OOMLENS_HOST=${LOG:-last boot} OOMLENS_KERNEL=
		[ "$LOG" != - ] || OOMLENS_HOST="standard input"
		export OOMLENS_HOST OOMLENS_KERNEL
		page=$(run_log "own pace growth stalls trend chart sheet place unowned why fromlog report" up=0) || exit
	elif [ -n "$JSON" ]; then
		page=$(cmd_events --json && cmd_why --json) || exit
	else
		page=$(section "OOMs" events && section "The last one" why) || exit
	fi
	printf '%s\n' "$page" | write_to "$OUT"
}

# ---- the boot before this one ----

# What is kept of it: the journal's kernel lines and the service's events, which may lack
# the last seconds, then pstore's, which has those of a crash. /var/log tells no boots:
# the reader finds them, and takes the last for the present one. OOMLENS_ROOT stands
# before each path, for tests.
read_last_boot()
{
	ROOT=${OOMLENS_ROOT:-}
	LOGGED=$({
		last_journal
		last_pstore
	} 2>/dev/null | tr -d '\000' | awk "$reader") || die 1 "the log could not be read"
	! has_event || return 0
	LOGGED=$(last_files 2>/dev/null | tr -d '\000' | awk "$reader" last_but_one=1) || die 1 "the log could not be read"
	! has_event || return 0
	[ "$(id -u)" = 0 ] || die $E_NO_RIGHT "no OOM of the last boot can be seen: try sudo"
	at=$(newest_crash)
	if [ -z "$at" ] || of_last_boot "$at"; then
		at=
	else
		at="; $at seems to be of an earlier boot: oomlens --log reads a file in it"
	fi
	die 5 "no OOM of the last boot is in the journal, $ROOT/sys/fs/pstore, $ROOT/var/lib/systemd/pstore or $ROOT/var/log$at"
}

# Or a stall: a watchdog may have ended it.
has_event()
{
	case $LOGGED in
	*"
event "* | *"
stall "*) return 0 ;;
	esac
	return 1
}

last_journal()
{
	journalctl=$ROOT/usr/bin/journalctl
	[ -n "$ROOT" ] || journalctl=$(command -v journalctl) || return
	[ -x "$journalctl" ] || return
	"$journalctl" -b -1 -q -o json --no-pager _TRANSPORT=kernel + SYSLOG_IDENTIFIER=oomlens
}

# newest_crash: systemd moves what is in pstore to a directory for each crash.
newest_crash()
{
	# Named by systemd, so without a blank
	# shellcheck disable=SC2012
	ls -dt "$ROOT"/var/lib/systemd/pstore/*/ 2>/dev/null | head -n 1
}

# of_last_boot DIR: systemd made it as this boot began. A minute more, as clocks are set.
# Without a battery the clock was behind then: as it was for a socket that systemd had
# made just before.
of_last_boot()
{
	read -r up _ 2>/dev/null <"$ROOT/proc/uptime" || return 0
	[ -z "$(find "$1" -prune ! -mmin "-$((${up%.*} / 60 + 2))" 2>/dev/null)" ] ||
		[ -n "$(find "$1" -prune -newer "$ROOT/run/systemd/notify" 2>/dev/null)" ]
}

last_pstore()
{
	set -- "$ROOT"/sys/fs/pstore/dmesg-*
	if [ ! -e "$1" ]; then
		at=$(newest_crash)
		[ -n "$at" ] || return
		of_last_boot "$at" || return
		# There may be directories in it, for each crash that it found.
		set -- "$at"dmesg-* "$at"*/dmesg-*
		[ -e "$1" ] || [ -e "$2" ] || set -- "$at"dmesg.txt "$at"*/dmesg.txt
	fi
	for f; do
		[ ! -f "$f" ] || cat -- "$f"
		# A piece may end in the midst of a line
		echo
	done
}

last_files()
{
	for name in kern.log messages syslog; do
		[ -f "$ROOT/var/log/$name" ] || continue
		for f in "$ROOT/var/log/$name.1" "$ROOT/var/log/$name"; do
			[ ! -f "$f" ] || cat -- "$f"
		done
		return
	done
}
