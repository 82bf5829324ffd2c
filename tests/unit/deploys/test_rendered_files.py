"""Plan -> files: byte-stable, explained, and nothing in a why can become a setting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploys.tune.changes import is_owned
from deploys.tune.render import comment, fill, render
from tests.support.fake_host import SMALL, make_host
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.plan.setting import Pid1Affinity, SliceCpus, Sysctl, SysfsValue
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology
from tuning.units import cgroup_of


@pytest.fixture(scope="module")
def made_plan() -> Plan:
    made = make_host(SMALL)
    return plan(read_topology(Snapshot(dict(made.files), dict(made.links))), ENGINE)


def settings_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith(("#", "["))]


def test_same_plan_gives_same_bytes(made_plan: Plan) -> None:
    assert render(made_plan, standins=True) == render(Plan.from_json(made_plan.to_json()), standins=True)


def test_every_sysctl_stands_once_below_its_why(made_plan: Plan) -> None:
    text = next(
        file.content for file in render(made_plan, standins=True) if file.path == "/etc/sysctl.d/90-hft.conf"
    )
    sysctls = [setting for setting in made_plan.settings if isinstance(setting, Sysctl)]
    assert len(sysctls) >= 10
    assert sorted(settings_of(text)) == sorted(f"{s.key} = {s.value}" for s in sysctls)
    for paragraph in text.split("\n\n")[1:]:
        assert paragraph.startswith("# ")


def test_every_sysfs_value_is_written_again_at_boot(made_plan: Plan) -> None:
    text = next(
        file.content
        for file in render(made_plan, standins=True)
        if file.path == "/etc/tmpfiles.d/90-hft.conf"
    )
    values = [setting for setting in made_plan.settings if isinstance(setting, SysfsValue)]
    assert values
    assert {line.split()[1] for line in settings_of(text)} == {setting.path for setting in values}


def test_slices_and_pid1_carry_the_planned_cpus(made_plan: Plan) -> None:
    files = {file.path: file.content for file in render(made_plan, standins=True)}
    for setting in made_plan.settings:
        if isinstance(setting, SliceCpus):
            text = next(t for path, t in files.items() if f"/{setting.slice}" in path)
            assert f"AllowedCPUs={setting.value}" in text.splitlines()
            section = "[Scope]" if setting.slice.endswith(".scope") else "[Slice]"
            assert section in text.splitlines()
        if isinstance(setting, Pid1Affinity):
            text = files["/etc/systemd/system.conf.d/90-hft.conf"]
            assert f"CPUAffinity={setting.value}" in text.splitlines()


def test_a_change_in_one_setting_changes_its_file_and_the_record_only(made_plan: Plan) -> None:
    changed = tuple(
        replace(setting, value="61")
        if isinstance(setting, Sysctl) and setting.key == "vm.swappiness"
        else setting
        for setting in made_plan.settings
    )
    before = {file.path: file.digest for file in render(made_plan, standins=True)}
    after = {file.path: file.digest for file in render(replace(made_plan, settings=changed), standins=True)}
    assert {path for path in after if after[path] != before[path]} == {
        "/etc/sysctl.d/90-hft.conf",
        "/var/lib/hft/plan.json",
    }


def test_everything_rendered_is_known_as_ours(made_plan: Plan) -> None:
    assert [file.path for file in render(made_plan, standins=True) if not is_owned(file.path)] == []


@pytest.mark.parametrize("path", ["/etc/sysctl.d/9.conf", "/etc/systemd/system/hft-x.service", "/etc/fstab"])
def test_files_of_others_are_not_ours(path: str) -> None:
    assert not is_owned(path)


def test_no_line_of_a_why_can_become_a_setting() -> None:
    text = comment("first\nkernel.panic = 0\r\n[Service]\x0bExecStart=/bin/sh " + "long " * 60)
    assert all(line.startswith("# ") for line in text.splitlines())


def test_a_slice_lies_inside_the_slices_its_name_says() -> None:
    assert cgroup_of("hft-engine.slice") == "/sys/fs/cgroup/hft.slice/hft-engine.slice"
    assert cgroup_of("a-b-c.slice") == "/sys/fs/cgroup/a.slice/a-b.slice/a-b-c.slice"
    assert cgroup_of("system.slice") == "/sys/fs/cgroup/system.slice"
    assert cgroup_of("init.scope") == "/sys/fs/cgroup/init.scope"
    assert cgroup_of("chrony.service") == "/sys/fs/cgroup/system.slice/chrony.service"


@pytest.mark.parametrize("end", ["\n", "\r", "\x00", "\x1b[2J", "\x85", "\u2028"])
def test_a_template_takes_no_second_line_whoever_checked_before(end: str) -> None:
    good = SysfsValue(
        key="k", path="/sys/kernel/x", value="0", mode="safe", risk="r", source="s", why=f"w{end}w"
    )
    assert len(fill("tmpfiles.conf.j2", settings=[good]).splitlines()) == 4
    planted = f"0{end}f+ /etc/cron.d/x"
    for bad in (replace(good, path=planted), replace(good, value=planted)):
        with pytest.raises(ValueError, match="one printable line"):
            fill("tmpfiles.conf.j2", settings=[bad])
