# SPDX-License-Identifier: GPL-2.0
# The reader of logs: any text that holds lines of the kernel's log becomes a file of
# events as the module has it, which the other parts read. It takes the lines "oomlens:
# ..." of the module, the kernel's own OOM dump (dump.awk) and what "events --json" wrote
# (json.awk). Of each OOM that is in the log more than once, one event is made.
#
# It reads dmesg in all its forms, journalctl's, a serial console's with other text
# between, and the pieces that pstore keeps. A record "log N" tells of each event what
# this reader knows about it:
#   source   block (the parameter log=2, or a panic), line (log=1), dump, json; "+dump"
#            where the kernel's own dump has given what was missing
#   boot_nr  which boot in this log; boot_id and release where the log has them
#   page_kb  "-" where the log does not tell
#   number   the module's number of the event
#   stamp    seconds since boot by the log; wall: its date as the log has it, local time
#   front    1: the beginning is cut off; lost, dropped: lines missing in the block,
#            lines that the module had no room for; rows: tasks in the dump's table
# A stall, of which the log has a line when it begins, becomes a record "stall N" between
# the events, with what of that is known, and in after_us how long the log goes on.
#
# In: last_but_one (only the last boot but one), one_log (a single file, which may be
# compressed).
#
# A log may be hostile: no figure longer than 18 digits is taken for one, and what is
# printed is ASCII.

BEGIN {
	boot = 1
	clock = -1
	MAX_PIECES = 200000
	MAX_STALLS = 1000
	RECORDS = " memory zone memcg candidate victim growth object slab "
}

# By its first bytes. Printed in the place of the events: the command that unpacks it.
NR == 1 && one_log {
	if (substr($0, 1, 2) == "\037\213")
		unpack = "zcat"
	else if (substr($0, 1, 5) == "\3757zXZ")
		unpack = "xzcat"
	else if (substr($0, 1, 4) == "(\265/\375")
		unpack = "zstdcat"
	else if (substr($0, 1, 3) == "BZh")
		unpack = "bzcat"
	else if (substr($0, 1, 4) == "\004\"M\030")
		unpack = "lz4cat"
	if (unpack != "")
		exit
}

{
	take_raw($0)
}

END {
	if (unpack != "") {
		print unpack
	} else {
		take_pieces()
		close_dump()
		join_blocks()
		join_dumps()
		print_events()
	}
}

# ---- lines ----

function take_raw(line) {
	sub(/[\r]+$/, "", line)
	if (line ~ /^(Panic|Oops|Emergency|Restart|Halt|Poweroff|Shutdown|Unknown)#[0-9]+ Part[0-9]+[ \t]*$/) {
		begin_piece(line)
	} else if (piece && piece_lines < MAX_PIECES) {
		P[piece, ++P_lines[piece]] = line
		piece_lines++
	} else {
		take_line_of_log(line)
	}
}

