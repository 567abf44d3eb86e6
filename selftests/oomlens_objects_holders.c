// SPDX-License-Identifier: GPL-2.0
/*
 * Which processes have an object: forked, mapped, passed through a socket, by
 * O_PATH, by a thread's own descriptors, in another mount namespace, and when
 * none is left. Judged by what the test did, and by /proc/PID/fd.
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "lib/actor.h"
#include "lib/expect.h"
#include "lib/objects.h"
#include "lib/slab.h"

static char top[32] = "/tmp/oomlens_holders_XXXXXX";
static int shared_fd = -1;

static int make_memfd(const char *name)
{
	int fd = MUST_GET(syscall(SYS_memfd_create, name, MFD_CLOEXEC));

	MUST_OK(ftruncate(fd, 3 * page_size()));
	return fd;
}

static void expect_holders(const char *id, unsigned int holders)
{
	struct table *t = must_table("objects");

	EXPECT_ROW(t, objects_row(t, id, NULL), "holders=%u", holders);
	table_free(t);
}

static void expect_gone(const char *id)
{
	struct table *t = must_table("objects");

	EXPECT_EQ(objects_row(t, id, NULL), -1);
	table_free(t);
}

/* ---- what a child does with the descriptor that it inherits ---- */

static int close_it(long unused)
{
	return close(shared_fd) ? -errno : 0;
}

static int map_it(long pages)
{
	actor_len = pages * page_size();
	actor_at = mmap(NULL, actor_len, PROT_READ, MAP_SHARED, shared_fd, 0);
	return actor_at == MAP_FAILED ? -errno : 0;
}

static int unmap_it(long unused)
{
	return munmap(actor_at, actor_len) ? -errno : 0;
}

static void test_fork(void)
{
	struct table *t;
	struct actor a;
	char id[64];
	int copy;

	shared_fd = make_memfd("forked");
	objects_id_of(shared_fd, id, sizeof(id));
	copy = MUST_GET(dup(shared_fd));
	expect_holders(id, 1);
	MUST_OK(actor_start(&a));
	t = must_table("objects");
	/* The parent is older, and holds it twice. */
	EXPECT_ROW(t, objects_row(t, id, "memfd"), "holders=2 pid=%d", getpid());
	table_free(t);
	MUST_OK(actor_do(&a, map_it, 3));
	expect_holders(id, 2);
	actor_end(&a);
	expect_holders(id, 1);
	close(copy);
	close(shared_fd);
	test_done("a forked child is a holder, however often it has the object");
}

static void test_mapped(void)
{
	struct actor a;
	char id[64];

	shared_fd = make_memfd("mapped");
	objects_id_of(shared_fd, id, sizeof(id));
	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, map_it, 3));
	MUST_OK(actor_do(&a, close_it, 0));
	expect_holders(id, 2);
	/* Mapped by the other process, and no descriptor is left. */
	close(shared_fd);
	expect_holders(id, 1);
	MUST_OK(actor_do(&a, unmap_it, 0));
	expect_gone(id);
	actor_end(&a);
	test_done("a mapping alone holds an object; without any it is gone");
}

/* ---- a descriptor in flight ---- */

static void send_fd(int sock, int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	MUST(sendmsg(sock, &msg, 0) == 1);
}

static int receive_fd(int sock)
{
	char space[CMSG_SPACE(sizeof(int))] = { }, byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = space, .msg_controllen = sizeof(space),
	};
	int fd;

	MUST(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) == 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void test_in_flight(void)
{
	struct table *t;
	int fd, socks[2];
	char id[64];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, socks)) {
		ksft_test_result_skip("no sockets: %s\n", strerror(errno));
		return;
	}
	fd = make_memfd("in flight");
	objects_id_of(fd, id, sizeof(id));
	send_fd(socks[0], fd);
	expect_holders(id, 1);
	close(fd);
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "memfd"),
		   "holders=0 pid=- comm=- holder_memcg=- name=memfd:in\\040flight");
	EXPECT_GE(table_head(t, "unheld"), 1);
	table_free(t);
	fd = receive_fd(socks[1]);
	expect_holders(id, 1);
	close(fd);
	close(socks[0]);
	close(socks[1]);
	test_done("in flight in a socket an object has no holder, and is there");
}

