# SPDX-License-Identifier: GPL-2.0
# The module by Buildroot's kernel-module, which calls kbuild on Kbuild itself;
# the command as one file, started by the init script.
OOMLENS_VERSION = 0.1.0
OOMLENS_SITE = $(BR2_EXTERNAL_OOMLENS_PATH)/../../..
OOMLENS_SITE_METHOD = local
OOMLENS_LICENSE = GPL-2.0
OOMLENS_LICENSE_FILES = LICENSE

define OOMLENS_INSTALL_TARGET_CMDS
	mkdir -p $(TARGET_DIR)/usr/bin
	sh $(@D)/scripts/oomlens bundle > $(TARGET_DIR)/usr/bin/oomlens
	chmod 755 $(TARGET_DIR)/usr/bin/oomlens
endef

define OOMLENS_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 755 $(@D)/scripts/service/busybox/S60oomlens \
		$(TARGET_DIR)/etc/init.d/S60oomlens
endef

$(eval $(kernel-module))
$(eval $(generic-package))
