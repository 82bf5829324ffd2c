"""What the next boot takes each setting from: a finding `persist.KEY` for all that no boot argument carries.

A live value proves this boot. The next one is set by files, and a file of somebody else may win over ours, or
ours may be gone. What is below /run does not outlive a boot by itself, but something may write it again: a
value has to hold with those files and without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.reading import Cpus, cpus_of_list, list_of
from checks.settings import same_value
from checks.systemd_files import (
    UNIT_FOLDERS,
    Files,
    Winner,
    cpus_of_manager,
    cpus_of_slice,
    sysctl_winner,
    tmpfiles_winner,
    without_run,
)
from checks.verdict import Finding, ok, unverifiable, violated
from transport.hint import command
from tuning.plan.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)

WHY = "a value that is right now and lost at the next boot untunes the host in the middle of a restart"
SERVICE = "hft-irqs.service"
FOLDERS = ("sysctl.d", "tmpfiles.d", "systemd")
MAKERS = {"sysctl.d": "systemd-sysctl.service", "tmpfiles.d": "systemd-tmpfiles-setup.service"}

Said = str | None  # what is wrong; None when the next boot sets what is planned


def _apply() -> str:
    return f"run: {command('apply')}"


def persist_findings(expected: Expected, facts: Facts) -> tuple[Finding, ...]:
    """One finding for each setting whose next value is in a file; boot arguments are judged by boot.next."""
    found = []
    for setting, raw in expected.settings:
        if isinstance(setting, KernelArg) or (isinstance(setting, UnitState) and setting.enabled != "masked"):
            continue
        found.append(_finding(setting, raw, facts))
    return tuple(found)


def _finding(setting: Setting, raw: Mapping[str, Any], facts: Facts) -> Finding:
    check, sets = f"persist.{setting.key}", {"expected": setting.value, "why": WHY}
    try:
        if unread := _unread(facts):
            return unverifiable(check, "not_readable", unread, **sets)
        if facts.unit_files is None:
            return unverifiable(check, "not_read", "the configuration files were not asked for", **sets)
        judge = _judge_of(setting, raw, facts)
        for files in (facts.files, without_run(facts.files)):
            if said := judge(files):
                return violated(check, "next_boot_differs", said, **sets)
    except CheckError as error:
        return unverifiable(check, "facts_cut", str(error), **sets)
    return ok(check, f"the next boot sets {setting.value}", **sets)


def _unread(facts: Facts) -> str | None:
    """A file or folder that systemd reads and this check could not."""
    for path, reason in facts.unreadable.items():
        if any(f"/{name}" in path for name in FOLDERS) and not path.startswith(("/proc/", "/sys/")):
            return f"{path}: {reason}"
    return None


def _judge_of(setting: Setting, raw: Mapping[str, Any], facts: Facts) -> Callable[[Files], Said]:
    match setting:
        case Sysctl():
            return lambda files: _value(setting, sysctl_winner(files, setting.key), "sysctl.d", facts)
        case SysfsValue():
            return lambda files: _value(setting, tmpfiles_winner(files, setting.path), "tmpfiles.d", facts)
        case SliceCpus():
            wanted = cpus_of_list(str(raw["cpus"]))
            return lambda files: _cpus(setting.slice, wanted, *cpus_of_slice(files, setting.slice))
        case Pid1Affinity():
            wanted = cpus_of_list(str(raw["cpus"]))
            return lambda files: _cpus("PID 1", wanted, *cpus_of_manager(files))
        case UnitState():
            return lambda files: _masked(setting.unit, facts, with_run=files is facts.files)
        case IrqPlacement() | KthreadPlacement():
            return lambda _files: _service(facts)
        case KernelArg():
            raise CheckError("boot arguments are in no file of systemd")
        case _:
            assert_never(setting)


def _value(setting: Sysctl | SysfsValue, winner: Winner | None, folder: str, facts: Facts) -> Said:
    maker = MAKERS[folder]
    if mask := _mask_of(maker, facts, with_run=True):
        return f"{mask} masks {maker}, so no file is read; run on the host: systemctl unmask {maker}"
    if winner is None:
        return f"no file sets {setting.key}; {_apply()}"
    if winner.value is None:
        return f"{winner.path} keeps {setting.key} from being set; remove its line for it"
    if winner.value.startswith("(unknown: "):
        raise CheckError(f"{winner.path}: {winner.value} is not understood")
    if same_value(setting.compare, setting.value, winner.value, facts.highest):
        return None
    said = f"{winner.path} sets {winner.value[:60]} at the next boot; the plan wants {setting.value}"
    return f"{said}; {_cure(winner.path)}"


def _cure(path: str) -> str:
    return _apply() if path.endswith("/90-hft.conf") else f"remove its line, or the file, and then {_apply()}"


def _cpus(what: str, wanted: Cpus, cpus: Cpus, givers: list[str]) -> Said:
    if not givers:
        return f"no file gives {what} CPUs at the next boot; {_apply()}"
    if cpus == wanted:
        return None
    strange = [path for path in givers if not _ours(path)] or givers
    return f"{', '.join(strange)}: {what} gets CPUs {list_of(cpus)} at the next boot; {_cure(strange[-1])}"


def _ours(path: str) -> bool:
    return path.endswith("/90-hft.conf") or path.rpartition("/")[2].startswith("hft-")


def _mask_of(unit: str, facts: Facts, *, with_run: bool) -> str | None:
    """The link that masks a unit; None when the first file by its name is none, or there is no such file."""
    folders = [one for one in UNIT_FOLDERS if with_run or not one.startswith("/run/")]
    files = facts.unit_files or {}
    first = next((path for one in folders if (path := f"{one}/{unit}") in files), None)
    return first if first is not None and files[first] == "/dev/null" else None


def _masked(unit: str, facts: Facts, *, with_run: bool) -> Said:
    if _mask_of(unit, facts, with_run=with_run):
        return None
    seen = next((path for one in UNIT_FOLDERS if (path := f"{one}/{unit}") in (facts.unit_files or {})), None)
    there = f"{seen} is there" if seen else "no link masks it"
    return f"{unit} is not masked at the next boot: {there}; {_apply()}"


def _service(facts: Facts) -> Said:
    """Placements are made anew at each boot, by a service of ours."""
    files = facts.unit_files or {}
    wanted = f"/etc/systemd/system/multi-user.target.wants/{SERVICE}"
    if _mask_of(SERVICE, facts, with_run=True):
        return f"{SERVICE} is masked; run on the host: systemctl unmask {SERVICE}"
    missing = [path for path in (f"/etc/systemd/system/{SERVICE}", wanted) if path not in files]
    return (
        f"{' and '.join(missing)} is gone, so nothing places them at the next boot; {_apply()}"
        if missing
        else None
    )
