#!/bin/sh
# The made host has no running service manager. What only concerns unit files goes to the real systemctl(1), which
# needs none; for the rest this answers in its place, alike for every tool. A unit runs when its control group
# holds a process, which is also where every reader of this host looks; starting and stopping write just that.
verb=
units=
words=
for word in "$@"; do
  case $word in
    --now) ;; # would ask the manager that is not there
    -*) words="$words $word" ;;
    *)
      words="$words $word"
      if [ -z "$verb" ]; then verb=$word; else units="$units $word"; fi
      ;;
  esac
done

group() {
  case $1 in
    hft-standin@* | hft-engine-*) printf '/sys/fs/cgroup/hft.slice/hft-engine.slice/%s' "$1" ;;
    *) printf '/sys/fs/cgroup/system.slice/%s' "$1" ;;
  esac
}

state() {
  if [ -s "$(group "$1")/cgroup.procs" ]; then echo active; else echo inactive; fi
}

start() {
  mkdir -p "$(group "$1")" && echo 1 >"$(group "$1")/cgroup.procs"
}

case $verb in
  enable | disable | mask | unmask | is-enabled | list-unit-files | cat)
    # shellcheck disable=SC2086 # the words of the command, one each
    exec /run/systemctl.real $words
    ;;
  show)
    first=1
    for unit in $units; do
      [ "$first" ] || echo
      first=
      echo "ActiveState=$(state "$unit")"
    done
    ;;
  is-active)
    if for unit in $units; do state "$unit"; done | grep -qx active; then echo active; else
      echo inactive
      exit 3
    fi
    ;;
  start | restart) for unit in $units; do start "$unit"; done ;;
  stop | kill) for unit in $units; do rm -rf "$(group "$unit")"; done ;;
  is-system-running) echo running ;;
esac
exit 0
