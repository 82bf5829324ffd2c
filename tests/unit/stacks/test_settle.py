"""What becomes of a run that was cut off: one row for each way in which state and world can differ."""

from __future__ import annotations

from typing import Any

import pytest

from stacks.errors import UnsettledError
from stacks.runner.checkpoint import outputs_in, pending_in, protected_in
from stacks.runner.settle import settled, settlement
from stacks.runner.world import Real

TYPE = "pulumi-python:dynamic/hft:Item"
TYPES = frozenset({TYPE})


def urn(name: str, of: str = TYPE) -> str:
    return f"urn:pulumi:ny4::rehearsal::{of}::{name}"


def resource(name: str, of: str = TYPE, **more: Any) -> dict[str, Any]:
    return {"urn": urn(name, of), "type": of, "custom": True, "inputs": {"name": name}, **more}


def pending(name: str, operation: str = "creating", of: str = TYPE) -> dict[str, Any]:
    return {"resource": resource(name, of), "type": operation}


def real(item: str, name: str, *, ready: bool = True, kept: bool = False) -> Real:
    return Real(id=item, name=name, ready=ready, kept=kept)


def test_a_whole_object_whose_creation_was_cut_off_is_adopted_behind_what_it_needs() -> None:
    state = {"resources": [resource("net", id="net-1")], "pending_operations": [pending("host")]}
    decided = settlement(state, [real("net-1", "net"), real("host-9", "host")], TYPES)
    assert (decided.adopt, decided.delete) == ({urn("host"): "host-9"}, ())
    after = settled(state, decided)
    assert [(one["urn"], one["id"]) for one in after["resources"]] == [
        (urn("net"), "net-1"),
        (urn("host"), "host-9"),
    ]
    assert after["resources"][1]["outputs"] == {"name": "host"}
    assert "pending_operations" not in after


def test_a_half_made_object_is_deleted_and_its_creation_forgotten() -> None:
    state = {"resources": [], "pending_operations": [pending("host")]}
    decided = settlement(state, [real("host-9", "host", ready=False)], TYPES)
    assert (decided.adopt, decided.delete, decided.forget) == ({}, ("host-9",), (urn("host"),))
    assert "half made" in decided.why[0]
    assert settled(state, decided) == {"resources": []}


def test_a_creation_that_never_reached_the_world_is_forgotten() -> None:
    decided = settlement({"resources": [], "pending_operations": [pending("host")]}, [], TYPES)
    assert (decided.adopt, decided.delete, decided.forget) == ({}, (), (urn("host"),))


def test_two_whole_objects_of_one_name_are_both_deleted() -> None:
    state = {"resources": [], "pending_operations": [pending("host")]}
    decided = settlement(state, [real("host-8", "host"), real("host-9", "host")], TYPES)
    assert (decided.adopt, decided.delete) == ({}, ("host-8", "host-9"))


def test_the_new_half_of_a_replacement_is_deleted_because_the_old_one_is_still_known() -> None:
    state = {"resources": [resource("host", id="host-1")], "pending_operations": [pending("host")]}
    decided = settlement(state, [real("host-1", "host"), real("host-2", "host")], TYPES)
    assert (decided.adopt, decided.delete) == ({}, ("host-2",))
    assert [one["id"] for one in settled(state, decided)["resources"]] == ["host-1"]


def test_an_object_whose_provider_died_is_deleted_because_no_state_knows_it() -> None:
    decided = settlement({"resources": []}, [real("host-9", "host")], TYPES)
    assert decided.delete == ("host-9",)
    assert "no state knows it" in decided.why[0]


def test_an_unknown_object_that_is_to_be_kept_is_never_deleted() -> None:
    with pytest.raises(UnsettledError, match=r"journal: vol-1 is there .* to be kept"):
        settlement({"resources": []}, [real("vol-1", "journal", kept=True)], TYPES)


def test_a_creation_of_which_nobody_can_tell_is_refused_by_its_name() -> None:
    state = {"resources": [], "pending_operations": [pending("key", of="aws:kms/key:Key")]}
    with pytest.raises(UnsettledError, match=r"aws:kms/key:Key::key: its creation was cut off"):
        settlement(state, [], TYPES)


@pytest.mark.parametrize("operation", ["updating", "deleting", "reading", "importing"])
def test_what_else_was_cut_off_is_forgotten_and_its_object_stays(operation: str) -> None:
    state = {
        "resources": [resource("host", id="host-1")],
        "pending_operations": [pending("host", operation)],
    }
    decided = settlement(state, [real("host-1", "host")], TYPES)
    assert (decided.adopt, decided.delete, decided.forget) == ({}, (), (urn("host"),))


def test_nothing_open_is_nothing_to_do() -> None:
    decided = settlement({"resources": [resource("host", id="host-1")]}, [real("host-1", "host")], TYPES)
    assert decided.is_empty


def test_a_state_tells_its_protected_resources_its_open_operations_and_its_outputs() -> None:
    stack = {"urn": urn("s", "pulumi:pulumi:Stack"), "type": "pulumi:pulumi:Stack", "outputs": {"a": 1}}
    state = {
        "resources": [stack, resource("journal", id="v", protect=True), resource("host", id="h")],
        "pending_operations": [pending("host", "updating")],
    }
    assert protected_in(state) == (urn("journal"),)
    assert [one.operation for one in pending_in(state)] == ["updating"]
    assert outputs_in(state) == {"a": 1}
    assert (outputs_in({}), pending_in({})) == ({}, ())
