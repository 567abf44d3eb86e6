# SPDX-License-Identifier: GPL-2.0
# Do the tests notice? One line of the module is made wrong, and a guest runs the
# everyday tests of what the line belongs to. A mutant is noticed if a test fails, the
# kernel complains, or the guest hangs. Sourced.

# What a mutant's group runs, those first that notice most in the least time. The last
# ones see what is left behind.
programs_of()
{
	tests='' memory=''
	case $1 in
	module/badness/*) tests="badness rows badness_scope score badness_paths badness_short
		badness_victim badness_anchors" ;;
	module/promise/object* | module/promise/holders.c | module/promise/s*.c)
		tests="objects rows objects_holders objects_hostile events_details commit_rows" ;;
	module/promise/memory.c | module/promise/percpu.c) tests="sheet_sum sheet_kinds" ;;
	module/promise/*) tests="commit_charge commit_rows commit_scopes overcommit_basic
		overcommit_modes rows commit_touch objects_holders commit_deficit
		commit_hostile" ;;
	module/event/*) memory=1 tests="events events_log events_outcomes model events_victims
		events_ties events_details events_swapon events_highatomic events_sources
		events_storm events_idle events_console" ;;
	module/history/*) memory=1 tests="history history_stall history_leaks" ;;
	module/trigger/*) tests="kill trigger_refusals pressure reserve trigger_ends
		trigger_pinned pressure_late pressure_held trigger_busy" ;;
	module/kernel/memcg* | module/kernel/scope.c) tests="badness_scope commit_scopes events
		events_victims badness_paths objects badness" ;;
	module/kernel/task.c | module/kernel/walk.c) tests="badness events commit_rows
		badness_scope score events_outcomes events_victims history" ;;
	module/kernel/text.c) tests="commit_rows objects badness events events_log
		trigger_refusals" ;;
	module/kernel/*) memory=1 tests="sheet_sum overcommit_basic events events_details
		overcommit_modes events_swapon badness commit_rows sheet_kinds" ;;
	*) memory=1 tests="rows events_details badness_scope commit_scopes trigger_refusals" ;;
	esac
	# shellcheck disable=SC2086 # a list of names
	printf 'oomlens_%s\n' $tests files files_refs files_limit fuzz reload load ${memory:+memory}
}

# The guest's script: stops at the first program that fails
mutants_job()
{
	cat <<-TEXT
	cd tests
	echo "1..$#"
	for name in $*; do
		sh ./run_kselftest.sh -o 150 -t oomlens:\$name 2>&1 | awk '
			/^(TAP|1\\.\\.)/ { next }
			{ print; fflush() }
			/^not ok/ { red = 1 }
			END { exit red }' || break
	done
	TEXT
}

# mutants_verdict FILE: runs its programs with OBJ's module; WRONG is what was noticed, or
# nothing
mutants_verdict()
{
	finish_module oomlens.ko guest.ko
	mkdir -p "$MUTANTS/guest"
	cp "$TEST_MODULES"/*.ko "$MUTANTS/guest/"
	cp "$OBJ/guest.ko" "$MUTANTS/guest/oomlens.ko"
	# shellcheck disable=SC2046 # names
	run_guest "$K_ID" -N -T -t "${OOMLENS_TIMEOUT:-600}" -S "${OOMLENS_SILENCE:-160}" \
		"$(mutants_job $(programs_of "$1"))" "$MUTANTS"/guest/*.ko \
		>"$MUTANTS/run.log" 2>&1 || die "see $MUTANTS/run.log"
	grep -q '^start' "$RUN/verdict" || die "the guest did not boot: see $RUN"
	WRONG=$(awk -v SKIPS="$K_SKIPS" -f "$VM_DIR/verdict.awk" "$RUN/output" |
		sed -n 's/^fail //p' | head -n 1)
	[ "$outcome" = ok ] ||
		WRONG="$outcome${WRONG:+ ($WRONG)} $(head -n 1 "$RUN/reports" 2>/dev/null || :)"
}

# compile_tree: the tree as it is now, in OBJ; a warning is an error, as in each build
compile_tree()
{
	mirror_sources
	kbuild_module >"$MUTANTS/build.log" 2>&1
}

# same_code FILE: whether its object is the one before, debug information aside
same_code()
{
	in_root "$KBUILD_MOUNTS $OBJ:/build/oomlens" sh -c '
		cd /build/oomlens
		"$1" --strip-debug -o before.o "before/$2"
		"$1" --strip-debug -o after.o "$2"
		cmp -s before.o after.o' sh "${A_CROSS}strip" "${1%.c}.o"
}

# restore_tree: as the checkout is
restore_tree()
{
	mkdir -p "$OOMLENS_SRC/selftests"
	rsync -tc "$TOP/Kbuild" "$OOMLENS_SRC/"
	mirror_tree "$TOP/module/" "$OOMLENS_SRC/module/"
	mirror_tree "$TOP/selftests/" "$OOMLENS_SRC/selftests/"
}

# green FILE: its programs pass on the module as it is, or no verdict means anything
green()
{
	m_stamp=$MUTANTS/green-$(hash_of "$(programs_of "$1")")
	! stamped "$m_stamp" "$tree_key" || return 0
	mutants_verdict "$1"
	[ -z "$WRONG" ] || die "the tests of $1 fail without a mutant: $WRONG; see $RUN"
	printf '%s\n' "$tree_key" >"$m_stamp"
}

# mutant NUMBER SITE: adds one to judged, and to noticed or survivors, if it is one.
# The names are not those that run_guest sets.
mutant()
{
	m_file=${2%%:*} m_line=${2#*:}
	m_operator=${m_line#*:} m_line=${m_line%%:*}
	m_new=${m_operator#*:} m_operator=${m_operator%%:*}
	m_title="$1 $m_file:$m_line $m_operator"
	NEW=$m_new awk -v n="$m_line" 'FNR == n { print ENVIRON["NEW"]; next } { print }' \
		"$TOP/$m_file" >"$OOMLENS_SRC/$m_file"
	compile_tree || {
		echo "$m_title: does not compile"
		return 0
	}
	! same_code "$m_file" || {
		echo "$m_title: the same code"
		return 0
	}
	mutants_verdict "$m_file"
	judged=$((judged + 1))
	m_title=$(printf '%s:\n  -%s\n  +%s' "$m_title" "$(sed -n "${m_line}p" "$TOP/$m_file")" \
		"$m_new" | sed 's/\t\t*/ /')
	if [ -n "$WRONG" ]; then
		noticed=$((noticed + 1))
		printf '%s\n  noticed in %s s: %s\n' "$m_title" "$SECONDS_RUN" "$WRONG"
	else
		survivors="$survivors$m_title
"
		printf '%s\n  NOT NOTICED in %s s\n' "$m_title" "$SECONDS_RUN"
	fi
}

