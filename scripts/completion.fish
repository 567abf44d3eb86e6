# SPDX-License-Identifier: GPL-2.0
# Completion of oomlens(1) for fish, which quotes what it inserts. The options are those
# that "oomlens COMMAND --help" names.

set -l commands top rank whatif why events history forecast overcommit commit objects memory report metrics save check rehearse trigger reserve status bundle

function __oomlens_pids
    awk '!/^#/ && $2 ~ /^[0-9]+$/ { print $2 }' /proc/oomlens/badness 2>/dev/null
end

function __oomlens_events
    awk '$1 == "event" && $2 ~ /^[0-9]+$/ { print $2 }' /proc/oomlens/events 2>/dev/null
end

function __oomlens_stalls
    awk '$1 == "stall" && $2 ~ /^[0-9]+$/ { print "s" $2 }' /proc/oomlens/history 2>/dev/null
end

# Below the tree of cgroups, as the command takes them
function __oomlens_cgroups
    for d in /sys/fs/cgroup(commandline -ct | string replace -r '^--(memcg|in)=' '')*/
        string replace /sys/fs/cgroup '' (string trim -r -c / $d)
    end
end

complete -c oomlens -f
complete -c oomlens -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c oomlens -n "not __fish_seen_subcommand_from $commands" -l from -x -a '(__fish_complete_directories)'
complete -c oomlens -n "not __fish_seen_subcommand_from $commands" -l log -r -F
complete -c oomlens -n "not __fish_seen_subcommand_from $commands" -l last-boot
complete -c oomlens -n "not __fish_seen_subcommand_from $commands" -s V -l version
complete -c oomlens -s h -l help
complete -c oomlens -n '__fish_seen_subcommand_from top rank whatif events history commit objects' -s n -x
complete -c oomlens -n '__fish_seen_subcommand_from top' -s d -x
complete -c oomlens -n '__fish_seen_subcommand_from top' -o 1
complete -c oomlens -n '__fish_seen_subcommand_from top rank' -s a
complete -c oomlens -n '__fish_seen_subcommand_from top rank whatif' -l memcg -x -a '(__oomlens_cgroups)'
complete -c oomlens -n '__fish_seen_subcommand_from top rank whatif' -l nodes -x
complete -c oomlens -n '__fish_seen_subcommand_from whatif' -l behind -x -a '(__oomlens_pids)'
complete -c oomlens -n '__fish_seen_subcommand_from check rehearse' -F
complete -c oomlens -n '__fish_seen_subcommand_from rehearse' -l keep -x -a '(__fish_complete_directories)'
complete -c oomlens -n '__fish_seen_subcommand_from trigger' -l in -x -a '(__oomlens_cgroups)'
complete -c oomlens -n '__fish_seen_subcommand_from top rank whatif report' -l self
complete -c oomlens -n '__fish_seen_subcommand_from rank whatif why events history forecast overcommit commit objects memory report check rehearse trigger status' -l json
complete -c oomlens -n '__fish_seen_subcommand_from whatif commit objects' -a '(__oomlens_pids)'
complete -c oomlens -n '__fish_seen_subcommand_from why events' -a '(__oomlens_events)'
complete -c oomlens -n '__fish_seen_subcommand_from why' -a '(__oomlens_stalls)'
complete -c oomlens -n '__fish_seen_subcommand_from events' -s f -l follow
complete -c oomlens -n '__fish_seen_subcommand_from events' -l new
complete -c oomlens -n '__fish_seen_subcommand_from events' -l settle
complete -c oomlens -n '__fish_seen_subcommand_from forecast' -l within -x
complete -c oomlens -n '__fish_seen_subcommand_from commit' -l memcg
complete -c oomlens -n '__fish_seen_subcommand_from commit' -l shared
complete -c oomlens -n '__fish_seen_subcommand_from report' -l html
complete -c oomlens -n '__fish_seen_subcommand_from check' -l metrics
complete -c oomlens -n '__fish_seen_subcommand_from check report metrics' -s o -r -F
complete -c oomlens -n '__fish_seen_subcommand_from metrics' -l state -r -F
complete -c oomlens -n '__fish_seen_subcommand_from save' -x -a '(__fish_complete_directories)'
complete -c oomlens -n '__fish_seen_subcommand_from trigger' -a 'kill pid= pressure outcome=avert outcome=kill leave= hold= limit= timeout= memcg'
