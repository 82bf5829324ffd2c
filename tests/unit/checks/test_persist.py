"""What the next boot takes a setting from: each kind of file, before and after ours, in each folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.boot_writes import last_write, sysctl_writes, tmpfiles_writes
from checks.expected import Expected
from checks.facts import Facts
from checks.persist import persist_findings
from checks.systemd_files import cpus_of_manager, cpus_of_slice
from checks.verdict import Finding, Verdict
from tests.support.boot_files import DOUBTFUL, KINDS, KSM, PLACES
from tests.support.own_files import WANTS, with_own_files

Change = Callable[[Facts], Facts]


@pytest.fixture(scope="module")
def host(tuned: Facts, expected: Expected) -> Facts:
    """The recorded host with the files of its plan."""
    return with_own_files(tuned, expected.plan)


def put(path: str, text: str) -> Change:
    return lambda facts: replace(facts, files={**facts.files, path: text})


def gone(path: str) -> Change:
    def change(facts: Facts) -> Facts:
        assert path in facts.files
        return replace(facts, files={one: text for one, text in facts.files.items() if one != path})

    return change


def link(path: str, target: str | None) -> Change:
    def change(facts: Facts) -> Facts:
        kept = {one: to for one, to in (facts.unit_files or {}).items() if one != path}
        return replace(facts, unit_files=kept if target is None else {**kept, path: target})

    return change


def bad(expected: Expected, facts: Facts) -> dict[str, Finding]:
    found = {one.check: one for one in persist_findings(expected, facts)}
    return {check: one for check, one in found.items() if one.verdict is not Verdict.OK}


def test_the_files_of_the_plan_set_every_setting_at_the_next_boot(host: Facts, expected: Expected) -> None:
    assert not bad(expected, host)
    assert len(persist_findings(expected, host)) > 25


@pytest.mark.parametrize(("root", "kind"), PLACES)
@pytest.mark.parametrize("name", ["10-local.conf", "99-local.conf"])
def test_a_foreign_file_before_and_after_ours_in_each_folder(
    root: str, kind: str, name: str, host: Facts, expected: Expected
) -> None:
    folder, text, key, before, after = KINDS[kind]
    check = f"persist.{key}"
    path = f"{root}/{folder}/{name}"
    found = bad(expected, put(path, text)(host))
    assert check in found if (before if name.startswith("10") else after) else not found
    for one in found.values():
        assert (one.verdict, one.reason) == (Verdict.VIOLATED, "next_boot_differs")
        assert path in one.message


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_a_line_that_may_reach_our_file_is_not_judged(kind: str, host: Facts, expected: Expected) -> None:
    folder, text, key = DOUBTFUL[kind]
    found = bad(expected, put(f"/etc/{folder}/99-x.conf", text)(host))
    assert {check: one.verdict for check, one in found.items()} == {f"persist.{key}": Verdict.UNVERIFIABLE}
    same = text.replace("- 1\n", "- 0\n").replace("= 1\n", "= 0\n").replace("= 60", "= 10")
    assert not bad(expected, put(f"/etc/{folder}/99-x.conf", same)(host)), (
        "the value is the plan's, either way"
    )


def test_only_our_own_file_is_cured_by_apply(host: Facts, expected: Expected) -> None:
    text = "[Slice]\nAllowedCPUs=0-3\n"
    path = "/etc/systemd/system.control/system.slice.d/90-hft.conf"
    found = bad(expected, put(path, text)(host))
    assert "remove its line" in found["persist.slice.system.slice"].message


@pytest.mark.parametrize("root", ["/etc", "/usr/local/lib"])
def test_a_file_that_an_empty_one_hides_does_not_count(root: str, host: Facts, expected: Expected) -> None:
    lower = put("/usr/lib/sysctl.d/99-x.conf", "vm.swappiness = 60\n")(host)
    assert set(bad(expected, lower)) == {"persist.vm.swappiness"}
    assert not bad(expected, put(f"{root}/sysctl.d/99-x.conf", "")(lower))


def test_what_only_run_hides_is_back_after_the_boot(host: Facts, expected: Expected) -> None:
    lower = put("/usr/lib/sysctl.d/99-x.conf", "vm.swappiness = 60\n")(host)
    hidden = put("/run/sysctl.d/99-x.conf", "")(lower)
    assert set(bad(expected, hidden)) == {"persist.vm.swappiness"}


@pytest.mark.parametrize(
    ("path", "some"),
    [
        ("/etc/sysctl.d/90-hft.conf", "persist.vm.swappiness"),
        ("/etc/tmpfiles.d/90-hft.conf", "persist.memory.ksm"),
        ("/etc/systemd/system.conf.d/90-hft.conf", "persist.pid1.affinity"),
        ("/etc/systemd/system/system.slice.d/90-hft.conf", "persist.slice.system.slice"),
        ("/etc/systemd/system/hft-engine.slice", "persist.slice.hft-engine.slice"),
    ],
)
def test_a_file_of_ours_that_is_gone_or_empty_is_named(
    path: str, some: str, host: Facts, expected: Expected
) -> None:
    for change in (gone(path), put(path, "")):
        found = bad(expected, change(host))
        assert some in found
        assert all(one.reason == "next_boot_differs" for one in found.values())


@pytest.mark.parametrize(
    ("change", "checks"),
    [
        (link("/etc/systemd/system/irqbalance.service", None), {"persist.unit.irqbalance.service"}),
        (link("/etc/systemd/system/irqbalance.service", ""), {"persist.unit.irqbalance.service"}),
        (link("/etc/systemd/system.control/irqbalance.service", ""), {"persist.unit.irqbalance.service"}),
        (link("/usr/lib/systemd/system/irqbalance.service", ""), set()),
        (link("/run/systemd/system/irqbalance.service", "/dev/null"), set()),
        (link(WANTS, None), {"persist.irq.placement", "persist.kthread.placement"}),
        (
            link("/etc/systemd/system/hft-irqs.service", "/dev/null"),
            {"persist.irq.placement", "persist.kthread.placement"},
        ),
    ],
)
def test_masks_and_the_placing_service(
    change: Change, checks: set[str], host: Facts, expected: Expected
) -> None:
    assert set(bad(expected, change(host))) == checks


def test_a_mask_below_run_is_gone_at_the_next_boot(host: Facts, expected: Expected) -> None:
    unit = "irqbalance.service"
    masked = link(f"/run/systemd/system/{unit}", "/dev/null")(link(f"/etc/systemd/system/{unit}", None)(host))
    assert set(bad(expected, masked)) == {f"persist.unit.{unit}"}


@pytest.mark.parametrize(
    ("unit", "some"), [("systemd-sysctl", "vm.swappiness"), ("systemd-tmpfiles-setup", "memory.ksm")]
)
def test_a_masked_reader_of_the_files_loses_them_all(
    unit: str, some: str, host: Facts, expected: Expected
) -> None:
    found = bad(expected, link(f"/etc/systemd/system/{unit}.service", "/dev/null")(host))
    assert f"persist.{some}" in found
    assert f"unmask {unit}.service" in found[f"persist.{some}"].message


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: replace(facts, unit_files=None),
        lambda facts: replace(facts, unreadable={"/etc/sysctl.d/99-x.conf": "Permission denied"}),
        lambda facts: replace(facts, unreadable={"/etc/systemd/system": "it cannot be listed"}),
    ],
)
def test_what_was_not_read_is_neither_ok_nor_violated(
    change: Change, host: Facts, expected: Expected
) -> None:
    found = persist_findings(expected, change(host))
    assert {one.verdict for one in found} == {Verdict.UNVERIFIABLE}


@pytest.mark.parametrize(
    ("path", "text", "check"),
    [
        ("/etc/tmpfiles.d/10-x.conf", f"w {KSM} - - - - %m\n", "persist.memory.ksm"),
        ("/etc/systemd/system.conf.d/99-x.conf", "[Manager]\nCPUAffinity=numa\n", "persist.pid1.affinity"),
    ],
)
def test_a_value_that_is_not_understood_is_not_judged(
    path: str, text: str, check: str, host: Facts, expected: Expected
) -> None:
    found = bad(expected, put(path, text)(host))
    assert {name: one.verdict for name, one in found.items()} == {check: Verdict.UNVERIFIABLE}


def test_lists_of_cpus_add_up_until_an_empty_one() -> None:
    folder = "/etc/systemd/system.conf.d"
    files = {
        "/etc/systemd/system.conf": "[Manager]\n#CPUAffinity=9\nCPUAffinity=0\n",
        f"{folder}/10-a.conf": "[Manager]\nCPUAffinity=1 2\n",
    }
    assert cpus_of_manager(files)[0] == {0, 1, 2}
    assert cpus_of_manager({**files, f"{folder}/20-b.conf": "[Manager]\nCPUAffinity=\nCPUAffinity=3\n"})[
        0
    ] == {3}


def test_a_drop_in_is_found_for_the_unit_its_prefix_and_its_type() -> None:
    text = "[Slice]\nAllowedCPUs={}\n"
    base = "/usr/lib/systemd/system"
    files = {
        f"{base}/a-b.slice": text.format(0),
        f"{base}/a-b.slice.d/1.conf": text.format(1),
        f"{base}/a-.slice.d/2.conf": text.format(2),
        f"{base}/slice.d/3.conf": text.format(3),
        f"{base}/a.slice.d/4.conf": text.format(4),
        f"{base}/a-b.slice.d/5": text.format(5),
    }
    assert cpus_of_slice(files, "a-b.slice")[0] == {0, 1, 2, 3}


def test_nobody_who_says_a_thing_is_no_winner() -> None:
    assert last_write(sysctl_writes({}, ("/proc/sys/vm/swappiness",))) is None
    other = {"/etc/tmpfiles.d/a.conf": "d /tmp 1777 root root\n"}
    assert last_write(tmpfiles_writes(other, (KSM,))) is None
