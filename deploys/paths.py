"""Where things live on a host, once. docs/architecture.md lists them for people."""

from __future__ import annotations

from engine.host import places

LIB_DIR = "/usr/local/lib/hft"
AGENT = f"{LIB_DIR}/agent.pyz"
PYTHON = "/usr/bin/python3"
PLAN_FILE = "/var/lib/hft/plan.json"
SYSCTL_CONF = "/etc/sysctl.d/90-hft.conf"
TMPFILES_CONF = "/etc/tmpfiles.d/90-hft.conf"
PID1_CONF = "/etc/systemd/system.conf.d/90-hft.conf"
SYSTEMD_DIR = "/etc/systemd/system"
ENGINE_SLICE = "hft-engine.slice"
MONITORING_SLICE = "hft-monitoring.slice"
STANDIN_PROGRAM = f"{LIB_DIR}/standin.py"
GATE = places.GATE  # opened after a commit; a trial boot begins without it
STANDIN_UNIT = f"{SYSTEMD_DIR}/hft-standin@.service"

# Every file a plan may bring, as shell patterns: what matches and is not planned any more is removed.
OWNED = (
    SYSCTL_CONF,
    TMPFILES_CONF,
    PID1_CONF,
    f"{SYSTEMD_DIR}/*.d/90-hft.conf",
    f"{SYSTEMD_DIR}/{ENGINE_SLICE}",
    f"{SYSTEMD_DIR}/{MONITORING_SLICE}",
    STANDIN_UNIT,
    STANDIN_PROGRAM,
    PLAN_FILE,
)