# pstore keeps the end of a log in parts of a few KB, of which the first is the newest.
# The parts of one record are put in order; a part that is there already begins another.
function begin_piece(line,   w, key) {
	split(line, w, /[# \t]+/)
	key = w[1] "#" fig(w[2])
	sub(/^Part/, "", w[3])
	if (!(key in record_of) || (record_of[key], fig(w[3])) in part_at)
		record_of[key] = ++pstore_records
	P_record[++piece] = record_of[key]
	P_part[piece] = num_of(fig(w[3]))
	part_at[record_of[key], fig(w[3])] = piece
	P_lines[piece] = 0
}

function take_pieces(   r, i, best, left, j) {
	for (r = 1; r <= pstore_records; r++)
		for (left = 1; left;) {
			best = 0
			for (i = 1; i <= piece; i++)
				if (P_record[i] == r && !(i in piece_told) && (!best || P_part[i] > P_part[best]))
					best = i
			left = best
			if (!best)
				break
			piece_told[best] = 1
			for (j = 1; j <= P_lines[best]; j++)
				take_line_of_log(P[best, j])
		}
}

function take_line_of_log(line,   p) {
	stamp = real = ""
	if (line ~ /^[ \t]*[{]/) {
		take_json(line)
		return
	}
	p = index(line, "{\"event\":")
	if (p) {
		take_json(substr(line, p))
		return
	}
	if (line ~ /^-- (Boot [0-9a-f]+|Reboot) --/) {
		split(line, W, " ")
		if (said_in_boot)
			new_boot()
		if (W[2] == "Boot")
			know_boot(W[3])
		return
	}
	# No line has as many
	for (p = 0; line != "" && p < 100; p++) {
		rest_of_line = ""
		message(without_prefix(line))
		line = rest_of_line
	}
}

# The text of a line without its date, host and time. Leaves "stamp", the seconds since
# boot, and "head", what stood before.
function without_prefix(line,   p) {
	head = ""
	if (match(line, /\[ *[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9]( <[ 0-9.+]*>)?\]/)) {
		stamp = substr(line, RSTART + 1, RLENGTH - 2)
		sub(/^ */, "", stamp)
		sub(/ .*/, "", stamp)
		if (length(stamp) > 16)
			stamp = ""
		head = substr(line, 1, RSTART - 1)
		line = substr(line, RSTART + RLENGTH)
		# CONFIG_PRINTK_CALLER
		sub(/^\[ *[TC][0-9]+\]/, "", line)
		sub(/^ /, "", line)
		# journalctl -o short-monotonic
		if (match(line, /^([^ ]+ )?kernel: /))
			line = substr(line, RLENGTH + 1)
		# A console, or a copy and paste, has lost the end of a line.
		if (match(line, /\[ *[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9]\] /)) {
			rest_of_line = substr(line, RSTART)
			line = substr(line, 1, RSTART - 1)
		}
	} else if (match(line, /\[[A-Z][a-z][a-z] [A-Z][a-z][a-z] [ 0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9] [0-9][0-9][0-9][0-9]\] ?/)) {
		head = substr(line, RSTART, RLENGTH)
		line = substr(line, RSTART + RLENGTH)
	} else if ((p = index(line, " kernel: ")) && p < 120) {
		head = substr(line, 1, p)
		line = substr(line, p + 9)
	} else if (match(line, /^20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9:]+[.,][0-9]+[-+][0-9:]+ /)) {
		head = substr(line, 1, RLENGTH)
		line = substr(line, RLENGTH + 1)
	} else if (match(line, /^\[( *\+[0-9.]+|[A-Z][a-z][a-z][ 0-9][0-9] [0-9:]+)\] /)) {
		line = substr(line, RLENGTH + 1)
	}
	sub(/^<[0-9]+>/, "", line)
	return line
}

# One message of the kernel, of the boot at "stamp"
function message(text,   n, i, part) {
	# syslog's way to write the end of a line within a message
	if (index(text, "#012")) {
		n = split(text, part, "#012")
		for (i = 1; i <= n; i++)
			message(part[i])
		return
	}
	follow_clock(text)
	said_in_boot = 1
	if (text ~ /^__vm_enough_memory: pid: [0-9]+, comm: .*, bytes: [0-9]+ not enough memory/)
		refused_line(text)
	else if (text ~ /oomlens: [a-z_]+ [0-9]+ / && match(text, /oomlens: [a-z_]+ [0-9]+ /))
		module_line(substr(text, RSTART + 9))
	else
		kernel_line(text)
}

# What the kernel could not promise (vm.overcommit_memory); the last of them is kept.
function refused_line(text,   p) {
	refused++
	p = index(text, ", comm: ")
	refused_pid = fig(substr(text, 26, p - 26))
	text = substr(text, p + 8)
	p = last_index(text, ", bytes: ")
	refused_comm = substr(text, 1, p - 1)
	refused_bytes = fig(first_number(substr(text, p + 9)))
}

# Another boot begins where the clock goes back, by more than processors may differ, or
# the kernel tells its version.
function follow_clock(text) {
	if (stamp != "") {
		if (clock >= 0 && stamp + 2 < clock) {
			new_boot()
			young = 20
		}
		if (stamp + 0 > clock)
			boot_ends[boot] = clock = stamp + 0
	}
	if (young > 0)
		young--
	if (text ~ /^Linux version [0-9]/) {
		if (said_in_boot && !young)
			new_boot()
		split(text, W, " ")
		release_of[boot] = W[3]
	}
}

function new_boot() {
	close_dump()
	boot++
	clock = stamp == "" ? -1 : stamp + 0
	said_in_boot = young = 0
}

function know_boot(id) {
	gsub(/-/, "", id)
	if (id !~ /^[0-9a-f]+$/ || length(id) != 32)
		return
	if ((boot in id_of) && id_of[boot] != id)
		new_boot()
	id_of[boot] = id
}

# ---- figures ----

# A figure, or "-"
function fig(v) {
	return v ~ /^-?[0-9]+$/ && length(v) <= 18 ? v : "-"
}

function num_of(v) {
	return fig(v) == "-" ? 0 : v + 0
}

# A date as the log has it, as one word
function wall_of(head,   w, n) {
	if (match(head, /20[0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9]/)) {
		head = substr(head, RSTART, RLENGTH)
		sub(/ /, "T", head)
		return head
	}
	if (match(head, /[A-Z][a-z][a-z] [ 0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9]( [0-9][0-9][0-9][0-9]\])?/)) {
		head = substr(head, RSTART, RLENGTH)
		sub(/\]$/, "", head)
		n = split(head, w, " ")
		if (n == 4)
			return sprintf("%s-%02d-%02dT%s", w[4], (index("JanFebMarAprMayJunJulAugSepOctNovDec", w[1]) + 2) / 3, w[2], w[3])
		return w[1] "\\040" w[2] "\\040" w[3]
	}
	return "-"
}

