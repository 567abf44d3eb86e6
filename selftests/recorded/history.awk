# SPDX-License-Identifier: GPL-2.0
# What /proc/oomlens/history reads in a story of which the end is known: awk -f history.awk
# name=STORY at=SECONDS seed=N, and t0=, the uptime when it begins, swap=, in pages. The story's own end, in
# seconds, goes to the file "truth", its OOMs to "events".
# Sizes are pages of 4 KiB; a machine of 1 GiB. The stories:
#   leak      1 MB a second in one process among noise, from second 300 on
#   slow      100 kB a minute beside a process that takes and gives back 50 MB
#   saw       memory that rises and falls without end; period= and depth= (percent of RAM)
#   flat      noise alone          falling   memory comes back
#   cache     the page cache grows until all of RAM is in use
#   nobody    1 MB a second that no process owns (unaccounted)
#   slab      the same in slab that cannot be reclaimed
#   fork      processes of one name, five a second of 200 kB each
#   memcg     0.5 MB a second in a cgroup below its limit of 400 MB; cached=1: page cache
#             takes the rest of it
#   hidden    the same where the machine's memory ends first
#   thrash    all memory is in use, and stalls
#   restart   the leak a second time, after the OOM killer took it once

# Not rand(): each awk has its own.
function dice() {
	lcg = (lcg * 16807) % 2147483647
	return lcg / 2147483647
}

# About normal, of deviation 1
function noise() {
	return (dice() + dice() + dice() + dice() - 2) * 1.732
}

function task(t, pid, comm, memcg, pages, before, start) {
	pages = int(pages)
	before = int(before)
	line = sprintf("task %d pid=%d start_us=%d000000 uid=0 comm=%s memcg=%s points=%d grew=%d from_max=-", t, pid, start, comm, memcg, pages, pages - before)
	body = body line "\n"
}

# The processes' memory at tick i, into P
function step(i,   t, k, leak) {
	t = i * EVERY
	for (k = 1; k <= 6; k++) {
		ar[k] = ar[k] * 0.6 + noise() * 200
		was[k] = P[k]
		P[k] = 4000 + 1500 * k + ar[k]
	}
	for (k in extra)
		was_extra[k] = extra[k]
	cache_was = cache
	if (name == "leak" || name == "restart")
		extra["leak"] = t > FROM ? (t - FROM) * 256 : 0
	if (name == "restart" && t > FROM + 740)
		extra["leak"] = t > FROM + 900 ? (t - FROM - 900) * 256 : 0
	if (name == "slow") {
		extra["leak"] = t * 25 / 60
		if (dice() < 0.5)
			extra["churn"] = 12800 * dice()
	}
	if (name == "saw")
		extra["saw"] = RAM * depth / 100 * ((t % period) / period) * (0.9 + 0.1 * dice())
	if (name == "falling")
		extra["leak"] = t < 3000 ? 150000 - t * 50 : 0
	if (name == "nobody" || name == "slab")
		hidden = t > FROM ? (t - FROM) * 256 : 0
	if (name == "fork")
		forks = t > FROM ? (t - FROM) * 5 : 0
	if (name == "memcg" || name == "hidden")
		extra["leak"] = t > FROM ? (t - FROM) * 128 : 0
	if (name == "cache")
		cache = t * 300 < 180000 ? t * 300 : 180000
	if (name == "thrash")
		extra["leak"] = t < 600 ? t * 330 : 198000 + noise() * 300
	anon = forks * 50
	for (k = 1; k <= 6; k++)
		anon += P[k]
	for (k in extra)
		anon += extra[k]
	left = RAM - 8000 - anon - hidden
	# What no longer fits goes to swap
	swapped = left < 700 ? 700 - left : 0
	if (swapped > swap)
		swapped = swap
	if (swapped > anon)
		swapped = anon
	anon -= swapped
	left += swapped
	if (left < 700)
		left = 700 + int(200 * dice())
	# Of the samples of the day it is the least.
	if (i % 60 == 1 || left < low)
		low = left
}

