"""What a deploy decides on one host: everything once, nothing twice, and when it keeps its hands off."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agent.parsing import parse
from deploys.errors import RefusedError
from deploys.slot.client import transaction
from deploys.slot.config import PLANNED, render_config
from deploys.slot.files import unit_path
from deploys.slot.limits import SignedLimits
from deploys.slot.package import read_package
from deploys.slot.placement import place
from deploys.slot.signed_limits import read_limits
from deploys.slot.slot_changes import Asked, SlotChanges, decide
from deploys.slot.slot_state import EngineStatus, Seen, Taken, Unit
from deploys.slot.unit import TICKET_UNIT
from engine.conformance.errors import ArtifactError
from engine.contract.config import Config
from engine.host import places
from tests.support.engine.deploy import (
    ADDRESSES,
    TRADE,
    host_of,
    manifest_of,
    plan_of,
    running,
    seen_of,
    signers,
    write_limits,
)

LIMITS_PATH = places.limits_of("a")


def settled(work: SlotChanges, asked: Asked, **changes: Any) -> Seen:
    """What the next look shows after WORK was done."""
    steps = [step for step in work.steps if step["kind"] == "file"]
    texts = {step["path"]: step["content"] for step in steps if "content" in step}
    files = {step["path"]: file_digest(step) for step in steps}
    link = f"../releases/{asked.package.digest.removeprefix('sha256:')}"
    return seen_of(
        **{"files": files, "texts": texts, "release": None, "link": link, "units": running(asked), **changes}
    )


def file_digest(step: dict[str, Any]) -> str:
    data = base64.b64decode(step["content_base64"]) if "content_base64" in step else step["content"].encode()
    return hashlib.sha256(data).hexdigest()


def test_first_deploy_brings_everything_and_the_agent_reads_it(asked: Asked) -> None:
    work = decide(host_of(), asked, seen_of())
    document = parse(json.dumps(transaction(work)).encode())
    kinds = [type(step).__name__ for step in document.steps]
    assert kinds == ["FileStep"] * 8 + ["UnitStep"] * 2
    assert document.plan_hash == plan_of().plan_hash
    assert [step["unit"] for step in work.steps[8:]] == [TICKET_UNIT, "hft-engine-a.service"]


def test_second_deploy_of_the_same_does_nothing(asked: Asked) -> None:
    seen = settled(decide(host_of(), asked, seen_of()), asked)
    again = decide(host_of(), asked, seen)
    assert (again.pending, again.stop, again.reload) == ((), (), ())
    without_files = dataclasses.replace(asked, limits=None, config=None)
    assert decide(host_of(), without_files, seen).pending == ()


def test_standins_leave_before_the_engine_starts(asked: Asked) -> None:
    units = {f"hft-standin@{cpu}.service": Unit(active=True, enabled=True, exe=None) for cpu in (2, 3)}
    steps = [step for step in decide(host_of(), asked, seen_of(units=units)).steps if step["kind"] == "unit"]
    assert [(step["unit"], step["active"]) for step in steps] == [
        ("hft-standin@2.service", False),
        ("hft-standin@3.service", False),
        (TICKET_UNIT, True),
        ("hft-engine-a.service", True),
    ]


def test_what_runs_is_asked_of_the_process_and_not_of_the_files(asked: Asked) -> None:
    """The files are right and another binary runs: that is a change, and it needs --drain."""
    native = dataclasses.replace(asked, package=dataclasses.replace(asked.package, manifest=manifest_of()))
    seen = settled(decide(host_of(), native, seen_of()), native)
    assert decide(host_of(), native, seen).pending == ()
    stray = dataclasses.replace(seen, units=running(native, exe="b" * 64))
    with pytest.raises(RefusedError, match="--drain stops it"):
        decide(host_of(), native, stray)
    drained = decide(host_of(), dataclasses.replace(native, drain=True), stray)
    assert drained.stop == ("hft-engine-a.service",)
    assert [one.sentence for one in drained.pending] == [
        "hft-engine-a.service: stopped for the change, then started"
    ]


@pytest.mark.parametrize(("state", "orders"), [("ACTIVE", 0), ("HALTED", 2)])
def test_an_engine_that_leads_or_has_orders_open_is_never_stopped(
    asked: Asked, state: str, orders: int
) -> None:
    work = decide(host_of(), asked, seen_of())
    status = EngineStatus(state=state, open_orders=orders, artifact_digest="sha256:" + "0" * 64)
    seen = settled(work, asked, status=status)
    with pytest.raises(RefusedError, match="demote it first"):
        decide(host_of(), dataclasses.replace(asked, drain=True), seen)


def test_new_limits_are_told_to_the_engine_without_a_restart(asked: Asked, tmp_path: Path) -> None:
    seen = settled(decide(host_of(), asked, seen_of()), asked)
    newer = read_limits(write_limits(tmp_path, serial=4), signers(), now_utc_ns=0)
    work = decide(host_of(), dataclasses.replace(asked, limits=newer), seen)
    assert (work.stop, work.reload) == ((), ("hft-engine-a.service",))
    paths = [step["path"] for step in work.steps]
    assert paths.index(f"{LIMITS_PATH}.sig") < paths.index(LIMITS_PATH), (
        "a reader between finds no loose file"
    )
    assert not [step for step in work.steps if step["kind"] == "unit"]


def test_older_or_contradicting_limits_are_refused(asked: Asked, tmp_path: Path) -> None:
    seen = settled(decide(host_of(), asked, seen_of()), asked)
    older = read_limits(write_limits(tmp_path / "o", serial=2), signers(), now_utc_ns=0)
    with pytest.raises(RefusedError, match="serial 2 and the host has 3"):
        decide(host_of(), dataclasses.replace(asked, limits=older), seen)
    other = read_limits(write_limits(tmp_path / "s", not_after_utc_ns=2**61), signers(), now_utc_ns=0)
    with pytest.raises(RefusedError, match="other limits of the same serial"):
        decide(host_of(), dataclasses.replace(asked, limits=other), seen)


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        ({"machine_id": "2" * 32}, "not the enrolled machine"),
        ({"plan": None}, "no plan is committed"),
        ({"committed_hash": "0" * 64}, "no plan is committed"),
        ({"open_trial": "20261121T101500-3f2a9c1b"}, "trial boot of 20261121T101500-3f2a9c1b is open"),
        ({"libc": "2.1", "cpu_flags": frozenset()}, "lacks .*; the engine needs libc"),
    ],
)
def test_host_that_cannot_take_it_is_refused_with_every_reason(
    asked: Asked, look: dict[str, Any], sentence: str
) -> None:
    strict = manifest_of(compat={**manifest_of().compat.model_dump(), "cpu": "x86-64-v2", "libc": "2.36"})
    native = dataclasses.replace(asked, package=dataclasses.replace(asked.package, manifest=strict))
    with pytest.raises(RefusedError, match=sentence):
        decide(host_of(), native, seen_of(**look))


def test_first_deploy_asks_for_limits_and_configuration(asked: Asked) -> None:
    with pytest.raises(RefusedError, match="add --limits"):
        decide(host_of(), dataclasses.replace(asked, limits=None), seen_of())
    with pytest.raises(RefusedError, match="add --config"):
        decide(host_of(), dataclasses.replace(asked, config=None), seen_of())


def rendered(**trade: Any) -> dict[str, Any]:
    manifest = manifest_of()
    data = render_config(
        {**TRADE, **trade},
        host="engine-1",
        idle="backoff",
        slot="a",
        manifest=manifest,
        placement=place(manifest, plan_of(), taken={}),
        addresses=ADDRESSES,
    )
    return dict(json.loads(data))


def test_configuration_is_whole_planned_and_the_contracts_own() -> None:
    found = rendered()
    assert Config.model_validate(found).cpus == {"hot": [3], "journal": [0], "admin": [0]}
    assert [feed["interface"] for feed in found["feeds"]] == ["10.77.1.11", "10.77.2.11"]
    assert (found["idle"], rendered(idle="yield")["idle"]) == ("backoff", "yield")
    assert found["ticket_socket"] == places.TICKET_SOCKET
    assert rendered(egress="test")["ticket_socket"] is None


@pytest.mark.parametrize("key", ["feed_source", "order_age_ms", "link_silence_ms", "feed_sesion"])
def test_a_key_that_was_mistyped_is_named_and_never_ignored(key: str) -> None:
    with pytest.raises(RefusedError, match=f"{key}.*did you mean"):
        rendered(**{key: 1})
    assert rendered(x_of_another_engine=1)["x_of_another_engine"] == 1


def test_what_guards_against_strangers_and_old_orders_is_the_operators_to_set() -> None:
    asked = {"feed_sources": ["10.77.1.9"], "critical": ["feed_sources"], "order_age_max_ms": 250}
    assert asked.items() <= rendered(**asked).items()


def test_hot_thread_backs_off_only_in_a_guest_without_a_realtime_kernel(asked: Asked) -> None:
    def idle(host_class: str, *, is_realtime: bool) -> str:
        work = decide(host_of(host_class=host_class), asked, seen_of(is_realtime=is_realtime))
        steps = [step for step in work.steps if step.get("path") == places.config_of("a")]
        return str(json.loads(steps[0]["content"])["idle"])

    assert idle("lab-vm", is_realtime=False) == "backoff"
    assert idle("lab-vm", is_realtime=True) == "spin"
    assert idle("bare-metal", is_realtime=False) == "spin"


@pytest.mark.parametrize("key", sorted(PLANNED))
def test_planned_keys_are_nobodys_to_type(key: str) -> None:
    with pytest.raises(RefusedError, match=f"{key} is planned"):
        rendered(**{key: "x"})


@pytest.mark.parametrize("interface", ["eth9", "192.0.2.0/24", "0.0.0.0/0", "10.77.1.12"])
def test_feed_interface_must_mean_exactly_one_address(interface: str) -> None:
    with pytest.raises(RefusedError, match=r"names [03] addresses here"):
        rendered(feeds=[{**TRADE["feeds"][0], "interface": interface}])


def test_password_is_in_the_configuration_alone_and_only_root_reads_that(asked: Asked) -> None:
    work = decide(host_of(), asked, seen_of())
    holding = [step for step in work.steps if "secret" in json.dumps(step)]
    assert [(step["path"], step["mode"]) for step in holding] == [(places.config_of("a"), 0o600)]
    assert "secret" not in " ".join(one.sentence + one.why for one in work.pending)


def test_the_other_slots_ticket_stays(asked: Asked) -> None:
    before = json.dumps({"host": "engine-1", "key": "k", "slots": {"b": {"release": "/r"}}})
    work = decide(host_of(), asked, seen_of(texts={places.TICKET_CONFIG: before}))
    step = next(step for step in work.steps if step.get("path") == places.TICKET_CONFIG)
    assert json.loads(step["content"])["slots"].keys() == {"a", "b"}


def beside(cpus: frozenset[int], locked_bytes: int = 0, **feeds: int) -> dict[str, Taken]:
    """What slot b has; FEEDS are ports by interface address."""
    memory = {"hugepages_2m": 0, "hugepages_1g": 0, "locked_bytes": locked_bytes}
    return {"b": Taken(cpus=cpus, feeds=frozenset(feeds.items()), memory=memory)}


def test_all_that_a_second_slot_lacks_is_said_at_once(asked: Asked) -> None:
    memory = asked.package.manifest.memory.model_copy(update={"locked_bytes": 1 << 20})
    manifest = asked.package.manifest.model_copy(update={"memory": memory, "threads": manifest_of().threads})
    package = dataclasses.replace(asked.package, manifest=manifest)
    others = beside(frozenset(plan_of().isolated), locked_bytes=1_400 << 20)
    with pytest.raises(RefusedError) as refused:
        decide(host_of(), dataclasses.replace(asked, package=package), seen_of(others=others))
    assert "0 are free" in str(refused.value) and "beside 1400 of slot b" in str(refused.value)


def test_a_second_slot_with_the_same_unicast_feed_is_refused(asked: Asked) -> None:
    line = {"line": "A", "group": "10.77.1.11", "port": 26_400, "interface": "lan-a"}
    mine = dataclasses.replace(asked, config={**TRADE, "feeds": [line]})
    taken = beside(frozenset(), **{"10.77.1.11": 26_400})
    with pytest.raises(RefusedError, match="one socket alone"):
        decide(host_of(), mine, seen_of(others=taken))
    free = beside(frozenset(), **{"10.77.1.11": 26_401})
    assert decide(host_of(), mine, seen_of(others=free)).pending


def test_unit_names_the_bytes_that_start(asked: Asked, limits: SignedLimits) -> None:
    work = decide(host_of(), asked, seen_of())
    step = next(step for step in work.steps if step.get("path") == unit_path(asked.unit))
    assert f"/opt/hft/releases/{asked.package.digest[7:]}/" in step["content"]


@pytest.mark.parametrize(
    ("trade", "sentence"),
    [
        ({"egress": "loud"}, "--config: egress: Input should be"),
        ({"feeds": "x"}, "feeds must be a list"),
        ({"feeds": [{"line": "A"}]}, "--config: feeds.0.group"),
        ({"ring_bytes": 1.5}, "--config: ring_bytes"),
        ({"surprise": 1.5}, "--config: float has no canonical form"),
        ({"critical": ["quantum"], "quantum": 1}, "critical field 'quantum' is not known here"),
        ({"contract": "2.0.0"}, "contract 2.0.0 is not readable"),
    ],
)
def test_a_wrong_configuration_is_refused_by_its_field(trade: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RefusedError) as refused:
        rendered(**trade)
    assert sentence in str(refused.value)


def test_a_manifest_of_another_major_version_or_with_an_unknown_critical_field_is_refused(
    artifact: Path, tmp_path: Path
) -> None:
    document = json.loads((artifact / "engine.json").read_bytes())
    for change, words in (({"contract": "2.0.0"}, "not readable"), ({"critical": ["x"]}, "'x' is not known")):
        (tmp_path / "stub.pyz").write_bytes((artifact / "stub.pyz").read_bytes())
        (tmp_path / "engine.json").write_text(json.dumps({**document, **change}))
        with pytest.raises(ArtifactError, match=words):
            read_package(tmp_path)
