#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Each command of scripts/oomlens under busybox ash, dash and bash, on the live
# module. The judge is the kernel's own /proc, its cgroups and its log, and for
# JSON a real parser. One result a shell and command. For the exit codes the
# module is unloaded at the end, where it can be loaded again.
# With no shell but busybox it only runs if asked to, by OOMLENS_CLI=1.
# shellcheck disable=SC2317,SC2329 # functions are called by name

here=$(cd "$(dirname "$0")" && pwd)
PATH=$here/../scripts:$PATH
# shellcheck source=lib/ktap.sh
. "$here/lib/ktap.sh"
lens=/sys/kernel/debug/oomlens
group=/sys/fs/cgroup/oomlens_cli
[ ! -d /sys/fs/cgroup/memory ] || group=/sys/fs/cgroup/memory/oomlens_cli
odd="$group b\\134\$(id)\"'"
shm="/dev/shm/oomlens cli"

[ "$(id -u)" = 0 ] || skip_all "not root"
grep -qs '^enabled 1' $lens/trigger || skip_all "no debugfs, or the module without trigger=1"
[ -n "${OOMLENS_CLI:-}" ] || command -v dash >/dev/null || command -v bash >/dev/null ||
	skip_all "busybox alone, and not OOMLENS_CLI=1"
lens_command=$(command -v oomlens) || skip_all "the command oomlens is not installed"

sysrq=$(cat /proc/sys/kernel/sysrq 2>/dev/null)
work=$(mktemp -d)
chmod 755 "$work"
children=
clean_up()
{
	for p in $children; do
		kill -9 "$p" 2>/dev/null
	done
	wait
	rmdir "$group" "$odd" 2>/dev/null
	echo 0 >"$lens"/reserve
	[ -z "$sysrq" ] || echo "$sysrq" >/proc/sys/kernel/sysrq
	rm -rf "$work" "$shm"
} 2>/dev/null
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
echo -1000 >/proc/self/oom_score_adj
[ -z "$sysrq" ] || echo 1 >/proc/sys/kernel/sysrq

# A copy that other users can read
sh "$lens_command" bundle >"$work/oomlens" || exit 1
chmod 755 "$work/oomlens"

diagnostics=$work/said

# ---- what there is to look at ----

# sleeper ADJ: a process that keeps still; its pid in slept
sleeper()
{
	(
		echo "$1" >/proc/self/oom_score_adj
		exec sleep 1000
	) &
	slept=$!
	children="$children $slept"
	tries=200
	until grep -qs sleep "/proc/$slept/comm"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.02
	done
}

# The pids of the highest oom_score, highest first
kernel_order()
{
	grep -H . /proc/[0-9]*/oom_score 2>/dev/null |
		sed 's,/proc/\([0-9]*\)/oom_score:,\1 ,' | sort -k2,2nr | head -n "$1" |
		cut -d' ' -f1 | tr '\n' ' '
}

meminfo()
{
	awk -v k="$1:" '$1 == k { print $2 }' /proc/meminfo
}

# kills by the kernel's own count
kernel_kills()
{
	sed -n 's/^oom_kill //p' /proc/vmstat
}

# said WORD...: all of them, in one line of what the command wrote
said()
{
	awk -v want="$*" '{
		n = split(want, w, " ")
		for (i = 1; i <= n && index(" " $0 " ", " " w[i] " "); i++)
			;
		if (i > n)
			found = 1
	} END { exit !found }' "$work/said"
}

# field NAME: of a JSON line of what was said
field()
{
	sed -n "s/.*[{,]\"$1\":\"\{0,1\}\([^,}\"]*\).*/\1/p" "$work/said" | tail -n 1
}

# lens ARGUMENT...: the command, under the shell of this round
lens()
{
	$shell "$work/oomlens" "$@" >"$work/said" 2>&1
}

# lens_ends STATUS ARGUMENT...: with this exit status
lens_ends()
{
	want=$1
	shift
	lens "$@"
	got=$?
	[ $got = "$want" ] || {
		echo "# oomlens $*: exit $got, not $want"
		return 1
	}
}

