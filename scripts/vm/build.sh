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
		--exclude='Module.symvers' --exclude='.tmp*' --exclude='.*.d' "$@" ||
		die "cannot copy $1"
}

# built DIRECTORY KEY: whether DIRECTORY/KEY is there. Results are named by the
# hash of what they are made from and appear by one rename, so that a guest
# being packed never meets half of another build. The last few are kept, and all
# of the last hour: another run may be about to pack them.
built()
{
	[ -e "$1/$2" ] || return 1
	touch -c "$1/$2"
}

# publish NEW DIRECTORY KEY [KEEP]
publish()
{
	mkdir -p "$2"
	# Another tree with the same contents may have been first, and uses them
	if built "$2" "$3"; then
		rm -rf "$1"
		return
	fi
	mv "$1" "$2/$3"
	# shellcheck disable=SC2012 # our own names: hashes
	ls -1t "$2" | tail -n +$((${4:-5} + 1)) | while read -r old; do
		find "${2:?}/$old" -maxdepth 0 -mmin +60 -exec rm -rf {} + || :
	done
}

# Another tree than our own (OOMLENS_SRC) has objects of its own
source_tree()
{
	src=${OOMLENS_SRC:-$TOP}
	src_tag=-$(hash_of "$src")
}

# build_module: oomlens.ko of K_* at MODULE
build_module()
{
	source_tree
	OBJ=$CACHE/build/$K_KEY$src_tag
	[ -f "$src/Kbuild" ] || die "$src has no Kbuild"
	build_root "$K_BASE"
	root_headers
	key=$(hash_files "$src/Kbuild" "$src/module" "$src/selftests/modules")-$(hash_of "$HEADERS" \
		"$(cat "$VM_DIR/build.sh")")
	module_built || locked "build-${OBJ##*/}" compile_module
	MODULE=$CACHE/module/$K_KEY/$key.ko
	TEST_MODULES=$CACHE/test-modules/$K_KEY/$key
}

# mirror_sources: what kbuild reads, below OBJ
mirror_sources()
{
	mkdir -p "$OBJ/selftests"
	rsync -tc "$src/Kbuild" "$OBJ/Kbuild" || die "cannot copy $src/Kbuild"
	mirror_tree "$src/module/" "$OBJ/module/"
	mirror_tree "$src/selftests/modules/" "$OBJ/selftests/modules/"
}

module_built()
{
	built "$CACHE/test-modules/$K_KEY" "$key" && built "$CACHE/module/$K_KEY" "$key.ko"
}

compile_module()
{
	! module_built || return 0
	mirror_sources
	step "build oomlens.ko for $K_ID ($K_RELEASE)" kbuild_module
	publish_test_modules
	finish_module oomlens.ko guest.ko
	publish "$OBJ/guest.ko" "$CACHE/module/$K_KEY" "$key.ko"
}

# test_words: the modules that tests load, KUnit's where the kernel has it
test_words()
{
	echo OOMLENS_TESTS=1
	case $K_FLAVOUR in
	own-*) ! grep -qs '^CONFIG_KUNIT=[ym]' "$KERNEL/config" || echo OOMLENS_KUNIT=1 ;;
	esac
}

# publish_test_modules: those, for the guest
publish_test_modules()
{
	rm -rf "$OBJ/tests"
	mkdir -p "$CACHE/test-modules/$K_KEY" "$OBJ/tests"
	for ko in "$OBJ"/module/tests/*.ko "$OBJ"/selftests/modules/*.ko; do
		[ -f "${ko%.ko}.c" ] || continue
		finish_module "${ko#"$OBJ/"}" "tests/${ko##*/}"
	done
	publish "$OBJ/tests" "$CACHE/test-modules/$K_KEY" "$key"
}

# finish_module KO FINISHED: what goes into a guest, both below OBJ: without its
# debug information, which a small guest would have to hold while it loads;
# signed by its own key if a kernel of our own insists on signatures.
finish_module()
{
	in_root "$KBUILD_MOUNTS $OBJ:/build/oomlens" "${A_CROSS}strip" --strip-debug \
		-o "/build/oomlens/$2" "/build/oomlens/$1"
	case $K_FLAVOUR in
	own-*)
		[ ! -f "$OWN/certs/signing_key.pem" ] ||
			in_root "$KBUILD_MOUNTS $OBJ:/build/oomlens" \
				/own/build/scripts/sign-file sha256 \
				/own/build/certs/signing_key.pem \
				/own/build/certs/signing_key.x509 "/build/oomlens/$2"
		;;
	esac
}

# A file of ours in a checker's message, with or without directories before it; the
# line number may follow
OWN_FILE='(^|/)(module|selftests/modules)/[^ ]*'

# kbuild_module [ARGUMENT...]: -Werror is the compiler's; kernel-doc, which W=1
# runs too, only prints
kbuild_module()
{
	kbuild_log=$OBJ.log
	kbuild_status=0
	in_root "$KBUILD_MOUNTS $OBJ:/build/oomlens" make -j"$(nproc)" -C "$KBUILD_DIR" \
		M=/build/oomlens ARCH="$A_KARCH" CROSS_COMPILE="$A_CROSS" \
		W=1 KCFLAGS=-Werror $(test_words) "$@" modules >"$kbuild_log" 2>&1 || kbuild_status=$?
	cat "$kbuild_log"
	! grep -E "$OWN_FILE: (warning|error):" "$kbuild_log" |
		grep -qvE "${SPARSE_WRONG:-^$}" || kbuild_status=1
	return $kbuild_status
}

