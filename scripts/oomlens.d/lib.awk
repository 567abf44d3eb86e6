# SPDX-License-Identifier: GPL-2.0
# What every part shares: the module's files read by name of column and key,
# and how figures, names and times are written. A part supplies on_row(), which
# is called for each row of a table, and its own END.
#
# A recording may be hostile, and root reads it. So each line is checked here, before
# anything else sees it: every byte is printing ASCII, a number is a number, and a
# keyword is a word. Names and new keys are any text: json_text(), html_text() or
# label_value() escapes them where they are printed.
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
		check_row()
		on_row()
		return
	}
	if ($0 ~ /[^ -~]/)
		$0 = ascii_only($0)
	if (title_is_next && $1 == "#" && $2 == "oomlens") {
		title_is_next = 0
		take_title()
	} else if (file == "events") {
		# Of a log: its stalls, too
		if ($1 == "stall")
			take_history()
		else if ($1 !~ /^#/)
			take_record()
	} else if (file == "mountinfo") {
		take_mount()
	} else if (file == "history") {
		# Its comments are pairs: no columns follow.
		pending = $0
		if (/^#/)
			take_pairs()
		else
			take_history()
		pending = ""
	} else if (/^#/) {
		# The last comment before the rows names the columns, those before
		# it are pairs.
		take_pairs()
		pending = $0
	} else if (file == "badness" || file == "commit" || file == "objects") {
		open_table()
		take_line()
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

# Dies if a file was not read (of a log there are only events). A read fails where the
# module finds no memory for a table, which not every awk reports; a recording may be
# empty.
function unread(names,   n, i, name) {
	n = split(names, name, " ")
	for (i = 1; i <= n && !dying; i++)
		if (!(name[i] in titled) && !(logged && name[i] != "events"))
			die(1, name[i] " could not be read, or is empty")
	return dying
}

function take_key(   value, i) {
	value = $2
	for (i = 3; i <= NF; i++)
		value = value " " $i
	if (file == "features" && !((file, $1) in K))
		feature[++features] = $1
	K[file, $1] = checked($1, value)
}

# /proc/PID/mountinfo: the mounts of each filesystem by its device, MAJOR:MINOR
function take_mount(   n) {
	if ($3 !~ /^[0-9]+:[0-9]+$/)
		return
	n = ++mounts[$3]
	mount_root[$3, n] = $4
	mount_point[$3, n] = $5
}

# The path of an object of that id, which is "name" in its filesystem, where a mount
# shows it; else the name
function mounted(id, name,   dev, i, root) {
	dev = id
	sub(/:[0-9]*$/, "", dev)
	if (name !~ /^\//)
		return name
	for (i = 1; i <= mounts[dev]; i++) {
		root = mount_root[dev, i] == "/" ? "" : mount_root[dev, i]
		if (substr(name, 1, length(root) + 1) == root "/")
			return (mount_point[dev, i] == "/" ? "" : mount_point[dev, i]) substr(name, length(root) + 1)
	}
	return name
}

function take_pairs(   n, i, word, s) {
	n = split(pending, word, " ")
	s = "#"
	for (i = 2; i < n; i += 2) {
		K[file, word[i]] = checked(word[i], word[i + 1])
		s = s " " word[i] " " K[file, word[i]]
	}
	if (n > 1)
		pairs_line[file] = s
}

# ---- checking ----

BEGIN {
	set_of(IS_NUMBER, "rank pid uid adj adj_floor score points rss_anon rss_file rss_shmem swap pgtables adj_points locked vm_total threads tid killed exit_us freed_us")
	set_of(IS_NUMBER, "totalpages tasks eligible kthreads dies complete")
	set_of(IS_NUMBER, "charge anon file_private stack noreserve shared touched uncashed pages charged")
	set_of(IS_NUMBER, "processes shared_resident shared_swapped shared_promised unattributed deficit spaces skipped vmas")
	set_of(IS_NUMBER, "objects resident swapped unheld size holders")
	set_of(IS_NUMBER, "mode ratio kbytes ram hugetlb swap_total swap_free commit_limit committed headroom enforced admin_reserve user_reserve max_mapping_root max_mapping_user reader_vm_total batch available")
	set_of(IS_NUMBER, "time_us real_us order victims freed capture_us duration_us")
	set_of(IS_NUMBER, "free file shmem slab_reclaimable slab_unreclaimable kernel_stack pagetables unevictable mlocked")
	set_of(IS_NUMBER, "node free_cma highatomic usable min low high managed usage limit swap_limit memsw memsw_limit")
	set_of(IS_NUMBER, "events overwritten collapsed averted kills snapshots walk_ns_max memory_bytes ring_events module_bytes now_us open_files")
	set_of(IS_NUMBER, "pcp anon_unmapped page_cache secondary_pagetables percpu vmalloc zsmalloc gpu misc_reclaimable module unaccounted drift swapcache balloon pool_pages")
	set_of(IS_NUMBER, "short long page_kb cost_us real_us page_cache unaccounted start_us count grew from_max begin_us end_us from to")
	set_of(IS_DECIMAL, "every_s over_s psi_some psi_full psi_full_max")
	set_of(IS_WORD, "panic details kind trigger constraint outcome by walk verdict fate mode_name what")
	set_of(IS_NUMBER, "page_kb boot_nr number front ended lost says dropped rows reaped_us after_us rss sock slab allocating bare placed count bytes")
}

function set_of(set, names,   n, i, name) {
	n = split(names, name, " ")
	for (i = 1; i <= n; i++)
		set[name[i]] = 1
}

# The value of a key or column, or "-" if it cannot be one
function checked(k, v) {
	if (k in IS_NUMBER)
		return is_number(v) ? v : "-"
	if (k in IS_DECIMAL)
		return is_decimal(v) ? v : "-"
	if (k in IS_WORD)
		return v ~ /^[a-z_]+$/ ? v : "-"
	if (k == "gfp")
		return v ~ /^(0x)?[0-9a-f]+$/ ? v : "-"
	if (k == "nodes")
		return v ~ /^[0-9,-]+$/ ? v : "-"
	if (k == "idle")
		return v ~ /^[a-z_0-9:,]+$/ ? v : "-"
	return v
}

# Most rows are right, and there may be 10,000: constant patterns, as busybox compiles
# another anew each time.
function check_row(   i) {
	if ($0 ~ /[^ -~]/) {
		$0 = ascii_only($0)
	} else if ($0 !~ /[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]/) {
		for (i = 1; i <= numbers && $number_at[i] ~ /^[-0-9][0-9]*$/; i++)
			;
		if (i > numbers) {
			for (i = 1; i <= words && $word_at[i] ~ /^[a-z_-]+$/; i++)
				;
			if (i > words)
				return
		}
	}
	for (i = 1; i <= columns; i++)
		$i = checked(column[i], $i == "" ? "-" : $i)
}

function open_table(   n, i, word) {
	table_is_open = 1
	missing = 0
	split("", col)
	columns = n = split(pending, word, " ") - 1
	numbers = words = 0
	for (i = 1; i <= n; i++) {
		# One key of JSON for each name; page_kb is added to each row
		json_name[i] = word[i + 1] in col || word[i + 1] == "page_kb" ? "" : json_text(word[i + 1]) ":"
		col[word[i + 1]] = i
		column[i] = word[i + 1]
		if (column[i] in IS_NUMBER)
			number_at[++numbers] = i
		else if (column[i] in IS_WORD || column[i] == "start")
			word_at[++words] = i
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
function take_record(   type, n, i, p, r, k, v) {
	# Awk numbers events exactly up to here
	if ($2 !~ /^[0-9]+$/ || length($2) > 15)
		return
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
		k = substr($i, 1, p - 1)
		v = checked(k, substr($i, p + 1))
		if (type == "event")
			E[n, k] = v
		else
			R[n, type, r, k] = v
		$i = k "=" v
	}
	line_of[n, type, r + 0] = $0
}

# A sample of "history", or a row of the sample before it: H has the sample's figures, HR
# its rows. The place in the file counts, as the newest samples are of two resolutions.
function take_history(   type, s, r, i, p, k) {
	if ($2 !~ /^[0-9]+$/ || length($2) > 15)
		return
	type = $1
	if (type == "sample") {
		sample_name[++samples] = $2
	} else if (type == "stall") {
		stall_name[++stalls] = $2
		events_before[stalls] = events + 0
	} else if (!samples || sample_name[samples] != $2) {
		return
	}
	s = type == "stall" ? "stall" : samples
	r = type == "sample" ? 0 : ++history_rows[s, type]
	for (i = 3; i <= NF; i++) {
		p = index($i, "=")
		if (!p)
			continue
		k = substr($i, 1, p - 1)
		if (r)
			HR[s, type, r, k] = checked(k, substr($i, p + 1))
		else
			H[s, k] = checked(k, substr($i, p + 1))
	}
}

function hist(s, k) {
	return (s, k) in H ? H[s, k] : "-"
}

# Row r of the sample s; of the stalls, which belong to none, s is "stall"
function row_of(s, type, r, k) {
	return (s, type, r, k) in HR ? HR[s, type, r, k] : "-"
}

function row_count(s, type) {
	return (s, type) in history_rows ? history_rows[s, type] : 0
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

# A victim that asks again on its way out waits for its own end.
function only_waited(n) {
	return ev(n, "outcome") == "in_flight" || (ev(n, "outcome") == "dying" && ev(n, "victims") == "0")
}

# Of exit_us or freed_us the longest among the victims; "-" if none of them is known
function longest_of(n, k,   i, v, max) {
	max = "-"
	for (i = 1; i <= count(n, "victim"); i++) {
		v = rec(n, "victim", i, k)
		if (is_number(v) && (max == "-" || v + 0 > max + 0))
			max = v
	}
	return max
}

# The last event but those of calls that only waited for a victim, which follow a kill
# by the dozen.
function telling_event(   e) {
	for (e = events; e > 1 && only_waited(event_at[e]); e--)
		;
	return event_at[e]
}

# The kernel's largest has 20 digits.
function is_number(v) {
	return v ~ /^-?[0-9]+$/ && length(v) <= 20
}

# Seconds and percent may have decimals.
function is_decimal(v) {
	return v ~ /^[0-9]+(\.[0-9]+)?$/ && length(v) <= 20
}

# A figure, 0 where there is none
function num(v) {
	return is_number(v) || is_decimal(v) ? v + 0 : 0
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
		page_kb_known = kb > 0 && ram > 0 ? int(kb / ram + 0.5) : 4
		# No architecture has pages over 1 MiB
		if (page_kb_known < 1 || page_kb_known > 1024)
			page_kb_known = 4
	}
	return page_kb_known
}

# An event of a log brings the size of its machine's pages with it.
function use_page(n) {
	if (logged)
		use_page_of(rec(n, "log", 1, "page_kb"))
}

function use_page_of(kb) {
	page_kb_known = num(kb)
	if (page_kb_known < 1 || page_kb_known > 1024)
		page_kb_known = 4
	split("", SIZE)
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
	return span_text(us / 1000000)
}

# Seconds in a sentence: 45 s, 4 min 30 s, 3 h 20 min, 4 days
function span_text(s) {
	if (s < 100)
		return whole(s) " s"
	if (s < 900)
		return int(s / 60) " min" (int(s / 10) % 6 ? " " int(s / 10) % 6 * 10 " s" : "")
	if (s < 5400)
		return whole(s / 60) " min"
	if (s < 36000)
		return int(s / 3600) " h" (int(s / 60) % 60 ? " " int(s / 60) % 60 " min" : "")
	if (s < 172800)
		return whole(s / 3600) " h"
	return whole(s / 86400) " days"
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

function plural(n, one, many) {
	return n " " (n == 1 ? one : many)
}

# The error for an event that is not kept
function not_kept(n) {
	if (!events)
		return "no event " n ": there " (logged ? "is no OOM in this log" : "has been no OOM")
	if (n + 0 < event_at[1] && n + 0 > 0)
		return "event " n " is not kept any more: the oldest is " event_at[1]
	return "no event " n ": the newest is " event_at[events]
}

# A path cut in its middle to that many columns, where there is a width: both ends tell
# more than one
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

# A text in lines of width columns, the first behind indent, the others behind as many
# blanks. No line ends at a tab, which is printed as a blank: commands have tabs.
function wrapped(indent, text, width,   n, i, word, s, line_now) {
	n = split(text, word, "[ ]")
	for (i = 1; i <= n; i++) {
		if (line_now != "" && length(indent) + length(line_now) + 1 + length(word[i]) > width) {
			s = s indent line_now "\n"
			line_now = ""
			gsub(/[^ ]/, " ", indent)
		}
		line_now = followed(line_now, " ") word[i]
	}
	return untabbed(s indent line_now)
}

function untabbed(s) {
	gsub(/\t/, " ", s)
	return s
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

# Without <, so that a page may have it in a script
function json_text(name,   n, i, c, s) {
	if (name !~ /[\\"<]/)
		return "\"" name "\""
	n = unescape(name)
	for (i = 1; i <= n; i += POINT_BYTES) {
		c = code_point(i, n)
		if (c == 34 || c == 92)
			s = s "\\" sprintf("%c", c)
		else if (c >= 32 && c < 127 && c != 60)
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
		# Nor what turns the direction of the text around it
		if (c < 32 || (c > 126 && c < 160) || c == 8206 || c == 8207 || (c > 8233 && c < 8239) || (c > 8293 && c < 8298))
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
	if (k in IS_DECIMAL && is_decimal(v) && v !~ /^0[0-9]/)
		return v
	if (k ~ /memcg$/ || k == "nodes" || k == "start" || v !~ /^(0|-?[1-9][0-9]*)$/ || length(v) > 20)
		return json_text(v)
	return v
}

function json_pair(k, v) {
	return json_text(k) ":" json_value(k, v)
}

function comma(i) {
	return i > 1 ? "," : ""
}

# The key=value words of one record line. "victims" is the list of them: how many
# the event counts has a name of its own. A key that is there twice, or among those
# that the caller adds, is left out: parsers differ in which of the two they take.
function json_record(line, others,   n, i, p, k, word, s, there) {
	n = split(others, word, " ")
	for (i = 1; i <= n; i++)
		there[word[i]] = 1
	n = split(line, word, " ")
	for (i = 3; i <= n; i++) {
		p = index(word[i], "=")
		k = substr(word[i], 1, p - 1)
		if (k == "victims")
			k = "victim_count"
		if (p && !(k in there))
			s = followed(s, ",") json_pair(k, substr(word[i], p + 1))
		there[k] = 1
	}
	return s
}

# The present row of a table, by its columns' names. Each line has the page size, as it
# may be read alone.
function json_row(   i, s) {
	for (i = 1; i <= columns; i++)
		if (json_name[i] != "")
			s = followed(s, ",") json_name[i] json_value(column[i], $i)
	return followed(s, ",") "\"page_kb\":" page_kb()
}

# The pairs above a table, as its first line
function json_head(name,   n, i, word, s, there) {
	json_head_printed = 1
	n = split(pairs_line[name], word, " ")
	there["table"] = there["page_kb"] = 1
	for (i = 2; i < n; i += 2) {
		if (!(word[i] in there))
			s = s "," json_pair(word[i], word[i + 1])
		there[word[i]] = 1
	}
	print "{\"table\":\"" name "\"" s ",\"page_kb\":" page_kb() "}"
}

# ---- time ----

# Not of a log, nor of a recording without its clock
function has_clock() {
	return now + 0 > 0
}

# Whether the wall clock of an event is known
function dated(n) {
	return is_number(ev(n, "real_us")) || has_clock()
}

# The wall clock's seconds of an event. Files of an older module lack real_us: now and
# uptime are given by the caller
function event_epoch(n) {
	if (is_number(ev(n, "real_us")))
		return ev(n, "real_us") / 1000000
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

# An event's date. A log may have it in local time, or only the time since boot.
function event_time(n) {
	if (dated(n))
		return utc(event_epoch(n))
	if (rec(n, "log", 1, "wall") != "-")
		return shown(rec(n, "log", 1, "wall"))
	return rec(n, "log", 1, "stamp") == "-" ? "-" : "up " rec(n, "log", 1, "stamp") " s"
}

function json_time(time) {
	return time ~ /Z$/ ? "\"" time "\"" : "null"
}

# A moment of the events' clock, with a text before and after it; empty where the present
# one is not known
function ago(us, before, after,   s) {
	s = uptime - num(us) / 1000000
	if (!has_clock())
		return ""
	return before "" (s < 0 ? "now" : duration(whole(s * 1000000)) " ago") after
}
