// SPDX-License-Identifier: GPL-2.0
/*
 * Amounts, rights, random numbers and time.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "test.h"

unsigned long env_number(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s && *s ? strtoul(s, NULL, 0) : otherwise;
}

unsigned long long test_seed(void)
{
	const char *s = getenv("OOMLENS_SEED");
	unsigned long long seed;

	if (s && *s)
		seed = strtoull(s, NULL, 0);
	else
		seed = (now_ns() ^ ((unsigned long long)time(NULL) << 20)) & 0xffffffff;
	ksft_print_msg("seed %llu (repeat with OOMLENS_SEED=%llu)\n",
		       seed, seed);
	return seed;
}

/* splitmix64: short, and the same everywhere. */
unsigned long long rnd(unsigned long long *state)
{
	unsigned long long z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

unsigned long rnd_range(unsigned long long *state, unsigned long lo, unsigned long hi)
{
	return lo + (unsigned long)(rnd(state) % ((unsigned long long)(hi - lo) + 1));
}

unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (unsigned long long)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void nap_ms(unsigned int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

unsigned long page_size(void)
{
	static unsigned long size;

	if (!size)
		size = sysconf(_SC_PAGESIZE);
	return size;
}

int drop_capability(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -errno;
	data[0].effective &= ~(1U << cap);
	data[0].permitted &= ~(1U << cap);
	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

struct opening {
	int cap, fd;
	const char *path;
};

/* Capabilities are a thread's. */
static void *open_in_thread(void *arg)
{
	struct opening *o = arg;

	o->fd = drop_capability(o->cap);
	if (!o->fd)
		o->fd = open(o->path, O_RDWR | O_CLOEXEC);
	if (o->fd < 0)
		o->fd = -errno;
	return NULL;
}

int open_without(int cap, const char *path)
{
	struct opening o = { .cap = cap, .path = path };
	pthread_t thread;

	if (pthread_create(&thread, NULL, open_in_thread, &o))
		return -EAGAIN;
	pthread_join(thread, NULL);
	return o.fd;
}
