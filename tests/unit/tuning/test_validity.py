"""Each setting on the kernels and processors that have it; what a host has of its own is kept, or named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.cases.machines import CASES, machine, tuned
from tuning.compliance.diff import diff
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.refusal import Code
from tuning.plan.validity import VALID, X86, validity_of
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

BEFORE = machine(CASES["two-sockets-nic-on-node-1"])
LINE = (BEFORE.text("/proc/cmdline") or "").strip()
RELEASES = ("4.18.0-553", "5.4.0-200-generic", "5.10.0-9-amd64", "6.1.0-28-amd64", "6.12.9-amd64", "6.18-rc1")


def seen(files: dict[str, str | None]) -> Snapshot:
    return Snapshot({**BEFORE.files, **files}, BEFORE.links)


def planned(files: dict[str, str | None]) -> Plan:
    return plan(read_topology(seen(files)), ENGINE)


def on(release: str) -> Plan:
    return planned({"/proc/sys/kernel/osrelease": f"{release}\n"})


def codes(made: Plan) -> dict[str, Code]:
    return {one.key: one.code for one in made.refused}


@pytest.mark.parametrize("release", RELEASES)
def test_every_setting_has_a_row_and_is_planned_only_where_its_row_says(release: str) -> None:
    made, now = on(release), tuple(map(int, release.partition("-")[0].split(".")[:2]))
    for setting in made.settings:
        row = validity_of(setting.key)
        assert row.since is None or now >= row.since, setting.key
        assert row.until is None or now < row.until, setting.key


def test_every_kernel_gets_the_plan_that_it_can_hold() -> None:
    plans = {release: on(release) for release in RELEASES}
    keys = {release: {one.key for one in made.settings} for release, made in plans.items()}
    lists = {r: next(w for w in p.kernel_args() if w.startswith("isolcpus=")) for r, p in plans.items()}
    assert [r for r in RELEASES if "managed_irq" not in lists[r]] == ["4.18.0-553", "5.4.0-200-generic"]
    assert "cmdline.isolcpus.managed_irq" in codes(plans["5.4.0-200-generic"])
    assert all("cmdline.tsc" in found for found in keys.values())
    assert (
        "slice.system.slice" not in keys["4.18.0-553"] and "slice.system.slice" in keys["5.4.0-200-generic"]
    )
    assert "vm.compaction_proactiveness" not in keys["5.4.0-200-generic"]
    assert "vm.compaction_proactiveness" in keys["5.10.0-9-amd64"]
    assert "memory.hugepages" in keys["5.10.0-9-amd64"] and "cmdline.hugepages" in keys["6.1.0-28-amd64"]
    assert [r for r in RELEASES if "sched.fair_server" in codes(plans[r])] == ["6.12.9-amd64", "6.18-rc1"]
    patient = [r for r in RELEASES if "cmdline.rcutree.nohz_full_patience_delay" in keys[r]]
    assert patient == ["6.12.9-amd64", "6.18-rc1"]


def test_a_kernel_of_unknown_release_is_planned_and_says_so() -> None:
    made = planned({"/proc/sys/kernel/osrelease": "custom\n", "/proc/version": "custom\n"})
    assert any("cmdline.isolcpus.managed_irq" in note for note in made.notes)


@pytest.mark.parametrize(
    ("cpuinfo", "architecture"),
    [
        ("processor\t: 0\nflags\t\t: fpu tsc\n", "x86_64"),
        ("processor\t: 0\nCPU implementer\t: 0x41\n", "aarch64"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\n", "aarch64"),
        ("processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 7\n", None),
        ("processor\t: 0\ncpu\t\t: POWER9 (raw), altivec supported\n", "ppc64"),
        ("processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\n", "riscv64"),
        ("processor\t: 0\ncpu\t\t: something\n", None),
        ("processor\t: 0\n", None),
    ],
)
def test_what_belongs_to_one_architecture_is_refused_by_name_elsewhere(
    cpuinfo: str, architecture: str | None
) -> None:
    files: dict[str, str | None] = {"/proc/cpuinfo": cpuinfo}
    topology = read_topology(seen(files))
    assert topology.architecture == architecture
    made = plan(topology, replace(ENGINE, io_mode="dpdk"))
    foreign = {
        key for key, row in VALID.items() if row.architectures and architecture not in row.architectures
    }
    assert not foreign & {one.key for one in made.settings}
    if architecture not in X86:
        code = Code.ARCHITECTURE_UNKNOWN if architecture is None else Code.NOT_APPLICABLE_ARCHITECTURE
        named = {key for key, one in codes(made).items() if one is code}
        assert {"cmdline.tsc", "cmdline.nmi_watchdog", "cmdline.processor.max_cstate"} <= named


@pytest.mark.parametrize(
    "pool",
    [
        "default_hugepagesz=1G hugepagesz=1G hugepages=16",
        "hugepages=0:512,1:512",
        "hugepagesz=2M hugepages=4096",
        "default_hugepagesz=1G",
    ],
)
def test_a_pool_of_the_hosts_own_line_is_kept_and_named(pool: str) -> None:
    files: dict[str, str | None] = {"/proc/cmdline": f"{LINE} {pool}\n"}
    made = planned(files)
    refusal = next(one for one in made.refused if one.key == "cmdline.hugepages")
    assert refusal.code is Code.HUGEPAGES_THEIRS and pool in refusal.reason
    assert not [word for word in made.kernel_args() if "hugepage" in word.replace("transparent_hugepage", "")]
    menu = '# hft-menu {"schema": 1, "base": ' + str(f"{LINE} {pool}".split()).replace("'", '"') + "}\n"
    after = tuned(seen(files), made)
    after = Snapshot({**after.files, "/boot/grub/hft.cfg": menu}, after.links)
    assert plan(read_topology(after), ENGINE).plan_hash == made.plan_hash


@pytest.mark.parametrize("word", ["hugepages=0", "hugepagesz=2M hugepages=0:0,1:0", "quiet -- hugepages=4"])
def test_words_that_reserve_nothing_are_no_pool(word: str) -> None:
    made = planned({"/proc/cmdline": f"{LINE} {word}\n"})
    assert any(one.startswith("hugepages=") for one in made.kernel_args())


def test_every_slice_at_the_top_is_planned_and_what_systemd_does_not_own_is_named() -> None:
    top = ("machine.slice", "kubepods.slice", "hft.slice", "docker", "dev-hugepages.mount", "init.scope")
    files: dict[str, str | None] = {}
    for name in top:
        files[f"/sys/fs/cgroup/{name}/cpuset.cpus"] = "\n"
    made = planned(files)
    slices = {one.key for one in made.settings if one.key.startswith("slice.")}
    always = {"init.scope", "system.slice", "user.slice", "hft-monitoring.slice", "hft-engine.slice"}
    assert slices == {f"slice.{one}" for one in (*always, "machine.slice", "kubepods.slice")}
    assert {key for key, code in codes(made).items() if code is Code.CGROUP_FOREIGN} == {"slice.docker"}
    pending = {one.setting.key for one in diff(made, seen(files)).all}
    assert "slice.machine.slice" in pending
    after = tuned(seen(files), made)
    assert diff(made, after).all == () and plan(read_topology(after), ENGINE).plan_hash == made.plan_hash


def test_a_host_of_control_groups_version_1_is_refused_its_slices_and_has_nothing_pending_for_ever() -> None:
    files: dict[str, str | None] = {path: None for path in BEFORE.files if path.startswith("/sys/fs/cgroup/")}
    made = planned(files)
    refused = {key for key, code in codes(made).items() if code is Code.CGROUP_VERSION}
    assert "slice.system.slice" in refused and "slice.hft-engine.slice" in refused
    assert not [one for one in diff(made, seen(files)).all if one.setting.key.startswith("slice.")]