# The same as microseconds since 1970, if it has its zone: ISO 8601; else empty
function real_of(text,   y, m, d, days, t, zone) {
	if (!match(text, /20[0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]([.,][0-9]+)?(Z|[-+][0-2][0-9]:?[0-5][0-9])/))
		return ""
	text = substr(text, RSTART, RLENGTH)
	y = substr(text, 1, 4)
	m = substr(text, 6, 2) + 0
	d = substr(text, 9, 2) + 0
	# Years from March: Howard Hinnant's days_from_civil
	if (m <= 2)
		y--
	days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + int((153 * (m + (m > 2 ? -3 : 9)) + 2) / 5) + d - 1 - 719468
	t = days * 86400 + substr(text, 12, 2) * 3600 + substr(text, 15, 2) * 60 + substr(text, 18, 2)
	zone = text
	if (sub(/.*[-+]/, "", zone) && zone !~ /Z$/ && text !~ /Z$/) {
		gsub(/:/, "", zone)
		d = substr(zone, 1, 2) * 3600 + substr(zone, 3, 2) * 60
		t += text ~ /[+][0-9:]*$/ ? -d : d
	}
	sub(/(Z|[-+][0-9:]*)$/, "", text)
	text = length(text) > 20 ? substr(text, 21) "000000" : "000000"
	return sprintf("%.0f%s", t, substr(text, 1, 6))
}

# Microseconds of a stamp, digit by digit
function stamp_us(s) {
	if (s == "")
		return "-"
	sub(/\./, "", s)
	sub(/^0+/, "", s)
	return s == "" ? "0" : s
}

# A name as one word of a record, escaped as the module does it
function word(s,   i, c, out) {
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		out = out "" (c == " " ? "\\040" : c == "\\" ? "\\134" : c)
	}
	return out == "" ? "-" : ascii_only(out)
}

# ---- events ----

# new_entry(SOURCE): an event that is being put together
function new_entry(from) {
	entries++
	source_of[entries] = from
	entry_boot[entries] = boot
	entry_at[entries] = stamp
	entry_real[entries] = real != "" ? real : real_of(head)
	entry_wall[entries] = wall_of(head)
	entry_lines[entries] = 0
	return entries
}

# A key of the event's own line; the first value stands
function set_key(e, k, v) {
	if ((e, k) in EK)
		return
	EK[e, k] = v
	ev_keys[e] = followed(ev_keys[e], " ") k
}

