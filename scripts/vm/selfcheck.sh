# SPDX-License-Identifier: GPL-2.0
# Tests of the rig itself: guests and tests go wrong here in every known way, and the
# rig has to report each as a failure. Sourced.

# expect NAME WANTED GOT
expect()
{
	if [ "$2" = "$3" ]; then
		self_passed=$((self_passed + 1))
		say "ok: $1"
	else
		self_failed=$((self_failed + 1))
		say "FAILED: $1: wanted '$2', got '$3'"
	fi
}

# counts SKIPS: verdict.awk's counts of the KTAP on stdin
counts()
{
	awk -v SKIPS="$1" -f "$VM_DIR/verdict.awk" | sed -n 's/^counts //p'
}

# One program of three subtests: its lines, then the runner's word
program()
{
	printf '%s\n' 'TAP version 13' '1..1' '# selftests: oomlens: prog' "$@"
}

self_verdict()
{
	expect "a good run" "2 0 0 1" "$(program '# 1..2' '# ok 1 a' '# ok 2 b' \
		'ok 1 selftests: oomlens: prog' | counts '')"
	expect "a failed subtest, counted once" "1 1 0 1" "$(program '# 1..2' '# ok 1 a' \
		'# not ok 2 b' 'not ok 1 selftests: oomlens: prog # exit=1' | counts '')"
	expect "a plan not kept" "1 1 0 1" "$(program '# 1..2' '# ok 1 a' \
		'ok 1 selftests: oomlens: prog' | counts '')"
	expect "a bad end after fine subtests" "1 1 0 1" "$(program '# 1..1' '# ok 1 a' \
		'not ok 1 selftests: oomlens: prog # exit=139' | counts '')"
	expect "a skip that the list allows" "1 0 1 1" "$(program '# 1..2' '# ok 1 a' \
		'# ok 2 b c # SKIP no b' 'ok 1 selftests: oomlens: prog' | counts 'prog:b?c')"
	expect "a skip that it does not" "1 1 0 1" "$(program '# 1..2' '# ok 1 a' \
		'# ok 2 b c # SKIP no b' 'ok 1 selftests: oomlens: prog' | counts 'prog:c')"
	expect "a whole program skipped" "0 0 1 1" "$(program '# 1..0 # SKIP no x' \
		'ok 1 selftests: oomlens: prog # SKIP' | counts 'prog')"
	expect "no output of a program" "0 1 0 1" "$(program 'ok 1 selftests: oomlens: prog' | counts '')"
	expect "no plan" "1 1 0 1" "$(program '# ok 1 a' 'ok 1 selftests: oomlens: prog' | counts '')"
	expect "a plan of no tests" "0 1 0 1" "$(program '# 1..0' 'ok 1 selftests: oomlens: prog' | counts '')"
	expect "a plan behind the tests" "1 1 0 1" "$(program '# ok 1 a' '# 1..1' \
		'ok 1 selftests: oomlens: prog' | counts '')"
	expect "a second plan" "1 1 0 1" "$(program '# 1..2' '# 1..1' '# ok 1 a' \
		'ok 1 selftests: oomlens: prog' | counts '')"
	expect "the same result twice" "2 1 0 1" "$(program '# 1..2' '# ok 1 a' '# ok 1 a' \
		'ok 1 selftests: oomlens: prog' | counts '')"
	expect "the status of a skip after a test" "1 1 0 1" "$(program '# 1..1' '# ok 1 a' \
		'ok 1 selftests: oomlens: prog # SKIP' | counts 'prog')"
	expect "after a skip" "1 0 1 1" "$(program '# 1..2' '# ok 1 a' '# ok 2 # SKIP no b' \
		'ok 1 selftests: oomlens: prog # SKIP' | counts 'prog:no?b')"
	expect "a skip that the list allows for its reason" "0 0 1 1" "$(program '# 1..1' \
		'# ok 1 a # SKIP no b' 'ok 1 selftests: oomlens: prog' | counts 'prog:no?b')"
	expect "a whole program, for another reason than allowed" "0 1 0 1" "$(program '# 1..0 # SKIP no x' \
		'ok 1 selftests: oomlens: prog # SKIP' | counts 'prog:no?y')"
	expect "a skip of what was not asked for" "1 0 2 1" "$(program '# 1..3' '# ok 1 a' \
		'# ok 2 b # SKIP not OOMLENS_SELF=1' '# ok 3 # SKIP not OOMLENS_SELF=1' \
		'ok 1 selftests: oomlens: prog' | counts '')"
	expect "a skip of what was" "1 1 0 1" "$(program '# 1..2' '# ok 1 a' '# ok 2 b # SKIP not OOMLENS_SELF=1' \
		'ok 1 selftests: oomlens: prog' | OOMLENS_SELF=1 counts '*')"
	expect "a program that never ended" "1 2 0 0" "$(program '# 1..1' '# ok 1 a' | counts '')"
	expect "no output at all" "0 1 0 0" "$(counts '' </dev/null)"
	expect "a program missing" "0 1 0 0" "$(printf '1..1\n' | counts '')"
}

