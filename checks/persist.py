"""What the next boot takes each setting from: a finding `persist.KEY` for all that no boot argument carries.

A live value proves this boot. The next one is set by files, and a file of somebody else may win over ours, or
ours may be gone. What is below /run does not outlive a boot by itself, but something may write it again: a
value has to hold with those files and without them.

Two programs write: systemd-sysctl and systemd-tmpfiles, in no order between them. A file of the kernel is
judged by both, whichever of them we use, and so are the files behind a pool of hugepages that a boot argument
reserves. A line of which the text does not tell whether it reaches the file is unverifiable, never ok.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from checks.boot_writes import UNKNOWN, Write, last_write, sysctl_writes, tmpfiles_writes
from checks.errors import CheckError
from checks.expected import Expected
from checks.facts import Facts
from checks.globs import names_of
from checks.pools import counts_pages, pool_files
from checks.reading import Cpus, cpus_of_list, list_of
from checks.settings import same_value
from checks.systemd_files import (
    UNIT_FOLDERS,
    Files,
    cpus_of_manager,
    cpus_of_slice,
    slices_above,
    without_run,
)
from checks.verdict import Finding, ok, unverifiable, violated
from transport.hint import command
from tuning.plan.setting import (
    IrqPlacement,
    KernelArg,
    KthreadPlacement,
    KthreadPriority,
    NicParameter,
    Pid1Affinity,
    Setting,
    SliceCpus,
    Sysctl,
    SysfsValue,
    UnitState,
)

WHY = "a value that is right now and lost at the next boot untunes the host in the middle of a restart"
SERVICE = "hft-irqs.service"
OUR_FOLDER = re.compile(r"/etc/(sysctl\.d|tmpfiles\.d|systemd/system\.conf\.d|systemd/system(/[^/]+)?)")
FOLDERS = ("sysctl.d", "tmpfiles.d", "systemd")
MAKERS = {"sysctl.d": "systemd-sysctl.service", "tmpfiles.d": "systemd-tmpfiles-setup.service"}

Said = str | None  # what is wrong; None when the next boot sets what is planned


def _apply() -> str:
    return f"run: {command('apply')}"


def persist_findings(expected: Expected, facts: Facts) -> tuple[Finding, ...]:
    """One finding for each setting whose next value is in a file, or can be taken back by one.

    Boot arguments are judged by boot.next, and here only the pool of hugepages that they reserve.
    """
    found, boots = [], (facts.files, without_run(facts.files))
    for setting, raw in expected.settings:
        if isinstance(setting, KernelArg) and setting.name != "hugepages":
            continue
        if isinstance(setting, UnitState) and setting.enabled != "masked":
            continue
        found.append(_finding(setting, raw, expected, facts, boots))
    return tuple(found)


def _finding(
    setting: Setting, raw: Mapping[str, Any], expected: Expected, facts: Facts, boots: tuple[Files, ...]
) -> Finding:
    """BOOTS: the files of a boot with what is below /run, and without it."""
    check, sets = f"persist.{setting.key}", {"expected": setting.value, "why": WHY}
    try:
        if unread := _unread(facts):
            return unverifiable(check, "not_readable", unread, **sets)
        if facts.unit_files is None:
            return unverifiable(check, "not_read", "the configuration files were not asked for", **sets)
        judge = _judge_of(setting, raw, expected, facts)
        for files in boots:
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


def _judge_of(
    setting: Setting, raw: Mapping[str, Any], expected: Expected, facts: Facts
) -> Callable[[Files], Said]:
    match setting:
        case Sysctl() | SysfsValue():
            return lambda files: _value(setting, files, facts) or _pool(setting, expected, files, facts)
        case SliceCpus():
            wanted = cpus_of_list(str(raw["cpus"]))
            return lambda files: (
                _cpus(setting.slice, wanted, *cpus_of_slice(files, setting.slice))
                or _confined(setting.slice, wanted, files)
            )
        case Pid1Affinity():
            wanted = cpus_of_list(str(raw["cpus"]))
            return lambda files: _cpus("PID 1", wanted, *cpus_of_manager(files))
        case UnitState():
            return lambda files: _masked(setting.unit, facts, with_run=files is facts.files)
        case IrqPlacement() | KthreadPlacement() | KthreadPriority() | NicParameter():
            return lambda _files: _service(facts)
        case KernelArg():
            return lambda files: _pool(setting, expected, files, facts)
        case _:
            assert_never(setting)


def _value(setting: Sysctl | SysfsValue, files: Files, facts: Facts) -> Said:
    """The program that we use has to write the value, and the other one nothing else."""
    names = names_of(setting.path, facts.sharing_cpus)
    by_sysctl, by_tmpfiles = sysctl_writes(files, names), tmpfiles_writes(files, names)
    is_sysctl = isinstance(setting, Sysctl)
    ours, theirs = (by_sysctl, by_tmpfiles) if is_sysctl else (by_tmpfiles, by_sysctl)
    maker = MAKERS["sysctl.d" if is_sysctl else "tmpfiles.d"]
    if mask := _mask_of(maker, facts, with_run=True):
        return f"{mask} masks {maker}, so no file is read; run on the host: systemctl unmask {maker}"

    def is_same(value: str) -> bool:
        return same_value(setting.compare, setting.value, value, facts.highest)

    if last_write(ours) is None:
        return f"no file sets {setting.key}; {_apply()}"
    for writes in (ours, theirs):
        if said := _differs(setting.key, setting.value, is_same, writes):
            return said
    return None


def _differs(what: str, wanted: str, is_same: Callable[[str], bool], writes: Sequence[Write]) -> Said:
    """What is wrong with the last write that is sure, or not known about one behind it that may be one."""
    last = last_write(writes)
    if last is not None:
        if last.value is None:
            return f"{last.path} keeps {what} from being set; remove its line for it"
        if last.value.startswith(UNKNOWN):
            raise CheckError(f"{last.path}: {last.value} is not understood")
        if not is_same(last.value):
            said = f"{last.path} sets {last.value[:60]} at the next boot; the plan wants {wanted}"
            return f"{said}; {_cure(last.path)}"
    behind = writes[writes.index(last) + 1 :] if last is not None else writes
    for one in behind:
        if one.value is None or one.value.startswith(UNKNOWN) or not is_same(one.value):
            said = f"to {(one.value or 'nothing')[:60]}: the text of its line does not tell"
            raise CheckError(f"{one.path} may set {what} {said}")
    return None


def _pool(setting: Setting, expected: Expected, files: Files, facts: Facts) -> Said:
    """Nobody changes the pages that the plan reserves, nor adds others, by whichever file of the kernel."""
    if not counts_pages(setting):
        return None
    for names, wanted in pool_files(expected, facts):
        if getattr(setting, "path", None) in names:
            continue  # it is judged as a value of ours

        def is_same(value: str, wanted: int = wanted) -> bool:
            return value.isascii() and value.isdigit() and int(value) == wanted

        for writes in (sysctl_writes(files, names), tmpfiles_writes(files, names)):
            if said := _differs("the pool of hugepages", f"{wanted} pages there", is_same, writes):
                return said
    return None


def _cure(path: str) -> str:
    return _apply() if _ours(path) else f"remove its line, or the file, and then {_apply()}"


def _cpus(what: str, wanted: Cpus, cpus: Cpus, givers: list[str]) -> Said:
    if not givers:
        return f"no file gives {what} CPUs at the next boot; {_apply()}"
    if cpus == wanted:
        return None
    strange = [path for path in givers if not _ours(path)] or givers
    return f"{', '.join(strange)}: {what} gets CPUs {list_of(cpus)} at the next boot; {_cure(strange[-1])}"


def _confined(what: str, wanted: Cpus, files: Files) -> Said:
    """A slice gets no CPU that a slice above it does not have (cgroup v2, cpuset.cpus.effective)."""
    for above in slices_above(what):
        cpus, givers = cpus_of_slice(files, above)
        if givers and not wanted <= cpus:
            said = f"{', '.join(givers)}: {above} has CPUs {list_of(cpus) or 'none'} at the next boot"
            return f"{said}, and {what} below it no others; {_cure(givers[-1])}"
    return None


def _ours(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return OUR_FOLDER.fullmatch(folder) is not None and (name == "90-hft.conf" or name.startswith("hft-"))


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