# The sample of tick i, over so many ticks
function sample(i, over,   t, k, full) {
	t = i * EVERY
	if (over > 1)
		left = low
	full = name == "thrash" && t > 590 ? 60 + int(30 * dice()) : 0
	body = body sprintf("sample %d time_us=%d000000 real_us=%.0f over_s=%d free=%d available=%d anon=%d page_cache=%d shmem=%d slab_reclaimable=%d slab_unreclaimable=%d kernel_stack=%d pagetables=%d unaccounted=%d swap_free=%d committed=%d tasks=%d psi_some=%.2f psi_full=%.2f\n", i, T0 + t, (EPOCH + t) * 1000000, over * EVERY, left - cache < 500 ? 500 : left - cache, left, anon, 3000 + cache, 900, 1500, 2500 + (name == "slab" ? hidden : 0), 400 + forks * 4, 600 + forks * 8, 200 + (name == "nobody" ? hidden : 0), swap - swapped, anon * 1.3, 80 + forks, full ? full + 5 : 0, full)
	for (k = 1; k <= 6; k++)
		task(i, 100 + k, "neighbour" k, "/system.slice/n" k ".service", P[k], was[k], 1)
	for (k in extra)
		if (extra[k] > 0)
			task(i, k == "churn" ? 301 : 300, k == "churn" ? "churn" : "hog", name == "memcg" || name == "hidden" ? "/web" : "/", extra[k] + 60, was_extra[k] + 60, k == "churn" ? 2 : FROM)
	if (forks)
		body = body sprintf("comm %d comm=bomb count=%d points=%d grew=%d\n", i, forks, forks * 50, over * EVERY * 5 * 50)
	body = body sprintf("memcg %d path=/system.slice usage=%d limit=- grew=%d psi_full=0\n", i, anon, 0)
	if (name == "memcg" || name == "hidden")
		body = body sprintf("memcg %d path=/web usage=%d limit=%d grew=%d psi_full=0\n", i, cached ? LIMIT - int(50 * dice()) : extra["leak"] + 500, LIMIT, 0)
}

BEGIN {
	EVERY = 10
	RAM = 262144
	T0 = 1000
	EPOCH = 1795183200
	FROM = 300
	LIMIT = 102400
}

END {
	if (period == "")
		period = 420
	if (depth == "")
		depth = 40
	if (t0 != "")
		T0 = t0
	swap += 0
	if (name == "hidden")
		LIMIT = 250000
	lcg = seed + 12345
	for (k = 0; k < 20; k++)
		dice()
	ticks = int(at / EVERY)
	print "# oomlens history 1"
	print "# every_s 10 short 60 long 144 rows 12 page_kb 4 cost_us 410"
	for (i = 0; i <= ticks; i++) {
		step(i)
		if (i > 0 && i % 60 == 0 && i <= ticks - 60 && i > ticks - 144 * 60) {
			body = ""
			sample(i, 60)
			printf "%s", body
		} else if (i > ticks - 60) {
			body = ""
			sample(i, 1)
			printf "%s", body
		}
	}
	if (name == "thrash" && at > 600)
		printf "stall 1 begin_us=%d000000 end_us=- psi_full_max=89 memcg=/\n", T0 + 600
	print "# oomlens events 1" > "events"
	if (name == "restart" && at > FROM + 740)
		printf "event 1 time_us=%d000000 kind=global outcome=killed victims=1\nvictim 1 pid=300 comm=hog\n", T0 + FROM + 740 > "events"
	# Where the mean of what is left comes to nothing
	left = RAM - 8000 - 6 * 4000 - 1500 * 21
	end = "-"
	if (name == "leak" || name == "nobody" || name == "slab")
		end = FROM + left / 256
	# Slab has what processes had in RAM, as long as swap has room for it; they have the rest.
	if (name == "leak" && swap)
		end = FROM + (left + swap) / 256
	if (name == "slab" && swap)
		end = FROM + (RAM - 8000) / 256
	if (name == "restart")
		end = at <= FROM + 740 ? FROM + left / 256 : FROM + 900 + left / 256
	if (name == "slow")
		end = (left - 6400) / 25 * 60
	if (name == "fork")
		end = FROM + left / 250
	if (name == "memcg")
		end = FROM + (LIMIT - 500) / 128
	if (name == "hidden")
		end = FROM + left / 128
	print end, T0 + at, EPOCH + at > "truth"
}
