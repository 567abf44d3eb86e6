# SPDX-License-Identifier: GPL-2.0
# JSON objects of a line each, for log.awk: what "events --json" wrote, and journalctl's
# (-o json), whose message is a line of the log or an event again.

# The object in the line as paths and values in their order: JK[i], JV[i], and J[path].
# False where it is none.
function parse_json(s) {
	split("", J)
	JN = 0
	JS = s
	json_depth = 0
	json_bad = 0
	json_any("")
	return !json_bad
}

function json_blanks() {
	sub(/^[ \t]+/, "", JS)
}

function json_any(path,   c, v) {
	json_blanks()
	c = substr(JS, 1, 1)
	if (c == "{" || c == "[") {
		if (++json_depth > 8) {
			json_bad = 1
			return
		}
		JS = substr(JS, 2)
		if (c == "{")
			json_object(path)
		else
			json_array(path)
		json_depth--
	} else if (c == "\"") {
		json_keep(path, json_string())
	} else if (match(JS, /^(-?[0-9][-+.0-9eE]*|true|false|null)/)) {
		v = substr(JS, 1, RLENGTH)
		JS = substr(JS, RLENGTH + 1)
		json_keep(path, v == "null" ? "-" : v)
	} else {
		json_bad = 1
	}
}

function json_keep(path, v) {
	if (JN >= 20000) {
		json_bad = 1
		return
	}
	JK[++JN] = path
	JV[JN] = v
	if (!(path in J))
		J[path] = v
}

function json_object(path,   k) {
	json_blanks()
	if (sub(/^}/, "", JS))
		return
	while (!json_bad) {
		json_blanks()
		if (substr(JS, 1, 1) != "\"") {
			json_bad = 1
			return
		}
		k = json_string()
		json_blanks()
		if (!sub(/^:/, "", JS)) {
			json_bad = 1
			return
		}
		json_any(path == "" ? k : path "." k)
		json_blanks()
		if (sub(/^}/, "", JS))
			return
		if (!sub(/^,/, "", JS))
			json_bad = 1
	}
}

function json_array(path,   i) {
	json_blanks()
	if (sub(/^\]/, "", JS))
		return
	for (i = 1; !json_bad; i++) {
		json_any(path "." i)
		json_blanks()
		if (sub(/^\]/, "", JS))
			return
		if (!sub(/^,/, "", JS))
			json_bad = 1
	}
}

