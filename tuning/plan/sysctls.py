"""Sysctls: the rows of the table that apply to this profile and partition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuning.plan.io_mode import MODES
from tuning.plan.refusal import Code
from tuning.plan.setting import Sysctl
from tuning.sysctl_table import BUSY_POLL_NAMES, JIT, TABLE, Row

if TYPE_CHECKING:
    from tuning.plan.builder import PlanBuilder


def plan_sysctls(builder: PlanBuilder) -> None:
    """Every row of the table that applies."""
    modes = ", ".join(sorted(builder.modes))
    unused = {
        **dict.fromkeys(BUSY_POLL_NAMES, f"I/O mode {modes} does not use kernel busy polling"),
        JIT: f"I/O mode {modes} runs no XDP program",
    }
    if _busy_poll_us(builder):
        unused = {JIT: unused[JIT]}
    if any(MODES[mode].is_jitted for mode in builder.modes):
        unused.pop(JIT)
    for row in TABLE:
        if row.key in unused:
            builder.refuse(row.key, Code.NOT_APPLICABLE_PROFILE, unused[row.key])
            continue
        setting = _sysctl(row, builder)
        builder.add_if_present(setting, setting.path, row.absent_because)


def _busy_poll_us(builder: PlanBuilder) -> int:
    return max(MODES[mode].busy_poll_us for mode in builder.modes)


def _value_of(row: Row, builder: PlanBuilder) -> str:
    """The value of a row, with what the host and its I/O modes decide."""
    housekeeping = builder.partition.cpus_of("housekeeping", "irq", "ptp").list_text()
    migrates = any(MODES[mode].timer_migration for mode in builder.modes)
    words = {
        "{housekeeping}": housekeeping,
        "{busy_poll_us}": str(_busy_poll_us(builder)),
        "{timer_migration}": str(int(migrates)),
    }
    return words.get(row.value, row.value)


def _sysctl(row: Row, builder: PlanBuilder) -> Sysctl:
    why = row.why
    if row.key == "vm.compaction_proactiveness":
        closed = _closed_nodes(builder)
        if closed:
            why += f"; required here, as every CPU of NUMA node {closed} is isolated and so is its kcompactd"
    return Sysctl(
        key=row.key,
        value=_value_of(row, builder),
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
