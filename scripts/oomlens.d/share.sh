# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154 # a part of oomlens, which has the variables
# The commands that write for other programs or machines (report, metrics, save,
# status), and those that act (trigger, reserve).

# ---- writing files ----

# What is written comes from files that only root may read, and the place may be one
# that other users can write to, as /tmp. So a file is made anew in a directory of its
# own beside the old one, and renamed; no link is followed.

# look PATH: its type and rights into MODE, its owner into OWNER; of a link, the link's
look()
{
	MODE='' OWNER=''
	read -r MODE _ OWNER _ <<TEXT
$(ls -ldn "$1" 2>/dev/null)
TEXT
}

# ours: OWNER is this user, or root
ours()
{
	[ "$OWNER" = 0 ] || [ "$OWNER" = "$(id -u)" ]
}

# path_of NAME: into AT, so that no tool takes it for an option or an assignment
path_of()
{
	case $1 in
	/*) AT=$1 ;;
	*) AT=./$1 ;;
	esac
}

# go_beside FILE: into its directory. BASE is its name there.
go_beside()
{
	path_of "$1"
	BASE=${AT##*/}
	AT=${AT%/*}
	case $BASE in
	'' | . | ..) die 1 "$1 is a directory" ;;
	esac
	look "${AT:-/}"
	case $MODE in
	l*) ours || die 1 "$AT is another user's link: name the directory itself" ;;
	esac
	cd -P "${AT:-/}" 2>/dev/null || die 1 "cannot write $1"
	look .
	ours || die 1 "$AT belongs to another user: name a file in a directory of your own"
	case $MODE in
	????????w[!tT]*) die 1 "other users may replace what is in $AT: name a file in a directory of your own" ;;
	esac
	look "./$BASE"
	case $MODE in
	'') ;;
	l*) die 1 "$1 is a link: name the file that it points to, or remove the link" ;;
	d*) die 1 "$1 is a directory" ;;
	-*) ;;
	*) ours || die 1 "$1 belongs to another user: remove it, or name another file" ;;
	esac
}

# make_place: a directory that only this user can enter, in the present one, for
# files that are being written; into PLACE
make_place()
{
	PLACE=.oomlens.$$
	trap 'rm -rf "./$PLACE"' EXIT
	trap 'exit 130' HUP INT TERM
	mkdir -m 700 "./$PLACE" 2>/dev/null || {
		trap - EXIT
		return 1
	}
}

# put NAME: from PLACE into the present directory. Without -T mv enters a directory
# that has the name; an old busybox has no -T.
put()
{
	mv -fT "./$PLACE/$1" "./$1" 2>/dev/null || { [ ! -d "./$1" ] && mv -f "./$PLACE/$1" "./$1" 2>/dev/null; }
}

# write_to FILE [RIGHTS]: standard input. A regular file is replaced in whole or not at
# all, and is for its owner alone, unless there are RIGHTS for chmod, less the umask. A
# device or a pipe is written to.
write_to()
{
	case $1 in
	'')
		cat || die 1 "cannot write"
		return
		;;
	/dev/stdout | /dev/stderr | /dev/fd/*)
		cat 2>/dev/null >"$1" || die 1 "cannot write $1"
		return
		;;
	esac
	(
		go_beside "$1"
		case $MODE in
		'' | -*)
			make_place &&
				(umask 077 && cat 2>/dev/null >"./$PLACE/$BASE") &&
				{ [ -z "${2:-}" ] || chmod "$2" "./$PLACE/$BASE"; } &&
				put "$BASE"
			;;
		*) cat 2>/dev/null >"./$BASE" ;;
		esac || die 1 "cannot write $1"
	)
}

cmd_report()
{
	OUT='' HTML='' JSON=''
	while [ $# -gt 0 ]; do
		case $1 in
		--html) HTML=1 ;;
		--json) JSON=1 ;;
		--self) SELF='' ;;
		-o) OUT=${2:-}; [ -n "$OUT" ] || bad_usage "-o needs a file"; shift ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	[ -z "$HTML" ] || [ -z "$JSON" ] || bad_usage "--html or --json, not both"
	if of_log; then
		report_of_log
		return
	fi
	need_files badness overcommit commit events features stats
	# Made whole before anything is written: half a page is no report.
	if [ -n "$HTML" ]; then
		host='' kernel=''
		if [ -z "$FROM" ]; then
			host=$(hostname 2>/dev/null || uname -n)
			kernel=$(uname -r)
		elif [ -r "$FROM/host" ]; then
			read -r host kernel _ <"$FROM/host"
		fi
		# What a machine is called that was given no name
		case $host in
		'(none)' | localhost | localhost.localdomain) host= ;;
		esac
		up=$UPTIME
		[ -n "$FROM" ] || read -r up _ </proc/uptime
		# Not as operands, where awk would take a backslash for an escape
		OOMLENS_HOST=$host OOMLENS_KERNEL=$kernel
		export OOMLENS_HOST OOMLENS_KERNEL
		CGROUPS=
		[ -n "$FROM" ] || find_cgroups
		sheet_file
		page=$(run "own pace growth stalls trend chart sheet place unowned why fromlog report" self="$SELF" up="$up" cgroups="$CGROUPS" "$(meminfo)" "$(mountinfo)" "$DIR/overcommit" "$SHEET" \
			"$DIR/features" "$DIR/stats" "$(history)" "$DIR/events" "$DIR/badness" "$DIR/commit") || exit
	elif [ -n "$JSON" ]; then
		page=$(json_report) || exit
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
	[ ! -r "$DIR/memory" ] || section "What memory is used for" memory
	section "OOMs" events
	section "The last one" why
}

# member COMMAND: what it says as JSON, as a list of that name
member()
{
	printf '"%s":[\n' "$1"
	lines=$("cmd_$1" --json) || exit
	[ -z "$lines" ] || printf '%s\n' "$lines" | sed '$!s/$/,/'
	printf ']'
}

json_report()
{
	printf '{'
	for part in status overcommit rank commit events; do
		[ $part = status ] || printf ',\n'
		# The parts' options and variables are their own.
		(member $part) || exit
	done
	printf '}\n'
}

# module_down: so that a file of the last run does not pass for the present. A service
# asks every few seconds: it is told by the status alone.
module_down()
{
	printf '%s\n' "# HELP oomlens_up 1 where the module is loaded and could be read." \
		"# TYPE oomlens_up gauge" "oomlens_up 0" | write_to "$OUT" =rw || exit 1
	[ ! -t 2 ] || complain "the module is not loaded: modprobe oomlens"
	exit $E_NO_MODULE
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
	if of_log; then
		[ -z "$STATE" ] || die $E_USAGE "--state goes with the live module, not with a log"
		page=$(run_log "own pace trend sheet metrics" state='' boot='') || exit
		printf '%s\n' "$page" | write_to "$OUT" =rw || exit 1
		return
	fi
	DOWN=$OUT
	need_files badness overcommit commit events features stats
	boot=
	[ -n "$FROM" ] || read -r boot </proc/sys/kernel/random/boot_id
	AT=/dev/null
	if [ -n "$STATE" ]; then
		(
			go_beside "$STATE"
			case $MODE in
			'') ;;
			-*) ours || die 1 "$STATE belongs to another user: remove it, or name another file" ;;
			*) die 1 "$STATE is no regular file" ;;
			esac
			make_place || die 1 "cannot write $STATE"
		) || exit
		[ ! -r "$STATE" ] || path_of "$STATE"
	fi
	sheet_file
	page=$(run "own pace trend sheet metrics" self="$SELF" boot="$boot" state="${STATE:+1}" "$(meminfo)" "$DIR/overcommit" "$SHEET" \
		"$DIR/features" "$DIR/stats" "$AT" "$(history)" "$DIR/events" "$DIR/badness" "$DIR/commit") || exit
	# The new state follows the figures, and is kept only after they are out.
	figures=${page%%"# oomlens state 1"*}
	kept=${page#"$figures"}
	[ -z "$kept" ] || figures=$(printf '%s' "$figures")
	printf '%s\n' "$figures" | write_to "$OUT" =rw || exit 1
	[ -n "$STATE" ] || return 0
	case $kept in
	*"end 1") printf '%s\n' "$kept" | write_to "$STATE" || exit 1 ;;
	*) die 1 "cannot write $STATE" ;;
	esac
}

cmd_save()
{
	[ $# = 1 ] || bad_usage "save takes one directory"
	[ -z "$FROM" ] || bad_usage "save reads the live module"
	need_files badness overcommit commit objects events features stats
	path_of "$1"
	while [ "${AT%/}" != "$AT" ]; do
		AT=${AT%/}
	done
	(
		umask 077
		go_into "$1"
		make_place || die 1 "cannot write $1"
		for f in badness overcommit commit objects events features stats; do
			save_file $f cat "$DIR/$f"
		done
		[ ! -e "$DIR/history" ] || save_file history cat "$DIR/history"
		[ ! -r "$DIR/memory" ] || save_file memory cat "$DIR/memory"
		for f in meminfo zoneinfo; do
			save_file $f cat /proc/$f
		done
		save_file mountinfo cat /proc/self/mountinfo
		save_file unowned unowned
		save_file clock echo "$NOW $UPTIME"
		save_file host echo "$(uname -n) $(uname -r) $(uname -m)"
		for f in "./$PLACE"/*; do
			put "${f##*/}" || die 1 "cannot write $1/${f##*/}"
		done
	) || exit
}