function has(e, k) {
	return (e, k) in EK && EK[e, k] != "-"
}

function add_record(e, type, text) {
	if (entry_lines[e] > 5000)
		return
	EL[e, ++entry_lines[e]] = text
	ET[e, entry_lines[e]] = type
	type_count[e, type]++
}

# A line "TYPE N key=value..." of the module
function module_line(text,   n, w, type, number, e) {
	n = split(text, w, " ")
	type = w[1]
	number = w[2]
	if (n < 3 || length(number) > 15)
		return
	if (type == "block") {
		begin_block(number, w, n)
		return
	}
	if (type == "stall") {
		stall_line(number, w, n)
		return
	}
	# The last line of a machine that panicked while another task was in the OOM killer
	if (type == "underway") {
		e = new_entry("line")
		entry_number[e] = number
		underway[e] = 1
		event_line(e, w, n)
		return
	}
	e = (boot, number) in open_entry ? open_entry[boot, number] : 0
	if (type != "event" && type != "end" && index(RECORDS, " " type " ") == 0 && !(e && in_block[e]))
		return
	# An event's one line (log=1), or a block whose beginning is cut off
	if (!e || (type == "event" && w[3] != "+" && has(e, "kind"))) {
		e = open_entry[boot, number] = new_entry("line")
		entry_number[e] = number
	}
	if (!in_block[e] && (type != "event" || w[3] == "+")) {
		source_of[e] = "block"
		entry_front[e] = 1
	}
	if (type == "end") {
		end_block(e, w, n)
		delete open_entry[boot, number]
	} else if (type == "event") {
		event_line(e, w, n)
	} else {
		record_line(e, type, w, n)
	}
	if (w[3] != "+" && type != "end")
		lines_got[e]++
}

function event_line(e, w, n,   i, p, k) {
	for (i = 3; i <= n; i++) {
		p = index(w[i], "=")
		k = substr(w[i], 1, p - 1)
		if (k ~ /^victim_[a-z]+$/)
			line_victim[e] = followed(line_victim[e], " ") substr(w[i], 8)
		else if (k ~ /^[a-z_0-9]+$/)
			set_key(e, k, substr(w[i], p + 1))
	}
}

# A line longer than the log takes goes on in the next, behind the same type and number
# and "+".
function record_line(e, type, w, n,   i, s) {
	for (i = w[3] == "+" ? 4 : 3; i <= n; i++)
		s = followed(s, " ") w[i]
	if (w[3] == "+" && entry_lines[e] && ET[e, entry_lines[e]] == type)
		EL[e, entry_lines[e]] = EL[e, entry_lines[e]] " " s
	else
		add_record(e, type, s)
}

function begin_block(number, w, n,   e, i, v) {
	for (i = 3; i <= n; i++) {
		v = substr(w[i], index(w[i], "=") + 1)
		if (index(w[i], "format=") == 1 && v != "1") {
			print "oomlens: event " number " has format " ascii_only(v) ", this command reads 1: get the command that came with the module" | "cat >&2"
			return
		}
		if (index(w[i], "boot_id=") == 1)
			know_boot(v)
		if (index(w[i], "release=") == 1)
			release_of[boot] = v
	}
	e = new_entry("block")
	entry_number[e] = number
	in_block[e] = 1
	open_entry[boot, number] = e
	for (i = 3; i <= n; i++)
		if (index(w[i], "page_kb=") == 1)
			entry_page[e] = block_page = fig(substr(w[i], 9))
}

function end_block(e, w, n,   i) {
	entry_ended[e] = 1
	for (i = 3; i <= n; i++) {
		if (index(w[i], "lines=") == 1)
			entry_says[e] = fig(substr(w[i], 7))
		if (index(w[i], "dropped=") == 1)
			entry_dropped[e] = fig(substr(w[i], 9))
	}
}

