"""The capture script: one POSIX shell program that reads everything the planner may look at.

It runs the same on a live host over SSH, on this machine, and on a captured tree; `$1` is the root directory.
It writes nothing, needs no privileges (what cannot be read is not captured) and starts only four processes,
because each costs tens of milliseconds in an emulated guest: the shell expands the patterns itself, one grep
prints all contents, another picks lines out of long files, one find prints all link targets, sed counts.

The output is a stream of NUL-terminated tokens, so no byte that a path or a file can hold needs quoting:

    hft-capture 1 | =absent PATH... | =links PATH TARGET ... | =files PATH CONTENT ... |
    =cpuinfo TEXT | =lines PATH:LINE... | =end STATUS
    LINES

Paths are relative to the root. LINES is the number of lines before it and STATUS how reading the files ended,
so a capture truncated anywhere is refused. With `grep -z` a whole file is one record; a file that holds
NULs yields several records of the same path. Files that turn out empty or unreadable yield none and count as
not captured. `=absent` is reported only where absence is certain: on a live host, with the file system
mounted and the nearest existing directory searchable; a captured tree never proves absence. Of /proc/cpuinfo
only the first CPU is read, of the kernel configuration only the symbols the planner asks about, of the routes
only the default ones (a router has a million), of tasks only kernel threads and the affinity of PID 1.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from tuning.held_irqs import HELD_IRQS_FILE
from tuning.seen_nics import SEEN_NICS_FILE
from tuning.sysctl_table import SYSCTL_NAMES, sysctl_path
from tuning.units import (
    AWAKE_UNIT,
    CLOCK_DAEMONS,
    DISTURBING_UNITS,
    KNOWN_SLICES,
    UNIT_PATH,
    VENDOR_UNITS,
    cgroup_of,
)

OUTPUT_LIMIT_BYTES = 8 * 1024 * 1024

# Asked for by name: on a live host "no such file" proves absence.
NAMED: tuple[str, ...] = (
    *(f"proc/{name}" for name in ("cmdline", "version", "meminfo", "swaps", "self/status", "self/cgroup")),
    "proc/self/cpuset",
    "proc/irq/default_smp_affinity",
    "proc/sys/kernel/osrelease",
    "proc/sys/kernel/hostname",
    "proc/sys/kernel/random/boot_id",
    "proc/sys/kernel/arch",
    *(sysctl_path(name)[1:] for name in SYSCTL_NAMES),
    *(
        f"sys/devices/system/cpu/{name}"
        for name in ("online", "possible", "present", "offline", "isolated", "nohz_full", "kernel_max")
    ),
    "sys/devices/system/cpu/smt/active",
    "sys/devices/system/cpu/smt/control",
    "sys/devices/system/cpu/cpuidle/current_driver",
    "sys/devices/system/cpu/cpuidle/current_governor",
    "sys/devices/system/cpu/intel_pstate/status",
    "sys/devices/system/cpu/intel_pstate/no_turbo",
    "sys/devices/system/cpu/intel_pstate/min_perf_pct",
    "sys/devices/system/cpu/amd_pstate/status",
    "sys/devices/system/cpu/cpufreq/boost",
    "sys/devices/system/cpu/vulnerabilities/meltdown",
    "sys/class/misc/cpu_dma_latency/dev",
    "sys/devices/system/node/online",
    "sys/devices/system/node/has_memory",
    "sys/devices/system/clocksource/clocksource0/current_clocksource",
    "sys/devices/system/clocksource/clocksource0/available_clocksource",
    "sys/devices/system/machinecheck/machinecheck0/check_interval",
    "sys/devices/virtual/workqueue/cpumask",
    "sys/devices/virtual/workqueue/writeback/cpumask",
    "sys/kernel/realtime",
    "sys/kernel/mm/transparent_hugepage/enabled",
    "sys/kernel/mm/transparent_hugepage/defrag",
    "sys/kernel/mm/transparent_hugepage/khugepaged/defrag",
    "sys/kernel/mm/ksm/run",
    "sys/hypervisor/type",
    "sys/fs/cgroup/cgroup.controllers",
    "sys/fs/cgroup/cgroup.type",
    "sys/fs/cgroup/cpuset.cpus.effective",
    *(f"{cgroup_of(one)[1:]}/cpuset.cpus{end}" for one in KNOWN_SLICES for end in ("", ".effective")),
    "sys/fs/cgroup/system.slice/irqbalance.service/cgroup.procs",
    f"sys/fs/cgroup/system.slice/{AWAKE_UNIT}/cgroup.procs",
    *(
        f"sys/fs/cgroup/system.slice/{one}/cgroup.procs"
        for one in DISTURBING_UNITS
        if one.endswith(".service")
    ),
    *(f"lib/systemd/system/{one}" for one in ("irqbalance.service", *DISTURBING_UNITS, *CLOCK_DAEMONS)),
    *(f"etc/systemd/system/{one}" for one in ("irqbalance.service", *DISTURBING_UNITS)),
    *(f"{cgroup_of(one)[1:]}/cpuset.cpus" for one in CLOCK_DAEMONS),
    "etc/machine-id",
    "etc/os-release",
    "etc/sysctl.d/90-hft.conf",
    "etc/tmpfiles.d/90-hft.conf",
    "etc/systemd/system.conf.d/90-hft.conf",
    "etc/default/grub.d/90-hft.cfg",
    "boot/grub/grub.cfg",
    "boot/grub/hft.cfg",
    "usr/local/lib/hft/agent.version",
    "var/lib/hft/state.json",
    "var/lib/hft/plan.json",
    HELD_IRQS_FILE.lstrip("/"),
    SEEN_NICS_FILE.lstrip("/"),
)

_KNOB_FOLDERS = (
    *(
        "sys/kernel/mm/",
        "sys/devices/virtual/",
        "sys/class/misc/",
        "lib/",
        "sys/devices/system/machinecheck/",
    ),
    *("sys/devices/system/cpu/intel_pstate/", "sys/devices/system/cpu/cpufreq/"),
)

# Whether these exist decides what can be planned; their values do not.
KNOB_PATHS: tuple[str, ...] = (
    *map(sysctl_path, SYSCTL_NAMES),
    *(f"/{path}" for path in NAMED if path.startswith(_KNOB_FOLDERS)),
)

# Found by pattern: a path that did not match is unknown, not absent.
PATTERNS: tuple[str, ...] = (
    "sys/devices/system/cpu/cpu[0-9]*/online",
    "sys/devices/system/cpu/cpu[0-9]*/cpu_capacity",
    *(
        f"sys/devices/system/cpu/cpu[0-9]*/topology/{name}"
        for name in ("physical_package_id", "core_id", "die_id", "thread_siblings_list", "core_cpus_list")
    ),
    *(
        f"sys/devices/system/cpu/cpu[0-9]*/cache/index*/{name}"
        for name in ("level", "type", "shared_cpu_list")
    ),
    "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor",
    "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_available_governors",
    "sys/devices/system/cpu/cpu[0-9]*/cpufreq/cpuinfo_max_freq",
    "sys/devices/system/cpu/cpu[0-9]*/cpufreq/energy_performance_preference",
    "sys/devices/system/cpu/cpu[0-9]*/power/energy_perf_bias",
    "sys/devices/system/cpu/cpu[0-9]*/power/pm_qos_resume_latency_us",
    "sys/kernel/debug/sched/fair_server/cpu[0-9]*/runtime",
    "sys/devices/system/cpu/cpu[0-9]*/cpufreq/related_cpus",
    "sys/devices/system/cpu/cpu0/cpuidle/state*/name",
    "sys/devices/system/cpu/cpu0/cpuidle/state*/latency",
    "sys/devices/system/cpu/cpu0/cpuidle/state*/disable",
    "sys/devices/cpu_*/cpus",
    "sys/devices/system/node/node[0-9]*/cpulist",
    "sys/devices/system/node/node[0-9]*/meminfo",
    "sys/devices/system/node/node[0-9]*/distance",
    "sys/devices/system/node/node[0-9]*/hugepages/hugepages-*/nr_hugepages",
    "sys/kernel/mm/hugepages/hugepages-*/nr_hugepages",
    *(
        f"sys/class/net/*/{name}"
        for name in (
            *("address", "operstate", "carrier", "speed", "type"),
            *("napi_defer_hard_irqs", "gro_flush_timeout"),
            *(f"bonding/{one}" for one in ("mode", "miimon", "num_grat_arp", "arp_interval")),
            *("device/numa_node", "device/vendor", "device/irq"),
            *("device/msi_irqs/*", "device/../numa_node", "device/../msi_irqs/*"),
            *("queues/rx-*/rps_cpus", "device/ptp/ptp*/clock_name"),
        )
    ),
    "sys/class/ptp/ptp*/clock_name",
    "sys/bus/pci/devices/*/class",
    "sys/bus/pci/devices/*/numa_node",
    "sys/class/dmi/id/sys_vendor",
    "sys/class/dmi/id/product_name",
    "sys/class/dmi/id/product_uuid",
    "sys/class/dmi/id/product_serial",
    "sys/class/dmi/id/board_name",
    "sys/class/dmi/id/bios_version",
    "proc/irq/[0-9]*/smp_affinity_list",
    "proc/irq/[0-9]*/effective_affinity_list",
    "sys/kernel/irq/[0-9]*/actions",
    "sys/fs/cgroup/*/cpuset.cpus",
    "sys/fs/cgroup/*/cpuset.cpus.effective",
    *(
        f"{root}/{folder}/*.conf"
        for root in ("etc", "run", "usr/local/lib", "usr/lib")
        for folder in ("sysctl.d", "tmpfiles.d", "systemd/system.conf.d")
    ),
    *(f"{folder[1:]}/*{kind}.d/*.conf" for folder in UNIT_PATH for kind in ("slice", "scope")),
    "etc/systemd/system/hft-*",
    "etc/systemd/network/98-hft-*.link",
)

# Old kernels have masks only. Trees are read on this machine, where a few thousand files cost nothing.
TREE_PATTERNS: tuple[str, ...] = (
    "sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings",
    "sys/devices/system/cpu/cpu[0-9]*/cache/index*/shared_cpu_map",
    "sys/devices/system/node/node[0-9]*/cpumap",
)

LINKS: tuple[str, ...] = (
    "sys/class/net/*",
    "sys/class/net/*/device",
    "sys/class/net/*/device/driver",
    "sys/class/net/*/device/physfn",
    "sys/class/net/*/master",
    "sys/class/ptp/ptp*",
    "sys/class/ptp/ptp*/device",
    # A link to /dev/null, or an empty file, hides the files of that name in later folders.
    *(
        f"{root}/{folder}/*.conf"
        for root in ("etc", "run", "usr/local/lib")
        for folder in ("sysctl.d", "tmpfiles.d", "systemd/system.conf.d")
    ),
    *(
        f"{folder[1:]}/*{kind}.d/*.conf"
        for folder in UNIT_PATH
        if folder != VENDOR_UNITS  # nobody hides a file there by a link
        for kind in ("slice", "scope")
    ),
    "etc/systemd/system/*.service",
    "etc/systemd/system/*.timer",
    "etc/systemd/system/*.wants/*",
    *(f"lib/systemd/system/timers.target.wants/{one}" for one in DISTURBING_UNITS),
)

# Symbols of the kernel's configuration that decide whether a knob can exist.
CONFIG_SYMBOLS: tuple[str, ...] = (
    *(
        "NO_HZ_FULL",
        "RCU_NOCB_CPU",
        "CPU_ISOLATION",
        "PREEMPT_RT",
        "NUMA",
        "NUMA_BALANCING",
        "NET_RX_BUSY_POLL",
    ),
    *(
        "TRANSPARENT_HUGEPAGE",
        "HUGETLB_PAGE",
        "CPU_IDLE",
        "SCHED_DEBUG",
        "KSM",
        "COMPACTION",
        "LOCKUP_DETECTOR",
    ),
    *("CPUSETS", "IRQ_FORCED_THREADING", "HZ"),
)

_SCRIPT = r"""# Read-only capture of @LIMIT@ bytes at most; prints NUL-terminated tokens.
LC_ALL=C; export LC_ALL
cd -- "${1:-/}" || exit 2
live=; [ "$PWD" = / ] && live=1
named="@NAMED@"
running=proc/sys/kernel/osrelease
release=; [ -f "$running" ] && [ -r "$running" ] && read -r release <"$running"
case $release in */*) release=;; esac

# A name is absent when the nearest existing directory above it can be searched.
absent() {
  for name in $named; do
    [ -e "$name" ] || [ -h "$name" ] && continue
    case $name in
      proc/*) [ -d proc/sys/kernel ] || continue;;
      sys/*) [ -d sys/devices/system/cpu ] || continue;;
    esac
    dir=${name%/*}
    while [ ! -d "$dir" ]; do case $dir in */*) dir=${dir%/*};; *) dir=.;; esac; done
    [ -x "$dir" ] && printf '%s\0' "$name"
  done
}

# The cgroup in which a tree was captured, wherever it was mounted.
own_cgroup() {
  [ -f proc/self/cpuset ] && [ -f proc/mounts ] && [ -r proc/self/cpuset ] && [ -r proc/mounts ] || return
  read -r own <proc/self/cpuset
  while read -r _ mount type options _; do
    case $type:,$options, in
      cgroup2:*) printf '%s ' ".$mount$own/cpuset.cpus.effective";;
      cgroup:*,cpuset,*noprefix,*) printf '%s ' ".$mount$own/effective_cpus" ".$mount$own/cpus";;
      cgroup:*,cpuset,*|cgroup:*,noprefix,*cpuset,*)
        printf '%s ' ".$mount$own/cpuset.effective_cpus" ".$mount$own/cpuset.cpus" \
          ".$mount$own/effective_cpus" ".$mount$own/cpus";;
      cpuset:*) printf '%s ' ".$mount$own/cpus";;
    esac
  done <proc/mounts
}

contents() {
  set -- @READ@ @PATTERNS@
  [ "$live" ] || set -- "$@" @TREE@ $(own_cgroup)
  if [ $# -lt 4000 ]; then
    grep -azHsZ -d skip -D skip -e '' -- "$@"
  else
    printf '%s\0' "$@" | xargs -0 grep -azHsZ -d skip -D skip -e '' --
  fi
}

cpuinfo() {
  [ -f proc/cpuinfo ] && [ -r proc/cpuinfo ] || return
  [ "$live" ] || { cat proc/cpuinfo; return; }
  while read -r line && [ "$line" ]; do printf '%s\n' "$line"; done <proc/cpuinfo
}

# One pattern for both: the first word of each line tells them apart.
lines() {
  set -- "boot/config-$release" proc/net/route proc/net/ipv6_route proc/[0-9]*/stat proc/[0-9]*/status
  grep -aHsE -d skip -D skip '@CONFIG@|^Cpus_allowed_list:|^[0-9]+ [(].*[)] [A-Z] 2 |@ROUTES@' -- "$@"
}

