// SPDX-License-Identifier: GPL-2.0
/*
 * badness' first rank against the kernel's own kill, many times over: tasks of
 * random size and shape, a real OOM by sysrq, by a cgroup's limit or by want of
 * memory, and then the kernel's log and the tasks' deaths.
 * $OOMLENS_ROUNDS sets the number of kills (60), $OOMLENS_SEED repeats a run.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>

#include "lib/expect.h"

#define HOGS		14
#define TIDS		8
#define SHARED_PAGES	300
#define TIE_MAX		500	/* pages that a task may grow by for a tie */
#define NO_LIMIT	1000000
#define MARGIN		64	/* pages that a CPU may have charged ahead */

enum way { SYSRQ, MEMCG, PRESSURE, WAYS };

static const char * const way_name[WAYS] = { "sysrq", "memory.max", "real pressure" };

/* The memory of a machine that can be filled in seconds. */
#define SMALL_PAGES	(160 * 1024)

static struct subject {
	struct hog hog;
	struct hog_spec spec;
	pid_t tid[TIDS];	/* the log names a thread if the leader is dead */
	bool dies, second_dies;	/* the prediction */
} subjects[HOGS];

static char *cg_limited, *cg_leaf[3];	/* two leaves below cg_limited, one beside */
static struct hog eater;		/* never a victim: makes its cgroup run out */
static void *shared;
static bool swap;
static int kmsg;
static long long limit;			/* of cg_limited, pages */

/* After these no more is asked. */
#define FEW_WRONG	3
/* Nor after these in a row: the first rank is no task of ours, again and again. */
#define FEW_UNPLAYED	20
/* And from the first on a death that does not come is not waited for as long. */
#define WRONG_PATIENCE_MS	1000

static unsigned int rounds[WAYS], wrong[WAYS], all_wrong;
static unsigned int patience_ms = PATIENCE_MS;	/* for a death that was predicted */
static bool group_on[2], limited_group_on;	/* memory.oom.group of the leaves, of cg_limited */
static unsigned int seconds, equals, ties, groups, sharers, dead_leaders, with_swap;

/* ---- the tasks ---- */

static void note_threads(struct subject *s)
{
	unsigned int n = 0;
	char path[64];
	struct dirent *d;
	DIR *dir;

	memset(s->tid, 0, sizeof(s->tid));
	snprintf(path, sizeof(path), "/proc/%d/task", s->hog.pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)) && n < TIDS)
		if (d->d_name[0] != '.')
			s->tid[n++] = atoi(d->d_name);
	if (dir)
		closedir(dir);
}

static void random_spec(unsigned long long *seed, struct hog_spec *spec)
{
	unsigned long where = rnd_range(seed, 0, 3);

	memset(spec, 0, sizeof(*spec));
	spec->anon = rnd_range(seed, 50, 400);
	spec->adj = hog_random_adj(seed, 10);
	spec->comm = "subject";
	if (cg_version() && where < 3)
		spec->cgroup = cg_leaf[where];
	if (rnd_range(seed, 0, 3) == 0) {
		spec->shmem = rnd_range(seed, 1, SHARED_PAGES);
		spec->shared = shared;
	}
	if (swap && rnd_range(seed, 0, 4) == 0)
		spec->swapped = rnd_range(seed, 1, spec->anon / 2);
	if (rnd_range(seed, 0, 3) == 0)
		spec->threads = rnd_range(seed, 1, 3);
	switch (rnd_range(seed, 0, 7)) {
	case 0:
	case 1:
		spec->sharer = true;
		break;
	case 2:
		spec->vfork = true;
		break;
	case 3:
		spec->dead_leader = spec->threads > 0;
		break;
	case 4:
		spec->sharer = true;
		spec->dead_leader = spec->threads > 0;
		break;
	}
}

static void subject_start(unsigned long long *seed, struct subject *s)
{
	hog_end(&s->hog);
	random_spec(seed, &s->spec);
	must_hog(&s->hog, &s->spec);
	note_threads(s);
}