klog()
{
	printf '%s\n' 'WARNING: before the start' 'oomlens-rig: start' "$@" |
		awk -f "$VM_DIR/klog.awk" | wc -l
}

self_klog()
{
	expect "an OOM kill is no report" 0 "$(klog \
		'hog invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO), order=0, oom_score_adj=0' \
		'CPU: 0 PID: 86 Comm: hog Tainted: G           OE      6.1.0-50-amd64 #1' \
		'Call Trace:' ' <TASK>' ' dump_stack_lvl+0x44/0x5c' 'Mem-Info:' \
		'Out of memory: Killed process 86 (hog) total-vm:1kB, anon-rss:1kB' \
		'oom_reaper: reaped process 86 (hog), now anon-rss:0kB')"
	for line in 'WARNING: CPU: 0 PID: 1 at mm/oom_kill.c:1 x+0x1/0x2' \
		'WARNING: possible circular locking dependency detected' \
		'INFO: task a:1 blocked for more than 60 seconds.' \
		'BUG: KASAN: use-after-free in x+0x1/0x2' \
		'BUG: KCSAN: data-race in a / b' \
		'BUG: sleeping function called from invalid context at a.c:1' \
		'UBSAN: array-index-out-of-bounds in a.c:1:2' \
		'rcu: INFO: rcu_preempt self-detected stall on CPU' \
		'watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [a:1]' \
		'Unable to handle kernel NULL pointer dereference at virtual address 0' \
		'Internal error: Oops: 96000004 [#1] SMP' \
		'Kernel panic - not syncing: System is deadlocked on memory' \
		'ODEBUG: free active (active state 0) object type: work_struct' \
		'list_add corruption. prev->next should be next' \
		'workqueue: work func refill [oomlens] enqueued on deprecated workqueue. Use system_{percpu|dfl}_wq instead.' \
		'refcount_t: underflow; use-after-free.'; do
		expect "a report: $line" 1 "$(klog "[    1.5] $line")"
	done
	expect "a report that was expected" 0 "$(klog 'oomlens-rig: expect at mm/x.c' \
		'WARNING: CPU: 0 at mm/x.c:1')"
	expect "the second of it was not" 1 "$(klog 'oomlens-rig: expect at mm/x.c' \
		'WARNING: CPU: 0 at mm/x.c:1' 'WARNING: CPU: 0 at mm/x.c:1')"
	expect "a report that was allowed" 0 "$(klog 'oomlens-rig: allow at mm/x.c' \
		'WARNING: CPU: 0 at mm/x.c:1')"
	expect "the second of it was not allowed" 1 "$(klog 'oomlens-rig: allow at mm/x.c' \
		'WARNING: CPU: 0 at mm/x.c:1' 'WARNING: CPU: 0 at mm/x.c:1')"
	expect "an allowed report that never came" 0 "$(klog 'oomlens-rig: allow at mm/x.c')"
	expect "an expected report that never came" 1 "$(klog 'oomlens-rig: expect at mm/x.c')"
}

