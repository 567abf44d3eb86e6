// SPDX-License-Identifier: GPL-2.0
/*
 * What an outcome means for the ring, and how the kernel's count of kills
 * resolves one that no hook could tell.
 */
#include "internal.h"

/**
 * oomlens_outcome_idle() - did a call neither kill nor get memory of this module's?
 * @e: the event
 *
 * Such calls come in runs: the memory that a foreign notifier gives back may never be
 * enough, and a victim that asks for memory on its way out and the tasks that wait
 * for it call in turn.
 *
 * Context: any.
 */
bool oomlens_outcome_idle(const struct oomlens_event *e)
{
	switch (e->outcome) {
	case OOMLENS_OUTCOME_DYING:
	case OOMLENS_OUTCOME_EXITING:
		return !e->nr_marked;
	case OOMLENS_OUTCOME_AVERTED:
		return !e->relieved;
	case OOMLENS_OUTCOME_IN_FLIGHT:
	case OOMLENS_OUTCOME_NOBODY:
	case OOMLENS_OUTCOME_NO_FS:
	case OOMLENS_OUTCOME_DISABLED:
		return true;
	case OOMLENS_OUTCOME_UNKNOWN:
		return e->spared || e->marks_tell;
	default:
		return false;
	}
}

/**
 * oomlens_outcome_repeated() - is a call an idle one, and not the first of its run?
 * @e: the event
 *
 * Context: any.
 */
bool oomlens_outcome_repeated(const struct oomlens_event *e)
{
	unsigned int i;
	u64 calls = 0;

	for (i = 0; i < OOMLENS_NR_OUTCOMES; i++)
		calls += e->idle[i];
	return calls > 1;
}

/**
 * oomlens_outcome_by_count() - resolve an outcome that no hook could tell
 * @e: the newest event, or a copy; amended
 * @kernel_kills: by the kernel's count, before the next call of the OOM killer
 *
 * Does nothing unless the count is all that tells of @e.
 *
 * Context: any.
 */
void oomlens_outcome_by_count(struct oomlens_event *e, unsigned long kernel_kills)
{
	if (!e->kills_tell || e->spared || e->outcome != OOMLENS_OUTCOME_UNKNOWN)
		return;
	e->kills = max((int)((unsigned int)kernel_kills - e->kills_before), 0);
	if (e->kills)
		e->outcome = OOMLENS_OUTCOME_KILLED;
}
