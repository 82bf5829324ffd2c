"""Sysctls: the rows of the table that apply to this profile and partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning.plan.refusal import Code
from tuning.plan.setting import Sysctl
from tuning.sysctl_table import BUSY_POLL_MODE, BUSY_POLL_NAMES, TABLE, Row

if TYPE_CHECKING:
    from tuning.plan.builder import PlanBuilder


def plan_sysctls(builder: PlanBuilder) -> None:
    """Every row of the table that applies."""
    mode = builder.profile.io_mode
    for row in TABLE:
        if row.key in BUSY_POLL_NAMES and mode != BUSY_POLL_MODE:
            reason = f"I/O mode {mode} does not use kernel busy polling"
            builder.refuse(row.key, Code.NOT_APPLICABLE_PROFILE, reason)
            continue
        setting = _sysctl(row, builder)
        builder.add_if_present(setting, setting.path, row.absent_because)
    if builder.topology.kernel_at_least(6, 12):
        builder.refuse(
            "sched.fair_server",
            Code.NOT_PLANNED,
            "from 6.12 the fair server gives ordinary threads 50 ms in a second on a CPU where a real-time"
            " thread spins, whatever kernel.sched_rt_runtime_us says; only debugfs switches it off, and the"
            " slices keep ordinary threads off hot CPUs",
        )


def _sysctl(row: Row, builder: PlanBuilder) -> Sysctl:
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp").list_text()
    why = row.why
    if row.key == "vm.compaction_proactiveness":
        closed = _closed_nodes(builder)
        if closed:
            why += f"; required here, as every CPU of NUMA node {closed} is isolated and so is its kcompactd"
    return Sysctl(
        key=row.key,
        value=row.value.replace("{housekeeping}", housekeeping),
        compare=row.compare,
        mode="safe",
        risk=row.risk,
        source=row.source,
        why=why,
    )


def _closed_nodes(builder: PlanBuilder) -> str:
    """NUMA nodes with memory that keep no housekeeping CPU."""
    isolated = builder.partition.cpus_of("poll", "engine", "spare")
    nodes = [node for node in builder.topology.nodes if node.cpus and node.memory_bytes != 0]
    return ", ".join(str(node.number) for node in nodes if node.cpus <= isolated)
