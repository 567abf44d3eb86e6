# SPDX-License-Identifier: GPL-2.0
# Shared by every part of the rig: messages, progress, locks, stamps, tables.
# Sourced, never run. Callers run under "set -eu".

VM_DIR=${VM_DIR:?set by the caller}
TOP=$(cd "$VM_DIR/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/oomlens
LOGS=$CACHE/log
BUILD_ARCH=$(dpkg --print-architecture 2>/dev/null || echo unknown)

die()
{
	printf 'vm: %s\n' "$*" >&2
	exit 1
}

say()
{
	printf '%s%s\n' "${SAY_PREFIX:-}" "$*" >&2
}

# Root is needed for apt, mmdebstrap and chroot only; files made that way are
# handed back to the caller's user.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# A pid and all that it started. Shells without job control share one process
# group with make, so the group cannot be signalled.
kill_tree()
{
	for child in $(sed -n "s/^\([0-9]*\) (.*) [A-Za-z] $1 .*/\1/p" \
			/proc/[0-9]*/stat 2>/dev/null); do
		kill_tree "$child"
	done
	kill -TERM "$1" 2>/dev/null || as_root kill -TERM "$1" 2>/dev/null || :
}

CLEAN_PIDS=
CLEAN_FILES=

on_exit()
{
	status=$?
	trap - EXIT INT TERM HUP
	for pid in $CLEAN_PIDS; do
		kill_tree "$pid"
	done
	# shellcheck disable=SC2086 # a list, without blanks in its names
	[ -z "$CLEAN_FILES" ] || rm -rf $CLEAN_FILES
	exit "$status"
}

arm_traps()
{
	trap on_exit EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

now()
{
	date +%s
}

# step TEXT COMMAND...: run COMMAND with its output in a log; print TEXT if it takes
# longer than 1.5 s, and the end of the log if it fails.
step()
{
	step_text=$1
	shift
	mkdir -p "$LOGS"
	step_log=$(mktemp "$LOGS/step.XXXXXX")
	step_start=$(now)
	step_shown=
	(
		# The parent itself removes the files of its list.
		trap - EXIT
		"$@"
	) >"$step_log" 2>&1 </dev/null &
	step_pid=$!
	step_outer=$CLEAN_PIDS
	CLEAN_PIDS="$CLEAN_PIDS $step_pid"
	step_ticks=0
	while kill -0 "$step_pid" 2>/dev/null; do
		step_ticks=$((step_ticks + 1))
		if [ -z "${SAY_PREFIX:-}" ] && [ -t 2 ]; then
			[ $step_ticks -lt 15 ] ||
				printf '\r%s ... %ds ' "$step_text" \
					$(($(now) - step_start)) >&2
			[ $step_ticks -lt 15 ] || step_shown=tty
		elif [ $step_ticks = 15 ]; then
			say "$step_text ..."
			step_shown=line
		fi
		# A new process is dear beside the guests
		[ $step_ticks -lt 15 ] && sleep 0.1 || sleep 0.5
	done
	step_status=0
	wait "$step_pid" || step_status=$?
	CLEAN_PIDS=$step_outer
	[ "$step_shown" != tty ] || printf '\r\033[K' >&2
	if [ $step_status != 0 ]; then
		say "$step_text: FAILED (status $step_status); the end of $step_log:"
		tail -n 40 "$step_log" >&2
		return $step_status
	fi
	[ -z "$step_shown" ] || say "$step_text: $(($(now) - step_start)) s"
	rm -f "$step_log"
}

# locked NAME COMMAND...: run it while no other run holds the lock NAME. The kernel
# drops the lock when the process ends, so a killed run leaves none.
locked()
{
	mkdir -p "$CACHE/lock"
	lock_name=$1
	shift
	(
		# A subshell has no traps, and a background step gets no SIGINT
		arm_traps
		CLEAN_PIDS='' CLEAN_FILES=''
		flock -n 9 || {
			say "waiting for another run ($lock_name)"
			flock 9
		}
		"$@" 9>&-
	) 9>"$CACHE/lock/$lock_name"
}

# stamped FILE KEY: true if FILE says that it was made from KEY.
stamped()
{
	[ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

hash_of()
{
	printf '%s\n' "$@" | sha256sum | cut -c1-16
}

# Names and contents of all files but documents below the given paths, as one hash: the
# same in each checkout, wherever it lies.
hash_files()
{
	for hf_path; do
		(cd "${hf_path%/*}" && find "${hf_path##*/}" -type f ! -name "*.md" -exec sha256sum {} + |
			LC_ALL=C sort -k2)
	done | sha256sum | cut -c1-16
}

# A row of the kernels list into K_* (defaults first, options last).
kernel_row()
{
	K_ID=$1
	row=$(awk -v id="$1" '!/^#/ && $1 == id' "$VM_DIR/kernels")
	[ -n "$row" ] || die "no kernel called '$1'; there are: $(kernel_ids | tr '\n' ' ')"
	K_NUMA=1 K_SWAP=0 K_SPARE=0 K_CPU='' K_APPEND='' K_QEMU='' K_SKIPS='' K_ROOT='' K_ONLY='' K_ENV='' K_ALL=''
	set -f
	# shellcheck disable=SC2086 # a row of blank-separated columns
	set -- $row
	set +f
	K_SUITE=$2 K_ARCH=$3 K_FLAVOUR=$4 K_NEED=$5 K_MEM=$6 K_CPUS=$7
	shift 7
	for opt; do
		case $opt in
		numa=*) K_NUMA=${opt#*=} ;;
		swap=*) K_SWAP=${opt#*=} ;;
		spare=*) K_SPARE=${opt#*=} ;;
		cpu=*) K_CPU=${opt#*=} ;;
		append=*) K_APPEND="$K_APPEND ${opt#*=}" ;;
		qemu=*) K_QEMU="$K_QEMU ${opt#*=}" ;;
		root=*) K_ROOT=${opt#*=} ;;
		env=*) K_ENV="$K_ENV ${opt#*=}" ;;
		all=*) K_ALL="$K_ALL ${opt#*=}" ;;
		only=*) K_ONLY=$(echo "${opt#*=}" | tr , ' ') ;;
		skip=*) K_SKIPS="$K_SKIPS ${opt#*=}" ;;
		skips=*) K_SKIPS="$K_SKIPS $(named skips "${opt#*=}")" ;;
		*) die "kernels: $K_ID: unknown option '$opt'" ;;
		esac
	done
	[ "$K_SWAP$K_SPARE" != 00 ] || K_SKIPS="$K_SKIPS oomlens_soak:swap*"
	[ "$K_CPUS" != 1 ] || K_SKIPS="$K_SKIPS oomlens_soak:processor*"
	# Fault injection and KUnit are in no distribution's kernel, and none of them insists
	# on signatures
	case $K_FLAVOUR in
	own-debug) ;;
	*) K_SKIPS="$K_SKIPS oomlens_fault:no?fault?injection* oomlens_kunit.sh:no?oomlens_*" ;;
	esac
	K_SKIPS="$K_SKIPS $(named skips every)"
	case $K_APPEND in
	*oomlens.cgroup=v1*) ;;
	*) K_SKIPS="$K_SKIPS oomlens_why.sh:no?cgroup?v1*" ;;
	esac
	[ "$K_FLAVOUR" = own-hardened ] || K_SKIPS="$K_SKIPS oomlens_load:signatures*"
	# These run only in the rows that name them
	for name in oomlens_trigger_systemd.sh:process?1* oomlens_readme.sh:OOMLENS_README* oomlens_stress.sh:no?stress-ng; do
		case " $K_ONLY " in
		*" ${name%:*} "*) ;;
		*) K_SKIPS="$K_SKIPS $name" ;;
		esac
	done
	K_CHOICE=$K_SUITE
	[ "$K_SUITE" != newest ] || K_SUITE=$(newest_suite "$K_ARCH" "$K_FLAVOUR")
	# All but the kernel is the suite's that the backports or updates are for
	K_BASE=$(base_suite "$K_SUITE")
	K_KEY=$K_SUITE-$K_ARCH-$K_FLAVOUR
	arch_row "$K_ARCH"
}

