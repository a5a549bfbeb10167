# fish completion for mailward(1)

set -l commands scan events explain rules help
set -l logs "__fish_seen_subcommand_from scan events explain"
set -l judging "__fish_seen_subcommand_from scan explain"
set -l daemons "(mailward rules list 2>/dev/null | awk 'NR > 1 && NF == 0 { exit } NR > 1 { print \$1 }')"

complete -c mailward -n "not __fish_seen_subcommand_from $commands" -f
complete -c mailward -n "not __fish_seen_subcommand_from $commands" -a scan -d "read logs and print who attacks"
complete -c mailward -n "not __fish_seen_subcommand_from $commands" -a events -d "print each recognised event"
complete -c mailward -n "not __fish_seen_subcommand_from $commands" -a explain -d "why an address is, or is not, an offender"
complete -c mailward -n "not __fish_seen_subcommand_from $commands" -a rules -d "what is known about log lines"
complete -c mailward -n "not __fish_seen_subcommand_from $commands" -a help -d "name the options of a command"
complete -c mailward -n "__fish_seen_subcommand_from rules; and not __fish_seen_subcommand_from list check test" -f -a "list check test"
complete -c mailward -n "__fish_seen_subcommand_from rules; and __fish_seen_subcommand_from list" -f -a $daemons
complete -c mailward -n "__fish_seen_subcommand_from rules; and __fish_seen_subcommand_from check test" -a $daemons
complete -c mailward -n "__fish_seen_subcommand_from help" -f -a "scan events explain rules"

complete -c mailward -s h -l help -d "name the options of a command"
complete -c mailward -l version -d "print the version"
complete -c mailward -l config -r -d "read this configuration"
complete -c mailward -l now -x -d "take this instant for the present"
complete -c mailward -l color -x -a "auto always never" -d "colours"
complete -c mailward -s v -l verbose -d "say more"
complete -c mailward -s q -l quiet -d "results and errors only"

complete -c mailward -n "$logs" -l since -x -a "90m 24h 7d" -d "from then on"
complete -c mailward -n "$logs" -l until -x -a "90m 24h 7d" -d "before then"
complete -c mailward -n "$logs" -l timezone -x -a "UTC (timedatectl list-timezones 2>/dev/null)" -d "of stamps without one"
complete -c mailward -n "$logs" -l year -x -d "of the last line"
complete -c mailward -n "$logs; or __fish_seen_subcommand_from rules" -l rules -x -a "(__fish_complete_directories)" -d "more rule files"
complete -c mailward -n "$logs" -l threads -x -d "how many"
complete -c mailward -n "$judging" -l policy -r -a "default strikes tries any" -d "what makes an offender"
complete -c mailward -n "$judging" -l limit -x -d "instead of every limit"
complete -c mailward -n "$judging" -l ban -x -a "24h 7d" -d "instead of every ban"
complete -c mailward -n "$judging" -l local-domain -x -d "a domain served here"
complete -c mailward -n "$judging" -l ignore -r -d "never an offender"
complete -c mailward -n "__fish_seen_subcommand_from scan" -l format -x -a "table plain counts csv json ndjson" -d "of the output"
complete -c mailward -n "__fish_seen_subcommand_from events" -l format -x -a "ndjson json" -d "of the output"
complete -c mailward -n "__fish_seen_subcommand_from events" -l unknown -d "lines that no rule explains"
complete -c mailward -n "__fish_seen_subcommand_from explain" -l format -x -a "text json" -d "of the output"
complete -c mailward -n "$logs" -a "journal:" -d "the systemd journal"
