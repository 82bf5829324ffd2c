# shellcheck shell=sh
# Everything the checks read of one host, in one round trip: POSIX sh, no agent, read-only.
# `mark` is chosen by the controller and sent as the line before this one, because arguments can be read by every account
# of the host; a line that starts with it opens a section, and the last one says "end", so that a truncated answer is
# detected. Files are sent as "path NUL line", because a path may contain a colon.
# The arguments are paths and unit names of a plan that is not on the host yet.
# Some files are left out deliberately: reading vm/stat_refresh or cpufreq's current frequency interrupts every CPU.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
mark=${mark:?the controller sends it}
plan=/var/lib/hft/plan.json
section() { printf '%s %s\n' "$mark" "$1"; }

fixed="
$plan
/var/lib/hft/state.json
/run/hft/irqs.json
/etc/machine-id
/proc/cmdline
/proc/interrupts
/proc/irq/default_smp_affinity
/proc/self/mountinfo
/proc/swaps
/proc/sys/kernel/osrelease
/proc/sys/kernel/random/boot_id
/sys/devices/system/clocksource/clocksource0/available_clocksource
/sys/devices/system/clocksource/clocksource0/current_clocksource
/sys/devices/system/cpu/cpu0/microcode/version
/sys/devices/system/cpu/isolated
/sys/devices/system/cpu/nohz_full
/sys/devices/system/cpu/online
/sys/devices/system/cpu/possible
/sys/kernel/mm/transparent_hugepage/enabled
/sys/kernel/realtime
/boot/grub/grub.cfg
/boot/grub/hft.cfg
/boot/grub/grubenv
/boot/grub/custom.cfg
/etc/default/grub
"
# A pipe keeps its reader waiting and a device may never end: only plain files are read, others are told of as unread.
# A link to /dev/null is plain: systemd takes it for an empty file.
unseen=''
plain() {
    [ -f "$1" ] && return 0
    [ -e "$1" ] || return 1
    [ "$(readlink -f "$1")" = /dev/null ] && return 0
    unseen="$unseen
grep: $(printf %s "$1" | tr '\n' '?'): it is no plain file"
    return 1
}
# What the plan names: paths, and dotted keys, which are sysctls where such a file exists.
named() {
    [ -f "$plan" ] && [ -r "$plan" ] || return 0
    grep -o '"path":"[^"]*"' "$plan" | cut -d'"' -f4
    grep -o '"key":"[a-z][^"]*"' "$plan" | cut -d'"' -f4 | grep -E '^(abi|crypto|debug|dev|fs|kernel|net|sunrpc|user|vm|xen)\.' | tr . / | sed 's|^|/proc/sys/|'
}
paths() { for word in "$@"; do case $word in /*) printf '%s\n' "$word" ;; esac done; }
# What a plan names is a word of its kind, or it is not looked at: no pattern for the shell, no option, no way out.
knobs() { grep -E '^/(proc|sys)/[A-Za-z0-9_.:@+/-]+$' | grep -vE '/\.\.(/|$)|stat_refresh'; }
names() { grep -E '^[A-Za-z0-9_][A-Za-z0-9_.:@\-]*$'; }
units() {
    echo irqbalance.service
    for word in "$@"; do case $word in /*) ;; *) printf '%s\n' "$word" ;; esac done
    [ -f "$plan" ] && [ -r "$plan" ] && grep -oE '"(unit|slice)":"[^"]*"' "$plan" | cut -d'"' -f4
}

all=$({ printf '%s\n' "$fixed"; { named; paths "$@"; } | knobs; } | sort -u)
present='' absent=''
for path in $all; do
    if plain "$path"; then present="$present $path"; elif ! [ -e "$path" ]; then absent="$absent $path"; fi
done
for path in /proc/irq/[0-9]*/smp_affinity_list /proc/irq/[0-9]*/effective_affinity_list /sys/kernel/irq/[0-9]*/actions \
    /sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list \
    /sys/devices/system/cpu/cpu[0-9]*/topology/physical_package_id \
    /sys/devices/system/cpu/cpu[0-9]*/cpufreq/related_cpus \
    /sys/devices/system/cpu/cpu[0-9]*/cache/index[2-9]/level /sys/devices/system/cpu/cpu[0-9]*/cache/index[2-9]/size \
    /sys/devices/system/cpu/cpu[0-9]*/cache/index[2-9]/shared_cpu_list \
    /sys/devices/system/node/node[0-9]*/cpulist /sys/devices/system/node/node[0-9]*/hugepages/*/nr_hugepages \
    /sys/fs/cgroup/*.slice/cpuset.cpus.effective /sys/fs/cgroup/*.scope/cpuset.cpus.effective /sys/fs/cgroup/*.slice/*.slice/cpuset.cpus.effective \
    /proc/net/bonding/* /sys/class/net/*/operstate /sys/class/net/*/carrier /sys/class/net/*/address /sys/class/net/*/device/uevent \
    /sys/class/net/*/device/irq /sys/class/net/*/device/numa_node /sys/class/net/*/device/../numa_node \
    /sys/class/net/*/device/msi_irqs/* /sys/class/net/*/device/../msi_irqs/* /sys/class/net/*/device/ptp/*/clock_name \
    /sys/fs/cgroup/cpuset.cpus.effective /etc/systemd/system/hft-engine-*.service; do
    plain "$path" && present="$present $path"
done

# What systemd reads at a boot. Comments are left out, and so are lines of tmpfiles.d that write and block nothing:
# a pattern can stand for a file of the kernel without naming /sys or /proc.
# A name with a blank or a folder that cannot be listed is reported as unreadable: systemd reads it, and we did not.
config='' rules=''
keep() {
    for path in "$@"; do
        case $path in
            *[[:space:]]*) unseen="$unseen
grep: $(printf %s "$path" | tr '\n' '?'): its name has a blank" ;;
            */tmpfiles.d/*) ! [ -d "$path" ] && plain "$path" && rules="$rules $path" ;;
            *) ! [ -d "$path" ] && plain "$path" && config="$config $path" ;;
        esac
    done
}
for root in /etc /run /usr/local/lib /usr/lib; do
    for dir in sysctl.d tmpfiles.d systemd systemd/system.conf.d systemd/system; do
        [ -d "$root/$dir" ] && ! [ -r "$root/$dir" ] && unseen="$unseen
grep: $root/$dir: it cannot be listed"
    done
    keep "$root"/sysctl.d/*.conf "$root"/tmpfiles.d/*.conf "$root"/systemd/system.conf "$root"/systemd/system.conf.d/*.conf
done
unit_folders='/etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /run/systemd/generator.early
/etc/systemd/system /etc/systemd/system.attached /run/systemd/system /run/systemd/system.attached /run/systemd/generator
/usr/local/lib/systemd/system /usr/lib/systemd/system /run/systemd/generator.late'
for dir in $unit_folders; do keep "$dir"/*.slice "$dir"/*slice.d/*.conf "$dir"/*scope.d/*.conf; done
# What the next update-grub reads behind /etc/default/grub.
[ -d /etc/default/grub.d ] && ! [ -r /etc/default/grub.d ] && unseen="$unseen
grep: /etc/default/grub.d: it cannot be listed"
keep /etc/default/grub.d/*.cfg

section present
# shellcheck disable=SC2086 # a list of paths without blanks: one word each
printf '%s\n' $present $config $rules
section absent
# shellcheck disable=SC2086 # as above
printf '%s\n' $absent
section files
# shellcheck disable=SC2086 # as above
{ refused=$({
    printf '%s\0' $present | xargs -0 grep -aHZ -D skip ''
    [ "$config" ] && printf '%s\0' $config | xargs -0 grep -aHZE -D skip '^[[:space:]]*[^#;[:space:]]'
    [ "$rules" ] && printf '%s\0' $rules | xargs -0 grep -aHZE -D skip '^[[:space:]]*["'\''wexXrRfF]'
} 2>&1 >&3); } 3>&1
section unreadable
printf '%s\n' "$refused$unseen"
section procfs
stat -f -c '%t %n' /proc /proc/cmdline /proc/interrupts
listed=$(cd /proc && echo [0-9]*/task/[0-9]*)
section status
# shellcheck disable=SC2086 # as above
printf '/proc/%s/status\0' $listed | xargs -0 grep -aHZsE '^(Tgid|Cpus_allowed_list):'
section stat
# shellcheck disable=SC2086 # as above
printf '/proc/%s/stat\0' $listed | xargs -0 grep -aHZs ''
section cgroup
# shellcheck disable=SC2086 # as above
printf '/proc/%s/cgroup\0' $listed | xargs -0 grep -aHZs '^0::'
section listed # how many tasks there were, and how many of them ended meanwhile: the listing carries its count
count=0 ended=0
for task in $listed; do
    count=$((count + 1))
    [ -e "/proc/$task" ] || ended=$((ended + 1))
