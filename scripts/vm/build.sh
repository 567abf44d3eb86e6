# SPDX-License-Identifier: GPL-2.0
# The module for one kernel, and the static test programs for one architecture.
# Sources are copied into the cache before a build, so the checkout stays clean
# and two kernels can be built at once. Sourced.

# mirror_tree SOURCE TARGET: bring TARGET up to date without touching what did
# not change, so that make builds only what did.
mirror_tree()
{
	mkdir -p "$2"
	rsync -rlpc --delete --exclude='*.o' --exclude='*.ko' --exclude='.*.cmd' \
		--exclude='*.mod' --exclude='*.mod.c' --exclude='modules.order' \
		--exclude='Module.symvers' --exclude='.tmp*' --exclude='.*.d' "$@"
}

# build_module: oomlens.ko of K_* at MODULE
build_module()
{
	src=${OOMLENS_SRC:-$TOP}
	OBJ=$CACHE/build/$K_KEY
	MODULE=$OBJ/oomlens.ko
	[ -f "$src/Kbuild" ] || die "$src has no Kbuild"
	build_root "$K_SUITE"
	root_headers
	key=$(hash_files "$src/Kbuild" "$src/module")-$(hash_of "$HEADERS" \
		"$(cat "$VM_DIR/build.sh")")
	stamped "$OBJ.stamp" "$key" || locked "build-$K_KEY" compile_module
}

compile_module()
{
	! stamped "$OBJ.stamp" "$key" || return 0
	mkdir -p "$OBJ/module"
	rsync -tc "$src/Kbuild" "$OBJ/Kbuild"
	mirror_tree "$src/module/" "$OBJ/module/"
	rm -f "$OBJ.stamp" "$MODULE"
	step "build oomlens.ko for $K_ID ($K_RELEASE)" \
		in_root "$OBJ:/build/$K_KEY" make -C "/usr/src/$HEADERS" \
		M="/build/$K_KEY" ARCH="$A_KARCH" CROSS_COMPILE="$A_CROSS" \
		W=1 KCFLAGS=-Werror modules
	printf '%s\n' "$key" >"$OBJ.stamp"
}

# kselftest's own makefile, headers and runner, from one fixed linux-source
KSFT_SUITE=trixie
KSFT_PKG=linux-source-6.12

fetch_ksft()
{
	KSFT_TREE=$CACHE/ksft
	KSFT=$KSFT_TREE/tools/testing/selftests
	stamped "$KSFT_TREE/stamp" "$KSFT_PKG 1" || locked ksft unpack_ksft
}

unpack_ksft()
{
	! stamped "$KSFT_TREE/stamp" "$KSFT_PKG 1" || return 0
	get_deb "$KSFT_SUITE" "$BUILD_ARCH" "$KSFT_PKG"
	rm -rf "$KSFT_TREE"
	mkdir -p "$KSFT_TREE"
	step "unpack kselftest and checkpatch from $KSFT_PKG (about 30 s)" extract_ksft
	printf '%s 1\n' "$KSFT_PKG" >"$KSFT_TREE/stamp"
}

extract_ksft()
{
	dpkg-deb --fsys-tarfile "$DEB" | tar -xO -f - "./usr/src/$KSFT_PKG.tar.xz" |
		xz -dc -T2 | tar -x -C "$KSFT_TREE" --strip-components=1 --wildcards -f - \
		'*/tools/testing/selftests/lib.mk' \
		'*/tools/testing/selftests/kselftest*' \
		'*/tools/testing/selftests/run_kselftest.sh' \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch'
}

# build_tests: the tests of one architecture at TESTS, as "make install" lays
# them out, with kselftest's runner beside them
TESTS_SUITE=bookworm

build_tests()
{
	src=${OOMLENS_SRC:-$TOP}
	TESTS=$CACHE/tests/$K_ARCH
	[ -f "$src/selftests/Makefile" ] || die "$src has no selftests/Makefile"
	fetch_ksft
	build_root "$TESTS_SUITE"
	if [ -n "$A_CROSS" ]; then
		root_need "gcc-$(printf '%s' "$A_TRIPLET" | tr _ -)" "libc6-dev-$K_ARCH-cross"
	fi
	key=$(hash_files "$src/selftests" "$src/module")-$(hash_of "$(cat "$VM_DIR/build.sh")")
	stamped "$TESTS.stamp" "$key" || locked "tests-$K_ARCH" compile_tests
}

compile_tests()
{
	! stamped "$TESTS.stamp" "$key" || return 0
	tsrc=$CACHE/tests/$K_ARCH.src
	rm -rf "$TESTS"
	mkdir -p "$TESTS/oomlens" "$tsrc"
	# module/ too: the pure parts are tested in user space
	mirror_tree "$src/selftests/" "$tsrc/selftests/"
	mirror_tree "$src/module/" "$tsrc/module/"
	rm -f "$TESTS.stamp"
	step "build the tests ($K_ARCH)" install_tests
	printf '%s\n' "$key" >"$TESTS.stamp"
}

install_tests()
{
	in_root "$tsrc:/tests/src $TESTS:/tests/install $KSFT_TREE:/tests/linux" \
		sh -eu -c '
		cd /tests/src/selftests
		ksft=/tests/linux/tools/testing/selftests
		set -- KSFT=$ksft CROSS_COMPILE="$1" ARCH="$2" USERLDFLAGS=-static
		make "$@" INSTALL_PATH=/tests/install/oomlens install
		make -s "$@" COLLECTION=oomlens emit_tests >/tests/install/kselftest-list.txt
		cp $ksft/run_kselftest.sh /tests/install/
		cp -r $ksft/kselftest /tests/install/
		' sh "$A_CROSS" "$A_KARCH"
	as_root chown -R "$(id -u):$(id -g)" "$TESTS"
}
