// SPDX-License-Identifier: GPL-2.0
/*
 * Memory cgroups, by the same calls on cgroup v2 and v1. Each program has one
 * cgroup of its own, and all others are made below it.
 */
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <sys/stat.h>

#include "cgroup.h"
#include "supervise.h"
#include "text.h"

static int version = -1;
static char root[256];

static bool has_memory(const char *dir, const char *file)
{
	char path[512], *text, *s, *save = NULL;
	bool found = false;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	text = read_file(path);
	for (s = text ? strtok_r(text, "\n ", &save) : NULL; s;
	     s = strtok_r(NULL, "\n ", &save))
		found |= !strcmp(s, "memory");
	free(text);
	return found;
}

int cg_version(void)
{
	struct mntent *m;
	FILE *f;

	if (version >= 0)
		return version;
	version = 0;
	f = setmntent("/proc/self/mounts", "r");
	while (f && (m = getmntent(f))) {
		if (!strcmp(m->mnt_type, "cgroup2") &&
		    has_memory(m->mnt_dir, "cgroup.controllers"))
			version = 2;
		else if (!strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "memory"))
			version = 1;
		else
			continue;
		snprintf(root, sizeof(root), "%s", m->mnt_dir);
		break;
	}
	if (f)
		endmntent(f);
	return version;
}

const char *cg_root(void)
{
	return cg_version() ? root : NULL;
}

static int cg_write(const char *dir, const char *file, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return write_file(path, text);
}

static int cg_write_pages(const char *dir, const char *file, unsigned long pages)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)pages * page_size());
	return cg_write(dir, file, text);
}

static long long cg_read_pages(const char *dir, const char *file)
{
	char path[PATH_MAX];
	long long v;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	v = file_number(path);
	return v < 0 ? -1 : v / (long long)page_size();
}

/* Its children get the memory controller. */
static int cg_delegate(const char *dir)
{
	if (cg_version() != 2 || has_memory(dir, "cgroup.subtree_control"))
		return 0;
	return cg_write(dir, "cgroup.subtree_control", "+memory");
}

/* The one cgroup that all others of this program are below. */
static const char *cg_base(void)
{
	static char base[320];
	char path[512];

	if (base[0])
		return base;
	if (!cg_version())
		return NULL;
	if (version == 2 && !has_memory(root, "cgroup.subtree_control")) {
		snprintf(path, sizeof(path), "%s/cgroup.subtree_control", root);
		undo_at_end("nomemcg", path);
		if (cg_delegate(root))
			return NULL;
	}
	/* To move a task waits for a grace period each time. */
	setting_write("/sys/kernel/rcu_expedited", "1");
	snprintf(base, sizeof(base), "%s/oomlens-%d", root, getpid());
	if (mkdir(base, 0755)) {
		base[0] = '\0';
		return NULL;
	}
	undo_at_end("rmcg", base);
	if (version == 1)
		cg_write(base, "memory.use_hierarchy", "1");
	return base;
}

char *cg_create(const char *parent, const char *name)
{
	char *dir = NULL;

	if (!parent)
		parent = cg_base();
	if (!parent || cg_delegate(parent) ||
	    asprintf(&dir, "%s/%s", parent, name) < 0)
		return NULL;
	if (mkdir(dir, 0755)) {
		free(dir);
		return NULL;
	}
	return dir;
}

char *cg_create_limited(const char *name, unsigned long pages)
{
	char *dir = cg_create(NULL, name);

	if (!dir || cg_limit(dir, pages))
		return NULL;
	/* Where swap is not accounted there is no such file. */
	cg_swap_limit(dir, 0);
	return dir;
}

const char *cg_shown(const char *dir)
{
	const char *shown = dir + strlen(cg_root());

	return *shown ? shown : "/";
}

int cg_attach(const char *dir, pid_t pid)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", pid ? pid : getpid());
	return cg_write(dir, "cgroup.procs", text);
}

int cg_limit(const char *dir, unsigned long pages)
{
	/* v1 keeps the limit of memory and swap above that of memory: free it. */
	if (cg_version() == 1)
		cg_write(dir, "memory.memsw.limit_in_bytes", "-1");
	return cg_write_pages(dir, cg_version() == 2 ? "memory.max" :
			      "memory.limit_in_bytes", pages);
}

int cg_swap_limit(const char *dir, unsigned long pages)
{
	if (cg_version() == 2)
		return cg_write_pages(dir, "memory.swap.max", pages);
	return cg_write_pages(dir, "memory.memsw.limit_in_bytes", pages +
			      cg_read_pages(dir, "memory.limit_in_bytes"));
}

int cg_oom_group(const char *dir, bool on)
{
	if (cg_version() != 2)
		return -EOPNOTSUPP;
	return cg_write(dir, "memory.oom.group", on ? "1" : "0");
}

long long cg_oom_kills(const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir,
		 cg_version() == 2 ? "memory.events" : "memory.oom_control");
	return file_key(path, "oom_kill");
}

long long cg_usage(const char *dir)
{
	return cg_read_pages(dir, cg_version() == 2 ? "memory.current" :
			     "memory.usage_in_bytes");
}

long long cg_dying(void)
{
	char path[512];

	write_file("/proc/sys/vm/drop_caches", "3");
	snprintf(path, sizeof(path), "%s/cgroup.stat", cg_root());
	return file_key(path, "nr_dying_descendants");
}

long long cg_swap_usage(const char *dir)
{
	long long both;

	if (cg_version() == 2)
		return cg_read_pages(dir, "memory.swap.current");
	both = cg_read_pages(dir, "memory.memsw.usage_in_bytes");
	return both < 0 ? -1 : both - cg_usage(dir);
}

int cg_delegate_cpuset(const char *dir)
{
	static const char file[] = "cgroup.subtree_control";

	if (cg_version() != 2)
		return -EOPNOTSUPP;
	/* Stays on: the cgroups that use it go only when the test is over. */
	return cg_write(root, file, "+cpuset") ?: cg_write(cg_base(), file, "+cpuset") ?:
	       dir ? cg_write(dir, file, "+cpuset") : 0;
}

char *cg_cpuset(const char *mems)
{
	char *outer, *inner;

	outer = cg_create(NULL, "outer");
	if (!outer || cg_delegate_cpuset(outer))
		return NULL;
	inner = cg_create(outer, "inner");
	return inner && !cg_write(inner, "cpuset.mems", mems) ? inner : NULL;
}

int cg_remove(const char *dir)
{
	int err;

	/* Its tasks are dead, but may still be on their way out. */
	wait_until(!(err = rmdir(dir) ? -errno : 0) || err != -EBUSY, PATIENCE_MS);
	return err;
}
