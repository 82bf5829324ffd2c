"""Where a unit's own links go, and what outranks them: looked at before anything is written.

systemd takes the first file of a unit's name along its path (systemd.unit(5), "Unit File Load Path"). What
lies before /etc/systemd/system wins over a mask or a unit file there, without a word.
"""

from __future__ import annotations

import os

from agent import obstacles
from agent.document import UnitStep
from agent.errors import RefusedError
from agent.host import HostRoot
from tuning.units import UNIT_DIR, UNIT_PATH

OUTRANKING = UNIT_PATH[: UNIT_PATH.index(UNIT_DIR)]
MASK = "/dev/null"


def check(host: HostRoot, step: UnitStep) -> None:
    """RefusedError (preflight) where this step could not be done, or would be done and count for nothing."""
    if step.enabled not in {"masked", "enabled"} or step.links is not None:
        return  # what takes links away, or puts back those of before, is never in the way of itself
    own, kind = f"{UNIT_DIR}/{step.unit}", obstacles.kind_of(host, f"{UNIT_DIR}/{step.unit}")
    if kind == "a file" and step.enabled == "masked":
        way = "move it to /lib/systemd/system, then apply again"
        raise RefusedError("preflight", f"{step.unit} cannot be masked: {own} is a file; {way}")
    if kind not in {None, "a symbolic link", "a file"}:
        sentence = f"{own} is {kind}, and {step.unit} has to be {step.enabled} there"
        raise RefusedError("preflight", f"{sentence}; move it away, then apply again")
    for place in OUTRANKING:
        path = f"{place}/{step.unit}"
        if obstacles.kind_of(host, path) is not None and not (
            step.enabled == "masked" and is_mask(host, path)
        ):
            way = f"remove it (systemctl revert {step.unit}), then apply again"
            raise RefusedError("preflight", f"{path} outranks what is {step.enabled} in {UNIT_DIR}; {way}")
    check_enabling(host, step)


def check_enabling(host: HostRoot, step: UnitStep) -> None:
    """The folders whose links enable a unit are folders, and hold links alone under its name."""
    names = [name for name in host.listdir(UNIT_DIR) if name.endswith((".wants", ".requires"))]
    if step.enabled == "enabled":
        obstacles.check(host, links=(f"{UNIT_DIR}/{name}/{step.unit}" for name in names))


def is_mask(host: HostRoot, path: str) -> bool:
    """Whether PATH is a link to /dev/null."""
    try:
        return os.readlink(host.path(path)) == MASK  # noqa: PTH115
    except OSError:
        return False