# A stall has one line; in the journal and in pstore it is the same one.
function stall_line(number, w, n,   i, p, k, v, s) {
	for (i = 3; i <= n; i++) {
		p = index(w[i], "=")
		k = substr(w[i], 1, p - 1)
		if (k ~ /^[a-z_0-9]+$/)
			v[k] = substr(w[i], p + 1)
	}
	if (!("begin_us" in v) || stalls >= MAX_STALLS || (number, v["begin_us"]) in stall_seen)
		return
	stall_seen[number, v["begin_us"]] = 1
	s = ++stalls
	stall_number[s] = number
	stall_place[s] = entries
	stall_boot[s] = boot
	stall_at[s] = stamp
	if (!("real_us" in v))
		v["real_us"] = real != "" ? real : real_of(head)
	if (v["real_us"] == "")
		v["real_us"] = "-"
	if ("psi_full" in v)
		v["psi_full_max"] = v["psi_full"]
	stall_text[s] = "wall=" wall_of(head)
	n = split("begin_us end_us real_us psi_full_max memcg largest fastest", w, " ")
	for (i = 1; i <= n; i++)
		stall_text[s] = stall_text[s] " " w[i] "=" (w[i] in v ? v[w[i]] : "-")
}

# ---- one event of what is there more than once ----

# The same event of the module: its line and its block, or two blocks (one at entry where
# a panic is expected, one when it is over). After a reload numbers begin again, so the
# time must not differ.
function join_blocks(   e, key, f) {
	for (e = 1; e <= entries; e++) {
		if (source_of[e] == "dump")
			continue
		key = boot_name(entry_boot[e]) SUBSEP entry_number[e]
		if (key in last_of) {
			f = last_of[key]
			if (!has(e, "time_us") || !has(f, "time_us") || EK[e, "time_us"] == EK[f, "time_us"]) {
				merge(better(e, f), better(e, f) == e ? f : e)
				last_of[key] = better(e, f)
				continue
			}
		}
		last_of[key] = e
	}
}

# A boot may be there twice: in the journal, and what pstore kept of its end.
function boot_name(b) {
	return b in id_of ? id_of[b] : b
}

# Of two of the module's the one that tells more, or the later
function better(e, f) {
	if (telling(e) != telling(f))
		return telling(e) > telling(f) ? e : f
	return e > f ? e : f
}

function telling(e) {
	return source_of[e] == "json" ? 3 : source_of[e] == "line" ? 0 : 1 + (entry_ended[e] && !entry_front[e])
}

# merge(TO, FROM): what TO lacks, and FROM is gone
function merge(to, from,   n, k, i, lacks) {
	n = split(ev_keys[from], k, " ")
	for (i = 1; i <= n; i++)
		if (!has(to, k[i])) {
			if (!((to, k[i]) in EK))
				set_key(to, k[i], EK[from, k[i]])
			else
				EK[to, k[i]] = EK[from, k[i]]
		}
	for (i = 1; i <= entry_lines[from]; i++) {
		if (!((to, ET[from, i]) in lacks))
			lacks[to, ET[from, i]] = !type_count[to, ET[from, i]]
		if (lacks[to, ET[from, i]])
			add_record(to, ET[from, i], EL[from, i])
	}
	if (entry_page[to] == "" || entry_page[to] == "-")
		entry_page[to] = entry_page[from]
	if (entry_wall[to] == "-")
		entry_wall[to] = entry_wall[from]
	if (line_victim[to] == "")
		line_victim[to] = line_victim[from]
	if (entry_real[to] == "")
		entry_real[to] = entry_real[from]
	if (entry_at[to] == "" || (entry_at[from] != "" && entry_at[from] + 0 < entry_at[to] + 0))
		entry_at[to] = entry_at[from]
	if (to > from)
		entry_place[to] = from in entry_place ? entry_place[from] : from
	if (source_of[from] == "dump") {
		if (!(to in entry_more))
			entry_more[to] = entry_more[from]
		reaps[to] = from in reaps ? reaps[from] : from
	}
	gone[from] = 1
}

