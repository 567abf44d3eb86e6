// SPDX-License-Identifier: GPL-2.0
/*
 * What is charged, and to which process: each kind of mapping is made for real,
 * and the change in commit is held against Committed_AS and against the "ac" flags of
 * /proc/PID/smaps.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "lib/actor.h"
#include "lib/expect.h"

#define PAGES		300L
#define ATTEMPTS	5

#define MODE_FILE	"/proc/sys/vm/overcommit_memory"

static char file_path[64], tmpfs_path[64];

/* ---- what the actor does; the arguments are pages ---- */

static int map(long pages, int prot, int flags, int fd)
{
	actor_len = pages * page_size();
	actor_at = mmap(NULL, actor_len, prot, flags, fd, 0);
	return actor_at == MAP_FAILED ? -errno : 0;
}

static int unmap(long pages)
{
	return munmap(actor_at, actor_len) ? -errno : 0;
}

static int map_private(long pages)
{
	return map(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int map_readonly(long pages)
{
	return map(pages, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int map_none(long pages)
{
	return map(pages, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static int map_noreserve(long pages)
{
	return map(pages, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
}

static int map_shared(long pages)
{
	return map(pages, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

/* The file has holes only, so that its pages are charged nowhere. */
static int open_file(long pages)
{
	actor_fd = open(file_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (actor_fd < 0 || ftruncate(actor_fd, pages * page_size()))
		return -errno;
	return 0;
}

static int close_file(long pages)
{
	close(actor_fd);
	return unlink(file_path) ? -errno : 0;
}

static int map_file_private(long pages)
{
	return map(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE, actor_fd);
}

static int map_file_readonly(long pages)
{
	return map(pages, PROT_READ, MAP_PRIVATE, actor_fd);
}

static int map_file_shared(long pages)
{
	return map(pages, PROT_READ | PROT_WRITE, MAP_SHARED, actor_fd);
}

static int protect_write(long pages)
{
	return mprotect(actor_at, actor_len, PROT_READ | PROT_WRITE) ? -errno : 0;
}

static int touch(long pages)
{
	long i;

	for (i = 0; i < pages; i++)
		__atomic_store_n(actor_at + i * page_size(), 1, __ATOMIC_RELAXED);
	return 0;
}

static int grow_brk(long pages)
{
	return sbrk(pages * page_size()) == (void *)-1 ? -errno : 0;
}

static int shrink_brk(long pages)
{
	return grow_brk(-pages);
}

/* Far below the stack pointer, as a deep call would. */
static int grow_stack(long pages)
{
	/* 600 pages of 16 KiB are more than the usual 8 MB. */
	const struct rlimit room = { 64 << 20, RLIM_INFINITY };
	char *here = __builtin_frame_address(0);
	long i;

	setrlimit(RLIMIT_STACK, &room);
	for (i = 0; i < pages; i++)
		__atomic_load_n(here - i * page_size(), __ATOMIC_RELAXED);
	return 0;
}

/* On from grow_stack(), as exec maps some stack pages in advance. */
static int grow_stack_more(long pages)
{
	return grow_stack(2 * pages + 1);
}

static void *thread_main(void *unused)
{
	pause();
	return NULL;
}

static int start_thread(long pages)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setguardsize(&attr, 0);
	pthread_attr_setstacksize(&attr, pages * page_size());
	return -pthread_create(&thread, &attr, thread_main, NULL);
}

static int open_memfd(long pages)
{
	actor_fd = syscall(SYS_memfd_create, "oomlens", 0);
	if (actor_fd < 0 || ftruncate(actor_fd, pages * page_size()))
		return -errno;
	return 0;
}

static int map_fd(long pages)
{
	return map(pages, PROT_READ | PROT_WRITE, MAP_SHARED, actor_fd);
}

static int close_fd(long pages)
{
	return close(actor_fd) ? -errno : 0;
}

/* An IPC namespace of its own: a segment goes with the actor. */
static int own_ipc(long pages)
{
	if (access("/proc/sysvipc/shm", F_OK))
		return -EOPNOTSUPP;	/* CONFIG_SYSVIPC=n */
	unshare(CLONE_NEWIPC);
	return 0;
}

static int sysv_get(long pages)
{
	actor_fd = shmget(IPC_PRIVATE, pages * page_size(), IPC_CREAT | 0600);
	return actor_fd < 0 ? -errno : 0;
}

static int sysv_prepare(long pages)
{
	return own_ipc(pages) ?: sysv_get(pages);
}

static int sysv_attach(long pages)
{
	actor_len = pages * page_size();
	actor_at = shmat(actor_fd, NULL, 0);
	return actor_at == (void *)-1 ? -errno : 0;
}

static int sysv_remove(long pages)
{
	shmdt(actor_at);
	return shmctl(actor_fd, IPC_RMID, NULL) ? -errno : 0;
}

static int tmpfs_write(long pages)
{
	static char page[65536];
	long i;

	actor_fd = open(tmpfs_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (actor_fd < 0)
		return -errno;
	for (i = 0; i < pages; i++)
		if (write(actor_fd, page, page_size()) != (ssize_t)page_size())
			return -errno;
	return 0;
}

static int tmpfs_remove(long pages)
{
	close(actor_fd);
	return unlink(tmpfs_path) ? -errno : 0;
}

/* ---- the statements ---- */

/* In units of PAGES; a field that is not named does not change. */
struct expected {
	int anon, file_private, stack, noreserve, shared, object, vm_total;
	int resident;		/* of object */
	bool more;		/* anon or stack: that, or up to 63 pages more */
};

static const struct statement {
	const char *says;
	actor_fn before;	/* not measured */
	actor_fn act;
	actor_fn after;
	const char *mode;	/* overcommit_memory; NULL: 0 */
	struct expected e;
} statements[] = {
	{ "private anonymous memory is charged",
	  NULL, map_private, unmap, .e = { .anon = 1, .vm_total = 1 } },
	{ "touching it charges nothing more",
	  map_private, touch, unmap, .e = {} },
	{ "unmapping it gives the charge back",
	  map_private, unmap, NULL, .e = { .anon = -1, .vm_total = -1 } },
	{ "read-only private memory is not charged",
	  NULL, map_readonly, unmap, .e = { .vm_total = 1 } },
	{ "PROT_NONE is not charged",
	  NULL, map_none, unmap, .e = { .vm_total = 1 } },
	{ "mprotect to writable charges",
	  map_none, protect_write, unmap, .e = { .anon = 1 } },
	{ "MAP_NORESERVE is not charged in mode 0",
	  NULL, map_noreserve, unmap, .e = { .noreserve = 1, .vm_total = 1 } },
	{ "MAP_NORESERVE is not charged in mode 1",
	  NULL, map_noreserve, unmap, "1", { .noreserve = 1, .vm_total = 1 } },
	{ "MAP_NORESERVE is charged in mode 2",
	  NULL, map_noreserve, unmap, "2", { .anon = 1, .vm_total = 1 } },
	{ "brk is charged",
	  NULL, grow_brk, shrink_brk, .e = { .anon = 1, .vm_total = 1 } },
	{ "the stack is charged as it grows",
	  grow_stack, grow_stack_more, NULL, .e = { .stack = 1, .vm_total = 1, .more = true } },
	{ "a thread's stack is charged whole",
	  NULL, start_thread, NULL, .e = { .anon = 1, .vm_total = 1, .more = true } },
	{ "a private writable file is charged",
	  open_file, map_file_private, unmap, .e = { .file_private = 1, .vm_total = 1 } },
	{ "a private read-only file is not charged",
	  open_file, map_file_readonly, unmap, .e = { .vm_total = 1 } },
	{ "a shared file is not charged",
	  open_file, map_file_shared, unmap, .e = { .shared = 1, .vm_total = 1 } },
	{ "shared anonymous memory is charged whole, to the object",
	  NULL, map_shared, unmap, .e = { .shared = 1, .object = 1, .vm_total = 1 } },
	{ "touching shared anonymous memory charges nothing more",
	  map_shared, touch, unmap, .e = { .resident = 1 } },
	{ "a memfd that is empty is not charged",
	  NULL, open_memfd, close_fd, .e = {} },
	{ "mapping a memfd charges nothing",
	  open_memfd, map_fd, unmap, .e = { .shared = 1, .vm_total = 1 } },
	{ "SysV memory is charged whole when it is made",
	  own_ipc, sysv_get, sysv_remove, .e = { .object = 1 } },
	{ "attaching SysV memory charges nothing more",
	  sysv_prepare, sysv_attach, sysv_remove, .e = { .shared = 1, .vm_total = 1 } },
	{ "a tmpfs file is charged page by page, to the object",
	  NULL, tmpfs_write, tmpfs_remove, .e = { .object = 1, .resident = 1 } },
};

/* With e->more, what a thread or a stack takes besides is in it. */
static void expect_about(long long value, int units, bool more)
{
	EXPECT_IN(value, units * PAGES, units * PAGES + (more && units ? 63 : 0));
}

static void expect_stated(const struct figures *d, const struct expected *e)
{
	long long object = d->committed - d->processes;

	expect_of("anon");
	expect_about(d->anon, e->anon, e->more);
	expect_of("stack");
	expect_about(d->stack, e->stack, e->more);
	expect_of("vm_total");
	expect_about(d->vm_total, e->vm_total, e->more);
	expect_of("change");
	EXPECT_EQ(d->file_private, e->file_private * PAGES);
	EXPECT_EQ(d->noreserve, e->noreserve * PAGES);
	EXPECT_EQ(d->shared, e->shared * PAGES);
	EXPECT_EQ(d->charge, d->anon + d->file_private + d->stack);
	EXPECT_EQ(d->charge, d->smaps_charged);
	EXPECT_EQ(object, e->object * PAGES);
	EXPECT_EQ(d->meminfo_committed, d->charge + object);
	EXPECT_EQ(d->shared_resident, e->resident * PAGES);
	EXPECT_EQ(d->shared_promised, object - d->shared_resident);
	EXPECT_EQ(d->shared_swapped, 0);
	EXPECT_EQ(d->unattributed, 0);
	EXPECT_EQ(d->total_uncashed, d->uncashed + d->shared_promised);
}

/* 0, or an error: it could not be tried. */
static int attempt(const struct statement *s)
{
	static struct reading before, after;
	struct figures d;
	struct actor a;
	int err;

	/* Touched before it counts: a first touch would change the figures. */
	memset(&before, 0, sizeof(before));
	memset(&after, 0, sizeof(after));
	MUST_OK(actor_start(&a));
	err = s->before ? actor_do(&a, s->before, PAGES) : 0;
	if (!err) {
		EXPECT_TRUE(reading_take(&before, a.pid));
		err = actor_do(&a, s->act, PAGES);
	}
	if (!err) {
		EXPECT_TRUE(reading_take(&after, a.pid));
		if (EXPECT_TRUE(reading_since(&before, &after, &d)))
			expect_stated(&d, &s->e);
		if (s->after)
			actor_do(&a, s->after, PAGES);
	}
	if (s->before == open_file)
		actor_do(&a, close_file, PAGES);
	actor_end(&a);
	return err;
}

/* Another task may map something meanwhile: a true statement holds once in a few. */
static void test_statement(const struct statement *s)
{
	unsigned int tries;
	int err;

	MUST_OK(setting_write(MODE_FILE, s->mode ?: "0"));
	for (tries = 0; tries < ATTEMPTS; tries++) {
		expect_retry();
		err = attempt(s);
		if (err || !expect_failed())
			break;
	}
	if (err == -EOPNOTSUPP) {
		expect_retry();
		ksft_test_result_skip("%s: not in this kernel\n", s->says);
		return;
	}
	EXPECT_OK(err);
	test_done("%s", s->says);
}

int main(void)
{
	char dir[] = "/tmp/oomlens-XXXXXX";
	unsigned int i;

	test_begin(ARRAY_SIZE(statements));
	mkdir("/tmp", 01777);
	MUST_OK(mount_tmpfs(dir, NULL));
	snprintf(file_path, sizeof(file_path), "%s/holes", dir);
	snprintf(tmpfs_path, sizeof(tmpfs_path), "%s/pages", dir);
	for (i = 0; i < ARRAY_SIZE(statements); i++)
		test_statement(&statements[i]);
	test_end();
}
