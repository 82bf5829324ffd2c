"""Whether the boot menu that hft wrote on a host still starts its plan: from its record, not as GRUB does.

The running line proves the boot that was. A hook that is gone from grub.cfg, a menu that is gone, or an entry
that lacks an argument untunes the next one, while everything that runs reads right; another trial boot writes
them anew.
"""

from __future__ import annotations

import json

from tuning.compliance.cmdline import is_satisfied, parse_cmdline
from tuning.plan.plan import Plan
from tuning.plan.setting import KernelArg
from tuning.snapshot.boot_menu import DEFAULTS, GRUB_CFG, HFT_CFG, good_words, reads_ours
from tuning.snapshot.files import Snapshot
from tuning.snapshot.values import Source

STATE = "/var/lib/hft/state.json"


def menu_problem(plan: Plan, snapshot: Snapshot) -> str | None:
    """What is wrong with the menu of a host with a committed plan; None when nothing is, or not known."""
    planned = [(one.name, one.value) for one in plan.settings if isinstance(one, KernelArg)]
    if not planned or not _is_committed(snapshot):
        return None
    grub_cfg = snapshot.text(GRUB_CFG)
    if snapshot.is_absent(HFT_CFG):  # a host that was booted as planned before we came never had one
        return f"{HFT_CFG} is gone" if snapshot.text(DEFAULTS) is not None else None
    if grub_cfg is not None and not reads_ours(grub_cfg):
        return f"{GRUB_CFG} does not read {HFT_CFG}"
    if snapshot.text(HFT_CFG) is None:
        return None
    words = parse_cmdline(" ".join(good_words(snapshot)))
    possible = Source(snapshot).cpus("/sys/devices/system/cpu/possible")
    count = possible.last() + 1 if possible else None
    lacking = [name for name, value in planned if not is_satisfied((name, value), words, planned, count)]
    return f"the good entry lacks {', '.join(lacking)}" if lacking else None


def _is_committed(snapshot: Snapshot) -> bool:
    try:
        found = json.loads(snapshot.text(STATE) or "{}")
    except ValueError:
        return False
    return isinstance(found, dict) and bool(found.get("committed"))
