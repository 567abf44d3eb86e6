// SPDX-License-Identifier: GPL-2.0
/*
 * Any bytes into every writable file: grammar and mutation, each result held
 * against the oracle of lib/fuzz_model.c, and nothing changed but what the
 * line says. On a kernel with KCOV, inputs that reach new code are mutated further.
 * $OOMLENS_WRITES (2000) is how many lines are written, $OOMLENS_SEED repeats a
 * run.
 */
#include <fcntl.h>
#include <signal.h>

#include "lib/expect.h"
#include "lib/fuzz_model.h"
#include "lib/held.h"
#include "lib/loader.h"

#define INPUT_MAX	6000
#define CORPUS_MAX	512
#define CHECK_EVERY	256

static const char *const names[FUZZ_FILES] = {
	[FUZZ_BADNESS]	= "badness",
	[FUZZ_COMMIT]	= "commit",
	[FUZZ_OBJECTS]	= "objects",
	[FUZZ_TRIGGER]	= "trigger",
	[FUZZ_RESERVE]	= "reserve",
	[FUZZ_HISTORY]	= "history",
};

/* %n a number, %s a size, %p a process, %c a cgroup, %w a blank or none */
static const char *const grammar[FUZZ_FILES][10] = {
	[FUZZ_BADNESS]	= { "global", "memcg %c", "memcg %c/", "rows%w %n", "nodes %n",
			    "nodes 0-%n", "mempolicy 0,%n", "mempolicy %n-%n",
			    "%wglobal%w\n", "memcg %c/%n" },
	[FUZZ_COMMIT]	= { "all", "memcg", "pid %p", "pid %n", "%wpid %p%w\n", "rows %n%w",
			    "all %n", "memcg %c", "pid +%p", "pid" },
	[FUZZ_OBJECTS]	= { "all", "pid %p", "%wpid %p%w\n", "id 0:%n:%n", "id %n:%n:%n",
			    "id 0:1:%n%w", "id  0:1:2", "rows %n", "memcg", "pid" },
	[FUZZ_TRIGGER]	= { "kill pid=%p", "kill pid=%n", "kill%wpid=%p\n", "kill",
			    "pressure limit=%s hold=%n", "pressure limit=64K hold=1",
			    "pressure outcome=kill limit=128K", "pressure limit=1M%wtimeout=%n",
			    "pressure outcome=avert leave=%s hold=%n limit=%s memcg",
			    "pressure limit=4K hold=0 outcome=avert timeout=3600" },
	[FUZZ_RESERVE]	= { "%s", "0", "%n", "64K", "%w1M%w", "%sB", "-%s", "0x%n",
			    "%n.%n", "8k\n" },
	[FUZZ_HISTORY]	= { "after %n", "%wafter %n%w\n", "after%w %n", "after", "after -%n",
			    "after %n %n", "before %n", "all", "%n", "rows %n" },
};

static const char *const boundary[] = {
	"0", "1", "2", "3", "-1", "99", "1000", "3600", "3601", "3600000", "3600001",
	"32767", "32768", "4194304", "2147483647", "2147483648", "4294967295",
	"4294967296", "9223372036854775807", "9223372036854775808",
	"18446744073709551615", "18446744073709551616", "00000000000000000000001",
	"000000000000000000000000000000000000000000000000000000000000000000000007",
	"1e3", "0x10", "+1", " 1",
};

struct input {
	enum fuzz_file file;
	size_t len;
	char bytes[INPUT_MAX];
};

static unsigned long long seed;
static struct input *corpus[CORPUS_MAX];
static unsigned int corpus_size;

/* What the module shows now, as we know it. */
static struct state {
	long long events, kills, memory_bytes, reserve, held;
	char last_command[3 * WRITE_MAX];
} state;

static struct counts {
	unsigned long writes, passed, refused, withheld, read_back, misused;
	unsigned long wrong;
} counts;

/* ---- Input ---- */

static size_t put(char *to, size_t room, const char *s)
{
	size_t n = strlen(s);

	if (n > room)
		n = room;
	memcpy(to, s, n);
	return n;
}

static size_t put_number(char *to, size_t room)
{
	char number[24];

	if (rnd(&seed) % 2)
		return put(to, room, boundary[rnd(&seed) % ARRAY_SIZE(boundary)]);
	snprintf(number, sizeof(number), "%llu", rnd(&seed) >> (rnd(&seed) % 64));
	return put(to, room, number);
}

static size_t put_pid(char *to, size_t room)
{
	char number[24];

	if (rnd(&seed) % 4 == 0)
		return put_number(to, room);
	snprintf(number, sizeof(number), "%d",
		 fuzz_protected[rnd(&seed) % ARRAY_SIZE(fuzz_protected)]);
	return put(to, room, number);
}

