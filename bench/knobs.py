"""The settings under comparison: one list, the same for every tool.

A knob is what an operator would call one setting, reduced to what any tool can read and change: the content
of one file, a live value of the kernel, or a link that enables or masks a unit. The list comes from the real
plan of the made host and from the real rendered files. What only hft looks at on top is left out: kernel
threads, command line, PID 1, live slices, its own record, and files like `always [madvise] never`, which no
stock module can compare. So the other tools do less work than hft, never more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from bench.errors import BenchError
from bench.target import Target
from deploys.tune.render import RenderedFile, render
from tuning.plan.plan import Plan
from tuning.plan.setting import IrqPlacement, Sysctl, SysfsValue, UnitState

COUNT = 50
Kind = Literal["sysctl", "value", "file", "link"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One setting: `wanted` is the text of a file or value, or the target of a link."""

    kind: Kind
    path: str
    wanted: str
    key: str

    @property
    def name(self) -> str:
        """What operators and reports call it."""
        return f"{self.kind} {self.key}"


def knobs_of(plan: Plan, irqs: Iterable[int]) -> tuple[Knob, ...]:
    """COUNT settings of the plan, kinds mixed as the plan mixes them, filled up with interrupt placements."""
    found = [*_values(plan), *_files(render(plan, standins=False)), *_units(plan)]
    spare = COUNT - len(found)
    found += list(_interrupts(plan, irqs))[: max(0, spare)]
    if len(found) < COUNT:
        raise BenchError(
            f"the made host's plan has only {len(found)} settings to compare, {COUNT} are needed"
        )
    return tuple(found[:COUNT])


def _values(plan: Plan) -> Iterator[Knob]:
    for setting in plan.settings:
        if isinstance(setting, Sysctl):
            yield Knob(kind="sysctl", path=setting.path, wanted=setting.value, key=setting.key)
        elif isinstance(setting, SysfsValue) and setting.compare != "choice":
            yield Knob(kind="value", path=setting.path, wanted=setting.value, key=setting.path)


def _files(files: Iterable[RenderedFile]) -> Iterator[Knob]:
    for file in files:
        if file.concern not in ("record", "engine"):
            yield Knob(kind="file", path=file.path, wanted=file.content, key=file.path)


def _units(plan: Plan) -> Iterator[Knob]:
    for setting in plan.settings:
        if isinstance(setting, UnitState) and setting.enabled == "masked":
            path = f"/etc/systemd/system/{setting.unit}"
            yield Knob(kind="link", path=path, wanted="/dev/null", key=setting.unit)


def _interrupts(plan: Plan, irqs: Iterable[int]) -> Iterator[Knob]:
    for setting in plan.settings:
        if isinstance(setting, IrqPlacement):
            for irq in irqs:
                path = f"/proc/irq/{irq}/smp_affinity_list"
                yield Knob(kind="value", path=path, wanted=setting.value, key=path)


_READ = """
while read -r kind path; do
  if [ "$kind" = link ]; then printf '%s ' "$(readlink "$path" || echo none)"
  else printf '%s ' "$(cat "$path" 2>/dev/null | sha256sum | cut -d' ' -f1)"; fi
  printf '%s\\n' "$path"
done
"""


def wrong_on(target: Target, knobs: Iterable[Knob]) -> list[str]:
    """The knobs that do not stand as wanted, read by a few lines of shell that no tool shares."""
    listed = tuple(knobs)
    asked = "".join(f"{knob.kind} {knob.path}\n" for knob in listed)
    seen = dict(line.split(" ", 1)[::-1] for line in target.run(_READ, stdin=asked).splitlines())
    return [knob.name for knob in listed if seen.get(knob.path) not in _acceptable(knob)]


def _acceptable(knob: Knob) -> set[str]:
    if knob.kind == "link":
        return {knob.wanted}
    texts = (knob.wanted,) if knob.kind == "file" else (knob.wanted, knob.wanted + "\n")
    return {hashlib.sha256(text.encode()).hexdigest() for text in texts}
