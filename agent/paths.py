"""Where the agent keeps things on a host, once: the one module of the agent that the controller reads."""

from __future__ import annotations

from typing import Any

from tuning.snapshot import boot_menu
from tuning.units import ENGINE_SLICE, cgroup_of

VAR_DIR = "/var/lib/hft"
JOURNAL_DIR = VAR_DIR + "/journal"
STATE_FILE = VAR_DIR + "/state.json"
PLAN_FILE = VAR_DIR + "/plan.json"
LOCK_FILE = VAR_DIR + "/lock"
LIB_DIR = "/usr/local/lib/hft"
PYTHON = "/usr/bin/python3"
ENGINE_CGROUP = cgroup_of(ENGINE_SLICE)
HFT_CFG = boot_menu.HFT_CFG

# `before` of a file whose bytes are no UTF-8: a controller that looks at texts cannot digest it.
NOT_TEXT = "not-text"

# state.json of a host that was never touched.
EMPTY_STATE: dict[str, Any] = {
    "schema": 1,
    "committed": None,
    "trial": None,
    "last_rollback": None,
    "last_recovery": None,
}
