# SPDX-License-Identifier: GPL-2.0
# One guest: its QEMU command line, its time limits, and its result. Sourced.

# guest_accel: KVM only where the processor can and a guest really runs. Some
# hosts open /dev/kvm and then let the guest spin for ever.
#
# Emulation is by one thread for all of a guest's processors. With one for each,
# QEMU 7.2 sometimes runs code as it was before another processor patched it: a
# guest without this module, in which one processor makes and removes cgroups
# (that patches the page allocator) and two tasks fork, died of "Oops: int3"
# within 70 s. Two guests at a time keep two processors busy all the same.
# 32-bit Arm is the other way about: with two processors by one thread its boot
# stopped before init, 2 of 2, and with a thread for each it did not.
guest_accel()
{
	threads=single
	[ "$K_ARCH" != armhf ] || threads=multi
	ACCEL=tcg ACCEL_WORDS=tcg,thread=${OOMLENS_TCG_THREADS:-$threads}
	[ "$K_ARCH" = "$BUILD_ARCH" ] || return 0
	boot_id=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null || echo none)
	if ! stamped "$CACHE/accel.boot" "$boot_id"; then
		locked accel probe_accel
	fi
	ACCEL=$(cat "$CACHE/accel")
	[ "$ACCEL" = tcg ] || ACCEL_WORDS=$ACCEL
}

probe_accel()
{
	! stamped "$CACHE/accel.boot" "$boot_id" || return 0
	probed=tcg
	why="the processor shows no vmx or svm"
	if [ ! -w /dev/kvm ]; then
		why="/dev/kvm cannot be used"
	elif grep -qE '^flags.*\b(vmx|svm)\b' /proc/cpuinfo; then
		why="a KVM guest did not get through its boot"
		# Reaching the missing init means that the guest ran. It panics and
		# so ends.
		if timeout -k 1 15 "$A_QEMU" -M "$A_MACHINE,accel=kvm" -cpu host -m 256 \
				-nodefaults -no-user-config -display none -no-reboot \
				-serial stdio -kernel "$KERNEL/boot" \
				-append "console=$A_CONSOLE panic=-1" </dev/null 2>/dev/null |
				grep -q 'Kernel panic'; then
			probed=kvm
			why="a probe guest booted"
		fi
	fi
	say "guests run by $([ $probed = kvm ] && echo KVM || echo emulation): $why"
	printf '%s\n' "$probed" >"$CACHE/accel"
	printf '%s\n' "$boot_id" >"$CACHE/accel.boot"
}

# new_run: a directory for one guest's logs, at RUN; the last ones are kept, and
# the last of this checkout is last-NAME, NAME being the checkout's directory
new_run()
{
	mkdir -p "$LOGS/$K_ID"
	# shellcheck disable=SC2012 # our own names: date and number
	ls -1d "$LOGS/$K_ID"/2* 2>/dev/null | head -n -20 | while read -r old; do
		rm -rf "$old"
	done
	RUN=$(mktemp -d "$LOGS/$K_ID/$(date +%Y%m%d-%H%M%S).XXXX")
	ln -sfn "${RUN##*/}" "$LOGS/$K_ID/last-${TOP##*/}"
}

# qemu_args: QEMU's words, one a line, in RUN/qemu.args
qemu_args()
{
	cpu=${K_CPU:-$A_CPU}
	[ "$ACCEL" = tcg ] || cpu=host
	mem=$(mib "$K_MEM")
	# On a busy host the emulated timer ticks too late for the kernel's check of it
	timer=
	[ "$K_ARCH" != amd64 ] || timer=no_timer_check
	{
		printf '%s\n' -name "oomlens-$K_ID" -M "$A_MACHINE" -cpu "$cpu" \
			-m "$mem" -smp "$K_CPUS" -nodefaults -no-user-config \
			-display none -no-reboot \
			-kernel "$KERNEL/boot" -initrd "$RUN/initrd"
		if [ -n "${K_ICOUNT:-}" ]; then
			printf '%s\n' -accel tcg -icount "$K_ICOUNT"
		else
			printf '%s\n' -accel "$ACCEL_WORDS"
		fi
		n=0
		while [ "$K_NUMA" -gt 1 ] && [ $n -lt "$K_NUMA" ]; do
			printf '%s\n' \
				-object "memory-backend-ram,id=m$n,size=$((mem / K_NUMA))M" \
				-numa "node,nodeid=$n,memdev=m$n,cpus=$(node_cpus $n)"
			n=$((n + 1))
		done
		printf '%s\n' -device "virtio-serial-$A_VIRTIO" \
			-chardev "file,id=v,path=$RUN/verdict" \
			-device virtserialport,chardev=v,name=org.oomlens.verdict \
			-chardev "file,id=o,path=$RUN/output" \
			-device virtserialport,chardev=o,name=org.oomlens.output \
			-chardev "file,id=k,path=$RUN/kmsg" \
			-device virtserialport,chardev=k,name=org.oomlens.kmsg
		swap_disk swap "$K_SWAP"
		swap_disk spare "$K_SPARE"
		if [ -f "$RUN/tests.img" ]; then
			printf '%s\n' -drive "if=none,id=t,format=raw,readonly=on,file=$RUN/tests.img" \
				-device "virtio-blk-$A_VIRTIO,drive=t,serial=tests"
		fi
		if [ "$1" = shell ]; then
			printf '%s\n' -chardev "stdio,id=c,mux=on,signal=off,logfile=$RUN/console.log" \
				-serial chardev:c -mon chardev=c
		else
			printf '%s\n' -serial "file:$RUN/console.log"
		fi
		# shellcheck disable=SC2086 # words of the list
		[ -z "$K_QEMU" ] || printf '%s\n' $K_QEMU
		printf '%s\n' -append "console=$A_CONSOLE loglevel=7 panic=-1 oops=panic \
oomlens.mode=$1 $timer $K_APPEND"
	} >"$RUN/qemu.args"
}

