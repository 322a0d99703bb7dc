# SPDX-License-Identifier: GPL-3.0-or-later
# bash completion for orbweaver

_orbweaver() {
  local cur prev words cword
  _init_completion -s || return
  local command= word
  for word in "${words[@]:1:cword-1}"; do
    case $word in observe | stats | top) command=$word && break ;; esac
  done
  case $command:$prev in
    observe:-i | observe:--input)
      _filedir
      COMPREPLY+=($(compgen -W "$(command ls /sys/class/net 2>/dev/null)" -- "$cur"))
      return
      ;;
    observe:-o | observe:--output | observe:--summary) _filedir && return ;;
    observe:--reader) COMPREPLY=($(compgen -W 'auto mapped libtrace' -- "$cur")) && return ;;
    observe:--filter | observe:--snaplen | observe:--count | observe:--*-timeout | observe:--max-flows | \
      observe:--observers | observe:--cpus | observe:--*-mib | observe:--session) return ;;
  esac
  case $command:$cur in
    :-*) COMPREPLY=($(compgen -W '--help --version' -- "$cur")) ;;
    :*) COMPREPLY=($(compgen -W 'observe stats top' -- "$cur")) ;;
    observe:-*)
      COMPREPLY=($(compgen -W '--active-timeout --busy-poll --complete-timeout --count --cpus --digest --filter
        --flow-ring-mib --help --huge-pages --idle-timeout --input --list-chains --max-flows --observers --output
        --packet-ring-mib --promiscuous --reader --session --snaplen --summary' -- "$cur"))
      ;;
    observe:*) COMPREPLY=($(compgen -W "$("$1" observe --list-chains 2>/dev/null | cut -d' ' -f1)" -- "$cur")) ;;
    stats:-*) COMPREPLY=($(compgen -W '--help --json --prometheus --watch' -- "$cur")) ;;
    top:-*) COMPREPLY=($(compgen -W '--help --json --prometheus' -- "$cur")) ;;
    *)
      COMPREPLY=($(compgen -W "$(command ls /dev/shm 2>/dev/null | sed -n 's/^orbweaver\.\(.*\)\.control$/\1/p')" -- "$cur"))
      ;;
  esac
} &&
  complete -F _orbweaver orbweaver