# play_mutants NUMBER...: these of the list, or the first of it
play_mutants()
{
	# All that a guest needs, and the module as it is, to compare with
	restore_tree
	fetch_kernel
	build_module
	build_tests
	OBJ=$CACHE/build/mutants-${MUTANTS##*/}
	compile_tree || die "see $MUTANTS/build.log"
	rsync -a --delete --include='*/' --include='*.o' --exclude='*' "$OBJ/module" "$OBJ/before/"
	tree_key=$(hash_files "$OOMLENS_SRC")
	judged=0 noticed=0 survivors='' m_number=0
	while IFS= read -r m_site <&3 && [ "$judged" -lt "$amount" ]; do
		m_number=$((m_number + 1))
		case " $* " in
		"  " | *" $m_number "*) ;;
		*) continue ;;
		esac
		restore_tree
		green "${m_site%%:*}"
		mutant "$m_number" "$m_site"
	done 3<"$MUTANTS/sites"
	[ -z "$survivors" ] || printf '\nNot noticed; one again: make mutants SEED=%s ONLY=NUMBER\n%s' \
		"$m_seed" "$survivors"
	[ "$judged" = 0 ] ||
		echo "$noticed of $judged noticed ($((noticed * 100 / judged))%), seed $m_seed"
}

# cmd_mutants [-n N] [-s SEED] [-o NUMBER]... [ID]
cmd_mutants()
{
	amount=10 m_seed=$(now) only=
	OPTIND=1
	while getopts n:s:o: opt; do
		case $opt in
		n) amount=$OPTARG ;;
		s) m_seed=$OPTARG ;;
		o) only="$only $OPTARG" ;;
		*) die "see: vm help" ;;
		esac
	done
	shift $((OPTIND - 1))
	sh "$VM_DIR/setup" --quiet
	kernel_row "${1:-$(native_id)}"
	MUTANTS=$CACHE/mutants/$(hash_of "$TOP")
	OOMLENS_SRC=$MUTANTS/tree
	export OOMLENS_LOADS="${OOMLENS_LOADS:-10}"
	mkdir -p "$MUTANTS"
	# shellcheck disable=SC2046 # names without blanks
	(
		cd "$TOP"
		awk -v SEED="$m_seed" -f "$VM_DIR/mutants.awk" \
			$(find module -name '*.c' ! -path 'module/tests/*' | LC_ALL=C sort)
	) >"$MUTANTS/sites"
	echo "$K_ID, seed $m_seed, $(wc -l <"$MUTANTS/sites") places"
	# shellcheck disable=SC2086 # a list of numbers
	locked "mutants-${MUTANTS##*/}" play_mutants $only
}
