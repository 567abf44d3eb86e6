# SPDX-License-Identifier: GPL-2.0
# Prints every report that the kernel made since the job began. OOM kills and
# their dumps are not reports: provoking them is the tests' trade.
#
# A test that means to provoke a report says so beforehand, by one line in
# /dev/kmsg for each: "oomlens-rig: expect TEXT". The next report that contains
# TEXT is let through; one that never comes is itself a report, but where PART
# of the log is looked at: the console is not told all. "allow" in the place of
# "expect": it need not come.

{ sub(/\r$/, "") }

/oomlens-rig: start/ { on = 1; next }
!on && !/Kernel panic/ { next }

/oomlens-rig: (expect|allow) / {
	text = $0
	sub(/.*oomlens-rig: (expect|allow) /, "", text)
	expect[++expected] = text
	may_stay[expected] = /oomlens-rig: allow /
	next
}

/Kernel panic|Oops[: ]|BUG:|WARNING:|INFO: (possible|suspicious|task|rcu)|KASAN|KCSAN:|UBSAN:|rcu.*(stall|self-detected)|soft lockup|hard LOCKUP|general protection|[Uu]nable to handle|Internal error|scheduling while atomic|sleeping function called|bad page|Bad page|list_(add|del) corruption|refcount_t:|ODEBUG:|possible recursive locking|trace_recursion|[Kk]ernel BUG|unregister_netdevice|workqueue lockup|page_owner|BUG [a-z_-]+ .*(Not tainted|Tainted)|SLUB.*corrupt|Unbalanced|call trace missing|nobody cared|\[oomlens[a-z_]*\] enqueued on deprecated workqueue|stack guard page|corrupted stack/ {
	for (i = 1; i <= expected; i++)
		if (expect[i] != "" && index($0, expect[i])) {
			expect[i] = ""
			next
		}
	print
}

END {
	for (i = 1; i <= expected && !PART; i++)
		if (expect[i] != "" && !may_stay[i])
			print "an expected report did not come: " expect[i]
}
