"""Clock plan -> files. Pure: every line of a file stands below its why and its source."""

from __future__ import annotations

from deploys.paths import SYSTEMD_DIR
from deploys.slot.files import SlotFile
from deploys.tune.render import fill
from tuning.clock.plan import ClockPlan


def clock_files(plan: ClockPlan) -> tuple[SlotFile, ...]:
    """Every file of a host's clock, sorted by path."""
    head = {"host": plan.host, "role": plan.wish.role}
    found = []
    for daemon in plan.daemons:
        if daemon.config is not None:
            text = fill("clock.conf.j2", sections=daemon.config.sections, **head)
            found.append((daemon.config.path, text, daemon.config.why))
        text = fill("clock.service.j2", daemon=daemon, masked=[unit for unit, _ in plan.masked], **head)
        found.append((f"{SYSTEMD_DIR}/{daemon.unit}", text, daemon.why))
    files = [SlotFile(path=path, content=text.encode(), why=why) for path, text, why in found]
    return tuple(sorted(files, key=lambda file: file.path))
