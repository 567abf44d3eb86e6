// SPDX-License-Identifier: GPL-2.0
/*
 * trigger's kill: one run of the kernel's OOM killer through sysrq f, which takes
 * the victim that it would choose, or the one process that is asked for.
 *
 * The process asked for carries the flag that makes the OOM killer take it
 * first. The kernel would take another process if this one were gone by then, so
 * it is made to stay: no task gets past exit_mm() or exec_mmap() while its
 * mmap_lock is held for writing, and no task leaves the task list with an mm. So
 * exactly this process dies (with those that share its memory, and its
 * memory.oom.group, as in any OOM), or none.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/pid_namespace.h>
#include <linux/rwsem.h>
#include <linux/sysrq.h>

#include "run.h"

/* For a busy mmap_lock, which is tried for, never waited for. */
#define LOCK_MS		5000
/* Time for the kworker that runs the OOM killer, and for its dump on a slow console. */
#define OOM_MS		30000
/* After OOM_MS, as long as the target must be held: another task would die instead. */
#define STUCK_MS	(10 * 60 * 1000)

#define POLL_US		200

/* The OOM killer has killed a task for the run under way. */
static bool kill_seen;

static void marked(bool claimed, bool killed, const struct oom_control *oc)
{
	if (claimed && killed)
		WRITE_ONCE(kill_seen, true);
}

struct oomlens_mark_listener oomlens_kill_marks = {
	.marked = marked,
};

/* Does kernel.sysrq allow f? Source: drivers/tty/sysrq.c, sysrq_on_mask(). */
static bool sysrq_f_allowed(void)
{
	int mask = sysrq_mask();

	return mask == 1 || (mask & SYSRQ_ENABLE_SIGNAL);
}

struct census {
	const struct oomlens_scope *scope;
	bool first;		/* the first eligible task is enough */
	bool eligible;		/* there is one */
	pid_t origin;		/* of a flagged task, 0 if none */
};

static int count_task(struct task_struct *p, void *arg)
{
	struct census *census = arg;
	struct oomlens_task task;

	if (p->flags & PF_KTHREAD)
		return 0;
	oomlens_task_read(p, &task, true);
	oomlens_scope_verdict(census->scope, p, &task,
			      oomlens_scope_has(census->scope, p, true));
	if (task.verdict == OOMLENS_VERDICT_ORIGIN)
		census->origin = task_tgid_nr(p);
	if (oomlens_ranked(task.verdict))
		census->eligible = true;
	return census->first && census->eligible;
}

static int take_census(struct census *census)
{
	/* Nothing to rewind: to visit a task twice does no harm here. */
	const struct oomlens_walk walk = { .visit = count_task, .arg = census };

	return oomlens_walk_tasks(&walk);
}

/**
 * oomlens_kill_eligible() - is there a task that the OOM killer could take?
 * @scope: of the OOM
 *
 * Context: process context, may sleep; the OOM notifier included.
 * Return: 1, 0, or the error of a walk that was broken off.
 */
int oomlens_kill_eligible(const struct oomlens_scope *scope)
{
	struct census census = { .scope = scope, .first = true };

	return take_census(&census);
}

/**
 * oomlens_kill_allowed() - may a run let the OOM killer take a task?
 * @scope: of the OOM
 *
 * Not where it would panic instead: with panic_on_oom, and, for an allocation,
 * with no eligible task. Source: mm/oom_kill.c, out_of_memory().
 *
 * Context: process context, may sleep.
 * Return: 0, -EPERM with the reason in the log, or another error.
 */
int oomlens_kill_allowed(const struct oomlens_scope *scope)
{
	struct oomlens_sysvalues v;
	int err;

	err = oomlens_sysvalues_read(&v);
	if (err)
		return err;
	if (v.panic_on_oom) {
		oomlens_refused("vm.panic_on_oom is %lu", v.panic_on_oom);
		return -EPERM;
	}
	err = oomlens_kill_eligible(scope);
	if (err < 0)
		return err;
	if (!err) {
		oomlens_refused("no process may be killed");
		return -EPERM;
	}
	return 0;
}

/*
 * Waits for the end of the run of the OOM killer. Returns whether it took @p, or, with
 * NULL, any task; then it waits for OOM_MS at most. If @p's flag were put back earlier,
 * the OOM killer would take another process. So no signal to the writer ends the wait
 * within OOM_MS, and after that only a fatal one does.
 *
 * Without the probe the end of an event is a guess: the dump before the kill
 * may last longer.
 */
