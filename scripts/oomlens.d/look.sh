# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # a part of oomlens, which has the variables
# The commands that look: rank, whatif, top, overcommit, commit, events, why.

# The tool's own processes are in the table and left out here; one row more tells that
# there are more.
AND_OWN=65

cmd_rank()
{
	ROWS='' ALL='' JSON=''
	while [ $# -gt 0 ]; do
		case $1 in
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		-a) ALL=1 ;;
		--self) SELF='' ;;
		--json) JSON=1 ;;
		--memcg | --nodes) scope_option "$1" "${2:-}"; shift ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	need_files overcommit
	look_at_terminal
	[ -z "$JSON" ] || ROWS=${ROWS:-0}
	head_of "${ROWS:-20}" $AND_OWN
	open_scoped badness "$HEAD"
	run "own pace trend rows rank" mode=rank self="$SELF" rows="${ROWS:-20}" all="$ALL" json="$JSON" wide="$WIDE" colour="$COLOUR" \
		"$(meminfo)" "$DIR/overcommit" - <&3
}

cmd_whatif()
{
	ROWS='' JSON='' pid='' adj='' behind=''
	while [ $# -gt 0 ]; do
		case $1 in
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		--self) SELF='' ;;
		--json) JSON=1 ;;
		--behind) need_count --behind "${2:-}"; behind=$2; shift ;;
		--memcg | --nodes) scope_option "$1" "${2:-}"; shift ;;
		-[!0-9]*) bad_usage "unknown argument '$1'" ;;
		*)
			if [ -z "$pid" ]; then
				pid=$1
			elif [ -z "$adj" ]; then
				adj=$1
			else
				bad_usage "whatif takes a PID and an ADJ"
			fi
			;;
		esac
		shift
	done
	need_count PID "$pid"
	if [ -n "$behind" ]; then
		[ -z "$adj" ] || bad_usage "whatif takes an ADJ or --behind, not both"
		[ "$behind" != "$pid" ] || bad_usage "a process cannot be behind itself"
	else
		need_number ADJ "$adj"
		if [ "$adj" -lt -1000 ] || [ "$adj" -gt 1000 ]; then
			bad_usage "ADJ is -1000 to 1000"
		fi
	fi
	need_files overcommit
	look_at_terminal
	open_scoped badness
	[ -z "$JSON" ] || ROWS=${ROWS:-0}
	run "own pace trend rows rank" mode=whatif self="$SELF" json="$JSON" rows="${ROWS:-10}" pid="$pid" adj="$adj" behind="$behind" wide="$WIDE" colour="$COLOUR" \
		"$(meminfo)" "$DIR/overcommit" - <&3
}

top_restore()
{
	[ -z "$TTY_WAS" ] || stty "$TTY_WAS" </dev/tty 2>/dev/null
	printf '\033[?25h\n'
}

cmd_top()
{
	DELAY='' ROWS='' ONCE='' ALL=''
	while [ $# -gt 0 ]; do
		case $1 in
		-d) need_count -d "${2:-}"; DELAY=$2; shift ;;
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		-1) ONCE=1 ;;
		-a) ALL=1 ;;
		--self) SELF='' ;;
		--memcg | --nodes) scope_option "$1" "${2:-}"; shift ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	if [ "${DELAY:-1}" -lt 1 ] || [ "${DELAY:-1}" -gt 25 ]; then
		bad_usage "-d is 1 to 25 seconds"
	fi
	need_files events overcommit stats
	[ -z "$FROM" ] || ONCE=1
	look_at_terminal
	head_of "${ROWS:-20}" $AND_OWN
	open_scoped badness "$HEAD"
	if [ -n "$ONCE" ] || ! [ -t 1 ]; then
		run "own pace trend rows rank" mode=top self="$SELF" rows="${ROWS:-20}" all="$ALL" wide="$WIDE" colour="$COLOUR" \
			"$(meminfo)" "$DIR/overcommit" "$DIR/stats" "$DIR/events" "$(history)" - <&3
		return
	fi
	exec 3<&-
	# How awk asks with a scope; in the environment no quote needs care.
	OOMLENS_SCOPE=$SCOPE OOMLENS_BADNESS=$DIR/badness OOMLENS_HISTORY=$DIR/history
	export OOMLENS_SCOPE OOMLENS_BADNESS OOMLENS_HISTORY
	TTY_WAS=$(stty -g 2>/dev/null </dev/tty) || TTY_WAS=
	trap 'top_restore; exit 0' INT TERM HUP
	[ -z "$TTY_WAS" ] || stty -icanon -echo min 0 time $((${DELAY:-2} * 10)) </dev/tty
	printf '\033[?25l\033[H\033[2J'
	run "own pace trend rows rank top" mode=top self="$SELF" looping=1 delay="$DELAY" fixed="$ROWS" all="$ALL" high="$HIGH" \
		wide="$WIDE" colour="$COLOUR" tty="${TTY_WAS:+/dev/tty}" dir="$DIR" \
		history="$([ ! -r "$DIR/history" ] || echo 1)" \
		scoped="${SCOPE:+1}" "$(meminfo)"
	status=$?
	top_restore
	exit $status
}

