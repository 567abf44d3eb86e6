# SPDX-License-Identifier: GPL-2.0
# Debian packages of any suite and architecture, through a private apt state in
# the cache, so that the machine's own sources stay as they are. Sourced.

# The mirror that this machine itself uses. Nothing is assumed where it has none.
mirror()
{
	if [ -n "${OOMLENS_MIRROR:-}" ]; then
		printf '%s\n' "$OOMLENS_MIRROR"
		return
	fi
	site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 2>/dev/null |
		awk '$1 ~ /^https?:/ && $2 ~ /^(bullseye|bookworm|trixie|forky|sid|unstable|testing|stable|oldstable)$/ {
			print $1; exit }')
	[ -n "$site" ] || die "this machine's apt names no Debian mirror; set OOMLENS_MIRROR"
	printf '%s\n' "$site"
}

keyring()
{
	for k in /usr/share/keyrings/debian-archive-keyring.gpg \
		 /usr/share/keyrings/debian-archive-keyring.pgp; do
		[ ! -e $k ] || {
			echo $k
			return
		}
	done
	die "debian-archive-keyring is not installed"
}

# The updates of a suite's security team are on a site of their own
security_mirror()
{
	site=
	[ -n "${OOMLENS_MIRROR:-}" ] ||
		site=$(apt-get indextargets --format '$(SITE) $(RELEASE)' 2>/dev/null |
			awk '$1 ~ /^https?:/ && $2 ~ /-security$/ { print $1; exit }')
	printf '%s\n' "${site:-$(mirror)-security}"
}

# base_suite SUITE: what SUITE's packages are an addition to; SUITE, if they are none
base_suite()
{
	case $1 in
	experimental) echo sid ;;
	*-security | *-backports) echo "${1%-*}" ;;
	*) echo "$1" ;;
	esac
}

# apt_state SUITE ARCH: make the state where there is none, name its config. Of a suite
# and the base of it the newest version counts. The index is fetched once; "vm update"
# renews it, and so does a package that the mirror no longer has.
apt_state()
{
	APT_DIR=$CACHE/apt/$1-$2
	APT_CONF=$APT_DIR/apt.conf
	[ -f "$APT_DIR/fresh" ] || locked "apt-$1-$2" apt_refresh "$1" "$2"
}

apt_refresh()
{
	[ ! -f "$APT_DIR/fresh" ] || return 0
	mkdir -p "$APT_DIR/lists/partial" "$APT_DIR/cache/archives/partial" "$APT_DIR/etc"
	: >"$APT_DIR/status"
	cat >"$APT_CONF" <<-CONF
	Dir::Etc::sourcelist "$APT_DIR/sources.list";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "$APT_DIR/preferences";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State "$APT_DIR";
	Dir::State::lists "$APT_DIR/lists";
	Dir::State::status "$APT_DIR/status";
	Dir::Cache "$APT_DIR/cache";
	APT::Architecture "$2";
	APT::Architectures { "$2"; };
	APT::Sandbox::User "root";
	Acquire::Check-Valid-Until "false";
	Acquire::Languages "none";
	Acquire::Retries "3";
	CONF
	printf 'Package: *\nPin: release o=*\nPin-Priority: 990\n' >"$APT_DIR/preferences"
	base=$(base_suite "$1")
	source_line "$(mirror)" "$base" >"$APT_DIR/sources.list"
	case $1 in
	"$base") ;;
	# Its users have these kernels, but not each mirror has them
	*-security)
		source_line "$(security_mirror)" "$1" >>"$APT_DIR/sources.list"
		if ! apt_has "$(security_mirror)" "$1"; then
			say "$(security_mirror) has no $1: the kernel is that of $base"
			source_line "$(mirror)" "$base" >"$APT_DIR/sources.list"
		fi
		;;
	*) source_line "$(mirror)" "$1" >>"$APT_DIR/sources.list" ;;
	esac
	step "package index of $1 ($2)" apt_update || return 1
	: >"$APT_DIR/fresh"
}

source_line()
{
	printf 'deb [signed-by=%s] %s %s main\n' "$(keyring)" "$1" "$2"
}

# apt_has SITE SUITE
apt_has()
{
	APT_CONFIG=$APT_CONF /usr/lib/apt/apt-helper download-file "$1/dists/$2/InRelease" \
		"$APT_DIR/InRelease" >/dev/null 2>&1
}

