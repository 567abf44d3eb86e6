# SPDX-License-Identifier: GPL-2.0
# trigger --json without a command: the commands that there are, and the last run.

function on_row() {
}

FNR > 1 && $1 == "command" {
	help = index($0, ": ") ? substr($0, index($0, ": ") + 2) : ""
	name = $2
	sub(/:$/, "", name)
	commands = followed(commands, ",") "{\"name\":" json_text(name) ",\"help\":" json_text(help) "}"
}

FNR > 1 && $1 != "command" && !($1 in told_key) {
	told_key[$1] = 1
	v = key("trigger", $1)
	pairs = followed(pairs, ",") ($1 == "last_command" ? json_text($1) ":" json_text(v) : json_pair($1, v))
}

END {
	if (!dying && !unread("trigger"))
		print "{" pairs ",\"commands\":[" commands "]}"
}
