# SPDX-License-Identifier: GPL-2.0
# Yocto: the module and its command. OOMLENS_SRC names a checkout, which is used
# as it is (externalsrc); or override SRC_URI and SRCREV in a .bbappend.
SUMMARY = "Explains and records what the kernel's OOM killer does"
LICENSE = "GPL-2.0-only"
LIC_FILES_CHKSUM = "file://LICENSE;md5=b234ee4d69f5fce4486a80fdaf4a4263"
PV = "0.1.0"

inherit module externalsrc
# Not set: the sources are of SRC_URI
OOMLENS_SRC ?= ""
EXTERNALSRC = "${OOMLENS_SRC}"
EXTERNALSRC_BUILD = "${OOMLENS_SRC}"

do_install:append() {
	install -d ${D}${bindir}
	sh ${S}/scripts/oomlens bundle > ${D}${bindir}/oomlens
	chmod 755 ${D}${bindir}/oomlens
}

# module.bbclass makes kernel-module-oomlens of the .ko; the rest is here.
PACKAGES =+ "${PN}-cli"
FILES:${PN}-cli = "${bindir}/oomlens"
RRECOMMENDS:${PN} += "${PN}-cli"
