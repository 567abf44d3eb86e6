# SPDX-License-Identifier: GPL-2.0
# Reads kselftest's KTAP (the runner's, with each program's own lines behind
# "# ") and counts. A program with subtests counts by its subtests, one without
# as one test. "not ok" is a failure, and so is a number of tests other than planned,
# a bad exit status after good subtests, and a skip that is not in SKIPS
# (PROGRAM or PROGRAM:SUBTEST, shell patterns, blank-separated).
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

function may_skip(what,    j)
{
	for (j = 1; j <= n; j++)
		if (what ~ allowed[j])
			return 1
	return 0
}

function fail(what)
{
	failed++
	print "fail " what
}

function skip(what, reason)
{
	if (!may_skip(what)) {
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

function close_program(line,    what, bad)
{
	programs++
	what = program
	bad = sub_failed
	if (sub_plan >= 0 && sub_plan != sub_seen) {
		fail(what ": planned " sub_plan " tests and ran " sub_seen)
		bad = 1
	}
	if (line ~ /^not ok/) {
		if (!bad)
			fail(what ": " line)
	} else if (reason_of(line) != "" && sub_seen == 0) {
		skip(what, sub_reason != "" ? sub_reason : reason_of(line))
	} else if (sub_seen == 0) {
		passed++
	}
	open_program("")
}

function open_program(name)
{
	program = name
	sub_plan = -1
	sub_seen = sub_failed = 0
	sub_reason = ""
}

{ sub(/\r$/, "") }

/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; next }

/^# selftests: [^ ]+: / {
	open_program($4)
	next
}

/^# 1\.\.[0-9]+/ {
	sub_plan = substr($0, 6) + 0
	if (sub_plan == 0) {
		sub_reason = $0
		sub(/.*# SKIP */, "", sub_reason)
	}
	next
}

/^# (not )?ok [0-9]+/ {
	line = substr($0, 3)
	sub_seen++
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