# cycles LINE...: what cycles.awk finds in these lines of "nm -A", as one line
cycles()
{
	printf 'module/%s\n' "$@" | find_cycles "$GROUP_ORDER" | paste -s -d '|'
}

self_cycles()
{
	expect "no cycle" "" "$(cycles 'kernel/task.o:0000 T oomlens_task' \
		'kernel/task.o:     U printk' 'event/ring.o:     U oomlens_task' \
		'event/ring.o:0010 D oomlens_ring' 'main.o:     U oomlens_ring' \
		'main.o:0000 t oomlens_task')"
	expect "a cycle of two files in a group" \
		"a cycle among 2 files: event/a event/b|  event/a -> event/b (oomlens_b) -> event/a (oomlens_a)" \
		"$(cycles 'event/a.o:0000 T oomlens_a' 'event/a.o:     U oomlens_b' \
		'event/b.o:0000 T oomlens_b' 'event/b.o:     U oomlens_a')"
	expect "a cycle by a tracepoint, of groups and not of files" \
		"an arrow up: event/b -> trigger/pool (oomlens_pool)" \
		"$(cycles 'event/a.o:0000 D __tracepoint_oom_end' 'event/b.o:     U oomlens_pool' \
		'trigger/pool.o:0000 T oomlens_pool' 'trigger/kill.o:     U __tracepoint_oom_end')"
	expect "an arrow up, without a cycle" \
		"an arrow up: kernel/task -> event/ring (oomlens_ring)" \
		"$(cycles 'kernel/task.o:     U oomlens_ring' 'event/ring.o:0000 B oomlens_ring')"
	expect "an arrow between groups of one height" \
		"an arrow up: promise/mm -> badness/badness (oomlens_points)" \
		"$(cycles 'promise/mm.o:     U oomlens_points' 'badness/badness.o:0000 T oomlens_points')"
	expect "a group that the order does not name" \
		"novel/novel has no place in the order: $GROUP_ORDER" \
		"$(cycles 'main.o:     U oomlens_novel' 'novel/novel.o:0000 T oomlens_novel')"
	expect "an arrow up in an archive whose files are the order" \
		"an arrow up: text -> hog (hog_start)" \
		"$(printf 'lib/oomlens.a:%s\n' 'text.o:     U hog_start' 'hog.o:0000 T hog_start' \
			'hog.o:     U read_file' | find_cycles "text hog")"
	expect "no objects" "no file uses another: these are not our objects" \
		"$(find_cycles "$GROUP_ORDER" </dev/null)"
}

# panic_wrong SED: how many things panic.awk finds wrong in a good log, so edited
panic_wrong()
{
	sed "$1" <<-'TEXT' | awk -v REASON='Out of memory' -v KIND=memcg -f "$VM_DIR/panic.awk" | wc -l
	[    5.1] tail invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
	[    5.1] CPU: 1 PID: 136 Comm: tail Tainted: G           OE      5.10.0-32-amd64 #1 Debian 5.10
	[    5.2] memory: usage 20480kB, limit 20480kB, failcnt 106
	[    5.2] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
	[    5.2] [    135]     0   135      565       25    28672        0             0 sh
	[    5.2] [    136]     0   136     5622     5338    77824        0             0 tail
	[    5.3] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is enabled
	[    5.4] oomlens: block 2 format=1 page_kb=4 release=5.10.0-32-amd64 boot_id=1a32
	[    5.4] oomlens: event 2 time_us=5646538 kind=memcg pid=136 comm=tail outcome=panic
	[    5.4] oomlens: memcg 2 path=/web usage=5120
	[    5.4] oomlens: memcg 2 + limit=5120
	[    5.4] oomlens: candidate 2 rank=1 pid=136 uid=0 adj=0 rss_anon=5059 rss_file=1 rss_shmem=278 swap=0
	[    5.4] oomlens: candidate 2 + pgtables=19 vm_total=5622 verdict=eligible
	[    5.4] oomlens: candidate 2 rank=2 pid=135 uid=0 adj=0 rss_anon=20 rss_file=5 rss_shmem=0 swap=0 pgtables=7 vm_total=565
	[    5.4] oomlens: end 2 lines=4 dropped=0
	TEXT
}