/* ---- files of a tmpfs ---- */

static void test_path(void)
{
	char path[128], id[64];
	struct table *t;
	int fd, place;

	snprintf(path, sizeof(path), "%s/file", top);
	fd = MUST_GET(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	objects_id_of(fd, id, sizeof(id));
	place = must_open(path, O_PATH);
	close(fd);
	expect_holders(id, 1);
	MUST_OK(unlink(path));
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "tmpfs"), "holders=1 name=/file\\040(deleted)");
	table_free(t);
	close(place);
	expect_gone(id);
	test_done("O_PATH holds an object");
}

static void test_left(void)
{
	char path[128], id[64];
	struct table *t;
	pid_t pid;
	int fd;

	snprintf(path, sizeof(path), "%s/left", top);
	fd = MUST_GET(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	MUST(write(fd, "x", 1) == 1);
	objects_id_of(fd, id, sizeof(id));
	pid = must_fork();
	if (!pid)
		for (;;)
			pause();
	close(fd);
	expect_holders(id, 1);
	kill(pid, SIGKILL);
	MUST(waitpid(pid, NULL, 0) == pid);
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "tmpfs"), "resident=1 holders=0 pid=- name=/left");
	table_free(t);
	MUST_OK(unlink(path));
	test_done("a file outlives its last process, with no holder");
}

/* The id of a file that only a child's mount namespace shows. */
struct elsewhere {
	volatile int ready, error;
	char id[64];
};

static void __noreturn mount_elsewhere(struct elsewhere *e)
{
	char path[128];
	int fd = -1;

	snprintf(path, sizeof(path), "%s/hidden", top);
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("hidden", top, "tmpfs", 0, ""))
		e->error = errno;
	else
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, "x", 1) == 1)
		objects_id_of(fd, e->id, sizeof(e->id));
	close(fd);
	e->ready = 1;
	for (;;)
		pause();
}

static void test_namespace(void)
{
	struct elsewhere *e = must_share(sizeof(*e));
	struct table *t;
	pid_t pid = must_fork();

	if (!pid)
		mount_elsewhere(e);
	EXPECT_TRUE(wait_until(e->ready, PATIENCE_MS));
	EXPECT_EQ(e->error, 0);
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, e->id, "tmpfs"), "resident=1 holders=0 name=/hidden");
	table_free(t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	test_done("a tmpfs of another mount namespace is there");
}

/* By the id that the file itself has, which fstat() through the overlay does not show. */
static int open_both(const char *layer, const char *name, int flags, char *id, size_t size)
{
	char path[128];
	int fd, own;

	snprintf(path, sizeof(path), "%s/merged/%s", top, name);
	fd = MUST_GET(open(path, flags | O_CLOEXEC, 0600));
	snprintf(path, sizeof(path), "%s/%s/%s", top, layer, name);
	own = must_open(path, O_RDONLY);
	objects_id_of(own, id, size);
	close(own);
	return fd;
}

