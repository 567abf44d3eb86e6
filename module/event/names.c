// SPDX-License-Identifier: GPL-2.0
/*
 * The names that the file, the log and the trace events print.
 */
#include "internal.h"

const char * const oomlens_kind_names[] = {
	[OOMLENS_KIND_UNKNOWN]		= "-",
	[OOMLENS_KIND_GLOBAL]		= "global",
	[OOMLENS_KIND_MEMCG]		= "memcg",
	[OOMLENS_KIND_CPUSET]		= "cpuset",
	[OOMLENS_KIND_MEMPOLICY]	= "mempolicy",
	[OOMLENS_KIND_SYSRQ]		= "sysrq",
};

static_assert(ARRAY_SIZE(oomlens_kind_names) == OOMLENS_NR_KINDS);

const char * const oomlens_trigger_names[] = {
	[OOMLENS_TRIGGER_UNKNOWN]	= "-",
	[OOMLENS_TRIGGER_ALLOCATOR]	= "allocator",
	[OOMLENS_TRIGGER_SYSRQ]		= "sysrq",
	[OOMLENS_TRIGGER_OOMLENS]	= "oomlens",
	[OOMLENS_TRIGGER_MIN_TTL]	= "min_ttl",
	[OOMLENS_TRIGGER_OUTSIDE]	= "outside",
};

static_assert(ARRAY_SIZE(oomlens_trigger_names) == OOMLENS_NR_TRIGGERS);

const char * const oomlens_outcome_names[] = {
	[OOMLENS_OUTCOME_UNKNOWN]	= "unknown",
	[OOMLENS_OUTCOME_KILLED]	= "killed",
	[OOMLENS_OUTCOME_AVERTED]	= "averted",
	[OOMLENS_OUTCOME_DYING]		= "dying",
	[OOMLENS_OUTCOME_EXITING]	= "exiting",
	[OOMLENS_OUTCOME_NO_FS]		= "no_fs",
	[OOMLENS_OUTCOME_IN_FLIGHT]	= "in_flight",
	[OOMLENS_OUTCOME_NOBODY]	= "nobody",
	[OOMLENS_OUTCOME_DISABLED]	= "disabled",
	[OOMLENS_OUTCOME_PANIC]		= "panic",
	[OOMLENS_OUTCOME_PANIC_EXPECTED] = "panic_expected",
};

static_assert(ARRAY_SIZE(oomlens_outcome_names) == OOMLENS_NR_OUTCOMES);

const char * const oomlens_walk_names[] = {
	[OOMLENS_WALK_NONE]		= "-",
	[OOMLENS_WALK_OFF]		= "off",
	[OOMLENS_WALK_COMPLETE]		= "complete",
	[OOMLENS_WALK_PARTIAL]		= "partial",
	[OOMLENS_WALK_LIMITED]		= "limited",
};

static_assert(ARRAY_SIZE(oomlens_walk_names) == OOMLENS_NR_WALK_RESULTS);

const char * const oomlens_constraint_names[] = {
	[CONSTRAINT_NONE]		= "none",
	[CONSTRAINT_CPUSET]		= "cpuset",
	[CONSTRAINT_MEMORY_POLICY]	= "mempolicy",
	[CONSTRAINT_MEMCG]		= "memcg",
};

/* The kernel's own constant. */
const char *oomlens_zone_name(const struct oomlens_zone_record *r)
{
	return NODE_DATA(r->node)->node_zones[r->index].name;
}

const char * const oomlens_details_names[] = {
	[OOMLENS_DETAILS_NONE]		= "-",
	[OOMLENS_DETAILS_PENDING]	= "pending",
	[OOMLENS_DETAILS_DONE]		= "done",
};

static_assert(ARRAY_SIZE(oomlens_details_names) == OOMLENS_NR_DETAILS);
