"""What is still to be done on a host, each thing with its sentence, its mode and its steps. Pure.

Plan and observation come in, items come out. An item is the unit an operator sees: one line of `--dry`, one
line of `hft apply --dry-run`. Its steps are the transaction's words for it, with the value seen as the value
to compare and swap: if the host changed since, the agent refuses the document and nothing is written. Boot
arguments have no step; they travel as the document's `boot` part and are applied by a trial boot only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, assert_never, get_args

from deploys.paths import OWNED
from deploys.tune.host_state import HostState
from deploys.tune.render import Concern, RenderedFile, render
from transport.errors import sentence
from tuning.compliance.diff import Pending, diff
from tuning.cpuset import CpuSet
from tuning.nic_table import KNOBS
from tuning.plan.plan import Plan
from tuning.plan.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    KthreadPriority,
    Mode,
    NicParameter,
    Pid1Affinity,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)
from tuning.units import cgroup_of

Step = dict[str, Any]
# A star of OWNED never matches a slash. One pattern for all: it is asked about every file of a capture.
_OWNED = re.compile("|".join(re.escape(one).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for one in OWNED))
STANDINS = "hft-standin@"
ENGINES = "hft-engine-"
CONCERNS: tuple[Concern, ...] = get_args(Concern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One pending thing; `seen` is what is and what will be, without what a person has to do first."""

    concern: Concern
    key: str
    seen: str
    mode: Mode
    why: str
    steps: tuple[Step, ...] = ()
    way_out: str = ""  # what a person has to do on the host first: until then the host is not changed
    refused: str = ""  # why this host cannot have it, and what to do; the rest is done without it

    @property
    def sentence(self) -> str:
        """The line that an operator reads."""
        return sentence("", self.seen, self.way_out)


def pending_changes(plan: Plan, observed: HostState, *, standins: bool) -> tuple[Change, ...]:
    """Everything that differs from the plan, in the order of CONCERNS; empty when the host is as planned.

    STANDINS: whether the host carries the demo's stand-ins, which only a host of the lab does.
    """
    files = render(plan, standins=standins)
    changes = diff(plan, observed.snapshot)
    boot = [_setting_item(pending, observed) for pending in changes.boot]
    found = [
        *boot,
        *(_setting_item(pending, observed) for pending in changes.runtime),
        *_file_items(files, observed),
        *_stale_items(files, observed),
        *standin_items(plan if standins else None, observed, boot_pending=bool(boot)),
    ]
    return tuple(sorted(found, key=lambda item: (CONCERNS.index(item.concern), item.key)))


def _setting_item(pending: Pending, observed: HostState) -> Change:
    setting = pending.setting
    seen, refused = pending.observed, ""
    concern: Concern
    steps: tuple[Step, ...] = ()
    match setting:
        case KernelArg():
            concern = "boot"
        case Sysctl():
            concern, steps = (
                "sysctl",
                (_value(setting.path, setting.value, setting.compare, seen, setting.why),),
            )
        case SysfsValue():
            concern, steps = (
                "sysfs",
                (_value(setting.path, setting.value, setting.compare, seen, setting.why),),
            )
        case IrqPlacement():
            device = {"device": setting.device} if setting.device else {}
            concern, steps = "irq", ({"kind": "irqs", "cpus": setting.value, **device, "why": setting.why},)
        case KthreadPlacement():
            concern, steps = "irq", ({"kind": "kthreads", "cpus": setting.value, "why": setting.why},)
        case KthreadPriority():
            device = {"device": setting.device} if setting.device else {}
            wish = {"threads": setting.threads, "priority": setting.priority, **device}
            concern, steps = "irq", ({"kind": "priorities", **wish, "why": setting.why},)
        case NicParameter():
            wanted = KNOBS[setting.knob].value_of(setting.value)
            value = wanted if isinstance(wanted, int) else list(wanted)
            wish = {"device": setting.device, "knob": setting.knob, "value": value}
            capped = {"is_capped": True} if setting.is_capped else {}
            concern, steps = "nic", ({"kind": "nic", **wish, **capped, "why": setting.why},)
        case SliceCpus():
            concern, steps = "slices", _slice_steps(setting, observed)
        case Pid1Affinity():
            concern = "slices"  # its file is an item of its own, and systemd reads it at boot
        case UnitState():
            concern = "irqbalance" if setting.unit == "irqbalance.service" else "services"
            steps = (_unit(setting.unit, setting.enabled, setting.active, setting.why),)
            refused = unmaskable(setting, observed)
        case _:
            assert_never(setting)
    what = f"{_shown(seen)} -> {_shown(setting.value)}"
    if pending.way_out:
        what, steps, refused = pending.reason, (), ""
    return Change(
        concern=concern,
        key=setting.key,
        seen=f"{setting.key}: {what}",
        mode=setting.mode,
        why=setting.why,
        steps=() if refused else steps,
        refused=refused,
        way_out=pending.way_out,
    )


def unmaskable(setting: UnitState, observed: HostState) -> str:
    """Why a unit cannot be masked, "" when it can: a mask is a link, and somebody's own unit file is there.

    systemctl(1), `mask`: a unit file in /etc is never replaced by the link.
    """
    path = f"/etc/systemd/system/{setting.unit}"
    if setting.enabled != "masked" or path in observed.snapshot.links or observed.text(path) is None:
        return ""
    return f"{path} is a file of this host, so the unit cannot be masked; move it to /lib/systemd/system"


