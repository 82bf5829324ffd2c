"""Settings, refusals and notes of one knob family while the plan is being built.

A knob is identified by the path that exposes it. Known to exist: planned. Known to be absent: refused with
its code, so that the plan says why it is missing. Not captured: planned, and listed in one note.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tuning.plan.partition import Partition
from tuning.plan.profile import IoMode, Profile
from tuning.plan.refusal import Code, Refusal
from tuning.plan.setting import KernelArg, Setting
from tuning.plan.validity import is_unproven, unfit
from tuning.topology.topology import Topology


@dataclass(slots=True, kw_only=True)
class PlanBuilder:
    """The inputs of a family, and its decisions so far."""

    topology: Topology
    profile: Profile
    partition: Partition
    modes: frozenset[IoMode]
    settings: list[Setting] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unproven: list[str] = field(default_factory=list)

    def add(self, setting: Setting) -> None:
        """Plan this setting, unless this kernel or processor does not have it."""
        if self.fits(setting.key):
            self.settings.append(setting)

    def fits(self, key: str) -> bool:
        """Whether kernel and processor have it, as far as is known; refused by name where they do not."""
        refusal = unfit(key, self.topology)
        if refusal is not None:
            self.refuse(key, *refusal)
            return False
        if is_unproven(key, self.topology):
            self.unproven.append(key)
        return True

    def refuse(self, key: str, code: Code, reason: str) -> None:
        """Do not plan KEY, with the reason."""
        self.refused.append(Refusal(key=key, code=code, reason=reason))

    def add_if_present(self, setting: Setting, path: str, absent_because: str) -> None:
        """Plan this unless the host is known not to have PATH."""
        present = self.topology.has(path)
        if present is False:
            self.refuse(setting.key, Code.NOT_APPLICABLE_ABSENT, f"{path} does not exist: {absent_because}")
            return
        if present is None:
            self.unproven.append(setting.key)
        self.add(setting)

    def add_if_built(self, setting: Setting, symbol: str) -> None:
        """Plan this unless the kernel is known to be built without CONFIG_SYMBOL."""
        built = self.topology.symbols.get(symbol)
        if built is False:
            self.refuse(
                setting.key, Code.NOT_APPLICABLE_ABSENT, f"the kernel is built without CONFIG_{symbol}"
            )
            return
        if built is None:
            self.unproven.append(setting.key)
        self.add(setting)


def kernel_arg(
    name: str, value: str, *, why: str, risk: str, source: str = "kernel-parameters.txt"
) -> KernelArg:
    """A command line argument; its key is `cmdline.` and its name."""
    return KernelArg(
        key=f"cmdline.{name}", name=name, value=value, mode="boot", why=why, risk=risk, source=source
    )