/* A few change; a second process that has lost its parent is replaced. */
static void population_stir(unsigned long long *seed)
{
	unsigned int i;

	for (i = 0; i < HOGS; i++) {
		struct subject *s = &subjects[i];

		if (hog_gone(&s->hog) || !s->hog.pid ||
		    (s->hog.second && kill(s->hog.second, 0)) ||
		    rnd_range(seed, 0, 15) == 0) {
			subject_start(seed, s);
			continue;
		}
		if (rnd_range(seed, 0, 3))
			continue;
		set_adj(s->hog.pid, hog_random_adj(seed, 10));
		if (!s->spec.vfork)
			hog_do(&s->hog, rnd_range(seed, 0, 1) ? HOG_GROW : HOG_SHRINK,
			       rnd_range(seed, 1, 200));
	}
	if (cg_version() != 2)
		return;
	for (i = 0; i < 2; i++) {
		group_on[i] = rnd_range(seed, 0, 7) == 0;
		cg_oom_group(cg_leaf[i], group_on[i]);
	}
	limited_group_on = rnd_range(seed, 0, 11) == 0;
	cg_oom_group(cg_limited, limited_group_on);
}

static struct subject *subject_of(pid_t pid)
{
	unsigned int i, j;

	for (i = 0; pid && i < HOGS; i++) {
		struct subject *s = &subjects[i];

		if (s->hog.pid == pid || s->hog.second == pid)
			return s;
		for (j = 0; j < TIDS; j++)
			if (s->tid[j] == pid)
				return s;
	}
	return NULL;
}

/* ---- the prediction ---- */

static struct table *read_scope(enum way way)
{
	int fd = open(lens_path("badness"), O_RDWR | O_CLOEXEC);
	char scope[512];
	struct table *t;

	snprintf(scope, sizeof(scope), "memcg %s", way == MEMCG ? cg_shown(cg_limited) : "");
	if (fd < 0 || (way == MEMCG && write_fd(fd, scope))) {
		ksft_print_msg("'%s' cannot be set: %s\n", scope, strerror(errno));
		close(fd);
		return NULL;
	}
	t = table_read_fd(fd);
	close(fd);
	return t;
}

/* Make the first two equal, as far as the kernel's counters let us. */
static void make_tie(enum way way)
{
	unsigned int tries;

	for (tries = 0; tries < 4; tries++) {
		struct table *t = read_scope(way);
		long long gap = 0;
		struct subject *s = NULL;

		if (t && t->rows > 1) {
			gap = table_number(t, 0, "points") - table_number(t, 1, "points");
			s = subject_of(table_number(t, 1, "pid"));
		}
		table_free(t);
		if (!s || gap <= 0 || gap > TIE_MAX || s->spec.vfork)
			return;
		hog_do(&s->hog, HOG_GROW, gap);
	}
}

/*
 * Reclaim swaps shared pages out, which then no longer count, and drops file
 * pages: the first rank needs a lead.
 */
static void make_lead(void)
{
	struct table *t = read_scope(PRESSURE);
	pid_t pid = t && t->rows ? table_number(t, 0, "pid") : 0;
	long long adj = pid ? table_number(t, 0, "adj") : 0;

	if (subject_of(pid))
		set_adj(pid, adj < 970 ? adj + 30 : 1000);
	table_free(t);
}

/* Room for make_tie() to grow a task, and no more swap than is used. */
static bool limit_set(void)
{
	long long usage = cg_usage(cg_limited);
	long long swapped = cg_swap_usage(cg_limited);

	limit = usage + TIE_MAX + MARGIN;
	return usage >= 0 && !cg_limit(cg_limited, limit) &&
	       (swapped < 0 || !cg_swap_limit(cg_limited, swapped));
}

static void forget_prediction(void)
{
	for (struct subject *s = subjects; s < subjects + HOGS; s++) {
		s->dies = false;
		s->second_dies = false;
	}
}

/*
 * The tasks that will die, and the first rank in *victim. False if the machine
 * would lose a task that is not ours, or none: then the round is not played.
 */
static bool predict(enum way way, pid_t *victim, bool *tie)
{
	struct table *t = read_scope(way);
	unsigned int i;
	bool ours;

	MUST(t);
	forget_prediction();
	*victim = table_number(t, 0, "pid");
	ours = t->rows && subject_of(*victim) && table_number(t, 0, "rank") == 1;
	*tie = t->rows > 1 && table_number(t, 1, "rank") == 2 &&
	       table_number(t, 0, "points") == table_number(t, 1, "points");
	for (i = 0; i < t->rows; i++) {
		pid_t pid = table_number(t, i, "pid");
		const char *fate = table_cell(t, i, "fate");
		struct subject *s;

		if (!strcmp(fate, "-"))
			continue;
		s = subject_of(pid);
		if (!s) {
			ours = false;
			break;
		}
		if (s->hog.pid == pid)
			s->dies = true;
		else
			s->second_dies = true;
		groups += !strcmp(fate, "group");
		sharers += !strcmp(fate, "sharer");
	}
	table_free(t);
	return ours;
}

