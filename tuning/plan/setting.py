"""Settings: the desired values on a host, one frozen class per kind of knob.

Every setting states what is wanted (`key`, `value`), when it can be applied (`mode`), what it may cost
(`risk`), the document behind it (`source`) and the reason (`why`). Nothing is set without a why. The union
`Setting` is closed: match over it and end with `assert_never`, so that a new kind fails the type check until
every package handles it. A CPU list is held once, as a CpuSet; `value` is derived from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from tuning import grammar
from tuning.cpuset import CpuSet
from tuning.errors import CpuListError
from tuning.kernel_threads import FIFO_PRIORITY_MAX, Threads
from tuning.nic_table import KNOBS
from tuning.sysctl_table import sysctl_path

Mode = Literal["boot", "safe", "disruptive"]
Compare = Literal["text", "cpulist", "cpumask", "choice"]
Enabled = Literal["masked", "enabled", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    key: str
    mode: Mode
    risk: str
    source: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelArg(_Common):
    """One argument of the kernel command line; an empty value means the bare word."""

    name: str
    value: str

    @property
    def text(self) -> str:
        """The argument as written on the command line."""
        return f"{self.name}={self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl(_Common):
    """A value under /proc/sys; `key` is the dotted name that sysctl.d takes."""

    value: str
    compare: Compare = "text"

    @property
    def path(self) -> str:
        """The file that holds the live value."""
        return sysctl_path(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class SysfsValue(_Common):
    """A value in a file under /sys or /proc, and how two values of it are compared."""

    path: str
    value: str
    compare: Compare = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cpus(_Common):
    cpus: CpuSet

    @property
    def value(self) -> str:
        """The CPUs in list notation."""
        return self.cpus.list_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class IrqPlacement(_Cpus):
    """Every movable interrupt, or those of one network device, is served by these CPUs only."""

    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KthreadPlacement(_Cpus):
    """Every movable kernel thread may run on these CPUs only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KthreadPriority(_Common):
    """Kernel threads of one kind run as SCHED_FIFO at this priority; of the kind `irq` those that serve the
    interrupts of one network device."""

    threads: str
    priority: int
    device: str = ""

    @property
    def value(self) -> str:
        """Policy and priority in words: `FIFO 60`."""
        return f"FIFO {self.priority}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NicParameter(_Common):
    """A parameter of a network port, by its row in tuning/nic_table.py: a switch is 0 or 1, words have a
    space between them.

    `pci` is the port's address, by which udev finds it at the next boot; empty where it is not known.
    `is_capped`: where the driver's maximum is less than the value, it is that.
    """

    device: str
    knob: str
    value: str
    pci: str = ""
    is_capped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCpus(_Cpus):
    """A systemd slice (or scope, or service) and all inside it may use these CPUs only (`AllowedCPUs=`)."""

    slice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pid1Affinity(_Cpus):
    """systemd, and every service that does not choose for itself, starts on these CPUs (`CPUAffinity=`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitState(_Common):
    """The wanted state of a systemd unit; None leaves that aspect alone."""

    unit: str
    enabled: Enabled | None
    active: bool | None

    @property
    def value(self) -> str:
        """Both aspects in words: `masked, stopped`."""
        words = [self.enabled] if self.enabled else []
        if self.active is not None:
            words.append(cast("Enabled", "started" if self.active else "stopped"))
        return ", ".join(words)


Setting = (
    KernelArg
    | Sysctl
    | SysfsValue
    | IrqPlacement
    | KthreadPlacement
    | KthreadPriority
    | NicParameter
    | SliceCpus
    | Pid1Affinity
    | UnitState
)

# What each text of a setting may be; a text that is not named here is one printable line.
GRAMMAR = {
    "key": grammar.SETTING_KEY,
    "name": grammar.KERNEL_WORD,
    "path": grammar.KNOB_PATH,
    "slice": grammar.SLICE,
    "device": grammar.DEVICE,
    "unit": grammar.UNIT,
    "pci": grammar.PCI_OR_NOTHING,
}
GRAMMAR_OF: Mapping[tuple[type[Setting], str], re.Pattern[str]] = {
    (Sysctl, "key"): grammar.SYSCTL_KEY,
    (KernelArg, "value"): grammar.KERNEL_VALUE,
    (SysfsValue, "value"): grammar.KNOB_VALUE,
    (NicParameter, "value"): grammar.NIC_WORDS,
}

KINDS: dict[str, type[Setting]] = {
    "kernel_arg": KernelArg,
    "sysctl": Sysctl,
    "sysfs_value": SysfsValue,
    "irq_placement": IrqPlacement,
    "kthread_placement": KthreadPlacement,
    "kthread_priority": KthreadPriority,
    "nic_parameter": NicParameter,
    "slice_cpus": SliceCpus,
    "pid1_affinity": Pid1Affinity,
    "unit_wish": UnitState,
}
_KIND_OF = {cls: kind for kind, cls in KINDS.items()}


def setting_to_dict(setting: Setting) -> dict[str, object]:
    """The JSON object of a setting: common fields, `kind`, and what its kind adds."""
    names = sorted({name for cls in type(setting).__mro__ for name in getattr(cls, "__slots__", ())})
    values = {name: getattr(setting, name) for name in names}
    if values.get("device") == "":
        values.pop("device")  # as plans of hosts tuned before a placement could name a device
    if values.get("is_capped") is False:
        values.pop("is_capped")  # as plans of before a mode decided queues
    cpus = values.pop("cpus", None)
    if isinstance(cpus, CpuSet):
        values["cpus"] = cpus.list_text()
    return {**values, "value": setting.value, "kind": _KIND_OF[type(setting)]}


def setting_from_dict(document: Mapping[str, object]) -> Setting:
    """The setting of a JSON object; ValueError with a sentence when it is not one."""
    fields = dict(document)
    kind = fields.pop("kind", None)
    cls = KINDS.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise ValueError(f"unknown kind of setting {kind!r}; known: {', '.join(KINDS)}")
    derived = fields.pop("value", None) if not _has_value(cls) else None
    try:
        if "cpus" in fields:
            fields["cpus"] = CpuSet.parse_list(str(fields["cpus"]))
        setting = cls(**fields)  # type: ignore[arg-type] # the checks below hold what the types cannot
    except (TypeError, CpuListError) as error:
        raise ValueError(f"not a setting of kind {kind}: {error}") from error
    _check_fields(setting)
    if derived is not None and derived != setting.value:
        raise ValueError(f"setting {setting.key}: value {derived!r} contradicts {setting.value!r}")
    return setting


def _has_value(cls: type[Setting]) -> bool:
    return "value" in cls.__dataclass_fields__


def _check_fields(setting: Setting) -> None:
    allowed: dict[str, tuple[object, ...]] = {
        "mode": get_args(Mode),
        "compare": get_args(Compare),
        "enabled": (*get_args(Enabled), None),
        "active": (True, False, None),
        "is_capped": (True, False),
        "threads": get_args(Threads),
        "knob": tuple(KNOBS),
        "priority": tuple(range(1, FIFO_PRIORITY_MAX + 1)),
    }
    for name in setting.__dataclass_fields__:
        seen = getattr(setting, name)
        if name in allowed:
            if seen not in allowed[name] or (name == "priority" and isinstance(seen, bool)):
                raise ValueError(
                    f"setting {setting.key!r}: {name} is {seen!r}, expected one of {allowed[name]}"
                )
        elif not isinstance(seen, CpuSet if name == "cpus" else str):
            raise ValueError(f"setting {setting.key!r}: {name} is {seen!r}, expected text")
        elif isinstance(seen, str) and not _fits(type(setting), name, seen):
            raise ValueError(f"setting {setting.key!r}: {name} is {seen[:80]!r}, which its grammar refuses")
    if isinstance(setting, NicParameter):
        KNOBS[setting.knob].value_of(setting.value)


def _fits(cls: type[Setting], name: str, text: str) -> bool:
    pattern = GRAMMAR_OF.get((cls, name)) or GRAMMAR.get(name, grammar.ONE_LINE)
    return pattern.fullmatch(text) is not None and (name != "path" or ".." not in text.split("/"))
