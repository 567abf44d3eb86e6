# SPDX-License-Identifier: GPL-2.0
# Debian systems: one small one per suite to build in, so that each kernel's
# module is built by that suite's own compiler and kbuild tools; and those that
# guests boot into instead of busybox. Sourced.

ROOT_BASE=gcc,make,libc6-dev,rsync

# build_root SUITE: its directory in ROOT
build_root()
{
	ROOT=$CACHE/root/$1
	stamped "$ROOT/stamp" "$ROOT_BASE" || locked "root-$1" make_root "$1"
}

make_root()
{
	! stamped "$ROOT/stamp" "$ROOT_BASE" || return 0
	bootstrap "build root of $1 (compiler, about 30 s)" "$1" "$ROOT_BASE" "$ROOT"
	printf '%s\n' "$ROOT_BASE" | as_root tee "$ROOT/stamp" >/dev/null
}

# bootstrap TEXT SUITE PACKAGE,... DIRECTORY: a Debian system, made anew
bootstrap()
{
	apt_state "$2" "$BUILD_ARCH"
	as_root rm -rf "$4"
	mkdir -p "${4%/*}"
	# The machine's own apt proxy, if any, is the way out for the root too.
	proxy=$(apt-config shell p Acquire::http::Proxy | sed "s/^p='\(.*\)'$/\1/")
	set -- "$@" ${proxy:+"--aptopt=Acquire::http::Proxy \"$proxy\""}
	text=$1 suite=$2 packages=$3 directory=$4
	shift 4
	step "$text" as_root mmdebstrap --quiet --variant=apt --include="$packages" \
		--keyring="$(keyring)" \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--aptopt='Acquire::Retries "3"' \
		--aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io "$@" \
		"$suite" "$directory" "deb $(mirror) $suite main"
	# dpkg's path-exclude would run each package through a filter in Python
	as_root rm -rf "$directory"/usr/share/doc "$directory"/usr/share/man \
		"$directory"/usr/share/locale
	# dpkg did not for each file
	sync
}

# guest_system: the cpio archive of K_ROOT's system, at SYSTEM; empty for busybox.
# Named by what it is made from: its packages, the index that says which versions
# of them there are, and how it is put together.
guest_system()
{
	SYSTEM=
	[ -n "$K_ROOT" ] || return 0
	# Another architecture's packages could not be configured here
	[ "$K_ARCH" = "$BUILD_ARCH" ] || die "$K_ID: root=$K_ROOT on a foreign architecture"
	system_packages=$(named root "$K_ROOT" | paste -s -d ,)
	apt_state "$K_BASE" "$K_ARCH"
	system_dir=$CACHE/system/$K_BASE-$K_ARCH-$K_ROOT
	system_key=$(hash_of "$system_packages" "$(hash_files "$APT_DIR"/lists/*Release)" \
		"$(cat "$VM_DIR/root.sh")").cpio
	built "$system_dir" "$system_key" || locked "system-${system_dir##*/}" make_guest_system
	SYSTEM=$system_dir/$system_key
}

make_guest_system()
{
	! built "$system_dir" "$system_key" || return 0
	tree=$system_dir.tree
	bootstrap "guest system of $K_BASE ($system_packages, about 30 s)" "$K_BASE" \
		"$system_packages" "$tree"
	as_root rm -rf "$tree"/var/lib/apt/lists "$tree"/var/cache "$tree"/usr/share/zoneinfo
	as_root sh -c 'cd "$1" && find . -mindepth 1 -xdev | LC_ALL=C sort |
		cpio --quiet -o -H newc' sh "$tree" >"$tree.cpio"
	as_root rm -rf "$tree"
	# Hundreds of MB each
	publish "$tree.cpio" "$system_dir" "$system_key" 2
}

# in_root MOUNTS COMMAND...: run inside ROOT; MOUNTS is a list of HOST:GUEST
# directories to bind. A mount namespace of its own, so that two builds can run
# at once and nothing stays mounted whatever happens. objtool wants /proc.
in_root()
{
	as_root unshare --mount $UNSHARE_FLAGS sh -eu -c '
		root=$1 mounts=$2
		shift 2
		mount --bind "$root" "$root"
		mount --make-rprivate "$root" 2>/dev/null || :
		mount -t proc proc "$root/proc"
		mount --bind /dev/null "$root/dev/null" 2>/dev/null || :
		for m in $mounts; do
			mkdir -p "$root${m#*:}"
			mount --bind "${m%%:*}" "$root${m#*:}"
		done
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/tmp LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
	' sh "$ROOT" "$@"
}

