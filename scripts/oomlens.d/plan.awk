# SPDX-License-Identifier: GPL-2.0
# The file of check and rehearse: one word and its arguments a line. Prints what it says
# as fields with tabs between them, for rehearse.sh; or names the line and the word that is
# wrong, and ends with 2.
#
# In: named (the file's name in messages), mode (check, rehearse).
#
#   title TEXT
#   in CGROUP
#   do LINE
#   expect LINE_NUMBER WHAT NOT BY OP VALUE WITHIN ARGUMENT TEXT
#
# NOT is 1 or -; BY is comm, cgroup or -; VALUE is a number, in percent with %; WITHIN
# is in ms; ARGUMENT is a pattern or a command; TEXT is the line as it was written.

{
	gsub(/\t/, " ")
	sub(/\r$/, "")
	take_line(without_comment($0))
}

function wrong(text) {
	print "oomlens: " named ":" NR ": " text | "cat >&2"
	close("cat >&2")
	bad = 1
	exit 2
}

# From a # at the line's start or after a blank, but for one in quotes
function without_comment(s,   i, c, quote) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (quote != "") {
			if (c == quote)
				quote = ""
		} else if ((c == "\"" || c == "'") && (i == 1 || substr(s, i - 1, 1) ~ /[ =(]/)) {
			# An apostrophe is none
			quote = c
		} else if (c == "#" && (i == 1 || substr(s, i - 1, 1) == " ")) {
			s = substr(s, 1, i - 1)
		}
	}
	sub(/^ +/, "", s)
	sub(/ +$/, "", s)
	return s
}

# The first word of rest, which loses it
function next_word(   w) {
	w = rest
	sub(/ .*/, "", w)
	rest = substr(rest, length(w) + 1)
	sub(/^ +/, "", rest)
	return w
}

function once(word) {
	if (word in line_of)
		wrong("'" word "' is in line " line_of[word] " already")
	line_of[word] = NR
}

function take_line(s,   w) {
	if (s == "")
		return
	rest = s
	w = next_word()
	if (w == "title")
		take_title()
	else if (w == "in")
		take_in()
	else if (w == "do")
		take_do()
	else if (w == "expect")
		take_expect()
	else
		wrong("'" w "' is no word of such a file: title, in, do, expect")
}

function take_title() {
	once("title")
	if (rest == "")
		wrong("'title' needs a text")
	print "title\t" rest
}

