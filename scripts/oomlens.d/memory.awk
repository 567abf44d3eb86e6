# SPDX-License-Identifier: GPL-2.0
# overcommit and commit: how much has been promised, and to which processes.
#
# In: mode (overcommit, commit), rows (0: all), wide, json, of_pid.

function on_row(   i, s) {
	if (json) {
		if (!json_head_printed)
			json_head("commit")
		if (rows && ++printed > rows)
			exit
		print "{" json_row() "}"
		return
	}
	if (!head_printed)
		print_commit_head()
	if (rows && ++printed > rows) {
		cut = 1
		exit
	}
	# pid, or the path of --memcg, or a mapping's start: whatever comes first
	s = ""
	for (i = 1; i <= columns; i++)
		if (!(i in hidden))
			s = s commit_cell(column[i], $i)
	print clip(s)
}

# What a narrow screen has no room for, the least telling first
function hide_columns(   n, i, k, name, room, place) {
	split("", hidden)
	for (i = 1; i <= columns; i++) {
		place[column[i]] = i
		room += column_width(column[i])
	}
	n = split("noreserve shared uid file_private stack vm_total anon memcg perms charged touched", name, " ")
	for (k = 1; k <= n && wide && room > wide; k++)
		if (name[k] in place && place[name[k]] > 1) {
			hidden[place[name[k]]] = 1
			room -= column_width(name[k])
		}
}

# With the blank; of a name, what it takes to recognise it
function column_width(name) {
	if (name == "comm" || name == "name" || name == "path")
		return 12
	return length(commit_title(name))
}

# Names, identities and counts as they are, pages as sizes
function commit_cell(name, v) {
	if (is_count(name))
		return right(v, 8) " "
	if (name == "start" || name == "perms" || name == "permissions")
		return left(v, name == "start" ? 16 : 5) " "
	if (name == "memcg")
		return " " left(middle(shown(v), wide < 130 ? 12 : 24), wide && wide < 130 ? 12 : 24)
	if (name == "comm" || name == "name" || name == "path")
		return " " shown(v)
	return right(size(v), commit_width(name)) " "
}

function is_count(name) {
	return name == "pid" || name == "uid" || name == "processes" || name == "spaces" || name == "skipped"
}

function commit_width(name) {
	return length(name) > 7 ? length(name) : 7
}

function print_commit_head(   i, s) {
	head_printed = 1
	if (!of_pid) {
		print "promised " bytes(key("commit", "committed")) ": processes " bytes(key("commit", "processes")) ", shared memory and tmpfs " bytes(num(key("commit", "shared_resident")) + num(key("commit", "shared_swapped")) + num(key("commit", "shared_promised"))) ", other " bytes(key("commit", "unattributed"))
		s = "not touched yet: " bytes(key("commit", "uncashed"))
		if (num(key("commit", "deficit")) > 0)
			s = s "; if all of it were touched, " bytes(key("commit", "deficit")) " would be missing"
		else
			s = s "; if all of it were touched, memory and swap would be enough"
		print s
		if (key("commit", "complete") == "0")
			print "Some processes could not be measured (-); the sums are without them."
		print ""
	}
	hide_columns()
	s = ""
	for (i = 1; i <= columns; i++)
		if (!(i in hidden))
			s = s commit_title(column[i])
	print clip(s)
}

function commit_title(name,   t) {
	t = toupper(name)
	if (is_count(name))
		return right(t, 8) " "
	if (name == "start" || name == "perms" || name == "permissions")
		return left(t, name == "start" ? 16 : 5) " "
	if (name == "memcg")
		return " " left("CGROUP", wide && wide < 130 ? 12 : 24)
	if (name == "comm" || name == "name" || name == "path")
		return " " (name == "comm" ? "COMMAND" : t)
	return right(t, commit_width(name)) " "
}

function oc(k) {
	return key("overcommit", k)
}

function overcommit(   swap, pct) {
	if (oc("mode") == 0) {
		print "Mode 0 (heuristic): only one request larger than RAM and swap together is refused; the limit is not enforced."
	} else if (oc("mode") == 1) {
		print "Mode 1 (always): nothing is refused; the limit is not enforced."
	} else {
		print "Mode 2 (never): a request that would take the promises over the limit is refused."
	}
	swap = oc("swap_total")
	if (num(oc("kbytes")) > 0)
		print "limit      " right(size(oc("commit_limit")), 7) "  = vm.overcommit_kbytes " size(oc("commit_limit") - swap) " + swap " size(swap)
	else
		print "limit      " right(size(oc("commit_limit")), 7) "  = " oc("ratio") "% of (RAM " size(oc("ram")) " - huge pages " size(oc("hugetlb")) ") + swap " size(swap)
	pct = percent(oc("committed"), oc("commit_limit"))
	print "promised   " right(size(oc("committed")), 7) "  " pct " of the limit"
	print "headroom   " right(size(oc("headroom")), 7) (num(oc("headroom")) < 0 ? "  more is promised than the limit allows" (oc("enforced") == "1" ? "" : ", which is no error in this mode") : "")
	print "available  " right(size(oc("available")), 7) "  of RAM without swapping; swap free " size(oc("swap_free")) " of " size(swap) "; locked " size(oc("locked"))
	print "reserved   " right(size(oc("admin_reserve")), 7) "  for the admin, " size(oc("user_reserve")) " for a user to recover with (mode 2 only)"
	if (oc("max_mapping_user") == "-")
		print "One new mapping may be of any size."
	else
		print "One new mapping may now be " bytes(oc("max_mapping_user")) ", root's " bytes(oc("max_mapping_root")) "."
}

function json_overcommit(   i, n, name, s) {
	n = split("mode mode_name ratio kbytes ram hugetlb swap_total swap_free commit_limit committed headroom enforced admin_reserve user_reserve max_mapping_root max_mapping_user reader_vm_total batch available locked", name, " ")
	for (i = 1; i <= n; i++)
		s = followed(s, ",") json_pair(name[i], oc(name[i]))
	print "{" s ",\"page_kb\":" page_kb() "}"
}

END {
	if (!dying && !unread("overcommit" (mode == "commit" ? " commit" : ""))) {
		if (mode == "overcommit" && json)
			json_overcommit()
		else if (mode == "overcommit")
			overcommit()
		else if (json && !json_head_printed)
			json_head("commit")
		else if (!json && !head_printed)
			print of_pid ? "Process " of_pid " has no mapping." : "No process has memory of its own."
		else if (cut)
			print "... (-n 0 shows all)"
	}
}
