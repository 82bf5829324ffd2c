"""The agent's border: what a controller may have changed on a host, by name. Everything else is refused.

A list of what is forbidden is never whole, so this is the list of what is allowed: the files, live values and
units that a plan or an engine's deploy can render, and nothing more. Who holds a key that reaches only the
agent (agent/verbs/gate.py) can tune this host and deploy to it, and do nothing else to it. Each rule is what
`deploys` renders; a test holds that the list and the renderers are the same set, so a new knob is added here
or its transaction is refused by name.

The agent's own journal is not judged by these rules but by the wider roots of agent/parsing.py: an undo must
work after an upgrade, too, whatever an earlier version was allowed to write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tuning.sysctl_table import SYSCTL_NAMES, sysctl_path
from tuning.units import (
    AWAKE_UNIT,
    CLOCK_DAEMONS,
    CLOCK_UNITS,
    CLOCK_WATCH_CONF,
    DISTURBING_UNITS,
    IRQBALANCE,
    KNOWN_SLICES,
    NTP_CONF,
    OTHER_CLOCK_WRITERS,
    PTP4L_CONF,
    SWAP,
    UNIT_DIR,
    cgroup_of,
)

OWN_SLICES = tuple(name for name in KNOWN_SLICES if name.startswith("hft-"))
SLOT = "[a-z0-9]{1,16}"
NIC = r"(?!\.{1,2}/)[A-Za-z0-9_.:@+-]{1,15}"
NUMBER = "(?:0|[1-9][0-9]{0,4})"

# Top-level slices that a host has beside systemd's own, such as machine.slice; never one of ours.
OTHER_SLICE = r"(?!hft[.-])[A-Za-z0-9_][A-Za-z0-9_.:]{0,200}\.slice"

# Whole paths, as patterns. `?*.d` drop-ins of ours may also be taken away, whatever unit they belonged to.
FILES: tuple[str, ...] = (
    re.escape("/etc/sysctl.d/90-hft.conf"),
    re.escape("/etc/tmpfiles.d/90-hft.conf"),
    re.escape("/etc/systemd/system.conf.d/90-hft.conf"),
    *(re.escape(f"{UNIT_DIR}/{name}") for name in OWN_SLICES),
    *(re.escape(f"{UNIT_DIR}/{name}.d/90-hft.conf") for name in KNOWN_SLICES if name not in OWN_SLICES),
    rf"{UNIT_DIR}/{OTHER_SLICE}\.d/90-hft\.conf",
    rf"/etc/systemd/network/98-hft-{NIC}\.link",
    *(re.escape(f"{UNIT_DIR}/{name}.d/90-hft.conf") for name in CLOCK_DAEMONS),
    re.escape(f"{UNIT_DIR}/hft-standin@.service"),
    re.escape("/usr/local/lib/hft/standin.py"),
    re.escape("/var/lib/hft/plan.json"),
    rf"/etc/hft/engine/{SLOT}/config\.json",
    rf"/etc/hft/engine/{SLOT}/limits\.json",
    rf"/etc/hft/engine/{SLOT}/limits\.json\.sig",
    rf"/etc/hft/engine/{SLOT}/allowed_signers",
    rf"{UNIT_DIR}/hft-engine-{SLOT}\.service",
    re.escape("/etc/hft/ticket.json"),
    re.escape("/usr/local/lib/hft/ticket.pyz"),
    re.escape(f"{UNIT_DIR}/hft-ticket.service"),
    *(re.escape(f"{UNIT_DIR}/{name}") for name in CLOCK_UNITS),
    *(re.escape(path) for path in (PTP4L_CONF, NTP_CONF, CLOCK_WATCH_CONF)),
)
# A drop-in that an earlier plan brought: it may be taken away, never written.
STALE_FILES: tuple[str, ...] = (rf"{UNIT_DIR}/[A-Za-z0-9_.:@-]{{1,200}}\.d/90-hft\.conf",)

VALUES: tuple[str, ...] = (
    *(re.escape(sysctl_path(name)) for name in SYSCTL_NAMES),
    re.escape("/proc/irq/default_smp_affinity"),
    *(re.escape(f"{cgroup_of(name)}/cpuset.cpus") for name in KNOWN_SLICES),
    rf"/sys/fs/cgroup/{OTHER_SLICE}/cpuset\.cpus",
    *(re.escape(f"{cgroup_of(name)}/cpuset.cpus") for name in CLOCK_DAEMONS),
    re.escape("/sys/devices/virtual/workqueue/cpumask"),
    re.escape("/sys/devices/virtual/workqueue/writeback/cpumask"),
    re.escape("/sys/devices/system/machinecheck/machinecheck0/check_interval"),
    rf"/sys/class/net/{NIC}/napi_defer_hard_irqs",
    rf"/sys/class/net/{NIC}/gro_flush_timeout",
    rf"/sys/class/net/{NIC}/bonding/(?:miimon|num_grat_arp)",
    rf"/sys/kernel/debug/sched/fair_server/cpu{NUMBER}/runtime",
    re.escape("/sys/devices/system/cpu/intel_pstate/no_turbo"),
    re.escape("/sys/devices/system/cpu/intel_pstate/min_perf_pct"),
    re.escape("/sys/devices/system/cpu/cpufreq/boost"),
    rf"/sys/devices/system/cpu/cpu{NUMBER}/cpufreq/energy_performance_preference",
    rf"/sys/devices/system/cpu/cpu{NUMBER}/power/energy_perf_bias",
    rf"/sys/devices/system/cpu/cpu{NUMBER}/power/pm_qos_resume_latency_us",
    re.escape("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
    rf"/sys/devices/system/cpu/cpu{NUMBER}/cpufreq/scaling_governor",
    rf"/sys/devices/system/node/node{NUMBER}/hugepages/hugepages-[1-9][0-9]{{0,9}}kB/nr_hugepages",
    re.escape("/sys/kernel/mm/ksm/run"),
    re.escape("/sys/kernel/mm/transparent_hugepage/enabled"),
    re.escape("/sys/kernel/mm/transparent_hugepage/defrag"),
    re.escape("/sys/kernel/mm/transparent_hugepage/khugepaged/defrag"),
)

# These hold a password, whoever sent the step and whatever it says.
SECRETS = rf"/etc/hft/engine/{SLOT}/config\.json"

Verb = tuple[str | None, bool | None]
OFF: frozenset[Verb] = frozenset({("masked", False)})


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitRule:
    """Units by a pattern of their names, and what may be asked of them: pairs of `enabled` and `active`."""

    unit: str
    verbs: frozenset[Verb]


UNITS: tuple[UnitRule, ...] = (
    *(UnitRule(unit=re.escape(name), verbs=OFF) for name in (IRQBALANCE, *DISTURBING_UNITS)),
    UnitRule(unit=re.escape(AWAKE_UNIT), verbs=frozenset({("enabled", True), ("disabled", False)})),
    UnitRule(unit=re.escape(SWAP), verbs=frozenset({("masked", None)})),
    UnitRule(
        unit=rf"hft-standin@{NUMBER}\.service",
        verbs=frozenset({("enabled", True), ("enabled", None), ("disabled", False)}),
    ),
    UnitRule(unit=rf"hft-engine-{SLOT}\.service", verbs=frozenset({("enabled", True), ("disabled", None)})),
    *(
        UnitRule(unit=re.escape(name), verbs=frozenset({("enabled", True), ("disabled", False)}))
        for name in CLOCK_UNITS
    ),
    *(UnitRule(unit=re.escape(name), verbs=OFF) for name in OTHER_CLOCK_WRITERS),
    UnitRule(unit=r"hft-ticket\.service", verbs=frozenset({("enabled", True)})),
)


def rules_of_file(path: str, *, is_removal: bool) -> Iterator[str]:
    """The rules that allow a file to be written, or to be removed; none when it may not be."""
    yield from matching(FILES + STALE_FILES if is_removal else FILES, path)


def is_secret(path: str) -> bool:
    """Whether a file's content is nobody's business once it is in place."""
    return re.fullmatch(SECRETS, path) is not None


def rules_of_value(path: str) -> Iterator[str]:
    """The rules that allow a live value to be written."""
    yield from matching(VALUES, path)


def rules_of_unit(unit: str, enabled: str | None, active: bool | None) -> Iterator[tuple[str, Verb]]:
    """The rules that allow this of a unit, with the verb."""
    for rule in UNITS:
        if re.fullmatch(rule.unit, unit) and (enabled, active) in rule.verbs:
            yield rule.unit, (enabled, active)


def matching(rules: tuple[str, ...], text: str) -> Iterator[str]:
    """The rules that match the whole of TEXT."""
    return (rule for rule in rules if re.fullmatch(rule, text))