# The kernel's dump of an event that the module told of: the same caller or victim, and
# near in time. A dump may be there twice, as in pstore's records of one panic.
function join_dumps(   e, d, best, near) {
	for (d = 1; d <= entries; d++) {
		if (source_of[d] != "dump" || d in gone)
			continue
		best = 0
		for (e = 1; e <= entries && !best; e++)
			if (e < d && source_of[e] == "dump" && !(e in gone) && same_dump(e, d))
				best = e
		if (best) {
			merge(best, d)
			continue
		}
		for (e = 1; e <= entries; e++) {
			if (source_of[e] == "dump" || e in gone || e in has_dump || !same_oom(e, d))
				continue
			near = distance(e, d)
			if (!best || near < distance(best, d))
				best = e
		}
		if (best) {
			has_dump[best] = 1
			if (!whole(best) || type_count[best, "slab"] < type_count[d, "slab"])
				adds_dump[best] = 1
			merge(best, d)
		}
	}
}

function whole(e) {
	return source_of[e] == "block" && entry_ended[e] && !entry_front[e] && entry_dropped[e] == 0 && entry_says[e] == lines_got[e]
}

function same_dump(e, d) {
	return entry_at[e] != "" && entry_at[e] == entry_at[d] && EK[e, "comm"] == EK[d, "comm"] && victim_pid(e) == victim_pid(d)
}

function same_oom(e, d) {
	if (boot_name(entry_boot[e]) != boot_name(entry_boot[d]))
		return 0
	if (entry_at[e] != "" && entry_at[d] != "" && distance(e, d) > 60)
		return 0
	if (has(e, "comm") && has(d, "comm") && EK[e, "comm"] != EK[d, "comm"])
		return 0
	if (other_place(e, d) || (decided(e) && decided(d) && (EK[e, "outcome"] ~ /^panic/) != (EK[d, "outcome"] ~ /^panic/)))
		return 0
	if (victim_pid(e) != "-" && victim_pid(d) != "-")
		return victim_pid(e) == victim_pid(d)
	return has(e, "comm") && has(d, "comm")
}

function decided(e) {
	return has(e, "outcome") && EK[e, "outcome"] !~ /^(unknown|underway)$/
}

# One is a cgroup's and the other is not, or they are of two cgroups. A name of other bytes
# is written in more than one way, and a long one is cut.
function other_place(e, d) {
	if (!has(e, "kind") || !has(d, "kind"))
		return 0
	if (EK[e, "kind"] != "memcg" || EK[d, "kind"] != "memcg")
		return (EK[e, "kind"] == "memcg") != (EK[d, "kind"] == "memcg")
	return plain(e) && plain(d) && EK[e, "memcg"] != EK[d, "memcg"]
}

function plain(e) {
	return has(e, "memcg") && length(EK[e, "memcg"]) < 150 && EK[e, "memcg"] !~ /[^!-~]|\\/
}

function distance(e, d,   t) {
	if (entry_at[e] == "" || entry_at[d] == "")
		return e > d ? e - d : d - e
	t = entry_at[e] - entry_at[d]
	return t < 0 ? -t : t
}

function victim_pid(e,   i) {
	if (!type_count[e, "victim"] && match(line_victim[e], /(^| )pid=[0-9]+/))
		return word_of_pid(line_victim[e])
	for (i = 1; i <= entry_lines[e]; i++)
		if (ET[e, i] == "victim" && match(EL[e, i], /(^| )pid=[0-9]+/))
			return word_of_pid(EL[e, i])
	return "-"
}

# What match() has found
function word_of_pid(s) {
	s = substr(s, RSTART, RLENGTH)
	sub(/.*=/, "", s)
	return s
}

# ---- the events file ----

# In the order in which the log first tells of them. The module's own numbers stay where
# they tell the events apart.
function print_events(   e, i, n, order, own, last) {
	own = 1
	last = 0
	for (e = 1; e <= entries; e++) {
		if (e in gone || (last_but_one && entry_boot[e] != boot - 1))
			continue
		for (i = ++n; i > 1 && place(order[i - 1]) > place(e); i--)
			order[i] = order[i - 1]
		order[i] = e
	}
	for (i = 1; i <= n; i++) {
		e = order[i]
		if (fig(entry_number[e]) == "-" || entry_number[e] + 0 <= last)
			own = 0
		else
			last = entry_number[e] + 0
	}
	print "# oomlens events 1"
	# Of no event, as there was none
	if (refused)
		print ascii_only("refused 0 count=" refused " pid=" refused_pid " comm=" word(refused_comm) " bytes=" refused_bytes)
	for (i = 1; i <= n; i++) {
		print_stalls(place(order[i]) - 1)
		print_entry(order[i], own ? entry_number[order[i]] + 0 : i)
	}
	print_stalls(entries)
}

