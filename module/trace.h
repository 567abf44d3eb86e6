/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The trace events oomlens:oom_begin, oom_victim and oom_end, for perf,
 * trace-cmd and bpftrace: the same numbers as in the file events.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM oomlens

#if !defined(OOMLENS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define OOMLENS_TRACE_H

#include <linux/tracepoint.h>

#include "event.h"

/* So that tools outside the kernel know the names too. */
#undef X
#undef LAST
#define X(value, name)		TRACE_DEFINE_ENUM(value);
#define LAST(value, name)	TRACE_DEFINE_ENUM(value);
OOMLENS_KINDS(X, LAST)
OOMLENS_CAUSES(X, LAST)
OOMLENS_OUTCOMES(X, LAST)
OOMLENS_BYS(X, LAST)
#undef X
#undef LAST
#define X(value, name)		{ value, name },
#define LAST(value, name)	{ value, name }

TRACE_EVENT(oom_begin,
	TP_PROTO(const struct oomlens_event *e),
	TP_ARGS(e),
	TP_STRUCT__entry(
		__field(unsigned long, number)
		__field(u32, gfp)
		__field(int, order)
		__field(int, pid)
		__field(u8, kind)
		__field(u8, trigger)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->number = e->number;
		__entry->gfp = (__force u32)e->gfp;
		__entry->order = e->order;
		__entry->pid = e->pid;
		__entry->kind = e->kind;
		__entry->trigger = e->trigger;
		memcpy(__entry->comm, e->comm, TASK_COMM_LEN);
	),
	TP_printk("event=%lu kind=%s trigger=%s gfp=%#x order=%d pid=%d comm=%s",
		  __entry->number, __print_symbolic(__entry->kind, OOMLENS_KINDS(X, LAST)),
		  __print_symbolic(__entry->trigger, OOMLENS_CAUSES(X, LAST)), __entry->gfp,
		  __entry->order, __entry->pid, __entry->comm)
);

TRACE_EVENT(oom_victim,
	TP_PROTO(unsigned long number, struct task_struct *victim, bool killed),
	TP_ARGS(number, victim, killed),
	TP_STRUCT__entry(
		__field(unsigned long, number)
		__field(int, pid)
		__field(bool, killed)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->number = number;
		__entry->pid = task_tgid_nr(victim);
		__entry->killed = killed;
		memcpy(__entry->comm, victim->comm, TASK_COMM_LEN);
	),
	TP_printk("event=%lu pid=%d comm=%s killed=%d", __entry->number,
		  __entry->pid, __entry->comm, __entry->killed)
);

TRACE_EVENT(oom_end,
	TP_PROTO(const struct oomlens_event *e),
	TP_ARGS(e),
	TP_STRUCT__entry(
		__field(unsigned long, number)
		__field(unsigned long, totalpages)
		__field(unsigned long, freed)
		__field(unsigned int, victims)
		__field(u64, duration_ns)
		__field(u8, kind)
		__field(u8, outcome)
		__field(u8, by)
	),
	TP_fast_assign(
		__entry->number = e->number;
		__entry->totalpages = e->totalpages_known ? e->totalpages : 0;
		__entry->freed = e->freed;
		__entry->victims = e->nr_marked;
		__entry->duration_ns = e->duration_ns;
		__entry->kind = e->kind;
		__entry->outcome = e->outcome;
		__entry->by = e->by;
	),
	TP_printk("event=%lu kind=%s outcome=%s victims=%u by=%s freed=%lu totalpages=%lu duration_ns=%llu",
		  __entry->number, __print_symbolic(__entry->kind, OOMLENS_KINDS(X, LAST)),
		  __print_symbolic(__entry->outcome, OOMLENS_OUTCOMES(X, LAST)), __entry->victims,
		  __print_symbolic(__entry->by, OOMLENS_BYS(X, LAST)), __entry->freed,
		  __entry->totalpages, __entry->duration_ns)
);

#endif /* OOMLENS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
