// SPDX-License-Identifier: GPL-2.0
/*
 * What the module takes for itself, by stats, against what the kernel says: its
 * code in /proc/modules, and what a larger ring takes from the slab and vmalloc.
 */
#include <sys/utsname.h>

#include "lib/expect.h"
#include "lib/held.h"
#include "lib/loader.h"

/*
 * Of all with the default parameters; held where the compiler was not asked to
 * align every function or to check every access: README has the others.
 */
#define BOUND	(128 * 1024)

#define LOADS	10

static long long listed_bytes(void)
{
	return file_key("/proc/modules", "oomlens");
}

static long long kernel_bytes(void)
{
	slabs_settle();
	return 1024 * (meminfo_kb("SUnreclaim") + meminfo_kb("VmallocUsed"));
}

static void load(const char *parameters)
{
	if (loader_unload() || loader_load(parameters))
		ksft_exit_fail_msg("cannot load with %s\n", parameters);
}

static bool many_are_accounted(void)
{
	/* So many that all other noise is small beside. */
	bool small = meminfo_kb("MemTotal") < 200000;
	int many = small ? 1024 : 4096;
	long long told, taken;
	char parameters[32];

	load("events=1");
	told = lens_key("stats", "memory_bytes");
	taken = kernel_bytes();
	snprintf(parameters, sizeof(parameters), "events=%d", many);
	load(parameters);
	told = lens_key("stats", "memory_bytes") - told;
	taken = kernel_bytes() - taken;
	ksft_print_msg("%d events: told %lld bytes, taken %lld\n", many - 1, told, taken);
	/* What the kernel takes by itself meanwhile goes into both directions. */
	return told > many * 1024LL && taken > told * 15 / 16 && taken < told * 17 / 16;
}

/*
 * Rings come and go. How full the kernel's own slabs are changes by up to 230 kB
 * from one load to the next and back: one reading against another says little, the
 * means of ten each do, and show what each of the twenty loads between them leaves.
 * By chance they differed by 15 pages at most, of 26 times on 6.1.
 */
static bool is_given_back(void)
{
	bool small = meminfo_kb("MemTotal") < 200000;
	long long ring, early = 0, late = 0, lost;
	char parameters[32];
	int i;

	snprintf(parameters, sizeof(parameters), "events=%d", small ? 256 : 1024);
	for (i = 0; i < 2 * LOADS; i++) {
		load(parameters);
		ring = lens_key("stats", "memory_bytes");
		load("events=1");
		*(i < LOADS ? &early : &late) += kernel_bytes();
	}
	lost = (late - early) / LOADS;
	ksft_print_msg("%d loads of %lld bytes: %lld not given back\n", LOADS, ring, lost);
	return llabs(lost) < 32 * (long long)page_size();
}

static bool is_bound(void)
{
	struct utsname name;

	if (sizeof(long) == 4)
		return true;
	return !uname(&name) && !strncmp(name.release, "6.1.", 4) &&
	       !strcmp(name.release + strcspn(name.release, "abcdefghijklmnopqrstuvwxyz"),
		       "amd64");
}

int main(void)
{
	long long code, rings;
	char before[256];

	test_begin(0);
	if (!loader_ko())
		ksft_exit_skip("no oomlens.ko: set OOMLENS_KO\n");
	ksft_set_plan(is_bound() ? 4 : 3);
	snprintf(before, sizeof(before), "%s", loader_parameters());
	reload_at_end(loader_ko(), before);
	load("");
	code = lens_key("stats", "module_bytes");
	rings = lens_key("stats", "memory_bytes");
	ksft_test_result(code > 0 && code == listed_bytes(), "code: as in /proc/modules\n");
	ksft_print_msg("code %lld bytes, all else %lld\n", code, rings);
	if (is_bound())
		ksft_test_result(code + rings < BOUND, "all of it: under 128 KiB\n");
	ksft_test_result(many_are_accounted(), "what more events take is told\n");
	ksft_test_result(is_given_back(), "all of it is given back\n");
	ksft_exit(!ksft_get_fail_cnt());
}