def _shown(value: str | None) -> str:
    if value is None:
        return "absent"
    text = " ".join(value.split())
    return (text[:57] + "..." if len(text) > 60 else text) or "empty"


def _value(path: str, value: str, compare: str, before: str | None, why: str) -> Step:
    saw = before or ""  # nothing is written over what nobody looked at
    return {"kind": "value", "path": path, "value": value, "compare": compare, "before": saw, "why": why}


def _unit(unit: str, enabled: str | None, active: bool | None, why: str) -> Step:
    return {"kind": "unit", "unit": unit, "enabled": enabled, "active": active, "why": why}


def _slice_steps(setting: SliceCpus, observed: HostState) -> tuple[Step, ...]:
    """Write the live cpuset only where a control group exists; the slice's file covers every later start."""
    path = f"{cgroup_of(setting.slice)}/cpuset.cpus"
    seen = observed.text(path)
    if seen is None or _same_cpus(seen, setting.cpus):
        return ()
    return (_value(path, setting.value, "cpulist", seen.strip(), setting.why),)


def _same_cpus(text: str, cpus: CpuSet) -> bool:
    try:
        return CpuSet.parse_list(text) == cpus
    except ValueError:
        return False


def _file_items(files: Iterable[RenderedFile], observed: HostState) -> Iterator[Change]:
    for file in files:
        seen = observed.digest(file.path)
        if seen == file.digest:
            continue
        step = {
            "kind": "file",
            "path": file.path,
            "content": file.content,
            "mode": file.mode,
            "before": observed.before(file.path),
            "why": file.why,
        }
        sentence = f"{file.path}: {'new' if seen in {None, 'absent'} else 'differs from the plan'}"
        yield Change(
            concern=file.concern, key=file.path, seen=sentence, mode="safe", why=file.why, steps=(step,)
        )


def _stale_items(files: Iterable[RenderedFile], observed: HostState) -> Iterator[Change]:
    """Files an earlier plan brought and this one does not want."""
    wanted = {file.path for file in files}
    for path in sorted(filter(is_owned, observed.snapshot.files.keys() - wanted)):
        digest = observed.digest(path)
        if digest in {None, "absent"}:
            continue
        why = "an earlier plan brought this file, the present one does not have it"
        step = {"kind": "file", "path": path, "content": None, "mode": 0o644, "before": digest, "why": why}
        yield Change(
            concern="slices",
            key=path,
            seen=f"{path}: no longer planned",
            mode="safe",
            why=why,
            steps=(step,),
        )


def is_owned(path: str) -> bool:
    """Whether a path is one that our plans bring."""
    return _OWNED.fullmatch(path) is not None


def standin_items(plan: Plan | None, observed: HostState, *, boot_pending: bool) -> Iterator[Change]:
    """One instance for each engine and poll CPU, started only on a committed boot; others are taken away.

    Where an engine is deployed, and on a host that is not the lab's (no PLAN for them), there are none: they
    would spin on CPUs that somebody trades on.
    """
    wanted = set() if engine_units(observed) or plan is None else set(standin_units(plan))
    enabled = enabled_units(observed, STANDINS)
    active = {unit for unit in observed.engine_units if unit.startswith(STANDINS)}
    for unit in sorted((enabled | active) - wanted):
        why = "an engine is deployed here, the host is not of the lab, or the plan has no such CPU"
        yield _standin(unit, "disabled", False, "not planned any more", why)
    why = "keeps a planned engine CPU busy the way an engine thread would"
    if boot_pending or observed.open_trial is not None:  # a trial measures the quiet host; starting follows
        yield from (_standin(unit, "enabled", None, "not enabled", why) for unit in sorted(wanted - enabled))
        return
    for unit in sorted(wanted - (enabled & active)):
        yield _standin(unit, "enabled", True, "not running", why)


def engine_units(observed: HostState) -> tuple[str, ...]:
    """The deployed engines of a host: what `hft engine deploy` enabled."""
    return tuple(sorted(enabled_units(observed, ENGINES)))


def enabled_units(observed: HostState, prefix: str) -> set[str]:
    """Units whose name begins so and that start with the host."""
    wants = f"/etc/systemd/system/multi-user.target.wants/{prefix}"
    links = (link for link in observed.snapshot.links if link.startswith(wants))
    return {link.rpartition("/")[2] for link in links}


def busy_units(plan: Plan, observed: HostState, *, standins: bool) -> tuple[str, ...]:
    """What is to run on the engine's CPUs once the host may trade: its engines, else the lab's stand-ins."""
    return engine_units(observed) or (standin_units(plan) if standins else ())


def standin_units(plan: Plan) -> tuple[str, ...]:
    """The stand-in's instances of a plan, in the order of their CPUs."""
    return tuple(f"hft-standin@{cpu}.service" for cpu in plan.cpus_of("engine", "poll"))


def _standin(unit: str, enabled: str, active: bool | None, state: str, why: str) -> Change:
    step = _unit(unit, enabled, active, why)
    return Change(concern="engine", key=unit, seen=f"{unit}: {state}", mode="safe", why=why, steps=(step,))