static size_t put_cgroup(char *to, size_t room)
{
	const char *path = fuzz_cgroups[rnd(&seed) % ARRAY_SIZE(fuzz_cgroups)];
	char escaped[1024];

	if (!path || rnd(&seed) % 8 == 0)
		return put(to, room, "/no\\040such\\000place");
	if (rnd(&seed) % 2)
		return put(to, room, path);
	fuzz_escape(path, escaped, sizeof(escaped));
	return put(to, room, escaped);
}

static size_t expand(const char *rule, char *to, size_t room)
{
	static const char *const blanks[] = { "", " ", "\t", "  ", "\v", "\xa0", "\r" };
	size_t n = 0;

	for (; *rule && n < room; rule++) {
		if (*rule != '%') {
			to[n++] = *rule;
			continue;
		}
		switch (*++rule) {
		case 'n':
			n += put_number(to + n, room - n);
			break;
		case 's':
			n += put_number(to + n, room - n);
			if (n < room && rnd(&seed) % 2)
				to[n++] = "KMGTkmgtPx"[rnd(&seed) % 10];
			break;
		case 'p':
			n += put_pid(to + n, room - n);
			break;
		case 'c':
			n += put_cgroup(to + n, room - n);
			break;
		case 'w':
			n += put(to + n, room - n, blanks[rnd(&seed) % ARRAY_SIZE(blanks)]);
			break;
		}
	}
	return n;
}

static void remove_bytes(struct input *in, size_t at, size_t n)
{
	if (n > in->len - at)
		n = in->len - at;
	memmove(in->bytes + at, in->bytes + at + n, in->len - at - n);
	in->len -= n;
}

static void insert_bytes(struct input *in, size_t at, const char *s, size_t n)
{
	if (n > INPUT_MAX - in->len)
		n = INPUT_MAX - in->len;
	memmove(in->bytes + at + n, in->bytes + at, in->len - at);
	memcpy(in->bytes + at, s, n);
	in->len += n;
}

static void mutate(struct input *in)
{
	static const char odd[] = "\0\n\t \\=%-+,:/.0129aAkKmM\x7f\x80\xff\xa0";
	static char run[INPUT_MAX];
	size_t at = rnd(&seed) % (in->len + 1);
	size_t n = rnd_range(&seed, 1, 8);
	const char *other;
	char c;

	switch (rnd(&seed) % 9) {
	case 0:
		if (at < in->len)
			in->bytes[at] ^= 1 << (rnd(&seed) % 8);
		break;
	case 1:
		c = odd[rnd(&seed) % (sizeof(odd) - 1)];
		insert_bytes(in, at, &c, 1);
		break;
	case 2:
		remove_bytes(in, at, n);
		break;
	case 3:
		in->len = at;
		break;
	case 4:
		if (at < in->len)
			in->bytes[at] = odd[rnd(&seed) % (sizeof(odd) - 1)];
		break;
	case 5:
		memcpy(run, in->bytes, in->len);
		insert_bytes(in, at, run, in->len);
		break;
	case 6:
		other = grammar[rnd(&seed) % FUZZ_FILES][rnd(&seed) % 10];
		insert_bytes(in, at, other, strlen(other));
		break;
	case 7:
		if (rnd(&seed) % 16 == 0) {
			memset(run, odd[rnd(&seed) % (sizeof(odd) - 1)], sizeof(run));
			insert_bytes(in, at, run, rnd_range(&seed, 1, WRITE_MAX + 8));
		}
		break;
	case 8:
		c = rnd(&seed);
		insert_bytes(in, at, &c, 1);
		break;
	}
}

static void make_input(struct input *in)
{
	unsigned int n = rnd(&seed) % 4;

	if (corpus_size && rnd(&seed) % 2) {
		*in = *corpus[rnd(&seed) % corpus_size];
		n++;
	} else {
		in->file = rnd(&seed) % FUZZ_FILES;
		in->len = expand(grammar[in->file][rnd(&seed) % 10], in->bytes, INPUT_MAX);
	}
	while (n--)
		mutate(in);
}

static void breed(const struct input *in)
{
	unsigned int i;

	if (!kcov_reached_new())
		return;
	i = corpus_size < CORPUS_MAX ? corpus_size++ : rnd(&seed) % CORPUS_MAX;
	if (!corpus[i])
		corpus[i] = malloc(sizeof(*corpus[i]));
	if (corpus[i])
		*corpus[i] = *in;
}

/* ---- What may change and what may not ---- */

