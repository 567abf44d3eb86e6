# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154,SC2034 # a part of oomlens, which has the variables
# check and rehearse: what a file says must be true, now or after an OOM on purpose.
# plan.awk reads the file, check.awk tells of one expectation whether it holds.

TAB=$(printf '\t')
NEWLINE='
'

# read_plan FILE: into TITLE, IN, DO, and EXPECTED, a line each
read_plan()
{
	[ -n "$1" ] || bad_usage "$COMMAND needs a FILE"
	path_of "$1"
	[ ! -d "$AT" ] || die $E_USAGE "$1 is a directory"
	[ -r "$AT" ] || [ "$1" = - ] || die $E_USAGE "$1 cannot be read"
	[ "$1" != - ] || AT=-
	parser=$(parts plan.awk) || exit
	plan=$(awk "$parser" mode="$COMMAND" named="$(printf '%s' "$1" | sed 's/\\/\\\\/g')" "$AT") || exit $E_USAGE
	TITLE='' IN='' DO='' EXPECTED=''
	while IFS=$TAB read -r word rest; do
		case $word in
		title) TITLE=$rest ;;
		in) IN=$rest ;;
		do) DO=$rest ;;
		expect) EXPECTED=$EXPECTED$rest$NEWLINE ;;
		esac
	done <<TEXT
$plan
TEXT
}

# Hundredths of a second since the boot, into CENTIS
centis()
{
	read -r up _ </proc/uptime
	CENTIS=${up%.*}${up#*.}
	while [ "${CENTIS#0}" != "$CENTIS" ]; do
		CENTIS=${CENTIS#0}
	done
	CENTIS=${CENTIS:-0}
}

# look_at FILE...: one expectation, which the fields tell, by check.awk; into STATUS and
# FOUND. Standard input is the file -.
look_at()
{
	OOMLENS_PATTERN=$argument
	export OOMLENS_PATTERN
	said=$(run "own check" what="$what" no="${no#-}" by="$by" op="$op" value="$value" within="$within" \
		after="${LAST:-0}" self="$SELF" "$(meminfo)" "$DIR/overcommit" "$@") || exit
	STATUS=${said%%"$TAB"*}
	FOUND=${said#*"$TAB"}
}

# One expectation, as far as it can be told now; into STATUS and FOUND
attempt()
{
	case $what in
	exempt | rank)
		SCOPE=''
		open_scoped badness
		look_at - <&3
		exec 3<&-
		;;
	victim)
		if [ -n "$RAN" ]; then
			look_at "$DIR/events"
		elif [ "${DO#kill pid=}" != "$DO" ]; then
			STATUS=skip FOUND='oomlens rehearse would kill the process that "do" names'
		elif [ -n "$FROM" ] && of_memcg; then
			STATUS=skip FOUND='the order in a cgroup is known on the live machine only'
		else
			SCOPE=$SCOPE_OF_DO
			open_scoped badness
			look_at - <&3
			exec 3<&-
		fi
		;;
	outcome | freed)
		if [ -n "$RAN" ]; then
			look_at "$DIR/events"
		else
			STATUS=skip FOUND='known only after an OOM: oomlens rehearse'
		fi
		;;
	available | headroom) look_at ;;
	within)
		[ -z "$FROM" ] || {
			STATUS=skip FOUND='the command is for the machine itself, not for a recording'
			return
		}
		# To the OOM killer it is a process as any other.
		FOUND=$(
			[ -z "$RAN" ] || echo "$OWN_ADJ" >/proc/self/oom_score_adj
			sh -c "$argument" 2>&1 </dev/null
		)
		status=$?
		FOUND="exit status $status${FOUND:+, $(printf '%s' "$FOUND" | tail -n 1 | tr '\t' ' ' | tr -dc '\040-\176')}"
		STATUS=ok
		[ $status = 0 ] || STATUS='not ok'
		;;
	esac
}

# of_memcg: whether "do" runs out of its cgroup's limit
of_memcg()
{
	case " $DO " in
	*' memcg '*) return 0 ;;
	esac
	return 1
}

# How long an expectation may be looked at again, in ms
patience()
{
	case $what in
	within | available | headroom) PATIENCE=$within ;;
	freed) PATIENCE=$((within + 1000)) ;;
	outcome | victim) PATIENCE=${RAN:+2000} ;;
	*) PATIENCE=0 ;;
	esac
	PATIENCE=${PATIENCE:-0}
}

# attempt_all WHEN: each expectation that belongs there and is not decided yet, one after
# the other, until all are, or have had their time. RESULTS has a line for each.
# "before": those that are looked at before the run; "after": the others; "now": all.
attempt_all()
{
	load "own check"
	centis
	began=$CENTIS
	while :; do
		pending='' results=''
		while IFS=$TAB read -r number what no by op value within argument text; do
			[ -n "$number" ] || continue
			earlier=$(printf '%s' "$RESULTS" | sed -n "s/^$number$TAB//p")
			case $earlier in
			ok"$TAB"* | 'not ok'"$TAB"* | skip"$TAB"*)
				results=$results$number$TAB$earlier$NEWLINE
				continue
				;;
			esac
			case $1:$what in
			before:exempt | before:rank | now:* | after:*) ;;
			*) continue ;;
			esac
			attempt
			patience
			centis
			case $STATUS in
			wait | 'not ok')
				STATUS='not ok'
				[ $(((CENTIS - began) * 10)) -ge "$PATIENCE" ] || pending=1 STATUS=wait
				;;
			esac
			results=$results$number$TAB$STATUS$TAB$text$TAB$FOUND$NEWLINE
		done <<TEXT
$EXPECTED
TEXT
		RESULTS=$results
		[ -n "$pending" ] || break
		sleep 0.2 2>/dev/null || sleep 1
	done
}

