# SPDX-License-Identifier: GPL-2.0
# The module compiled for configurations that no distribution ships: each option that
# the code depends on turned off alone, and seeded random ones. No kernel is built. What
# one would refuse shows all the same: the compiler's warnings are errors, and each symbol
# that the module wants has to be exported somewhere in that source. Sourced.

# Options, each with those that would turn it on again
CONFIGS_ALONE='MEMCG
MEMCG_V1
NUMA
CPUSETS
CGROUPS
SMP NUMA
SWAP
SHMEM
TMPFS
PROC_SYSCTL SYSCTL
DEBUG_FS
TRACEPOINTS FTRACE FUNCTION_TRACER DYNAMIC_FTRACE KPROBE_EVENTS
KPROBES KPROBE_EVENTS
KRETPROBES KPROBES KPROBE_EVENTS
VM_EVENT_COUNTERS
MAGIC_SYSRQ
ANON_VMA_NAME
IRQ_WORK PERF_EVENTS FTRACE FUNCTION_TRACER DYNAMIC_FTRACE KPROBE_EVENTS PRINTK
KALLSYMS KPROBES KPROBE_EVENTS FTRACE FUNCTION_TRACER DYNAMIC_FTRACE
PSI
HUGETLBFS
TRANSPARENT_HUGEPAGE
SYSVIPC
DMA_SHARED_BUFFER SYNC_FILE
LRU_GEN
MODULE_UNLOAD
PRINTK
CRASH_DUMP
PID_NS
HIGHMEM'

# configs_source: the source of the suite of K_*, and a build directory of its own
configs_source()
{
	K_FLAVOUR=own-configs
	K_KEY=$K_SUITE-$K_ARCH-$K_FLAVOUR
	KERNEL=$CACHE/kernel/$K_KEY
	OWN=$CACHE/own/$K_KEY
	OBJ=$CACHE/build/$K_KEY
	own_package
	own_tools
	mkdir -p "$OWN" "$OBJ" "$KERNEL"
	KBUILD_DIR=/own/build
	KBUILD_MOUNTS="$OWN_SOURCE:/own/source $OWN:/own/build"
	EXPORTS=$OWN/exports-$source-$version
	[ -s "$EXPORTS" ] || step "the exported symbols of $source" list_exports
}

# list_exports: the names that EXPORT_SYMBOL() and its like have in the source
list_exports()
{
	(
		cd "$OWN_SOURCE"
		find . \( -path ./tools -o -path ./Documentation -o -path ./samples -o -path ./sound \
			-o -path ./drivers/net -o -path ./drivers/gpu -o -path ./drivers/media \) -prune -o \
			-name '*.[chS]' -exec grep -hoE \
			'EXPORT_[A-Z_]*(SYMBOL|CALL)[A-Z_]*\([A-Za-z0-9_]+' {} +
	) | awk -F'(' '
		/TRACEPOINT/ { print "__tracepoint_" $2; print "__traceiter_" $2
			print "__SCT__tp_func_" $2; print "__SCK__tp_func_" $2; next }
		/STATIC_CALL/ { print "__SCT__" $2; print "__SCK__" $2; next }
		{ print $2 }' | LC_ALL=C sort -u >"$EXPORTS.new"
	mv "$EXPORTS.new" "$EXPORTS"
}

# not_exported: the symbols of the module as it was compiled last that no source exports.
# Those of the compiler's own are exported through macros that put their names together.
not_exported()
{
	in_root "$KBUILD_MOUNTS $OBJ:/build/oomlens" "${A_CROSS}nm" -u /build/oomlens/oomlens.o |
		awk '{ print $NF }' |
		grep -vE '^(__x86_(indirect|return)_.*|__(asan|tsan|ubsan|kcsan|msan|sanitizer)_.*|__(get|put)_user_.*|param_(get|set|ops)_.*|.*_cgrp_subsys_(enabled|on_dfl)_key|__this_module)$' |
		LC_ALL=C sort -u | LC_ALL=C comm -23 - "$EXPORTS"
}

