# SPDX-License-Identifier: GPL-2.0
# What every part shares: the module's files read by name of column and key,
# and how figures, names and times are written. A part supplies on_row(), which
# is called for each row of a table, and its own END.
#
# For busybox awk, mawk and gawk alike, in the C locale.

# ---- reading ----

FNR == 1 {
	begin_file(FILENAME)
}

{
	take_line()
}

function begin_file(path) {
	file = path
	sub(/.*\//, "", file)
	pending = ""
	table_is_open = 0
	title_is_next = 1
}

function take_line() {
	# With 10,000 rows each test that a row need not pass counts.
	if (table_is_open) {
		on_row()
	} else if (title_is_next && $1 == "#" && $2 == "oomlens") {
		title_is_next = 0
		take_title()
	} else if (file == "events") {
		if ($1 !~ /^#/)
			take_record()
	} else if (/^#/) {
		# The last comment before the rows names the columns, those before
		# it are pairs.
		take_pairs()
		pending = $0
	} else if (file == "badness" || file == "commit") {
		open_table()
		on_row()
	} else {
		take_key()
	}
}

function take_title() {
	file = $3
	titled[file] = 1
	if ($4 != 1)
		die(3, "\"" file "\" has format " $4 ", this command reads 1: get the command that came with the module")
}

# Dies if a file was not read: a read fails where the module finds no memory for a
# table, which not every awk reports, and a recording may be empty.
function unread(names,   n, i, name) {
	n = split(names, name, " ")
	for (i = 1; i <= n && !dying; i++)
		if (!(name[i] in titled))
			die(1, name[i] " could not be read, or is empty")
	return dying
}

function take_key(   value, i) {
	value = $2
	for (i = 3; i <= NF; i++)
		value = value " " $i
	K[file, $1] = value
}

function take_pairs(   n, i, word) {
	n = split(pending, word, " ")
	for (i = 2; i < n; i += 2)
		K[file, word[i]] = word[i + 1]
	if (n > 1)
		pairs_line[file] = pending
}

function open_table(   n, i, word) {
	table_is_open = 1
	missing = 0
	split("", col)
	columns = n = split(pending, word, " ") - 1
	for (i = 1; i <= n; i++) {
		col[word[i + 1]] = i
		column[i] = word[i + 1]
	}
	pending = ""
}

# Where the named column is, for $; of a column that there is not, beyond the end
function place_of(name) {
	if (name in col)
		return col[name]
	missing = columns + 1
	return missing
}

# The named column of the present row
function cell(name) {
	return name in col ? $col[name] : "-"
}

function key(name, k) {
	return (name, k) in K ? K[name, k] : "-"
}

# Events are kept whole: E is the event's own line, R the records below it.
function take_record(   type, n, i, p, r) {
	type = $1
	n = $2 + 0
	if (type == "event") {
		if (!(n in has_event)) {
			has_event[n] = 1
			event_at[++events] = n
		}
	} else {
		r = ++records[n, type]
	}
	for (i = 3; i <= NF; i++) {
		p = index($i, "=")
		if (!p)
			continue
		if (type == "event")
			E[n, substr($i, 1, p - 1)] = substr($i, p + 1)
		else
			R[n, type, r, substr($i, 1, p - 1)] = substr($i, p + 1)
	}
	line_of[n, type, r + 0] = $0
}

function ev(n, k) {
	return (n, k) in E ? E[n, k] : "-"
}

function rec(n, type, r, k) {
	return (n, type, r, k) in R ? R[n, type, r, k] : "-"
}

function count(n, type) {
	return (n, type) in records ? records[n, type] : 0
}

# The last event but those of calls that only waited for a victim, which follow a kill
# by the dozen.
function telling_event(   e) {
	for (e = events; e > 1 && ev(event_at[e], "outcome") == "in_flight"; e--)
		;
	return event_at[e]
}

function is_number(v) {
	return v ~ /^-?[0-9]+$/
}

# A figure, 0 where there is none
function num(v) {
	return is_number(v) ? v + 0 : 0
}

function die(status, text) {
	print "oomlens: " text | "cat >&2"
	close("cat >&2")
	dying = 1
	exit status
}

# ---- figures ----

# KiB of a page, from the same total in both units; 4 where that is not known
function page_kb(   kb, ram) {
	if (!page_kb_known) {
		kb = num(first_word(key("meminfo", "MemTotal:")))
		ram = num(key("overcommit", "ram"))
		page_kb_known = kb && ram ? int(kb / ram + 0.5) : 4
	}
	return page_kb_known
}

function first_word(s,   word) {
	split(s, word, " ")
	return word[1]
}

function whole(v) {
	return sprintf("%.0f", v)
}

function scaled(kb, blank,   sign, unit) {
	sign = kb < 0 ? "-" : ""
	if (kb < 0)
		kb = -kb
	for (unit = 1; kb >= 999.5 && unit < 5; unit++)
		kb /= 1024
	return sprintf(unit > 1 && kb < 9.95 ? "%s%.1f%s%s" : "%s%.0f%s%s", sign, kb, blank, substr("KMGTP", unit, 1))
}

# Pages as a short figure for tables: 0, 512K, 1.5M, 37M, 2.0G. Kept: in a long
# table most figures come again and again.
function size(pages) {
	if (pages in SIZE)
		return SIZE[pages]
	return SIZE[pages] = is_number(pages) && pages != 0 ? scaled(pages * page_kb(), "") : pages
}

# The same in a sentence: 37 MiB
function bytes(pages) {
	return is_number(pages) ? scaled(pages * page_kb(), " ") "iB" : "an unknown amount"
}

function duration(us) {
	if (!is_number(us))
		return "-"
	# A part of a word is text to awk, and compared as such.
	us += 0
	if (us < 1000)
		return whole(us) " us"
	if (us < 10000)
		return sprintf("%.1f ms", us / 1000)
	if (us < 1000000)
		return sprintf("%.0f ms", us / 1000)
	if (us < 120000000)
		return sprintf("%.1f s", us / 1000000)
	return sprintf("%.0f min", us / 60000000)
}

function percent(part, all) {
	return all > 0 ? sprintf("%.0f%%", 100 * part / all) : "-"
}

# A star in a format is not every awk's.
function left(s, width) {
	return sprintf("%-" width "s", s)
}

function right(s, width) {
	return sprintf("%" width "s", s)
}

# A list so far and what comes before its next item. Not "s (...)": an old
# busybox takes a variable before a bracket for a function's name.
function followed(s, by) {
	return s == "" ? s : s by
}

function plural(n, one, many) {
	return n " " (n == 1 ? one : many)
}

# The error for an event that is not kept
function not_kept(n) {
	if (!events)
		return "no event " n ": there has been no OOM"
	if (n + 0 < event_at[1] && n + 0 > 0)
		return "event " n " is not kept any more: the oldest is " event_at[1]
	return "no event " n ": the newest is " event_at[events]
}

# A path to so many columns, where there is a width: both ends tell more than one
function middle(s, room,   tail) {
	if (!wide || room < 8 || length(s) <= room)
		return s
	tail = int((room - 2) * 2 / 3)
	return substr(s, 1, room - 2 - tail) ".." substr(s, length(s) - tail + 1)
}

# To the terminal's width; 0 is no limit
function clip(s) {
	return wide && length(s) > wide ? substr(s, 1, wide) : s
}

# ---- names ----

# For the terminal: blanks come back, whatever could move a cursor stays \ooo
function shown(name) {
	if (index(name, "\\"))
		gsub(/\\040/, " ", name)
	return name
}

# For a shell's command line. \ooo stays, which the command accepts, so that no line is
# broken within the name. Not by gsub(): awks differ in what a backslash means there.
function quoted(name,   n, i, part, s) {
	n = split(name, part, "'")
	s = part[1]
	for (i = 2; i <= n; i++)
		s = s "'\\''" part[i]
	return "'" s "'"
}

# The bytes of an escaped name, into B; their number
function unescape(name,   i, n, c) {
	for (i = 1; i <= length(name); i++) {
		c = substr(name, i, 4)
		if (c ~ /^\\[0-7][0-7][0-7]$/) {
			B[++n] = substr(c, 2, 1) * 64 + substr(c, 3, 1) * 8 + substr(c, 4, 1)
			i += 3
		} else {
			B[++n] = ascii(substr(c, 1, 1))
		}
	}
	return n + 0
}

function ascii(c) {
	return index(" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~", c) + 31
}

# The code point at byte i of B's n, which must be well-formed UTF-8: U+FFFD
# else. POINT_BYTES is what it took.
function code_point(i, n,   b, more, point, least) {
	b = B[i]
	POINT_BYTES = 1
	if (b < 128)
		return b
	if (b >= 194 && b < 224) {
		more = 1
		point = b - 192
		least = 128
	} else if (b >= 224 && b < 240) {
		more = 2
		point = b - 224
		least = 2048
	} else if (b >= 240 && b < 245) {
		more = 3
		point = b - 240
		least = 65536
	} else {
		return 65533
	}
	if (i + more > n)
		return 65533
	for (b = 1; b <= more; b++) {
		if (B[i + b] < 128 || B[i + b] > 191)
			return 65533
		point = point * 64 + B[i + b] - 128
	}
	if (point < least || point > 1114111 || (point >= 55296 && point <= 57343))
		return 65533
	POINT_BYTES = more + 1
	return point
}

function json_text(name,   n, i, c, s) {
	if (name !~ /[\\"]/)
		return "\"" name "\""
	n = unescape(name)
	for (i = 1; i <= n; i += POINT_BYTES) {
		c = code_point(i, n)
		if (c == 34 || c == 92)
			s = s "\\" sprintf("%c", c)
		else if (c >= 32 && c < 127)
			s = s sprintf("%c", c)
		else if (c < 65536)
			s = s sprintf("\\u%04x", c)
		else
			s = s sprintf("\\u%04x\\u%04x", 55296 + int((c - 65536) / 1024), 56320 + (c - 65536) % 1024)
	}
	return "\"" s "\""
}

function html_text(name,   n, i, c, s) {
	n = unescape(name)
	for (i = 1; i <= n; i += POINT_BYTES) {
		c = code_point(i, n)
		if (c < 32 || c == 127)
			s = s "&#65533;"
		else if (c == 34 || c == 38 || c == 39 || c == 60 || c == 62 || c > 126)
			s = s "&#" c ";"
		else
			s = s sprintf("%c", c)
	}
	return s
}

# ---- JSON ----

# Names, lists and addresses are text even if they read like a number; "-" is
# null in all the rest. A number goes out digit by digit as it came: to awk it is
# a double.
function json_value(k, v) {
	if (k == "comm" || k == "path" || k == "name")
		return json_text(v)
	if (v == "-")
		return "null"
	if (k ~ /memcg$/ || k == "nodes" || k == "start" || v !~ /^(0|-?[1-9][0-9]*)$/)
		return json_text(v)
	return v
}

function json_pair(k, v) {
	return "\"" k "\":" json_value(k, v)
}

# The key=value words of one record line. "victims" is the list of them: how many
# the event counts has a name of its own.
function json_record(line,   n, i, p, k, word, s) {
	n = split(line, word, " ")
	for (i = 3; i <= n; i++) {
		p = index(word[i], "=")
		k = substr(word[i], 1, p - 1)
		if (p)
			s = followed(s, ",") json_pair(k == "victims" ? "victim_count" : k, substr(word[i], p + 1))
	}
	return s
}

# The present row of a table, by its columns' names. Each line has the page size, as it
# may be read alone.
function json_row(   i, s) {
	for (i = 1; i <= columns; i++)
		s = followed(s, ",") json_pair(column[i], $i)
	return s ",\"page_kb\":" page_kb()
}

# The pairs above a table, as its first line
function json_head(name,   n, i, word, s) {
	json_head_printed = 1
	n = split(pairs_line[name], word, " ")
	for (i = 2; i < n; i += 2)
		s = s "," json_pair(word[i], word[i + 1])
	print "{\"table\":\"" name "\"" s ",\"page_kb\":" page_kb() "}"
}

# ---- time ----

# The wall clock's seconds of an event: now and uptime are given by the caller
function event_epoch(n) {
	return now - uptime + num(ev(n, "time_us")) / 1000000
}

# Seconds since 1970 as UTC: mawk and some busyboxes have no strftime()
function utc(t,   days, secs, y, doy, m, d, c) {
	t = int(t)
	days = int(t / 86400)
	secs = t - days * 86400
	# Years from March, in cycles of 400: Howard Hinnant's civil_from_days
	days += 719468
	c = int(days / 146097)
	d = days - c * 146097
	y = int((d - int(d / 1460) + int(d / 36524) - int(d / 146096)) / 365)
	doy = d - (365 * y + int(y / 4) - int(y / 100))
	m = int((5 * doy + 2) / 153)
	d = doy - int((153 * m + 2) / 5) + 1
	y += c * 400
	m = m < 10 ? m + 3 : m - 9
	if (m <= 2)
		y++
	return sprintf("%04d-%02d-%02dT%02d:%02d:%02dZ", y, m, d, int(secs / 3600), int(secs / 60) % 60, secs % 60)
}

function ago(n,   s) {
	s = uptime - num(ev(n, "time_us")) / 1000000
	return s < 0 ? "now" : duration(whole(s * 1000000)) " ago"
}
