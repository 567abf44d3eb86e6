// SPDX-License-Identifier: GPL-2.0
/*
 * A whole read of badness beside a BPF task iterator that prints the same
 * columns (tasks.bpf.c), in turn, over the same tasks. Needs clang and libbpf to
 * build (make bench_bpf) and a kernel with BTF to run, the module loaded.
 *
 *	bpf_badness TASKS_BPF_O [TASKS...]
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define BADNESS	"/proc/oomlens/badness"

static struct bpf_link *iterator;
static long rows;

static void read_badness(void)
{
	rows = read_through(BADNESS) - 3;
}

/* A new iterator is what opening a file is: each begins the walk anew. */
static void read_bpf(void)
{
	int fd = bpf_iter_create(bpf_link__fd(iterator));

	if (fd < 0)
		die("bpf_iter_create");
	rows = read_through_fd(fd);
}

static void load(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	struct bpf_map *map;
	long pages = sysconf(_SC_PHYS_PAGES);

	if (!object)
		die(path);
	bpf_object__for_each_map(map, object)
		if (strstr(bpf_map__name(map), ".bss") &&
		    bpf_map__set_initial_value(map, &pages, sizeof(pages)))
			die("totalpages");
	if (bpf_object__load(object))
		die("bpf_object__load");
	program = bpf_object__find_program_by_name(object, "tasks");
	iterator = program ? bpf_program__attach_iter(program, NULL) : NULL;
	if (!iterator)
		die("bpf_program__attach_iter");
}

int main(int argc, char **argv)
{
	static int tasks[16] = { 100, 1000, 10000 };
	int n = 0, have = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: bpf_badness TASKS_BPF_O [TASKS...]\n");
		return 2;
	}
	for (int i = 2; i < argc && n < 15; i++)
		tasks[n++] = atoi(argv[i]);
	if (n)
		tasks[n] = 0;
	bench_begin("bpf_badness");
	load(argv[1]);
	write_file("/proc/self/oom_score_adj", "-1000");
	for (n = 0; tasks[n]; n++) {
		struct figure ours, theirs;

		for (; have < tasks[n]; have++)
			child(0, "1");
		sleep(1);
		theirs = measure(read_bpf, ROUNDS);
		figure_print("bpf iterator", "rows", rows, theirs);
		ours = measure(read_badness, ROUNDS);
		figure_print("badness", "rows", rows, ours);
		printf("ratio: %ld rows: badness is %.2f times as fast as the BPF iterator\n",
		       rows, theirs.median / ours.median);
		fflush(stdout);
	}
	bench_end();
	return 0;
}
