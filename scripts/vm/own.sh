# SPDX-License-Identifier: GPL-2.0
# Kernels of our own, from a suite's linux-source and a fragment of options in
# configs/: small enough to build in minutes, and with the checkers that no
# distribution switches on. Built once, by that suite's compiler. Sourced.

# config_lines NAME: the fragment with what it includes ("#include NAME")
config_lines()
{
	[ -f "$VM_DIR/configs/$1" ] || die "no scripts/vm/configs/$1"
	while IFS= read -r config_line; do
		case $config_line in
		'#include '*) (config_lines "${config_line#\#include }") ;;
		*) printf '%s\n' "$config_line" ;;
		esac
	done <"$VM_DIR/configs/$1"
}

# own_kernel: fetch_kernel's part for a flavour "own-NAME"
own_kernel()
{
	fragment=$(config_lines "${K_FLAVOUR#own-}")
	own_package
	K_RELEASE=${version%-*}-${K_FLAVOUR#own-}
	OWN=$CACHE/own/$K_KEY
	own_key="$version $(hash_of "$fragment") 1"
	stamped "$KERNEL/stamp" "$own_key" || locked "kernel-$K_KEY" make_own_kernel
}

make_own_kernel()
{
	! stamped "$KERNEL/stamp" "$own_key" || return 0
	own_tools
	mkdir -p "$OWN"
	printf '%s\n' "$fragment" >"$OWN/fragment"
	step "build kernel $K_RELEASE ($K_ARCH; minutes, once)" compile_own_kernel
	rm -rf "$KERNEL"
	mkdir -p "$KERNEL"
	cp "$OWN/.config" "$KERNEL/config"
	cp "$OWN/$(own_image)" "$KERNEL/vmlinuz"
	printf '%s\n' "$K_RELEASE" >"$KERNEL/release"
	boot_image
	printf '%s\n' "$own_key" >"$KERNEL/stamp"
}

# own_package: the name and version of the suite's linux-source
own_package()
{
	apt_state "$K_SUITE" "$BUILD_ARCH"
	source=$(pkg_depends linux-source 'linux-source-[0-9.]*' | head -n 1)
	version=$(pkg_show "$source" | sed -n 's/^Version: //p' | head -n 1)
}

# own_tools: that source unpacked, and what builds it in ROOT
own_tools()
{
	build_root "$K_BASE"
	root_need flex bison bc libelf-dev libssl-dev openssl perl python3-minimal \
		"$(own_compiler)"
	own_source
}

own_compiler()
{
	[ -z "$A_CROSS" ] && echo gcc || echo "gcc-$(printf '%s' "$A_TRIPLET" | tr _ -)"
}

own_image()
{
	case $A_KARCH in
	x86_64) echo arch/x86/boot/bzImage ;;
	arm) echo arch/arm/boot/zImage ;;
	*) echo "arch/$A_KARCH/boot/Image" ;;
	esac
}

# own_source: the suite's unpacked source, at OWN_SOURCE, shared by its kernels
own_source()
{
	OWN_SOURCE=$CACHE/source/$source-$version
	[ -f "$OWN_SOURCE/Makefile" ] || locked "source-$source" unpack_source
}

unpack_source()
{
	[ ! -f "$OWN_SOURCE/Makefile" ] || return 0
	get_deb "$K_SUITE" "$BUILD_ARCH" "$source"
	rm -rf "$OWN_SOURCE.new"
	mkdir -p "$OWN_SOURCE.new"
	step "unpack $source (1.3 GB)" extract_source
	mv "$OWN_SOURCE.new" "$OWN_SOURCE"
}

extract_source()
{
	dpkg-deb --fsys-tarfile "$DEB" | tar -xO -f - "./usr/src/$source.tar.xz" |
		xz -dc -T2 | tar -x -C "$OWN_SOURCE.new" --strip-components=1 \
		--exclude=*/Documentation/devicetree --exclude=*/drivers/gpu/drm/amd -f -
	# Its Kconfig is sourced without being asked
	[ ! -f "$OWN_SOURCE.new/drivers/gpu/drm/Kconfig" ] ||
		sed -i '\,drivers/gpu/drm/amd,d' "$OWN_SOURCE.new/drivers/gpu/drm/Kconfig"
}

own_make()
{
	in_root "$OWN_SOURCE:/own/source $OWN:/own/build" make -C /own/source \
		O=/own/build ARCH="$A_KARCH" CROSS_COMPILE="$A_CROSS" \
		KBUILD_BUILD_TIMESTAMP=1970-01-01 KBUILD_BUILD_USER=oomlens \
		KBUILD_BUILD_HOST=oomlens LOCALVERSION="-${K_FLAVOUR#own-}" "$@"
}

compile_own_kernel()
{
	own_make KCONFIG_ALLCONFIG=/own/build/fragment allnoconfig
	check_config
	own_make -j"$(nproc)" all
	cat "$OWN/include/config/kernel.release"
}

# check_config: every option asked for is in the final configuration. Kconfig
# drops in silence what has an unmet dependency (SLOB once switched KASAN off).
check_config()
{
	awk '
		function name(line) { sub(/^# /, "", line); sub(/[= ].*/, "", line); return line }
		FNR == NR && /^(CONFIG_|# CONFIG_.* is not set)/ { want[name($0)] = $0; next }
		FNR == NR { next }
		/^(CONFIG_|# CONFIG_.* is not set)/ { have[name($0)] = $0 }
		# One option since 7.3
		/^CONFIG_SYSCTL=y/ { have["CONFIG_PROC_SYSCTL"] = "CONFIG_PROC_SYSCTL=y" }
		END {
			for (o in want) {
				got = (o in have) ? have[o] : "nothing"
				# An option that does not even show is as good as off
				off = want[o] ~ /^#/
				if (off ? got !~ /^(#|nothing)/ : got != want[o]) {
					printf "asked for %s, got %s\n", want[o], got
					bad = 1
				}
			}
			exit bad
		}' "$OWN/fragment" "$OWN/.config"
}
