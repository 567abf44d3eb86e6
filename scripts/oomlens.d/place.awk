# SPDX-License-Identifier: GPL-2.0
# What a cgroup's path tells (a unit of systemd, a container, a pod), and which command
# raises the limit there or shows what is in it. With why.awk.
#
# In: cgroups (where this machine has its cgroups; empty: the event is not of here).

function facts_place(n,   path, held) {
	path = rec(n, "memcg", 1, "path")
	find_container(path)
	T["place"] = place_text()
	T["limit_raise"] = limit_raise(n, path)
	T["swap_allow"] = swap_allow(n, path)
	held = held_then(n)
	if (populated(path))
		T["look_inside"] = "Find out what grew in it: " command("oomlens rank --memcg " quoted(path))
	else
		T["look_inside"] = held == "" ? "" : "What was in it then, by points: " held "."
}

# The candidates of that OOM, as the cgroup may be gone by now
function held_then(n,   i, k, s) {
	for (i = 1; i <= count(n, "candidate") && k < 5; i++)
		if (rec(n, "candidate", i, "rank") != "-") {
			k++
			s = followed(s, ", ") named(rec(n, "candidate", i, "comm"), rec(n, "candidate", i, "pid")) " " bytes(rec(n, "candidate", i, "points"))
		}
	return s
}

