# SPDX-License-Identifier: GPL-2.0
# The command "why", over the sentences of why.awk, which the report uses too.

function on_row() {
}

END {
	if (!dying && !unread("overcommit events")) {
		if (only == "") {
			only = telling_event()
			waited = event_at[events] - only
		}
		if (!events)
			print "There has been no OOM since the module was loaded. \"oomlens rank\" shows which process would be next."
		else if (!(only in has_event))
			die(5, not_kept(only))
		else
			why(only, waited)
	}
}
