/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trigger's pressure: what its options ask for.
 */
#ifndef OOMLENS_PRESSURE_H
#define OOMLENS_PRESSURE_H

#include <linux/types.h>

/**
 * struct oomlens_pressure_request - what a run is asked for
 * @kill: let the kernel choose, once; else a drill
 * @memcg: charge the writer's cgroup
 * @hold: @hold_ms was given
 * @leave: the level, pages; 0: none
 * @limit: the most to take, pages; 0: no limit
 * @hold_ms: how long to stay
 * @timeout_s: of the whole run
 */
struct oomlens_pressure_request {
	bool kill;
	bool memcg;
	bool hold;
	unsigned long leave;
	unsigned long limit;
	unsigned int hold_ms;
	unsigned int timeout_s;
};

int oomlens_pressure_parse(char *args, struct oomlens_pressure_request *req);

#endif /* OOMLENS_PRESSURE_H */
