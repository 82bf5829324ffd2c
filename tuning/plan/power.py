"""Power: frequency and idle states of the CPUs that must answer at once, by the profile's `power`.

`turbo`: as fast as it gets. The governor and the hardware's own hints say performance, and hot CPUs and those
that serve interrupts or keep the clock may not sleep. `steady`: the same, and turbo off and the minimum at
the nominal frequency, since one that changes with temperature and neighbours is a latency that changes; and
no CPU of the host sleeps.
`as-is`: nothing. Which of the first two is faster for an engine only its own measurement says. Sources:
Documentation/admin-guide/pm/cpufreq.rst, intel_pstate.rst, amd-pstate.rst, cpuidle.rst,
intel_epb.rst, Documentation/ABI/testing/sysfs-devices-power (pm_qos_resume_latency_us).
"""

from __future__ import annotations

from tuning.cpuset import CPU_DIR, CpuSet
from tuning.plan.builder import PlanBuilder
from tuning.plan.refusal import Code
from tuning.plan.setting import SysfsValue, UnitState
from tuning.topology.reader import BIAS, PREFERENCE, RESUME_LATENCY
from tuning.units import AWAKE_UNIT

GOVERNOR = CPU_DIR + "/cpu{}/cpufreq/scaling_governor"
HEAT = "more power and heat"


def plan_power(builder: PlanBuilder) -> None:
    """What the profile's `power` asks for, where the host offers it."""
    topology, parts = builder.topology, builder.partition
    isolated = parts.cpus_of("poll", "engine", "spare")
    _each(
        builder,
        "power.governor",
        GOVERNOR,
        "performance",
        isolated & topology.performance_governor,
        "no isolated CPU is known to offer the performance governor",
        "a hot CPU does not change frequency under load",
        "Documentation/admin-guide/pm/cpufreq.rst",
    )
    _each(
        builder,
        "power.preference",
        PREFERENCE,
        "performance",
        isolated & topology.energy_preference,
        "no isolated CPU is known to take an energy preference",
        "the hardware's own governor prefers speed on a hot CPU, whatever the operating system's does",
        "Documentation/admin-guide/pm/intel_pstate.rst",
    )
    _each(
        builder,
        "power.bias",
        BIAS,
        "0",
        isolated & topology.energy_bias,
        "no isolated CPU is known to have an energy bias (EPB)",
        "the bias of a hot CPU is performance",
        "Documentation/admin-guide/pm/intel_epb.rst",
    )
    awake = isolated | parts.cpus_of("irq", "ptp")
    _each(
        builder,
        "power.resume_latency",
        RESUME_LATENCY,
        "n/a",
        CpuSet() if topology.is_virtual else awake & topology.resume_latency,
        "no CPU that must answer at once is known to have a limit for waking up",
        "a CPU that must answer at once does not sleep, the others may",
        "Documentation/ABI/testing/sysfs-devices-power",
    )
    _held(builder)
    _steady(builder)


def _held(builder: PlanBuilder) -> None:
    """One latency for the whole host: asked for by a unit where power is steady, and by none of ours else."""
    key, path = "power.dma_latency", "/sys/class/misc/cpu_dma_latency/dev"
    if builder.topology.is_virtual:
        reason = "a virtual machine does not choose the idle states of its CPUs"
        builder.refuse(key, Code.NOT_APPLICABLE_VIRTUAL, reason)
        return
    is_held = builder.profile.power == "steady"
    setting = UnitState(
        key=key,
        unit=AWAKE_UNIT,
        enabled="enabled" if is_held else "disabled",
        active=is_held,
        mode="safe",
        why="no CPU of the host enters an idle state: one that hands work to another never waits for it"
        if is_held
        else f"power {builder.profile.power} lets the CPUs sleep that need not answer at once",
        risk=HEAT if is_held else "none known",
        source="Documentation/power/pm_qos_interface.rst",
    )
    builder.add_if_present(setting, path, "the kernel is built without CPU idle states")


def _each(  # noqa: PLR0913, PLR0917  # one row of a table
    builder: PlanBuilder,
    key: str,
    path: str,
    value: str,
    cpus: CpuSet,
    absent: str,
    why: str,
    source: str,
) -> None:
    if builder.profile.power == "as-is":
        reason = "power as-is leaves frequency and idle states alone"
        builder.refuse(key, Code.NOT_APPLICABLE_PROFILE, reason)
        return
    if not cpus:
        code = Code.NOT_APPLICABLE_VIRTUAL if builder.topology.is_virtual else Code.NOT_APPLICABLE_ABSENT
        builder.refuse(key, code, absent)
    for cpu in cpus:
        builder.add(
            SysfsValue(
                key=f"{key}.cpu{cpu}",
                path=path.format(cpu),
                value=value,
                mode="safe",
                risk=HEAT,
                source=source,
                why=why,
            )
        )


def _steady(builder: PlanBuilder) -> None:
    """One frequency: no turbo, and the minimum as high as the maximum that is left."""
    pstate = f"{CPU_DIR}/intel_pstate"
    rows = (
        (
            "power.no_turbo",
            f"{pstate}/no_turbo",
            "1",
            "turbo is off: its frequency depends on temperature and on what the neighbours do",
        ),
        (
            "power.min_perf_pct",
            f"{pstate}/min_perf_pct",
            "100",
            "no CPU is slower than its nominal frequency",
        ),
        (
            "power.boost",
            f"{CPU_DIR}/cpufreq/boost",
            "0",
            "boost is off: its frequency depends on temperature and on what the neighbours do",
        ),
    )
    for key, path, value, why in rows:
        if builder.profile.power != "steady":
            reason = f"power {builder.profile.power} leaves turbo to the firmware"
            builder.refuse(key, Code.NOT_APPLICABLE_PROFILE, reason)
            continue
        setting = SysfsValue(
            key=key,
            path=path,
            value=value,
            mode="safe",
            why=why,
            risk="the highest frequencies are not used" if value != "100" else HEAT,
            source="Documentation/admin-guide/pm/intel_pstate.rst"
            if path.startswith(pstate)
            else "Documentation/admin-guide/pm/cpufreq.rst",
        )
        builder.add_if_present(setting, path, "the frequency driver of this host has no such switch")
