"""What on a host works against low latency, read from its snapshot; the doctor's findings.

Each ailment says what was seen, why it hurts and what cures it. What could not be seen is said too: a doctor
who does not know must not call the patient healthy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tuning.live import judge
from tuning.placement import UNIT_WHYS
from tuning.plan import Plan
from tuning.setting import IrqPlacement, UnitWish
from tuning.snapshot import Snapshot
from tuning.source import Source
from tuning.topology import Topology
from tuning.units import IRQBALANCE

CPU_DIR = "/sys/devices/system/cpu"
DEEP_IDLE_US = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """One thing that works against low latency."""

    name: str
    seen: str
    hurts: str
    cure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that was found, and what could not be seen."""

    ailments: tuple[Ailment, ...]
    not_known: tuple[str, ...]


PLAN_CURES = "hft apply sets it"

# name, file, values that are well, why others hurt, cure
VALUES: tuple[tuple[str, str, tuple[str, ...], str, str], ...] = (
    (
        "NMI watchdog",
        "/proc/sys/kernel/nmi_watchdog",
        ("0",),
        "a periodic NMI on every CPU, and a performance counter is taken",
        PLAN_CURES,
    ),
    (
        "NUMA balancing",
        "/proc/sys/kernel/numa_balancing",
        ("0",),
        "pages are unmapped to see who uses them: faults in hot threads",
        PLAN_CURES,
    ),
    (
        "real-time throttling",
        "/proc/sys/kernel/sched_rt_runtime_us",
        ("-1",),
        "a spinning real-time thread loses 50 ms in every second",
        PLAN_CURES,
    ),
    (
        "page merging (KSM)",
        "/sys/kernel/mm/ksm/run",
        ("0",),
        "scans memory, and merged pages fault on write",
        PLAN_CURES,
    ),
    (
        "transparent hugepages",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        ("never",),
        "page faults may clear 2 MiB, and a kernel thread moves pages",
        PLAN_CURES,
    ),
    (
        "SMT",
        f"{CPU_DIR}/smt/active",
        ("0",),
        "two threads share one core's caches and units",
        "the plan leaves siblings of hot CPUs idle; or switch SMT off in the firmware",
    ),
)


def diagnose(snapshot: Snapshot, topology: Topology, plan: Plan | None) -> Diagnosis:
    """Look at everything the snapshot shows."""
    source = Source(snapshot)
    found = [
        *_ticks(source),
        *_values(snapshot),
        *_clock(source, topology),
        *_idle_states(source),
        *_governors(source, topology),
        *_swap(snapshot),
        *_watchdog(source, topology),
        *_interrupts(snapshot, plan),
        *_units(snapshot),
        *_platform(topology),
    ]
    return Diagnosis(ailments=tuple(found), not_known=tuple(_not_known(snapshot)))


def _ticks(source: Source) -> Iterator[Ailment]:
    quiet = source.cpus(f"{CPU_DIR}/nohz_full")
    if not quiet:
        yield Ailment(
            name="timer tick",
            seen="no CPU is in nohz_full",
            hurts="every busy CPU is interrupted 100 to 1000 times a second",
            cure="hft apply isolates CPUs by a trial boot",
        )


def _values(snapshot: Snapshot) -> Iterator[Ailment]:
    for name, path, well, hurts, cure in VALUES:
        text = snapshot.text(path)
        if text is None:
            continue
        seen = text.partition("[")[2].partition("]")[0] or text[:40]
        if seen not in well:
            yield Ailment(name=name, seen=f"{path.rpartition('/')[2]} is {seen}", hurts=hurts, cure=cure)


def _clock(source: Source, topology: Topology) -> Iterator[Ailment]:
    base = "/sys/devices/system/clocksource/clocksource0"
    current = source.word(f"{base}/current_clocksource")
    if current not in (None, "tsc") and topology.architecture == "x86_64":
        available = "tsc" in (source.word(f"{base}/available_clocksource") or "").split()
        yield Ailment(
            name="clock",
            seen=f"clocksource is {current}",
            hurts="reading the time may leave the CPU or the guest",
            cure="choose tsc"
            if available
            else "the kernel does not offer tsc here: better hardware or hypervisor",
        )