json_of()
{
	lens "$@" && case $parser in
	jq) jq -e . <"$work/said" >/dev/null ;;
	*) "$parser" -c 'import json, sys
n = [json.loads(line) for line in sys.stdin]
sys.exit(not n)' <"$work/said" ;;
	esac
}

json_if_parser()
{
	[ -z "$parser" ] || json_of "$@"
}

parser=
for p in python3 jq; do
	! command -v $p >/dev/null || parser=$p
done

# ---- the commands ----

# Ranks 1 to 3 are the three with the highest oom_score, with their scores
test_rank()
{
	lens rank -n 3 || return 1
	[ "$(kernel_order 3)" = "$first $second $third " ] || {
		echo "# the kernel has $(kernel_order 3)"
		return 1
	}
	i=0
	for p in $first $second $third; do
		i=$((i + 1))
		awk -v i="$i" -v p="$p" -v s="$(cat "/proc/$p/oom_score")" '
			$1 == i && $2 == p && $4 == s { ok = 1 } END { exit !ok }' "$work/said" || return 1
	done
	# The root cgroup is the machine; init is never taken
	lens rank -a -n 0 --memcg / || return 1
	awk -v p="$first" '$1 == 1 && $2 == p { a = 1 } $1 == "-" && $2 == 1 { b = 1 }
		END { exit !(a && b) }' "$work/said" && lens_ends 5 rank --memcg /not/there
}

test_rank_memcg()
{
	lens rank --memcg "$group" &&
		[ "$(awk '/^ *[0-9]/ { printf "%s ", $2 }' "$work/said")" = "$(tr '\n' ' ' <$group/cgroup.procs)" ] &&
		lens rank --memcg "$odd" &&
		[ "$(awk '/^ *[0-9]/ { printf "%s ", $2 }' "$work/said")" = "$(tr '\n' ' ' <"$odd"/cgroup.procs)" ] &&
		lens rank --json --memcg "$odd" &&
		grep -qF "\"memcg\":\"/oomlens_cli b\\\\134\$(id)\\\"'\"" "$work/said"
}

# The tool's own shell and what it starts are in no table, unless asked for
test_self()
{
	for self in '' --self; do
		for c in "rank -an0" "top -1n9999" "whatif -n0 $third 700" "report --json"; do
			(
				echo 0 >/proc/self/oom_score_adj
				# shellcheck disable=SC2086 # words
				exec $shell "$work/oomlens" $c $self
			) >"$work/said" 2>&1 &
			own=$!
			wait "$own" || return 1
			[ "${self:+1}" = "$(grep -Eq "^ *[0-9]+ +$own |\"rank\":[0-9]+,\"pid\":$own," "$work/said" && echo 1)" ] || {
				echo "# $c $self: $own"
				return 1
			}
		done
	done
}

test_top()
{
	lens top -1 && awk -v p="$first" '$1 == 1 && $2 == p { ok = 1 } END { exit !ok }' "$work/said" &&
		grep -q "^events: .* $(($(kernel_kills) - kills_before)) killed" "$work/said"
}

