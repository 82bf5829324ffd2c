"""Edits of a recorded host, made by rules and a seed: false states of it, and damage to its answer.

Three families. A *state* is a host that truly is not as planned: each value, list, affinity, task, unit,
pool, argument and counter of it in turn; it must be violated. *Damage* is what happens to an answer on its
way: a row that is lost, doubled, renamed or swapped with its neighbour; the host behind it is sound, so
nothing may be violated, and a row that a finding needs may not pass when it is lost. *Both* together: the
fault is seen or not known, never `ok`, and nothing is violated that the fault alone does not violate. Which
rows are needed is said here once more, in words of its own, not asked of the checks.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from checks.expected import read_plan
from checks.facts import PLAN, parse_facts
from checks.rows import EXCUSED
from tests.support.checkout import ROOT

HERE = ROOT / "tests" / "unit" / "checks"
Meter: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A host's two answers, as they came over the wire."""

    lines: tuple[str, ...]
    meter: Meter


Change: TypeAlias = Callable[[Recorded], Recorded]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One change by a rule; `needed`: without that row nothing may pass."""

    name: str
    change: Change
    needed: bool = False


ROOT_UUID = "6b79561a-c79e-578f-99b2-65bb9c00b856"  # as in tuned.facts


def recorded() -> Recorded:
    """The tuned host with the boot menu that conftest.py adds."""
    raw = (HERE / "tuned.facts").read_bytes().decode()
    plan = read_plan(parse_facts(raw, "@mark").files[PLAN]).plan
    words = " ".join(f"'{word}'" for word in plan.kernel_args())
    menu = [
        "menuentry 'hft good: t' --id hft-good --unrestricted {",
        f"  search --no-floppy --fs-uuid --set=root {ROOT_UUID}",
        f"  linux /boot/vmlinuz-6.1.0-56-rt-amd64 'root=UUID={ROOT_UUID}' 'ro' {words} 'hft.good=t'",
        "  initrd /boot/initrd.img-6.1.0-56-rt-amd64",
        "}",
    ]
    env = "# GRUB Environment Block\nsaved_entry=hft-good\n" + "#" * 900
    lines = raw.split("\n")
    lines = [line for line in lines if line != "/boot/grub/hft.cfg"]
    at = lines.index("@mark files") + 1
    more = [f"/boot/grub/hft.cfg\0{line}" for line in menu]
    more += [f"/boot/grub/grubenv\0{line}" for line in env.split("\n")]
    more += ["/boot/grub/grub.cfg\0source /boot/grub/hft.cfg"]
    more += [f"/etc/default/grub\0{line}" for line in ("GRUB_DEFAULT=0", "GRUB_TIMEOUT=5")]
    more += [f"/etc/default/grub.d/90-hft.cfg\0{line}" for line in ("GRUB_DEFAULT=saved", "GRUB_TIMEOUT=1")]
    lines[at:at] = more
    lines.insert(lines.index("@mark files"), "/boot/grub/custom.cfg")
    return Recorded(lines=tuple(lines), meter=json.loads((HERE / "tuned.meter.json").read_text()))


GOOD = recorded()


# damage

TABLES = ("/proc/interrupts", "/proc/self/mountinfo", "/boot/", "/etc/default/", "/var/lib/hft/")
INFORMATION = re.compile(
    r"/sys/devices/system/clocksource/|/sys/devices/system/cpu/(possible|online)|.*/physical_package_id|"
    r"/sys/devices/system/node/node\d+/cpulist|/sys/kernel/(realtime|irq/)|/etc/machine-id"
)


def sections() -> list[str]:
    """The section of each line."""
    found, current = [], ""
    for line in GOOD.lines:
        current = line.removeprefix("@mark ") if line.startswith("@mark ") else current
        found.append(current)
    return found


SECTIONS = sections()


def whole_tasks() -> set[str]:
    """Tasks of which all three files were read; of another one nobody knows whether it had ended."""
    names = ("stat", "status", "cgroup")
    read = {n: {line.rpartition("/")[0] for line in GOOD.lines if f"/{n}\0" in line} for n in names}
    return read["stat"] & read["status"] & read["cgroup"]


WHOLE = whole_tasks()


def needed(at: int) -> bool:
    """Whether a finding rests on this row: a file of the kernel that is one line, or a task."""
    path, nul, _ = GOOD.lines[at].partition("\0")
    if SECTIONS[at] in {"stat", "status", "cgroup"}:
        return bool(nul) and path.rpartition("/")[0] in WHOLE
    is_line = bool(nul) and SECTIONS[at] == "files" and not path.startswith(TABLES)
    return is_line and INFORMATION.match(path) is None


def renamed(line: str, dice: random.Random) -> str:
    """The row under another name; a name that no rule knows."""
    head, nul, rest = line.partition("\0")
    if nul:
        return f"{head}{dice.randrange(10, 99)}\0{rest}"
    return f"x{line}"


DAMAGES: dict[str, Callable[[list[str], int, random.Random], object]] = {
    "drop": lambda lines, at, _: lines.pop(at),
    "double": lambda lines, at, _: lines.insert(at, lines[at]),
    "rename": lambda lines, at, dice: lines.__setitem__(at, renamed(lines[at], dice)),
    "swap": lambda lines, at, _: lines.__setitem__(slice(at, at + 2), lines[at : at + 2][::-1]),
}


def damage(kind: str, at: int, seed: int) -> Edit:
    """One row of the answer was lost, doubled, renamed or swapped with the next one."""

    def change(host: Recorded) -> Recorded:
        lines = list(host.lines)
        DAMAGES[kind](lines, at, random.Random(seed))
        return Recorded(lines=tuple(lines), meter=host.meter)

    shown = GOOD.lines[at].replace("\0", " | ")[:70]
    return Edit(name=f"{kind} {SECTIONS[at]}: {shown}", change=change, needed=kind == "drop" and needed(at))


def damages(dice: random.Random) -> Iterator[Edit]:
    """Every damage to every row, in a seeded order; the frame itself is tested by cutting elsewhere.

    A menu in another order, and a kernel of another name, is another state of the host.
    """
    rows = [at for at, line in enumerate(GOOD.lines) if not line.startswith("@mark ") and line]
    rows = [at for at in rows if not GOOD.lines[at + 1].startswith("@mark ")]
    rows = [at for at in rows if not GOOD.lines[at].startswith("/boot/")]
    every = [(kind, at) for kind in DAMAGES for at in rows if (kind, SECTIONS[at]) != ("rename", "boot")]
    dice.shuffle(every)
    for kind, at in every:
        yield damage(kind, at, dice.randrange(1 << 30))


# states


def lines_with(pattern: str, new: str) -> Change:
    """Every line that is PATTERN becomes another one."""
    known = re.compile(pattern)

    def change(host: Recorded) -> Recorded:
        lines = tuple(known.sub(new, line) if known.fullmatch(line) else line for line in host.lines)
        assert lines != host.lines, pattern
        return Recorded(lines=lines, meter=host.meter)

    return change


def file_is(path: str, text: str) -> Edit:
    """A file of one line says something else."""
    return Edit(name=f"{path} is {text}", change=lines_with(f"{re.escape(path)}\0.*", f"{path}\0{text}"))


def counted(change: Callable[[Meter], object]) -> Change:
    """The meter counted something else."""

    def edit(host: Recorded) -> Recorded:
        meter = copy.deepcopy(host.meter)
        change(meter)
        return Recorded(lines=host.lines, meter=meter)

    return edit


def values() -> Iterator[Edit]:
    """Each planned value is another one; each planned argument is not on the line."""
    text = next(line for line in GOOD.lines if line.startswith(f"{PLAN}\0")).partition("\0")[2]
    there = {line.partition("\0")[0] for line in GOOD.lines if "\0" in line}
    for one in json.loads(text)["settings"]:
        path = one.get("path") or f"/proc/sys/{one['key'].replace('.', '/')}"
        if one["kind"] in {"sysctl", "sysfs_value"} and path in there:
            others = OTHERS.get(one["compare"], {"0", "1", "7"})
            yield from (file_is(path, wrong) for wrong in sorted(others - same_as(one)))
        if one["kind"] == "kernel_arg":
            word = f"{one['name']}={one['value']}" if one["value"] else one["name"]
            change = lines_with(rf"(/proc/cmdline\0.*) {re.escape(word)}(.*)", r"\1\2")
            yield Edit(name=f"booted without {word}", change=change)


OTHERS = {"cpulist": {"0", "1", "0-3"}, "cpumask": {"1", "7", "f"}}  # as the kernel prints them


def same_as(setting: dict[str, Any]) -> set[str]:
    """Texts that say the same as a planned value."""
    wanted = str(setting["value"])
    return {wanted, str(int(wanted, 16))} if setting["compare"] == "cpumask" else {wanted}


def is_bound(stat: str) -> bool:
    """Whether nobody may choose the CPUs of this kernel thread: PF_NO_SETAFFINITY, field 9 of proc(5)."""
    return bool(int(stat.rpartition(")")[2].split()[6]) & 0x04000000)


def placements() -> Iterator[Edit]:
    """Each interrupt in use, each task, slice and list reaches an isolated CPU."""
    split = [line.partition("\0") for line in GOOD.lines]
    rows = [text.strip().partition(":")[0] for path, _, text in split if path == "/proc/interrupts"]
    for irq in (number for number in rows if number.isdigit() and number not in {"29", "30"}):
        yield file_is(f"/proc/irq/{irq}/smp_affinity_list", "3")
        yield file_is(f"/proc/irq/{irq}/effective_affinity_list", "3")
    stats = [(path, stat) for path, nul, stat in split if nul and path.endswith("/stat")]
    bound = {path.removesuffix("stat") for path, stat in stats if is_bound(stat)}
    for path, _, text in split:
        stem = path.removesuffix("status")
        if (
            stem != path
            and stem in WHOLE
            and stem not in bound
            and text.startswith("Cpus_allowed_list:\t0-1")
        ):
            change = lines_with(re.escape(f"{path}\0{text}"), f"{path}\0Cpus_allowed_list:\t0-3")
            yield Edit(name=f"{path} may run on 3", change=change)
    for name in ("system", "user"):
        yield file_is(f"/sys/fs/cgroup/{name}.slice/cpuset.cpus.effective", "0-3")
    for name, wrong in (("isolated", "2"), ("nohz_full", "3"), ("isolated", ""), ("nohz_full", " (null)")):
        yield file_is(f"/sys/devices/system/cpu/{name}", wrong)
    yield file_is("/proc/irq/default_smp_affinity", "f")


def row(table: str, at: int, cpu: int, count: int, meter: Meter) -> None:
    """What one row of a table counted on one CPU."""
    meter[table][at]["delta"][str(cpu)] = count


def load(at: int, sets: dict[str, Any], meter: Meter) -> None:
    """How the test load fared on a CPU."""
    meter["cpus"][at].update(sets)


def ran(cpu: int, sets: dict[str, Any], meter: Meter) -> None:
    """A stray task ran there."""
    meter["tasks"].append({**meter["tasks"][0], "tid": 99, "comm": "stray", "cpu": cpu, **sets})


def counts() -> Iterator[Edit]:
    """Each row, on each isolated CPU, counted too much, also past a wrap; each load suffered."""
    for table in ("interrupts", "softirqs"):
        for at, one in enumerate(GOOD.meter[table]):
            for cpu in (2, 3) if one["id"] not in EXCUSED else ():
                for count in (5000, (1 << 32) - 1, (1 << 64) - (1 << 32) + 4000):
                    change = counted(partial(row, table, at, cpu, count))
                    yield Edit(name=f"{one['id']} {count} on CPU {cpu}", change=change)
    for at, one in enumerate(GOOD.meter["cpus"]):
        if one["mode"] == "spin":
            for sets in ({"involuntary": 400}, {"major_faults": 3}, {"gap_max_ns": 30e9}, {"run_ns": 1}):
                yield Edit(name=f"CPU {one['cpu']} {sets}", change=counted(partial(load, at, sets)))
    for cpu in (2, 3):
        for sets in ({"kernel": False, "run_ns": 5_000_000}, {"kernel": True, "voluntary": 900}):
            yield Edit(name=f"a task ran on CPU {cpu} {sets}", change=counted(partial(ran, cpu, sets)))


MASKED = "LoadState=masked\nActiveState=inactive\nUnitFileState=masked"
MISSING = "LoadState=not-found\nActiveState=inactive\nUnitFileState="


def units() -> Iterator[Edit]:
    """Each masked unit is enabled, or started, or not there; each pool has another number of pages."""
    blocks = "\n".join(GOOD.lines[SECTIONS.index("units") + 1 : SECTIONS.index("boot")]).split("\n\n")
    for block in (one for one in blocks if MASKED in one):
        name = block.partition("Id=")[2].partition("\n")[0]
        for old, new in (
            ("UnitFileState=masked", "UnitFileState=enabled"),
            ("ActiveState=inactive", "ActiveState=active"),
            (MASKED, MISSING),
        ):
            yield Edit(name=f"{name}: {new[:30]!r}", change=block_is(block, block.replace(old, new)))
    for node, count in ((0, "64"), (0, "1"), (1, "0"), (1, "63")):
        yield file_is(f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages", count)


def block_is(old: str, new: str) -> Change:
    """Several lines become others."""

    def change(host: Recorded) -> Recorded:
        text = "\n".join(host.lines)
        assert text.count(f"\n{old}\n") == 1, old
        return Recorded(lines=tuple(text.replace(f"\n{old}\n", f"\n{new}\n").split("\n")), meter=host.meter)

    return change


STATES = [*values(), *placements(), *counts(), *units()]