links() {
  set -- @LINKS@
  # To systemd an empty file is what a link to /dev/null is.
  find "$@" -maxdepth 0 \( -type l -printf '%p\0%l\0' -o -type f -empty -printf '%p\0/dev/null\0' \) \
    2>/dev/null
}

capture() {
  printf 'hft-capture 1\0=absent\0'
  [ "$live" ] && absent
  printf '=links\0'
  links
  printf '=files\0'
  contents
  status=$?
  printf '=cpuinfo\0'
  cpuinfo
  printf '\0=lines\0'
  [ "$live" ] && lines
  printf '\0=end\0%s\0\n' "$status"
}

capture | sed -n 'p;$='
"""


def read_by_name() -> tuple[str, ...]:
    """What no pattern finds: a file that is read twice would come back as one that holds a NUL."""
    return tuple(name for name in NAMED if not any(_finds(pattern, name) for pattern in PATTERNS))


def _finds(pattern: str, name: str) -> bool:
    """Whether the shell's pattern matches: a star never matches a slash."""
    here, there = pattern.split("/"), name.split("/")
    return len(here) == len(there) and all(map(fnmatchcase, there, here))


def _build_script() -> str:
    words = {
        "@LIMIT@": str(OUTPUT_LIMIT_BYTES),
        "@NAMED@": "\n".join(NAMED),
        "@READ@": " ".join(read_by_name()),
        "@PATTERNS@": " ".join(PATTERNS),
        "@TREE@": " ".join(TREE_PATTERNS),
        "@LINKS@": " ".join(LINKS),
        "@ROUTES@": "^[^[:space:]]+[[:space:]]00000000[[:space:]]|^0{32} 00 ",
        "@CONFIG@": f"^(# )?CONFIG_({'|'.join(CONFIG_SYMBOLS)})[= ]",
    }
    script = _SCRIPT
    for mark, text in words.items():
        script = script.replace(mark, text)
    return script


CAPTURE_SCRIPT = _build_script()