# frame: the last whole one on the terminal, without what moves the cursor
frame()
{
	tr -d '\r\033' <"$work/screen" | awk '{
		if (sub(/^\[J/, "")) {
			last = now
			now = ""
		}
		sub(/.*\[H/, "")
		sub(/\[K$/, "")
		now = now $0 "\n"
	} END { printf "%s", last }'
}

# shows PATTERN: an extended one
shows()
{
	frame | grep -Eq -- "$1"
}

shows_not()
{
	! shows "$1"
}

# typed KEY CONDITION...: no frame comes for 25 s but by a key
typed()
{
	printf %s "$1" >&7
	shift
	until_true "$@"
}

# top_on_terminal [SECONDS]: on one of its own, its processes among the first in line
top_on_terminal()
{
	: >"$work/screen"
	(
		echo 700 >/proc/self/oom_score_adj
		# shellcheck disable=SC2086 # two words
		exec env NO_COLOR=1 "$here/oomlens_tty" $shell "$work/oomlens" top -d "${1:-25}"
	) <"$work/keys" >"$work/screen" 2>&1 7>&- &
	tty=$!
	children="$children $tty"
	until_true shows '^ +1 +[0-9]+ '
}

top_row()
{
	frame | awk '$1 ~ /^[0-9]+$/ { print $2; exit }'
}

resident()
{
	awk '/^VmRSS:/ { print $2 }' "/proc/$1/status"
}

# Gone, or waited for by this shell alone
ended()
{
	[ "$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null || echo Z)" = Z ]
}

# leaves KEY: with the settings that the terminal had, and the cursor on
leaves()
{
	printf %s "$1" >&7
	until_true ended "$tty" || return 1
	wait "$tty"
	status=$?
	[ $status = 0 ] || echo "# top left by $(printf %s "$1" | od -An -tx1) with $status"
	tail -c 20 "$work/screen" | tr '\033' E | grep -qF 'E[?25h' && [ $status = 0 ]
}

keys_of_top()
{
	top_on_terminal || return 1
	own=$(cat "/proc/$tty/task/$tty/children")
	own=${own% }
	[ "$(top_row)" = "$first" ] && shows_not "^ +[-0-9]+ +($$|$own) " || return 1
	typed '?' shows '^  q  leave' && typed x shows_not '^  q  leave' && shows "^ +1 +$first " || return 1
	# This shell is exempt
	typed a shows "^ +- +$$ " && typed a shows_not "^ +- +$$ " || return 1
	typed s shows "^ +[0-9]+ +$own +700 " && typed s shows_not "^ +[0-9]+ +$own " || return 1
	typed o shows '^oomlens: by memory; ' && [ "$(top_row)" != "$first" ] &&
		[ "$(resident "$(top_row)")" -gt "$(resident "$first")" ] && typed o shows_not '^oomlens: by memory; ' || return 1
	shows_not '^oomlens: by growth; ' || typed o shows_not '^oomlens: by growth; ' || return 1
	[ "$(top_row)" = "$first" ] || return 1
	typed c shows '^RANK +PROCS ' && { [ -n "$no_group" ] || shows '^ +[0-9]+ +1 .* /oomlens_cli$'; } &&
		typed c shows_not '^RANK +PROCS ' && leaves q || return 1
	top_on_terminal && leaves "$(printf '\003')"
}

test_top_keys()
{
	[ -p "$work/keys" ] || mkfifo "$work/keys" "$work/never"
	# For writing too: neither end waits for the other
	exec 7<>"$work/keys"
	# One with much memory, late in line
	(
		exec 7>&-
		echo 300 >/proc/self/oom_score_adj
		# shellcheck disable=SC2034 # it is there to be large
		large=$(head -c 4000000 /dev/zero | tr '\0' x)
		: >"$work/large"
		# No process writes to it.
		read -r _ <"$work/never"
	) >/dev/null 2>&1 &
	hog=$!
	children="$children $hog"
	until_true [ -e "$work/large" ] && keys_of_top
	status=$?
	rm -f "$work/large"
	[ $status = 0 ] || frame | head -n 12 | sed 's/^/# screen: /'
	kill "$tty" "$hog" 2>/dev/null
	exec 7>&-
	return $status
}

two_samples()
{
	[ "$(grep -c ^sample "$lens/history")" -ge 2 ]
}

# The fourth column is GROW on a terminal as narrow as this.
hog_grows()
{
	frame | awk -v p="$hog" '$1 == "RANK" { ok = $4 == "GROW" } ok && $2 == p && $4 ~ /[KM]$/ { found = 1 } END { exit !found }'
}

# A process that begins to grow while top runs: of the history top reads what is new
growth_of_top()
{
	until_true two_samples && top_on_terminal 1 || return 1
	(
		exec 7>&-
		echo 300 >/proc/self/oom_score_adj
		s=
		while sleep 0.2; do
			s=$s$(head -c 200000 /dev/zero | tr '\0' x)
		done
	) >/dev/null 2>&1 &
	hog=$!
	children="$children $hog"
	until_true hog_grows && leaves q
}

test_top_growth()
{
	[ -p "$work/keys" ] || mkfifo "$work/keys" "$work/never"
	exec 7<>"$work/keys"
	every=$(cat /sys/module/oomlens/parameters/history)
	tty='' hog=''
	echo 1 >/sys/module/oomlens/parameters/history
	growth_of_top
	status=$?
	echo "$every" >/sys/module/oomlens/parameters/history
	[ $status = 0 ] || frame | head -n 12 | sed 's/^/# screen: /'
	# shellcheck disable=SC2086 # none, if it did not come to that
	kill $tty $hog 2>/dev/null
	exec 7>&-
	return $status
}

# What it foretells, done
test_whatif()
{
	lens whatif "$third" 1000 && said "from rank 3 to rank 1." || return 1
	[ "$(cat "/proc/$third/oom_score_adj")" = 800 ] || return 1
	foretold=$(awk -v p="$third" '$1 == 1 && $2 == p { print $4 }' "$work/said")
	echo 1000 >"/proc/$third/oom_score_adj"
	score=$(cat "/proc/$third/oom_score")
	order=$(kernel_order 1)
	echo 800 >"/proc/$third/oom_score_adj"
	[ "$foretold" = "$score" ] && [ "$order" = "$third " ] &&
		lens whatif "$third" -1000 && grep -q 'would never be chosen' "$work/said" &&
		lens_ends 5 whatif 99999999 0
}

test_overcommit()
{
	lens overcommit && said "Mode $(cat /proc/sys/vm/overcommit_memory)" &&
		lens overcommit --json &&
		[ $(($(field commit_limit) * $(field page_kb))) = "$(meminfo CommitLimit)" ] &&
		[ $(($(field ram) * $(field page_kb))) = "$(meminfo MemTotal)" ]
}

# The parts add up to MemTotal
test_memory()
{
	lens memory && said "RAM " && said unaccounted &&
		lens memory --json &&
		[ $(($(field ram) * $(field page_kb))) = "$(meminfo MemTotal)" ] &&
		awk -F'[{:,}]' '{
			for (i = 2; $i != "\"drift\""; i += 2)
				sum += $i == "\"ram\"" ? -$(i + 1) : $(i + 1)
			exit sum != 0
		}' "$work/said"
}

# A process' charge is its mappings that the kernel marks "ac" (accounted);
# mapping by mapping it is its maps
test_commit()
{
	lens commit -n 0 --json || return 1
	sed -n "/\"pid\":$first,/p" "$work/said" >"$work/row"
	mv "$work/row" "$work/said"
	charged=$(awk '/^Size:/ { size = $2 } /^VmFlags:.* ac( |$)/ { sum += size } END { print sum }' \
		"/proc/$first/smaps")
	[ $(($(field charge) * page_kb)) = "$charged" ] || return 1
	lens commit -n 0 "$first" || return 1
	awk '/^ *[0-9a-f]+ / { print $1 }' "$work/said" | sort >"$work/starts"
	sed 's/-.*//; /^ffffffffff/d' "/proc/$first/maps" | sort | cmp -s - "$work/starts" || return 1
	lens commit --memcg -n 0 && grep -q ' /' "$work/said" && lens_ends 5 commit 99999999
}

# A file that no process holds, against what it takes on its tmpfs
test_objects()
{
	head -c 1200000 /dev/zero >"$shm" && lens objects -n 0 --json || return 1
	held=$(du -k "$shm" | cut -f1)
	rm "$shm"
	grep -F "\"path\":\"$shm\"" "$work/said" >"$work/row"
	mv "$work/row" "$work/said"
	[ "$held" -ge 1172 ] && [ $(($(field resident) * page_kb)) = "$held" ] && [ "$(field holders)" = 0 ] &&
		lens_ends 5 objects 99999999
}

# One kill for trigger, and what the others say of it
test_trigger()
{
	lens trigger && grep -q '^command kill' "$work/said" || return 1
	lens_ends 2 trigger nonsense && json_if_parser trigger --json && lens_ends 5 trigger kill pid=99999999 || return 1
	sleeper 0
	killed=$slept
	lens trigger kill "pid=$killed" && said "sleep ($killed)" || return 1
	tries=200
	while [ -e "/proc/$killed" ] && [ "$(cut -d' ' -f3 "/proc/$killed/stat" 2>/dev/null)" != Z ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.02
	done
	dmesg | grep -q "Killed process $killed (sleep)"
}

# Where the module has a history: what is available lies between two readings of the
# kernel's, less what a sample may be old. Else it is said.
test_history()
{
	if [ ! -e /proc/oomlens/history ]; then
		lens_ends 3 history && grep -q 'history' "$work/said" && lens_ends 3 forecast
		return
	fi
	lens history --json -n 1 || return 1
	tries=200
	until grep -q '"sample":' "$work/said"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
		lens history --json -n 1 || return 1
	done
	seen=$(($(field available) * page_kb))
	total=$(meminfo MemTotal)
	[ "$seen" -gt 0 ] && [ "$seen" -lt "$total" ] || return 1
	lens history && grep -q '^ *available ' "$work/said" || return 1
	lens forecast
	case $? in
	0 | 6) grep -Eq '^(Not in sight|Memory )' "$work/said" && lens_ends 2 forecast --within x ;;
	*) return 1 ;;
	esac
}

