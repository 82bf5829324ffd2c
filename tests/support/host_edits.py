"""Edits of a recorded host: one fact of it is another, gone or not known; what the checks say."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from checks.baseline import Baseline
from checks.expected import Expected, committed, plan_findings
from checks.facts import Facts
from checks.reading import Task
from checks.settings import setting_findings
from checks.topics import topic_findings
from checks.verdict import Finding

Change = Callable[[Facts], Facts]


def everything(facts: Facts, expected: Expected, baseline: Baseline) -> dict[str, Finding]:
    found = [committed(facts)[1], *plan_findings(expected, facts), *topic_findings(expected, facts, baseline)]
    return {finding.check: finding for finding in (*found, *setting_findings(expected, facts))}


def file(path: str, text: str) -> Change:
    return lambda facts: replace(facts, files={**facts.files, path: text})


def edit(path: str, old: str, new: str) -> Change:
    def change(facts: Facts) -> Facts:
        assert re.search(old, facts.files[path])
        return replace(facts, files={**facts.files, path: re.sub(old, new, facts.files[path])})

    return change


def gone(path: str) -> Change:
    def change(facts: Facts) -> Facts:
        files = {name: text for name, text in facts.files.items() if name != path}
        return replace(facts, files=files, absent=facts.absent | {path})

    return change


def journal(last: str) -> Change:
    """The agent's journal has a transaction whose last line is this."""
    return lambda facts: replace(facts, transactions={"20261121T110000-00000002": last})


def unknown(path: str) -> Change:
    return lambda facts: replace(facts, files={n: t for n, t in facts.files.items() if n != path})


def refused(path: str) -> Change:
    return lambda facts: replace(unknown(path)(facts), unreadable={path: "Permission denied"})


def task(comm: str, allowed: set[int], *, flags: int = 0, cgroup: str = "/system.slice/x.service") -> Change:
    new = Task(
        pid=9999, tid=9999, comm=comm, flags=flags, last_cpu=0, allowed=frozenset(allowed), cgroup=cgroup
    )
    return lambda facts: replace(facts, tasks=(*facts.tasks, new))


def without(pattern: str) -> Change:
    """A host that has no such task: its listing is whole without it."""

    def change(facts: Facts) -> Facts:
        left = tuple(t for t in facts.tasks if not re.match(pattern, t.comm))
        return replace(facts, tasks=left, listed=len(left))

    return change


def held(error: str, actions: str = "ens1-rx-0", irq: int = 36, **sets: object) -> Change:
    """The agent's record of one interrupt that the kernel did not move."""

    def change(facts: Facts) -> Facts:
        record = json.loads(facts.files["/run/hft/irqs.json"])
        one = {"irq": irq, "actions": actions, "cpus": "3", "wanted": "0-1", "error": error}
        text = json.dumps({**record, "held": [*record["held"], one], **sets})
        return replace(facts, files={**facts.files, "/run/hft/irqs.json": text})

    return change


def both(*changes: Change) -> Change:
    def change(facts: Facts) -> Facts:
        for one in changes:
            facts = one(facts)
        return facts

    return change


def unit(name: str, **state: str) -> Change:
    return lambda facts: replace(facts, units={**facts.units, name: {**facts.units.get(name, {}), **state}})


def mounted(path: str) -> Change:
    line = f"99 22 0:5 /x {path} rw - ext4 /dev/vda rw\n"
    return edit("/proc/self/mountinfo", r"\A", line)
