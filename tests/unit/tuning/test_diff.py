"""What is pending and what is not, setting by setting; what was not captured is never taken for satisfied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import CASES, machine, tuned
from tuning.compliance.diff import Pending, diff
from tuning.compliance.live import same_value
from tuning.cpuset import CpuSet
from tuning.held_irqs import HELD_IRQS_FILE, HeldIrq, HeldIrqs
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.setting import Compare
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

BEFORE = machine(CASES["lab-generic"])
PLAN: Plan = plan(read_topology(BEFORE), ENGINE)
AFTER = tuned(BEFORE, PLAN)


def changed(files: dict[str, str | None] | None = None, links: dict[str, str] | None = None) -> Snapshot:
    return Snapshot({**AFTER.files, **(files or {})}, {**AFTER.links, **(links or {})})


def pending(snapshot: Snapshot) -> dict[str, Pending]:
    return {one.setting.key: one for one in diff(PLAN, snapshot).all}


@pytest.mark.parametrize(
    ("path", "text", "key"),
    [
        ("/proc/sys/vm/stat_interval", "1\n", "vm.stat_interval"),
        ("/proc/sys/kernel/watchdog_cpumask", "0-3\n", "kernel.watchdog_cpumask"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n", "memory.thp_enabled"),
        ("/sys/devices/virtual/workqueue/cpumask", "f\n", "workqueue.cpumask"),
        ("/proc/irq/default_smp_affinity", "f\n", "irq.default_affinity"),
        ("/proc/irq/24/effective_affinity_list", "3\n", "irq.placement"),
        ("/proc/36/status", "Cpus_allowed_list:\t1-3\n", "kthread.placement"),
        ("/sys/fs/cgroup/system.slice/cpuset.cpus", "0-3\n", "slice.system.slice"),
        ("/sys/fs/cgroup/system.slice/cpuset.cpus", None, "slice.system.slice"),
        ("/sys/fs/cgroup/init.scope/cpuset.cpus", "0-3\n", "slice.init.scope"),
        ("/sys/fs/cgroup/hft.slice/hft-engine.slice/cpuset.cpus", "0-3\n", "slice.hft-engine.slice"),
        ("/etc/systemd/system/hft-engine.slice.d/90-hft.conf", None, "slice.hft-engine.slice"),
        ("/etc/systemd/system/user.slice.d/90-hft.conf", "AllowedCPUs=0-3\n", "slice.user.slice"),
        ("/proc/1/status", "Cpus_allowed_list:\t0-3\n", "pid1.affinity"),
        ("/sys/fs/cgroup/system.slice/irqbalance.service/cgroup.procs", "7\n", "unit.irqbalance.service"),
    ],
)
def test_one_drift_makes_one_setting_pending(path: str, text: str | None, key: str) -> None:
    assert list(pending(changed({path: text}))) == [key]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/proc/sys/kernel/watchdog_cpumask", "1,0\n"),
        ("/sys/devices/virtual/workqueue/cpumask", "00000000,00000003\n"),
        ("/proc/irq/24/smp_affinity_list", "0-3\n"),
        ("/proc/irq/25/smp_affinity_list", "3\n"),
        ("/proc/14/status", "Cpus_allowed_list:\t3\n"),
        ("/proc/1/status", "Cpus_allowed_list:\t0\n"),
        ("/sys/fs/cgroup/hft.slice/hft-engine.slice/cpuset.cpus", "3,2,0\n"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "[never] always madvise\n"),
    ],
)
def test_another_spelling_or_what_cannot_move_is_no_drift(path: str, text: str) -> None:
    assert pending(changed({path: text})) == {}


BOOT = "11111111-2222-3333-4444-555555555555"
QUEUE: dict[str, str | None] = {
    "/proc/sys/kernel/random/boot_id": f"{BOOT}\n",
    "/proc/irq/31/smp_affinity_list": "2\n",
    "/proc/irq/31/effective_affinity_list": "2\n",
    "/proc/77/stat": "77 (irq/31-virtio0-) S 2 0 0 0 -1 2129984 0 0\n",
    "/proc/77/status": "Cpus_allowed_list:\t2\n",
}


def record(error: str, *, actions: str | None, wanted: str = "0-1", boot_id: str = BOOT) -> str:
    cpus = CpuSet.parse_list(wanted)
    one = HeldIrq(irq=31, actions=actions, cpus=CpuSet.parse_list("2"), wanted=cpus, error=error)
    return HeldIrqs(boot_id=boot_id, held=(one,)).to_json()


@pytest.mark.parametrize(
    "name",
    ["nvme0q5", "virtio2-req.3", "megasas0-msix12", "mpt3sas0-msix7", "smartpqi", "qla2xxx4_qpair3", ""],
)
@pytest.mark.parametrize("error", ["EIO", "EPERM", "ENOSPC", "EBUSY"])
def test_an_interrupt_that_the_kernel_held_is_excused_whatever_its_driver(name: str, error: str) -> None:
    actions = name or None
    shown = {"/sys/kernel/irq/31/actions": f"{name}\n"} if name else {}
    seen = changed({**QUEUE, **shown, HELD_IRQS_FILE: record(error, actions=actions)})
    assert pending(seen) == {}
    excused = diff(PLAN, seen).excused["irq.placement"]
    assert "31" in excused and error in excused and name in excused


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        '{"schema":1}',
        record("EIO", actions="megasas0-msix12", boot_id="another boot"),
        record("EIO", actions="eth0"),  # the number was given to another device since
        record("ENOSPC", actions="nvme0q5", wanted="0"),  # no room, but other CPUs were tried
        record("EIO", actions="nvme0q5").replace('"irq": 31', '"irq": true'),
        record("EIO", actions="nvme0q5").replace('"0-1"', '"1-0"'),
    ],
)
def test_without_the_hosts_record_a_name_excuses_nothing(text: str | None) -> None:
    files = {**QUEUE, "/sys/kernel/irq/31/actions": "nvme0q5\n", HELD_IRQS_FILE: text}
    found = pending(changed(files))
    assert list(found) == ["irq.placement", "kthread.placement"]
    assert found["irq.placement"].observed == "irq 31 on 2"


@pytest.mark.parametrize("unit", ["irqbalance.service", "apt-daily.timer"])
def test_an_unmasked_unit_is_pending(unit: str) -> None:
    links = {path: target for path, target in AFTER.links.items() if not path.endswith(f"/{unit}")}
    found = pending(Snapshot(AFTER.files, links))
    assert list(found) == [f"unit.{unit}"]


def test_an_unmasked_enabled_timer_says_so() -> None:
    own = "/etc/systemd/system/apt-daily.timer"
    links = {path: target for path, target in AFTER.links.items() if path != own}
    assert (pending(Snapshot(AFTER.files, links))["unit.apt-daily.timer"].observed or "").startswith(
        "enabled"
    )


@pytest.mark.parametrize("key", [setting.key for setting in PLAN.settings])
def test_nothing_counts_as_satisfied_when_it_was_not_captured(key: str) -> None:
    found = {one.setting.key: one for one in diff(PLAN, Snapshot()).all}
    assert found[key].observed is None
    assert "not known" in found[key].reason


def test_only_what_a_boot_brings_is_a_boot_change() -> None:
    changes = diff(PLAN, BEFORE)
    assert {one.setting.key.partition(".")[0] for one in changes.boot} == {"cmdline", "pid1"}
    assert all(one.setting.mode != "boot" for one in changes.runtime)


def test_a_boot_setting_holds_only_when_the_running_command_line_has_it() -> None:
    cmdline = (AFTER.text("/proc/cmdline") or "").replace("nohz_full=2-3", "")
    staged = changed({"/proc/cmdline": cmdline, "/boot/grub/hft.cfg": "nohz_full=2-3\n"})
    assert list(pending(staged)) == ["cmdline.nohz_full"]


def test_a_later_conflicting_argument_makes_it_pending() -> None:
    found = pending(changed({"/proc/cmdline": (AFTER.text("/proc/cmdline") or "") + " rcu_nocbs=1"}))
    assert found["cmdline.rcu_nocbs"].observed == "1"


def test_a_plan_for_another_kernel_is_a_boot_change() -> None:
    wanted = replace(PLAN, kernel_release="6.1.0-57-amd64")
    (found,) = diff(wanted, AFTER).all
    assert (found.setting.key, found.setting.value) == ("boot.kernel_release", "6.1.0-57-amd64")
    assert found.observed == "6.1.0-56-amd64"
    assert diff(replace(PLAN, kernel_release="6.1.0-56-amd64"), AFTER).all == ()
    assert "not known" in diff(wanted, Snapshot()).boot[0].reason


@pytest.mark.parametrize(
    ("seen", "wanted", "compare", "same"),
    [
        ("0-1\n", "0,1", "cpulist", True),
        ("x", "0", "cpulist", False),
        ("0000,00000003", "3", "cpumask", True),
        ("000000003", "3", "cpumask", False),
        ("always [never]", "never", "choice", True),
        ("never", "never", "choice", True),
        ("[always] never", "never", "choice", False),
        ("4096\t16384 1", "4096 16384 1", "text", True),
        ("10", "1", "text", False),
    ],
)
def test_values_are_compared_by_meaning(seen: str, wanted: str, compare: Compare, same: bool) -> None:
    assert same_value(seen, wanted, compare) is same
