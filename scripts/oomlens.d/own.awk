# SPDX-License-Identifier: GPL-2.0
# The tool's own processes, which its tables leave out: the shell that runs it and all
# that this shell has started.
#
# In: self (the shell's pid; empty: nothing is left out).

# True if pid is self or below it. The parents are looked up in /proc.
function own(pid,   p, depth) {
	if (self == "")
		return 0
	for (p = pid; p > 1 && depth < 64; depth++) {
		if (p == self)
			return 1
		p = parent_of(p)
	}
	return 0
}

function parent_of(pid,   line, path, n, word) {
	if (pid in PARENT)
		return PARENT[pid]
	# Or it would grow for ever, and a pid be used again.
	if (++parents_known > 20000)
		forget_parents()
	path = "/proc/" pid "/stat"
	if ((getline line < path) <= 0)
		line = ""
	close(path)
	# The name may hold anything: what follows its last bracket counts.
	n = split(line, word, ")")
	split(word[n], word, " ")
	PARENT[pid] = is_number(word[2]) ? word[2] + 0 : 0
	return PARENT[pid]
}

function forget_parents() {
	parents_known = 0
	split("", PARENT)
}
