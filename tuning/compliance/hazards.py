"""Latency hazards on a machine, read from its snapshot: what `hft doctor` reports.

Each hazard states what was observed, its impact and the fix: a command of root's that helps this machine at
once, until its next boot, or why there is none. Whether the plan keeps it beyond that is a field: a machine
without a plan is promised nothing. What could not be observed is listed too: unknown must never read as
healthy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tuning.compliance.live import check_setting
from tuning.compliance.taken_back import taken_back
from tuning.compliance.unit_states import NOT_ASKED, Unit, has_own_file, unit_of
from tuning.cpuset import CPU_DIR, CpuSet
from tuning.plan.placement import UNIT_WHYS
from tuning.plan.plan import Plan
from tuning.plan.setting import IrqPlacement
from tuning.snapshot.files import Snapshot
from tuning.snapshot.values import Source
from tuning.topology.topology import Topology
from tuning.units import IRQBALANCE

SMT = f"{CPU_DIR}/smt/active"
DEEP_IDLE_US = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """One latency hazard."""

    name: str
    seen: str
    impact: str
    fix: str
    planned: bool = False  # the plan of this machine sets it, for every boot


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """Every hazard found, and what could not be observed."""

    hazards: tuple[Hazard, ...]
    not_known: tuple[str, ...]


# name, file, accepted values, impact of others
VALUES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    (
        "NMI watchdog",
        "/proc/sys/kernel/nmi_watchdog",
        ("0",),
        "a periodic NMI on every CPU, and one performance counter per CPU is used up",
    ),
    (
        "NUMA balancing",
        "/proc/sys/kernel/numa_balancing",
        ("0",),
        "pages are unmapped to sample which node uses them: page faults in hot threads",
    ),
    (
        "real-time throttling",
        "/proc/sys/kernel/sched_rt_runtime_us",
        ("-1",),
        "a spinning real-time thread loses 50 ms in every second",
    ),
    (
        "page merging (KSM)",
        "/sys/kernel/mm/ksm/run",
        ("0",),
        "ksmd scans memory, and a write to a merged page faults",
    ),
    (
        "transparent hugepages",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        ("never",),
        "a page fault may zero 2 MiB, and khugepaged moves pages",
    ),
    (
        "SMT",
        SMT,
        ("0",),
        "two threads share one core's caches and execution units",
    ),
)
# Where another file, or another word, changes what VALUES shows.
WRITES = {SMT: (f"{CPU_DIR}/smt/control", "off")}
CLOCK = "/sys/devices/system/clocksource/clocksource0"


def write(value: str, path: str) -> str:
    """The command that writes a value at once; `tee` where PATH is a pattern."""
    return f"echo {value} | tee {path}" if "*" in path else f"echo {value} > {path}"


def diagnose(
    snapshot: Snapshot, topology: Topology, plan: Plan | None, units: Mapping[str, Unit] = NOT_ASKED
) -> Diagnosis:
    """Every hazard the snapshot shows; UNITS is what systemctl says, where somebody asked it."""
    source, planned = Source(snapshot), _planned(plan)
    found = [
        *_ticks(source, planned),
        *_taken_back(snapshot, plan),
        *_values(snapshot, planned),
        *_clock(source, topology, planned),
        *_idle_states(source, planned),
        *_governors(source, topology, planned),
        *_swap(snapshot),
        *_watchdog(source, topology, plan),
        *_interrupts(snapshot, plan),
        *_units(snapshot, units, planned),
        *_platform(topology),
    ]
    return Diagnosis(hazards=tuple(found), not_known=tuple(_not_known(snapshot, units)))


def _planned(plan: Plan | None) -> frozenset[str]:
    """What the plan sets: files, kernel arguments and units, by name."""
    found = plan.settings if plan else ()
    named = (getattr(one, field, None) for one in found for field in ("path", "name", "unit"))
    return frozenset(one for one in named if isinstance(one, str))


def _ticks(source: Source, planned: frozenset[str]) -> Iterator[Hazard]:
    if not source.cpus(f"{CPU_DIR}/nohz_full"):
        is_planned = "nohz_full" in planned
        yield Hazard(
            name="timer tick",
            seen="no CPU is in nohz_full",
            impact="every busy CPU is interrupted 100 to 1000 times a second",
            fix=f"a boot with nohz_full{'' if is_planned else '; no plan says for which CPUs'}",
            planned=is_planned,
        )


def _taken_back(snapshot: Snapshot, plan: Plan | None) -> Iterator[Hazard]:
    for one in taken_back(plan, snapshot):
        yield Hazard(
            name="kernel argument",
            seen=one.word,
            impact=f"{one.why}; takes back {', '.join(one.keys)}",
            fix="a boot without it; its place is GRUB_CMDLINE_LINUX in /etc/default/grub",
            planned=plan is not None,
        )


def _values(snapshot: Snapshot, planned: frozenset[str]) -> Iterator[Hazard]:
    for name, path, well, impact in VALUES:
        text = snapshot.text(path)
        if text is None:
            continue
        seen = text.partition("[")[2].partition("]")[0] or text[:40]
        if seen not in well:
            file, value = WRITES.get(path, (path, well[0]))
            yield Hazard(
                name=name,
                seen=f"{path.rpartition('/')[2]} is {seen}",
                impact=impact,
                fix=write(value, file),
                planned=path in planned,
            )


def _clock(source: Source, topology: Topology, planned: frozenset[str]) -> Iterator[Hazard]:
    file = f"{CLOCK}/current_clocksource"
    current = source.word(file)
    if current not in (None, "tsc") and topology.architecture == "x86_64":
        available = "tsc" in (source.word(f"{CLOCK}/available_clocksource") or "").split()
        yield Hazard(
            name="clock",
            seen=f"clocksource is {current}",
            impact="reading the time may cost a device access or a VM exit",
            fix=write("tsc", file)
            if available
            else "the kernel does not offer tsc here; change the hardware or the hypervisor",
            planned=available and file in planned,
        )


def _idle_states(source: Source, planned: frozenset[str]) -> Iterator[Hazard]:
    deep: dict[str, str] = {}
    for path in source.below(f"{CPU_DIR}/cpu0/cpuidle/"):
        state = path.removesuffix("/latency")
        latency = source.number(path) if state != path else None
        if latency is not None and latency > DEEP_IDLE_US and source.number(f"{state}/disable") != 1:
            deep[state.rpartition("/")[2]] = f"{source.word(f'{state}/name') or 'a state'} {latency} us"
    if deep:
        yield Hazard(
            name="deep idle states",
            seen=", ".join(deep.values()),
            impact="waking a CPU takes that long",
            fix=write("1", " ".join(f"{CPU_DIR}/cpu*/cpuidle/{state}/disable" for state in deep)),
            planned=any("cstate" in name for name in planned),
        )


def _governors(source: Source, topology: Topology, planned: frozenset[str]) -> Iterator[Hazard]:
    words = [source.word(f"{CPU_DIR}/cpu{cpu}/cpufreq/scaling_governor") for cpu in topology.usable]
    slow = sorted({word for word in words if word not in (None, "performance")} - {None}, key=str)
    if slow:
        count = sum(word in slow for word in words)
        yield Hazard(
            name="frequency governor",
            seen=f"{', '.join(map(str, slow))} on {count} CPUs",
            impact="the frequency rises only after work has arrived",
            fix=write("performance", f"{CPU_DIR}/cpu*/cpufreq/scaling_governor"),
            planned=any(name.endswith("/scaling_governor") for name in planned),
        )


def _swap(snapshot: Snapshot) -> Iterator[Hazard]:
    lines = (snapshot.text("/proc/swaps") or "").splitlines()[1:]
    if lines:
        yield Hazard(
            name="swap",
            seen=f"{len(lines)} swap area(s) in use",
            impact="reading a swapped-out page back takes milliseconds",
            fix="swapoff --all",
        )


def _watchdog(source: Source, topology: Topology, plan: Plan | None) -> Iterator[Hazard]:
    file = "/proc/sys/kernel/watchdog_cpumask"
    watched = source.cpus(file)
    if source.number("/proc/sys/kernel/watchdog") == 1 and watched and topology.online <= watched:
        left = plan.housekeeping if plan else CpuSet.of([topology.boot_cpu])
        yield Hazard(
            name="soft watchdog",
            seen="runs on every CPU",
            impact="a timer and a stopper thread on hot CPUs every few seconds",
            fix=write(left.list_text(), file),
            planned=file in _planned(plan),
        )


def _interrupts(snapshot: Snapshot, plan: Plan | None) -> Iterator[Hazard]:
    placement = next((one for one in plan.settings if isinstance(one, IrqPlacement)), None) if plan else None
    verdict = check_setting(placement, snapshot) if placement else None
    if placement and verdict and not verdict.holds and verdict.observed:
        yield Hazard(
            name="interrupts",
            seen=f"on CPUs that the plan would isolate: {verdict.observed}",
            impact="a device may interrupt a hot CPU at any moment",
            fix=write(placement.value, "/proc/irq/*/smp_affinity_list"),
            planned=True,
        )


def _units(snapshot: Snapshot, units: Mapping[str, Unit], planned: frozenset[str]) -> Iterator[Hazard]:
    whys = {IRQBALANCE: ("re-balances interrupts every 10 s and undoes their placement", ""), **UNIT_WHYS}
    for name, (impact, _) in whys.items():
        unit = units.get(name) or unit_of(name, snapshot)
        now = " --now" if name in units or unit.is_active else ""  # else there may be no systemd to stop it
        if unit.is_enabled or unit.is_active:
            yield Hazard(
                name=name,
                seen=unit.sentence,
                impact=impact,
                fix=f"systemctl {'disable' if has_own_file(name, snapshot) else 'mask'}{now} {name}",
                planned=name in planned,
            )


def _platform(topology: Topology) -> Iterator[Hazard]:
    if topology.is_virtual:
        yield Hazard(
            name="virtual machine",
            seen="the host runs under a hypervisor",
            impact="it may preempt a vCPU at any moment, and no setting in the guest prevents that",
            fix="no command helps here: dedicated hosts or bare metal do",
        )


def _not_known(snapshot: Snapshot, units: Mapping[str, Unit]) -> Iterator[str]:
    for name, path, *_ in VALUES:
        if not snapshot.is_known(path):
            yield name
    if not snapshot.links and not units:
        yield "enabled units"
    if snapshot.text("/proc/swaps") is None:
        yield "swap"