function take_in() {
	once("in")
	if (rest ~ /^".*"$/)
		rest = substr(rest, 2, length(rest) - 2)
	if (rest !~ /^\//)
		wrong("'in' needs the path of a cgroup, as /system.slice/web.service, not '" rest "'")
	print "in\t" rest
}

# As module/ABI has the commands of trigger
function take_do(   line, what, w, k, seen) {
	once("do")
	line = rest
	what = next_word()
	if (what != "kill" && what != "pressure")
		wrong("'do' needs a command of trigger, kill or pressure, not '" what "'")
	while (rest != "") {
		w = next_word()
		k = w
		sub(/=.*/, "", k)
		if (k in seen)
			wrong("'" k "' is there twice")
		seen[k] = 1
		if (what == "kill" ? w !~ /^pid=[1-9][0-9]*$/ : w !~ /^(outcome=(avert|kill)|(leave|limit)=[0-9]+[KMGTkmgt]?|(hold|timeout)=[0-9]+|memcg)$/)
			wrong("'" w "' is no option of " what ", or has no such value")
		if (w == "memcg")
			of_memcg = NR
	}
	print "do\t" line
}

# A number and its unit, by a list of unit=factor; -1 if it is none
function scaled_by(w, units,   n, i, u, part, number) {
	if (!match(w, /^[0-9]+(\.[0-9]+)?/))
		return -1
	number = substr(w, 1, RLENGTH)
	u = substr(w, RLENGTH + 1)
	n = split(units, part, " ")
	for (i = 1; i <= n; i++)
		if (substr(part[i], 1, index(part[i], "=") - 1) == u)
			return number * substr(part[i], index(part[i], "=") + 1)
	return -1
}

# "10s" into milliseconds
function take_time(   w, ms) {
	w = next_word()
	ms = scaled_by(w, "ms=1 s=1000 min=60000")
	if (ms < 0 || ms > 3600000)
		wrong("'" w "' is no time: 500ms, 10s, 2min, an hour at most")
	return int(ms)
}

function take_within(default_ms) {
	if (rest == "")
		return default_ms
	if (next_word() != "within")
		wrong("after that only 'within TIME' may follow")
	default_ms = take_time()
	nothing_more()
	return default_ms
}

function nothing_more() {
	if (rest != "")
		wrong("'" rest "' is too much")
}

function take_op(   w) {
	w = rest
	sub(/[^<>=].*/, "", w)
	if (w !~ /^(<|<=|=|==|>=|>)$/)
		wrong("'" next_word() "' is no comparison: < <= = >= >")
	rest = substr(rest, length(w) + 1)
	sub(/^ +/, "", rest)
	return w == "==" ? "=" : w
}

# [cgroup] "PATTERN", into BY; the pattern
function take_pattern(   p, s) {
	BY = "comm"
	if (rest ~ /^cgroup /) {
		next_word()
		BY = "cgroup"
	}
	if (rest ~ /^"/) {
		p = index(substr(rest, 2), "\"")
		if (!p)
			wrong("a quote is not closed: " rest)
		s = substr(rest, 2, p - 1)
		rest = substr(rest, p + 2)
		if (rest !~ /^( |$)/)
			wrong("'" rest "' stands right behind a quote")
		sub(/^ +/, "", rest)
	} else {
		s = next_word()
	}
	if (s == "")
		wrong("a name is missing, as \"nginx*\"")
	if (BY == "comm" && length(s) > 15 && s !~ /[*?[]/)
		wrong("'" s "' is no name of a process, of which the kernel keeps 15 characters: '" substr(s, 1, 15) "'")
	if (BY == "cgroup" && !index("/*?[", substr(s, 1, 1)))
		wrong("'" s "' is no path of a cgroup, which begins with /")
	return s
}

function take_expect(   text, w, no, op, value, within, argument, size) {
	text = rest
	no = op = value = BY = argument = "-"
	within = 0
	w = next_word()
	if (w == "not") {
		no = 1
		w = next_word()
		if (w != "victim")
			wrong("'not' goes with victim, not with '" w "'")
	}
	if (w == "victim" || w == "exempt") {
		argument = take_pattern()
		nothing_more()
	} else if (w == "rank") {
		argument = take_pattern()
		op = take_op()
		value = next_word()
		if (value !~ /^[0-9]+$/ || length(value) > 9)
			wrong("'" value "' is no rank")
		nothing_more()
	} else if (w == "outcome") {
		argument = next_word()
		if (argument !~ /^(killed|averted|dying|exiting|no_fs|in_flight|nobody|disabled|panic)$/)
			wrong("'" argument "' is no outcome: killed, averted, dying, exiting, no_fs, in_flight, nobody, disabled")
		nothing_more()
	} else if (w == "freed") {
		if (rest !~ /^within /)
			wrong("'freed' needs 'within TIME'")
		within = take_within(0)
	} else if (w == "within") {
		within = take_time()
		argument = rest
		if (argument == "")
			wrong("'within TIME' needs a command")
	} else if (w == "available" || w == "headroom") {
		op = take_op()
		size = next_word()
		value = scaled_by(size, "=1 K=1024 M=1048576 G=1073741824 T=1099511627776 k=1024 m=1048576 g=1073741824 t=1099511627776")
		if (value >= 0) {
			value = sprintf("%.0f", value)
		} else {
			value = scaled_by(size, "%=1")
			if (value < 0)
				wrong("'" size "' is neither a size, as 64M, nor percent")
			value = value "%"
		}
		within = take_within(0)
	} else {
		wrong("'" w "' cannot be expected: victim, not victim, exempt, rank, outcome, freed, within, available, headroom")
	}
	print "expect\t" NR "\t" w "\t" no "\t" BY "\t" op "\t" value "\t" within "\t" argument "\t" text
	expected++
}

END {
	if (bad)
		exit 2
	NR = NR ? NR : 1
	if (!expected)
		wrong("nothing is expected: a line begins with expect")
	if (mode == "rehearse" && !("do" in line_of))
		wrong("there is nothing to do: oomlens check looks at what is true now")
	if (of_memcg && !("in" in line_of)) {
		NR = of_memcg
		wrong("'memcg' needs a line 'in CGROUP'")
	}
}