static void test_overlay(void)
{
	static const char *const dirs[] = { "lower", "upper", "work", "merged" };
	char path[128], options[192], id[64], lower_id[64], scope[32];
	struct table *t;
	unsigned int i;
	int fd, lower;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", top, dirs[i]);
		MUST(!mkdir(path, 0700));
	}
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 top, top, top);
	if (mount("overlay", path, "overlay", 0, options)) {
		ksft_test_result_skip("no overlay: %s\n", strerror(errno));
		return;
	}
	undo_at_end("umount", path);
	snprintf(path, sizeof(path), "%s/lower/below", top);
	close(MUST_GET(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)));
	fd = open_both("upper", "file", O_RDWR | O_CREAT, id, sizeof(id));
	MUST(write(fd, "x", 1) == 1);
	lower = open_both("lower", "below", O_RDONLY, lower_id, sizeof(lower_id));
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "tmpfs"),
		   "resident=1 holders=1 pid=%d name=/upper/file", getpid());
	EXPECT_ROW(t, objects_row(t, lower_id, "tmpfs"),
		   "resident=0 holders=1 pid=%d name=/lower/below", getpid());
	table_free(t);
	snprintf(scope, sizeof(scope), "pid %d", getpid());
	t = objects_table(scope);
	EXPECT_ROW(t, objects_row(t, id, "tmpfs"), "holders=1");
	table_free(t);
	snprintf(path, sizeof(path), "%s/merged/file", top);
	MUST(!unlink(path));
	expect_holders(id, 1);
	close(lower);
	expect_holders(lower_id, 0);
	close(fd);
	expect_gone(id);
	test_done("a file opened through an overlay");
}

/* ---- a thread with descriptors of its own ---- */

struct own {
	volatile int ready, go;
	char id[64];
};

static void *keep_own(void *arg)
{
	struct own *own = arg;
	int fd;

	MUST_OK(unshare(CLONE_FILES));
	fd = make_memfd("own");
	objects_id_of(fd, own->id, sizeof(own->id));
	own->ready = 1;
	while (!own->go)
		nap_ms(1);
	close(fd);
	return NULL;
}

static void test_thread(void)
{
	struct own own = { };
	pthread_t thread;
	struct table *t;

	MUST_OK(pthread_create(&thread, NULL, keep_own, &own));
	EXPECT_TRUE(wait_until(own.ready, PATIENCE_MS));
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, own.id, "memfd"), "holders=1 pid=%d", getpid());
	table_free(t);
	own.go = 1;
	pthread_join(thread, NULL);
	test_done("a thread's own descriptors are its process'");
}

/* ---- one process, one object ---- */

/* Does /proc/PID/fd show it? */
static unsigned int count_fds(pid_t pid, const char *id)
{
	char dir[32], path[320], shown[64];
	unsigned int n = 0;
	struct dirent *entry;
	struct stat st;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%d/fd", pid);
	d = opendir(dir);
	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (stat(path, &st))
			continue;
		snprintf(shown, sizeof(shown), "%u:%u:%llu", major(st.st_dev), minor(st.st_dev),
			 (unsigned long long)st.st_ino);
		n += !strcmp(shown, id);
	}
	if (d)
		closedir(d);
	return n;
}

static void test_scopes(void)
{
	char id[64], scope[96];
	struct table *t;
	struct actor a;
	int copy, fd;

	shared_fd = make_memfd("asked");
	objects_id_of(shared_fd, id, sizeof(id));
	copy = MUST_GET(dup(shared_fd));
	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, map_it, 1));
	MUST_OK(actor_do(&a, close_it, 0));
	snprintf(scope, sizeof(scope), "id %s", id);
	t = objects_table(scope);
	EXPECT_EQ(t ? t->rows : 0, 2);
	EXPECT_ROW(t, 0, "pid=%d descriptors=%u mappings=0", getpid(), count_fds(getpid(), id));
	EXPECT_ROW(t, 1, "pid=%d descriptors=%u mappings=1", a.pid, count_fds(a.pid, id));
	EXPECT_EQ(count_fds(getpid(), id), 2);
	table_free(t);
	snprintf(scope, sizeof(scope), "pid %d", a.pid);
	close(copy);
	close(shared_fd);
	t = objects_table(scope);
	EXPECT_ROW(t, objects_row(t, id, "memfd"), "holders=1 pid=%d", a.pid);
	EXPECT_EQ(objects_count(t), t ? t->rows : 0);
	table_free(t);
	snprintf(scope, sizeof(scope), "pid %d", getpid());
	t = objects_table(scope);
	EXPECT_TRUE(t);
	EXPECT_EQ(objects_row(t, id, "memfd"), -1);
	table_free(t);
	snprintf(scope, sizeof(scope), "pid %d", a.pid);
	fd = must_open_lens("objects", O_RDWR);
	MUST_OK(write_fd(fd, scope));
	EXPECT_EQ(pread(fd, id, 1, 0), 1);
	actor_end(&a);
	EXPECT_EQ(pread(fd, id, 1, 0) < 0 ? errno : 0, ESRCH);
	close(fd);
	test_done("the objects of a process, and all holders of one, as /proc/PID/fd has them");
}

