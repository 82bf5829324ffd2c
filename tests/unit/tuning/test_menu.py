"""A boot menu that would not start the plan again is pending, although the running line has everything."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agent.boot import grub
from tests.cases.machines import CASES, machine, tuned
from tuning.compliance.diff import diff
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.boot_menu import HOOK
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

BEFORE = machine(CASES["lab-generic"])
PLAN: Plan = plan(read_topology(BEFORE), ENGINE)
AFTER = tuned(BEFORE, PLAN)
GOOD = grub.Entry(txn="t", release="6.1", args=("root=UUID=1", "ro", *PLAN.kernel_args(), "panic=10"))
STATE = json.dumps({"committed": {"plan_hash": PLAN.plan_hash, "txn": "t", "at": "now"}})


def menu(entry: grub.Entry) -> str:
    return grub.render(grub.Menu(fs_uuid="1-2", directory="/boot", base=("ro",), good=entry))


def host(**changes: str | None) -> Snapshot:
    files: dict[str, str | None] = {
        "/var/lib/hft/state.json": STATE,
        "/boot/grub/hft.cfg": menu(GOOD),
        "/boot/grub/grub.cfg": f"{HOOK}\n",
        "/etc/default/grub.d/90-hft.cfg": "GRUB_DEFAULT=saved\n",
    }
    names = {name.rpartition("/")[2].partition(".")[0]: name for name in files}
    return replace(
        AFTER, files={**AFTER.files, **files, **{names[name]: text for name, text in changes.items()}}
    )


def problem(snapshot: Snapshot) -> str | None:
    return next((one.reason for one in diff(PLAN, snapshot).boot if one.setting.key == "boot.menu"), None)


def test_the_menu_of_a_committed_host_is_as_planned() -> None:
    assert problem(host()) is None


@pytest.mark.parametrize(
    ("snapshot", "said"),
    [
        (host(hft=None), "is gone"),
        (host(grub="menuentry 'x' {\n}\n"), "does not read"),
        (host(grub=f"# {HOOK}\n"), "does not read"),
        (host(grub=f"if false; then\n  {HOOK}\nfi\n"), "does not read"),
        (host(grub="source $prefix/hft.cfg.old\n"), "does not read"),
        (host(hft=menu(replace(GOOD, args=("ro", "nohz_full=2-3")))), "lacks isolcpus"),
        (host(hft=menu(replace(GOOD, args=(*GOOD.args, "nohz_full=1")))), "lacks nohz_full"),
        (host(hft="menuentry 'x' {\n}\n"), "lacks isolcpus"),
    ],
)
def test_a_menu_that_would_not_start_the_plan_is_pending(snapshot: Snapshot, said: str) -> None:
    assert said in (problem(snapshot) or "")


def test_a_host_without_a_committed_plan_has_no_menu_of_ours() -> None:
    assert problem(host(state="{}", hft=None)) is None
    assert problem(host(state="not JSON", hft=None)) is None


def test_a_host_that_was_never_adopted_misses_no_menu() -> None:
    never = host(hft=None, grub="menuentry 'x' {\n}\n")
    assert problem(replace(never, files={**never.files, "/etc/default/grub.d/90-hft.cfg": None})) is None


def test_what_was_not_captured_is_not_judged() -> None:
    files = {path: text for path, text in host().files.items() if not path.startswith("/boot/grub/")}
    assert problem(replace(host(), files=files)) is None
