// SPDX-License-Identifier: GPL-2.0
/*
 * For the tests and the benchmarks: a console that takes as long as a serial
 * line at 115200 baud does, on which the kernel's driver waits for each byte.
 * An emulated one takes no time. Not part of oomlens, and built with
 * OOMLENS_TESTS=1 only. What it is given goes nowhere.
 */
#include <linux/console.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nmi.h>

static unsigned int byte_us = 87;
module_param(byte_us, uint, 0644);
MODULE_PARM_DESC(byte_us, "microseconds for each byte (default 87)");
static unsigned long bytes;
module_param(bytes, ulong, 0444);
MODULE_PARM_DESC(bytes, "written since load");

static void write(struct console *console, const char *s, unsigned int n)
{
	u64 end = ktime_get_mono_fast_ns();
	unsigned int i;

	for (; n--; s++) {
		/* A line's end is two. */
		bytes += 1 + (*s == '\n');
		end += (1 + (*s == '\n')) * byte_us * (u64)NSEC_PER_USEC;
	}
	/* udelay() looks at the clock all the time, which is slow to emulate. */
	while (ktime_get_mono_fast_ns() < end)
		for (i = 0; i < 200; i++)
			barrier();
	touch_nmi_watchdog();
}

static struct console console = {
	.name	= "oomlens",
	.write	= write,
	.flags	= CON_ENABLED,		/* without being asked for at boot */
	.index	= -1,
};

static int __init oomlens_console_init(void)
{
	register_console(&console);
	return 0;
}

static void __exit oomlens_console_exit(void)
{
	unregister_console(&console);
}

module_init(oomlens_console_init);
module_exit(oomlens_console_exit);
MODULE_DESCRIPTION("A slow console, for the tests of oomlens");
MODULE_LICENSE("GPL");
