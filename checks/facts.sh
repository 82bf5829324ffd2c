# shellcheck shell=sh
# Everything the checks read of one host, in one round trip: POSIX sh, no agent, read only.
# $1 is a mark chosen by the controller; a line that starts with it opens a section, and the last one says "end",
# so that an answer cut short is noticed. Files travel as "path NUL line", because a path may contain a colon.
# Further arguments are paths and unit names of a plan that is not on the host yet.
# Some files are left out on purpose: reading vm/stat_refresh or cpufreq's current frequency interrupts every CPU.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
mark=$1
shift
plan=/var/lib/hft/plan.json
section() { printf '%s %s\n' "$mark" "$1"; }

fixed="
$plan
/var/lib/hft/state.json
/etc/machine-id
/proc/cmdline
/proc/interrupts
/proc/irq/default_smp_affinity
/proc/self/mountinfo
/proc/sys/kernel/osrelease
/proc/sys/kernel/random/boot_id
/sys/devices/system/clocksource/clocksource0/available_clocksource
/sys/devices/system/clocksource/clocksource0/current_clocksource
/sys/devices/system/cpu/isolated
/sys/devices/system/cpu/nohz_full
/sys/devices/system/cpu/online
/sys/devices/system/cpu/possible
/sys/kernel/mm/transparent_hugepage/enabled
/sys/kernel/realtime
/boot/grub/grub.cfg
/boot/grub/hft.cfg
"
# What the plan names: paths, and dotted keys, which are sysctls where such a file exists.
named() {
    [ -r "$plan" ] || return 0
    grep -o '"path":"[^"]*"' "$plan" | cut -d'"' -f4 | grep -E '^/(proc|sys)/'
    grep -o '"key":"[a-z][^"]*"' "$plan" | cut -d'"' -f4 | grep -E '^(kernel|vm|net|fs|dev)\.' | tr . / | sed 's|^|/proc/sys/|'
}
paths() { for word in "$@"; do case $word in /proc/* | /sys/*) printf '%s\n' "$word" ;; esac done; }
units() {
    echo irqbalance.service
    for word in "$@"; do case $word in /*) ;; *) printf '%s\n' "$word" ;; esac done
    [ -r "$plan" ] && grep -oE '"(unit|slice)":"[^"]*"' "$plan" | cut -d'"' -f4
}

all=$({ printf '%s\n' "$fixed"; named; paths "$@"; } | grep -v stat_refresh | sort -u)
present='' absent=''
for path in $all; do
    if [ -e "$path" ]; then present="$present $path"; else absent="$absent $path"; fi
done
for path in /proc/irq/[0-9]*/smp_affinity_list /proc/irq/[0-9]*/effective_affinity_list \
    /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list \
    /sys/devices/system/cpu/cpu[0-9]*/topology/physical_package_id \
    /sys/devices/system/node/node[0-9]*/cpulist /sys/devices/system/node/node[0-9]*/hugepages/*/nr_hugepages \
    /sys/fs/cgroup/*.slice/cpuset.cpus.effective /sys/fs/cgroup/*.scope/cpuset.cpus.effective /sys/fs/cgroup/*.slice/*.slice/cpuset.cpus.effective \
    /sys/fs/cgroup/cpuset.cpus.effective /etc/systemd/system/hft-engine-*.service; do
    [ -e "$path" ] && present="$present $path"
done

section present
# shellcheck disable=SC2086 # a list of paths without blanks: one word each
printf '%s\n' $present
section absent
# shellcheck disable=SC2086 # as above
printf '%s\n' $absent
section files
# shellcheck disable=SC2086 # as above
{ refused=$(printf '%s\0' $present | xargs -0 grep -aHZ '' 2>&1 >&3); } 3>&1
section unreadable
printf '%s\n' "$refused"
section procfs
stat -f -c '%t %n' /proc /proc/cmdline /proc/interrupts
section status
printf '%s\0' /proc/[0-9]*/task/[0-9]*/status | xargs -0 grep -aHZsE '^(Tgid|Cpus_allowed_list):'
section stat
printf '%s\0' /proc/[0-9]*/task/[0-9]*/stat | xargs -0 grep -aHZs ''
section cgroup
printf '%s\0' /proc/[0-9]*/task/[0-9]*/cgroup | xargs -0 grep -aHZs '^0::'
section units
# shellcheck disable=SC2046 # one unit a word
systemctl show --property=Id,LoadState,ActiveState,UnitFileState,AllowedCPUs $(units "$@" | sort -u) 2>&1
section boot
ls /boot 2>&1
section log
dmesg > /dev/null 2>&1 && echo readable && dmesg | grep -E 'sched_clock: Marking unstable|Offload RCU callbacks from CPUs'
section end
