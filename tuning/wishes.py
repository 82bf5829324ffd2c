"""Wishes: settings, refusals and notes of one knob family while it is being decided.

A knob is asked for by the path that shows it. Known to exist: planned. Known to be absent: refused with its
code, so that the plan says why it is missing. Not captured: planned, and named in one note.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tuning.partition import Partition
from tuning.profile import Profile
from tuning.refusal import Code, Refusal
from tuning.setting import KernelArg, Setting
from tuning.topology import Topology


@dataclass(slots=True, kw_only=True)
class Wishes:
    """What a family reads, and what it has decided so far."""

    topology: Topology
    profile: Profile
    partition: Partition
    settings: list[Setting] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    def add(self, setting: Setting) -> None:
        """Want this, without a question."""
        self.settings.append(setting)

    def refuse(self, key: str, code: Code, reason: str) -> None:
        """Do not plan KEY, and say why."""
        self.refused.append(Refusal(key=key, code=code, reason=reason))

    def add_if_present(self, setting: Setting, path: str, absent_because: str) -> None:
        """Want this unless the host is known not to have PATH."""
        present = self.topology.has(path)
        if present is False:
            self.refuse(setting.key, Code.NOT_APPLICABLE_ABSENT, f"{path} does not exist: {absent_because}")
            return
        if present is None:
            self.unproven.append(setting.key)
        self.settings.append(setting)

    def add_if_built(self, setting: Setting, symbol: str) -> None:
        """Want this unless the kernel is known to be built without CONFIG_SYMBOL."""
        built = self.topology.symbols.get(symbol)
        if built is False:
            self.refuse(
                setting.key, Code.NOT_APPLICABLE_ABSENT, f"the kernel is built without CONFIG_{symbol}"
            )
            return
        if built is None:
            self.unproven.append(setting.key)
        self.settings.append(setting)


def kernel_arg(
    name: str, value: str, *, why: str, risk: str, source: str = "kernel-parameters.txt"
) -> KernelArg:
    """A command line argument; its key is `cmdline.` and its name."""
    return KernelArg(
        key=f"cmdline.{name}", name=name, value=value, mode="boot", why=why, risk=risk, source=source
    )