# named KIND NAME,...: the words of these lines "KIND NAME WORD..." of the list
named()
{
	for name in $(echo "$2" | tr , ' '); do
		words=$(awk -v kind="$1" -v name="$name" '$1 == kind && $2 == name {
			for (i = 3; i <= NF; i++) print $i }' "$VM_DIR/kernels")
		[ -n "$words" ] || die "kernels: no line '$1 $name'"
		printf '%s\n' "$words"
	done
}

# kernel_rows: the list's rows, without comments and named lines
kernel_rows()
{
	awk '!/^#/ && NF && $1 !~ /^(suites|skips|root)$/' "$VM_DIR/kernels"
}

# kernel_ids [NEED]
kernel_ids()
{
	kernel_rows | awk -v need="${1:-}" 'need == "" || $5 == need { print $1 }'
}

arch_row()
{
	row=$(awk -v a="$1" '!/^#/ && $1 == a' "$VM_DIR/arch")
	[ -n "$row" ] || die "arch: no row for '$1'"
	# shellcheck disable=SC2086 # a row of blank-separated columns
	set -- $row
	A_KARCH=$2 A_TRIPLET=$3 A_QEMU=$4 A_MACHINE=$6 A_CPU=$7
	A_CONSOLE=$8 A_VIRTIO=$9
	A_CROSS=
	[ "$K_ARCH" = "$BUILD_ARCH" ] || A_CROSS=$A_TRIPLET-
}

# 64M, 1G or plain MiB into MiB
mib()
{
	case $1 in
	*G) echo $((${1%G} * 1024)) ;;
	*M) echo "${1%M}" ;;
	*) echo "$1" ;;
	esac
}
