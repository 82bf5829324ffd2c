"""The roles as they are written: who owns what, what may call itself unchanged, what events become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploys.ansible import ROLES, State, environment, result_of, sharing
from deploys.paths import OWNED
from deploys.tune.changes import is_owned
from deploys.tune.render import render
from tests.support.fake_host import SMALL, make_host
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

READS = frozenset(
    {"ansible.builtin.command", "ansible.builtin.find", "ansible.builtin.stat", "ansible.builtin.slurp"}
)
READ_PROGRAMS = frozenset({"dpkg-query", "promtool", "amtool"})
WRITES = {"ansible.builtin.copy": "dest", "ansible.builtin.template": "dest", "ansible.builtin.file": "path"}
UNITS = "ansible.builtin.systemd_service"


def tasks(folder: Path) -> Iterator[Mapping[str, Any]]:
    for path in sorted(folder.glob("*/[th]a*/main.yml")):
        yield from yaml.safe_load(path.read_text())


def claims(folder: Path) -> set[str]:
    """Paths and units that the roles of a folder write, as their tasks say."""
    found: set[str] = set()
    for task in tasks(folder):
        for module, key in WRITES.items():
            if module in task and task[module].get("state") != "directory":
                found.add(task[module][key])
        if UNITS in task:
            found.add(task[UNITS]["name"])
    return {one for one in found if "{{" not in one}


def of_plans() -> set[str]:
    made = make_host(SMALL)
    made_plan = plan(read_topology(Snapshot(dict(made.files), dict(made.links))), ENGINE)
    return {one.path for one in render(made_plan, standins=True)}


def overlap(folder: Path) -> set[str]:
    """What both the roles and the plans, or the patterns that plans clean up, write."""
    return {one for one in claims(folder) if one in of_plans() or is_owned(one)}


def test_no_file_has_two_owners() -> None:
    assert len(claims(ROLES)) >= 10
    assert len(of_plans()) >= 5
    assert not overlap(ROLES)


@pytest.mark.parametrize("path", [OWNED[0], "/etc/systemd/system/prometheus.service.d/90-hft.conf"])
def test_a_second_owner_is_found(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "wrong/tasks"
    folder.mkdir(parents=True)
    task = {"name": "x", "ansible.builtin.copy": {"src": "a", "dest": path}}
    (folder / "main.yml").write_text(yaml.safe_dump([task]))
    assert overlap(tmp_path) == {path}


def untrue(task: Mapping[str, Any]) -> bool:
    """Whether a task says that it changes nothing, and may."""
    if task.get("changed_when") is not False:
        return False
    if "ansible.builtin.command" in task:
        return str(task["ansible.builtin.command"]["argv"][0]).rpartition("/")[2] not in READ_PROGRAMS
    return not any(module in task for module in READS)


def test_only_what_reads_may_say_that_it_changes_nothing() -> None:
    assert not [task["name"] for task in tasks(ROLES) if untrue(task)]
    assert untrue({"ansible.builtin.copy": {}, "changed_when": False})
    assert untrue({"ansible.builtin.command": {"argv": ["rm"]}, "changed_when": False})
    assert not untrue({"ansible.builtin.command": {"argv": ["/usr/bin/dpkg-query"]}, "changed_when": False})


def test_an_event_becomes_a_result_and_its_message_is_bounded() -> None:
    data = {"host": "watch-1", "role": "prometheus", "task": "Rules", "res": {"msg": "x\n" * 5000}}
    failed = result_of({"event": "runner_on_failed", "event_data": data})
    assert failed is not None
    assert (failed.state, failed.host, len(failed.message)) == (State.FAILED, "watch-1", 500)
    data["res"] = {"changed": True, "dest": "/etc/prometheus/rules/hft.yml"}
    changed = result_of({"event": "runner_on_ok", "event_data": data})
    assert changed is not None
    assert (changed.state, changed.target) == (State.CHANGED, "/etc/prometheus/rules/hft.yml")
    items = [{"changed": True, "path": "/etc/a"}, {"changed": False, "path": "/etc/b"}]
    data["res"] = {"changed": True, "results": items}
    looped = result_of({"event": "runner_on_ok", "event_data": data})
    assert looped is not None
    assert looped.target == "/etc/a"
    assert result_of({"event": "playbook_on_stats", "event_data": {}}) is None


@pytest.mark.parametrize(
    ("folder", "is_shared"), [("/tmp/hft-roles-12345678/cp", True), ("/tmp/" + "x" * 90, False)]
)
def test_a_connection_is_shared_only_where_the_name_of_its_socket_fits(folder: str, is_shared: bool) -> None:
    assert ("ControlMaster=auto" in sharing(Path(folder))) is is_shared


def test_ansible_runner_does_not_turn_the_check_of_host_keys_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_HOST_KEY_CHECKING", "False")
    assert environment(Path("/tmp/run"))["ANSIBLE_HOST_KEY_CHECKING"] == "True"
