# SPDX-License-Identifier: GPL-2.0
# The command "why", over the sentences of why.awk, which the report uses too.

function on_row() {
}

# A stall: what was largest and what grew when it began, by the samples around it
function why_stall(i,   width, last, first, text, g) {
	width = wide >= 40 && wide < 100 ? wide : 80
	print wrapped("", "Stall " stall_name[i] ", " utc(stall_epoch(i)) " (" stall_ago(i) "): " stall_text(i), width)
	order_samples()
	for (last = moments; last > 1 && WHEN[last] + newest > num(stall(i, "begin_us")) / 1000000; last--)
		;
	for (first = last; first > 1 && WHEN[last] - WHEN[first] < 600; first--)
		;
	if (first < last) {
		moments = last
		what_grows(first)
		for (g = 1; g <= GAINS["task"] && g <= 3; g++)
			text = followed(text, ", ") named(G["task", g, "name"], G["task", g, "pid"]) " by " pace_text(G["task", g, "pace"])
		chapter("What grew before it", text == "" ? "" : text ".", width)
	}
	chapter("What could be done", "The working set is larger than memory: fewer processes at once, memory.high or memory.max of what may wait (MemoryHigh=, MemoryMax= of its unit), memory.low of what may not, more RAM. A watchdog in user space (systemd-oomd, earlyoom) kills in such a state, the kernel does not.", width)
}

END {
	if (!dying && !unread("overcommit events")) {
		asked = only
		if (only == "") {
			only = telling_event()
			waited = event_at[events] - only
		}
		if (asked == "" && newest_stall(events ? only : 0)) {
			why_stall(newest_stall(0))
			if (events)
				print "\nThe last OOM was before it: oomlens why " only
		} else if (!events)
			print "There has been no OOM since the module was loaded. \"oomlens rank\" shows which process would be next."
		else if (!(only in has_event))
			die(5, not_kept(only))
		else
			why(only, waited)
	}
}
