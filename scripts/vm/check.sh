# SPDX-License-Identifier: GPL-2.0
# The tests on one kernel after the other, a few guests at a time, and the
# table at the end. Sourced.

# The row of the machine's own Debian: its suite, its architecture
native_id()
{
	# shellcheck disable=SC1091 # the machine's own
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	id=$(awk -v s="$suite" -v a="$BUILD_ARCH" '!/^#/ && $2 == s && $3 == a { print $1; exit }' \
		"$VM_DIR/kernels")
	# Another Debian: the first row of this architecture that must pass
	[ -n "$id" ] || id=$(awk -v a="$BUILD_ARCH" '!/^#/ && $3 == a && $5 == "required" {
		print $1; exit }' "$VM_DIR/kernels")
	[ -n "$id" ] || die "no kernel of architecture $BUILD_ARCH in the list"
	echo "$id"
}

# check_one ID: all of it for one kernel; counts in CHECK/ID.result
check_one()
{
	SAY_PREFIX="[$1] "
	# Whatever stops this job early leaves a failure behind
	echo "0 1 0 0 the rig itself failed" >"$CHECK/$1.result"
	kernel_row "$1"
	OPT_PARAMS=trigger=1 OPT_INSMOD=1 OPT_BUILD=1 OPT_TESTS=1
	TIMEOUT=${OOMLENS_TIMEOUT:-900} SILENCE=${OOMLENS_SILENCE:-300}
	prepare
	[ -z "$SELECT" ] || printf 'oomlens:%s\n' $SELECT >"$rig/rig/select"
	seal
	say "booting $K_RELEASE ($K_MEM, $K_CPUS CPUs)"
	boot_guest check
	awk -v SKIPS="$K_SKIPS" -f "$VM_DIR/verdict.awk" "$RUN/output" >"$RUN/counts"
	# shellcheck disable=SC2046 # four numbers
	set -- "$1" $(sed -n 's/^counts //p' "$RUN/counts")
	passed=$2 failed=$3 skipped=$4
	outcome=$(cat "$RUN/outcome")
	sed -n 's/^\(fail\|skip\) /&/p' "$RUN/counts" | while read -r what text; do
		say "$what: $text"
	done
	if [ "$outcome" != ok ]; then
		failed=$((failed + 1))
		say "fail: $outcome"
		[ ! -f "$RUN/reports" ] || sed "s/^/$SAY_PREFIX  /" "$RUN/reports" >&2
	fi
	say "$passed passed, $failed failed, $skipped skipped in $SECONDS_RUN s; the guest's log: $RUN/console.log, the tests' output: $RUN/output"
	echo "$passed $failed $skipped $SECONDS_RUN $K_RELEASE" >"$CHECK/$1.result"
}

# What a job has said since the last look
relay()
{
	[ -f "$CHECK/$1.log" ] || return 0
	lines=$(wc -l <"$CHECK/$1.log")
	eval "seen=\${SEEN_$2:-0}"
	[ "$lines" -gt "$seen" ] || return 0
	[ ! -t 2 ] || printf '\r\033[K' >&2
	sed -n "$((seen + 1)),${lines}p" "$CHECK/$1.log" >&2
	eval "SEEN_$2=$lines"
}

# One line that says what each running job is at
ticker()
{
	[ -t 2 ] || return 0
	line=
	for id in $RUNNING; do
		at=$(tail -n 1 "$CHECK/$id.log" 2>/dev/null | sed 's/^\[[^]]*\] //; s/ (.*//; s/: .*//')
		case $at in
		booting*)
			at="$(grep -cE '^# (not )?ok' "$LOGS/$id/last/output" 2>/dev/null || :) tests"
			;;
		esac
		line="$line  $id: ${at:-starting}"
	done
	width=$(stty size <&2 2>/dev/null | cut -d' ' -f2)
	[ "${width:-0}" -ge 20 ] || width=80
	# A line that wraps could not be written over
	printf '\r\033[K%s' "$(printf '%s s%s' "$(($(now) - CHECK_START))" "$line" |
		cut -c1-$((width - 1)))" >&2
}

