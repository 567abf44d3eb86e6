# SPDX-License-Identifier: GPL-2.0
# Stalls, the OOMs that never come: among the events by time, and in sentences. The
# module's history has them; without a history there are none.

function stall(i, k) {
	return row_of("stall", "stall", i, k)
}

# The wall clock's seconds of its beginning
function stall_epoch(i) {
	return now - uptime + num(stall(i, "begin_us")) / 1000000
}

# "-" while it goes on
function stall_us(i) {
	return is_number(stall(i, "end_us")) && is_number(stall(i, "begin_us")) ? whole(stall(i, "end_us") - stall(i, "begin_us")) : "-"
}

function stall_place(i) {
	return stall(i, "memcg") == "/" || stall(i, "memcg") == "-" ? "the machine" : "the cgroup " shown(stall(i, "memcg"))
}

function stall_percent(i) {
	return is_decimal(stall(i, "psi_full_max")) ? whole(stall(i, "psi_full_max")) "%" : "-"
}

function stall_ago(i,   s) {
	s = uptime - num(stall(i, "begin_us")) / 1000000
	return s < 0 ? "now" : duration(whole(s * 1000000)) " ago"
}

# Stall i in a sentence
function stall_text(i,   took) {
	took = stall_us(i)
	took = took == "-" ? "since then" : "for " duration(took)
	return took ", up to " stall_percent(i) " of the time no task of " stall_place(i) " could go on for want of memory, and there was no OOM in it."
}

# The stalls that began in the last ten minutes before event n, in a sentence
function stalls_before(n,   i, s, t, at) {
	at = num(ev(n, "time_us"))
	for (i = 1; i <= stalls; i++) {
		t = num(stall(i, "begin_us"))
		if (t <= at && t > at - 600000000)
			s = followed(s, " ") "Stall " stall_name[i] ", " duration(whole(at - t)) " before: up to " stall_percent(i) " of the time no task of " stall_place(i) " could go on for want of memory."
	}
	return s
}

# The newest stall, if it began after the event (0: at all)
function newest_stall(n,   i, best) {
	for (i = 1; i <= stalls; i++)
		if (!best || num(stall(i, "begin_us")) > num(stall(best, "begin_us")))
			best = i
	return best && (!n || num(stall(best, "begin_us")) > num(ev(n, "time_us"))) ? best : 0
}