static void *hold_own(void *arg)
{
	struct own *own = arg;
	int fd = make_memfd("left");

	objects_id_of(fd, own->id, sizeof(own->id));
	own->ready = 1;
	for (;;)
		pause();
	return NULL;
}

/* A process whose leader has ended, then the others too. */
static void test_zombie(void)
{
	struct own *own = must_share(sizeof(*own));
	pid_t pid = must_fork();
	char scope[32], c;
	pthread_t thread;
	struct table *t;
	int fd;

	if (!pid) {
		if (!pthread_create(&thread, NULL, hold_own, own))
			pthread_exit(NULL);
		_exit(1);
	}
	EXPECT_TRUE(wait_until(own->ready && task_state(pid) == 'Z', PATIENCE_MS));
	snprintf(scope, sizeof(scope), "pid %d", pid);
	t = objects_table(scope);
	EXPECT_ROW(t, objects_row(t, own->id, "memfd"), "holders=1 pid=%d", pid);
	table_free(t);
	kill(pid, SIGKILL);
	MUST(!waitid(P_PID, pid, NULL, WEXITED | WNOWAIT));
	fd = must_open_lens("objects", O_RDWR);
	EXPECT_OK(write_fd(fd, scope));
	EXPECT_EQ(pread(fd, &c, 1, 0) < 0 ? errno : 0, ESRCH);
	close(fd);
	MUST(waitpid(pid, NULL, 0) == pid);
	test_done("of a zombie: its threads' objects, then ESRCH");
}

#define NAMESPACES	200

/* In each of so many IPC namespaces, kept by a descriptor, the first segment. */
static int make_segments(long pages)
{
	int i, id;

	for (i = 0; i < NAMESPACES; i++) {
		if (unshare(CLONE_NEWIPC))
			return -errno;
		id = shmget(IPC_PRIVATE, pages * page_size(), IPC_CREAT | 0600);
		if (id < 0 || open("/proc/self/ns/ipc", O_RDONLY | O_CLOEXEC) < 0)
			return -errno;
	}
	return shmat(id, NULL, 0) == (void *)-1 ? -errno : 0;
}

