"""Plan and observation -> items -> document, on a made host."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from deploys.errors import RefusedError
from deploys.tune.changes import Change, busy_units, pending_changes
from deploys.tune.document import DEFAULT_IRQ_AFFINITY, STEP_ORDER, document, select_changes, transaction_name
from deploys.tune.host_changes import HostChanges, carries_standins, decide
from deploys.tune.host_state import HostState, parse_observed
from deploys.tune.render import render
from inventory.model import Host, Identity, Site
from tests.support.fake_host import MACHINE_ID, SMALL, make_host
from transport.answer import Completed
from transport.errors import UnreachableError
from tuning.plan.plan import Plan
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE
from tuning.snapshot.files import Snapshot
from tuning.topology.reader import read_topology

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"
HOST = Host(
    name="engine-1",
    address="192.0.2.1",
    role="engine",
    failure_domain="a",
    profile="engine",
    identity=Identity(host_keys=(KEY,), machine_id=MACHINE_ID),
)
SITE = Site(name="made", hosts=(HOST,))


def observed(files: Mapping[str, str | None] | None = None, **more: Any) -> HostState:
    made = make_host(SMALL)
    links = {**made.links, **more.pop("links", {})}
    values = {"engine_units": frozenset(), "standin_digest": None, **more}
    return HostState(snapshot=Snapshot({**made.files, **(files or {})}, links), **values)


@pytest.fixture(scope="module")
def made_plan() -> Plan:
    return plan(read_topology(observed().snapshot), ENGINE)


def decided(seen: HostState, **bound: Any) -> HostChanges:
    return decide(SITE, HOST, seen, **bound)


def test_untuned_host_has_every_file_and_the_boot_pending(made_plan: Plan) -> None:
    items = pending_changes(made_plan, observed(), standins=True)
    paths = {step["path"] for item in items for step in item.steps if step["kind"] == "file"}
    assert paths == {file.path for file in render(made_plan, standins=True)}
    boot = [item for item in items if item.concern == "boot"]
    assert {"nohz_full", "isolcpus"} <= {re.split(r"[.:= ]", item.sentence)[1] for item in boot}
    assert all(item.mode == "boot" and not item.steps for item in boot)


def test_every_item_has_a_sentence_a_why_and_a_key_of_its_own(made_plan: Plan) -> None:
    items = pending_changes(made_plan, observed(), standins=True)
    assert len({(item.concern, item.key) for item in items}) == len(items)
    assert all(item.sentence.startswith(item.key) and item.why for item in items)


def test_files_as_planned_are_not_pending(made_plan: Plan) -> None:
    files = {file.path: file.content for file in render(made_plan, standins=True)}
    standin = next(
        file.digest for file in render(made_plan, standins=True) if file.path.endswith("standin.py")
    )
    items = pending_changes(made_plan, observed(files, standin_digest=standin), standins=True)
    assert [step for item in items for step in item.steps if step["kind"] == "file"] == []


def test_changed_file_is_swapped_against_what_was_seen(made_plan: Plan) -> None:
    path = "/etc/sysctl.d/90-hft.conf"
    seen = observed({path: "vm.swappiness = 60\n"})
    step = next(
        s for i in pending_changes(made_plan, seen, standins=True) for s in i.steps if s.get("path") == path
    )
    assert step["before"] == hashlib.sha256(b"vm.swappiness = 60\n").hexdigest()


def test_file_of_an_earlier_plan_is_removed(made_plan: Plan) -> None:
    path = "/etc/systemd/system/machine.slice.d/90-hft.conf"
    if any(file.path == path for file in render(made_plan, standins=True)):
        path = "/etc/systemd/system/gone.slice.d/90-hft.conf"
    items = pending_changes(made_plan, observed({path: "[Slice]\n"}), standins=True)
    step = next(s for i in items for s in i.steps if s.get("path") == path)
    assert step["content"] is None


def test_file_with_bytes_that_are_no_text_is_swapped_as_that(made_plan: Plan) -> None:
    path = "/etc/sysctl.d/90-hft.conf"
    seen = observed({path: "x\ufffd\n"})
    assert seen.digest(path) is None
    steps = [step for item in pending_changes(made_plan, seen, standins=True) for step in item.steps]
    assert next(step for step in steps if step.get("path") == path)["before"] == "not-text"
    assert all(isinstance(step["before"], str) for step in steps if step["kind"] in {"file", "value"})


@pytest.mark.parametrize("unit", ["irqbalance.service", "apt-daily.timer"])
def test_a_unit_that_cannot_be_masked_is_refused_alone_and_at_the_look(unit: str) -> None:
    path = f"/etc/systemd/system/{unit}"
    there = {"/lib/systemd/system/apt-daily.timer": "[Unit]\n"}
    whole, own = decided(observed(there)), decided(observed({**there, path: "[Service]\n"}))
    assert [item.key for item in whole.refused] == []
    (refused,) = own.refused
    assert (refused.key, refused.steps) == (f"unit.{unit}", ())
    assert path in refused.refused
    keys = {item.key for item in whole.pending}
    assert {item.key for item in own.pending} == keys - {f"unit.{unit}"}
    assert own.document(own.now)["steps"]
    masked = decided(observed({**there, path: ""}, links={path: "/dev/null"}))
    assert masked.refused == ()


def test_standin_is_enabled_but_not_started_before_the_boot(made_plan: Plan) -> None:
    items = [
        i for i in pending_changes(made_plan, observed(), standins=True) if i.key.startswith("hft-standin@")
    ]
    assert len(items) == len(made_plan.cpus_of("engine", "poll"))
    assert {(i.steps[0]["enabled"], i.steps[0]["active"]) for i in items} == {("enabled", None)}


def test_standin_of_a_cpu_that_left_the_plan_is_stopped(made_plan: Plan) -> None:
    seen = observed(engine_units=frozenset({"hft-standin@0.service"}))
    item = next(
        i for i in pending_changes(made_plan, seen, standins=True) if i.key == "hft-standin@0.service"
    )
    assert (item.steps[0]["enabled"], item.steps[0]["active"]) == ("disabled", False)


def test_document_is_complete_and_ordered(made_plan: Plan) -> None:
    work = decided(observed())
    built = work.document(work.now)
    kinds = [STEP_ORDER.index(step["kind"]) for step in built["steps"]]
    assert kinds == sorted(kinds)
    assert (built["machine_id"], built["host"]) == (MACHINE_ID, "engine-1")
    assert built["boot"]["args"] == list(work.plan.kernel_args())
    assert built["boot"]["effect"]["cpus"] == work.plan.isolated.list_text()
    targets = [(s["kind"], s.get("path") or s.get("unit") or "") for s in built["steps"]]
    assert len(set(targets)) == len(targets)
    assert all(step["why"] for step in built["steps"])
    assert json.loads(json.dumps(built)) == built


def test_agent_reads_the_document() -> None:
    from agent.parsing import parse

    work = decided(observed())
    parsed = parse(json.dumps(work.document(work.now)).encode())
    steps = [step for item in work.now for step in item.steps]
    assert len(parsed.steps) == len([s for s in steps if s.get("path") != DEFAULT_IRQ_AFFINITY])


def item(mode: Any) -> Change:
    return Change(concern="irq", key=mode, seen=mode, mode=mode, why="w")


def test_disruptive_items_wait_until_the_host_is_drained() -> None:
    items = [item("safe"), item("disruptive"), item("boot")]
    assert [i.mode for i in select_changes(items, drained=False).waiting] == ["disruptive"]
    assert select_changes(items, drained=True).waiting == ()


def test_no_boot_part_without_a_boot_change(made_plan: Plan) -> None:
    trial = SITE.trial_of(HOST)
    built = document(
        txn="t", host="h", machine_id="m", plan=made_plan, items=[], trial=trial, is_boot_pending=False
    )
    assert built["boot"] is None


def test_transaction_names_sort_by_time_and_differ() -> None:
    now = datetime(2026, 11, 21, 10, 15, tzinfo=UTC)
    first, second = transaction_name(now, ""), transaction_name(now, "")
    assert first != second
    assert re.fullmatch(r"20261121T101500-[0-9a-f]{8}", first)


def test_another_machine_is_refused_before_anything_is_planned() -> None:
    with pytest.raises(RefusedError, match=r"engine-1: machine-id ffffffff.* enrol it again"):
        decided(observed({"/etc/machine-id": "f" * 32 + "\n"}))


def test_plan_that_changed_since_it_was_shown_is_refused() -> None:
    with pytest.raises(RefusedError, match="engine-1: the plan changed since it was shown"):
        decided(observed(), expected_plan="0" * 64)


def test_staged_boot_change_of_the_same_plan_is_not_sent_again(made_plan: Plan) -> None:
    state = json.dumps({"schema": 1, "trial": {"txn": "20261121T101500-3f2a9c1b", "state": "staged"}})
    work = decided(
        observed({"/var/lib/hft/state.json": state, "/var/lib/hft/plan.json": made_plan.to_json()})
    )
    assert work.is_staged
    assert work.now == ()
    assert work.is_boot_pending


@pytest.mark.parametrize("text", ["", "hft-capture 1\0", "x\nhft-engine 1\nend\n", "x\nhft-engine 1\nen"])
def test_answer_that_was_cut_is_refused(text: str) -> None:
    with pytest.raises(UnreachableError, match="engine-1: "):
        parse_observed("engine-1", Completed(returncode=0, stdout=text, stderr=""))


@pytest.mark.parametrize("host_class", ["bare-metal", "cloud"])
def test_host_that_is_not_of_the_lab_gets_no_standin_and_loses_what_an_earlier_version_put_there(
    made_plan: Plan, host_class: Literal["bare-metal", "cloud"]
) -> None:
    assert not any("standin" in file.path for file in render(made_plan, standins=False))
    unit = "hft-standin@0.service"
    link = f"/etc/systemd/system/multi-user.target.wants/{unit}"
    seen = observed(
        {"/etc/systemd/system/hft-standin@.service": "[Unit]\n"},
        engine_units=frozenset({unit}),
        links={link: "x"},
    )
    host = HOST.model_copy(update={"host_class": host_class})
    assert not carries_standins(host)
    work = decide(SITE, host, seen, drained=True)
    steps = {item.key: item.steps[0] for item in work.pending if "standin" in item.key}
    assert steps[unit]["enabled"] == "disabled"
    assert steps["/etc/systemd/system/hft-standin@.service"]["content"] is None
    assert busy_units(made_plan, seen, standins=False) == ()
    assert carries_standins(HOST.model_copy(update={"host_class": "lab-vm"}))


def test_a_host_where_a_foreign_file_wins_the_next_boot_is_shown_and_refused() -> None:
    path = "/etc/sysctl.d/99-local.conf"
    work = decided(observed({path: "vm.swappiness = 60\n"}))
    blocked = [one for one in work.now if one.way_out]
    assert [one.key for one in blocked] == ["vm.swappiness"]
    assert path in blocked[0].sentence
    assert not blocked[0].steps
    with pytest.raises(RefusedError, match="lost at the next boot") as refused:
        work.document(work.now)
    assert path in str(refused.value)
    decided(observed({"/etc/sysctl.d/10-local.conf": "vm.swappiness = 60\n"})).refuse_overruled()
