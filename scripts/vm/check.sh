# SPDX-License-Identifier: GPL-2.0
# The tests on one kernel after the other, a few guests at a time, and the
# table at the end. Sourced.

# The row of the machine's own Debian: its suite, its architecture
native_id()
{
	# shellcheck disable=SC1091 # the machine's own
	suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	id=$(awk -v s="$suite" -v a="$BUILD_ARCH" '!/^#/ && $3 == a &&
		($2 == s || $2 == s "-security") { print $1; exit }' \
		"$VM_DIR/kernels")
	# Another Debian: the first row of this architecture that must pass
	[ -n "$id" ] || id=$(awk -v a="$BUILD_ARCH" '!/^#/ && $3 == a && $5 == "required" {
		print $1; exit }' "$VM_DIR/kernels")
	[ -n "$id" ] || die "no kernel of architecture $BUILD_ARCH in the list"
	echo "$id"
}

# A job is ID@K/N: guest K of the N guests that share a kernel's tests. With two, a
# check of one kernel uses both processors. ID@panic: the guests that panic; with
# --all, one such job for each required kernel whose row has no "only=".
#   OOMLENS_GUESTS  how many, 2 if not set; for single programs (-t) one is enough
jobs_of()
{
	for id; do
		kernel_row "$id"
		[ -z "$ALL" ] || [ -n "$SELECT$K_ONLY" ] || [ "$K_NEED" != required ] || echo "$id@panic"
		guests=${OOMLENS_GUESTS:-2}
		[ -z "$SELECT$K_ONLY" ] || guests=1
		k=0
		while [ $k -lt "$guests" ]; do
			k=$((k + 1))
			echo "$id@$k/$guests"
		done
	done
}

# A job's files are $CHECK/NAME.log and so on, its variables end in NAME
job_name()
{
	printf '%s' "$1" | tr -c '[:alnum:]' _
}

# missing_tests: the programs that there should be and that were not built, which no plan
# would tell of: the runner's is made of the list
missing_tests()
{
	for t in "$src"/selftests/oomlens_*.c "$src"/selftests/oomlens_*.sh; do
		case ${t##*/} in
		oomlens_stage.c | oomlens_kdump.c | oomlens_tty.c | oomlens_why_check.sh) ;;
		*) basename "$t" .c ;;
		esac
	done | {
		cat
		# build_tests has installed what it needs
		[ "$K_ARCH" != amd64 ] || echo oomlens_score_table_32
	} | grep -vxF "$(sed 's/^oomlens://' "$TESTS/kselftest-list.txt")"
}

# select_tests K N: every Nth program of the list, or those named by -t or the row. Our
# own kernels run no programs of 32 bits.
select_tests()
{
	# shellcheck disable=SC2086 # a list of names
	if [ -n "$SELECT$K_ONLY" ]; then
		printf 'oomlens:%s\n' ${SELECT:-$K_ONLY}
	else
		without=
		! grep -qs '^# CONFIG_IA32_EMULATION is not set' "$KERNEL/config" ||
			without=oomlens:oomlens_score_table_32
		awk -v k="$1" -v n="$2" -v without="$without" 'NR % n == k % n && $0 != without' \
			"$TESTS/kselftest-list.txt"
	fi
}