# swap_disk NAME SIZE: the words for one, if it is of any size
swap_disk()
{
	[ "$2" != 0 ] || return 0
	truncate -s "$(mib "$2")M" "$RUN/$1.img"
	printf '%s\n' -drive "if=none,id=$1,format=raw,cache=unsafe,file=$RUN/$1.img" \
		-device "virtio-blk-$A_VIRTIO,drive=$1,serial=$1"
}

# Node N's share of the processors, as QEMU writes a range
node_cpus()
{
	first=$(($1 * K_CPUS / K_NUMA))
	last=$((($1 + 1) * K_CPUS / K_NUMA - 1))
	echo "$first-$last"
}

# run_qemu: with the words of RUN/qemu.args
run_qemu()
{
	set --
	while IFS= read -r word; do
		set -- "$@" "$word"
	done <"$RUN/qemu.args"
	exec "$A_QEMU" "$@"
}

# boot_guest MODE: boots and waits, and writes the result to RUN/outcome. "failed"
# stands there from the start; only a run that is complete and clean replaces it.
#   TIMEOUT  seconds in all        SILENCE  seconds without a byte from the guest
boot_guest()
{
	echo "failed: the guest did not finish" >"$RUN/outcome"
	qemu_args "$1"
	: >"$RUN/output"
	: >"$RUN/verdict"
	: >"$RUN/kmsg"
	: >"$RUN/console.log"
	if [ "$1" = shell ]; then
		(run_qemu) || :
		rm -f "$RUN/initrd" "$RUN"/*.img
		return 0
	fi
	run_qemu </dev/null >"$RUN/qemu.log" 2>&1 &
	qemu=$!
	outer=$CLEAN_PIDS
	CLEAN_PIDS="$CLEAN_PIDS $qemu"
	tailer=
	if [ -n "${FOLLOW:-}" ]; then
		tail -n +1 -s 0.1 -f "$RUN/output" --pid="$qemu" &
		tailer=$!
		CLEAN_PIDS="$CLEAN_PIDS $tailer"
	fi
	watch_guest
	[ -z "$tailer" ] || wait "$tailer" || :
	CLEAN_PIDS=$outer
	rm -f "$RUN/initrd" "$RUN"/*.img
}

watch_guest()
{
	read -r t _ </proc/uptime
	began=${t%.*}
	heard=$began
	size=
	hung=
	# A new process costs up to 5 ms beside the guests: two in a round, not five
	while kill -0 "$qemu" 2>/dev/null; do
		sleep 0.5
		new=$(stat -c %s "$RUN/output" "$RUN/verdict" "$RUN/console.log")
		read -r t _ </proc/uptime
		t=${t%.*}
		if [ "$new" != "$size" ]; then
			size=$new
			heard=$t
		fi
		if [ $((t - began)) -ge "$TIMEOUT" ]; then
			hung="over $TIMEOUT s in all"
		elif [ $((t - heard)) -ge "$SILENCE" ]; then
			hung="silent for $SILENCE s"
		fi
		[ -z "$hung" ] || break
	done
	if [ -n "$hung" ]; then
		# In stages: QEMU may still write out its logs
		kill -TERM "$qemu" 2>/dev/null || :
		n=0
		while kill -0 "$qemu" 2>/dev/null && [ $n -lt 30 ]; do
			sleep 0.1
			n=$((n + 1))
		done
		kill -KILL "$qemu" 2>/dev/null || :
	fi
	wait "$qemu" || :
	read -r t _ </proc/uptime
	SECONDS_RUN=$((${t%.*} - began))
	judge_guest
}

# judge_guest: the result from the guest's verdict, the kernel's log and the console
judge_guest()
{
	STATUS=
	end=$(sed -n 's/^end //p' "$RUN/verdict" | tail -n 1)
	reports=$(sed -n 's/^report //p' "$RUN/verdict"
		awk -v PART=1 -f "$VM_DIR/klog.awk" "$RUN/console.log"
		[ -z "$end" ] || awk -f "$VM_DIR/klog.awk" "$RUN/kmsg"
		[ -z "$end" ] || grep -q 'oomlens-rig: end' "$RUN/kmsg" ||
			echo "the kernel's log did not arrive whole")
	if [ -n "$hung" ]; then
		outcome="failed: hung, $hung"
	elif [ -z "$end" ]; then
		outcome="failed: ended without a word$(tail -n 2 "$RUN/qemu.log" | sed 's/^/; /')"
	else
		case $end in
		"exit "*)
			STATUS=${end#exit }
			outcome="status $STATUS"
			[ "$STATUS" != 0 ] || outcome=ok
			;;
		*)
			outcome="failed: ${end#failed }"
			;;
		esac
	fi
	if [ -n "$reports" ]; then
		outcome="failed: the kernel complained ($outcome)"
		printf '%s\n' "$reports" >"$RUN/reports"
	fi
	printf '%s\n' "$outcome" >"$RUN/outcome"
}