static int wait_for_kill(struct task_struct *p, struct task_struct *writer)
{
	const bool probed = !oomlens_oom_probe_lacks;
	unsigned long begin = jiffies;
	bool ran, hit, late;

	for (;;) {
		ran = oomlens_claim_wait(0) > 0;
		if (p)
			hit = tsk_is_oom_victim(p);
		else
			hit = oomlens_mark_victim_lacks ? ran : READ_ONCE(kill_seen);
		if (hit && (ran || !probed))
			return 0;
		late = time_after(jiffies, begin + msecs_to_jiffies(OOM_MS));
		if (ran && (probed || late))
			return -EAGAIN;
		if (!p && signal_pending(writer))
			return -EINTR;
		if (late && (!p || fatal_signal_pending(writer) || !sysrq_f_allowed() ||
			     time_after(jiffies, begin + msecs_to_jiffies(STUCK_MS))))
			return -ETIMEDOUT;
		usleep_range(POLL_US / 2, POLL_US);
	}
}

/* One run of the OOM killer, which is to take @p, or any task (NULL). */
static int run_oom_killer(struct task_struct *p, struct task_struct *writer,
			  struct oomlens_run *run)
{
	int err;

	oomlens_claim(NULL);
	handle_sysrq('f');
	err = wait_for_kill(p, writer);
	run->event = oomlens_disclaim();
	return err;
}

/* May @p be asked for? The caller holds a reference. */
static int check_target(struct task_struct *p)
{
	const struct oomlens_scope scope = { .kind = OOMLENS_SCOPE_GLOBAL };
	struct oomlens_task task;

	if (p->flags & PF_KTHREAD)
		return -EPERM;
	rcu_read_lock();
	oomlens_task_read(p, &task, true);
	oomlens_scope_verdict(&scope, p, &task, oomlens_scope_has(&scope, p, true));
	rcu_read_unlock();

	switch (task.verdict) {
	case OOMLENS_VERDICT_ELIGIBLE:
		return 0;
	case OOMLENS_VERDICT_EXITING:
		return -ESRCH;
	case OOMLENS_VERDICT_VICTIM:
	case OOMLENS_VERDICT_REAPED:
		return -EALREADY;
	case OOMLENS_VERDICT_VFORK:
	case OOMLENS_VERDICT_ORIGIN:
		/* Both are temporary. A vfork child's memory is its parent's. */
		return -EBUSY;
	default:
		return -EPERM;
	}
}

static bool has_mm(struct task_struct *p, const struct mm_struct *mm)
{
	struct mm_struct *now = oomlens_task_grab_mm(p);

	if (now)
		mmdrop(now);
	return now == mm;
}

/*
 * Holds @p where it is: its mm, with the mmap_lock held for writing, or
 * ERR_PTR. The lock is tried for: its readers may be waiting for memory. The
 * rwsem itself is taken, as 6.12 has no mmap_write_trylock() and what
 * mmap_write_lock() does besides is for tasks that change VMAs.
 */
static struct mm_struct *pin_target(struct task_struct *p, struct task_struct *writer)
{
	unsigned long end = jiffies + msecs_to_jiffies(LOCK_MS);
	struct mm_struct *mm;

	do {
		mm = oomlens_task_grab_mm(p);
		if (!mm)
			return ERR_PTR(-ESRCH);
		if (down_write_trylock(&mm->mmap_lock)) {
			/* Not if it has exec'd or exited before the lock was had. */
			if (has_mm(p, mm))
				return mm;
			up_write(&mm->mmap_lock);
		}
		mmdrop(mm);
		if (fatal_signal_pending(writer))
			return ERR_PTR(-EINTR);
		usleep_range(POLL_US / 2, POLL_US);
	} while (time_before(jiffies, end));
	oomlens_refused("the memory of process %d is busy", task_tgid_nr(p));
	return ERR_PTR(-EBUSY);
}

static void unpin_target(struct mm_struct *mm)
{
	up_write(&mm->mmap_lock);
	mmdrop(mm);
}

/*
 * The kernel flags a task for the time of swapoff and of unmerging KSM pages;
 * the later one on the task list would win over ours.
 */
static int refuse_rivals(void)
{
	const struct oomlens_scope scope = { .kind = OOMLENS_SCOPE_GLOBAL };
	struct census census = { .scope = &scope };
	int err = take_census(&census);

	if (!err && census.origin) {
		oomlens_refused("the kernel has flagged process %d to go first",
				census.origin);
		err = -EBUSY;
	}
	return err;
}