cmd_check()
{
	SELECT=
	ids=
	while [ $# -gt 0 ]; do
		case $1 in
		--all) ids="$ids $(kernel_ids required)" ;;
		--long) long_tests ;;
		--every) ids="$ids $(kernel_ids)" ;;
		-t)
			[ $# -ge 2 ] || die "-t PROGRAM"
			SELECT="$SELECT $2"
			shift
			;;
		-*) die "check: unknown option $1" ;;
		*) ids="$ids $1" ;;
		esac
		shift
	done
	[ -n "$ids" ] || ids=$(native_id)
	for id in $ids; do
		kernel_row "$id"
	done
	sh "$VM_DIR/setup" --quiet
	mkdir -p "$LOGS"
	CHECK=$(mktemp -d "$LOGS/check.XXXXXX")
	CLEAN_FILES="$CLEAN_FILES $CHECK"
	CHECK_START=$(now)
	run_jobs
	check_table
}

# long_tests: the counts of a run over night, where nothing else is set
long_tests()
{
	export OOMLENS_ROUNDS="${OOMLENS_ROUNDS:-1000}" OOMLENS_KILLS="${OOMLENS_KILLS:-500}" \
		OOMLENS_STORM="${OOMLENS_STORM:-1000}" OOMLENS_DRILLS="${OOMLENS_DRILLS:-200}" \
		OOMLENS_SIGNALS="${OOMLENS_SIGNALS:-500}" OOMLENS_LOADS="${OOMLENS_LOADS:-1000}" \
		OOMLENS_WRITES="${OOMLENS_WRITES:-1000000}" OOMLENS_SOAK_S="${OOMLENS_SOAK_S:-600}" \
		OOMLENS_TEST_TIMEOUT="${OOMLENS_TEST_TIMEOUT:-7200}" \
		OOMLENS_TIMEOUT="${OOMLENS_TIMEOUT:-36000}" \
		OOMLENS_SILENCE="${OOMLENS_SILENCE:-7200}"
}

# run_jobs: OOMLENS_JOBS at a time, by default one for each processor
run_jobs()
{
	max=${OOMLENS_JOBS:-$(nproc)}
	RUNNING=
	queue=$ids
	while [ -n "$queue$RUNNING" ]; do
		# shellcheck disable=SC2086 # a list of ids
		set -- $RUNNING
		while [ $# -lt "$max" ] && [ -n "$queue" ]; do
			# shellcheck disable=SC2086 # a list of ids
			set -- $queue
			next=$1
			shift
			queue=$*
			# shellcheck disable=SC2015 # on_exit is the subshell's own
			(
				arm_traps
				CLEAN_PIDS='' CLEAN_FILES=''
				check_one "$next"
			) >"$CHECK/$next.log" 2>&1 </dev/null &
			eval "PID_$(var "$next")=$!"
			CLEAN_PIDS="$CLEAN_PIDS $!"
			RUNNING="$RUNNING $next"
			# shellcheck disable=SC2086 # a list of ids
			set -- $RUNNING
		done
		sleep 0.3
		still=
		for id in $RUNNING; do
			eval "pid=\$PID_$(var "$id")"
			if kill -0 "$pid" 2>/dev/null; then
				still="$still $id"
			else
				wait "$pid" || :
			fi
			relay "$id" "$(var "$id")"
		done
		RUNNING=${still# }
		ticker
	done
	CLEAN_PIDS=
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# An id as part of a variable's name
var()
{
	printf '%s' "$1" | tr -c '[:alnum:]' _
}

check_table()
{
	for id in $ids; do
		printf '%s %s\n' "$id" "$(cat "$CHECK/$id.result")"
	done | awk '
		BEGIN { f = "%-22s %-26s %7s %7s %8s %8s\n"
			printf f, "kernel", "release", "passed", "failed", "skipped", "seconds" }
		{ r = $6; for (i = 7; i <= NF; i++) r = r " " $i
		  printf f, $1, r, $2, $3, $4, $5
		  p += $2; x += $3; s += $4 }
		END { if (p == 0 && x == 0) { x = 1; print "nothing was tested" }
		      printf "%d passed, %d failed, %d skipped\n", p, x, s
		      exit x != 0 }'
}
