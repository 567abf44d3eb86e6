# SPDX-License-Identifier: GPL-2.0
# The command "memory", over sheet.awk, which why and the report use too.

function on_row() {
}

END {
	if (!dying && !unread("memory")) {
		if (json)
			json_sheet()
		else
			print_sheet()
	}
}
