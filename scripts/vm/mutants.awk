# SPDX-License-Identifier: GPL-2.0
# Lists the places where one line of the C files can be made wrong, in an order that
# SEED decides: FILE:LINE:OPERATOR:LINE AS IT IS THEN. One line in, one line out, so that
# no line number changes. The operators take turns: a barrier is as likely as a comparison,
# of which there are thirty times as many.

FNR == 1 { comment = macro = 0 }

{
	code = masked($0)
	skipped = macro || code ~ /^[ \t]*#/ || code ~ /static_assert|BUILD_BUG/
	macro = skipped && /\\$/
}

skipped || code !~ /^\t/ { next }

{
	comparisons()
	conditions()
	statements()
	arguments()
	returns()
}

END {
	# Not rand(), which is another one in each awk. All products are below 2^53.
	state = SEED % 2147483646 + 1
	for (i = n; i > 1; i--) {
		state = state * 16807 % 2147483647
		j = state % i + 1
		t = site[i]
		site[i] = site[j]
		site[j] = t
	}
	for (i = 1; i <= n; i++) {
		split(site[i], field, ":")
		turn = ++turns[field[3]]
		order[turn] = order[turn] site[i] "\n"
		last = turn > last ? turn : last
	}
	for (i = 1; i <= last; i++)
		printf "%s", order[i]
}

# The line with "@" for what is in strings and comments, of the same length
function masked(line,    out, i, c, two, quote)
{
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		two = substr(line, i, 2)
		if (comment) {
			if (two == "*/") {
				comment = 0
				i++
				out = out "@"
			}
			c = "@"
		} else if (quote) {
			if (c == "\\") {
				i++
				out = out "@"
			} else if (c == quote) {
				quote = ""
			}
			c = "@"
		} else if (two == "/*") {
			comment = 1
			c = "@"
		} else if (c == "\"" || c == "'") {
			quote = c
			c = "@"
		}
		out = out c
	}
	return out
}

# A site: LENGTH characters at AT become TEXT
function add(operator, at, len, text)
{
	site[++n] = FILENAME ":" FNR ":" operator ":" \
		substr($0, 1, at - 1) text substr($0, at + len)
}

function comparisons(    at, word, turned, moved)
{
	turned["=="] = "!="
	turned["!="] = "=="
	turned["<"] = moved[">="] = ">="
	turned["<="] = moved[">"] = ">"
	turned[">"] = moved["<="] = "<="
	turned[">="] = moved["<"] = "<"
	# The other way about, and the bound by one
	moved["<"] = "<="
	moved["<="] = "<"
	moved[">"] = ">="
	moved[">="] = ">"
	for (at = 1; match(substr(code, at), / ([=!]=|[<>]=?) /); at += RLENGTH - 1) {
		at += RSTART - 1
		word = substr(code, at + 1, RLENGTH - 2)
		add("comparison turned", at + 1, length(word), turned[word])
		if (word in moved)
			add("bound off by one", at + 1, length(word), moved[word])
	}
	for (at = 1; match(substr(code, at), / [-+] 1([^0-9A-Za-z.]|$)/); at += 4) {
		at += RSTART - 1
		add("bound off by one", at + 3, 1, "0")
	}
}

# Whole conditions that no comparison is in
function conditions(    from, to)
{
	if (!match(code, /(^|[\t }])(if|while) \(/))
		return
	from = RSTART + RLENGTH
	to = closing(from)
	if (to && substr(code, from, to - from) !~ / ([=!]=|[<>]=?) /)
		add("condition negated", from, to - from, "!(" substr($0, from, to - from) ")")
}

# Where the parenthesis is closed that is open before FROM, 0 if on another line
function closing(from,    depth, c)
{
	for (depth = 1; from <= length(code); from++) {
		c = substr(code, from, 1)
		depth += (c == "(") - (c == ")")
		if (!depth)
			return from
	}
	return 0
}

# A statement that is dropped, without leaving a variable or a function unused
function statements(    at)
{
	at = match(code, /[^\t]/)
	if (code ~ /^\t+[a-z0-9_]*(put|free|unlock|up_read|up_write|enable|release|drop|del|remove|unregister|destroy|close|cancel|flush|synchronize)[a-z0-9_]*\(.*\);/)
		add("call dropped", at, 0, "while (0) ")
	if (code ~ /^\t+([a-z][^=(]*(->|\.|\])[^=(]* = |WRITE_ONCE\(.*, )(0|NULL|false|true)\)?;/)
		add("store dropped", at, 0, "while (0) ")
	if (code ~ /^\t+(smp_[a-z_]*mb[a-z_]*|barrier|mb|rmb|wmb)\(\);/)
		add("barrier dropped", at, 0, "while (0) ")
	if ((at = index(code, "smp_store_release(&")))
		add("barrier dropped", at, 19, "WRITE_ONCE(")
	if ((at = index(code, "smp_load_acquire(&")))
		add("barrier dropped", at, 18, "READ_ONCE(")
}

# Two arguments of a call that has no other call in it
function arguments(    at, first, words, text, i, arg)
{
	for (at = 1; match(substr(code, at), /[a-z0-9_]+\([^()]*, [^()]*\)/); at += RLENGTH) {
		at += RSTART - 1
		first = at + index(substr(code, at), "(")
		if (substr(code, at, first - at) ~ /^(if|for|while|min|max|min_t|max_t)\($/)
			continue
		text = substr($0, first, at + RLENGTH - 1 - first)
		words = split(text, arg, ", ")
		for (i = 1; i < words; i++) {
			if (arg[i] != arg[i + 1])
				add("arguments swapped", first, length(text), swapped(arg, words, i))
		}
	}
}

function swapped(arg, words, i,    text, k)
{
	for (k = 1; k <= words; k++)
		text = text (k > 1 ? ", " : "") arg[k == i ? i + 1 : k == i + 1 ? i : k]
	return text
}

function returns(    at)
{
	if (!match(code, /(^|[\t ])return [^;]*;/))
		return
	at = RSTART + index(substr(code, RSTART), "return") + 6
	if (match(substr(code, at), /^(-E[A-Z]+|err|ret|error|status);/))
		add("error lost", at, RLENGTH - 1, "0")
	else if (match(substr(code, at), /^(true|false);/))
		add("return turned", at, RLENGTH - 1, substr(code, at, 1) == "t" ? "false" : "true")
}
