"""Names of the systemd units and slices that a plan speaks of; the capture looks for exactly these."""

ENGINE_SLICE = "hft-engine.slice"
MONITORING_SLICE = "hft-monitoring.slice"
KNOWN_SLICES: tuple[str, ...] = (
    "init.scope",
    "system.slice",
    "user.slice",
    "machine.slice",
    MONITORING_SLICE,
    ENGINE_SLICE,
)

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
