# SPDX-License-Identifier: GPL-2.0
# Guests that panic in the OOM killer, one for each way. The kernel's own dump in the
# same log is the judge. Sourced.
#   OOMLENS_PANICS  how often each, 1 if not set

# name | kind of the event, "-": no block is expected | the panic's message
PANICS='hog|global|Out of memory: system-wide panic_on_oom is enabled
cgroup|memcg|Out of memory: compulsory panic_on_oom is enabled
nobody|global|System is deadlocked on memory
group|memcg|Out of memory: compulsory panic_on_oom is enabled
thread|global|Out of memory: system-wide panic_on_oom is enabled
two|memcg|Out of memory: compulsory panic_on_oom is enabled
storm|memcg|Out of memory: compulsory panic_on_oom is enabled
other|-|sysrq triggered crash
in_times|memcg|Out of memory: compulsory panic_on_oom is enabled
in_block|memcg|Out of memory: compulsory panic_on_oom is enabled
erst|global|Out of memory: system-wide panic_on_oom is enabled
kdump|global|Out of memory: system-wide panic_on_oom is enabled
kdump_cgroup|memcg|Out of memory: compulsory panic_on_oom is enabled
kdump_nobody|global|System is deadlocked on memory
kdump_cpuset|global|Out of memory: system-wide panic_on_oom is enabled'
# For everyday
PANICS_QUICK='hog cgroup'

# What the guest does. Each way begins with "way_"; the panic ends the guest.
panic_job()
{
	cat <<-'TEXT'
	# A cgroup of 20 MB; $1: its name
	limited()
	{
		dir=/sys/fs/cgroup/$1
		mkdir "$dir"
		echo 20M >"$dir/memory.max"
	}

	# Takes memory in a cgroup until it dies
	hog_in()
	{
		sh -c 'echo $$ >"$0/cgroup.procs"; exec tail /dev/zero' "/sys/fs/cgroup/$1"
	}

	exempt_all()
	{
		for p in /proc/[0-9]*; do
			echo -1000 >"$p/oom_score_adj"
		done 2>/dev/null
	}

	way_hog()
	{
		echo 1 >/proc/sys/vm/panic_on_oom
		tail /dev/zero
	}

	way_cgroup()
	{
		echo 2 >/proc/sys/vm/panic_on_oom
		limited a
		hog_in a
	}

	way_nobody()
	{
		exempt_all
		tail /dev/zero
	}

	way_group()
	{
		echo 2 >/proc/sys/vm/panic_on_oom
		limited a
		echo 1 >/sys/fs/cgroup/a/memory.oom.group
		sh -c 'echo $$ >/sys/fs/cgroup/a/cgroup.procs; exec sleep 1000' &
		sleep 1
		hog_in a
	}

	# A kernel thread takes all memory, and asks for more
	way_thread()
	{
		echo 1 >/proc/sys/vm/panic_on_oom
		insmod /rig/oomlens_shortage.ko
		mkfifo /tmp/pause
		# Another task may have asked for memory first: that run is called off. No "sleep":
		# what is forked now may be gone before the kernel's dump
		while :; do
			echo thread >/sys/module/oomlens_shortage/parameters/run
			read -r -t 3 _ <>/tmp/pause
		done
	}

	way_two()
	{
		echo 2 >/proc/sys/vm/panic_on_oom
		limited a
		limited b
		hog_in a &
		hog_in b
	}

	# A task in a cgroup that becomes a hog when there is /tmp/go: to move a task or to
	# make a cgroup waits for every processor
	wait_in()
	{
		sh -c 'echo $$ >"$0/cgroup.procs"
			while [ ! -e /tmp/go ]; do usleep 20000; done
			exec tail /dev/zero' "/sys/fs/cgroup/$1" &
		sleep 1
	}

	# So soon after another OOM that the walk for candidates was left out
	way_storm()
	{
		limited a
		for i in 1 2 3 4; do
			sh -c 'echo $$ >/sys/fs/cgroup/a/cgroup.procs
				while :; do tail /dev/zero; done' &
		done
		sleep 2
		echo 2 >/proc/sys/vm/panic_on_oom
	}

	# A processor stays in a function: NAME [ONLY [AFTER]]
	stop_in()
	{
		insmod /rig/oomlens_stop.ko at="$1" ${2:+only="$2"} after="${3:-0}" || reboot -f
	}

	until_stopped()
	{
		until [ "$(cat /sys/module/oomlens_stop/parameters/stopped)" = 1 ]; do
			usleep 20000
		done
	}

	# Another processor panics while the one in the OOM killer is writing its event
	way_other()
	{
		stop_in oomlens_candidates_capture
		echo f >/proc/sysrq-trigger
		until_stopped
		echo c >/proc/sysrq-trigger
	}

	# The recorder's thread is stopped in a function, at a certain call of it; then an OOM panics
	thread_stays_in()
	{
		limited a
		limited b
		wait_in b
		stop_in "$1" oomlens "${2:-0}"
		hog_in a &
		until_stopped
		echo 2 >/proc/sys/vm/panic_on_oom
		: >/tmp/go
	}

	way_in_times()
	{
		thread_stays_in oomlens_finish_end
	}

	way_in_block()
	{
		rmmod oomlens
		insmod /rig/oomlens.ko log=2
		# Behind the lines "block", "event" and "memory"
		thread_stays_in vprintk_emit 3
	}

	# With a crash kernel, which looks for the block in the memory of this one
	load_crash_kernel()
	{
		./oomlens_kdump crash-kernel crash-initrd \
			"console=$(sed -n 's/.*console=\([^ ]*\).*/\1/p' /proc/cmdline) nr_cpus=1 panic=-1" ||
			reboot -f
		rmmod oomlens
		insmod oomlens.ko history=1
	}

	samples()
	{
		grep -c ^sample /proc/oomlens/history
	}

	# The module knows of a setting when it has looked
	panic_on_oom()
	{
		echo "$1" >/proc/sys/vm/panic_on_oom
		seen=$(samples)
		until [ "$(samples)" -ge $((seen + 2)) ]; do
			usleep 100000
		done
	}

	way_kdump()
	{
		load_crash_kernel
		panic_on_oom 1
		tail /dev/zero
	}

	way_kdump_cgroup()
	{
		load_crash_kernel
		panic_on_oom 2
		limited a
		hog_in a
	}

	# In a cpuset, by an allocation that may go beyond it
	way_kdump_cpuset()
	{
		load_crash_kernel
		panic_on_oom 1
		insmod /rig/oomlens_shortage.ko
		echo +cpuset >/sys/fs/cgroup/cgroup.subtree_control
		mkdir /sys/fs/cgroup/a
		echo 0 >/sys/fs/cgroup/a/cpuset.mems
		echo $$ >/sys/fs/cgroup/a/cgroup.procs
		# Another task may have asked for memory first: that run is called off
		while :; do
			echo plain >/sys/module/oomlens_shortage/parameters/run
		done
	}

	way_kdump_nobody()
	{
		load_crash_kernel
		exempt_all
		tail /dev/zero
	}

	echo "oomlens-rig: expect Kernel panic - not syncing: $(cat message)" >/dev/kmsg
	"way_$(cat way)"
	# Not reached
	sleep 60
	TEXT
}