# fragment_without OPTION...: configs/all with these off
fragment_without()
{
	config_lines all | awk -v off="$*" '
		BEGIN { n = split(off, o, " "); for (i = 1; i <= n; i++) no["CONFIG_" o[i]] }
		{ name = $0; sub(/=.*/, "", name) }
		!(name in no)
		END { for (i = 1; i <= n; i++) print "# CONFIG_" o[i] " is not set" }'
}

# compile_config: the module for the configuration in OWN
compile_config()
{
	own_make modules_prepare && kbuild_module KBUILD_MODPOST_WARN=1 || return 1
	missing=$(not_exported)
	[ -z "$missing" ] || {
		echo "not exported:" $missing
		return 1
	}
}

# config_result NAME: compiles it, one line of KTAP, the reasons of a failure before it
config_result()
{
	n=$((n + 1))
	if (compile_config) >"$OWN/log" 2>&1; then
		passed=$((passed + 1))
		echo "ok $n $1"
	else
		failed=$((failed + 1))
		grep -E 'error|warning|not exported|\*\*\*' "$OWN/log" | head -n 12 | sed 's/^/# /'
		cp "$OWN/.config" "$OWN/failed-$(echo "$1" | tr ' ' -)"
		echo "not ok $n $1"
	fi
}

# config_without OPTION [OTHER...]: off, if it can be
config_without()
{
	fragment_without "$@" >"$OWN/fragment"
	own_make KCONFIG_ALLCONFIG=/own/build/fragment allnoconfig >"$OWN/log" 2>&1 ||
		die "no configuration without $1: see $OWN/log"
	if grep -q "^CONFIG_$1=" "$OWN/.config"; then
		n=$((n + 1)) skipped=$((skipped + 1))
		echo "ok $n without $1 # SKIP always on here"
	else
		config_result "without $1"
	fi
}

# What only another compiler or another tool would build
CONFIGS_RANDOM='CONFIG_MODULES=y
CONFIG_PROC_FS=y
# CONFIG_GCC_PLUGINS is not set
# CONFIG_DEBUG_INFO_BTF is not set
# CONFIG_RUST is not set
# CONFIG_MODULE_SIG is not set
# CONFIG_WERROR is not set
# CONFIG_COMPILE_TEST is not set'

# config_random SEED
config_random()
{
	printf '%s\n' "$CONFIGS_RANDOM" >"$OWN/fragment"
	own_make KCONFIG_SEED="$1" KCONFIG_ALLCONFIG=/own/build/fragment randconfig >"$OWN/log" 2>&1 ||
		die "no random configuration: see $OWN/log"
	config_result "random, seed $1"
}

# cmd_configs [-r N] [-s SEED] [ID [OPTION...]]
cmd_configs()
{
	random=0 seed=$(now)
	OPTIND=1
	while getopts r:s: opt; do
		case $opt in
		r) random=$OPTARG ;;
		s) seed=$OPTARG ;;
		*) die "see: vm help" ;;
		esac
	done
	shift $((OPTIND - 1))
	sh "$VM_DIR/setup" --quiet
	kernel_row "${1:-$(native_id)}"
	[ $# = 0 ] || shift
	source_tree
	configs_source
	mirror_sources
	n=0 passed=0 failed=0 skipped=0
	echo "TAP version 13"
	echo "# $source $version, $K_ARCH, seed $seed"
	if [ $# -gt 0 ]; then
		for option; do
			config_without $(printf '%s\n' "$CONFIGS_ALONE" | grep "^$option\( \|\$\)" || echo "$option")
		done
	else
		while read -r options; do
			# shellcheck disable=SC2086 # a list of names
			config_without $options
		done <<-TEXT
		$CONFIGS_ALONE
		TEXT
	fi
	while [ "$random" -gt 0 ]; do
		config_random "$seed"
		seed=$((seed + 1)) random=$((random - 1))
	done
	echo "1..$n"
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
}
