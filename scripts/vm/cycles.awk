# SPDX-License-Identifier: GPL-2.0
# Reads "nm -A" over objects and prints each dependency cycle between files, and each
# arrow between groups that runs up: a cycle of groups has one. An arrow A -> B means:
# A uses a global symbol that B defines. A group is a file that ORDER names, or else the
# folder below module/; files directly in module/ are the group "top". Status 1 if
# anything was printed.
#
# ORDER: the groups from the bottom up; those joined by "," may not use one another.

BEGIN {
	levels = split(ORDER, level, " ")
	for (i = 1; i <= levels; i++) {
		n = split(level[i], group, ",")
		for (j = 1; j <= n; j++)
			height[group[j]] = i
	}
}

# "DIR/module/GROUP/FILE.o:ADDRESS TYPE SYMBOL", or "ARCHIVE:FILE.o:..."
{
	match($0, /[^:]*\.o:/)
	file = substr($0, RSTART, RLENGTH - 3)
	sub(/.*module\//, "", file)
	if (!(file in known)) {
		known[file] = 1
		files[++nodes] = file
	}
	symbol = $NF
	type = $(NF - 1)
	if (type ~ /^[Uvw]$/) {
		uses++
		user[uses] = file
		used[uses] = symbol
	} else if (type ~ /^[A-Z]$/) {
		home[symbol] = file
	}
}

function group_of(file)
{
	if (file in height)
		return file
	return file ~ /\// ? substr(file, 1, index(file, "/") - 1) : "top"
}

function complain(text)
{
	print text
	bad = 1
}

# The shortest way from start to end along arrows, by breadth: before[file] is the file
# that comes before it. Returns its length, 0 if there is none.
function way(start, end,   queue, head, tail, far, from, to, i)
{
	split("", before)
	queue[tail = 1] = start
	far[start] = 0
	for (head = 1; head <= tail; head++) {
		from = queue[head]
		for (i = 1; i <= nodes; i++) {
			to = files[i]
			if (!((from, to) in arrow) || (to in before))
				continue
			before[to] = from
			if (to == end)
				return far[from] + 1
			if (to != start) {
				far[to] = far[from] + 1
				queue[++tail] = to
			}
		}
	}
	return 0
}

function print_cycle(start,   text, file)
{
	way(start, start)
	file = start
	do {
		text = " -> " file " (" arrow[before[file], file] ")" text
		file = before[file]
	} while (file != start)
	complain("  " start text)
}

# Files that reach each other are one knot: prints their names and a shortest cycle
function find_knots(   i, j, size, names, least, best, around, told)
{
	for (i = 1; i <= nodes; i++) {
		if (files[i] in told)
			continue
		size = best = 0
		names = ""
		for (j = i; j <= nodes; j++) {
			if (!way(files[i], files[j]) || !way(files[j], files[i]))
				continue
			told[files[j]] = 1
			size++
			names = names " " files[j]
			around = way(files[j], files[j])
			if (!best || around < least) {
				least = around
				best = files[j]
			}
		}
		if (size) {
			complain("a cycle among " size " files:" names)
			print_cycle(best)
		}
	}
}

END {
	for (i = 1; i <= nodes; i++)
		if (!(group_of(files[i]) in height))
			complain(files[i] " has no place in the order: " ORDER)
	for (i = 1; i <= uses; i++) {
		if (!(used[i] in home) || home[used[i]] == user[i])
			continue
		to = home[used[i]]
		if ((user[i], to) in arrow)
			continue
		arrow[user[i], to] = used[i]
		arrows++
		if (group_of(user[i]) != group_of(to) && height[group_of(user[i])] <= height[group_of(to)])
			up[++ups] = "an arrow up: " user[i] " -> " to " (" used[i] ")"
	}
	if (!arrows)
		complain("no file uses another: these are not our objects")
	find_knots()
	for (i = 1; i <= ups; i++)
		complain(up[i])
	exit bad
}