# The log's last kill is the list's last line
test_events()
{
	last=$(dmesg | sed -n 's/.*Killed process \([0-9]*\) (\(.*\)), .*/\2 (\1)/p;
		s/.*Killed process \([0-9]*\) (\([^)]*\)) .*/\2 (\1)/p' | tail -n 1)
	lens events && tail -n 1 "$work/said" >"$work/row" && mv "$work/row" "$work/said" &&
		said "killed" && grep -qF " $last " "$work/said" &&
		lens_ends 5 events 99999999
}

# One that waits has shown all that there were, and is told of a new one: each once
# What others killed before may be kept no longer: only the new ones are counted
test_events_follow()
{
	newest=$(awk '$1 == "events" { print $2 }' "$lens/stats")
	by_now=$(kernel_kills)
	$shell "$work/oomlens" events --follow --json >"$work/followed" 2>&1 &
	follower=$!
	children="$children $follower"
	in_time followed "$killed" && sleeper 0 && echo "kill pid=$slept" >"$lens/trigger" &&
		in_time followed "$slept"
	seen=$?
	kill "$follower" 2>/dev/null
	mv "$work/followed" "$work/said"
	[ "$seen" = 0 ] && [ "$(sed -n 's/^{"event":\([0-9]*\),.*/\1/p' "$work/said" |
		awk -v newest="$newest" '$1 > newest' | wc -l)" = $(($(kernel_kills) - by_now)) ]
}