done
echo "$count $ended"
section readonly # from 6.12 the kernel lets nobody write the affinity of an interrupt that it places itself
find /proc/irq -mindepth 2 -maxdepth 2 -name smp_affinity_list ! -perm -200 2>/dev/null
section transactions # the last whole line of each journal of the agent
for file in /var/lib/hft/journal/*/progress; do
    [ -f "$file" ] || continue
    name=${file%/progress}
    printf '%s %s\n' "${name##*/}" "$(tr -d '\000' 2>/dev/null <"$file" | grep -a '}$' | tail -n 1)"
done
section units
# shellcheck disable=SC2046 # one unit a word, and no word of another kind
systemctl show --property=Id,LoadState,ActiveState,UnitFileState,AllowedCPUs -- $(units "$@" | names | sort -u) 2>&1
section unitfiles
for name in hft-irqs.service systemd-sysctl.service systemd-tmpfiles-setup.service $(units "$@" | names | sort -u); do
    for dir in $unit_folders /etc/systemd/system/multi-user.target.wants; do
        path=$dir/$name
        if [ -h "$path" ]; then printf '%s %s\n' "$path" "$(readlink "$path")"
        elif [ -s "$path" ]; then printf '%s \n' "$path"
        elif [ -e "$path" ]; then printf '%s /dev/null\n' "$path"; fi
    done
