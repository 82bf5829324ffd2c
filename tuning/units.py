"""Names of the systemd units and slices that a plan speaks of; the capture looks for exactly these."""

from __future__ import annotations

ENGINE_SLICE = "hft-engine.slice"
MONITORING_SLICE = "hft-monitoring.slice"
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


def cgroup_of(name: str) -> str:
    """The control group of a slice or scope: `hft-engine.slice` lies in `hft.slice` (systemd.slice(5))."""
    if not name.endswith(".slice"):
        return f"/sys/fs/cgroup/{name}"
    words = name.removesuffix(".slice").split("-")
    levels = ["-".join(words[: depth + 1]) + ".slice" for depth in range(len(words))]
    return "/".join(["/sys/fs/cgroup", *levels])