/* ---- the kill ---- */

/* Tasks of the last round: the kernel logs a kill only after its signal. */
static pid_t stale[HOGS * (TIDS + 1)];
static unsigned int nstale;

static bool is_stale(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < nstale; i++)
		if (stale[i] == pid)
			return true;
	return false;
}

static void note_dead(void)
{
	unsigned int i, j;

	for (nstale = 0, i = 0; i < HOGS; i++) {
		struct subject *s = &subjects[i];

		if (!s->dies && !hog_gone(&s->hog))
			continue;
		for (j = 0; j < TIDS && s->tid[j]; j++)
			stale[nstale++] = s->tid[j];
		stale[nstale++] = s->hog.second;
	}
}

static bool next_kill(pid_t *pid, unsigned int ms)
{
	static const char mark[] = "Killed process ";
	char line[1024];

	do {
		if (!kmsg_wait(kmsg, mark, line, sizeof(line), ms))
			return false;
		*pid = atoi(strstr(line, mark) + strlen(mark));
	} while (is_stale(*pid));
	return true;
}

static bool kill_by_memcg(pid_t *killed)
{
	long long room = limit - cg_usage(cg_limited);
	unsigned int i;

	/* Few pages at the end: any one victim gives back enough to go on. */
	if (room > 2 * MARGIN)
		hog_do(&eater, HOG_GROW, room - 2 * MARGIN);
	for (i = 0; i < 256; i++) {
		hog_do(&eater, HOG_GROW, 16);
		if (next_kill(killed, 0))
			return true;
	}
	return next_kill(killed, PATIENCE_MS);
}

static bool kill_by_pressure(pid_t *killed)
{
	unsigned long most = meminfo_kb("MemAvailable") * 768 / page_size();
	struct hog glutton;
	struct hog_spec spec = { .anon = 1, .adj = OOM_ADJ_NEVER, .comm = "glutton" };
	unsigned int slow = 0;
	bool found = false;
	int err;

	if (hog_start(&glutton, &spec))
		return false;
	hog_do(&glutton, HOG_GROW, most);
	do {
		/* Few pages at the end, as above: a second kill could take the test runner. */
		err = hog_do(&glutton, HOG_GROW,
			     meminfo_pages("MemFree") > 4096 ? 256 : 16);
		found = next_kill(killed, 0);
		/* To reclaim and to swap may take a slow machine minutes. */
		slow += err == -ETIMEDOUT;
	} while (!found && (!err || (err == -ETIMEDOUT && slow < 5)));
	if (!found)
		found = next_kill(killed, PATIENCE_MS);
	hog_end(&glutton);
	return found;
}

static bool kill_by(enum way way, pid_t *killed)
{
	switch (way) {
	case MEMCG:
		return kill_by_memcg(killed);
	case PRESSURE:
		return kill_by_pressure(killed);
	default:
		return !write_file("/proc/sysrq-trigger", "f") &&
		       next_kill(killed, PATIENCE_MS);
	}
}

/*
 * First of those left? In a real shortage that one's file and shared pages may be
 * gone; in a cgroup the order of equals is not known.
 */
static bool may_be_next(enum way way, struct table *t, const struct subject *s, pid_t pid)
{
	int row = table_find(t, "pid", pid == s->hog.second ? pid : s->hog.pid), i = 0;
	long long points = table_number(t, row, "points"), first;

	while (i < row && (strcmp(table_cell(t, i, "fate"), "-") ||
			   table_number(t, i, "rank") < 0))
		i++;
	first = table_number(t, i, "points");
	if (way == PRESSURE)
		first -= table_number(t, i, "rss_file") + table_number(t, i, "rss_shmem");
	return row == i || (row > i && (way == MEMCG ? points == first :
					way == PRESSURE && points >= first));
}

static bool may_be_killed(struct table *t, pid_t pid)
{
	int row = table_find(t, "pid", pid);

	return row >= 0 && table_number(t, row, "adj") != OOM_ADJ_NEVER;
}

/*
 * In a cgroup the kernel may take any of the first rank's equals: then that one
 * dies, what shares its mm, and its group.
 */