# check_one JOB: boots it; its counts go to CHECK/NAME.result as
# ID PASSED FAILED SKIPPED BEGIN END RELEASE
check_one()
{
	result=$CHECK/$(job_name "$1").result
	id=${1%@*}
	part=${1#*@}
	case $part in
	*/1 | panic) SAY_PREFIX="[$id] " ;;
	*) SAY_PREFIX="[$id $part] " ;;
	esac
	# Replaced at the end; if the job stops early, this failure stays
	echo "$id 0 1 0 $(now) $(now) the rig itself failed" >"$result"
	kernel_row "$id"
	if [ "$part" = panic ]; then
		begin=$(now)
		cmd_panic "$id" >&2 || :
		echo "$id $panic_passed $panic_failed 0 $begin $(now) $K_RELEASE" >"$result"
		return
	fi
	amounts_of
	OPT_PARAMS=trigger=1 OPT_INSMOD=1 OPT_BUILD=1 OPT_TESTS=1
	TIMEOUT=${OOMLENS_TIMEOUT:-900} SILENCE=${OOMLENS_SILENCE:-300}
	prepare
	missing=$(missing_tests | tr '\n' ' ')
	[ -z "$missing" ] || die "not built: $missing"
	select_tests "${part%/*}" "${part#*/}" >"$rig/rig/select"
	seal
	ln -sfn "$RUN" "${result%.result}.run"
	say "booting $K_RELEASE ($K_MEM, $K_CPUS CPUs)"
	begin=$(now)
	boot_guest check
	awk -v SKIPS="$K_SKIPS" -f "$VM_DIR/verdict.awk" "$RUN/output" >"$RUN/counts"
	# shellcheck disable=SC2046 # four numbers
	set -- $(sed -n 's/^counts //p' "$RUN/counts")
	passed=$1 failed=$2 skipped=$3
	outcome=$(cat "$RUN/outcome")
	sed -n 's/^\(fail\|skip\) /&/p' "$RUN/counts" | while read -r what text; do
		say "$what: $text"
	done
	if [ "$outcome" != ok ]; then
		failed=$((failed + 1))
		say "fail: $outcome"
		[ ! -f "$RUN/reports" ] || sed "s|^|$SAY_PREFIX  |" "$RUN/reports" >&2
	fi
	say "$passed passed, $failed failed, $skipped skipped in $SECONDS_RUN s; the guest's log: $RUN/console.log, the tests' output: $RUN/output"
	echo "$id $passed $failed $skipped $begin $(now) $K_RELEASE" >"$result"
}

# kept_result JOB: where its counts are kept once it has passed, for this tree and these
# amounts
kept_result()
{
	echo "$PASSED/$(job_name "$1")"
}

# keep_result JOB: if it has passed
keep_result()
{
	result=$CHECK/$(job_name "$1").result
	awk '$2 > 0 && $3 == 0 { ok = 1 } END { exit !ok }' "$result" || return 0
	mkdir -p "$PASSED"
	cp "$result" "$(kept_result "$1")"
}

# drop_passed JOB...: those that have not passed; with --resume the counts of the others
# are taken as they were
drop_passed()
{
	for job; do
		if [ -n "$RESUME" ] && [ -f "$(kept_result "$job")" ]; then
			cp "$(kept_result "$job")" "$CHECK/$(job_name "$job").result"
			say "$job: has passed with this tree"
		else
			echo "$job"
		fi
	done
}

# relay NAME: prints a job's messages since the last call
relay()
{
	[ -f "$CHECK/$1.log" ] || return 0
	lines=$(wc -l <"$CHECK/$1.log")
	eval "seen=\${SEEN_$1:-0}"
	[ "$lines" -gt "$seen" ] || return 0
	[ ! -t 2 ] || printf '\r\033[K' >&2
	sed -n "$((seen + 1)),${lines}p" "$CHECK/$1.log" >&2
	eval "SEEN_$1=$lines"
}

# On a terminal: one line with the progress of each running job
ticker()
{
	[ -t 2 ] || return 0
	line=
	for job in $RUNNING; do
		name=$(job_name "$job")
		at=$(tail -n 1 "$CHECK/$name.log" 2>/dev/null | sed 's/^\[[^]]*\] //; s/ (.*//; s/: .*//')
		case $at in
		booting*)
			at="$(grep -cE '^# (not )?ok' "$CHECK/$name.run/output" 2>/dev/null || :) tests"
			;;
		esac
		line="$line  $job: ${at:-starting}"
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
	ALL=
	LONG=
	RESUME=
	while [ $# -gt 0 ]; do
		case $1 in
		--all) ids="$ids $(longest_first)" ALL=1 ;;
		--long) LONG=1 ;;
		--resume) RESUME=1 ;;
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
	drop_twins
	arches=
	for id in $ids; do
		kernel_row "$id"
		arches="$arches --arch=$K_ARCH"
	done
	# shellcheck disable=SC2086 # a list of words
	sh "$VM_DIR/setup" --quiet $arches
	mkdir -p "$LOGS"
	CHECK=$(mktemp -d "$LOGS/check.XXXXXX")
	CLEAN_FILES="$CLEAN_FILES $CHECK"
	CHECK_START=$(now)
	PASSED=$CACHE/passed/$(hash_files "$TOP/Kbuild" "$TOP/module" "$TOP/selftests" \
		"$TOP/scripts")/$(hash_of "$ALL$LONG" "$SELECT" "$(env | grep '^OOMLENS_' | LC_ALL=C sort)")
	# Of trees that have gone
	[ ! -d "$CACHE/passed" ] || find "$CACHE/passed" -mindepth 1 -maxdepth 1 -mtime +30 -exec rm -rf {} +
	run_jobs
	check_table
}

