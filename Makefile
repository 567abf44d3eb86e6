# SPDX-License-Identifier: GPL-2.0
# The human face of oomlens. Kbuild does the building and stands alone; what is
# here only calls it, or scripts/vm for everything that runs in a guest.

# The kernel to build for: its build directory. KERNEL_SRC is Yocto's name.
KDIR ?= $(or $(KERNEL_SRC),/lib/modules/$(shell uname -r)/build)

# Where install puts things. With only one of DESTDIR and INSTALL_MOD_PATH, as for a
# board's root directory, the other is the same.
PREFIX ?= /usr/local
PARTS := share/oomlens
MAN := share/man/man1
COMPLETION := share/bash-completion/completions
FISH := share/fish/vendor_completions.d
ZSH := share/zsh/site-functions
USER_ROOT := $(abspath $(or $(DESTDIR),$(INSTALL_MOD_PATH)))
MOD_ROOT := $(abspath $(or $(INSTALL_MOD_PATH),$(DESTDIR)))
MODLIB_ANY := $(or $(MODLIB),$(MOD_ROOT)/lib/modules/*)
# Not this machine's own directories: depmod runs where the image is made or booted
STAGED := $(MOD_ROOT)$(MODLIB)
DEPMOD ?= depmod
# A distribution's build names the kernel by KERNEL_SRC and the place of the module by
# MODLIB. It must not write to the /usr/local of the machine that builds.
NO_COMMAND := $(if $(KERNEL_SRC)$(MODLIB),$(if $(USER_ROOT),,yes))

DEB_DIR ?= ..
VM := scripts/vm/vm

all: ## build oomlens.ko for KDIR
	@test -e $(KDIR)/Makefile || { echo "$(KDIR) is no kernel build directory: \
	install linux-headers-$$(uname -r), or name one by KDIR="; exit 1; }
	$(MAKE) -C $(KDIR) M=$(CURDIR) modules

install: modules_install $(if $(NO_COMMAND),,install-command) ## module, command, manual and completion

modules_install: all ## the module only, below /lib/modules
	$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_PATH=$(MOD_ROOT) modules_install
	$(if $(STAGED),,PATH=$$PATH:/sbin; $(DEPMOD) $$(modinfo -F vermagic oomlens.ko | cut -d' ' -f1))

install-command: ## command, manual and completion only, below PREFIX
	install -d $(addprefix $(USER_ROOT)$(PREFIX)/,bin $(PARTS) $(MAN) $(COMPLETION) $(FISH) $(ZSH))
	install -m 755 scripts/oomlens $(USER_ROOT)$(PREFIX)/bin
	install -m 644 scripts/oomlens.d/* $(USER_ROOT)$(PREFIX)/$(PARTS)
	install -m 644 scripts/oomlens.1 $(USER_ROOT)$(PREFIX)/$(MAN)
	install -m 644 scripts/completion $(USER_ROOT)$(PREFIX)/$(COMPLETION)/oomlens
	install -m 644 scripts/completion.fish $(USER_ROOT)$(PREFIX)/$(FISH)/oomlens.fish
	@# compinit reads the first line; the rest is the body of the function _oomlens
	install -m 644 /dev/null $(USER_ROOT)$(PREFIX)/$(ZSH)/_oomlens
	{ echo '#compdef oomlens'; cat scripts/completion; echo '_oomlens_zsh "$$@"'; } \
		>$(USER_ROOT)$(PREFIX)/$(ZSH)/_oomlens

uninstall: ## remove what install put there, the module of every kernel
	@for ko in $(foreach dir,$(or $(INSTALL_MOD_DIR),extra updates),$(MODLIB_ANY)/$(dir)/oomlens.ko*); do \
		test -e "$$ko" || continue; \
		rm -v "$$ko"; \
		rmdir --ignore-fail-on-non-empty "$${ko%/*}"; \
		release=$${ko#$(MOD_ROOT)/lib/modules/}; \
		$(if $(STAGED),:,PATH=$$PATH:/sbin $(DEPMOD) "$${release%%/*}"); \
	done
	rm -f $(addprefix $(USER_ROOT)$(PREFIX)/,bin/oomlens $(MAN)/oomlens.1 $(COMPLETION)/oomlens $(FISH)/oomlens.fish $(ZSH)/_oomlens)
	rm -rf $(USER_ROOT)$(PREFIX)/$(PARTS)
	@$(if $(STAGED),,test ! -d /sys/module/oomlens || echo "oomlens is still loaded: rmmod oomlens")

deb: ## build the Debian packages into DEB_DIR, the parent directory by default
	@scripts/packaging/build-deb $(DEB_DIR)

clean: ## remove what a build left in this directory
	@test ! -e $(KDIR)/Makefile || $(MAKE) -C $(KDIR) M=$(CURDIR) clean

demo: ## boot a guest, show the tables, kill one hog, show its event
	@$(VM) demo

check: ## run the tests in a guest: the machine's own suite, or KERNELS="ID ..."
	@$(VM) check $(if $(LONG),--long) $(KERNELS)

check-all: ## on every kernel and guest shape, in full: hours; LONG=1: a night; RESUME=1: the rest
	@scripts/test-cli & bad=0; for t in history usage figures check; do scripts/test-$$t || bad=1; done; \
		scripts/fuzz-logs $(if $(LONG),1000000,20000) || bad=1; wait $$! && exit $$bad
	@$(VM) check $(if $(LONG),--long) $(if $(RESUME),--resume) --all

check-configs: ## compile for unusual configurations: KERNELS="ID ...", RANDOM=N, SEED=
	@for id in $(or $(KERNELS),$$($(VM) native)); do \
		$(VM) configs $(if $(RANDOM),-r $(RANDOM)) $(if $(SEED),-s $(SEED)) $$id || exit 1; done

mutants: ## make N= lines of the module wrong, one at a time, by SEED=, and see the tests notice
	@$(VM) mutants $(if $(N),-n $(N)) $(if $(SEED),-s $(SEED)) $(ONLY:%=-o %) $(KERNELS)

bench: ## measure in a guest, instructions counted: KERNELS= as for check
	@for id in $(or $(KERNELS),""); do $(VM) bench $$id || exit 1; done

lint: ## checkpatch --strict, sparse, W=1 as errors, dependency cycles, shellcheck
	@$(VM) lint

help: ## this list
	@sed -n 's/^\([a-z_-]*\):.*## /  make \1@/p' Makefile | \
		awk -F@ '{ printf "%-23s %s\n", $$1, $$2 }'
	@echo 'Variables: KDIR=DIRECTORY, V=1, ARCH= and CROSS_COMPILE= as for any kernel build;'
	@echo '  for install and uninstall PREFIX=/usr/local, DESTDIR= (all of it), INSTALL_MOD_PATH='
	@echo '  (the module); one of the two alone is both. KERNEL_SRC= or MODLIB= without DESTDIR:'
	@echo '  install is modules_install.'
	@echo 'Kernels and guest shapes: $(VM) list. Single guests: $(VM) help.'

.PHONY: all install modules_install install-command uninstall deb clean demo check check-all check-configs \
	mutants bench lint help
