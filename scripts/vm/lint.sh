# SPDX-License-Identifier: GPL-2.0
# "make lint": every checker has to end without a complaint. Sourced.

# counted NAME COMMAND...: runs one checker and prints one line; its output only if it
# fails
counted()
{
	name=$1
	shift
	log=$CACHE/lint.log
	if "$@" >"$log" 2>&1; then
		lint_passed=$((lint_passed + 1))
		say "ok: $name"
	else
		lint_failed=$((lint_failed + 1))
		cat "$log"
		say "FAILED: $name"
	fi
}

# checkpatch_ignores FILE: checkpatch's types of message that are wrong for this file
checkpatch_ignores()
{
	case $1 in
	# Checks versions, and defines macros in place of another kernel's functions
	module/compat.h) echo LINUX_VERSION_CODE,CONSTANT_COMPARISON,MACRO_ARG_UNUSED,MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE,DEPRECATED_API,SPACING ;;
	# Takes the mark off what it includes
	module/tests/oomlens_history_kunit.c) echo INIT_ATTRIBUTE ;;
	# A static initialiser names its variable more than once
	module/trigger/run.h) echo MACRO_ARG_REUSE,MACRO_ARG_PRECEDENCE ;;
	# A macro that takes the name of a member
	module/event/print.c) echo MACRO_ARG_PRECEDENCE ;;
	# The layout that all headers in include/trace/events have
	module/*trace.h) echo OPEN_ENDED_LINE,PARENTHESIS_ALIGNMENT,TRAILING_SEMICOLON,MACRO_ARG_UNUSED ;;
	# Kernel code
	selftests/modules/*) ;;
	# User space has not the kernel's macros, and touches a page by a volatile
	# access. A format string stays on one line, so that grep finds it.
	selftests/bench/tasks.bpf.c) echo NEW_TYPEDEFS,VOLATILE,LONG_LINE_STRING,PREFER_DEFINED_ATTRIBUTE_MACRO ;;
	selftests/*) echo BIT_MACRO,PREFER_DEFINED_ATTRIBUTE_MACRO,VOLATILE,LONG_LINE_STRING,EMBEDDED_FUNCTION_NAME ;;
	esac
}

lint_checkpatch()
{
	find module selftests -name '*.[ch]' | LC_ALL=C sort | (
		bad=0
		while read -r file; do
			ignores=$(checkpatch_ignores "$file")
			set -- ${ignores:+--ignore "$ignores"}
			"$KSFT_TREE/scripts/checkpatch.pl" --strict --no-tree --no-summary \
				--terse --show-types --quiet "$@" -f "$file" || bad=1
		done
		exit $bad
	)
}

# sparse prints warnings and still succeeds, so its output is searched; warnings in
# kernel headers are not counted. It cannot follow a lock that a function returns with:
# the kernel's own find_lock_task_mm() and its callers have the same warnings.
SPARSE_WRONG="context imbalance in '(lock_thread_with_mm|oomlens_task_(read|grab_mm))'"

# Checkers need a build of their own: build_module may find the module in the cache,
# built from another checkout
lint_sparse()
{
	mirror_sources
	kbuild_module C=2 >"$CACHE/sparse.log" 2>&1 || {
		cat "$CACHE/sparse.log"
		return 1
	}
	grep -q 'CHECK' "$CACHE/sparse.log" || {
		echo "sparse did not run"
		return 1
	}
	! grep -E "$OWN_FILE:[0-9]+:[0-9]+: " "$CACHE/sparse.log" |
		grep -vE "$SPARSE_WRONG"
}

# The groups of module/ and the files of selftests/lib from the bottom up
GROUP_ORDER="kernel badness,promise event history trigger top"
LIB_ORDER="test text supervise cgroup hog expect
	actor,events,free,fuzz_model,held,loader,objects,samples,sheet,slab,writer fuzz_kcov,unchanged"

# find_cycles ORDER: cycles.awk over the output of nm on standard input
find_cycles()
{
	awk -v ORDER="$1" -f "$VM_DIR/cycles.awk"
}

# The objects that lint_sparse left, by kbuild's own list: others may be of files that
# have gone since
lint_cycles()
{
	in_root "$OBJ:/build/oomlens" sh -c 'cd /build/oomlens &&
		tr " " "\n" <oomlens.mod | grep "\.o$" | xargs nm -A' |
		find_cycles "$GROUP_ORDER"
}

# By calls and by includes. Objects of our own: build_tests may have found the tests in
# the cache.
lint_lib_cycles()
{
	mkdir -p "$CACHE/build/lint$src_tag"
	mirror_tree "$src/selftests/" "$CACHE/build/lint$src_tag/"
	in_root "$CACHE/build/lint$src_tag:/build/tests $KSFT_TREE:/build/linux" \
		sh -ec 'cd /build/tests
		make -s KSFT=/build/linux/tools/testing/selftests /build/tests/lib/oomlens.a
		cd lib
		nm -A oomlens.a
		ls *.h | sed "s/\(.*\)\.h/\1.o: T &/"
		grep "#include \"" *.[ch] | sed "s/\.[ch]:#include \"\(.*\)\"/.o: U \1/"' |
		find_cycles "$LIB_ORDER"
}

# The headers were configured for gcc. Kbuild tries each flag, so they serve clang too.
lint_clang()
(
	OBJ=$OBJ-clang
	mirror_sources
	kbuild_module CC=clang-16 CONFIG_CC_IS_GCC= CONFIG_CC_IS_CLANG=y \
		CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough \
		CONFIG_FTRACE_MCOUNT_USE_CC= CONFIG_FTRACE_MCOUNT_USE_OBJTOOL=y \
		KCFLAGS="-Werror -Wno-unknown-warning-option" || return 1
	in_root "$OBJ:/build/oomlens" readelf -p .comment /build/oomlens/module/main.o | grep -q 'clang version' || {
		echo "clang did not run"
		return 1
	}
)

# Builds as for a kernel without these options. MEMCG and NUMA cannot be undefined for
# Debian's headers: the kernel own-tiny is without them.
BARE_OF="TRACEPOINTS KPROBES KRETPROBES DEBUG_FS MAGIC_SYSRQ CPUSETS
	VM_EVENT_COUNTERS KALLSYMS IRQ_WORK"

lint_bare()
(
	OBJ=$OBJ-bare
	mirror_sources
	for option in $BARE_OF; do
		echo "#undef CONFIG_$option"
	done >"$OBJ/bare.h"
	kbuild_module KCFLAGS="-Werror -include /build/oomlens/bare.h"
)

lint_shell()
{
	grep -rlE '^#!.*[/ ](ba|da)?sh( |$)' scripts selftests .ci 2>/dev/null |
		LC_ALL=C sort | xargs shellcheck -x -P SCRIPTDIR
}

# Every function of the module with kernel-doc says from where it may be called
lint_context()
{
	find module -name '*.c' ! -path '*/tests/*' -exec awk '
		/^\/\*\*$/ { doc = 1; name = ""; context = 0 }
		doc && /^ \* [a-z_0-9]+\(\) - / { name = $2 }
		doc && /^ \* Context/ { context = 1 }
		/^ \*\/$/ {
			if (doc && name != "" && !context) {
				print FILENAME ": " name " has no Context"
				bad = 1
			}
			doc = 0
		}
		END { exit bad }' {} +
}

lint_spdx()
{
	! git ls-files | grep -vE '(^|/)(LICENSE|ABI|[^/]*\.md|[^/]*\.1|settings|config|.*\.json|external\.desc)$' |
		grep -vE '^(selftests/recorded/.*/|scripts/packaging/debian/)' |
		while read -r file; do
			head -n 3 "$file" | grep -q 'SPDX-License-Identifier' || echo "no SPDX: $file"
		done | grep .
}