# panic_once WAY KIND MESSAGE: boots, and judges the console's log. Prints what is wrong.
panic_once()
{
	prepare
	panic_boot "$@"
}

# What is prepared, as panic_once. EXPECTED: the block comes before the panic
panic_boot()
{
	panic_job >"$rig/rig/job"
	echo "$1" >"$rig/rig/way"
	echo "$3" >"$rig/rig/message"
	seal
	boot_guest run
	case $(cat "$RUN/outcome") in
	"failed: ended without a word"*) ;;
	*) cat "$RUN/outcome" ;;
	esac
	[ ! -f "$RUN/reports" ] || cat "$RUN/reports"
	awk -v REASON="$3" -v KIND="$2" -v EXPECTED="${EXPECTED:-}" -v LOOSE="${LOOSE:-}" -f "$VM_DIR/panic.awk" "$RUN/console.log" || :
	outcome=panic
	[ "$2" != - ] || outcome=underway
	[ -z "${EXPECTED:-}" ] || outcome=panic_expected
	reads_log "$RUN/console.log" $outcome
}

# reads_log FILE OUTCOME: "oomlens --log" has of it one event with that outcome
reads_log()
{
	n=$(sh "$TOP/scripts/oomlens" --log "$1" events --json | grep -c "\"outcome\":\"$2\"") || :
	[ "$n" = 1 ] || echo "oomlens --log has $n events with outcome=$2"
}

# block_of FILE: our lines of the last block, without what is before them
block_of()
{
	tr -d '\r' <"$1" | awk '{ sub(/.*oomlens: /, "oomlens: ") }
		/^oomlens: block / { n = 0 }
		/^oomlens: / { line[n++] = $0 }
		END { for (i = 0; i < n; i++) print line[i] }'
}