# in_time FILE PID: it names this victim, within a bound
in_time()
{
	tries=300
	until grep -q "\"victims\":.{\"pid\":$2," "$work/$1" 2>/dev/null; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.02
	done
}

test_why()
{
	lens why && tr '\n' ' ' <"$work/said" >"$work/row" && mv "$work/row" "$work/said" &&
		grep -q "took sleep ($killed)\." "$work/said" && lens_ends 5 why 99999999
}

test_metrics()
{
	lens metrics -o "$work/metrics" && cp "$work/metrics" "$work/said" &&
		said "oomlens_kills_total $(($(kernel_kills) - kills_before))" &&
		said "oomlens_commit_limit_bytes $(awk -v kb="$(meminfo CommitLimit)" 'BEGIN { printf "%.0f", kb * 1024 }')" &&
		said "oomlens_next_victim_score $(cat "/proc/$first/oom_score")"
}

test_report()
{
	lens report && tr '\n' ' ' <"$work/said" | grep -q "took sleep ($killed)\." && said 1 "$first" || return 1
	lens report --html -o "$work/page" || return 1
	cp "$work/page" "$work/said"
	grep -q "<b>sleep</b> ($first)" "$work/said" && [ "$(tail -n 1 "$work/said")" = "</body></html>" ] &&
		! grep -qE 'nan|(src|href)=' "$work/said"
}

