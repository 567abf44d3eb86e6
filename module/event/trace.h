/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The trace events oomlens:oom_begin, oom_victim and oom_end, for perf,
 * trace-cmd and bpftrace: the same numbers and names as in the file events.
 * Names, not enums, so that tools need no table.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM oomlens

#if !defined(OOMLENS_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define OOMLENS_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

TRACE_EVENT(oom_begin,
	TP_PROTO(const struct oomlens_event *e),
	TP_ARGS(e),
	TP_STRUCT__entry(
		__field(unsigned long, number)
		__field(u32, gfp)
		__field(int, order)
		__field(int, pid)
		__array(char, kind, OOMLENS_NAME_SIZE)
		__array(char, trigger, OOMLENS_NAME_SIZE)
		__array(char, comm, TASK_COMM_LEN)
	),
	TP_fast_assign(
		__entry->number = e->number;
		__entry->gfp = (__force u32)e->gfp;
		__entry->order = e->order;
		__entry->pid = e->pid;
		strscpy(__entry->kind, oomlens_kind_names[e->kind], OOMLENS_NAME_SIZE);
		strscpy(__entry->trigger, oomlens_trigger_names[e->trigger], OOMLENS_NAME_SIZE);
		memcpy(__entry->comm, e->comm, TASK_COMM_LEN);
	),
	TP_printk("event=%lu kind=%s trigger=%s gfp=%#x order=%d pid=%d comm=%s",
		  __entry->number, __entry->kind,
		  __entry->trigger, __entry->gfp,
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
		__array(char, kind, OOMLENS_NAME_SIZE)
		__array(char, outcome, OOMLENS_NAME_SIZE)
		__array(char, by, OOMLENS_NAME_SIZE)
	),
	TP_fast_assign(
		__entry->number = e->number;
		__entry->totalpages = e->totalpages_known ? e->totalpages : 0;
		__entry->freed = e->freed;
		__entry->victims = e->nr_marked;
		__entry->duration_ns = e->duration_ns;
		strscpy(__entry->kind, oomlens_kind_names[e->kind], OOMLENS_NAME_SIZE);
		strscpy(__entry->outcome, oomlens_outcome_names[e->outcome], OOMLENS_NAME_SIZE);
		strscpy(__entry->by, e->by ?: "-", OOMLENS_NAME_SIZE);
	),
	TP_printk("event=%lu kind=%s outcome=%s victims=%u by=%s freed=%lu totalpages=%lu duration_ns=%llu",
		  __entry->number, __entry->kind,
		  __entry->outcome, __entry->victims,
		  __entry->by, __entry->freed,
		  __entry->totalpages, __entry->duration_ns)
);

#endif /* OOMLENS_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
