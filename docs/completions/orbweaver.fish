# SPDX-License-Identifier: GPL-3.0-or-later
# fish completion for orbweaver

function __orbweaver_chains
    orbweaver observe --list-chains 2>/dev/null | string match -r '^[^ :]+: .*' | string replace ': ' \t
end

function __orbweaver_sessions
    ls /dev/shm 2>/dev/null | string replace -rf '^orbweaver\.(.*)\.control$' '$1'
end

function __orbweaver_plugins
    orbweaver measure --help 2>/dev/null | sed -n '/^Plugins:/,/^$/s/^  \([^ ]*\)  */\1\t/p'
end

set -l observe '__fish_seen_subcommand_from observe'
set -l measure '__fish_seen_subcommand_from measure'
set -l look '__fish_seen_subcommand_from stats top'
complete -c orbweaver -f
complete -c orbweaver -n __fish_use_subcommand -a observe -d 'Measure flows passively'
complete -c orbweaver -n __fish_use_subcommand -a measure -d 'Measure paths actively'
complete -c orbweaver -n __fish_use_subcommand -a filter -d 'Prepare jobs'
complete -c orbweaver -n __fish_use_subcommand -a metadata -d 'Write the metadata of results'
complete -c orbweaver -n __fish_use_subcommand -a upload -d 'Send results to an observatory'
complete -c orbweaver -n __fish_use_subcommand -a stats -d 'Show the counters of a running session'
complete -c orbweaver -n __fish_use_subcommand -a top -d 'The same each second'
complete -c orbweaver -n __fish_use_subcommand -l version -d 'Print the version'
complete -c orbweaver -n $observe -a '(__orbweaver_chains)'
complete -c orbweaver -n $observe -s i -l input -rF -d 'What to read'
complete -c orbweaver -n $observe -l reader -xa 'auto mapped libtrace' -d 'Who reads capture files'
complete -c orbweaver -n $observe -s o -l output -rF -d 'Where flows go'
complete -c orbweaver -n $observe -l format -xa 'ndjson csv' -d 'How flows are written'
complete -c orbweaver -n $observe -l rotate -x -a '5m 1h 1GiB' -d 'A new file after so much time or octets'
complete -c orbweaver -n $observe -l keep -x -a '7d 100GiB' -d 'Remove the oldest files beyond'
complete -c orbweaver -n $observe -l rotate-command -rF -d 'Run for each complete file'
complete -c orbweaver -n $observe -l summary -rF -d 'Counters and ledger as JSON'
complete -c orbweaver -n $observe -l config -rF -d 'Options from a file'
complete -c orbweaver -n $observe -l flow-key -xa 'vlan tunnel icmp-id' -d 'What tells flows apart'
complete -c orbweaver -n $observe -l decapsulate -xa 'all gre erspan vxlan geneve gtp ipip 6in4 teredo l2tp mpls pppoe etherip' -d 'Tunnels to take off'
complete -c orbweaver -n $observe -l deduplicate -x -d 'Frames that come twice within so many milliseconds'
complete -c orbweaver -n $observe -l on-link-loss -xa 'wait stop' -d 'When the interface goes away'
complete -c orbweaver -n $observe -l complete -xa 'any all never' -d 'Whose complete ends a flow'
for option in filter clock-tolerance snaplen count idle-timeout complete-timeout active-timeout max-flows flow-memory-mib observers cpus kernel-buffer-mib link-timeout restart packet-ring-mib flow-ring-mib session user
    complete -c orbweaver -n $observe -l $option -x
end
for flag in follow promiscuous digest huge-pages busy-poll no-sandbox verbose list-chains json
    complete -c orbweaver -n $observe -l $flag
end
complete -c orbweaver -n $measure -a '(__orbweaver_plugins)'
complete -c orbweaver -n $measure -s i -l interface -xa '(ls /sys/class/net)' -d 'Where connections go out'
complete -c orbweaver -n $measure -l input -rF -d 'Jobs'
complete -c orbweaver -n $measure -s o -l output -rF -d 'Where results go'
complete -c orbweaver -n $measure -l rotate -x -a '5m 1h 1GiB' -d 'A new file after so much time or octets'
complete -c orbweaver -n $measure -l keep -x -a '7d 100GiB' -d 'Remove the oldest files beyond'
complete -c orbweaver -n $measure -l rotate-command -rF -d 'Run for each complete file'
complete -c orbweaver -n $measure -l summary -rF -d 'Counters and ledger as JSON'
complete -c orbweaver -n $measure -l connect -xa 'tcp http https dnstcp dnsudp tcpsyn' -d 'Kind of connection'
complete -c orbweaver -n $measure -s w -l workers -x -d 'Connections at once'
complete -c orbweaver -n $measure -l config -rF -d 'Options from a file'
complete -c orbweaver -n $measure -l on-link-loss -xa 'wait stop' -d 'When the interface goes away'
complete -c orbweaver -n $measure -l complete -xa 'any all never' -d 'Whose complete ends a flow'
for option in rate timeout source public-address asn look-up-public filter clock-tolerance idle-timeout complete-timeout active-timeout max-flows flow-memory-mib settle missed-after observers cpus kernel-buffer-mib link-timeout restart packet-ring-mib flow-ring-mib job-ring-mib session user
    complete -c orbweaver -n $measure -l $option -x
end
for flag in csv csv-input output-flows huge-pages busy-poll no-sandbox verbose
    complete -c orbweaver -n $measure -l $flag
end
complete -c orbweaver -n '__fish_seen_subcommand_from filter' -l input -rF -d 'Jobs'
complete -c orbweaver -n '__fish_seen_subcommand_from filter' -l csv-input -d 'Jobs are CSV'
complete -c orbweaver -n '__fish_seen_subcommand_from filter' -l csv -d 'Jobs are CSV'
complete -c orbweaver -n '__fish_seen_subcommand_from filter' -l verbose -d 'Name every bad line'
complete -c orbweaver -n '__fish_seen_subcommand_from filter' -l dp -x -d 'Port for every job'
complete -c orbweaver -n '__fish_seen_subcommand_from metadata' -F
complete -c orbweaver -n '__fish_seen_subcommand_from metadata' -s t -l filetype -xa ps-ndjson
complete -c orbweaver -n '__fish_seen_subcommand_from metadata' -l extra -x -d TAG:VALUE
complete -c orbweaver -n '__fish_seen_subcommand_from upload' -F
complete -c orbweaver -n '__fish_seen_subcommand_from upload' -l metadata -rF
for option in url campaign token add retries
    complete -c orbweaver -n '__fish_seen_subcommand_from upload' -l $option -x
end
complete -c orbweaver -n $look -a '(__orbweaver_sessions)'
complete -c orbweaver -n $look -l json -d 'As JSON'
complete -c orbweaver -n $look -l prometheus -d 'In Prometheus text format'
complete -c orbweaver -n '__fish_seen_subcommand_from stats' -l watch -d 'Again each second'
