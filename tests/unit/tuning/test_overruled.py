"""Files of somebody else that the next boot would obey: the plan names them, and apply refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.expected import read_plan
from checks.facts import Facts
from checks.persist import persist_findings
from checks.verdict import Verdict
from deploys.tune.render import render
from tests.cases.machines import CASES, machine, tuned
from tests.support.boot_files import DOUBTFUL, KINDS, KSM, PLACES, ROOTS
from tests.support.own_files import with_own_files
from tuning.compliance.diff import diff
from tuning.compliance.overruled import overruled
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.setting import SysfsValue
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

BEFORE = machine(CASES["lab-generic"])
PLAN: Plan = plan(read_topology(BEFORE), ENGINE)
OWN = {one.path: one.content for one in render(PLAN, standins=False)}
AFTER = replace(tuned(BEFORE, PLAN), files={**tuned(BEFORE, PLAN).files, **OWN})
EXPECTED = read_plan(PLAN.to_json())


def with_files(files: dict[str, str]) -> Snapshot:
    """As captured: an empty file is told as a link to /dev/null."""
    texts = {path: text for path, text in files.items() if text}
    hidden = {path: "/dev/null" for path, text in files.items() if not text}
    return replace(AFTER, files={**AFTER.files, **texts}, links={**AFTER.links, **hidden})


def planned(files: dict[str, str]) -> set[str]:
    return {one.setting.key for one in overruled(PLAN, with_files(files))}


def checked(files: dict[str, str]) -> set[str]:
    facts = with_own_files(Facts(files={"/sys/devices/system/cpu/possible": "0-3"}), PLAN)
    facts = replace(facts, files={**facts.files, **files})
    wrong = [one for one in persist_findings(EXPECTED, facts) if one.verdict is not Verdict.OK]
    return {one.check.removeprefix("persist.") for one in wrong}


def test_a_host_as_we_leave_it_is_overruled_by_nobody() -> None:
    assert planned({}) == checked({}) == set()


@pytest.mark.parametrize(("root", "kind"), PLACES)
@pytest.mark.parametrize("name", ["10-local.conf", "99-local.conf"])
def test_the_plan_names_the_file_that_wins_over_ours(root: str, kind: str, name: str) -> None:
    folder, text, key, before, after = KINDS[kind]
    path = f"{root}/{folder}/{name}"
    found = {one.setting.key: one for one in overruled(PLAN, with_files({path: text}))}
    assert key in found if (before if name.startswith("10") else after) else not found
    for one in found.values():
        assert one.path == path
        assert path in one.way_out
    pending = {one.setting.key: one for one in diff(PLAN, with_files({path: text})).all}
    assert {key for key, one in pending.items() if one.way_out} == set(found)


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_a_line_that_may_reach_our_file_is_named(kind: str) -> None:
    folder, text, key = DOUBTFUL[kind]
    assert planned({f"/etc/{folder}/99-x.conf": text}) == {key}


def test_a_foreign_file_of_our_name_in_an_earlier_folder_is_named() -> None:
    path = "/etc/systemd/system.control/system.slice.d/90-hft.conf"
    assert planned({path: "[Slice]\nAllowedCPUs=0-3\n"}) == {"slice.system.slice"}


def test_a_key_is_written_where_its_last_equal_assignments_begin() -> None:
    """systemd keeps the first place of an equal assignment, so what sets it, too, is written behind it."""
    files = {
        "/etc/sysctl.d/50-a.conf": "vm.dirty_ratio=10\n",
        "/etc/sysctl.d/60-b.conf": "vm.dirty_bytes=9999\n",
    }
    assert planned(files) == checked(files) == {"vm.dirty_ratio"}
    broken = {**files, "/etc/sysctl.d/70-c.conf": "vm.dirty_ratio=20\n"}
    assert planned(broken) == checked(broken) == set()


GOVERNOR = "/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor"


@pytest.mark.parametrize(
    ("path", "is_lost"),
    [
        ("/sys/devices/system/cpu/cpufreq/policy*/scaling_governor", True),
        ("/sys/devices/system/cpu/cpufreq/policy3/scaling_governor", True),
        ("/sys/devices/system/cpu/cpufreq/policy2/scaling_governor", True),
        ("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", True),
        ("/sys/devices/system/cpu/cpufreq/policy0/scaling_governor", False),
        ("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", False),
        ("/sys/bus/cpu/devices/cpu3/cpufreq/scaling_governor", True),
        ("/sys/devices/system/cpu/cpufreq/policy3/scaling_max_freq", False),
    ],
)
def test_a_frequency_policy_is_one_file_by_all_of_its_names(path: str, is_lost: bool) -> None:
    """CPUs 2 and 3 share a policy; the plan sets the governor of CPU 3."""
    own = GOVERNOR.format(3)
    setting = SysfsValue(
        key="power.governor.cpu3", path=own, value="performance", mode="safe", risk="r", source="s", why="w"
    )
    made = replace(PLAN, settings=(setting,))
    related = {GOVERNOR.format(3).replace("scaling_governor", "related_cpus"): "2 3\n"}
    files = {"/etc/tmpfiles.d/99-x.conf": f"w {path} - - - - powersave\n", **related}
    assert bool(overruled(made, Snapshot(files, {}))) == is_lost
    mounts = "1 0 0:1 / /proc rw - proc proc rw\n2 0 0:2 / /sys rw - sysfs sysfs rw\n"
    files["/proc/self/mountinfo"] = mounts
    facts = Facts(
        files={**files, "/etc/tmpfiles.d/90-hft.conf": f"w {own} - - - - performance\n"}, unit_files={}
    )
    found = persist_findings(read_plan(made.to_json()), facts)
    assert (found[0].verdict is not Verdict.OK) == is_lost, found


def test_a_path_is_written_where_its_first_line_stands() -> None:
    """A foreign line with our value comes first, so a pattern between it and ours has the last word."""
    files = {
        "/run/tmpfiles.d/10-a.conf": f"w {KSM} - - - - 0\n",
        "/usr/lib/tmpfiles.d/89-z.conf": "w /sys/kernel/mm/ksm/* - - - - 2\n",
    }
    assert planned(files) == checked(files) == {"memory.ksm"}


LINES = {
    "sysctl.d": (
        *("vm.swappiness = 60\n", "vm/swappiness=10\n", "-vm.swappiness\n", "vm.* = 3\n", "#x\n", ""),
        *("vm.dirty_bytes=0\n", "vm.dirty_bytes = 1\nvm.dirty_ratio = 10\n", "kernel.watchdog = 1\n"),
        *("vm/./swappiness=60\n", "vm.dirty_ratio = 10\n", "vm.dirty_byte*=1\n", "vm.{dirty_,x}byte?=2\n"),
        *("-vm.dirty_bytes\n", "vm.dirty_bytes=1\n", "vm.nr_hugepages=0\n", "net/*/../../vm/swappiness=6\n"),
        *("vm/../../../sys/kernel/mm/ksm/run=1\n", "--vm.swappiness=60\n", "vm.dirty_ratio=11\n"),
    ),
    "tmpfiles.d": (
        *(f"w {KSM} - - - - 1\n", f"w {KSM} - - - - 0\n", f"x {KSM}\n", f"f {KSM}\n", ""),
        "w /sys/kernel/mm/ksm/* - - - - 2\n",
        *(f"w {KSM}/ - - - - 1\n", f"w$ {KSM} - - - - 1\n", "w /sys/kernel/mm/{ksm,x}/run - - - - 1\n"),
        *("w /proc/sys/vm/swappiness - - - - 60\n", "f+ /proc/sys/vm/dirty_bytes - - - - 1\n"),
        *(
            "w /sys/kernel/mm/\\x6bsm/run - - - - 1\n",
            f"w {KSM} - - - - \\x30\n",
            "w /s*/m/k?m/run - - - - 1\n",
        ),
        *(f"x {KSM}/.\n", "x /sys/kernel/mm/%m/run\n", f"w~ {KSM} - - - - MA==\n", f"F {KSM} - - - - 1\n"),
    ),
    "systemd/system.conf.d": tuple(
        f"[Manager]\n{text}" for text in ("CPUAffinity=3\n", "CPUAffinity=\n", "CPUAffinity=0 1\n", "")
    ),
    "systemd/system/system.slice.d": tuple(
        f"[Slice]\n{text}" for text in ("AllowedCPUs=0-3\n", "AllowedCPUs=\n", "AllowedCPUs=0-1\n", "")
    ),
    "systemd/system/slice.d": ("[Slice]\nAllowedCPUs=2\n", "[Slice]\nAllowedCPUs=\nAllowedCPUs=0-1\n", ""),
}
NAMES = ("10-a.conf", "89-z.conf", "90-hft.conf.conf", "91-b.conf", "Z.conf", "99-c.conf", "not-read")


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    found = {}
    for _ in range(draw(st.integers(1, 5))):
        folder = draw(st.sampled_from(sorted(LINES)))
        path = f"{draw(st.sampled_from(ROOTS))}/{folder}/{draw(st.sampled_from(NAMES))}"
        found[path] = draw(st.sampled_from(LINES[folder]))
    return found


@settings(deadline=None)
@given(trees())
def test_two_readings_of_the_next_boot_meet(files: dict[str, str]) -> None:
    """The planner walks back from the last file, the checks build the whole table: same losses."""
    assert planned(files) == checked(files)