# drop_twins: takes a row of suite "newest" out of ids if another row there has its kernel
drop_twins()
{
	shapes=
	for id in $ids; do
		kernel_row "$id"
		shapes="$shapes$id $K_CHOICE $K_KEY $K_MEM $K_CPUS $K_NUMA $K_SWAP $K_APPEND $K_ONLY
"
	done
	ids=$(printf '%s' "$shapes" | awk '
		{ id = $1; newest = $2 == "newest"; sub(/^[^ ]+ [^ ]+ /, "") }
		{ row[NR] = id; shape[NR] = $0; twin[NR] = newest }
		!newest { has[$0] = id }
		END { for (i = 1; i <= NR; i++)
			if (twin[i] && shape[i] in has)
				print row[i] " is " has[shape[i]] "'"'"'s kernel: skipped" >"/dev/stderr"
			else
				print row[i] }')
}

# How much each test does, unless the environment says otherwise. Without options:
# the tests' own defaults, for everyday. full_tests: what the published figures rest
# on, some minutes a guest. long_tests: a night. With --all the required kernels do
# the full amounts; the others do the everyday ones, with what their rows add.
amounts_of()
{
	# shellcheck disable=SC2086 # a list of settings
	set_unless_set $K_ENV
	[ -z "$LONG" ] || long_tests
	[ -z "$ALL" ] || [ "$K_NEED" != required ] || full_tests
	[ -z "$ALL$LONG" ] || export OOMLENS_WAITS="${OOMLENS_WAITS:-1}"
	[ -n "$ALL" ] || return 0
	# shellcheck disable=SC2086 # a list of settings
	set_unless_set $K_ALL
	patience
}

# set_unless_set NAME=VALUE...: in the environment
set_unless_set()
{
	for setting; do
		eval "export ${setting%%=*}=\"\${${setting%%=*}:-\${setting#*=}}\""
	done
}

full_tests()
{
	export OOMLENS_ROUNDS="${OOMLENS_ROUNDS:-500}" OOMLENS_MODEL="${OOMLENS_MODEL:-200}" \
		OOMLENS_SCORES="${OOMLENS_SCORES:-100000}" OOMLENS_LOADS="${OOMLENS_LOADS:-100}" \
		OOMLENS_KILLS="${OOMLENS_KILLS:-200}" OOMLENS_STORM="${OOMLENS_STORM:-500}" \
		OOMLENS_DRILLS="${OOMLENS_DRILLS:-40}" OOMLENS_SIGNALS="${OOMLENS_SIGNALS:-100}" \
		OOMLENS_WHY_ALL="${OOMLENS_WHY_ALL:-1}" OOMLENS_CLI="${OOMLENS_CLI:-1}" OOMLENS_REHEARSE="${OOMLENS_REHEARSE:-1}"
	patience
}

long_tests()
{
	export OOMLENS_ROUNDS="${OOMLENS_ROUNDS:-1000}" OOMLENS_MODEL="${OOMLENS_MODEL:-1000}" \
		OOMLENS_KILLS="${OOMLENS_KILLS:-500}" OOMLENS_STORM="${OOMLENS_STORM:-1000}" \
		OOMLENS_DRILLS="${OOMLENS_DRILLS:-200}" OOMLENS_SIGNALS="${OOMLENS_SIGNALS:-500}" \
		OOMLENS_LOADS="${OOMLENS_LOADS:-1000}" OOMLENS_WRITES="${OOMLENS_WRITES:-1000000}" \
		OOMLENS_SOAK_S="${OOMLENS_SOAK_S:-600}" OOMLENS_WRITERS="${OOMLENS_WRITERS:-20000}" \
		OOMLENS_LEAKS="${OOMLENS_LEAKS:-1}" \
		OOMLENS_TEST_TIMEOUT="${OOMLENS_TEST_TIMEOUT:-7200}" \
		OOMLENS_TIMEOUT="${OOMLENS_TIMEOUT:-36000}" OOMLENS_SILENCE="${OOMLENS_SILENCE:-7200}"
	full_tests
}

# Longer time limits, for these amounts
patience()
{
	export OOMLENS_TEST_TIMEOUT="${OOMLENS_TEST_TIMEOUT:-1800}" \
		OOMLENS_TIMEOUT="${OOMLENS_TIMEOUT:-5400}" OOMLENS_SILENCE="${OOMLENS_SILENCE:-1800}"
}

# All rows, the longest first: then short ones are last, and both processors are busy
# to the end
longest_first()
{
	kernel_rows | awk '{ print / all=/ ? 0 : $5 == "required" ? 1 : 2, $1 }' |
		sort -s -n -k1,1 | cut -d' ' -f2 | tr '\n' ' '
}

# run_jobs: OOMLENS_JOBS at a time, by default one for each processor and one more, as a
# guest waits for timers a third of its time
run_jobs()
{
	max=${OOMLENS_JOBS:-$(($(nproc) + 1))}
	RUNNING=
	# shellcheck disable=SC2086 # lists of words
	queue=$(drop_passed $(jobs_of $ids) | tr '\n' ' ')
	while [ -n "${queue# }$RUNNING" ]; do
		# shellcheck disable=SC2086 # a list of jobs
		set -- $RUNNING
		while [ $# -lt "$max" ] && [ -n "${queue# }" ]; do
			# shellcheck disable=SC2086 # a list of jobs
			set -- $queue
			next=$1
			shift
			queue=$*
			# shellcheck disable=SC2015 # on_exit is the subshell's own
			(
				arm_traps
				CLEAN_PIDS='' CLEAN_FILES=''
				check_one "$next"
				keep_result "$next"
			) >"$CHECK/$(job_name "$next").log" 2>&1 </dev/null &
			eval "PID_$(job_name "$next")=$!"
			CLEAN_PIDS="$CLEAN_PIDS $!"
			RUNNING="$RUNNING $next"
			# shellcheck disable=SC2086 # a list of jobs
			set -- $RUNNING
		done
		sleep 1
		still=
		for job in $RUNNING; do
			name=$(job_name "$job")
			eval "pid=\$PID_$name"
			if kill -0 "$pid" 2>/dev/null; then
				still="$still $job"
			else
				wait "$pid" || :
			fi
			relay "$name"
		done
		RUNNING=${still# }
		ticker
	done
	CLEAN_PIDS=
	[ ! -t 2 ] || printf '\r\033[K' >&2
}

# One line a kernel; its seconds are from the first boot to the last verdict
check_table()
{
	# shellcheck disable=SC2046,SC2086 # lists of words
	for job in $(jobs_of $ids); do
		cat "$CHECK/$(job_name "$job").result"
	done | awk '
		BEGIN { f = "%-22s %-26s %7s %7s %8s %8s\n"
			printf f, "kernel", "release", "passed", "failed", "skipped", "seconds" }
		!($1 in passed) { id[++n] = $1; begin[$1] = $5 }
		{ passed[$1] += $2; failed[$1] += $3; skipped[$1] += $4
		  if ($5 < begin[$1]) begin[$1] = $5
		  if ($6 > end[$1]) end[$1] = $6
		  release[$1] = $7
		  for (i = 8; i <= NF; i++) release[$1] = release[$1] " " $i
		  p += $2; x += $3; s += $4 }
		END { for (i = 1; i <= n; i++) {
			k = id[i]
			printf f, k, release[k], passed[k], failed[k], skipped[k], end[k] - begin[k]
		      }
		      if (p == 0 && x == 0) { x = 1; print "nothing was tested" }
		      printf "%d passed, %d failed, %d skipped\n", p, x, s
		      exit x != 0 }'
}
