# SPDX-License-Identifier: GPL-2.0
# Reads kselftest's KTAP (the runner's, with each program's own lines behind
# "# ") and counts subtests. Each program says first how many it has. "not ok" is a
# failure, and so is a number of tests other than planned or not in order, a bad exit
# status after good subtests, the status of a skip after a test, and a skip that is not
# in SKIPS (PROGRAM, PROGRAM:SUBTEST or PROGRAM:REASON, shell patterns, blank-separated).
# What is left out as not asked for, "... not OOMLENS_X=1", may be where the environment
# does not ask, and only there.
# Prints "fail|skip WHAT" lines, then "counts PASSED FAILED SKIPPED PROGRAMS".

BEGIN {
	n = split(SKIPS, list, " ")
	for (i = 1; i <= n; i++)
		allowed[i] = glob(list[i])
	plan = -1
}

function glob(g,    r, c, j)
{
	r = ""
	for (j = 1; j <= length(g); j++) {
		c = substr(g, j, 1)
		if (c == "*")
			r = r ".*"
		else if (c == "?")
			r = r "."
		else if (c ~ /[[:alnum:]_:-]/)
			r = r c
		else
			r = r "[" c "]"
	}
	return "^" r "$"
}

function may_skip(what, reason,    j)
{
	for (j = 1; j <= n; j++)
		if (what ~ allowed[j] || (program ":" reason) ~ allowed[j])
			return 1
	return 0
}

function fail(what)
{
	failed++
	print "fail " what
}

function skip(what, reason,    name)
{
	last_skipped = 1
	if (match(reason, /(^| )not OOMLENS_[A-Z_]+=1$/)) {
		name = reason
		sub(/.*not /, "", name)
		sub(/=1$/, "", name)
		if (ENVIRON[name]) {
			fail(what " (skipped, and " name " is " ENVIRON[name] ")")
			return
		}
		skipped++
		unasked[reason]++
		return
	}
	if (!may_skip(what, reason)) {
		fail(what " (skipped, and the kernels list does not allow it: " reason ")")
		return
	}
	skipped++
	print "skip " what ": " reason
}

# The test's name. kselftest.h writes the name of a skipped test behind "# SKIP",
# where it has none before.
function name_of(line,    reason)
{
	reason = reason_of(line)
	sub(/^(not )?ok [0-9]+ *-? */, "", line)
	sub(/ *# .*/, "", line)
	return line != "" ? line : reason
}

function reason_of(line)
{
	if (line !~ / # (SKIP|XFAIL)/)
		return ""
	sub(/.* # (SKIP|XFAIL) */, "", line)
	return line == "" ? "no reason given" : line
}

function close_program(line,    what, bad, reason)
{
	programs++
	what = program
	bad = sub_failed
	if (line ~ /^not ok/) {
		# A program that was killed may have had no time for its plan
		if (sub_plan >= 0 && sub_plan != sub_seen)
			bad = unkept(what)
		if (!bad)
			fail(what ": " line)
	} else if (sub_plan < 0) {
		fail(what ": no plan")
	} else if (sub_plan != sub_seen) {
		unkept(what)
	} else if (sub_plan == 0 && sub_reason == "") {
		fail(what ": a plan of no tests")
	} else if (sub_plan == 0) {
		skip(what, sub_reason)
	} else if (reason_of(line) != "" && !last_skipped) {
		fail(what ": ended as if it were skipped, after a test")
	}
	for (reason in unasked)
		print "skip " what ": " reason (unasked[reason] > 1 ? " (" unasked[reason] " tests)" : "")
	open_program("")
}

function unkept(what)
{
	fail(what ": planned " sub_plan " tests and ran " sub_seen)
	return 1
}

function open_program(name)
{
	program = name
	sub_plan = -1
	sub_seen = sub_failed = last_skipped = 0
	sub_reason = ""
	split("", unasked)
}

{ sub(/\r$/, "") }

/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; next }

/^# selftests: [^ ]+: / {
	open_program($4)
	next
}

/^# 1\.\.[0-9]+/ {
	if (sub_plan >= 0 || sub_seen)
		fail(program ": a plan that comes late or twice")
	sub_plan = substr($0, 6) + 0
	if (sub_plan == 0)
		sub_reason = reason_of($0)
	next
}

/^# (not )?ok [0-9]+/ {
	line = substr($0, 3)
	number = line
	sub(/^(not )?ok /, "", number)
	if (number + 0 != ++sub_seen)
		fail(program ": test " number + 0 " in the place of " sub_seen)
	last_skipped = 0
	if (line ~ /^not ok/) {
		sub_failed++
		fail(program ":" name_of(line))
	} else if (reason_of(line) != "") {
		skip(program ":" name_of(line), reason_of(line))
	} else {
		passed++
	}
	next
}

/^(not )?ok [0-9]+ selftests: / { close_program($0) }

END {
	if (program != "")
		fail(program ": did not end")
	if (plan < 0)
		fail("the runner printed no plan")
	else if (plan != programs)
		fail("planned " plan " programs and ran " programs)
	printf "counts %d %d %d %d\n", passed, failed, skipped, programs
}