# only_json [--json]: into JSON, of a command that takes nothing else
only_json()
{
	JSON=''
	[ $# -le 1 ] || bad_usage "unknown argument '$2'"
	case ${1:-} in
	'') ;;
	--json) JSON=1 ;;
	*) bad_usage "unknown argument '$1'" ;;
	esac
}

cmd_overcommit()
{
	only_json "$@"
	need_files overcommit
	run memory mode=overcommit json="$JSON" "$(meminfo)" "$DIR/overcommit"
}

cmd_memory()
{
	only_json "$@"
	need_files memory
	look_at_terminal
	run "sheet print_sheet" json="$JSON" wide="$WIDE" "$(meminfo)" "$DIR/memory"
}

# sheet_file: into SHEET the file memory, which recordings of older modules lack
sheet_file()
{
	SHEET=/dev/null
	[ ! -r "$DIR/memory" ] || SHEET=$DIR/memory
}

cmd_commit()
{
	ROWS='' JSON='' of_pid=''
	while [ $# -gt 0 ]; do
		case $1 in
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		--json) JSON=1 ;;
		--memcg) scope_once --memcg; SCOPE=memcg ;;
		--shared) scope_once --shared ;;
		[0-9]*) need_count PID "$1"; scope_once "$1"; of_pid=$1; SCOPE="pid $1" ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	need_files overcommit
	look_at_terminal
	[ -z "$JSON" ] || ROWS=${ROWS:-0}
	if [ "$SCOPED" = --shared ]; then
		show_objects shared
		return
	fi
	head_of "${ROWS:-20}" 1
	open_scoped commit "$HEAD"
	run memory mode=commit rows="${ROWS:-20}" json="$JSON" of_pid="$of_pid" wide="$WIDE" \
		"$(meminfo)" "$DIR/overcommit" - <&3
}

# mountinfo: of the reader, or as it was saved; nothing where there is none
mountinfo()
{
	if [ -z "$FROM" ]; then
		echo /proc/self/mountinfo
	elif [ -r "$FROM/mountinfo" ]; then
		echo "$FROM/mountinfo"
	else
		echo /dev/null
	fi
}

# show_objects MODE: with ROWS, JSON and SCOPE
show_objects()
{
	head_of "${ROWS:-20}" 1
	# Which are promised most is known only from all
	[ "$1" = objects ] || HEAD=0
	open_scoped objects "$HEAD"
	run objects mode="$1" rows="${ROWS:-20}" json="$JSON" of_pid="${SCOPE#pid }" wide="$WIDE" \
		"$(meminfo)" "$(mountinfo)" "$DIR/overcommit" - <&3
}

cmd_objects()
{
	ROWS='' JSON=''
	while [ $# -gt 0 ]; do
		case $1 in
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		--json) JSON=1 ;;
		[0-9]*) need_count PID "$1"; scope_once "$1"; SCOPE="pid $1" ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	need_files overcommit
	look_at_terminal
	[ -z "$JSON" ] || ROWS=${ROWS:-0}
	show_objects objects
}

# counter NAME: of the stats file, without a process
counter()
{
	COUNTER=
	[ -r "$DIR/stats" ] || die $E_NO_MODULE "the module is gone"
	# The shell's own complaint would be one of a line number.
	{
		while read -r k v; do
			[ "$k" != "$1" ] || COUNTER=$v
		done <"$DIR/stats"
	} 2>/dev/null || :
}

