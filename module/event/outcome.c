// SPDX-License-Identifier: GPL-2.0
/*
 * What an outcome means for the ring, and how the kernel's count of kills
 * resolves one that no hook could tell.
 */
#include "internal.h"

/**
 * oomlens_outcome_idle() - why a call neither killed nor got memory back
 * @e: the event
 *
 * Such calls come in runs. A victim that asks for memory on its way out and the
 * tasks that wait for it call in turn, for one reason.
 *
 * Context: any.
 * Return: the outcome that stands for the reason; OOMLENS_NR_OUTCOMES for a call
 * that did something.
 */
enum oomlens_outcome oomlens_outcome_idle(const struct oomlens_event *e)
{
	switch (e->outcome) {
	case OOMLENS_OUTCOME_DYING:
		return e->nr_marked ? OOMLENS_NR_OUTCOMES : OOMLENS_OUTCOME_IN_FLIGHT;
	case OOMLENS_OUTCOME_IN_FLIGHT:
	case OOMLENS_OUTCOME_NOBODY:
	case OOMLENS_OUTCOME_NO_FS:
		return e->outcome;
	case OOMLENS_OUTCOME_UNKNOWN:
		return e->spared || e->marks_tell ? OOMLENS_OUTCOME_UNKNOWN :
						    OOMLENS_NR_OUTCOMES;
	default:
		return OOMLENS_NR_OUTCOMES;
	}
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
	e->kills = (unsigned int)kernel_kills - e->kills_before;
	if (e->kills)
		e->outcome = OOMLENS_OUTCOME_KILLED;
}
