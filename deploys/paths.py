"""Where things live on a host, once. docs/architecture.md lists them for people."""

from __future__ import annotations

from agent import paths
from engine.host import places
from tuning import units

LIB_DIR = paths.LIB_DIR
AGENT = f"{LIB_DIR}/agent.pyz"
PYTHON = paths.PYTHON
PLAN_FILE = paths.PLAN_FILE
SYSCTL_CONF = "/etc/sysctl.d/90-hft.conf"
TMPFILES_CONF = "/etc/tmpfiles.d/90-hft.conf"
PID1_CONF = "/etc/systemd/system.conf.d/90-hft.conf"
NETWORK_DIR = "/etc/systemd/network"
SYSTEMD_DIR = units.UNIT_DIR
ENGINE_SLICE = units.ENGINE_SLICE
MONITORING_SLICE = units.MONITORING_SLICE
STANDIN_PROGRAM = f"{LIB_DIR}/standin.py"
GATE = places.GATE  # opened after a commit; a trial boot begins without it
STANDIN_UNIT = f"{SYSTEMD_DIR}/hft-standin@.service"

# Every file a plan may bring, as shell patterns: what matches and is not planned any more is removed.
OWNED = (
    SYSCTL_CONF,
    TMPFILES_CONF,
    PID1_CONF,
    f"{SYSTEMD_DIR}/?*.d/90-hft.conf",
    f"{SYSTEMD_DIR}/{ENGINE_SLICE}",
    f"{SYSTEMD_DIR}/{MONITORING_SLICE}",
    f"{NETWORK_DIR}/98-hft-?*.link",
    STANDIN_UNIT,
    STANDIN_PROGRAM,
    PLAN_FILE,
)
