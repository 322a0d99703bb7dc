# SPDX-License-Identifier: GPL-3.0-or-later
# fish completion for orbweaver

function __orbweaver_chains
    orbweaver observe --list-chains 2>/dev/null | string replace -r ' +' \t
end

function __orbweaver_sessions
    ls /dev/shm 2>/dev/null | string replace -rf '^orbweaver\.(.*)\.control$' '$1'
end

set -l observe '__fish_seen_subcommand_from observe'
set -l look '__fish_seen_subcommand_from stats top'
complete -c orbweaver -f
complete -c orbweaver -n __fish_use_subcommand -a observe -d 'Measure flows passively'
complete -c orbweaver -n __fish_use_subcommand -a stats -d 'Show the counters of a running session'
complete -c orbweaver -n __fish_use_subcommand -a top -d 'The same each second'
complete -c orbweaver -n __fish_use_subcommand -l version -d 'Print the version'
complete -c orbweaver -n $observe -a '(__orbweaver_chains)'
complete -c orbweaver -n $observe -s i -l input -rF -d 'What to read'
complete -c orbweaver -n $observe -l reader -xa 'auto mapped libtrace' -d 'Who reads capture files'
complete -c orbweaver -n $observe -s o -l output -rF -d 'Where flows go'
complete -c orbweaver -n $observe -l summary -rF -d 'Counters and ledger as JSON'
for option in filter snaplen count idle-timeout complete-timeout active-timeout max-flows observers cpus packet-ring-mib flow-ring-mib session
    complete -c orbweaver -n $observe -l $option -x
end
for flag in promiscuous digest huge-pages busy-poll list-chains
    complete -c orbweaver -n $observe -l $flag
end
complete -c orbweaver -n $look -a '(__orbweaver_sessions)'
complete -c orbweaver -n $look -l json -d 'As JSON'
complete -c orbweaver -n $look -l prometheus -d 'In Prometheus text format'
complete -c orbweaver -n '__fish_seen_subcommand_from stats' -l watch -d 'Again each second'