static void complain(const struct input *in, const char *what, const char *got)
{
	char shown[3 * 128];
	char head[128];
	size_t n = in ? in->len : 0;

	counts.wrong++;
	if (counts.wrong > 20)
		return;
	if (n > sizeof(head) - 1)
		n = sizeof(head) - 1;
	if (in)
		memcpy(head, in->bytes, n);
	head[n] = '\0';
	fuzz_escape(head, shown, sizeof(shown));
	ksft_print_msg("write %lu, %s '%s' (%zu bytes): %s%s\n", counts.writes,
		       in ? names[in->file] : "-", shown, in ? in->len : 0, what, got);
}

static bool note_state(struct state *s)
{
	char *stats = read_lens("stats"), *reserve = read_lens("reserve");
	char *trigger = read_lens("trigger");
	bool good = stats && reserve && trigger &&
		    key_number(stats, "events", &s->events) &&
		    key_number(stats, "kills", &s->kills) &&
		    key_number(stats, "memory_bytes", &s->memory_bytes) &&
		    key_number(reserve, "target", &s->reserve) &&
		    key_number(reserve, "held", &s->held) &&
		    key_string(trigger, "last_command", s->last_command,
			       sizeof(s->last_command));

	free(stats);
	free(reserve);
	free(trigger);
	return good;
}

static void check_state(const struct input *in)
{
	struct state now;

	if (!note_state(&now)) {
		complain(in, "a file cannot be read", "");
		return;
	}
	if (now.events != state.events || now.kills != state.kills)
		complain(in, "an OOM came of it", "");
	if (now.reserve != state.reserve)
		complain(in, "reserve's target is not what was written", "");
	if (strcmp(now.last_command, state.last_command))
		complain(in, "trigger's last command is ", now.last_command);
	if (now.memory_bytes - now.held * (long long)page_size() !=
	    state.memory_bytes - state.held * (long long)page_size())
		complain(in, "the module's memory grew", "");
	state = now;
}

/* The scope that the open file shows, as a token. */
static bool shows_scope(int fd, enum fuzz_file file, const char *want)
{
	static char head[4 * WRITE_MAX];
	ssize_t n = pread(fd, head, sizeof(head) - 1, 0);
	char *s, *end;

	/* The process or the cgroup may have gone meanwhile. */
	if (n < 0)
		return errno == ESRCH || errno == ENOENT;
	head[n] = '\0';
	if (file == FUZZ_COMMIT) {
		if (!strcmp(want, "pid"))
			return strstr(head, "\n# start ");
		return strstr(head, !strcmp(want, "memcg") ? "\n# spaces " : "\n# pid ");
	}
	if (file == FUZZ_OBJECTS)
		return strstr(head, !strcmp(want, "id") ? "\n# pid descriptors " : "\n# kind ");
	s = strstr(head, "# scope ");
	if (!s)
		return false;
	s += strlen("# scope ");
	end = strchr(s, ' ');
	if (end)
		*end = '\0';
	/* A list of nodes is shown in its shortest form. */
	if (want[strlen(want) - 1] == ':')
		return !strncmp(s, want, strlen(want));
	return !strcmp(s, want);
}

/* ---- One write ---- */

static bool error_is(const struct forecast *f, int error)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(f->errors) && f->errors[i]; i++)
		if (f->errors[i] == error)
			return true;
	return false;
}

static void apply(const struct input *in, const struct forecast *f, int result)
{
	char line[120];

	if (in->file == FUZZ_RESERVE && result >= 0 && in->len)
		state.reserve = f->pages;
	if (in->file == FUZZ_TRIGGER && f->ran) {
		snprintf(line, sizeof(line), "%.119s", f->line);
		fuzz_escape(line, state.last_command, sizeof(state.last_command));
	}
}

static void one_write(struct input *in)
{
	static struct forecast f;
	const char *scope;
	int fd, result;

	fuzz_forecast(in->file, in->bytes, in->len, &f);
	if (f.withhold) {
		counts.withheld++;
		return;
	}
	fd = open(lens_path(names[in->file]), O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		complain(in, "open: ", strerror(errno));
		return;
	}
	kcov_clear();
	result = write(fd, in->bytes, in->len);
	if (result < 0)
		result = -errno;
	breed(in);
	counts.writes++;
	if (result < 0 ? !error_is(&f, result) : !f.pass || result != (int)in->len)
		complain(in, result < 0 ? "" : "was taken", result < 0 ? strerror(-result) : "");
	counts.passed += result >= 0;
	counts.refused += result < 0;
	apply(in, &f, result);

	if (in->file < FUZZ_TRIGGER) {
		/* Something refused on top must not change what was taken. */
		scope = result > 0 ? f.scope : in->file == FUZZ_BADNESS ? "global" : "all";
		if (rnd(&seed) % 32 == 0) {
			counts.read_back++;
			if (write(fd, "nonsense", 8) >= 0 || errno != EINVAL)
				complain(in, "nonsense was taken after it", "");
			if (!shows_scope(fd, in->file, scope))
				complain(in, "the scope is not ", scope);
			if (in->file == FUZZ_BADNESS &&
			    (write(fd, "global", 6) >= 0 || errno != EINVAL))
				complain(in, "a write after the read was taken", "");
		}
	}
	close(fd);
}

