// SPDX-License-Identifier: GPL-2.0
/*
 * trigger's pressure: its options, one row each.
 */
#include <linux/time64.h>

#include "run.h"

#define TIMEOUT_S_DEFAULT	60
#define TIMEOUT_S_MAX		3600
#define HOLD_MS_MAX		(3600 * MSEC_PER_SEC)

static int parse_outcome(struct oomlens_pressure_request *req, const char *value)
{
	req->kill = !strcmp(value, "kill");
	return req->kill || !strcmp(value, "avert") ? 0 : -EINVAL;
}

static int parse_leave(struct oomlens_pressure_request *req, const char *value)
{
	return oomlens_parse_size(value, &req->leave) ?: (req->leave ? 0 : -EINVAL);
}

static int parse_limit(struct oomlens_pressure_request *req, const char *value)
{
	return oomlens_parse_size(value, &req->limit) ?: (req->limit ? 0 : -EINVAL);
}

static int parse_hold(struct oomlens_pressure_request *req, const char *value)
{
	req->hold = true;
	return oomlens_parse_uint(value, 0, HOLD_MS_MAX, &req->hold_ms);
}

static int parse_timeout(struct oomlens_pressure_request *req, const char *value)
{
	return oomlens_parse_uint(value, 1, TIMEOUT_S_MAX, &req->timeout_s);
}

static int parse_memcg(struct oomlens_pressure_request *req, const char *value)
{
	req->memcg = true;
	return 0;
}

static const struct option {
	const char *name;
	bool has_value;
	int (*parse)(struct oomlens_pressure_request *req, const char *value);
} options[] = {
	{ "outcome",	true,	parse_outcome },
	{ "leave",	true,	parse_leave },
	{ "limit",	true,	parse_limit },
	{ "hold",	true,	parse_hold },
	{ "timeout",	true,	parse_timeout },
	{ "memcg",	false,	parse_memcg },
};

static int parse_word(struct oomlens_pressure_request *req, char *word, unsigned long *given)
{
	const char *name = strsep(&word, "=");
	int i;

	for (i = 0; i < ARRAY_SIZE(options); i++) {
		if (strcmp(options[i].name, name))
			continue;
		if (options[i].has_value != !!word || (*given & BIT(i)))
			return -EINVAL;
		*given |= BIT(i);
		return options[i].parse(req, word);
	}
	return -EINVAL;
}

/**
 * oomlens_pressure_parse() - the words after "pressure"
 * @args: taken apart
 * @req: pressure is set
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int oomlens_pressure_parse(char *args, union oomlens_request *req)
{
	struct oomlens_pressure_request *p = &req->pressure;
	unsigned long given = 0;
	char *word;
	int err;

	*p = (struct oomlens_pressure_request){ .timeout_s = TIMEOUT_S_DEFAULT };
	while ((word = strsep(&args, " \t"))) {
		if (!*word)
			continue;
		err = parse_word(p, word, &given);
		if (err)
			return err;
	}
	/* There must be a level to hold. */
	return p->hold && !p->leave && !p->limit ? -EINVAL : 0;
}