test_save()
{
	rm -rf "$work/saved"
	# What root alone may read stays so
	lens save "$work/saved" && [ -z "$(find "$work/saved" -perm -040 -o -perm -004)" ] &&
		lens --from "$work/saved" rank -n 1 &&
		awk -v p="$first" '$1 == 1 && $2 == p { ok = 1 } END { exit !ok }' "$work/said" &&
		lens --from "$work/saved" why && tr '\n' ' ' <"$work/said" | grep -q "took sleep ($killed)\."
}

# What it sets aside is gone from MemFree, and comes back
test_reserve()
{
	before=$(meminfo MemFree)
	lens reserve 8M && said target $((8192 / page_kb)) || return 1
	tries=250
	until [ $((before - $(meminfo MemFree))) -ge 6000 ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.02
	done
	lens reserve 0 && said held 0 && [ $((before - $(meminfo MemFree))) -lt 3000 ]
}

test_status()
{
	lens status && said kills $(($(kernel_kills) - kills_before)) && said procfs yes && said debugfs yes
}

test_bundle()
{
	lens bundle && cmp "$work/said" "$work/oomlens"
}

test_help()
{
	lens --help && for c in rank trigger; do
		grep -q "^  $c " "$work/said" && $shell "$work/oomlens" "$c" --help |
			grep -q "^usage: oomlens $c" || return 1
	done
}

test_json()
{
	json_of rank -a --json && json_of events --json && json_of overcommit --json &&
		json_of commit --json && json_of commit --json "$first" && json_of status --json &&
		json_of whatif "$first" 5 --json && {
		[ -n "$no_group" ] || json_of commit --memcg --json
	}
}

# refused_for WORDS STATUS ARGUMENT...: ends so, and says these words, which name the
# remedy; no line number of a shell
refused_for()
{
	words=$1
	shift
	lens_ends "$@" || return 1
	grep -qF -- "$words" "$work/said" && ! grep -Eq 'line [0-9]|can.t (open|create)' "$work/said" && return
	echo "# oomlens $*: not '$words'"
	return 1
}

# Each names what would help
test_refusals()
{
	was=$(cat /proc/sys/vm/panic_on_oom)
	echo 1 >/proc/sys/vm/panic_on_oom
	refused_for 'echo 0 >/proc/sys/vm/panic_on_oom' 1 trigger kill
	status=$?
	echo "$was" >/proc/sys/vm/panic_on_oom
	if [ -n "$sysrq" ]; then
		echo 0 >/proc/sys/kernel/sysrq
		refused_for 'echo 1 >/proc/sys/kernel/sysrq' 1 trigger kill || status=1
		echo 1 >/proc/sys/kernel/sysrq
	fi
	[ "$status" = 0 ] &&
		refused_for 'kernel thread, which has no memory of its own' 1 trigger kill pid=2 &&
		refused_for 'init, which the kernel never takes' 1 trigger kill pid=1 &&
		refused_for 'kernel thread, which has no memory of its own' 1 commit 2 &&
		refused_for 'kernel thread, which has no memory of its own' 1 objects 2 &&
		refused_for "at most half of the memory, $(($(meminfo MemTotal) / 2))K" 1 reserve 100G &&
		refused_for 'reserve --help' 2 reserve nonsense &&
		refused_for 'trigger --help' 2 trigger pressure limit=x &&
		{ [ -n "$no_group" ] || refused_for "no such cgroup" 5 rank --memcg /not/there; }
}

# In another PID namespace each command says that this is the reason
test_container()
{
	for c in "top -1" rank "whatif 1 5" why events overcommit commit objects memory report metrics status trigger; do
		# shellcheck disable=SC2086 # words
		unshare -p -f $shell "$work/oomlens" $c >"$work/said" 2>&1
		status=$?
		grep -q 'another PID namespace' "$work/said" && [ "$(grep -c . "$work/said")" = 1 ] &&
			[ "$status" = 4 ] && continue
		echo "# in a container: $c: exit $status"
		return 1
	done
}

# Wrong usage, and a user that is not root
test_exits()
{
	lens_ends 2 && lens_ends 2 nonsense && lens_ends 2 rank -n x && lens_ends 2 whatif 1 5000 || return 1
	su -s /bin/sh nobody -c "$shell $work/oomlens rank" >"$work/said" 2>&1
	[ $? = 4 ] && su -s /bin/sh nobody -c "$shell $work/oomlens overcommit" >"$work/said" 2>&1
}

# ---- each shell ----

kills_before=$(($(kernel_kills) - $(awk '$1 == "kills" { print $2 }' $lens/stats)))
page_kb=$(awk '/^KernelPageSize/ { print $2; exit }' /proc/self/smaps)

sleeper 950
first=$slept
sleeper 900
second=$slept
sleeper 800
third=$slept
no_group=
grep -qsw memory /sys/fs/cgroup/cgroup.controllers &&
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
if mkdir "$group" 2>/dev/null && [ -e $group/memory.stat ]; then
	sleeper 0
	echo "$slept" >$group/cgroup.procs
	# A name that each layer could take for something else
	mkdir "$odd"
	sleeper 0
	echo "$slept" >"$odd"/cgroup.procs
else
	no_group=1
fi

# What it is called
command_of()
{
	case $1 in
	ash) echo 'busybox sh' ;;
	*) echo "$1" ;;
	esac
}

