# SPDX-License-Identifier: GPL-2.0
# The human face of oomlens. Kbuild does the building and stands alone; what is
# here only calls it, or scripts/vm for everything that runs in a guest.

# The kernel to build for: its build directory. KERNEL_SRC is Yocto's name.
KDIR ?= $(or $(KERNEL_SRC),/lib/modules/$(shell uname -r)/build)

VM := scripts/vm/vm

all: ## build oomlens.ko for KDIR
	@test -e $(KDIR)/Makefile || { echo "$(KDIR) is no kernel build directory: \
	install linux-headers-$$(uname -r), or name one by KDIR="; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

install: all ## install it below /lib/modules (INSTALL_MOD_PATH= for elsewhere)
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install

clean: ## remove what a build left in this directory
	@test ! -e $(KDIR)/Makefile || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

demo: ## boot a guest, show the tables, kill one hog, show its event
	@$(VM) demo

check: ## run the tests in a guest: the machine's own suite, or KERNELS="ID ..."
	@$(VM) check $(if $(LONG),--long) $(KERNELS)

check-all: ## on every kernel and guest shape, in full: hours; LONG=1: a night
	@$(VM) check $(if $(LONG),--long) --all

bench: ## measure in a guest, instructions counted: KERNELS= as for check
	@for id in $(or $(KERNELS),""); do $(VM) bench $$id || exit 1; done

lint: ## checkpatch --strict, sparse, W=1 as errors, shellcheck
	@$(VM) lint

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1@/p' Makefile | \
		awk -F@ '{ printf "%-18s %s\n", $$1, $$2 }'
	@echo 'Variables: KDIR=DIRECTORY, V=1, ARCH= and CROSS_COMPILE= as for any kernel build.'
	@echo 'Kernels and guest shapes: $(VM) list. Single guests: $(VM) help.'

.PHONY: all install clean demo check check-all bench lint help
