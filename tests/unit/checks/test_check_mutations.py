"""No check that cannot fail: each passes on the recorded tuned host and fails, by its code, on one change."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.baseline import Baseline, baseline_of
from checks.expected import Expected, committed, plan_findings
from checks.facts import PLAN, STATE, Facts
from checks.reading import Task
from checks.settings import setting_findings
from checks.topics import topic_findings
from checks.verdict import Finding, Verdict

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
    return lambda facts: replace(facts, tasks=tuple(t for t in facts.tasks if not re.match(pattern, t.comm)))


def unit(name: str, **state: str) -> Change:
    return lambda facts: replace(facts, units={**facts.units, name: {**facts.units.get(name, {}), **state}})


def mounted(path: str) -> Change:
    line = f"99 22 0:5 /x {path} rw - ext4 /dev/vda rw\n"
    return edit("/proc/self/mountinfo", r"\A", line)


CPU = "/sys/devices/system/cpu"
ROOT_CPUS = "/sys/fs/cgroup/cpuset.cpus.effective"
NET_IRQ = "36"
CASES: list[tuple[str, str, Change]] = [
    ("plan.committed", "no_plan", gone(PLAN)),
    ("plan.committed", "no_plan", refused(PLAN)),
    ("plan.committed", "bad_plan", edit(PLAN, '"cpu":2', '"cpu":0')),
    ("plan.committed", "bad_plan", file(PLAN, "{}")),
    ("plan.committed", "plan_hash_mismatch", file(STATE, '{"committed":{"plan_hash":"ab"}}')),
    ("plan.committed", "plan_hash_mismatch", gone(STATE)),
    ("plan.partition", "cpu_offline", file(f"{CPU}/online", "0-2")),
    ("plan.partition", "not_partition", lambda f: file(f"{CPU}/online", "0-4")(unknown(ROOT_CPUS)(f))),
    ("plan.partition", "not_read", unknown(f"{CPU}/online")),
    ("plan.boot_cpu", "boot_cpu_isolated", file(f"{CPU}/online", "2-3")),
    ("plan.whole_cores", "shared_core", file(f"{CPU}/cpu2/topology/thread_siblings_list", "1-2")),
    ("plan.whole_cores", "not_read", unknown(f"{CPU}/cpu2/topology/thread_siblings_list")),
    ("evidence.cmdline", "not_procfs", lambda f: replace(f, procfs={**f.procfs, "/proc/cmdline": 0xEF53})),
    ("evidence.cmdline", "not_procfs", mounted("/proc/cmdline")),
    ("evidence.interrupts", "not_procfs", mounted("/proc/interrupts")),
    ("evidence.interrupts", "not_read", lambda f: replace(f, procfs={})),
    ("setting.cmdline.nohz_full", "not_procfs", mounted("/proc/cmdline")),
    ("irq.routes", "not_procfs", mounted("/proc/interrupts")),
    ("cpu.isolated", "not_isolated", file(f"{CPU}/isolated", "2")),
    ("cpu.isolated", "not_isolated", file(f"{CPU}/isolated", "")),
    ("cpu.isolated", "kernel_lacks", gone(f"{CPU}/isolated")),
    ("cpu.isolated", "not_read", unknown(f"{CPU}/isolated")),
    ("cpu.isolated", "facts_cut", file(f"{CPU}/isolated", "2-x")),
    ("cpu.nohz_full", "not_nohz_full", file(f"{CPU}/nohz_full", " (null)\n")),
    ("cpu.nohz_full", "not_nohz_full", file(f"{CPU}/nohz_full", "1-3")),
    ("rcu.offload", "rcu_callbacks_here", without(r"rcuo[ps]/3")),
    ("rcu.offload", "rcu_callbacks_here", task("rcuop/3", {3}, flags=0x00200000)),
    (
        "rcu.offload",
        "rcu_callbacks_here",
        lambda f: replace(f, log=("[0.1] rcu: \tOffload RCU callbacks from CPUs: 2.",)),
    ),
    (
        "rcu.offload",
        "rcu_callbacks_here",
        lambda f: replace(f, log=("[0.1] rcu: \tOffload RCU callbacks from CPUs: (none).",)),
    ),
    ("irq.default", "default_irq_affinity", file("/proc/irq/default_smp_affinity", "f")),
    ("irq.default", "not_read", unknown("/proc/irq/default_smp_affinity")),
    ("irq.routes", "irq_on_isolated", file(f"/proc/irq/{NET_IRQ}/effective_affinity_list", "3")),
    ("irq.routes", "not_read", unknown(f"/proc/irq/{NET_IRQ}/effective_affinity_list")),
    ("setting.irq.placement", "irq_on_isolated", file(f"/proc/irq/{NET_IRQ}/effective_affinity_list", "2")),
    ("tasks.user", "task_on_isolated", task("stress", {3})),
    ("tasks.user", "task_on_isolated", task("shell", {0, 1, 2, 3}, cgroup="/hft.slice/hft-monitoring.slice")),
    ("tasks.user", "not_read", lambda f: replace(f, tasks=())),
    ("tasks.kernel", "kthread_on_isolated", task("kswapd1", {1, 2, 3}, flags=0x00200000)),
    ("setting.kthread.placement", "kthread_on_isolated", task("kcompactd1", {3}, flags=0x00200000)),
    ("units.irqbalance", "irqbalance_running", task("irqbalance", {0})),
    ("units.irqbalance", "irqbalance_running", unit("irqbalance.service", ActiveState="active")),
    ("units.irqbalance", "not_read", lambda f: replace(f, units={})),
    (
        "time.stable",
        "clock_unstable",
        lambda f: replace(f, log=("[76.7] sched_clock: Marking unstable (1, 2)",)),
    ),
    ("time.stable", "not_readable", lambda f: replace(f, log=None)),
    ("memory.thp", "value_differs", file("/sys/kernel/mm/transparent_hugepage/enabled", "[always] never")),
    (
        "memory.hugepages",
        "hugepages_differ",
        edit("/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "64", "63"),
    ),
    ("boot.next", "next_boot_untuned", gone("/boot/grub/hft.cfg")),
    ("boot.next", "not_read", unknown("/boot/grub/grub.cfg")),
    ("boot.next", "next_boot_untuned", edit("/boot/grub/grub.cfg", "source /boot/grub/hft.cfg", "")),
    ("boot.next", "next_boot_untuned", edit("/boot/grub/grub.cfg", r"\A", "menuentry 'first' {\n}\n")),
    ("boot.next", "next_boot_untuned", edit("/boot/grub/hft.cfg", "'nohz_full=2-3'", "")),
    ("boot.next", "next_boot_untuned", edit("/boot/grub/hft.cfg", "nohz_full=2-3", "nohz_full=2")),
    ("boot.next", "next_boot_untuned", edit("/boot/grub/hft.cfg", "vmlinuz-6.1", "vmlinuz-5.9")),
    ("setting.cmdline.isolcpus", "arg_missing", edit("/proc/cmdline", r"isolcpus=\S+", "")),
    ("setting.cmdline.isolcpus", "arg_differs", edit("/proc/cmdline", "managed_irq,domain,", "")),
    (
        "setting.cmdline.nohz_full",
        "arg_differs",
        edit("/proc/cmdline", "nohz_full=2-3", "nohz_full=2-3 nohz_full=2"),
    ),
    ("setting.cmdline.skew_tick", "arg_differs", edit("/proc/cmdline", "skew_tick=1", "skew_tick=0")),
    ("setting.cmdline.hugepages", "arg_differs", edit("/proc/cmdline", "hugepages=1:64", "hugepages=64")),
    ("setting.cmdline.rcu_nocbs", "not_read", unknown("/proc/cmdline")),
    ("setting.vm.stat_interval", "value_differs", file("/proc/sys/vm/stat_interval", "1")),
    ("setting.vm.stat_interval", "value_absent", gone("/proc/sys/vm/stat_interval")),
    ("setting.vm.stat_interval", "not_readable", refused("/proc/sys/vm/stat_interval")),
    ("setting.vm.stat_interval", "not_read", unknown("/proc/sys/vm/stat_interval")),
    ("setting.kernel.watchdog_cpumask", "value_differs", file("/proc/sys/kernel/watchdog_cpumask", "0-3")),
    ("setting.workqueue.cpumask", "value_differs", file("/sys/devices/virtual/workqueue/cpumask", "f")),
    (
        "setting.slice.system.slice",
        "slice_cpus_differ",
        file("/sys/fs/cgroup/system.slice/cpuset.cpus.effective", "0-3"),
    ),
    ("setting.slice.hft-engine.slice", "slice_cpus_differ", unit("hft-engine.slice", AllowedCPUs="")),
    (
        "setting.pid1.affinity",
        "value_differs",
        lambda f: replace(
            f, tasks=tuple(replace(t, allowed=frozenset({0, 3})) if t.tid == 1 else t for t in f.tasks)
        ),
    ),
    ("setting.pid1.affinity", "not_read", without("systemd$")),
    (
        "setting.unit.irqbalance.service",
        "unit_state_differs",
        unit("irqbalance.service", UnitFileState="enabled"),
    ),
    ("setting.unit.fstrim.timer", "unit_state_differs", unit("fstrim.timer", ActiveState="active")),
    ("setting.unit.fstrim.timer", "not_read", lambda f: replace(f, units={})),
]


def test_every_check_passes_on_the_recorded_tuned_host(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    found = everything(tuned, expected, lab_class)
    bad = {
        f.check: f.message for f in found.values() if f.verdict in (Verdict.VIOLATED, Verdict.UNVERIFIABLE)
    }
    assert not bad
    assert sum(f.verdict is Verdict.OK for f in found.values()) > 40


@pytest.mark.parametrize(
    ("check", "reason", "change"), CASES, ids=[f"{c}-{r}-{i}" for i, (c, r, _) in enumerate(CASES)]
)
def test_check_fails_by_its_code_on_one_change(  # noqa: PLR0917
    check: str, reason: str, change: Change, tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    assert everything(tuned, expected, lab_class)[check].reason != reason
    assert everything(change(tuned), expected, lab_class)[check].reason == reason


def test_every_invariant_of_the_recorded_host_is_made_to_fail(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    elsewhere = {
        "time.clocksource"
    }  # below: the lab class has no such budget; plan.list.* in test_check_plan
    tried = {check for check, _, _ in CASES} | elsewhere
    found = everything(tuned, expected, lab_class)
    assert not {c for c in found if not c.startswith(("setting.", "plan.list."))} - tried


@pytest.mark.parametrize(
    ("clock", "reason"), [("hpet", "clocksource_differs"), ("tsc", None), (None, "not_read")]
)
def test_bare_metal_needs_a_fast_clock(
    clock: str | None, reason: str | None, tuned: Facts, expected: Expected
) -> None:
    path = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
    facts = unknown(path)(tuned) if clock is None else file(path, clock)(tuned)
    assert everything(facts, expected, baseline_of("bare-metal"))["time.clocksource"].reason == reason


def test_managed_queue_interrupt_of_an_isolated_cpu_is_told_and_accepted(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    finding = everything(tuned, expected, lab_class)["irq.routes"]
    assert finding.verdict is Verdict.OK
    assert "managed queues" in finding.message
    assert tuned.cpus("/proc/irq/30/effective_affinity_list") == frozenset({3})


def test_engine_task_on_an_isolated_cpu_is_where_it_belongs(
    tuned: Facts, expected: Expected, lab_class: Baseline
) -> None:
    facts = task("engine", {3}, cgroup="/hft.slice/hft-engine.slice/e.service")(tuned)
    assert everything(facts, expected, lab_class)["tasks.user"].verdict is Verdict.OK
