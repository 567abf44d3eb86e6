# SPDX-License-Identifier: GPL-2.0
# objects, and commit --shared: the memory that no process owns, by name.
#
# In: mode (objects, shared), rows (0: all), wide, json, of_pid. Files: mountinfo
# (may be missing), overcommit, objects.

function on_row() {
	if (mode == "shared") {
		keep_promised()
	} else if (json) {
		if (!json_head_printed)
			json_head("objects")
		if (rows && ++printed > rows)
			exit
		print "{" json_row() ",\"path\":" json_text(object_path()) "}"
	} else {
		if (!head_printed)
			print_head()
		if (rows && ++printed > rows) {
			cut = 1
			exit
		}
		print_object(cell("resident"), cell("swapped"), cell("charge"))
	}
}

# Where the present row's object is: of a file, its path with the mount
function object_path() {
	return mounted(cell("id"), cell("name"))
}

function title(first) {
	return first right("SIZE", 8) right("HOLDERS", 8) right("PID", 8) "  " left("KIND", 10) "NAME"
}

function line(first,   s) {
	s = first right(size(cell("size")), 8) right(cell("holders"), 8) right(cell("pid"), 8) "  "
	s = s left(cell("kind"), 10) shown(object_path())
	return cell("pid") == "-" ? s : s "  (" shown(cell("comm")) ")"
}

function print_head() {
	head_printed = 1
	print "in memory " bytes(key("objects", "resident")) ", in swap " bytes(key("objects", "swapped")) ", promised " bytes(key("objects", "charge")) "; " plural(key("objects", "objects"), "object", "objects") ", " key("objects", "unheld") " held by no process"
	incomplete()
	print ""
	print clip(title(right("MEMORY", 8) right("SWAP", 8) right("CHARGE", 8)))
}

function incomplete() {
	if (key("objects", "complete") == "0")
		print "Some objects or holders could not be seen; the figures are without them."
}

function print_object(resident, swapped, charge) {
	print clip(line(right(size(resident), 8) right(size(swapped), 8) right(size(charge), 8)))
}

# ---- commit --shared: the largest charges; the file has the largest memory first ----

function keep_promised(   charge, touched, i) {
	charge = num(cell("charge"))
	if (!charge)
		return
	touched = num(cell("resident")) + num(cell("swapped"))
	if (touched > charge)
		touched = charge
	all_charge += charge
	all_touched += touched
	if (cell("holders") == "0")
		unheld_charge += charge
	all_kept++
	if (rows && kept == rows) {
		if (charge <= kept_charge[kept])
			return
		kept--
	}
	for (i = ++kept; i > 1 && kept_charge[i - 1] < charge; i--) {
		kept_charge[i] = kept_charge[i - 1]
		kept_line[i] = kept_line[i - 1]
	}
	kept_charge[i] = charge
	if (json)
		kept_line[i] = "{" json_row() ",\"touched\":" whole(touched) ",\"path\":" json_text(object_path()) "}"
	else
		kept_line[i] = line(right(size(charge), 8) right(size(touched), 8) right(size(charge - touched), 9))
}

function shared(   i) {
	if (json) {
		json_head("objects")
	} else {
		print "shared memory is promised " bytes(all_charge) ": touched " bytes(all_touched) ", never touched " bytes(all_charge - all_touched) "; held by no process " bytes(unheld_charge)
		incomplete()
		print ""
		print clip(title(right("CHARGE", 8) right("TOUCHED", 8) right("UNCASHED", 9)))
	}
	if (!json && !kept)
		print "No shared memory object has a promise."
	for (i = 1; i <= kept; i++)
		print json ? kept_line[i] : clip(kept_line[i])
	if (!json && all_kept > kept)
		print "... (-n 0 shows all)"
}

END {
	if (!dying && !unread("overcommit objects")) {
		if (mode == "shared")
			shared()
		else if (json && !json_head_printed)
			json_head("objects")
		else if (!json && !head_printed)
			print "There is no shared memory object" (of_pid ? " of process " of_pid : "") "."
		else if (cut)
			print "... (-n 0 shows all)"
	}
}