static bool took_an_equal(struct table *t, pid_t killed)
{
	struct subject *taken = subject_of(killed), *s;
	bool group;
	int row;

	row = taken ? table_find(t, "pid", killed == taken->hog.second ? killed :
				 taken->hog.pid) : -1;
	if (row < 0 || table_number(t, row, "rank") == LLONG_MIN ||
	    table_number(t, row, "points") != table_number(t, 0, "points"))
		return false;
	for (s = subjects; s < subjects + HOGS; s++) {
		group = limited_group_on && (s->spec.cgroup == cg_leaf[0] ||
					     s->spec.cgroup == cg_leaf[1]);
		group |= s->spec.cgroup == taken->spec.cgroup &&
			 group_on[s->spec.cgroup == cg_leaf[1]];
		/* Either takes the other along, which has an adj of its own after vfork(). */
		s->dies = s == taken || (group && (may_be_killed(t, s->hog.pid) ||
						   may_be_killed(t, s->hog.second)));
		s->second_dies = s->dies && s->hog.second;
	}
	return true;
}

/* Every kill in the log was predicted, or is another OOM's, of the next task. */
static bool logged_are_predicted(enum way way, struct table *t, bool *second)
{
	struct subject *s;
	pid_t pid;

	while (next_kill(&pid, 0)) {
		s = subject_of(pid);
		if (s && (pid == s->hog.second ? s->second_dies : s->dies))
			continue;
		*second = way != SYSRQ && s && may_be_next(way, t, s, pid);
		if (*second) {
			/* The tasks that go along with it were not predicted. */
			while (next_kill(&pid, 10))
				;
			return true;
		}
		ksft_print_msg("the kernel killed %d too\n", pid);
		return false;
	}
	return true;
}

/* The tasks that were to die do, within a bound; no other has. */
static bool deaths_are_right(bool strict)
{
	bool good = true;
	unsigned int i;

	for (i = 0; i < HOGS; i++) {
		struct subject *s = &subjects[i];

		if (s->dies && !wait_until(hog_gone(&s->hog), patience_ms)) {
			ksft_print_msg("%d was to die and lives\n", s->hog.pid);
			patience_ms = WRONG_PATIENCE_MS;
			good = false;
		}
		if (s->second_dies && !wait_until(hog_second_gone(&s->hog), patience_ms)) {
			ksft_print_msg("%d was to die along and lives\n", s->hog.second);
			patience_ms = WRONG_PATIENCE_MS;
			good = false;
		}
	}
	for (i = 0; strict && i < HOGS; i++) {
		struct subject *s = &subjects[i];

		if (!s->dies && hog_gone(&s->hog)) {
			ksft_print_msg("%d was to live and is dead, status %#x\n", s->hog.pid,
				       s->hog.status);
			good = false;
		}
		/* A second's death by its parent's is not the killer's. */
		if (s->hog.second && !s->second_dies && hog_second_gone(&s->hog)) {
			ksft_print_msg("%d was to live and is dead\n", s->hog.second);
			good = false;
		}
	}
	return good;
}

static void print_table(struct table *t)
{
	unsigned int i, j;

	ksft_print_msg("the prediction was:\n");
	for (i = 0; t && i < t->rows && i < 6; i++) {
		printf("# ");
		for (j = 0; j < t->cols; j++)
			printf(" %s", t->cell[i * t->cols + j]);
		printf("\n");
	}
}

/* False if this round could not be played. */
static bool one_round(unsigned long long *seed, enum way way)
{
	struct table *shown;
	struct subject *s;
	pid_t victim, killed = 0;
	static bool after_pressure;
	bool tie, good, second = false;

	/* Drops what the last round logged late. */
	while (next_kill(&killed, after_pressure ? 20 : 1))
		;
	after_pressure = way == PRESSURE;
	if (cg_limited && !cg_limit(cg_limited, NO_LIMIT))
		cg_swap_limit(cg_limited, NO_LIMIT);
	population_stir(seed);
	if (way == MEMCG && !limit_set())
		return false;
	if (way == PRESSURE)
		make_lead();
	else if (rnd_range(seed, 0, 2) == 0)
		make_tie(way);
	if (!predict(way, &victim, &tie))
		return false;
	/* make_tie() may have hit the limit: a kill without a prediction. */
	if (next_kill(&killed, 0)) {
		forget_prediction();
		note_dead();
		return false;
	}
	shown = read_scope(way);
	s = subject_of(victim);
	ties += tie;
	dead_leaders += s->spec.dead_leader;
	with_swap += s->spec.swapped > 0;

	good = kill_by(way, &killed);
	/* The log names a thread where the leader is dead. */
	good = good && (killed == victim ||
			(s->spec.dead_leader && s->hog.pid == victim &&
			 killed != s->hog.second && subject_of(killed) == s));
	if (!good && way == MEMCG && took_an_equal(shown, killed)) {
		equals++;
		good = true;
	}
	if (!good)
		ksft_print_msg("%s: predicted %d, the kernel killed %d\n",
			       way_name[way], victim, killed);
	good &= deaths_are_right(false);
	good &= logged_are_predicted(way, shown, &second);
	good &= deaths_are_right(!second);
	seconds += second;
	note_dead();
	if (!good) {
		wrong[way]++;
		all_wrong++;
		print_table(shown);
	}
	table_free(shown);
	rounds[way]++;
	if (way == MEMCG)
		hog_do(&eater, HOG_SHRINK, NO_LIMIT);
	return true;
}

