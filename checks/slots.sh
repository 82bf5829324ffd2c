# shellcheck shell=sh
# What the engines deployed on a host are and do, in one round trip: POSIX sh, no agent, read only.
# $1 is the mark of facts.sh, $2 how long to watch the threads in seconds (0: one look), $3... the slots.
# What runs is asked of the kernel: the bytes behind /proc/PID/exe, wherever its path leads by now.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
mark=$1 window=$2
shift 2
section() { printf '%s %s/%s\n' "$mark" "$slot" "$1"; }
pid_of() { systemctl show --property=MainPID --value "hft-engine-$1.service"; }
page_of() { grep -o '"metrics_page":"[^"]*"' "/etc/hft/engine/$1/config.json" | cut -d'"' -f4; }

watched() { # $1 is before or after
    for slot; do
        pid=$(pid_of "$slot")
        [ "${pid:-0}" != 0 ] || continue
        section "$when.stat"
        cat /proc/"$pid"/task/*/stat 2>/dev/null
        section "$when.status"
        grep -sE '^(Pid|Cpus_allowed_list|nonvoluntary_ctxt_switches|Seccomp):' /proc/"$pid"/task/*/status | sed 's/^[^:]*://'
        section "$when.page"
        head -c 131072 "$(page_of "$slot")" 2>/dev/null | base64 -w 0
        echo
    done
}

for slot; do
    pid=$(pid_of "$slot")
    section unit
    systemctl show --property=MainPID,ActiveState,NRestarts "hft-engine-$slot.service"
    section link
    readlink -f "/opt/hft/slots/$slot"
    section cpus
    grep -o '"cpus":{[^}]*}' "/etc/hft/engine/$slot/config.json"
    release=$(readlink -f "/opt/hft/slots/$slot")
    section manifest
    cat "$release/engine.json" 2>/dev/null
    echo
    section files
    [ -d "$release" ] && (cd "$release" && find . ! -type d ! -name engine.json -type f -exec sha256sum {} + ; find . ! -type d ! -type f)
    [ "${pid:-0}" != 0 ] || continue
    section exe
    readlink "/proc/$pid/exe"
    sha256sum <"/proc/$pid/exe" | cut -c1-64
    section cgroup
    cat "/sys/fs/cgroup/hft.slice/hft-engine.slice/hft-engine-$slot.service/cgroup.threads"
    section smaps
    grep -E '^([0-9a-f]+-|Rss:|KernelPageSize:|VmFlags:)' "/proc/$pid/smaps"
    section numa
    cat "/proc/$pid/numa_maps" 2>/dev/null
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