# The string at the beginning of JS, as bytes
function json_string(   out, c, point) {
	JS = substr(JS, 2)
	for (;;) {
		if (match(JS, /^[^"\\]+/)) {
			out = out substr(JS, 1, RLENGTH)
			JS = substr(JS, RLENGTH + 1)
		}
		c = substr(JS, 1, 1)
		if (c == "\"") {
			JS = substr(JS, 2)
			return out
		}
		if (c != "\\") {
			json_bad = 1
			return out
		}
		c = substr(JS, 2, 1)
		JS = substr(JS, 3)
		if (c == "n")
			out = out "\n"
		else if (c == "t")
			out = out "\t"
		else if (c == "r" || c == "b" || c == "f")
			out = out " "
		else if (c == "u") {
			point = json_hex(substr(JS, 1, 4))
			JS = substr(JS, 5)
			if (point >= 55296 && point < 56320 && JS ~ /^\\u[dD][c-fC-F]/) {
				point = 65536 + (point - 55296) * 1024 + json_hex(substr(JS, 3, 4)) - 56320
				JS = substr(JS, 7)
			}
			out = out utf8(point)
		} else
			out = out c
	}
}

function json_hex(s,   i, v, p) {
	for (i = 1; i <= 4; i++) {
		p = index("0123456789abcdef", tolower(substr(s, i, 1)))
		if (!p || substr(s, i, 1) == "") {
			json_bad = 1
			return 63
		}
		v = v * 16 + p - 1
	}
	return v
}

# NUL is no byte that every awk can have in a string.
function utf8(p) {
	if (p == 0)
		return "?"
	if (p < 128)
		return sprintf("%c", p)
	if (p < 2048)
		return sprintf("%c%c", 192 + int(p / 64), 128 + p % 64)
	if (p < 65536)
		return sprintf("%c%c%c", 224 + int(p / 4096), 128 + int(p / 64) % 64, 128 + p % 64)
	return sprintf("%c%c%c%c", 240 + int(p / 262144), 128 + int(p / 4096) % 64, 128 + int(p / 64) % 64, 128 + p % 64)
}

# ---- what is in it ----

function take_json(line) {
	if (!parse_json(line))
		return
	if ("event" in J && "kind" in J)
		json_event()
	else if ("stall" in J && "begin_us" in J)
		read_stall()
	else if ("MESSAGE" in J || "MESSAGE.1" in J)
		journal_entry()
}

function journal_entry(   text, i, n, part) {
	if ("_BOOT_ID" in J)
		know_boot(J["_BOOT_ID"])
	head = ""
	real = fig(J["_SOURCE_REALTIME_TIMESTAMP"]) != "-" ? J["_SOURCE_REALTIME_TIMESTAMP"] : fig(J["__REALTIME_TIMESTAMP"]) != "-" ? J["__REALTIME_TIMESTAMP"] : ""
	stamp = ""
	if (J["_TRANSPORT"] == "kernel" && J["_SOURCE_MONOTONIC_TIMESTAMP"] ~ /^[0-9]+$/ && length(J["_SOURCE_MONOTONIC_TIMESTAMP"]) < 15) {
		stamp = "000000" J["_SOURCE_MONOTONIC_TIMESTAMP"]
		stamp = substr(stamp, 1, length(stamp) - 6) "." substr(stamp, length(stamp) - 5)
		sub(/^0+/, "", stamp)
		if (stamp ~ /^\./)
			stamp = "0" stamp
	}
	if ("MESSAGE" in J)
		text = J["MESSAGE"]
	else
		# A message that is no UTF-8 comes as a list of bytes.
		for (i = 1; ("MESSAGE." i) in J && i < 4096; i++)
			text = text "" (J["MESSAGE." i] > 0 && J["MESSAGE." i] < 256 ? sprintf("%c", J["MESSAGE." i] + 0) : "?")
	n = split(text, part, "\n")
	for (i = 1; i <= n; i++) {
		if (part[i] ~ /^[{]"event":/) {
			real = ""
			if (parse_json(part[i]) && "event" in J && "kind" in J)
				json_event()
		} else {
			message(part[i])
		}
	}
}

# An event as "events --json" wrote it, back into its lines
function json_event(   e, i, p, q, path, type, at, text, number, k, us) {
	number = fig(J["event"])
	if (number == "-" || number < 0 || length(number) > 15)
		return
	us = fig(J["time_us"])
	# Without the kernel's own lines only these tell of another boot.
	if (clock < 0 && us != "-") {
		if (us + 0 < json_clock)
			new_boot()
		json_clock = us + 0
	}
	head = ""
	stamp = us == "-" ? "" : sprintf("%.6f", us / 1000000)
	e = new_entry("json")
	entry_number[e] = number
	entry_page[e] = fig(J["page_kb"])
	said_in_boot = 1
	for (i = 1; i <= JN; i++) {
		path = JK[i]
		p = index(path, ".")
		if (!p) {
			k = path == "victim_count" ? "victims" : path
			if (path == "time")
				entry_real[e] = real_of(JV[i])
			else if (path != "event" && path != "page_kb" && k ~ /^[a-z_0-9]+$/)
				set_key(e, k, word(JV[i]))
			continue
		}
		type = substr(path, 1, p - 1)
		path = substr(path, p + 1)
		q = index(path, ".")
		k = q ? substr(path, q + 1) : path
		# "zones.1.node", "memory.free"
		at = type "." (q ? substr(path, 1, q - 1) : "")
		if (at != text && text != "")
			add_record(e, json_type(text), json_line)
		json_line = at == text ? json_line " " k "=" word(JV[i]) : k "=" word(JV[i])
		text = at
		if (k !~ /^[a-z_0-9]+$/)
			json_line = ""
	}
	if (text != "")
		add_record(e, json_type(text), json_line)
}

# A stall as "events --json" wrote it
function read_stall(   w, n, name, i, us) {
	n = split("begin_us end_us psi_full_max memcg", name, " ")
	for (i = 1; i <= n; i++)
		w[i + 2] = name[i] "=" word(J[name[i]])
	us = real_of(J["time"])
	if (us != "")
		w[++i + 1] = "real_us=" us
	w[++i + 1] = "largest=" listed_tasks("largest", "points")
	w[++i + 1] = "fastest=" listed_tasks("fastest", "grew")
	head = stamp = real = ""
	if (fig(J["stall"]) != "-" && length(J["stall"]) <= 15)
		stall_line(J["stall"], w, i + 1)
}

# A list of tasks as the line of a stall has it
function listed_tasks(list, k,   i, s, at) {
	for (i = 1; i <= 3; i++) {
		at = list "." i "."
		if ((at "comm") in J)
			s = followed(s, ",") word(J[at "comm"]) ":" word(J[at "pid"]) ":" word(J[at k])
	}
	return s == "" ? "-" : s
}

function json_type(at) {
	sub(/\..*/, "", at)
	if (at == "memcg_state")
		return "memcg"
	sub(/s$/, "", at)
	return at ~ /^[a-z_]+$/ ? at : "novel"
}
