// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests: takes memory of the kinds that a driver takes. Not part of
 * oomlens, and built with OOMLENS_TESTS=1 only.
 *
 * A parameter is the number of pages or pieces to hold of that kind; writing it
 * takes or gives back the difference.
 */
#include <linux/cpumask.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/vmalloc.h>

/* No processor keeps such for itself. */
#define URGENT_ORDER	4

/* One page of vmalloc, or one for each CPU: the first words link it to the others. */
struct piece {
	struct list_head list;
	void __percpu *percpu;
};

static LIST_HEAD(pages_held);		/* struct page, by lru */
static LIST_HEAD(urgent_held);		/* likewise, of URGENT_ORDER */
static LIST_HEAD(vmalloc_held);		/* struct piece, in the page itself */
static LIST_HEAD(percpu_held);		/* struct piece, in the page of the first CPU */

/* Under the parameters' lock, as all of this. */
static unsigned int pages, urgent_pieces, vmalloc_pages, percpu_pages;

static bool take_page(void)
{
	struct page *page = alloc_page(GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN);

	if (page)
		list_add(&page->lru, &pages_held);
	return page;
}

static void give_page(void)
{
	struct page *page = list_first_entry(&pages_held, struct page, lru);

	list_del(&page->lru);
	__free_page(page);
}

static bool take_urgent(void)
{
	struct page *page = alloc_pages(GFP_ATOMIC | __GFP_NOWARN, URGENT_ORDER);

	if (page)
		list_add(&page->lru, &urgent_held);
	return page;
}

static void give_urgent(void)
{
	struct page *page = list_first_entry(&urgent_held, struct page, lru);

	list_del(&page->lru);
	__free_pages(page, URGENT_ORDER);
}

static bool take_vmalloc(void)
{
	struct piece *p = vmalloc(PAGE_SIZE);

	if (p)
		list_add(&p->list, &vmalloc_held);
	return p;
}

static void give_vmalloc(void)
{
	struct piece *p = list_first_entry(&vmalloc_held, struct piece, list);

	list_del(&p->list);
	vfree(p);
}

static bool take_percpu(void)
{
	void __percpu *percpu = __alloc_percpu(PAGE_SIZE, PAGE_SIZE);
	struct piece *p;

	if (!percpu)
		return false;
	p = per_cpu_ptr(percpu, cpumask_first(cpu_possible_mask));
	p->percpu = percpu;
	list_add(&p->list, &percpu_held);
	return true;
}

static void give_percpu(void)
{
	struct piece *p = list_first_entry(&percpu_held, struct piece, list);

	list_del(&p->list);
	free_percpu(p->percpu);
}

struct kind {
	unsigned int *held;
	bool (*take)(void);
	void (*give)(void);
};

static const struct kind pages_kind = { &pages, take_page, give_page };
static const struct kind urgent_kind = { &urgent_pieces, take_urgent, give_urgent };
static const struct kind vmalloc_kind = { &vmalloc_pages, take_vmalloc, give_vmalloc };
static const struct kind percpu_kind = { &percpu_pages, take_percpu, give_percpu };

static int hold(const struct kind *kind, unsigned int wanted)
{
	while (*kind->held < wanted) {
		if (!kind->take())
			return -ENOMEM;
		++*kind->held;
	}
	while (*kind->held > wanted) {
		kind->give();
		--*kind->held;
	}
	return 0;
}

static int set(const char *text, const struct kernel_param *kp)
{
	unsigned int wanted;

	return kstrtouint(text, 10, &wanted) ?: hold(kp->arg, wanted);
}

static int get(char *buf, const struct kernel_param *kp)
{
	const struct kind *kind = kp->arg;

	return sprintf(buf, "%u\n", *kind->held);
}

static const struct kernel_param_ops ops = { .set = set, .get = get };

module_param_cb(pages, &ops, (void *)&pages_kind, 0600);
MODULE_PARM_DESC(pages, "pages to hold, by alloc_pages()");
module_param_cb(urgent, &ops, (void *)&urgent_kind, 0600);
MODULE_PARM_DESC(urgent, "pieces of 16 pages to hold, by alloc_pages(GFP_ATOMIC)");
module_param_cb(vmalloc, &ops, (void *)&vmalloc_kind, 0600);
MODULE_PARM_DESC(vmalloc, "pages to hold, by vmalloc()");
module_param_cb(percpu, &ops, (void *)&percpu_kind, 0600);
MODULE_PARM_DESC(percpu, "pages of each possible CPU to hold, by alloc_percpu()");

static int __init oomlens_pages_init(void)
{
	return 0;
}

static void __exit oomlens_pages_exit(void)
{
	hold(&pages_kind, 0);
	hold(&urgent_kind, 0);
	hold(&vmalloc_kind, 0);
	hold(&percpu_kind, 0);
}

module_init(oomlens_pages_init);
module_exit(oomlens_pages_exit);
MODULE_DESCRIPTION("Pages of drivers on demand, for the tests of oomlens");
MODULE_LICENSE("GPL");
