"""Every fix that `hft doctor` prints helps the machine it stands on: pasted there, its hazard is gone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hft.tree_capture import capture_tree
from tests.cases.machines import CASES, machine
from tests.support import needs
from tuning.compliance.hazards import Hazard, diagnose
from tuning.compliance.unit_states import Unit, parse_show, show_argv
from tuning.errors import PlanError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology
from tuning.units import DISTURBING_UNITS, IRQBALANCE

CPU = "/sys/devices/system/cpu"
# What no command changes on a running machine, or whose effect only a kernel shows.
NO_COMMAND = {"timer tick", "kernel argument", "virtual machine"}
BY_THE_KERNEL = {"SMT", "interrupts"}
SYSTEMCTL = """\
#!/bin/sh
# The real one, on the tree, where a unit that is stopped is a control group that goes.
for word; do shift; [ "$word" = --now ] && now=1 || set -- "$@" "$word"; done
[ -z "${{now-}}" ] || rm -rf {tree}/sys/fs/cgroup/system.slice/"$2"
exec {real} --root={tree} "$@"
"""


def sick(case: str) -> Snapshot:
    """A recorded machine with everything in the way that a doctor knows."""
    found = machine(CASES[case])
    more = {
        "/proc/swaps": "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2\n",
        "/sys/kernel/mm/ksm/run": "1\n",
        "/proc/sys/kernel/numa_balancing": "1\n",
        "/proc/sys/kernel/watchdog": "1\n",
        "/proc/sys/kernel/watchdog_cpumask": found.files[f"{CPU}/online"],
        f"{CPU}/smt/active": "1\n",
        f"{CPU}/smt/control": "on\n",
        f"{CPU}/cpu0/cpuidle/state0/latency": "1\n",
        f"{CPU}/cpu0/cpuidle/state3/latency": "133\n",
        f"{CPU}/cpu0/cpuidle/state3/disable": "0\n",
        "/sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet\n",
        "/sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc hpet\n",
    }
    return Snapshot({**found.files, **more}, found.links)


def planned(snapshot: Snapshot) -> Plan | None:
    try:
        return plan(read_topology(snapshot), ENGINE)
    except PlanError:
        return None


def lay_out(snapshot: Snapshot, tree: Path) -> None:
    for path, text in snapshot.files.items():
        if text is not None:
            (tree / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (tree / path[1:]).write_text(text)
    for path, target in snapshot.links.items():
        place = tree / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.is_symlink():
            place.symlink_to(target)


@pytest.mark.parametrize("case", ["two-sockets-numa-node-unknown", "two-cpus"])
@needs.programs("systemctl")
def test_a_fix_that_is_pasted_ends_its_hazard(case: str, tmp_path: Path) -> None:
    before, programs, tree = sick(case), tmp_path / "bin", tmp_path / "tree"
    lay_out(before, tree)
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL.format(real=needs.found("systemctl"), tree=tree))
    (programs / "swapoff").write_text(f'#!/bin/sh\n[ "$*" = --all ] && echo Filename >{tree}/proc/swaps\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    found, made = capture_tree(tree), planned(before)
    hazards = diagnose(found, read_topology(found), made).hazards
    assert len(hazards) > 10
    for hazard in hazards:
        if hazard.name in NO_COMMAND:
            continue
        line = hazard.fix.replace(" /proc/", f" {tree}/proc/").replace(" /sys/", f" {tree}/sys/")
        environment = {"PATH": f"{programs}:/usr/bin:/bin"}
        done = subprocess.run(
            ["sh", "-euc", line], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (hazard, done.stderr)
        now = capture_tree(tree)
        left = {one.name for one in diagnose(now, read_topology(now), made).hazards}
        assert (hazard.name in left) == (hazard.name in BY_THE_KERNEL), hazard
    assert (tree / f"{CPU}/smt/control"[1:]).read_text() == "off\n"


@pytest.mark.parametrize("case", CASES)
def test_a_machine_without_a_plan_is_promised_nothing(case: str) -> None:
    before = sick(case)
    topology, made = read_topology(before), planned(before)
    for hazard in (*diagnose(before, topology, None).hazards, *diagnose(before, topology, made).hazards):
        assert "hft" not in hazard.fix
    assert not any(one.planned for one in diagnose(before, topology, None).hazards)
    assert made is None or any(one.planned for one in diagnose(before, topology, made).hazards)


SHOWN = """\
Id=irqbalance.service
LoadState=loaded
UnitFileState=enabled
ActiveState=active

Id=fstrim.timer
LoadState=masked
UnitFileState=masked
ActiveState=inactive

Id=packagekit.service
LoadState=not-found
UnitFileState=
ActiveState=inactive

Id=man-db.timer
LoadState=loaded
UnitFileState=static
ActiveState=active
"""


def unit_hazards(snapshot: Snapshot, units: dict[str, Unit]) -> dict[str, Hazard]:
    found = diagnose(snapshot, read_topology(snapshot), None, units).hazards
    return {one.name: one for one in found if "." in one.name}


def test_a_unit_s_state_is_what_systemctl_says() -> None:
    before = sick("two-sockets-numa-node-unknown")
    units = parse_show(SHOWN)
    assert set(units) == {IRQBALANCE, "fstrim.timer", "man-db.timer"}
    found = unit_hazards(before, units)
    assert {name: one.seen for name, one in found.items() if name in units} == {
        IRQBALANCE: "enabled, active",
        "man-db.timer": "static, active",
    }
    assert found[IRQBALANCE].fix == "systemctl mask --now irqbalance.service"
    assert parse_show("System has not been booted with systemd as init system (PID 1).\n") == {}
    assert show_argv((IRQBALANCE, *DISTURBING_UNITS))[-1] in DISTURBING_UNITS


def test_a_unit_with_a_file_of_its_own_is_disabled_and_not_masked() -> None:
    before = sick("two-sockets-numa-node-unknown")
    own = {f"/etc/systemd/system/{IRQBALANCE}": "[Service]\nExecStart=/bin/true\n"}
    found = unit_hazards(Snapshot({**before.files, **own}, before.links), parse_show(SHOWN))
    assert found[IRQBALANCE].fix == "systemctl disable --now irqbalance.service"