static unsigned int count_lines(const char *text, const char *word)
{
	unsigned int n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* All of them have one id, as inodes of one internal mount. */
static void test_one_id(void)
{
	char id[64] = "", scope[96], *text, *last;
	struct actor a;
	int fd;

	if (access("/proc/self/ns/ipc", F_OK) || access("/proc/sysvipc/shm", F_OK)) {
		test_skip(1, "no IPC namespaces\n");
		return;
	}
	MUST_OK(actor_start(&a));
	MUST_OK(actor_do(&a, make_segments, 1));
	text = must_read_lens("objects");
	MUST(sscanf(strstr(text, "\nsysv ") ?: "", "\nsysv %63s", id) == 1);
	free(text);
	snprintf(scope, sizeof(scope), "id %s", id);
	fd = must_open_lens("objects", O_RDWR);
	MUST_OK(write_fd(fd, scope));
	text = read_fd(fd);
	MUST(text);
	close(fd);
	EXPECT_EQ(count_lines(text, "\n# object sysv "), NAMESPACES);
	EXPECT_EQ(count_lines(text, "\n# pid "), 1);
	/* The columns stand behind the objects, and the process that has the last one. */
	last = strstr(text, "\n# pid ");
	snprintf(scope, sizeof(scope), "\n%d 0 1 ", a.pid);
	EXPECT_TRUE(last && !strstr(last, "\n# object ") && strstr(last, scope));
	expect_show(text);
	free(text);
	actor_end(&a);
	test_done("objects of one id in %u IPC namespaces", NAMESPACES);
}

/* ---- which process is named ---- */

static void test_oldest(void)
{
	char *cgroup = cg_version() ? must_cgroup(NULL, "holder") : NULL;
	struct table *t;
	struct actor a;
	char id[64];

	shared_fd = make_memfd("oldest");
	objects_id_of(shared_fd, id, sizeof(id));
	MUST_OK(actor_start(&a));
	if (cgroup)
		MUST_OK(cg_attach(cgroup, a.pid));
	close(shared_fd);
	t = must_table("objects");
	EXPECT_ROW(t, objects_row(t, id, "memfd"),
		   "holders=1 pid=%d comm=oomlens_objects holder_memcg=%s", a.pid,
		   cgroup ? cg_shown(cgroup) : "-");
	table_free(t);
	actor_end(&a);
	test_done("the oldest holder, its name and its memory cgroup");
}

/* ---- refusals ---- */

static void test_refused(void)
{
	static const struct {
		const char *line;
		int err;
	} lines[] = {
		{ "", -EINVAL }, { "pid", -EINVAL }, { "pid x", -EINVAL }, { "pid 0", -EINVAL },
		{ "pid 2", -EINVAL }, { "pid 4194305", -ESRCH }, { "memcg", -EINVAL },
		{ "id 1", -EINVAL }, { "id 1:2", -EINVAL }, { "id 1:2:", -EINVAL },
		{ "id 1:2:3x", -EINVAL }, { "id 01:2:3", -EINVAL }, { "id 1: 2:3", -EINVAL },
		{ "id 1:1048576:3", -EINVAL }, { "id -1:2:3", -EINVAL },
		{ "id 1:2:99999999999999999999", -EINVAL },
	};
	int fd = must_open_lens("objects", O_RDWR);
	unsigned int i;
	char c;

	for (i = 1; i < ARRAY_SIZE(lines); i++) {
		expect_of("\"%s\"", lines[i].line);
		EXPECT_EQ(write_fd(fd, lines[i].line), lines[i].err);
	}
	expect_of("the scope");
	EXPECT_EQ(pread(fd, &c, 1, 0), 1);
	close(fd);
	expect_ptrace_right("objects", "id 0:1:2");
	test_done("other scopes are refused; one process' objects need CAP_SYS_PTRACE");
}

#define GONE	150

/* A read holds each task for a moment, and a descriptor with "pid N" its number. */
static void test_left_behind(void)
{
	struct task_slabs before;
	pid_t pids[GONE];
	char scope[32];
	unsigned int i;
	int fd;

	task_slabs_read(&before);
	must_idle(pids, GONE);
	for (i = 0; i < GONE; i++) {
		snprintf(scope, sizeof(scope), "pid %d", pids[i]);
		fd = must_open_lens("objects", O_RDWR);
		MUST_OK(write_fd(fd, scope));
		/* All of them are looked at in each. */
		if (i < 2)
			free(MUST_HAVE(read_fd(fd)));
		close(fd);
	}
	idle_end(pids, GONE);
	EXPECT_TRUE(task_slabs_back(&before, 8));
	test_done("nothing of the tasks is held after a read");
}

int main(void)
{
	test_begin(14);
	MUST_OK(mount_tmpfs(top, ""));
	test_fork();
	test_mapped();
	test_in_flight();
	test_path();
	test_left();
	test_namespace();
	test_overlay();
	test_thread();
	test_scopes();
	test_zombie();
	test_one_id();
	test_oldest();
	test_refused();
	test_left_behind();
	test_end();
}
