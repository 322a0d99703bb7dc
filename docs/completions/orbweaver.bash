# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for orbweaver

_orbweaver() {
  local cur prev words cword
  _init_completion -s || return
  local command= word
  for word in "${words[@]:1:cword-1}"; do
    case $word in observe | measure | filter | metadata | upload | stats | top) command=$word && break ;; esac
  done
  case $command:$prev in
    observe:-i | observe:--input)
      _filedir
      COMPREPLY+=($(compgen -W "$(command ls /sys/class/net 2>/dev/null)" -- "$cur"))
      return
      ;;
    measure:-i | measure:--interface)
      COMPREPLY=($(compgen -W "$(command ls /sys/class/net 2>/dev/null)" -- "$cur"))
      return
      ;;
    *:--rotate) COMPREPLY=($(compgen -W '5m 1h 1GiB' -- "$cur")) && return ;;
    *:--keep) COMPREPLY=($(compgen -W '7d 100GiB' -- "$cur")) && return ;;
    *:--rotate-command) COMPREPLY=($(compgen -c -- "$cur")) && return ;;
    observe:-o | measure:-o | *:--output | *:--summary | measure:--input | filter:--input | upload:--metadata)
      _filedir && return
      ;;
    observe:--format) COMPREPLY=($(compgen -W 'ndjson csv' -- "$cur")) && return ;;
    observe:--complete | measure:--complete) COMPREPLY=($(compgen -W 'any all never' -- "$cur")) && return ;;
    observe:--on-link-loss | measure:--on-link-loss) COMPREPLY=($(compgen -W 'wait stop' -- "$cur")) && return ;;
    observe:--reader) COMPREPLY=($(compgen -W 'auto mapped libtrace' -- "$cur")) && return ;;
    observe:--flow-key) COMPREPLY=($(compgen -W 'vlan tunnel icmp-id vlan,tunnel,icmp-id' -- "$cur")) && return ;;
    observe:--decapsulate) COMPREPLY=($(compgen -W 'all gre erspan vxlan geneve gtp ipip 6in4 teredo l2tp mpls pppoe etherip' -- "$cur")) && return ;;
    observe:--deduplicate | observe:--filter | *:--clock-tolerance | observe:--snaplen | observe:--count | observe:--*-timeout | observe:--max-flows | \
      observe:--observers | observe:--restart | observe:--cpus | observe:--*-mib | observe:--session) return ;;
    measure:--connect)
      COMPREPLY=($(compgen -W 'tcp http https dnstcp dnsudp tcpsyn' -- "$cur"))
      return
      ;;
    measure:-w | measure:--workers | measure:--rate | measure:--timeout | measure:--source | measure:--public-address | measure:--asn | \
      measure:--look-up-public | measure:--filter | measure:--*-timeout | measure:--max-flows | measure:--settle | \
      measure:--missed-after | measure:--observers | measure:--restart | measure:--cpus | measure:--*-mib | measure:--session | \
      filter:--dp | metadata:--extra | upload:--url | upload:--campaign | upload:--token | upload:--add | \
      upload:--retries) return ;;
    metadata:-t | metadata:--filetype) COMPREPLY=(ps-ndjson) && return ;;
  esac
  case $command:$cur in
    :-*) COMPREPLY=($(compgen -W '--help --verbose --version' -- "$cur")) ;;
    :*) COMPREPLY=($(compgen -W 'observe measure filter metadata upload stats top' -- "$cur")) ;;
    observe:-*)
      COMPREPLY=($(compgen -W '--active-timeout --busy-poll --clock-tolerance --complete --complete-timeout --config --count --cpus --decapsulate --deduplicate --digest --filter --follow
        --flow-key --flow-memory-mib --flow-ring-mib --format --help --huge-pages --idle-timeout --input --json --kernel-buffer-mib --link-timeout
        --list-chains --max-flows --no-sandbox --observers --on-full --on-link-loss --output --packet-ring-mib --promiscuous --reader --restart --rotate --rotate-command --keep --session --snaplen --summary --sync --user --verbose' -- "$cur"))
      ;;
    observe:*) COMPREPLY=($(compgen -W "$("$1" observe --list-chains 2>/dev/null | sed -n 's/^\([a-z0-9_-]*\):.*/\1/p')" -- "$cur")) ;;
    measure:-*)
      COMPREPLY=($(compgen -W '--active-timeout --asn --busy-poll --clock-tolerance --complete --complete-timeout --config --connect --cpus --csv --csv-input
        --filter --flow-memory-mib --flow-ring-mib --help --huge-pages --idle-timeout --input --interface --job-ring-mib
        --kernel-buffer-mib --link-timeout --look-up-public --max-flows --missed-after --no-sandbox --observers --on-full --on-link-loss --output --output-flows --packet-ring-mib --public-address --rate --restart --rotate --rotate-command --keep
        --session --settle --source --summary --sync --timeout --user --verbose --workers' -- "$cur"))
      ;;
    measure:*)
      COMPREPLY=($(compgen -W "$("$1" measure --help 2>/dev/null | sed -n '/^Plugins:/,/^$/s/^  \([^ ]*\) .*/\1/p')" -- "$cur"))
      ;;
    filter:-*) COMPREPLY=($(compgen -W '--csv --csv-input --dp --help --input --verbose' -- "$cur")) ;;
    metadata:-*) COMPREPLY=($(compgen -W '--extra --filetype --help' -- "$cur")) ;;
    upload:-*)
      COMPREPLY=($(compgen -W '--add --campaign --help --metadata --retries --token --url' -- "$cur"))
      ;;
    filter:*) ;;
    metadata:* | upload:*) _filedir ;;
    stats:-*) COMPREPLY=($(compgen -W '--help --json --prometheus --watch' -- "$cur")) ;;
    top:-*) COMPREPLY=($(compgen -W '--help --json --prometheus' -- "$cur")) ;;
    *)
      COMPREPLY=($(compgen -W "$(command ls /dev/shm 2>/dev/null | sed -n 's/^orbweaver\.\(.*\)\.control$/\1/p')" -- "$cur"))
      ;;
  esac
} &&
  complete -F _orbweaver orbweaver
