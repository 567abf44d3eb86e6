# SPDX-License-Identifier: GPL-2.0
# The guest's root: perhaps a Debian system, then busybox and the kernel modules
# it needs to speak, and per run the module, the tests, the script. Cpio archives
# one after the other, so that only the small last one is made for each run.
# Sourced.

fetch_busybox()
{
	BUSYBOX=$CACHE/busybox/$K_BASE-$K_ARCH
	[ -x "$BUSYBOX" ] || locked "busybox-$K_BASE-$K_ARCH" unpack_busybox
}

unpack_busybox()
{
	[ ! -x "$BUSYBOX" ] || return 0
	get_deb "$K_BASE" "$K_ARCH" busybox-static
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

# base_initramfs: what all runs of one kernel share, at BASE. Named by what it is
# made of: another tree's guest may differ.
base_initramfs()
{
	fetch_busybox
	base_key=$(hash_of "$(cat "$KERNEL/stamp")" \
		"$(hash_files "$VM_DIR/guest" "$BUSYBOX")" "$(cat "$VM_DIR/initramfs.sh")")
	BASE=$CACHE/base/$K_KEY/$base_key
	built "${BASE%/*}" "$base_key" || locked "base-$K_KEY" pack_base
}

pack_base()
{
	! built "${BASE%/*}" "$base_key" || return 0
	tree=$CACHE/base/$K_KEY.tree
	rm -rf "$tree" "$tree.cpio"
	# Laid out as Debian's: a directory in the place of its links would undo them
	mkdir -p "$tree/usr/bin" "$tree/usr/sbin" "$tree/usr/lib/modules"
	for d in bin sbin lib; do
		ln -s "usr/$d" "$tree/$d"
	done
	cp "$BUSYBOX" "$tree/bin/busybox"
	install -m 755 "$VM_DIR/guest/init" "$tree/init"
	install -D -m 755 "$VM_DIR/guest/timeout" "$tree/guest/timeout"
	[ ! -d "$KERNEL/lib/modules" ] || cp -r "$KERNEL/lib/modules/." "$tree/lib/modules/"
	pack "$tree" "$tree.cpio"
	rm -rf "$tree"
	publish "$tree.cpio" "${BASE%/*}" "$base_key"
}