# A mirror in the middle of its own update serves an index that its Release file
# does not name, for a minute or so; Acquire::Retries does not ask for both again.
# A mirror without the suite is asked once.
apt_update()
{
	for pause in 10 20 40 80 0; do
		! APT_CONFIG=$APT_CONF apt-get -qq --error-on=any update >"$APT_DIR/log" 2>&1 || return 0
		cat "$APT_DIR/log"
		! grep -q 'does not have a Release file' "$APT_DIR/log" || return 1
		sleep $pause
	done
	return 1
}

# The newest version's record of a package
pkg_show()
{
	APT_CONFIG=$APT_CONF apt-cache --no-all-versions show "$1" 2>/dev/null
}

# pkg_depends PACKAGE REGEX: the names in its Depends that match
pkg_depends()
{
	pkg_show "$1" | sed -n 's/^Depends: //p' | tr ',|' '\n\n' |
		sed 's/^ *//; s/[ :(].*//' | grep -E "^$2\$" || :
}

# newest_suite ARCH FLAVOUR: that of the line "suites newest" with the newest kernel
newest_suite()
{
	case $2 in
	own-*) set -- "$BUILD_ARCH" linux-source ;;
	*) set -- "$1" "linux-image-$2" ;;
	esac
	newest='' newest_version=0
	for suite in $(named suites newest); do
		apt_state "$suite" "$1" || continue
		suite_version=$(pkg_show "$2" | sed -n 's/^Version: //p' | head -n 1)
		dpkg --compare-versions "${suite_version:-0}" gt "$newest_version" || continue
		newest=$suite newest_version=$suite_version
	done
	[ -n "$newest" ] || die "no suite of 'suites newest' has $2 ($1)"
	echo "$newest"
}