# Those that the log tells of before the entry behind this one
function print_stalls(last,   s, n) {
	while (stalls_printed < stalls && stall_place[stalls_printed + 1] <= last) {
		s = ++stalls_printed
		if (last_but_one && stall_boot[s] != boot - 1)
			continue
		n = stall_number[s] + 0 > newest_stall && fig(stall_number[s]) != "-" ? stall_number[s] + 0 : newest_stall + 1
		newest_stall = n
		print ascii_only("stall " n " " stall_text[s] " boot_nr=" stall_boot[s] " boot_id=" known_id(stall_boot[s]) " release=" known_release(stall_boot[s]) " page_kb=" page_of_log() " after_us=" log_goes_on(s))
	}
}

# Microseconds from the line to the end of that boot's log
function log_goes_on(s) {
	if (stall_at[s] == "" || !(stall_boot[s] in boot_ends) || boot_ends[stall_boot[s]] + 0 < stall_at[s] + 0)
		return "-"
	return sprintf("%.0f", (boot_ends[stall_boot[s]] - stall_at[s]) * 1000000)
}

function known_id(b) {
	return b in id_of ? id_of[b] : "-"
}

function known_release(b) {
	return b in release_of ? word(release_of[b]) : "-"
}

function place(e) {
	return e in entry_place ? entry_place[e] : e
}

function print_entry(e, number,   i, n, k, s) {
	s = "event " number
	if (entry_real[e] != "" && !has(e, "real_us")) {
		set_key(e, "real_us", "-")
		EK[e, "real_us"] = entry_real[e]
	}
	if (e in underway && (!has(e, "outcome") || EK[e, "outcome"] == "unknown")) {
		set_key(e, "outcome", "")
		EK[e, "outcome"] = "underway"
	}
	if (!type_count[e, "victim"] && line_victim[e] != "")
		add_record(e, "victim", line_victim[e])
	# Of a block whose own line is lost
	set_key(e, "kind", "-")
	set_key(e, "outcome", "-")
	n = split(ev_keys[e], k, " ")
	for (i = 1; i <= n; i++)
		s = s " " k[i] "=" EK[e, k[i]]
	print ascii_only(s)
	for (i = 1; i <= entry_lines[e]; i++)
		print ascii_only(ET[e, i] " " number " " EL[e, i])
	print ascii_only(log_record(e, number))
}

function log_record(e, number,   s, lost) {
	lost = entry_says[e] != "" && entry_says[e] != "-" ? entry_says[e] - lines_got[e] : "-"
	s = "log " number " source=" source_of[e] "" (adds_dump[e] ? "+dump" : "") " boot_nr=" entry_boot[e]
	s = s " boot_id=" known_id(entry_boot[e]) " release=" known_release(entry_boot[e])
	s = s " page_kb=" (entry_page[e] == "" ? page_of_log() : entry_page[e])
	s = s " number=" (entry_number[e] == "" ? "-" : entry_number[e])
	s = s " stamp=" (entry_at[e] == "" ? "-" : entry_at[e]) " wall=" entry_wall[e]
	s = s " front=" (entry_front[e] ? 1 : 0) " ended=" (entry_ended[e] ? 1 : 0)
	s = s " lost=" lost " says=" (entry_says[e] == "" ? "-" : entry_says[e]) " dropped=" (entry_dropped[e] == "" ? "-" : entry_dropped[e])
	return s entry_more[e] " reaped_us=" reaped_us(e in reaps ? reaps[e] : e)
}

# A page's size is the same all through a log.
function page_of_log() {
	return dump_page ? dump_page : block_page ? block_page : "-"
}
