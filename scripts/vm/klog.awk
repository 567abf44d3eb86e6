# SPDX-License-Identifier: GPL-2.0
# Prints every report of the kernel (a warning, an oops, a hung task and the like) since
# the job began. OOM kills and their dumps are no reports: the tests cause them.
#
# A test that causes a report on purpose writes one line to /dev/kmsg before each:
# "oomlens-rig: expect TEXT". The next report that contains TEXT is not printed. If it
# never comes, that is printed, unless PART is set: then the input is the console's
# log, which lacks what is below its level. With "allow" instead of "expect" the report
# may come or not.

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