/* The part of a run that holds its target. */
struct pinned_run {
	struct task_struct *p;
	struct task_struct *writer;
	struct oomlens_run *run;
	int err;
	struct completion done;
};

static int take_target(struct task_struct *p, struct task_struct *writer,
		       struct oomlens_run *run)
{
	struct mm_struct *mm;
	int err;

	mm = pin_target(p, writer);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	/* Both checks again, now that @p cannot exit. */
	err = check_target(p) ?: refuse_rivals();
	if (err)
		goto out;

	/* The flag first: from the claim on, any sysrq's OOM counts as ours. */
	WRITE_ONCE(p->signal->oom_flag_origin, true);
	err = run_oom_killer(p, writer, run);
	WRITE_ONCE(p->signal->oom_flag_origin, false);
	if (err == -ETIMEDOUT)
		pr_warn("the OOM killer did not run; it may still take another process\n");
out:
	unpin_target(mm);
	return err;
}

static int pinned_thread(void *arg)
{
	struct pinned_run *pinned = arg;

	pinned->err = take_target(pinned->p, pinned->writer, pinned->run);
	complete(&pinned->done);
	/* The stack of the writer, where pinned is, stays up to kthread_stop(). */
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

/*
 * In a thread of its own, of real-time priority: once the victim is marked, it can
 * neither exit nor be reaped before its mmap_lock is released, and the writer may
 * be throttled, or have SCHED_IDLE beside busy loops.
 */
static int take_in_thread(struct task_struct *p, struct oomlens_run *run)
{
	struct pinned_run pinned = {
		.p	= p,
		.writer	= current,
		.run	= run,
		.done	= COMPLETION_INITIALIZER_ONSTACK(pinned.done),
	};
	struct task_struct *thread = kthread_create(pinned_thread, &pinned, "oomlens_kill");

	if (IS_ERR(thread))
		return PTR_ERR(thread);
	sched_set_fifo_low(thread);
	wake_up_process(thread);
	/* It may take minutes, and is no hung task for that. */
	while (!wait_for_completion_timeout(&pinned.done, HZ))
		;
	kthread_stop(thread);
	return pinned.err;
}

static int take_pid(pid_t nr, struct oomlens_run *run)
{
	struct task_struct *p;
	int err;

	/* The file was opened in the initial PID namespace: the number is of that. */
	rcu_read_lock();
	p = get_pid_task(find_pid_ns(nr, &init_pid_ns), PIDTYPE_TGID);
	rcu_read_unlock();
	if (!p)
		return -ESRCH;
	err = check_target(p) ?: take_in_thread(p, run);
	put_task_struct(p);
	return err;
}

/**
 * oomlens_kill_parse() - the words after "kill": none, or pid=N
 * @args: taken apart
 * @req: pid is set
 *
 * Context: any.
 * Return: 0 or -EINVAL.
 */
int oomlens_kill_parse(char *args, union oomlens_request *req)
{
	char *word = strim(args);

	req->pid = 0;
	if (!*word)
		return 0;
	if (!strstarts(word, "pid="))
		return -EINVAL;
	return oomlens_parse_uint(word + strlen("pid="), 1, INT_MAX, &req->pid);
}

/**
 * oomlens_kill_run() - one run of the OOM killer
 * @req: of which process
 * @run: its event
 *
 * Context: process context, sleeps; the caller has checked the right to it.
 * Return: 0 when the kernel took the task it was to take; -EPERM, -EOPNOTSUPP,
 * -ESRCH, -EBUSY or -EALREADY when nothing was done; -EAGAIN when
 * the OOM killer was called off or took no task; -ETIMEDOUT; -EINTR.
 */
int oomlens_kill_run(const union oomlens_request *req, struct oomlens_run *run)
{
	const struct oomlens_scope scope = { .kind = OOMLENS_SCOPE_GLOBAL };
	int err;

	if (!IS_ENABLED(CONFIG_MAGIC_SYSRQ))
		return -EOPNOTSUPP;
	if (!sysrq_f_allowed()) {
		oomlens_refused("kernel.sysrq does not allow f");
		return -EPERM;
	}
	err = oomlens_kill_allowed(&scope);
	if (err)
		return err;
	WRITE_ONCE(kill_seen, false);
	return req->pid ? take_pid(req->pid, run) : run_oom_killer(NULL, current, run);
}
