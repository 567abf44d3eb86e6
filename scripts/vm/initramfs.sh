# SPDX-License-Identifier: GPL-2.0
# The guest's root: busybox, the kernel modules it needs to speak, and per run
# the module, the tests, the script. Two cpio archives one after the other, so
# that only the small second one is made for each run. Sourced.

fetch_busybox()
{
	BUSYBOX=$CACHE/busybox/$K_SUITE-$K_ARCH
	[ -x "$BUSYBOX" ] || locked "busybox-$K_SUITE-$K_ARCH" unpack_busybox
}

unpack_busybox()
{
	[ ! -x "$BUSYBOX" ] || return 0
	get_deb "$K_SUITE" "$K_ARCH" busybox-static
	mkdir -p "${BUSYBOX%/*}"
	dpkg-deb --fsys-tarfile "$DEB" |
		tar -xO -f - --wildcards './*bin/busybox' >"$BUSYBOX.new"
	chmod 755 "$BUSYBOX.new"
	mv "$BUSYBOX.new" "$BUSYBOX"
}

# pack DIRECTORY FILE: a cpio archive, made whole before it gets its name
pack()
{
	(cd "$1" && find . -mindepth 1 | LC_ALL=C sort |
		cpio --quiet -o -H newc -R 0:0) >"$2.new"
	mv "$2.new" "$2"
}

# base_initramfs: what all runs of one kernel share, at BASE
base_initramfs()
{
	fetch_busybox
	BASE=$CACHE/initramfs/$K_KEY.cpio
	base_key=$(cat "$KERNEL/stamp")-$(hash_files "$VM_DIR/guest")-$(hash_of \
		"$(cat "$VM_DIR/initramfs.sh")")
	stamped "$BASE.stamp" "$base_key" || locked "initramfs-$K_KEY" pack_base
}

pack_base()
{
	! stamped "$BASE.stamp" "$base_key" || return 0
	tree=$CACHE/initramfs/$K_KEY
	rm -rf "$tree"
	mkdir -p "$tree/bin" "$tree/lib/modules"
	cp "$BUSYBOX" "$tree/bin/busybox"
	install -m 755 "$VM_DIR/guest/init" "$tree/init"
	install -D -m 755 "$VM_DIR/guest/timeout" "$tree/guest/timeout"
	[ ! -d "$KERNEL/lib/modules" ] || cp -r "$KERNEL/lib/modules/." "$tree/lib/modules/"
	pack "$tree" "$BASE"
	rm -rf "$tree"
	printf '%s\n' "$base_key" >"$BASE.stamp"
}
