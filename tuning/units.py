"""Names of the systemd units and slices that a plan refers to; the capture looks for exactly these."""

from __future__ import annotations

UNIT_DIR = "/etc/systemd/system"  # an administrator's units, and ours (systemd.unit(5))
# Where systemd looks for a unit, the first before the later ones (systemd.unit(5), "Unit File Load Path");
# with a merged /usr, /lib/systemd/system is the vendor's folder by another name.
UNIT_PATH: tuple[str, ...] = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    UNIT_DIR,
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
VENDOR_UNITS = "/usr/lib/systemd/system"
ENGINE_SLICE = "hft-engine.slice"
MONITORING_SLICE = "hft-monitoring.slice"
AWAKE_UNIT = "hft-awake.service"  # holds /dev/cpu_dma_latency (agent/verbs/awake.py)
SWAP = "swap.target"  # every swap of fstab and of generators is wanted by it (systemd.special(7))
INIT_SCOPE = "init.scope"
KNOWN_SLICES: tuple[str, ...] = (INIT_SCOPE, "system.slice", "user.slice", MONITORING_SLICE, ENGINE_SLICE)

IRQBALANCE = "irqbalance.service"
DISTURBING_UNITS: tuple[str, ...] = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
    "fwupd-refresh.timer",
    "man-db.timer",
    "packagekit.service",
    "unattended-upgrades.service",
)
# Programs that steer a clock; of a template every instance.
CLOCK_DAEMONS: tuple[str, ...] = (
    "chrony.service",
    "phc2sys.service",
    "phc2sys@.service",
    "ptp4l.service",
    "ptp4l@.service",
    "timemaster.service",
    "ts2phc.service",
)

# The daemons of a host's clock (tuning/clock/plan.py), and Debian's whatever else could set the system clock.
CLOCK_UNITS: tuple[str, ...] = (
    "hft-ptp4l.service",
    "hft-phc2sys.service",
    "hft-ntp.service",
    "hft-clock-watch.service",
)
OTHER_CLOCK_WRITERS: tuple[str, ...] = (
    "chrony.service",
    "ntpsec.service",
    "openntpd.service",
    "systemd-timesyncd.service",
    "timemaster.service",
)
PTP4L_CONF = "/etc/linuxptp/hft-ptp4l.conf"
NTP_CONF = "/etc/chrony/hft-ntp.conf"
CLOCK_WATCH_CONF = "/etc/chrony/hft-clock-watch.conf"


def cgroup_of(name: str) -> str:
    """The cgroup of a slice, scope or service: `hft-engine.slice` is in `hft.slice` (systemd.slice(5))."""
    if name.endswith(".service"):
        return f"/sys/fs/cgroup/system.slice/{name}"
    if not name.endswith(".slice"):
        return f"/sys/fs/cgroup/{name}"
    words = name.removesuffix(".slice").split("-")
    levels = ["-".join(words[: depth + 1]) + ".slice" for depth in range(len(words))]
    return "/".join(["/sys/fs/cgroup", *levels])


def is_populated(events: str) -> bool:
    """Whether a process is in a cgroup or below it, by its cgroup.events (cgroups(7), version 2)."""
    return "populated 1" in events.splitlines()
