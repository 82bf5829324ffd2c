# shellcheck shell=sh
# The engines deployed on a host and what they do, in one round trip: POSIX sh, no agent, read-only.
# `mark` comes as in facts.sh; $1 is how long to observe the threads in seconds (0: one reading), $2... are the slots.
# What an engine's account can prepare is read within bounds of time and bytes; a text that reaches its bound has no line
# NAME.whole and counts as not read.
# The kernel says what is running: the bytes behind /proc/PID/exe, whatever its path refers to by now.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
mark=${mark:?the controller sends it} window=$1
shift
section() { printf '%s %s/%s\n' "$mark" "$slot" "$1"; }
pid_of() { systemctl show --property=MainPID --value "hft-engine-$1.service"; }
plain() { # a regular file, in time: a pipe in its place would wait for a writer
    [ -f "$1" ] && timeout --kill-after=2 5 head -c "$2" "$1"
}
config_of() { plain "/etc/hft/engine/$1/config.json" 65536 2>/dev/null; }
page_of() { config_of "$1" | grep -o '"metrics_page":"[^"]*"' | cut -d'"' -f4; }

whole() { # $1 section, $2 bytes at most, then the command
    name=$1 most=$2
    shift 2
    section "$name"
    text=$(timeout --kill-after=2 20 "$@" 2>/dev/null | head -c "$most")
    printf '%s\n' "$text"
    [ "${#text}" -ge "$most" ] || section "$name.whole"
}

page() { # its directory is the engine's own: opened as its account, and never through a link, nor waiting for a pipe
    user=$(systemctl show --property=User --value "hft-engine-$1.service" 2>/dev/null)
    set -- dd if="$(page_of "$1")" iflag=nofollow,nonblock bs=131072 count=1 status=none
    [ -z "$user" ] || set -- setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups -- "$@"
    timeout --kill-after=2 5 "$@" 2>/dev/null | head -c 131072 | base64 -w 0
    echo
}

watched() { # of every slot, at the moment $when
    for slot; do
        pid=$(pid_of "$slot")
        [ "${pid:-0}" != 0 ] || continue
        section "$when.stat"
        cat /proc/"$pid"/task/*/stat 2>/dev/null | head -c 524288
        section "$when.status"
        grep -shE '^(Pid|Cpus_allowed_list|nonvoluntary_ctxt_switches|Seccomp):' /proc/"$pid"/task/*/status | head -c 524288
        section "$when.count"
        find "/proc/$pid/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
        section "$when.page"
        page "$slot"
    done
}

for slot; do
    pid=$(pid_of "$slot")
    section unit
    systemctl show --property=MainPID,ActiveState,NRestarts "hft-engine-$slot.service"
    section link
    readlink -f "/opt/hft/slots/$slot"
    section cpus
    config_of "$slot" | grep -o '"cpus":{[^}]*}'
    release=$(readlink -f "/opt/hft/slots/$slot")
    # shellcheck disable=SC2016 # the inner shell expands it
    whole manifest 524288 sh -c '[ -f "$1" ] && cat "$1"' sh "$release/engine.json"
    # shellcheck disable=SC2016 # the inner shell expands it
    [ -d "$release" ] && whole files 524288 sh -c \
        'cd "$1" && { find . ! -type d ! -name engine.json -type f -exec sha256sum {} +; find . ! -type d ! -type f; }' sh "$release"
    [ "${pid:-0}" != 0 ] || continue
    section exe
    readlink "/proc/$pid/exe"
    timeout --kill-after=2 20 sha256sum <"/proc/$pid/exe" | cut -c1-64
    section cgroup
    cat "/sys/fs/cgroup/hft.slice/hft-engine.slice/hft-engine-$slot.service/cgroup.threads"
    whole smaps 3145728 grep -E '^([0-9a-f]+-|Rss:|KernelPageSize:|VmFlags:)' "/proc/$pid/smaps"
    whole numa 1048576 cat "/proc/$pid/numa_maps"
done
when=before
watched "$@"
if [ "$window" != 0 ]; then
    sleep "$window"
    when=after
    watched "$@"
fi
slot=
section end