done
section nics # what the drivers of the plan's ports say: a program of its own, which asks by ioctl
devices=$([ -f "$plan" ] && [ -r "$plan" ] && grep -oE '"device":"[A-Za-z0-9_.:@+-]+","key":"nic\.' "$plan" | cut -d'"' -f4 | sort -u)
# shellcheck disable=SC2086 # one device a word, and no word of another kind
[ "$devices" ] && python3 -I -S - $devices 2>/dev/null <<'END_OF_PROGRAM'
@nic_on_host.py@
END_OF_PROGRAM
section latency # what the open files of this device ask for together, in microseconds; another reader asks for nothing
[ -r /dev/cpu_dma_latency ] && od -An -td4 -N4 /dev/cpu_dma_latency 2>/dev/null
section boot
ls -q /boot 2>/dev/null
echo "entries: $(find /boot -mindepth 1 -maxdepth 1 ! -name '.*' 2>/dev/null | wc -l)"
section log
# The first line of a boot says that nothing before is lost: the ring may have rotated, or been cleared.
says='Linux version|sched_clock: Marking unstable|Offload RCU callbacks from CPUs'
if dmesg > /dev/null 2>&1; then
    echo readable
    dmesg | grep -E "$says"
    dmesg | grep -qF 'Linux version' || journalctl --quiet --dmesg --boot --output=short-monotonic 2>/dev/null | grep -E "$says"
fi
section end
