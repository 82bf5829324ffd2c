"""Arguments that take back a planned one: one table, and everybody who reads a line reads it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent.boot import grub
from agent.document import Document
from agent.parsing import encode, parse_boot
from checks.expected import read_plan
from checks.facts import Facts
from checks.kernel_line import words_of_line
from checks.taken_back import taken_back as seen_by_checks
from deploys.tune.document import boot_part
from inventory.model import Trial
from tests.cases.machines import CASES, machine, tuned
from tests.unit.agent.boot_tree import WANTED
from tuning.compliance.diff import diff
from tuning.compliance.hazards import diagnose
from tuning.compliance.taken_back import taken_back, words_to_leave_out
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.taken_back import TABLE, words_that_take_back
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

BEFORE = machine(CASES["lab-generic"])
PLAN: Plan = plan(read_topology(BEFORE), ENGINE)
AFTER = tuned(BEFORE, PLAN)
FACTS = Facts(
    files={
        "/sys/devices/system/cpu/online": "0-3\n",
        "/proc/self/mountinfo": "1 0 0:1 / /proc rw - proc proc rw\n2 0 0:2 / /sys rw - sysfs sysfs rw\n",
    }
)

BAD = (
    "nohz=off", "nohz=0", "highres=off", "clocksource=hpet", "notsc", "maxcpus=2", "nr_cpus=1",
    "possible_cpus=3", "nosmp", "noapic", "nolapic", "cgroup_disable=cpuset",
    "cgroup_disable=memory,cpuset", "systemd.cpu_affinity=0-3", "systemd.unified_cgroup_hierarchy=0",
    "systemd.unified_cgroup_hierarchy=no", "numa=off", "numa=fake=2", "maxcpus=0x2", "nr_cpus=2,",
    "acpi=off", "pci=nomsi", "mem=2G", "hugetlb=off", "systemd.unit=rescue.target",
    "systemd.mask=hft-irqs.service", "systemd.mask=systemd-sysctl.service",
    "systemd.mask=systemd-tmpfiles-setup", "single", "emergency", "rescue", "1", "s", "S", "-b",
    "init=/bin/sh", "amd_iommu=off",
)  # fmt: skip
ELSEWHERE = ("intel_pstate=disable", "amd_pstate=disable", "cpufreq.off=1")
OF_SIBLINGS = ("nosmt", "nosmt=force", "mitigations=auto,nosmt")
HARMLESS = (
    "nohz=on", "highres=on", "clocksource=tsc", "maxcpus=4", "nr_cpus=64", "cgroup_disable=memory",
    "numa=on", "intel_pstate=passive", "systemd.unified_cgroup_hierarchy=1", "quiet", "xnohz=off",
    "nohz=off nohz=on", "-- nohz=off", 'x="a nohz=off"', "maxcpus=0x4", "maxcpus=010", "mitigations=auto",
    "init=/sbin/init", "2", "5", "systemd.unit=multi-user.target", "systemd.mask=other.service",
    "pci=noaer", "acpi=force", "numa=on", *OF_SIBLINGS,
)  # fmt: skip


def booted(extra: str) -> Snapshot:
    line = (AFTER.text("/proc/cmdline") or "").strip()
    return replace(AFTER, files={**AFTER.files, "/proc/cmdline": f"{line} {extra}\n"})


def named(seen: Snapshot) -> dict[str, set[str]]:
    """Who names which word: planner, doctor, checks."""
    line = seen.text("/proc/cmdline") or ""
    return {
        "diff": {
            one.observed or "" for one in diff(PLAN, seen).boot if one.setting.key.startswith("boot.without.")
        },
        "doctor": {
            one.seen
            for one in diagnose(seen, read_topology(seen), PLAN).hazards
            if one.name == "kernel argument"
        },
        "checks": {one.word for one in seen_by_checks(read_plan(PLAN.to_json()), words_of_line(line), FACTS)},
    }


@pytest.mark.parametrize("word", BAD)
def test_planner_doctor_and_checks_name_a_word_that_takes_back_the_plan(word: str) -> None:
    assert named(booted(word)) == {"diff": {word}, "doctor": {word}, "checks": {word}}


@pytest.mark.parametrize("words", HARMLESS)
def test_a_word_that_takes_nothing_back_is_not_named(words: str) -> None:
    assert named(booted(words)) == {"diff": set(), "doctor": set(), "checks": set()}


def test_every_row_of_the_table_is_tried() -> None:
    tried = {word.partition("=")[0] for word in (*BAD, *ELSEWHERE, *OF_SIBLINGS)}
    assert tried == {row.name for row in TABLE}


@pytest.mark.parametrize("word", ELSEWHERE)
def test_what_this_plan_has_not_is_not_taken_back(word: str) -> None:
    name, _, value = word.partition("=")
    assert not words_that_take_back([(name, value)], {one.key for one in PLAN.settings}, 4)
    assert words_that_take_back([(name, value)], {"power.governor.cpu2", "cmdline.iommu"}, 4)
    assert words_that_take_back([(name, value)], None, None)


@pytest.mark.parametrize("word", OF_SIBLINGS)
def test_a_word_against_siblings_counts_where_the_plan_uses_two_of_a_core(word: str) -> None:
    shared = {f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": "2-3\n" for cpu in (2, 3)}
    seen = booted(word)
    seen = replace(seen, files={**seen.files, **shared})
    line = words_of_line(seen.text("/proc/cmdline") or "")
    facts = replace(FACTS, files={**FACTS.files, **shared})
    assert [one.word for one in taken_back(PLAN, seen)] == [word]
    assert [one.word for one in seen_by_checks(read_plan(PLAN.to_json()), line, facts)] == [word]
    off = replace(FACTS, files={**FACTS.files, "/sys/devices/system/cpu/online": "0-2\n"})
    assert [one.word for one in seen_by_checks(read_plan(PLAN.to_json()), line, off)] == [word]


def test_what_takes_back_is_left_out_of_the_next_entry_and_of_every_later_one() -> None:
    """Also when only the base of the menu still has it: the next candidate would inherit it."""
    menu = grub.Menu(
        fs_uuid="1-2",
        directory="/boot",
        base=("ro", "nohz=off", "cgroup_disable=memory"),
        good=grub.Entry(txn="t", release="6.1", args=("ro",)),
    )
    seen = replace(
        booted("maxcpus=2"), files={**booted("maxcpus=2").files, "/boot/grub/hft.cfg": grub.render(menu)}
    )
    without = words_to_leave_out(PLAN, seen)
    assert without == ("maxcpus=2", "nohz=off")
    boot = parse_boot(json.loads(json.dumps(boot_part(PLAN, Trial(), without))))
    line = grub.merged(menu.base, boot.args, boot.without)
    assert line[:2] == ("ro", "cgroup_disable=memory")
    assert not seen_by_checks(read_plan(PLAN.to_json()), words_of_line(" ".join(line)), FACTS)


def test_a_boot_part_without_the_key_leaves_nothing_out_and_one_with_it_reads_back() -> None:
    document = Document(
        txn="t", host="h", machine_id="0" * 32, plan_hash=None, topology_digest=None, steps=(), boot=WANTED
    )
    raw = json.loads(encode(document))["boot"]
    assert parse_boot(raw).without == ()
    del raw["without"]
    assert parse_boot(raw).without == ()
    assert parse_boot(raw | {"without": ["nohz=off"]}).without == ("nohz=off",)