static void make_cgroups(void)
{
	struct hog_spec spec = { .anon = 1, .adj = OOM_ADJ_NEVER, .comm = "eater" };

	cg_limited = must_cgroup(NULL, "limited");
	cg_leaf[2] = must_cgroup(NULL, "beside");
	cg_leaf[0] = must_cgroup(cg_limited, "a");
	cg_leaf[1] = must_cgroup(cg_limited, "b c");
	spec.cgroup = cg_leaf[0];
	must_hog(&eater, &spec);
}

static bool all_shapes(void)
{
	return ties && sharers && dead_leaders && (groups || cg_version() != 2) &&
	       (with_swap || !swap);
}

int main(void)
{
	unsigned long goal = env_number("OOMLENS_ROUNDS", 60), played = 0, unplayed = 0;
	/* It takes all memory that there is: not on a large machine of a user. */
	bool pressure = meminfo_pages("MemTotal") < SMALL_PAGES ||
			env_number("OOMLENS_PRESSURE", 0);
	unsigned long long seed;
	unsigned int i;

	test_begin(0);
	if (access("/proc/sysrq-trigger", W_OK) && !cg_version())
		ksft_exit_skip("no sysrq and no memory cgroups: no OOM of one's own\n");
	ksft_set_plan(5);
	seed = test_seed();
	oom_settings();
	setting_write("/proc/sys/vm/oom_kill_allocating_task", "0");
	swap = swap_ensure(5000);
	shared = must_share(SHARED_PAGES * page_size());
	kmsg = kmsg_open();
	MUST(kmsg >= 0);
	if (cg_version())
		make_cgroups();

	/* A shape that chance left out so far is waited for, within bounds. */
	while ((played < goal || (!all_shapes() && played < goal * 4)) &&
	       unplayed < FEW_UNPLAYED && all_wrong < FEW_WRONG) {
		enum way way = SYSRQ;

		if (pressure && played % 200 == 99 % goal)
			way = PRESSURE;
		else if (cg_version() && rnd_range(&seed, 0, 1))
			way = MEMCG;
		if (one_round(&seed, way)) {
			played++;
			unplayed = 0;
		} else {
			unplayed++;
		}
	}
	for (i = 0; i < HOGS; i++)
		hog_end(&subjects[i].hog);

	ksft_print_msg("after %u, the kernel went on to a second kill\n", seconds);
	ksft_print_msg("in %u cgroup OOMs the kernel took an equal of the first\n", equals);
	ksft_print_msg("%lu kills: %u ties, %u dead leaders, %u swapped\n",
		       played, ties, dead_leaders, with_swap);
	ksft_print_msg("%u were to go in groups, %u as sharers\n", groups, sharers);
	for (i = 0; i < WAYS; i++) {
		if (!rounds[i]) {
			ksft_test_result_skip("none by %s\n", way_name[i]);
			continue;
		}
		EXPECT_EQ(wrong[i], 0);
		test_done("%u predictions, by %s: %u wrong", rounds[i], way_name[i], wrong[i]);
	}
	if (all_wrong == FEW_WRONG)
		ksft_exit_fail_msg("%u wrong predictions: no more is asked\n", all_wrong);
	if (unplayed == FEW_UNPLAYED)
		ksft_print_msg("%lu rounds in a row could not be played\n", unplayed);
	EXPECT_GE(played, goal);
	test_done("%lu of %lu rounds could be played", played, goal);
	EXPECT_TRUE(all_shapes());
	test_done("each shape was among the victims");
	test_end();
}