# Keys that no test in C holds, and why: FILE:KEY or, of an event, RECORD:KEY
KEYS_NOT_HELD="
memory:anon_unmapped	of the sum only
trigger:last_take_us	how long a run took is told to a reader, and bound to nothing
trigger:last_give_us	the same"

# module/ABI names these in "keys" and "columns"; those of events are in the recorded ones
all_keys()
{
	awk '/^file / { file = $2 }
		/^(keys|columns) / { for (i = 2; i <= NF; i++) print file ":" $i }' module/ABI
	cat selftests/recorded/*/events selftests/recorded/*/why/* |
		awk '!/^#/ { for (i = 3; i <= NF; i++) if (sub(/=.*/, "", $i)) print $1 ":" $i }'
}

# Each is in a string of some test
lint_keys()
{
	! all_keys | LC_ALL=C sort -u | while read -r key; do
		case $KEYS_NOT_HELD in
		*"$key	"*) continue ;;
		esac
		grep -qE "\"([^\"]*[^a-z_\"])?${key#*:}[^a-z_]" selftests/*.c selftests/lib/*.c ||
			echo "no test names $key"
	done | grep .
}

# They run the command under the busybox of each suite, so these are fetched
lint_cli()
{
	for id in $(kernel_ids required); do
		(
			kernel_row "$id"
			[ "$K_ARCH" != "$BUILD_ARCH" ] || fetch_busybox
		) || return 1
	done
	export OOMLENS_CACHE="$CACHE" OOMLENS_SHELLS="${OOMLENS_SHELLS:-few}"
	for test in 'test-cli others' 'test-cli recorded' 'test-cli logs' test-history test-check test-usage test-figures; do
		echo "$test"
	done | xargs -P "$(nproc)" -I TEST sh -c '
		log=$(mktemp) && sh "$1"/TEST >"$log" 2>&1
		status=$?
		cat "$log"
		rm "$log"
		exit $status' - "$TOP/scripts"
}

cmd_lint()
{
	sh "$VM_DIR/setup" --quiet --lint
	cd "$TOP"
	lint_passed=0 lint_failed=0
	kernel_row "$(native_id)"
	fetch_ksft
	fetch_kernel
	source_tree
	build_root "$K_BASE"
	root_headers
	root_need sparse clang-16
	counted "checkpatch --strict ($KSFT_PKG) over module and selftests" lint_checkpatch
	counted "W=1 -Werror, kernel-doc ($K_RELEASE)" build_module
	counted "tests with -Wall -Wextra -Werror" build_tests
	OBJ=$CACHE/build/$K_KEY$src_tag
	counted "sparse C=2 ($K_RELEASE)" locked "build-${OBJ##*/}" lint_sparse
	counted "no dependency cycle, no arrow up" locked "build-${OBJ##*/}" lint_cycles
	counted "the same in selftests/lib" locked "lint$src_tag" lint_lib_cycles
	counted "clang, W=1 -Werror ($K_RELEASE)" locked "clang-${OBJ##*/}" lint_clang
	counted "without options that a kernel may lack ($K_RELEASE)" locked "bare-${OBJ##*/}" lint_bare
	counted "shellcheck" lint_shell
	counted "the command line on recorded files" lint_cli
	counted "kernel-doc has a context" lint_context
	counted "SPDX lines" lint_spdx
	counted "every key is named by a test" lint_keys
	counted "the rig judges made-up guests rightly" cmd_selfcheck --quick
	echo "$lint_passed passed, $lint_failed failed, 0 skipped"
	[ $lint_failed = 0 ]
}