find_ko
set -- rank top self whatif overcommit commit memory objects trigger history events why metrics report save reserve \
	status events_follow bundle help refusals exits
shells=
plan=0
for name in ash dash bash; do
	if command -v "$(command_of $name | cut -d' ' -f1)" >/dev/null; then
		shells="$shells$name "
		# rank --memcg, --json, a container, the keys of top and what grows; two without the module
		plan=$((plan + $# + 7))
	else
		plan=$((plan + 1))
	fi
done
echo "TAP version 13"
echo "1..$plan"
for name in ash dash bash; do
	case " $shells" in
	*" $name "*) ;;
	*)
		skip "$name: no such shell" "not installed"
		continue
		;;
	esac
	shell=$(command_of $name)
	began=$(date +%s)
	for t; do
		: >"$work/said"
		"test_$t"
		result $? "$name: $t"
	done
	if unshare -p -f true 2>/dev/null; then
		test_container
		result $? "$name: in a container"
	else
		skip "$name: in a container" "no PID namespace"
	fi
	if [ -n "$no_group" ]; then
		skip "$name: rank --memcg: no memory cgroups" "no such controller"
	else
		test_rank_memcg
		result $? "$name: rank --memcg"
	fi
	if [ -n "$parser" ]; then
		test_json
		result $? "$name: --json, by $parser"
	else
		skip "$name: --json: no JSON parser" "neither python3 nor jq"
	fi
	if [ -n "${OOMLENS_CLI:-}" ]; then
		: >"$work/said"
		test_top_keys
		result $? "$name: the keys of top"
		: >"$work/said"
		test_top_growth
		result $? "$name: top shows what has begun to grow"
	else
		skip "$name: the keys of top" "not OOMLENS_CLI=1"
		skip "$name: top shows what has begun to grow" "not OOMLENS_CLI=1"
	fi
	echo "# $name: $(($(date +%s) - began)) s"
done

# ---- without the module ----

if [ -z "$ko" ]; then
	for name in $shells; do
		skip "$name: exit 3 where the module is not loaded" "no oomlens.ko to load again"
		skip "$name: exit 4 where it was loaded without trigger=1" "no oomlens.ko to load again"
	done
else
	rmmod oomlens
	for name in $shells; do
		shell=$(command_of "$name")
		wrong=0
		for c in "top -1" rank "whatif 1 0" why events history forecast overcommit commit objects memory report metrics \
				"save $work/s" trigger reserve status; do
			# shellcheck disable=SC2086 # words
			lens_ends 3 $c || wrong=1
		done
		result $wrong "$name: exit 3 where the module is not loaded"
	done
	# Loaded plainly, it lets root only look
	insmod "$ko"
	for name in $shells; do
		shell=$(command_of "$name")
		lens_ends 4 trigger pressure limit=1M && lens_ends 4 reserve 1M && lens_ends 0 rank
		result $? "$name: exit 4 where it was loaded without trigger=1"
	done
	rmmod oomlens
	# shellcheck disable=SC2086 # words
	insmod "$ko" $parameters || result 1 "the module could not be loaded again"
fi
exit $((bad != 0))