self_panic()
{
	expect "a good panic" 0 "$(panic_wrong '')"
	expect "a panic of another kind" 1 "$(panic_wrong 's/Out of memory: comp/Fatal exc/')"
	expect "no panic" 2 "$(panic_wrong '/Kernel panic/d')"
	expect "a wrong term" 1 "$(panic_wrong 's/rss_anon=20/rss_anon=21/')"
	expect "a wrong term behind a plus" 1 "$(panic_wrong 's/pgtables=19/pgtables=18/')"
	expect "a candidate too many" 2 "$(panic_wrong 's/pid=135/pid=134/')"
	expect "another caller" 1 "$(panic_wrong 's/kind=memcg pid=136/kind=memcg pid=135/')"
	expect "another limit" 1 "$(panic_wrong 's/ limit=5120/ limit=5121/')"
	expect "a line of the block is lost" 1 "$(panic_wrong '/memcg 2 path/d')"
	expect "the end is lost" 1 "$(panic_wrong '/oomlens: end/d')"
	expect "no block" 1 "$(panic_wrong '/oomlens: block/,$d')"
}

# guest STATUS OUTCOME SCRIPT: what "vm run" returns, and the outcome kept
guest()
{
	run_guest "$self_id" -t 90 -S 60 "$3" >/dev/null 2>&1
	case $outcome in
	$2) expect "guest: $3" "$1" "$STATUS" ;;
	*) expect "guest: $3" "$2" "$outcome" ;;
	esac
}

self_guests()
{
	self_id=$(native_id)
	guest 0 'ok' 'true'
	# A leftover that holds the output's pipe
	guest 3 'status 3' 'sleep 3600 & seq 20000; exit 3'
	expect "all of its output" 20000 "$(awk '$1 == NR { n++ } END { print n }' "$RUN/output")"
	guest 125 'failed: the kernel complained*' 'echo c >/proc/sysrq-trigger'
	guest 125 'failed: ended without a word*' 'reboot -f; sleep 60'
	guest 125 'failed: hung, silent*' 'sleep 3600'
	guest 125 'failed: hung, over 90 s*' 'while :; do echo busy; sleep 1; done'
	guest 125 'failed: the kernel complained (ok)' 'echo 512 >/proc/sys/kernel/tainted'
	guest 0 'ok' 'echo "oomlens-rig: expect at mm/x.c" >/dev/kmsg
		echo "WARNING: CPU: 0 at mm/x.c:1" >/dev/kmsg; echo 512 >/proc/sys/kernel/tainted'
	# Below the console's log level
	guest 125 'failed: the kernel complained (ok)' \
		'echo 1 >/proc/sys/kernel/printk; echo "WARNING: CPU: 0" >/dev/kmsg'
	guest 125 'failed: the kernel complained (ok)' \
		'sleep 3600 </sys/kernel/debug/oomlens/features >/dev/null 2>&1 &'
	guest 137 'status 137' 'kill -9 $PPID; sleep 5'
}

cmd_selfcheck()
{
	sh "$VM_DIR/setup" --quiet
	self_passed=0 self_failed=0
	self_verdict
	self_klog
	self_cycles
	self_panic
	[ "${1:-}" = --quick ] || self_guests
	echo "$self_passed passed, $self_failed failed, 0 skipped"
	[ $self_failed = 0 ]
}
