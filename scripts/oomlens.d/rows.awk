# SPDX-License-Identifier: GPL-2.0
# The rows of a frame of top on a terminal. They are held until the table is read, so
# that they can keep their places, be sorted by another key, or be summed by cgroup.
#
# In: rows, sorting (empty: as the kernel has them; memory, growth), folding.

function forget_held() {
	held = folds = 0
	split("", fold_count)
	split("", fold)
}

function hold_row(   i, v) {
	if (folding) {
		fold_row()
		return
	}
	if (sorting == "") {
		if (held >= rows)
			cut = 1
		else
			set_held(++held, 0)
		return
	}
	v = sort_value($c_pid)
	if (held >= rows && v <= held_value[held])
		return
	for (i = held < rows ? ++held : held; i > 1 && held_value[i - 1] < v; i--)
		move_held(i - 1, i)
	set_held(i, v)
}

# True for a row that was drawn before: to look at its columns again costs most of a frame
function hold_again() {
	if (sorting != "" || folding)
		return 0
	if (held >= rows) {
		cut = 1
		return 1
	}
	# What the frame before has at this place is held still
	if ($0 == held_line[held + 1]) {
		held++
		return 1
	}
	if (!($0 in drawn))
		return 0
	disordered = 1
	held_line[++held] = $0
	held_pid[held] = drawn_pid[$0]
	held_points[held] = drawn_points[$0]
	return 1
}

function sort_value(p) {
	if (sorting == "growth")
		return p in GROWTH ? GROWTH[p] : 0
	return num($c_anon) + num($c_file) + num($c_shmem) + num($c_swap) + num($c_pgtables)
}

function set_held(i, v) {
	disordered = 1
	held_line[i] = $0
	held_pid[i] = $c_pid
	held_points[i] = $c_points
	held_value[i] = v
}

function move_held(from, to) {
	held_line[to] = held_line[from]
	held_pid[to] = held_pid[from]
	held_points[to] = held_points[from]
	held_value[to] = held_value[from]
}

# Two that are within 2% of each other stay in the order of the frame before. The next
# victim is always the first.
function keep_places(   i, j) {
	if (!disordered && held == held_then)
		return
	disordered = 0
	held_then = held
	for (i = 3; i <= held; i++)
		for (j = i; j > 2 && was_before(j, j - 1); j--) {
			move_held(j, 0)
			move_held(j - 1, j)
			move_held(0, j - 1)
		}
	split("", place_then)
	for (i = 1; i <= held; i++)
		place_then[held_pid[i]] = i
}

function was_before(a, b) {
	if (!(held_pid[a] in place_then) || !(held_pid[b] in place_then))
		return 0
	return place_then[held_pid[a]] < place_then[held_pid[b]] && is_number(held_points[a]) && held_points[a] * 50 >= held_points[b] * 49
}

function print_held(   i) {
	if (folding) {
		print_folded()
		return
	}
	if (sorting == "")
		keep_places()
	for (i = 1; i <= held; i++) {
		printed++
		# On a quiet machine most rows are the same as two seconds ago.
		if (held_line[i] in drawn) {
			print drawn[held_line[i]]
			continue
		}
		$0 = held_line[i]
		print_ranked()
	}
}

# ---- folded: a row for each cgroup, the one that loses a process first comes first ----

function fold_row(   m) {
	m = $c_memcg
	if (!(m in fold_count)) {
		fold_name[++folds] = m
		fold[m, "rank"] = $c_rank
	}
	fold_count[m]++
	fold[m, "anon"] += num($c_anon)
	fold[m, "file"] += num($c_file)
	fold[m, "shmem"] += num($c_shmem)
	fold[m, "swap"] += num($c_swap)
	fold[m, "pgtables"] += num($c_pgtables)
	fold[m, "growth"] += $c_pid in GROWTH ? GROWTH[$c_pid] : 0
	fold[m, "dies"] += $c_fate != "-"
}

function fold_memory(m) {
	return fold[m, "anon"] + fold[m, "file"] + fold[m, "shmem"] + fold[m, "swap"] + fold[m, "pgtables"]
}

function fold_value(m) {
	return sorting == "growth" ? fold[m, "growth"] : fold_memory(m)
}

function folded_head() {
	return fold_line("RANK", "PROCS", "MEMORY", "ANON", "FILE", "SHMEM", "SWAP", "PTABLE", "GROWTH", "CGROUP")
}

function fold_line(rank, procs, memory, anon, file_pages, shmem, swap, pgtables, growth, name,   s) {
	s = right(rank, 4) right(procs, 7) right(memory, 8)
	if (!wide || wide >= 78)
		s = s " = " right(anon, 6) right(file_pages, 7) right(shmem, 7) right(swap, 7) right(pgtables, 7)
	if (with_growth)
		s = s right(growth, 8)
	return clip(s "  " middle(name, wide - length(s) - 2))
}

function print_folded(   i, j, m, s) {
	for (i = 2; i <= folds && sorting != ""; i++)
		for (j = i; j > 1 && fold_value(fold_name[j]) > fold_value(fold_name[j - 1]); j--) {
			m = fold_name[j]
			fold_name[j] = fold_name[j - 1]
			fold_name[j - 1] = m
		}
	for (i = 1; i <= folds && i <= rows; i++) {
		printed++
		m = fold_name[i]
		s = fold_line(fold[m, "rank"], fold_count[m], size(fold_memory(m)), size(fold[m, "anon"]), size(fold[m, "file"]), size(fold[m, "shmem"]), size(fold[m, "swap"]), size(fold[m, "pgtables"]), fold[m, "growth"] ? size(whole(fold[m, "growth"])) : "-", shown(m))
		print fold[m, "dies"] ? paint("31", s) : s
	}
}
