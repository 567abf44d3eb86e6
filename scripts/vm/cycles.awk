# SPDX-License-Identifier: GPL-2.0
# Reads "nm -A" over the module's objects and prints each dependency cycle between
# files and between groups, and each arrow between groups that runs up. An arrow A -> B
# means: A uses a global symbol that B defines. A group is the folder below module/;
# files directly in module/ are the group "top". Status 1 if anything was printed.
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

{
	colon = index($0, ":")
	file = substr($0, 1, colon - 1)
	sub(/.*module\//, "", file)
	sub(/\.o$/, "", file)
	n = split(substr($0, colon + 1), word, " ")
	symbol = word[n]
	type = word[n - 1]
	add_node("file", file)
	if (type ~ /^[Uvw]$/) {
		uses++
		user[uses] = file
		used[uses] = symbol
	} else if (type ~ /^[A-Z]$/) {
		home[symbol] = file
	}
}

# A graph's nodes are at[graph, 1..nodes[graph]], its arrows are arrow[graph, from, to]
function add_node(graph, name)
{
	if ((graph, name) in known)
		return
	known[graph, name] = 1
	at[graph, ++nodes[graph]] = name
}

function add_arrow(graph, from, to, why)
{
	if (!((graph, from, to) in arrow)) {
		arrow[graph, from, to] = why
		arrows++
	}
}

function group_of(name)
{
	return name ~ /\// ? substr(name, 1, index(name, "/") - 1) : "top"
}

function complain(text)
{
	print text
	bad = 1
}

# The shortest way from start to end along arrows, by breadth: before[node] is the node
# that comes before it. Returns its length, 0 if there is none.
function way(graph, start, end,   queue, head, tail, far, from, to, i)
{
	split("", before)
	queue[tail = 1] = start
	far[start] = 0
	for (head = 1; head <= tail; head++) {
		from = queue[head]
		for (i = 1; i <= nodes[graph]; i++) {
			to = at[graph, i]
			if (!((graph, from, to) in arrow) || (to in before))
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

function print_cycle(graph, start,   text, node)
{
	way(graph, start, start)
	node = start
	do {
		text = " -> " node " (" arrow[graph, before[node], node] ")" text
		node = before[node]
	} while (node != start)
	complain("  " start text)
}

# Nodes that reach each other are one knot: prints their names and a shortest cycle
function find_knots(graph,   i, j, size, names, least, best, around, told)
{
	for (i = 1; i <= nodes[graph]; i++) {
		if (at[graph, i] in told)
			continue
		size = best = 0
		names = ""
		for (j = i; j <= nodes[graph]; j++) {
			if (!way(graph, at[graph, i], at[graph, j]) || !way(graph, at[graph, j], at[graph, i]))
				continue
			told[at[graph, j]] = 1
			size++
			names = names " " at[graph, j]
			around = way(graph, at[graph, j], at[graph, j])
			if (!best || around < least) {
				least = around
				best = at[graph, j]
			}
		}
		if (size) {
			complain("a cycle among " size " " graph "s:" names)
			print_cycle(graph, best)
		}
	}
}

END {
	for (i = 1; i <= nodes["file"]; i++)
		add_node("group", group_of(at["file", i]))
	for (i = 1; i <= nodes["group"]; i++)
		if (!(at["group", i] in height))
			complain("the group " at["group", i] " has no place in the order: " ORDER)
	for (i = 1; i <= uses; i++) {
		if (!(used[i] in home) || home[used[i]] == user[i])
			continue
		add_arrow("file", user[i], home[used[i]], used[i])
		from = group_of(user[i])
		to = group_of(home[used[i]])
		if (from == to)
			continue
		add_arrow("group", from, to, user[i] " uses " used[i])
		if (height[from] <= height[to])
			up[++ups] = "an arrow up: " user[i] " -> " home[used[i]] " (" used[i] ")"
	}
	if (!arrows)
		complain("no file uses another: these are not the module's objects")
	find_knots("file")
	find_knots("group")
	for (i = 1; i <= ups; i++)
		complain(up[i])
	exit bad
}
