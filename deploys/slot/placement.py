"""Manifest + plan -> which thread runs where. Pure; every refusal is a sentence with what to do.

Threads that want an isolated CPU get one each and share it with nobody: first of the role that fits (a
receiving thread a poll CPU, a deciding or sending one an engine CPU), then of the other isolated roles. All
other threads get the housekeeping CPUs together. Slots have disjoint isolated CPUs, so that the next release
can run beside the present one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deploys.errors import RefusedError
from engine.contract.manifest import Manifest, Thread
from tuning.cpuset import CpuSet
from tuning.plan.plan import CpuRole, Plan

PREFERRED: Mapping[str, tuple[CpuRole, ...]] = {"md-rx": ("poll", "engine", "spare")}
OTHERWISE: tuple[CpuRole, ...] = ("engine", "poll", "spare")
# In this order, because the deciding thread must not lose its CPU to a receiving one.
ORDER = ("hot", "order-tx", "md-rx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the threads of one slot run."""

    threads: Mapping[str, CpuSet]
    roles: Mapping[str, CpuSet]
    housekeeping: CpuSet
    nodes: tuple[int, ...]

    @property
    def isolated(self) -> CpuSet:
        """The CPUs that this slot alone uses."""
        return self.all - self.housekeeping

    @property
    def all(self) -> CpuSet:
        """Every CPU the process may use."""
        found = self.housekeeping
        for cpus in self.threads.values():
            found |= cpus
        return found


def place(manifest: Manifest, plan: Plan, *, taken: Mapping[str, frozenset[int]]) -> Placement:
    """The placement, or RefusedError: more isolated threads than free isolated CPUs."""
    housekeeping = plan.cpus_of("housekeeping")
    hot = [thread for thread in manifest.threads if thread.wants == "isolated"]
    free = plan.isolated - CpuSet.of(cpu for cpus in taken.values() for cpu in cpus)
    if len(hot) > len(free):
        raise RefusedError("", _too_many(hot, plan, free, taken))
    threads = {thread.name: housekeeping for thread in manifest.threads}
    for thread in sorted(hot, key=_rank):
        chosen = CpuSet.of([_first(thread, plan, free)])
        threads[thread.name], free = chosen, free - chosen
    roles: dict[str, CpuSet] = {}
    for thread in manifest.threads:
        roles[thread.role] = roles.get(thread.role, CpuSet()) | threads[thread.name]
    used = {cpu for thread in hot for cpu in threads[thread.name]}
    nodes = tuple(sorted({one.node for one in plan.cpus if one.cpu in used and one.node >= 0}))
    return Placement(threads=threads, roles=roles, housekeeping=housekeeping, nodes=nodes)


def _rank(thread: Thread) -> tuple[int, str]:
    return (ORDER.index(thread.role) if thread.role in ORDER else len(ORDER), thread.name)


def _first(thread: Thread, plan: Plan, free: CpuSet) -> int:
    for role in PREFERRED.get(thread.role, OTHERWISE):
        fitting = plan.cpus_of(role) & free
        if fitting:
            return fitting.first()
    raise AssertionError("the isolated CPUs are the CPUs of these roles, and there were enough")


def _too_many(hot: list[Thread], plan: Plan, free: CpuSet, taken: Mapping[str, frozenset[int]]) -> str:
    names = ", ".join(thread.name for thread in hot)
    others = f", of which slot {' and '.join(sorted(taken))} uses some" if taken else ""
    return (
        f"{len(hot)} threads want an isolated CPU ({names}) and {len(free)} are free: the plan isolates "
        f"{plan.isolated.list_text() or 'none'}{others}; hint: a profile with more "
        f"engine_threads, or an engine with fewer hot threads"
    )
