"""Settings: what a plan wants on a host, one frozen class per kind of knob.

Every setting says what it wants (`key`, `value`), when it can be applied (`mode`), what it may cost (`risk`),
where the knowledge comes from (`source`) and why it is wanted (`why`). Nothing is set without a why. The
union `Setting` is closed: match over it and end with `assert_never`, so that a new kind breaks the type check
until every room knows it. A CPU list is held once, as a CpuSet; `value` is derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from tuning.cpuset import CpuSet
from tuning.errors import CpuListError

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
        """The argument as it stands on the command line."""
        return f"{self.name}={self.value}" if self.value else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sysctl(_Common):
    """A value under /proc/sys; `key` is the dotted name that sysctl.d takes."""

    value: str
    compare: Compare = "text"

    @property
    def path(self) -> str:
        """The file that shows and takes the live value."""
        return "/proc/sys/" + self.key.replace(".", "/")


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
    """Every movable interrupt is served by these CPUs only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KthreadPlacement(_Cpus):
    """Every movable kernel thread may run on these CPUs only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceCpus(_Cpus):
    """A systemd slice (or scope) and all inside it may use these CPUs only (`AllowedCPUs=`)."""

    slice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pid1Affinity(_Cpus):
    """systemd, and every service that does not choose for itself, starts on these CPUs (`CPUAffinity=`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWish(_Common):
    """How a systemd unit should stand; None leaves that side alone."""

    unit: str
    enabled: Enabled | None
    active: bool | None

    @property
    def value(self) -> str:
        """Both wishes in words: `masked, stopped`."""
        words = [self.enabled] if self.enabled else []
        if self.active is not None:
            words.append(cast("Enabled", "started" if self.active else "stopped"))
        return ", ".join(words)


Setting = (
    KernelArg | Sysctl | SysfsValue | IrqPlacement | KthreadPlacement | SliceCpus | Pid1Affinity | UnitWish
)

KINDS: dict[str, type[Setting]] = {
    "kernel_arg": KernelArg,
    "sysctl": Sysctl,
    "sysfs_value": SysfsValue,
    "irq_placement": IrqPlacement,
    "kthread_placement": KthreadPlacement,
    "slice_cpus": SliceCpus,
    "pid1_affinity": Pid1Affinity,
    "unit_wish": UnitWish,
}
_KIND_OF = {cls: kind for kind, cls in KINDS.items()}


def setting_to_dict(setting: Setting) -> dict[str, object]:
    """The JSON object of a setting: common fields, `kind`, and what its kind adds."""
    names = sorted({name for cls in type(setting).__mro__ for name in getattr(cls, "__slots__", ())})
    values = {name: getattr(setting, name) for name in names}
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
    }
    for name in setting.__dataclass_fields__:
        seen = getattr(setting, name)
        if name in allowed:
            if seen not in allowed[name]:
                raise ValueError(
                    f"setting {setting.key!r}: {name} is {seen!r}, expected one of {allowed[name]}"
                )
        elif not isinstance(seen, CpuSet if name == "cpus" else str):
            raise ValueError(f"setting {setting.key!r}: {name} is {seen!r}, expected text")