# kselftest's own makefile, headers and runner, from one fixed linux-source
KSFT_SUITE=trixie
KSFT_PKG=linux-source-6.12

fetch_ksft()
{
	KSFT_TREE=$CACHE/kselftest
	KSFT=$KSFT_TREE/tools/testing/selftests
	stamped "$KSFT_TREE/stamp" "$KSFT_PKG" || locked ksft unpack_ksft
}

unpack_ksft()
{
	! stamped "$KSFT_TREE/stamp" "$KSFT_PKG" || return 0
	get_deb "$KSFT_SUITE" "$BUILD_ARCH" "$KSFT_PKG"
	rm -rf "$KSFT_TREE"
	mkdir -p "$KSFT_TREE"
	step "unpack kselftest and checkpatch from $KSFT_PKG (about 30 s)" extract_ksft
	printf '%s\n' "$KSFT_PKG" >"$KSFT_TREE/stamp"
}

extract_ksft()
{
	dpkg-deb --fsys-tarfile "$DEB" | tar -xO -f - "./usr/src/$KSFT_PKG.tar.xz" |
		xz -dc -T2 | tar -x -C "$KSFT_TREE" --strip-components=1 --wildcards -f - \
		'*/tools/testing/selftests/lib.mk' \
		'*/tools/testing/selftests/kselftest*' \
		'*/tools/testing/selftests/run_kselftest.sh' \
		'*/tools/testing/selftests/cgroup/*.[ch]' \
		'*/tools/testing/selftests/clone3/clone3_selftests.h' \
		'*/tools/testing/selftests/pidfd/pidfd.h' \
		'*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
		'*/scripts/const_structs.checkpatch'
}

# build_tests: the tests of one architecture at TESTS, as "make install" lays
# them out, with kselftest's runner beside them
TESTS_SUITE=bookworm

build_tests()
{
	source_tree
	[ -f "$src/selftests/Makefile" ] || die "$src has no selftests/Makefile"
	fetch_ksft
	build_root "$TESTS_SUITE"
	if [ -n "$A_CROSS" ]; then
		root_need "gcc-$(printf '%s' "$A_TRIPLET" | tr _ -)" "libc6-dev-$K_ARCH-cross"
	elif [ "$K_ARCH" = amd64 ]; then
		# The arithmetic is tested with longs of 32 bits too. gcc-multilib would
		# do, but it excludes every cross compiler.
		gcc_version=$(in_root '' gcc -dumpversion)
		root_need libc6-dev-i386 "lib32gcc-$gcc_version-dev"
	fi
	# Of module/ they take these two: see selftests/Makefile
	key=$(hash_files "$src/selftests" "$src/module/kernel/score.h" \
		"$src/module/ABI")-$(hash_of "$(cat "$VM_DIR/build.sh")")
	built "$CACHE/tests/$K_ARCH" "$key" || locked "tests-$K_ARCH$src_tag" compile_tests
	TESTS=$CACHE/tests/$K_ARCH/$key
}

compile_tests()
{
	! built "$CACHE/tests/$K_ARCH" "$key" || return 0
	tsrc=$CACHE/build/tests-$K_ARCH$src_tag
	new=$tsrc.install
	rm -rf "$new"
	mkdir -p "$new/oomlens" "$tsrc"
	mirror_tree "$src/selftests/" "$tsrc/selftests/"
	mirror_tree "$src/module/" "$tsrc/module/"
	step "build the tests ($K_ARCH)" install_tests
	publish "$new" "$CACHE/tests/$K_ARCH" "$key"
}

install_tests()
{
	in_root "$tsrc:/tests/src $new:/tests/install $KSFT_TREE:/tests/linux" \
		sh -eu -c '
		# What gcc-multilib would bring for -m32
		[ -e /usr/include/asm ] || [ ! -d /usr/include/x86_64-linux-gnu ] ||
			ln -s x86_64-linux-gnu/asm /usr/include/asm
		cd /tests/src/selftests
		ksft=/tests/linux/tools/testing/selftests
		cross=$1
		set -- KSFT=$ksft CROSS_COMPILE="$1" ARCH="$2" STATIC=1 \
			USERLDFLAGS=-static USERCFLAGS=-Werror
		make -j"$(nproc)" "$@" INSTALL_PATH=/tests/install/oomlens install
		make -s "$@" COLLECTION=oomlens emit_tests >/tests/install/kselftest-list.txt
		# The kernel'"'"'s own, for oomlens_upstream.sh. As there without -O: it would
		# leave out the memory that they touch and free.
		mkdir /tests/install/oomlens/upstream
		for t in test_memcontrol test_kmem test_kill; do
			"${cross}gcc" -static -w -D_GNU_SOURCE= -pthread -o /tests/install/oomlens/upstream/$t \
				$ksft/cgroup/$t.c $ksft/cgroup/cgroup_util.c
		done
		"${cross}strip" --strip-debug $(find /tests/install/oomlens -type f -perm -100 |
			while read -r f; do
				[ "$(head -c 4 "$f" | tail -c 3)" != ELF ] || echo "$f"
			done)
		cp $ksft/run_kselftest.sh /tests/install/
		cp -r $ksft/kselftest /tests/install/
		' sh "$A_CROSS" "$A_KARCH"
	as_root chown -R "$(id -u):$(id -g)" "$new"
}