# go_into NAME: into the directory AT, which is made if it is missing. It has to be of
# this user alone: others could put links there, or other figures.
go_into()
{
	[ ! -L "$AT" ] || die 1 "$1 is a link: name the directory that it points to, or a new one"
	mkdir -p "${AT:-/}" 2>/dev/null || die 1 "cannot make $1"
	cd -P "${AT:-/}" 2>/dev/null || die 1 "cannot enter $1"
	case $AT in
	/*) ;;
	*) AT=$OLDPWD/$AT ;;
	esac
	# A link may have taken its place in between.
	[ "$(inode "$AT")" = "$(inode .)" ] || die 1 "$1 is a link: name the directory that it points to, or a new one"
	look .
	[ "$OWNER" = "$(id -u)" ] || die 1 "$1 belongs to another user: name a directory that does not exist yet"
	case $MODE in
	?????w* | ????????w*) die 1 "other users may write to $1: name a directory that does not exist yet" ;;
	esac
}

inode()
{
	read -r number _ <<TEXT
$(ls -di "${1:-/}" 2>/dev/null)
TEXT
	echo "$number"
}

# save_file NAME COMMAND...: what the command says, into PLACE
save_file()
{
	name=$1
	shift
	"$@" >"./$PLACE/$name" || die 1 "cannot save $name"
}

cmd_status()
{
	JSON=''
	while [ $# -gt 0 ]; do
		case $1 in
		--json) JSON=1 ;;
		*) bad_usage "unknown argument '$1'" ;;
		esac
		shift
	done
	need_files features stats
	module=
	[ -n "$FROM" ] || module=$(cat /sys/module/oomlens/version 2>/dev/null)
	run status json="$JSON" version="$VERSION" module="$module" "$DIR/features" "$DIR/stats"
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

# control_write FILE LINE: with INSIDE, by a child in that cgroup
control_write()
{
	WRITER=0
	# A shell says that its child was killed
	{ answer=$(
		[ -z "$INSIDE" ] || enter || exit
		printf '%s\n' "$2" | dd of="$CONTROL/$1" bs=4096 2>&1
	); } 2>/dev/null && return
	WRITER=$?
	# By a signal: what became of the run is in the file.
	[ $WRITER -le 128 ] || {
		run_is_over
		return
	}
	answer=$(reason "$answer")
	case $answer in
	'Permission denied') [ -z "$INSIDE" ] || die $E_NO_RIGHT "--in needs CAP_SYS_RESOURCE, for a writer with oom_score_adj -1000: try sudo" ;;
	'Cannot enter') die 1 "no process may go into $INSIDE: cgroup v2 allows none where cgroup.subtree_control is not empty: name a cgroup below it" ;;
	'Operation not permitted') refused "$2" ;;
	'No such process') die 5 "$1: $answer" ;;
	'Invalid argument')
		case " $2 " in
		*' memcg '*)
			[ -z "$INSIDE" ] || die 1 "$1: $INSIDE has no limit, nor has a cgroup above it, or an option is wrong: echo 64M >$INSIDE/memory.max"
			die 1 "$1: the cgroup of this shell has no limit, or an option is wrong: systemd-run --scope -p MemoryMax=64M oomlens trigger $2"
			;;
		esac
		bad_usage "the module does not take '$2'"
		;;
	'Operation not supported') die 1 "$1: this kernel lacks what that needs: oomlens status names the option" ;;
	'Cannot allocate memory')
		[ "$1" != reserve ] || die 1 "reserve: $answer: at most half of the memory, $(half_of_memory)K, and only what is free; it holds what it had"
		;;
	'Device or resource busy') die 1 "$1: $answer: another run goes on, or the process cannot be held now; oomlens trigger shows the last run" ;;
	esac
	die 1 "$1: ${answer:-failed}"
}

# ---- a run in another cgroup ----

# The directory of the cgroup that the writer goes into; empty: it stays
INSIDE=

# go_inside PATH: as the kernel, "why" or the file system show it, into INSIDE. This
# shell stays outside, to tell the result when all in there have been killed.
go_inside()
{
	case $1 in
	/*) ;;
	*) bad_usage "--in needs the path of a cgroup, as /system.slice/web.service, not '$1'" ;;
	esac
	find_cgroups
	[ -e $CGROUPS/cgroup.procs ] || die 1 "--in: no cgroups are mounted on $CGROUPS: mount -t cgroup2 none /sys/fs/cgroup"
	INSIDE=${1#"$CGROUPS"}
	INSIDE=/${INSIDE#/}
	while [ "${INSIDE%/}" != "$INSIDE" ]; do
		INSIDE=${INSIDE%/}
	done
	# \ooo stands for a byte where there is no cgroup with that very name.
	[ -d "$CGROUPS$INSIDE" ] ||
		INSIDE=$(printf '%b' "$(printf '%s' "$INSIDE" | sed 's/\\/\\\\/g; s/\\\\\([0-7][0-7][0-7]\)/\\0\1/g')")
	[ -e "$CGROUPS$INSIDE/cgroup.procs" ] || die 5 "no cgroup '$1': start what runs in it first, or mkdir '$CGROUPS${1#"$CGROUPS"}'"
	[ -z "$INSIDE" ] || case $(own_cgroup)/ in
	"$INSIDE"/*) die 1 "this shell is in $1 itself and might be killed with it: run this from another cgroup" ;;
	esac
	INSIDE=$CGROUPS$INSIDE
}

# The cgroup of this shell, by the hierarchy that has the memory
own_cgroup()
{
	sed -n 's/^0:://p; s/^[0-9]*:\([^:]*,\)*memory\(,[^:]*\)*://p' /proc/self/cgroup | tail -n 1
}

# By the child, a subshell: it may not be chosen itself. Whatever it says is its answer.
enter()
{
	# First in a subshell, so that a refusal is not printed
	(echo -1000 >/proc/self/oom_score_adj) 2>/dev/null || {
		echo "oom_score_adj: Permission denied"
		return 1
	}
	echo -1000 >/proc/self/oom_score_adj
	(echo 0 >"$INSIDE/cgroup.procs") 2>/dev/null || {
		echo "cgroup.procs: Cannot enter"
		return 1
	}
	echo 0 >"$INSIDE/cgroup.procs"
}

# Until the run of a writer that was killed has ended
run_is_over()
{
	tries=100
	while grep -q '^running 1' "$CONTROL/trigger"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || die 1 "the writer was killed by signal $((WRITER - 128)), and its run goes on: oomlens trigger shows it"
		sleep 0.1
	done
}

half_of_memory()
{
	awk '$1 == "MemTotal:" { printf "%.0f", $2 / 2 }' /proc/meminfo
}

setting()
{
	cat "$1" 2>/dev/null
}

# may_run LINE: or exit, with why the kernel or the module would refuse it, as far as it
# can be seen from here, and what would help
may_run()
{
	[ "$(setting /sys/module/oomlens/parameters/trigger)" != N ] ||
		die $E_NO_RIGHT "refused: the module was loaded without trigger=1: rmmod oomlens; modprobe oomlens trigger=1"
	case $(setting /sys/kernel/security/lockdown) in
	*'[integrity]'* | *'[confidentiality]'*) die $E_NO_RIGHT "refused: the kernel is locked down (/sys/kernel/security/lockdown)" ;;
	esac
	case $1 in
	kill* | *outcome=kill*)
		[ "$(setting /proc/sys/vm/panic_on_oom)" = 0 ] ||
			die 1 "refused: vm.panic_on_oom is set, so the kernel would panic: echo 0 >/proc/sys/vm/panic_on_oom"
		;;
	esac
	case $1 in
	kill*)
		sysrq=$(setting /proc/sys/kernel/sysrq)
		[ "${sysrq:-1}" = 1 ] || [ $((sysrq / 64 % 2)) = 1 ] ||
			die 1 "refused: kernel.sysrq is $sysrq and does not allow it: echo 1 >/proc/sys/kernel/sysrq"
		;;
	esac
}

# refused LINE: and why
refused()
{
	may_run "$1"
	case $1 in
	'kill pid='*) refused_process "${1#kill pid=}" ;;
	esac
	die 1 "refused: the kernel log says why (dmesg | tail)"
}

refused_process()
{
	case $1 in
	'' | *[!0-9]*) return ;;
	1) die 1 "refused: process 1 is init, which the kernel never takes" ;;
	esac
	[ -r "/proc/$1/status" ] || return
	grep -q '^VmSize:' "/proc/$1/status" || die 1 "refused: process $1 is a kernel thread, which has no memory of its own"
	[ "$(setting "/proc/$1/oom_score_adj")" != -1000 ] ||
		die 1 "refused: process $1 has oom_score_adj -1000: choom -p $1 -n 0"
}

cmd_trigger()
{
	JSON='' inside='' line=''
	while [ $# -gt 0 ]; do
		case $1 in
		--json) JSON=1 ;;
		--in) inside=${2:-}; [ -n "$inside" ] || bad_usage "--in needs the path of a cgroup"; shift ;;
		'' | -*) bad_usage "unknown argument '$1'" ;;
		*) line="$line${line:+ }$1" ;;
		esac
		shift
	done
	[ -z "$inside" ] || [ -n "$line" ] || bad_usage "--in goes with a command: oomlens trigger lists them"
	control_file trigger
	[ -z "$inside" ] || go_inside "$inside"
	if [ -z "$line" ]; then
		if [ -n "$JSON" ]; then
			set_clock
			run trigger "$CONTROL/trigger"
		else
			cat "$CONTROL/trigger"
		fi
		return
	fi
	set_clock
	counter events
	last=$COUNTER
	control_write trigger "$line"
	counter events
	look_at_terminal
	[ $WRITER = 0 ] || [ -n "$JSON" ] ||
		echo "The writer in $inside was killed by signal $((WRITER - 128)); the module's last_result is $(sed -n 's/^last_result //p' "$CONTROL/trigger")."
	if [ -n "$JSON" ]; then
		found=$(run "stalls events" json=1 after="$last" "$(meminfo)" "$DIR/overcommit" "$DIR/events") || exit
		printf '{"events":[%s]}\n' "$(printf '%s' "$found" | sed '$!s/$/,/')"
		return
	fi
	[ "$COUNTER" -gt "$last" ] || {
		echo "done; there was no OOM"
		return
	}
	run "stalls events" title=1 after="$last" wide="$WIDE" "$(meminfo)" "$DIR/overcommit" "$DIR/events"
}

cmd_reserve()
{
	[ $# -le 1 ] || bad_usage "reserve takes one SIZE"
	control_file reserve
	[ $# = 0 ] || control_write reserve "$1"
	cat "$CONTROL/reserve"
}
