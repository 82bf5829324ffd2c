"""Plan and profile as documents: hash, schema, what is refused of them, and the page on refusals."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cases.machines import CASES, machine
from tests.support.checkout import ROOT
from tuning.errors import PlanError, ProfileError
from tuning.nic_table import KNOBS
from tuning.plan.plan import ROLES, Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports, Profile, profile_named
from tuning.plan.refusal import Code
from tuning.plan.setting import KINDS, Sysctl, SysfsValue, setting_to_dict
from tuning.snapshot.capture import CAPTURE_SCRIPT, KNOB_PATHS, NAMED
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

DOCS = ROOT / "docs"
PLAN = plan(read_topology(machine(CASES["lab-generic"])), ENGINE)
SCHEMA = json.loads((DOCS / "schema" / "plan.schema.json").read_text())


def test_the_hash_binds_every_byte_of_a_plan() -> None:
    document = json.loads(PLAN.to_json())
    assert document["plan_hash"] == PLAN.plan_hash
    for path in (("cpus", 0, "role"), ("settings", 3, "value"), ("refused", 0, "reason"), ("profile",)):
        changed = json.loads(PLAN.to_json())
        at: Any = changed
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = "irq" if path[-1] == "role" else "changed"
        with pytest.raises(PlanError, match=r"hash does not match|not a plan") as refusal:
            Plan.from_json(json.dumps(changed))
        assert refusal.value.code == "bad_document"


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"cpus": "x"},
        {"cpus": [{"cpu": "0", "node": 0, "role": "irq", "why": ""}]},
        {"cpus": [{"cpu": 0, "node": 0, "role": "boss", "why": ""}]},
        {"cpus": [7]},
        {"settings": [{"kind": "spell", "key": "x"}]},
        {"settings": [{"kind": "sysctl", "key": "x"}]},
        {"refused": [{"key": "x", "code": "mood", "reason": "y"}]},
        {"notes": [3]},
        {"profile": None},
    ],
)
def test_what_is_not_a_plan_is_refused_with_a_sentence(change: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(json.dumps({**json.loads(PLAN.to_json()), **change}))


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 50_000, '{"schema":1}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(text)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("irq_placement", {"cpus": "3-1"}),
        ("irq_placement", {"value": "0"}),
        ("sysctl", {"mode": "later"}),
        ("sysctl", {"compare": "guess"}),
        ("sysctl", {"value": 3}),
        ("unit_wish", {"active": "yes"}),
        ("unit_wish", {"enabled": "static"}),
        ("kernel_arg", {"surprise": "x"}),
    ],
)
def test_a_setting_of_the_wrong_form_is_refused(kind: str, change: dict[str, Any]) -> None:
    document = json.loads(PLAN.to_json())
    at = next(index for index, one in enumerate(document["settings"]) if one["kind"] == kind)
    document["settings"][at].update(change)
    with pytest.raises(PlanError, match="not a plan"):
        Plan.from_json(json.dumps(document))


def test_the_schema_describes_the_plan_and_nothing_more() -> None:
    document = json.loads(PLAN.to_json())
    assert sorted(document) == SCHEMA["required"]
    definitions = SCHEMA["$defs"]
    assert {name for name in definitions if "kind" in definitions[name].get("properties", {})} == set(KINDS)
    real_time = json.loads(plan(read_topology(machine(CASES["lab-rt"])), ENGINE).to_json())
    ports = Ports(ports=(Port(word="enp1s1", use="orders"),))
    named = json.loads(plan(read_topology(machine(CASES["lab-rt"])), ENGINE, ports).to_json())
    settings = document["settings"] + real_time["settings"] + named["settings"]
    assert {one["kind"] for one in settings} == set(KINDS)
    for one in settings:
        optional = {"device", "is_capped"} & one.keys() & definitions[one["kind"]]["properties"].keys()
        assert one.keys() == {*definitions[one["kind"]]["required"], *optional}
    for one in document["cpus"]:
        assert sorted(one) == definitions["cpu"]["required"]
    for one in document["refused"]:
        assert sorted(one) == definitions["refusal"]["required"]
    assert definitions["nic_parameter"]["properties"]["knob"]["enum"] == list(KNOBS)
    assert definitions["cpu"]["properties"]["role"]["enum"] == list(ROLES)
    assert definitions["refusal"]["properties"]["code"]["enum"] == [code.value for code in Code]


def test_the_snapshot_schema_describes_snapshots() -> None:
    schema = json.loads((DOCS / "schema" / "snapshot.schema.json").read_text())
    assert sorted(json.loads(Snapshot({"/a": None}, {}).to_json())) == schema["required"]


def test_every_refusal_code_is_documented_and_no_other() -> None:
    page = (DOCS / "refusals.md").read_text()
    assert sorted(re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)) == sorted(
        code.value for code in Code
    )


def test_every_refusal_code_is_used() -> None:
    room = ROOT / "tuning"
    text = "".join(path.read_text() for path in room.rglob("*.py") if path.name != "refusal.py")
    unused = [code for code in Code if f"Code.{code.name}" not in text and f'"{code.value}"' not in text]
    assert unused == []


def planned_paths() -> Iterator[str]:
    for name in ("lab-generic", "hybrid", "nps4-small-caches"):
        for setting in plan(read_topology(machine(CASES[name])), ENGINE).settings:
            if isinstance(setting, Sysctl | SysfsValue):
                yield setting.path


def test_the_capture_reads_every_value_that_a_plan_may_set() -> None:
    for path in planned_paths():
        pattern = re.sub(r"cpu[0-9]+", "cpu[0-9]*", path[1:])
        assert path[1:] in NAMED or pattern in CAPTURE_SCRIPT
    assert all(path[1:] in NAMED for path in KNOB_PATHS)


def test_every_setting_says_what_it_may_cost_and_where_it_is_written() -> None:
    for setting in PLAN.settings:
        document = setting_to_dict(setting)
        assert all(document[name] for name in ("key", "value", "mode", "risk", "source", "why"))


@pytest.mark.parametrize(
    ("wishes", "sentence"),
    [
        ({}, "'name' is missing"),
        ({"name": "x", "engine_thread_min": 1}, "did you mean engine_threads_min"),
        ({"name": "x", "zzz": 1}, "known: name"),
        ({"name": "x", "engine_threads_min": "2"}, "expected int"),
        ({"name": "x", "engine_threads_min": True}, "expected int"),
        ({"name": "x", "engine_threads_min": 0}, "at least 1"),
        ({"name": "x", "engine_threads_min": 9}, "contradict"),
        ({"name": "x", "poll_threads_min": -1}, "contradict"),
        ({"name": "x", "irq_cores_most": -1}, "negative"),
        ({"name": "x", "hugepage_share_most": 0.9}, "outside 0 to 0.5"),
        ({"name": "x", "io_mode": "magic"}, "kernel_interrupt"),
        ({"name": "x", "kernel_release": 6}, "expected str"),
    ],
)
def test_a_wrong_profile_gets_one_sentence(wishes: dict[str, object], sentence: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(sentence)):
        Profile.from_mapping(wishes)


def test_a_profile_comes_from_plain_values() -> None:
    assert Profile.from_mapping(dataclasses.asdict(ENGINE)) == ENGINE
    assert profile_named("engine") is ENGINE
    with pytest.raises(ProfileError, match="did you mean engine"):
        profile_named("engin")


@pytest.mark.parametrize(
    ("profile", "code"),
    [
        (dataclasses.replace(ENGINE, engine_threads_min=4, poll_threads_min=2), "no_hot_core"),
        (dataclasses.replace(ENGINE, hugepage_bytes_min=1 << 30), "hugepages_share"),
    ],
)
def test_a_profile_that_a_host_cannot_give_refuses_the_host(profile: Profile, code: str) -> None:
    with pytest.raises(PlanError) as refusal:
        plan(read_topology(machine(CASES["lab-rt"])), profile)
    assert refusal.value.code == code


def test_io_modes_without_kernel_sockets_set_no_busy_polling() -> None:
    made = plan(read_topology(machine(CASES["lab-generic"])), dataclasses.replace(ENGINE, io_mode="dpdk"))
    refused = {one.key: one.code for one in made.refused}
    assert refused["net.core.busy_poll"] is Code.NOT_APPLICABLE_PROFILE
    assert "net.core.busy_poll" not in {setting.key for setting in made.settings}
