# SPDX-License-Identifier: GPL-2.0
# make BR2_EXTERNAL=<checkout>/scripts/packaging/buildroot menuconfig
include $(sort $(wildcard $(BR2_EXTERNAL_OOMLENS_PATH)/package/*/*.mk))