# Is there a process in it now, or below it?
function populated(path,   raw, line, got) {
	if (cgroups == "" || path !~ /^\//)
		return 0
	raw = cgroups "" unescaped(path)
	while ((getline line < (raw "/cgroup.events")) > 0)
		if (line == "populated 1")
			got = 1
	close(raw "/cgroup.events")
	# Version 1 has no such file.
	if (!got && (getline line < (raw "/cgroup.procs")) > 0)
		got = line != ""
	close(raw "/cgroup.procs")
	return got
}

function unescaped(path,   n, i, s) {
	n = unescape(path)
	for (i = 1; i <= n; i++)
		s = s sprintf("%c", B[i])
	return s
}

# ---- what the path names ----

# A path's last name as it is; empty if it has another escape than that of a backslash
function last_name(path,   n, part, s, out, p) {
	n = split(path, part, "/")
	s = part[n]
	while ((p = index(s, "\\134"))) {
		if (index(s, "\\") < p)
			return ""
		out = out substr(s, 1, p - 1) "\\"
		s = substr(s, p + 4)
	}
	return index(s, "\\") ? "" : out s
}

function unit_of(path,   s) {
	s = last_name(path)
	return s ~ /^[A-Za-z0-9:_.@\\-]+\.(service|scope|slice|socket|mount|swap)$/ && s !~ /^-/ ? s : ""
}

# Of a unit below user@N.service, which that user's own systemd has, the N
function user_of(path,   s) {
	if (!match(path, /\/user@[0-9]+\.service\//))
		return ""
	s = substr(path, RSTART + 6, RLENGTH - 6)
	sub(/\..*/, "", s)
	return s
}

# Into CONTAINER and POD their ids, ENGINE the container's command; LIMITED: which of
# them the path's last name is
function find_container(path,   n, i, part, s) {
	CONTAINER = POD = ENGINE = LIMITED = ""
	n = split(path, part, "/")
	for (i = 1; i <= n; i++) {
		s = part[i]
		sub(/\.(scope|slice)$/, "", s)
		if (match(s, /^([a-z-]*-)?pod[0-9a-f][0-9a-f_-]+$/) && length(s) >= 35) {
			sub(/^([a-z-]*-)?pod/, "", s)
			gsub(/_/, "-", s)
			POD = s
			if (i == n)
				LIMITED = "pod"
			continue
		}
		if (!match(s, /[0-9a-f]+$/) || RLENGTH != 64)
			continue
		CONTAINER = substr(s, RSTART, 12)
		ENGINE = engine(substr(s, 1, RSTART - 1), part[i - 1])
		if (i == n)
			LIMITED = "container"
	}
}

function engine(prefix, above) {
	if (prefix == "docker-" || (prefix == "" && above == "docker"))
		return "docker"
	if (prefix == "libpod-" || (prefix == "" && above == "libpod_parent"))
		return "podman"
	if (POD != "" || prefix ~ /^(cri-containerd|crio)-$/)
		return "crictl"
	return ""
}

function place_text(   s) {
	s = CONTAINER == "" ? "" : "container " CONTAINER
	if (POD != "")
		s = followed(s, " of ") "pod " POD
	return s == "" ? "" : " It is " (LIMITED == "" ? "a part of " : "") s "."
}

# ---- what raises the limit ----

# A command of an advice is not broken over lines: wrapped() has a tab for a blank.
function command(s) {
	gsub(/ /, "\t", s)
	return s
}

function as_user(path) {
	return user_of(path) == "" ? "" : "as user " user_of(path) ", "
}

function set_property(path, setting) {
	return command("systemctl " (user_of(path) == "" ? "" : "--user ") "set-property " word_of_shell(unit_of(path)) " " setting)
}

function word_of_shell(s) {
	return s ~ /^[A-Za-z0-9:_.@-]+$/ ? s : quoted(s)
}

function limit_raise(n, path,   twice) {
	twice = round_size(2 * num(rec(n, "memcg", 1, "limit")))
	if (LIMITED == "pod" || (LIMITED == "container" && POD != ""))
		return "Raise resources.limits.memory in the pod's specification. Its name: " name_of_pod()
	if (LIMITED == "container" && ENGINE == "docker")
		return "Raise the container's limit, here to twice as much: " as_user(path) command("docker update --memory " twice " --memory-swap " round_size(4 * num(rec(n, "memcg", 1, "limit"))) " " CONTAINER)
	if (LIMITED == "container" && ENGINE == "podman")
		return "Raise the container's limit, here to twice as much: " as_user(path) command("podman update --memory " twice " " CONTAINER)
	if (unit_of(path) != "")
		return "Raise the unit's limit, here to twice as much: " as_user(path) set_property(path, "MemoryMax=" twice)
	return "Raise " T["limit_file"] (F["swap_limited"] ? " (and " T["swap_file"] ")" : "") " of " T["path"] "."
}

function swap_allow(n, path) {
	if (CONTAINER == "" && POD == "" && unit_of(path) != "")
		return "Allow it swap, here as much as memory: " as_user(path) set_property(path, "MemorySwapMax=" round_size(num(rec(n, "memcg", 1, "limit"))))
	return "Allow it swap: " T["swap_file"] " of " T["path"] "."
}

function name_of_pod() {
	return command(LIMITED == "pod" ? "crictl pods --label io.kubernetes.pod.uid=" POD : "crictl ps -a --id " CONTAINER)
}

# What has its limits: of a unit the command with these settings, a pod's specification
function limits_of(path, settings) {
	find_container(path)
	if (POD != "" && LIMITED != "")
		return "resources.limits.memory in the pod's specification; its name: " name_of_pod()
	if (unit_of(path) != "" && CONTAINER == "" && POD == "")
		return as_user(path) set_property(path, settings)
	return ""
}

# A first limit for what had none
function limit_set(path,   s) {
	s = limits_of(path, "MemoryMax=SIZE")
	return s == "" ? "memory.max of its cgroup (MemoryMax= of its unit)" : s
}

# Where a program that is started anew gets its oom_score_adj from
function adj_lower(path, adj,   lower) {
	find_container(path)
	lower = num(adj) > 0 ? 0 : -500
	if (POD != "")
		return "requests equal to limits, of memory and of CPU in each of its containers, in the specification of pod " POD " do so (QoS class Guaranteed)"
	if (ENGINE == "docker" || ENGINE == "podman")
		return "make container " CONTAINER " anew, " as_user(path) "with " command(ENGINE " run --oom-score-adj " lower)
	if (unit_of(path) ~ /\.service$/ && CONTAINER == "")
		return "OOMScoreAdjust= of its unit, " as_user(path) command("systemctl " (user_of(path) == "" ? "" : "--user ") "edit " word_of_shell(unit_of(path)))
	return "start it by " command("choom -n " lower " -- COMMAND")
}

# Pages for a command line; SIZE where they are not known
function round_size(pages,   kb) {
	kb = pages * page_kb()
	if (kb <= 0)
		return "SIZE"
	return kb < 1024 ? whole(kb) "K" : whole(int(kb / 1024)) "M"
}