def _idle_states(source: Source) -> Iterator[Ailment]:
    deep = []
    for path in source.below(f"{CPU_DIR}/cpu0/cpuidle/"):
        latency = source.number(path) if path.endswith("/latency") else None
        if latency is not None and latency > DEEP_IDLE_US:
            deep.append(f"{source.word(path.removesuffix('latency') + 'name') or 'a state'} {latency} us")
    if deep:
        yield Ailment(
            name="deep idle states",
            seen=", ".join(deep),
            hurts="waking takes that long",
            cure="hft apply limits C-states by a trial boot",
        )


def _governors(source: Source, topology: Topology) -> Iterator[Ailment]:
    words = [source.word(f"{CPU_DIR}/cpu{cpu}/cpufreq/scaling_governor") for cpu in topology.usable]
    slow = sorted({word for word in words if word not in (None, "performance")} - {None}, key=str)
    if slow:
        count = sum(word in slow for word in words)
        yield Ailment(
            name="frequency governor",
            seen=f"{', '.join(map(str, slow))} on {count} CPUs",
            hurts="the clock rises only after the work has come",
            cure="hft apply sets performance on isolated CPUs",
        )


def _swap(snapshot: Snapshot) -> Iterator[Ailment]:
    lines = (snapshot.text("/proc/swaps") or "").splitlines()[1:]
    if lines:
        yield Ailment(
            name="swap",
            seen=f"{len(lines)} swap area(s) in use",
            hurts="a page that went out comes back in milliseconds",
            cure="swapoff --all, and lock the engine's memory",
        )


def _watchdog(source: Source, topology: Topology) -> Iterator[Ailment]:
    watched = source.cpus("/proc/sys/kernel/watchdog_cpumask")
    if source.number("/proc/sys/kernel/watchdog") == 1 and watched and topology.online <= watched:
        yield Ailment(
            name="soft watchdog",
            seen="runs on every CPU",
            hurts="a timer and a stopper thread on hot CPUs every few seconds",
            cure="hft apply leaves it to housekeeping CPUs",
        )


def _interrupts(snapshot: Snapshot, plan: Plan | None) -> Iterator[Ailment]:
    placement = next((one for one in plan.settings if isinstance(one, IrqPlacement)), None) if plan else None
    verdict = judge(placement, snapshot) if placement else None
    if verdict and not verdict.holds and verdict.observed:
        yield Ailment(
            name="interrupts",
            seen=f"on CPUs that the plan would isolate: {verdict.observed}",
            hurts="a device takes a hot CPU at any moment",
            cure="hft apply moves them",
        )


def _units(snapshot: Snapshot) -> Iterator[Ailment]:
    wishes = {IRQBALANCE: ("moves interrupts by its own idea every ten seconds", ""), **UNIT_WHYS}
    for unit, (hurts, _) in wishes.items():
        wish = UnitWish(
            key=unit, unit=unit, enabled="masked", active=False, mode="safe", risk="", source="", why=""
        )
        observed = judge(wish, snapshot).observed or ""
        if observed.startswith("enabled") or observed.endswith("started"):
            yield Ailment(name=unit, seen=observed, hurts=hurts, cure="hft apply masks it")


def _platform(topology: Topology) -> Iterator[Ailment]:
    if topology.is_virtual:
        yield Ailment(
            name="virtual machine",
            seen="a hypervisor is below",
            hurts="it may take the CPU away at any moment, and no setting here prevents that",
            cure="dedicated hosts or bare metal",
        )


def _not_known(snapshot: Snapshot) -> Iterator[str]:
    for name, path, *_ in VALUES:
        if not snapshot.is_known(path):
            yield name
    if not snapshot.links:
        yield "enabled units"
    if snapshot.text("/proc/swaps") is None:
        yield "swap"
