/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading and unloading the module, for the tests that do it themselves.
 */
#ifndef OOMLENS_LOADER_H
#define OOMLENS_LOADER_H

#include "test.h"

/* oomlens.ko: $OOMLENS_KO, or where the rig and an installation have it; NULL. */
const char *loader_ko(void);
bool loader_loaded(void);
/* Skip the program: oomlens.ko is not to be found; oomlens_shortage cannot be loaded. */
void needs_ko(void);
void needs_shortage(void);
/* The parameters that it is loaded with now, as load() takes them. */
const char *loader_parameters(void);
/* 0 or a negative errno of finit_module(2). */
int loader_load(const char *parameters);
/* Waits, with a bound, while a process has a file open. */
int loader_unload(void);
/* The program loads the module itself: at the end it is as it was. */
void restore_at_end(void);
/* Unloaded and loaded again with these; for must_reload(). */
int loader_reload(const char *parameters);
#define must_reload(parameters)	MUST_OK(loader_reload(parameters))
/* A module of the tests', from beside oomlens.ko or below it, and away again. */
bool loader_helper(const char *name, const char *parameters);
void loader_no_helper(const char *name);
/*
 * With oomlens_shortage: a process that holds @target's mmap_lock for 8 s, or until
 * it is released; -1 if it does not get it.
 */
pid_t mmap_lock_hold(pid_t target);
void mmap_lock_release(pid_t holder);
#define SHORTAGE	"/sys/module/oomlens_shortage/parameters/"
/* Nothing of it is left: no file, no directory, no module. */
bool loader_traceless(void);
/* Its files are all there and begin as they should. */
bool loader_whole(void);
/* One of them is, and begins so: another at each call. */
bool loader_begins(void);

/* Grace periods are short, until the program ends. */
void hurry_rcu(void);

/* To the rig: the next report of the kernel that contains @text is not the module's. */
void allow_report(const char *text);

/*
 * The kernel itself warns if a debugfs file is opened in the instant in which its
 * module goes: try_module_get() fails, and the module's state is not "going" yet.
 * Source: fs/debugfs/file.c, full_proxy_open().
 */
void allow_debugfs_race(void);

#endif /* OOMLENS_LOADER_H */