# Inside a plain chroot "/" is no mount point and its propagation cannot be set.
UNSHARE_FLAGS=
if ! as_root unshare --mount true 2>/dev/null; then
	UNSHARE_FLAGS='--propagation unchanged'
fi

# root_need PACKAGE...: add Debian packages to ROOT where they are missing
root_need()
{
	missing=
	for p; do
		set -- "$ROOT/var/lib/dpkg/info/$p".list "$ROOT/var/lib/dpkg/info/$p":*.list
		[ -e "$1" ] || [ -e "$2" ] || missing="$missing $p"
	done
	# shellcheck disable=SC2086 # a list of names
	[ -z "$missing" ] || locked "root-${ROOT##*/}" root_install $missing
}

root_install()
{
	resolv=
	[ ! -e /etc/resolv.conf ] || {
		resolv=$CACHE/resolv.conf
		cat /etc/resolv.conf >"$resolv"
		as_root cp "$resolv" "$ROOT/etc/resolv.conf"
	}
	step "add to the build root of ${ROOT##*/}: $*" \
		in_root '' sh -c 'apt-get -qq update && apt-get -qq -y \
			--no-install-recommends install "$@" && apt-get clean' sh "$@"
}

# root_headers: the headers of K_* in ROOT, as Debian would install them. They
# are unpacked, not installed: a foreign architecture's package has
# dependencies that cannot be met here, and does not need them, since kbuild's
# own tools come from the build machine's linux-kbuild.
root_headers()
{
	KBUILD_MOUNTS=
	case $K_FLAVOUR in
	own-*)
		# Our own kernel's build directory is its headers
		OWN=$CACHE/own/$K_KEY
		OWN_SOURCE=$CACHE/source/$source-$version
		HEADERS=own-$own_key
		KBUILD_DIR=/own/build
		KBUILD_MOUNTS="$OWN_SOURCE:/own/source $OWN:/own/build"
		return
		;;
	esac
	apt_state "$K_SUITE" "$K_ARCH"
	HEADERS=linux-headers-$K_RELEASE
	KBUILD_DIR=/usr/src/$HEADERS
	mark=$ROOT/usr/src/$HEADERS/.oomlens-unpacked
	[ -f "$mark" ] || locked "root-${ROOT##*/}" unpack_headers
	root_need $(cat "$mark")
}

unpack_headers()
{
	[ ! -f "$mark" ] || return 0
	common=$(pkg_depends "$HEADERS" 'linux-headers-.*-common.*' | head -n 1)
	kbuild=$(pkg_depends "$HEADERS" 'linux-kbuild-.*' | head -n 1)
	get_deb "$K_SUITE" "$K_ARCH" "$HEADERS"
	set -- "$DEB"
	get_deb "$K_SUITE" "$K_ARCH" "$common"
	set -- "$@" "$DEB"
	get_deb "$K_SUITE" "$BUILD_ARCH" "$kbuild"
	set -- "$@" "$DEB"
	# The packages that architectures share are not unpacked a second time: another
	# run may be compiling with them
	for d; do
		unpacked=$ROOT/usr/src/.oomlens-${d##*/}
		[ -e "$unpacked" ] || step "unpack ${d##*/}" unpack_into_root "$d"
		as_root touch "$unpacked"
	done
	apt_state "$K_SUITE" "$K_ARCH"
	# The compiler that the kernel was built with, by the headers' own word
	cc=$(sed -n 's/^CC.*\(gcc-[0-9][0-9]*\).*/\1/p' \
		"$ROOT/usr/src/$HEADERS/.kernelvariables" | head -n 1)
	if [ -n "$A_CROSS" ]; then
		cc="${cc:-gcc}-$(printf '%s' "$A_TRIPLET" | tr _ -)"
	fi
	# What kbuild's own tools want, by their package's word; W=1 also runs
	# kernel-doc over the sources, which is perl up to 6.12.
	apt_state "$K_SUITE" "$BUILD_ARCH"
	tools=$(pkg_depends "$kbuild" '[a-z].*' | grep -v '^libc6$' || :)
	[ ! -e "$ROOT/usr/src/${common}/scripts/kernel-doc" ] || tools="$tools perl"
	# shellcheck disable=SC2086 # a list of names
	echo ${cc:-gcc} $tools | as_root tee "$mark" >/dev/null
}

# dpkg-deb -x would put a directory in the place of the link /lib -> usr/lib
unpack_into_root()
{
	dpkg-deb --fsys-tarfile "$1" |
		as_root tar -x -C "$ROOT" --keep-directory-symlink -f -
}
