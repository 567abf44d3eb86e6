# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
# The options of each command, so that the words of a command line may come as
# getopt(3) has them: -n3, -an 3, --memcg=/x.

# options_of COMMAND: its letters into LETTERS, its long names into NAMES; those with a
# colon take a value
# shellcheck disable=SC2034 # for oomlens' loop over the words
options_of()
{
	LETTERS='' NAMES=''
	case $1 in
	top) LETTERS='d: n: 1 a' NAMES='memcg: nodes: self' ;;
	rank) LETTERS='n: a' NAMES='memcg: nodes: json self' ;;
	whatif) LETTERS='n:' NAMES='memcg: nodes: json self behind:' ;;
	why) NAMES='json' ;;
	events) LETTERS='n: f' NAMES='json follow settle new' ;;
	history) LETTERS='n:' NAMES='json' ;;
	forecast) NAMES='within: json' ;;
	overcommit | status) NAMES='json' ;;
	commit) LETTERS='n:' NAMES='json memcg shared' ;;
	objects) LETTERS='n:' NAMES='json' ;;
	memory) NAMES='json' ;;
	report) LETTERS='o:' NAMES='html json self' ;;
	metrics) LETTERS='o:' NAMES='state:' ;;
	check) LETTERS='o:' NAMES='json metrics' ;;
	rehearse) NAMES='json keep:' ;;
	trigger) NAMES='json in:' ;;
	esac
}

# takes OPTION LIST: 0 with a value, 1 without, 2 no such option
takes()
{
	case " $2 " in
	*" $1: "*) return 0 ;;
	*" $1 "*) return 1 ;;
	esac
	return 2
}