# panic_once for a machine whose firmware keeps the end of the log (ACPI ERST): the next
# boot finds the block there, whole, and "oomlens --last-boot why" explains it
panic_erst()
{
	store=$(mktemp)
	truncate -s 64K "$store"
	plain=$K_QEMU
	K_QEMU="$K_QEMU -object memory-backend-file,id=erst,mem-path=$store,size=64K,share=on \
-device acpi-erst,memdev=erst"
	panic_once hog "$1" "$2"
	cp "$RUN/console.log" "$store.log"
	block_of "$store.log" | LC_ALL=C sort >"$store.block"
	prepare
	# The parts count from the end of the log
	# shellcheck disable=SC2016 # expands in the guest
	echo 'mount -t pstore pstore /sys/fs/pstore
		for f in $(grep -H "^Panic#" /sys/fs/pstore/dmesg-erst-* | sort -r -t "#" -k 2 | cut -d: -f1); do
			cat "$f"
		done
		echo "oomlens --last-boot why"
		oomlens --last-boot why 2>&1' >"$rig/rig/job"
	seal
	boot_guest run
	[ "$(cat "$RUN/outcome")" = ok ] || cat "$RUN/outcome"
	block_of "$RUN/output" | LC_ALL=C sort >"$store.kept"
	[ -s "$store.block" ] || echo "no block"
	LC_ALL=C comm -3 "$store.block" "$store.kept" | sed 's/^/not in both: /'
	tr -d '\r' <"$RUN/output" | sed '1,/^oomlens --last-boot why/d' >"$store.why"
	awk -v REASON="$2" -v KIND="$1" -v WHY="$store.why" -f "$VM_DIR/panic.awk" "$store.log" || :
	rm -f "$store" "$store".*
	K_QEMU=$plain
}

# panic_once with a crash kernel: it finds the block in the memory of the kernel before
panic_kdump()
{
	K_APPEND="$K_APPEND crashkernel=96M"
	nodes=$K_NUMA
	[ "$1" != kdump_cpuset ] || K_NUMA=2
	OPT_TESTS=1
	prepare
	OPT_TESTS=''
	mv "$rig/rig/tests/oomlens/oomlens_kdump" "$rig/rig/"
	rm -rf "$rig/rig/tests"
	cp "$KERNEL/vmlinuz" "$rig/rig/crash-kernel"
	mkdir -p "$RUN/crash/bin" "$RUN/crash/proc" "$RUN/crash/dev"
	cp "$BUSYBOX" "$RUN/crash/bin/busybox"
	cat >"$RUN/crash/init" <<-'TEXT'
	#!/bin/busybox sh
	/bin/busybox mount -t proc proc /proc
	/bin/busybox mount -t devtmpfs dev /dev
	/bin/busybox strings -n 40 /proc/vmcore | /bin/busybox awk '
		/oomlens: |outcome=panic_expected/ { if (!found++) print "vmcore: has the event" }' >/dev/console
	/bin/busybox reboot -f
	TEXT
	chmod 755 "$RUN/crash/init"
	pack "$RUN/crash" "$rig/rig/crash-initrd"
	rm -rf "$RUN/crash"
	EXPECTED=1
	panic_boot "$@"
	EXPECTED=''
	grep -q 'vmcore: has the event' "$RUN/console.log" || echo "not found in the vmcore"
	K_APPEND=${K_APPEND% *}
	K_NUMA=$nodes
}

# panic_way ID WAY KIND MESSAGE: as often as OOMLENS_PANICS says; one line of result
panic_way()
{
	round=0
	while [ $round -lt "${OOMLENS_PANICS:-1}" ]; do
		round=$((round + 1))
		LOOSE=''
		[ "$2" != storm ] || LOOSE=1
		case $2 in
		kdump*) found=$(panic_kdump "$2" "$3" "$4"; echo "$RUN/console.log") ;;
		erst) found=$(panic_erst "$3" "$4"; echo "$RUN/console.log") ;;
		*) found=$(panic_once "$2" "$3" "$4"; echo "$RUN/console.log") ;;
		esac
		# All but the last line is what is wrong
		if [ "$found" != "${found##*
}" ]; then
			printf '%s\n' "$found" | sed '$d; s/^/# /'
			echo "not ok $1 $2, round $round: ${found##*
}"
			panic_failed=$((panic_failed + 1))
			return
		fi
	done
	echo "ok $1 $2"
	panic_passed=$((panic_passed + 1))
}

# panic [--quick] [-w WAY] [ID...]: each way on each of these kernels
cmd_panic()
{
	ways=
	while [ $# -gt 0 ]; do
		case $1 in
		--quick) ways=$PANICS_QUICK ;;
		-w)
			printf '%s\n' "$PANICS" | grep -q "^${2:-}|" || die "panic: no way '${2:-}'"
			ways="$ways $2"
			shift
			;;
		-*) die "panic: unknown option $1" ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || set -- "$(native_id)"
	panic_passed=0 panic_failed=0
	for id; do
		kernel_row "$id"
		sh "$VM_DIR/setup" --quiet --arch="$K_ARCH"
		OPT_PARAMS='' OPT_INSMOD=1 OPT_BUILD=1 OPT_TESTS=''
		TIMEOUT=${OOMLENS_TIMEOUT:-600} SILENCE=${OOMLENS_SILENCE:-240}
		while IFS='|' read -r way kind message; do
			case " ${ways:-$way} " in
			*" $way "*) panic_way "$id" "$way" "$kind" "$message" </dev/null ;;
			esac
		done <<-TEXT
		$PANICS
		TEXT
	done
	echo "$panic_passed passed, $panic_failed failed, 0 skipped"
	[ $panic_failed = 0 ] && [ $panic_passed != 0 ]
}
