// SPDX-License-Identifier: GPL-2.0
/*
 * Tasks of a known size and shape. Each hog is a child that has touched what
 * it was told to, says so, and then sleeps until it is told to change.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/swap.h>
#include <sys/wait.h>

#include "cgroup.h"
#include "hog.h"
#include "supervise.h"
#include "text.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef SYS_close_range
#define SYS_close_range	436
#endif

#define CTL_FD		3
#define ACK_FD		4
#define SECOND_STACK	65536
#define CHUNKS		4096
#define HUGE_BYTES	(2UL << 20)

struct order {
	enum hog_op op;
	unsigned long pages;
};

struct answer {
	int err;
	pid_t second;
};

/* What a hog's own threads share; one per process, made after the fork. */
static struct {
	struct chunk {
		char *at;
		unsigned long pages;
	} grown[CHUNKS];	/* what GROW took, the latest last */
	unsigned int chunks;
	char *churned;
	unsigned long churn;
	pid_t second;
} self;

static void touch(char *at, unsigned long pages)
{
	unsigned long i;

	for (i = 0; i < pages; i++)
		__atomic_store_n(at + i * page_size(), 1, __ATOMIC_RELAXED);
}

/* Small pages only: a huge one would make the size other than asked for. */
static char *map(unsigned long pages, int flags)
{
	char *at = mmap(NULL, pages * page_size(), PROT_READ | PROT_WRITE,
			flags | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	madvise(at, pages * page_size(), MADV_NOHUGEPAGE);
	return at;
}

/* In the middle of a mapping, so that it can begin on a huge page. */
static int touch_huge(unsigned long pages)
{
	unsigned long len = pages * page_size();
	char *at = mmap(NULL, len + HUGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	at += -(unsigned long)at % HUGE_BYTES;
	madvise(at, len, MADV_HUGEPAGE);
	touch(at, pages);
	return 0;
}

static int touch_hugetlb(void)
{
	char *at = mmap(NULL, HUGE_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	touch(at, 1);
	return 0;
}

static long long swapped_kb(void)
{
	char *text = read_file("/proc/self/status");
	long long kb = 0;

	key_number(text ? text : "", "VmSwap:", &kb);
	free(text);
	return kb;
}

static int grow(unsigned long pages)
{
	struct chunk *c = &self.grown[self.chunks];

	if (self.chunks == CHUNKS)
		return -ENOSPC;
	c->at = map(pages, MAP_PRIVATE);
	if (!c->at)
		return -errno;
	c->pages = pages;
	self.chunks++;
	touch(c->at, pages);
	return 0;
}

static void shrink(unsigned long pages)
{
	while (pages && self.chunks) {
		struct chunk *c = &self.grown[self.chunks - 1];
		unsigned long n = pages < c->pages ? pages : c->pages;

		c->pages -= n;
		munmap(c->at + c->pages * page_size(), n * page_size());
		if (!c->pages)
			self.chunks--;
		pages -= n;
	}
}

/*
 * Up to 6.1 a thread keeps its last 64 faults to itself; giving a page back
 * adds them to the mm's counters, which is where the OOM killer looks.
 */
static void settle_counters(void)
{
	char *at = map(1, MAP_PRIVATE);

	if (!at)
		return;
	touch(at, 1);
	munmap(at, page_size());
}

static int fork_some(unsigned long n)
{
	pid_t pid;

	while (n--) {
		pid = fork();
		if (pid < 0)
			return -errno;
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return 0;
}

static void answer(int err)
{
	struct answer a = { .err = err, .second = self.second };

	if (write(ACK_FD, &a, sizeof(a)) != sizeof(a))
		_exit(1);
}

static int thread_start(void *(*fn)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN + 16384);
	err = pthread_create(&thread, &attr, fn, NULL);
	return -err;
}

/* Only ever grows: two readings around a third must bracket it. */
static void *churn_main(void *unused)
{
	unsigned long i;

	for (i = 0; i < self.churn; i++) {
		touch(self.churned + i * page_size(), 1);
		if (i % 64 == 0)
			fork_some(1);
		else if (i % 4 == 0)
			nap_ms(1);
	}
	return NULL;
}

static int churn(unsigned long pages)
{
	self.churned = map(pages, MAP_PRIVATE);
	self.churn = pages;
	return self.churned ? thread_start(churn_main) : -errno;
}

static void *obey(void *unused)
{
	struct order o;
	int err;

	answer(0);
	while (read(CTL_FD, &o, sizeof(o)) == sizeof(o)) {
		switch (o.op) {
		case HOG_GROW:
			err = o.pages ? grow(o.pages) : 0;
			settle_counters();
			break;
		case HOG_SHRINK:
			shrink(o.pages);
			err = 0;
			break;
		case HOG_FORK:
			err = fork_some(o.pages);
			break;
		case HOG_CHURN:
			answer(churn(o.pages));
			continue;
		case HOG_SPIN:
			for (;;)
				;
		default:
			err = -EINVAL;
		}
		answer(err);
	}
	_exit(0);
}

static void *sleeper(void *unused)
{
	for (;;)
		pause();
	return NULL;
}

static int second_main(void *vfork)
{
	if (vfork) {
		/* The parent is blocked until we exec or exit: answer for it. */
		self.second = syscall(SYS_getpid);
		answer(0);
	}
	for (;;)
		pause();
	return 0;
}

static int second_start(bool vfork)
{
	char *stack = mmap(NULL, SECOND_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pid;

	if (stack == MAP_FAILED)
		return -errno;
	/* syscall(2) of 32-bit Arm reads arguments that it was not given. */
	pid = clone(second_main, stack + SECOND_STACK - 256,
		    CLONE_VM | SIGCHLD | (vfork ? CLONE_VFORK : 0),
		    vfork ? stack : NULL);
	if (pid < 0)
		return -errno;
	self.second = pid;
	return 0;
}

static int fill(const struct hog_spec *spec)
{
	unsigned long unit = page_size();
	unsigned int tries = 5;
	char *at;

	if (spec->anon) {
		at = map(spec->anon, MAP_PRIVATE);
		if (!at)
			return -errno;
		touch(at, spec->anon);
		if (spec->locked && mlock(at, spec->locked * unit))
			return -errno;
		at += spec->locked * unit;
		while (spec->swapped && tries-- &&
		       swapped_kb() < (long long)(spec->swapped * unit / 1024))
			madvise(at, spec->swapped * unit, MADV_PAGEOUT);
	}
	if (spec->shmem) {
		at = spec->shared ? spec->shared : map(spec->shmem, MAP_SHARED);
		if (!at)
			return -errno;
		touch(at, spec->shmem);
	}
	if (spec->promised && !map(spec->promised, MAP_PRIVATE))
		return -errno;
	if (spec->hugetlb && touch_hugetlb())
		return -errno;
	return spec->huge ? touch_huge(spec->huge) : 0;
}

static int hog_setup(const struct hog_spec *spec)
{
	unsigned int i;
	int err = 0;

	prctl(PR_SET_NAME, spec->comm ? spec->comm : "hog");
	if (spec->cgroup)
		err = cg_attach(spec->cgroup, 0);
	if (!err)
		err = set_adj(0, spec->adj);
	if (!err)
		err = fill(spec);
	if (!err && spec->uid &&
	    (setresgid(-1, spec->uid - 1, -1) || setresuid(spec->uid, spec->uid, spec->uid)))
		err = -errno;
	for (i = spec->dead_leader; !err && i < spec->threads; i++)
		err = thread_start(sleeper);
	if (!err && (spec->sharer || spec->vfork))
		err = second_start(spec->vfork);
	if (!err && spec->dead_leader) {
		err = thread_start(obey);
		if (!err)
			syscall(SYS_exit, 0);
	}
	return err;
}

static void __noreturn hog_main(const struct hog_spec *spec, int ctl, int ack)
{
	int err;

	signal(SIGCHLD, SIG_DFL);
	/* Out of the way first, so that one dup2 cannot close the other's source. */
	ctl = fcntl(ctl, F_DUPFD, 10);
	ack = fcntl(ack, F_DUPFD, 10);
	dup2(ctl, CTL_FD);
	dup2(ack, ACK_FD);
	syscall(SYS_close_range, ACK_FD + 1, ~0U, 0);

	err = hog_setup(spec);
	if (err) {
		answer(err);
		_exit(1);
	}
	obey(NULL);
	_exit(0);
}

static int hog_answer(struct hog *hog)
{
	struct pollfd pfd = { .fd = hog->ack, .events = POLLIN };
	struct answer a;
	ssize_t n;

	if (poll(&pfd, 1, PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	n = read(hog->ack, &a, sizeof(a));
	if (n != sizeof(a))
		return -EPIPE;		/* it is dead */
	hog->second = a.second;
	return a.err;
}

/* Asleep, with nothing left to be counted: the leader may still be exiting. */
static bool hog_settled(const struct hog *hog, const struct hog_spec *spec)
{
	char path[64], *text;
	bool settled;

	if (!spec->dead_leader)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", hog->pid, hog->pid);
	text = read_file(path);
	settled = text && strstr(text, "State:\tZ");
	free(text);
	return settled;
}

int hog_start(struct hog *hog, const struct hog_spec *spec)
{
	int ctl[2], ack[2], err;

	memset(hog, 0, sizeof(*hog));
	hog->ctl = -1;
	hog->ack = -1;
	if (pipe2(ctl, O_CLOEXEC))
		return -errno;
	if (pipe2(ack, O_CLOEXEC)) {
		err = -errno;
		goto err_ctl;
	}
	fflush(stdout);
	hog->pid = fork();
	if (hog->pid < 0) {
		err = -errno;
		hog->pid = 0;
		goto err_ack;
	}
	if (!hog->pid)
		hog_main(spec, ctl[0], ack[1]);
	close(ctl[0]);
	close(ack[1]);
	hog->ctl = ctl[1];
	hog->ack = ack[0];
	err = hog_answer(hog);
	if (!err && !wait_until(hog_settled(hog, spec), PATIENCE_MS))
		err = -ETIMEDOUT;
	if (err)
		hog_end(hog);
	return err;

err_ack:
	close(ack[0]);
	close(ack[1]);
err_ctl:
	close(ctl[0]);
	close(ctl[1]);
	return err;
}

int hog_do(struct hog *hog, enum hog_op op, unsigned long pages)
{
	struct order o = { .op = op, .pages = pages };

	if (write(hog->ctl, &o, sizeof(o)) != sizeof(o))
		return -errno;
	return op == HOG_SPIN ? 0 : hog_answer(hog);
}

pid_t hog_grow_apart(struct hog *hog, unsigned long pages)
{
	pid_t pid = fork();

	if (!pid) {
		hog_do(hog, HOG_GROW, pages);
		_exit(0);
	}
	return pid;
}

static bool hog_reap(struct hog *hog, int flags, int *status)
{
	if (hog->gone || !hog->pid)
		return false;
	if (waitpid(hog->pid, status, flags) != hog->pid)
		return false;
	hog->gone = true;
	hog->status = *status;
	return true;
}

bool hog_gone(struct hog *hog)
{
	int status;

	hog_reap(hog, WNOHANG, &status);
	return hog->gone;
}

bool hog_second_gone(const struct hog *hog)
{
	char path[64], *text;
	bool gone;

	if (!hog->second)
		return true;
	snprintf(path, sizeof(path), "/proc/%d/status", hog->second);
	text = read_file(path);
	gone = !text || strstr(text, "State:\tZ") || strstr(text, "State:\tX");
	free(text);
	return gone;
}

bool hog_killed(struct hog *hog)
{
	int status;

	return hog_reap(hog, WNOHANG, &status) && WIFSIGNALED(status) &&
	       WTERMSIG(status) == SIGKILL;
}

void hog_end(struct hog *hog)
{
	int status;

	if (hog->pid && !hog->gone) {
		if (hog->second)
			kill(hog->second, SIGKILL);
		kill(hog->pid, SIGKILL);
		while (!hog_reap(hog, 0, &status) && errno == EINTR)
			;
	}
	if (hog->ctl > 0)
		close(hog->ctl);
	if (hog->ack > 0)
		close(hog->ack);
	memset(hog, 0, sizeof(*hog));
}

void __noreturn eat(const char *cgroup, int adj, size_t bytes)
{
	char *at;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (set_adj(0, adj) || (cgroup && cg_attach(cgroup, 0)))
		_exit(1);
	at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	for (i = 0; at != MAP_FAILED && i < bytes; i += page_size())
		__atomic_store_n(at + i, 1, __ATOMIC_RELAXED);
	_exit(1);
}

char task_state(pid_t pid)
{
	char path[64], *text, *end;
	char state = '?';

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	text = read_file(path);
	end = text ? strrchr(text, ')') : NULL;
	if (end)
		state = end[2];
	free(text);
	return state;
}

int idle_start(pid_t *pids, unsigned int n)
{
	unsigned int i;

	fflush(stdout);
	for (i = 0; i < n; i++) {
		pids[i] = fork();
		if (pids[i] < 0) {
			int err = -errno;

			idle_end(pids, i);
			return err;
		}
		if (!pids[i])
			sleeper(NULL);
	}
	/* Up to there a child may still touch a page. */
	for (i = 0; i < n; i++)
		if (!wait_until(task_state(pids[i]) == 'S', PATIENCE_MS))
			return -ETIMEDOUT;
	return 0;
}

void idle_end(pid_t *pids, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (i = 0; i < n; i++)
		while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
			;
}

bool swap_ensure(unsigned long pages)
{
	long long need = pages * page_size() / 1024;
	const char *disk = getenv("OOMLENS_SWAP_DISK");

	if (meminfo_kb("SwapFree") >= need)
		return true;
	if (!disk || !*disk || swapon(disk, 0))
		return false;
	undo_at_end("swapoff", disk);
	return meminfo_kb("SwapFree") >= need;
}

bool swapoff_start(struct swap_drain *s)
{
	const struct hog_spec spec = { .anon = 12000, .swapped = 11000 };
	char *text = read_file("/proc/swaps");
	char *line = text ? strchr(text, '\n') : NULL;
	bool found = line && sscanf(line + 1, "%127s", s->area) == 1;

	free(text);
	if (!found)
		return false;
	if (hog_start(&s->hog, &spec))
		ksft_exit_fail_msg("cannot make the hog of a swapoff\n");
	ksft_print_msg("%lld kB are to be swapped in\n",
		       meminfo_kb("SwapTotal") - meminfo_kb("SwapFree"));
	undo_at_end("swapon", s->area);
	fflush(stdout);
	s->pid = fork();
	if (!s->pid) {
		set_adj(0, 0);
		/* Pages in the swap cache come in within ms: the test looks first. */
		nap_ms(20);
		_exit(swapoff(s->area) != 0);
	}
	return true;
}

bool swapoff_busy(struct swap_drain *s)
{
	return !waitpid(s->pid, &s->status, WNOHANG);
}

bool swapoff_end(struct swap_drain *s)
{
	swapon(s->area, 0);
	hog_end(&s->hog);
	return WIFEXITED(s->status) && !WEXITSTATUS(s->status);
}

int hog_random_adj(unsigned long long *seed, int near)
{
	switch (rnd_range(seed, 0, 9)) {
	case 0:
		return OOM_ADJ_NEVER;
	case 1:
	case 2:
		return (int)rnd_range(seed, 0, 1999) - 999;
	case 3:
	case 4:
		return (int)rnd_range(seed, 0, 2 * near) - near;
	default:
		return 0;
	}
}