# get_deb SUITE ARCH PACKAGE: download unless it is here; its path in DEB
get_deb()
{
	apt_state "$1" "$2"
	deb_name=$(pkg_show "$3" | sed -n 's/^Filename: //p' | head -n 1)
	[ -n "$deb_name" ] || die "$1 ($2) has no package '$3'"
	DEB=$CACHE/deb/${deb_name##*/}
	[ -f "$DEB" ] || locked "deb-${deb_name##*/}" download_deb "$1" "$2" "$3"
}

download_deb()
{
	[ ! -f "$DEB" ] || return 0
	mkdir -p "$CACHE/deb/partial-$3"
	if ! step "download ${DEB##*/}" apt_download "$3"; then
		rm -f "$APT_DIR/fresh"
		die "$3 could not be had; if the index is old, try again: it is renewed then"
	fi
	mv "$CACHE/deb/partial-$3"/*.deb "$DEB"
	rm -rf "$CACHE/deb/partial-$3"
}

apt_download()
{
	cd "$CACHE/deb/partial-$1"
	APT_CONFIG=$APT_CONF apt-get -q download "$1"
}

# Modules that a guest needs before it can speak (virtio), and those that tests use.
GUEST_MODULES='virtio virtio_ring virtio_pci virtio_pci_legacy_dev virtio_pci_modern_dev
	virtio_mmio virtio_console virtio_blk zram zsmalloc lzo lzo-rle lzo_compress
	lz4 lz4_compress lz4hc lz4hc_compress 842 842_compress 842_decompress zlib_deflate
	zstd zstd_compress loop squashfs overlay'

# fetch_kernel: image, config and guest modules of K_* into cache/kernel/KEY
fetch_kernel()
{
	KERNEL=$CACHE/kernel/$K_KEY
	case $K_FLAVOUR in
	own-*)
		own_kernel
		return
		;;
	esac
	apt_state "$K_SUITE" "$K_ARCH"
	image=$(pkg_depends "linux-image-$K_FLAVOUR" 'linux-image-[0-9].*' | head -n 1)
	[ -n "$image" ] || die "$K_SUITE ($K_ARCH) has no linux-image-$K_FLAVOUR"
	K_RELEASE=${image#linux-image-}
	stamped "$KERNEL/stamp" "$K_RELEASE 7" ||
		locked "kernel-$K_KEY" unpack_kernel "$image"
}

unpack_kernel()
{
	! stamped "$KERNEL/stamp" "$K_RELEASE 7" || return 0
	# sid splits the package: the image proper, and the modules, apart
	debs=$(pkg_depends "$1" 'linux-(binary|modules)-[0-9].*')
	for p in $1 $debs; do
		get_deb "$K_SUITE" "$K_ARCH" "$p"
		set -- "$@" "$DEB"
	done
	shift
	rm -rf "$KERNEL"
	mkdir -p "$KERNEL"
	step "unpack kernel $K_RELEASE ($K_ARCH)" unpack_kernel_debs "$@"
	printf '%s 7\n' "$K_RELEASE" >"$KERNEL/stamp"
}

unpack_kernel_debs()
{
	raw=$KERNEL/raw
	mkdir -p "$raw"
	patterns=
	for m in $GUEST_MODULES; do
		patterns="$patterns */$m.ko */$m.ko.xz */$m.ko.zst"
	done
	for d; do
		set -f
		# shellcheck disable=SC2086 # a list of patterns
		dpkg-deb --fsys-tarfile "$d" | tar -x -C "$raw" --wildcards -f - \
			'*/vmlinu[xz]-*' '*/vmlinuz' '*/config*' '*/modules.builtin' \
			'*/modules.order' '*/modules.builtin.modinfo' \
			$patterns 2>/dev/null || :
		set +f
	done
	vmlinuz=$(find "$raw" -name 'vmlinu[xz]*' | head -n 1)
	[ -n "$vmlinuz" ] || {
		echo "no image in $*"
		return 1
	}
	mv "$vmlinuz" "$KERNEL/vmlinuz"
	config=$(find "$raw" -type f \( -name "config-$K_RELEASE" -o -name config \) | head -n 1)
	[ -z "$config" ] || mv "$config" "$KERNEL/config"
	mkdir -p "$KERNEL/lib/modules"
	mv "$(find "$raw" -type d -path "*/lib/modules/$K_RELEASE" | head -n 1)" \
		"$KERNEL/lib/modules/"
	find "$KERNEL/lib" -name '*.ko.xz' -exec xz -d {} +
	find "$KERNEL/lib" -name '*.ko.zst' -exec zstd -q -d --rm {} +
	rm -rf "$raw"
	/sbin/depmod -b "$KERNEL" "$K_RELEASE"
	printf '%s\n' "$K_RELEASE" >"$KERNEL/release"
	boot_image
}

# boot_image: what QEMU is given, at KERNEL/boot. Unpacking itself is half of
# an emulated x86 kernel's boot; where the kernel can be entered as an ELF file
# (its PVH note), it is unpacked here, once.
boot_image()
{
	ln -f "$KERNEL/vmlinuz" "$KERNEL/boot"
	[ "$K_ARCH" = amd64 ] || return 0
	# KASAN looks at its shadow from the ELF entry on, before there is one
	! grep -qs '^CONFIG_KASAN=y' "$KERNEL/config" || return 0
	word()
	{
		od -An "-tu$2" -j "$1" -N "$2" "$KERNEL/vmlinuz" | tr -d ' '
	}
	# Documentation/arch/x86/boot.rst: setup_sects, payload_offset, _length.
	# The payload's last four bytes are its unpacked size: gzip has them of its
	# own, after all others they were put.
	start=$((($(word 497 1) + 1) * 512 + $(word 584 4)))
	length=$(word 588 4)
	tail -c +$((start + 1)) "$KERNEL/vmlinuz" | head -c "$length" >"$KERNEL/payload"
	case $(od -An -tx1 -N2 "$KERNEL/payload" | tr -d ' ') in
	fd37) set -- xz ;;
	28b5) set -- zstd -q ;;
	1f8b) set -- gzip ;;
	*) set -- false ;;
	esac
	[ "$1" = gzip ] || truncate -s $((length - 4)) "$KERNEL/payload"
	if "$@" -dc <"$KERNEL/payload" >"$KERNEL/vmlinux" &&
			LC_ALL=C grep -aqP '\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0' \
				"$KERNEL/vmlinux"; then
		mv "$KERNEL/vmlinux" "$KERNEL/boot"
	fi
	rm -f "$KERNEL/payload" "$KERNEL/vmlinux"
}
