"""Whether a unit is enabled and runs: as systemctl(1) says, and from a capture where nobody asked it.

A capture has links and cgroups: they show what is enabled, and of a service whether it has processes. What a
timer does, and what a preset or a generator made of a unit, only systemd knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tuning.compliance.live import enablement, is_running
from tuning.snapshot.files import Snapshot
from tuning.units import UNIT_DIR

PROPERTIES = ("Id", "LoadState", "UnitFileState", "ActiveState")
RUNS = frozenset({"active", "activating", "reloading", "deactivating", "refreshing"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit in systemd's own words (systemctl(1), UnitFileState and ActiveState)."""

    enabled: str
    active: str

    @property
    def is_enabled(self) -> bool:
        """Whether a boot starts it."""
        return self.enabled in ("enabled", "enabled-runtime")

    @property
    def is_active(self) -> bool:
        """Whether it runs, or waits for its time."""
        return self.active in RUNS

    @property
    def sentence(self) -> str:
        """Both in one line."""
        return f"{self.enabled}, {self.active}"


NOT_ASKED: Mapping[str, Unit] = {}


def show_argv(names: tuple[str, ...]) -> list[str]:
    """The question to systemd."""
    return ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", *names]


def parse_show(text: str) -> dict[str, Unit]:
    """The answer: a block of `Key=Value` lines a unit, blank lines between; what is not there is left out."""
    found = {}
    for block in text.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if values.get("LoadState") in ("loaded", "masked"):
            words = {key: values.get(key) or "not known" for key in PROPERTIES}
            found[words["Id"]] = Unit(enabled=words["UnitFileState"], active=words["ActiveState"])
    return found


def unit_of(name: str, snapshot: Snapshot) -> Unit:
    """The same from a capture."""
    running = {True: "active", False: "inactive", None: "not known to run"}[is_running(name, snapshot)]
    return Unit(enabled=enablement(name, snapshot) or "not known", active=running)


def has_own_file(name: str, snapshot: Snapshot) -> bool:
    """Whether somebody's own unit file is there, which systemctl never replaces by the link of a mask."""
    path = f"{UNIT_DIR}/{name}"
    return path not in snapshot.links and snapshot.text(path) is not None