# Of all results, as KTAP, JSON or metrics; exit status 1 if one is not ok
tell_results()
{
	OOMLENS_TITLE=$TITLE OOMLENS_IN=$IN OOMLENS_DO=$DO OOMLENS_FILE=$FILE OOMLENS_SAID=${RUN_SAID:-}
	export OOMLENS_TITLE OOMLENS_IN OOMLENS_DO OOMLENS_FILE OOMLENS_SAID
	teller=$(parts results.awk && program) || exit
	printf '%s' "$RESULTS" | awk "$teller" json="$JSON" metrics="${METRICS:-}" first="${FIRST:-}" last="${NEWEST:-}" -
}

cmd_check()
{
	JSON='' FILE='' RAN='' LAST='' RESULTS='' METRICS='' OUT=''
	while [ $# -gt 0 ]; do
		case $1 in
		--json) JSON=1 ;;
		--metrics) METRICS=1 ;;
		-o) OUT=${2:-}; [ -n "$OUT" ] || bad_usage "-o needs a file"; shift ;;
		-[!0-9]*) bad_usage "unknown argument '$1'" ;;
		*)
			[ -z "$FILE" ] || bad_usage "check takes one FILE"
			FILE=$1
			;;
		esac
		shift
	done
	[ -z "$JSON" ] || [ -z "$METRICS" ] || bad_usage "--json or --metrics, not both"
	[ -z "$OUT" ] || [ -n "$METRICS" ] || bad_usage "-o goes with --metrics"
	read_plan "$FILE"
	need_files overcommit badness
	SCOPE_OF_DO=''
	[ -n "$FROM" ] || ! of_memcg || {
		scope_option --memcg "$IN"
		SCOPE_OF_DO=$SCOPE
	}
	attempt_all now
	if [ -z "$METRICS" ]; then
		tell_results
		return
	fi
	# Made whole before it is written, as the collector may come at any time
	page=$(tell_results)
	status=$?
	printf '%s\n' "$page" | write_to "$OUT" =rw || exit 1
	return $status
}

# ---- rehearse ----

# refuse_unsafe: before anything is touched; each with what would help
refuse_unsafe()
{
	may_run "$DO"
	! grep -q '^running 1' "$CONTROL/trigger" || die 1 "another run goes on: oomlens trigger shows it"
	[ -z "$IN" ] || go_inside "$IN"
	SCOPE_OF_DO=''
	! of_memcg || {
		has_limit "$INSIDE" || die 1 "$IN has no limit, nor has a cgroup above it: echo 64M >$INSIDE/$LIMIT"
		scope_option --memcg "$IN"
		SCOPE_OF_DO=$SCOPE
	}
	case $DO in
	kill\ pid=*) [ -d "/proc/${DO#kill pid=}" ] || die 5 "no process ${DO#kill pid=}" ;;
	kill* | *outcome=kill*)
		open_scoped badness 1
		! head -n 2 <&3 | grep -q ' eligible 0 ' || die 1 "no process ${IN:+in $IN }may be killed: start what the rehearsal is about"
		exec 3<&-
		;;
	esac
	SCOPE=''
}

# has_limit DIR: it or a cgroup above it. LIMIT is the name of the file.
has_limit()
{
	LIMIT=memory.max
	[ -e "$CGROUPS/cgroup.controllers" ] || LIMIT=memory.limit_in_bytes
	above=$1
	while [ "${above#"$CGROUPS"/}" != "$above" ]; do
		case $(setting "$above/$LIMIT") in
		'' | max | ???????????????????*) ;;
		*) return 0 ;;
		esac
		above=${above%/*}
	done
	return 1
}

cmd_rehearse()
{
	JSON='' FILE='' KEEP='' RAN='' LAST='' RESULTS='' RUN_SAID=''
	while [ $# -gt 0 ]; do
		case $1 in
		--json) JSON=1 ;;
		--keep) KEEP=${2:-}; [ -n "$KEEP" ] || bad_usage "--keep needs a directory"; shift ;;
		-[!0-9]*) bad_usage "unknown argument '$1'" ;;
		*)
			[ -z "$FILE" ] || bad_usage "rehearse takes one FILE"
			FILE=$1
			;;
		esac
		shift
	done
	read_plan "$FILE"
	control_file trigger
	need_files overcommit badness events
	refuse_unsafe
	[ -z "$KEEP" ] || (
		umask 077
		path_of "$KEEP"
		go_into "$KEEP"
	) || exit
	# What is killed is not the one that tells the verdict.
	OWN_ADJ=$(setting /proc/self/oom_score_adj)
	(echo -1000 >/proc/self/oom_score_adj) 2>/dev/null || die $E_NO_RIGHT "a rehearsal needs CAP_SYS_RESOURCE: try sudo"
	echo -1000 >/proc/self/oom_score_adj
	attempt_all before
	counter events
	LAST=$COUNTER
	RUN_SAID=$( (control_write trigger "$DO") 2>&1)
	status=$?
	RAN=1
	[ $status != 0 ] || RUN_SAID=''
	counter events
	# Refused, or it came to nothing: there is nothing to judge.
	[ $status = 0 ] || [ "$COUNTER" -gt "$LAST" ] || {
		printf '%s\n' "$RUN_SAID" >&2
		exit $status
	}
	attempt_all after
	counter events
	FIRST=$((LAST + 1)) NEWEST=$COUNTER
	verdict=$(tell_results)
	status=$?
	if [ -n "$KEEP" ]; then
		(cmd_save "$KEEP") || exit
		printf '%s\n' "$verdict" | write_to "$KEEP/verdict"
	fi
	printf '%s\n' "$verdict"
	return $status
}