# Each event is shown once, however often the file is read; the file is not
# held open in between, so that the module can be unloaded.
follow()
{
	last=$1
	while :; do
		counter events
		# Fewer than before: the module has been loaded anew.
		[ "$COUNTER" -ge "$last" ] || last=0
		if [ "$COUNTER" -gt "$last" ]; then
			set_clock
			{ shown=$(run "stalls events" json="$JSON" after="$last" settle="$SETTLE" tell=1 wide="$WIDE" \
				"$(meminfo)" "$DIR/overcommit" "$DIR/events" 3>&1 >&4); } 4>&1
			status=$?
			# A signal means that the reader is gone. A failed read is tried again.
			[ $status -le 128 ] || exit $status
			last=${shown:-$last}
		fi
		sleep 1
	done
}

cmd_events()
{
	ROWS='' JSON='' FOLLOW='' NEW='' SETTLE='' only=''
	while [ $# -gt 0 ]; do
		case $1 in
		-n) need_count -n "${2:-}"; ROWS=$2; shift ;;
		--json) JSON=1 ;;
		--follow | -f) FOLLOW=1 ;;
		--settle) SETTLE=10 ;;
		--new) NEW=1 ;;
		[0-9]*)
			need_count EVENT "$1"
			[ -z "$only" ] || bad_usage "events takes one EVENT"
			only=$1
			;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	[ -n "$FOLLOW" ] || [ -z "$NEW$SETTLE" ] || bad_usage "--new and --settle go with --follow"
	[ -z "$only" ] || [ -z "$FOLLOW$ROWS" ] || bad_usage "an EVENT goes with neither --follow nor -n"
	[ -z "$NEW" ] || [ -z "$ROWS" ] || bad_usage "--new goes without -n"
	ROWS=${ROWS:-0}
	TITLE=1
	[ -z "$JSON" ] || TITLE=''
	if of_log; then
		[ -z "$FOLLOW" ] || die $E_USAGE "--follow needs the live module, not a log"
		look_at_terminal
		run_log "stalls events" json="$JSON" title="$TITLE" rows="$ROWS" only="$only" wide="$WIDE"
		return
	fi
	need_files overcommit events
	look_at_terminal
	if [ -z "$FOLLOW" ]; then
		run "stalls events" json="$JSON" title="$TITLE" rows="$ROWS" only="$only" wide="$WIDE" \
			"$(meminfo)" "$DIR/overcommit" "$(history)" "$DIR/events"
		return
	fi
	[ -z "$FROM" ] || die $E_USAGE "--follow needs the live module, not --from"
	counter events
	[ -z "$TITLE" ] || run "stalls events" headless=1 title=1 only='' after="$COUNTER" wide="$WIDE" /dev/null
	last=0
	[ -z "$NEW" ] || last=$COUNTER
	[ "$ROWS" = 0 ] || [ "$ROWS" -ge "$COUNTER" ] || last=$((COUNTER - ROWS))
	follow "$last"
}

cmd_why()
{
	only='' JSON=''
	while [ $# -gt 0 ]; do
		case $1 in
		--json) JSON=1 ;;
		-)
			[ -z "$FROM$LOG$LAST_BOOT" ] || bad_usage "why - reads standard input, and no other"
			LOG=-
			;;
		*)
			# "s" before a stall's number, as "events" shows it
			need_count EVENT "${1#s}"
			[ -z "$only" ] || bad_usage "why takes one EVENT"
			only=$1
			;;
		esac
		shift
	done
	look_at_terminal
	if of_log; then
		run_log "own pace growth stalls trend sheet place unowned why fromlog explain" only="$only" json="$JSON" allocating='' wide="$WIDE"
		return
	fi
	need_files overcommit features events
	allocating='' min_ttl=''
	[ -n "$FROM" ] || allocating=$(cat /proc/sys/vm/oom_kill_allocating_task 2>/dev/null)
	[ -n "$FROM" ] || min_ttl=$(cat /sys/kernel/mm/lru_gen/min_ttl_ms 2>/dev/null)
	CGROUPS=
	[ -n "$FROM" ] || find_cgroups
	sheet_file
	# Which process holds the promise is of interest only where it is enforced.
	promise=/dev/null
	if [ -z "$only" ] && grep -q '^mode 2$' "$DIR/overcommit" && [ -r "$DIR/commit" ]; then
		promise=$DIR/commit
	fi
	run "own pace growth stalls trend sheet place unowned why fromlog explain" self="$SELF" only="$only" json="$JSON" allocating="$allocating" min_ttl="$min_ttl" cgroups="$CGROUPS" wide="$WIDE" \
		"$(meminfo)" "$(mountinfo)" "$SHEET" - "$DIR/overcommit" "$promise" "$DIR/features" "$(history)" "$DIR/events" <<TEXT
$(unowned_now)
TEXT
}
