# SPDX-License-Identifier: GPL-3.0-or-later
# Shows that something long goes on; sourced by tools/demo and tools/check.

# follow LOG PID: until the process ends, shows the last line of its log: in place on a terminal, else twice a minute.
follow() {
  local log=$1 pid=$2 line shown= next=$((SECONDS + 30))
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.5
    line=$(tail -n 1 "$log" 2>/dev/null || true)
    if [ -t 1 ]; then
      printf '\r\033[K%.*s' "$((${COLUMNS:-80} - 1))" "$line"
    elif [ $SECONDS -ge $next ]; then
      next=$((SECONDS + 30))
      [ "$line" = "$shown" ] || printf '  %s\n' "$line"
      shown=$line
    fi
  done
  [ ! -t 1 ] || printf '\r\033[K'
}