/* Calls that are wrong with any bytes. */
static void one_misuse(struct input *in)
{
	int fd = open(lens_path(names[in->file]), O_RDWR | O_CLOEXEC);
	int error;

	if (fd < 0) {
		complain(in, "open: ", strerror(errno));
		return;
	}
	switch (rnd(&seed) % 4) {
	case 0:
		error = 0;
		if (read(fd, in->bytes, rnd_range(&seed, 1, 64)) > 0)
			error = write(fd, "0", 1) < 0 ? errno : 0;
		if (error != EINVAL)
			complain(in, "a write not at 0: ", strerror(error));
		/* The kernel's own refusal, for every seq_file. */
		if (pwrite(fd, "0", 1, 0) >= 0 || errno != ESPIPE)
			complain(in, "a pwrite: ", strerror(errno));
		break;
	case 1:
		error = write(fd, (void *)8, rnd_range(&seed, 1, WRITE_MAX - 1)) < 0 ? errno : 0;
		if (error != EFAULT)
			complain(in, "a bad address: ", strerror(error));
		break;
	case 2:
		error = write(fd, in->bytes, rnd_range(&seed, 1 << 20, 1 << 30)) < 0 ? errno : 0;
		if (error != EINVAL)
			complain(in, "a GiB: ", strerror(error));
		break;
	case 3:
		if (pread(fd, in->bytes, rnd_range(&seed, 0, 64), rnd_range(&seed, 0, 1 << 16)) < 0)
			complain(in, "a read somewhere: ", strerror(errno));
		lseek(fd, rnd(&seed), rnd(&seed) % 3);
		break;
	}
	counts.misused++;
	close(fd);
}

/* ---- The test ---- */

static void make_cgroups(void)
{
	static const char *const odd[] = { "plain", "bl ank", "back\\slash\\101", "\xc3\xa9\t" };
	unsigned int i;
	char *dir;

	for (i = 0; i < ARRAY_SIZE(odd) && cg_version(); i++) {
		dir = cg_create(NULL, odd[i]);
		if (dir)
			fuzz_cgroups[i] = strdup(cg_shown(dir));
	}
}

static void prepare(struct hog *hogs)
{
	struct hog_spec plain = { .anon = 256 };
	struct hog_spec spared = { .anon = 256, .adj = OOM_ADJ_NEVER };

	must_hog(&hogs[0], &plain);
	must_hog(&hogs[1], &spared);
	fuzz_protected[0] = 1;
	fuzz_protected[1] = 2;		/* kthreadd */
	fuzz_protected[2] = getpid();
	fuzz_protected[3] = hogs[1].pid;
	make_cgroups();
	oom_settings();
	MUST_OK(write_file(lens_path("reserve"), "0"));
	MUST(note_state(&state));
}

int main(void)
{
	unsigned long n = env_number("OOMLENS_WRITES", 2000), i;
	long long before;
	static struct input in;
	unsigned int places;
	struct hog hogs[2];

	test_begin(0);
	needs_trigger("debugfs");
	ksft_set_plan(3);
	seed = test_seed();
	prepare(hogs);
	kcov_begin();
	before = held_kb();

	/* An input that the oracle withholds, as it could kill, does not count. */
	for (i = 0; counts.writes < n; i++) {
		make_input(&in);
		if (rnd(&seed) % 32 == 0)
			one_misuse(&in);
		else
			one_write(&in);
		if (i % CHECK_EVERY == 0)
			check_state(&in);
	}
	places = kcov_end();
	ksft_print_msg("%lu written: %lu taken, %lu refused, %lu read back; %lu withheld, %lu wrong calls\n",
		       counts.writes, counts.passed, counts.refused, counts.read_back,
		       counts.withheld, counts.misused);
	if (places)
		ksft_print_msg("%u places of the module's code reached, %u inputs bred from\n",
			       places, corpus_size);
	check_state(&in);
	EXPECT_EQ(counts.wrong, 0);
	EXPECT_GT(counts.passed, 0);
	EXPECT_GT(counts.refused, 0);
	test_done("%lu lines did what the grammar says", counts.writes);

	write_file(lens_path("reserve"), "0");
	EXPECT_FALSE(hog_gone(&hogs[0]));
	EXPECT_FALSE(hog_gone(&hogs[1]));
	test_done("no task died of it");
	EXPECT_TRUE(held_same(before));
	EXPECT_EQ(lens_key("reserve", "held"), 0);
	test_done("the memory is back");
	test_end();
}
