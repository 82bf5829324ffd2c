"""A state that the engine cannot read: the copy takes its place when, and only when, that is whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stacks.errors import StackError, UnsettledError
from stacks.runner.mend import Mending, look, mend, mending, state_fault
from stacks.runner.place import Place, place_of
from stacks.runner.records import read_deployment

URN = "urn:pulumi:ny4::rehearsal::pulumi:pulumi:Stack::rehearsal-ny4"


def state_with(*names: str) -> bytes:
    rows = [{"urn": f"{URN}-{name}", "type": "t"} for name in names]
    return json.dumps({"version": 3, "checkpoint": {"stack": "s", "latest": {"resources": rows}}}).encode()


WHOLE, OLDER = state_with("net", "host"), state_with("net")
BROKEN = [b"", b"{", WHOLE[: len(WHOLE) // 2], b"[]", b"{}", b'{"checkpoint": 3}', b"\0" * 4096, b"null"]
BROKEN += [b'{"checkpoint": {"latest": {"resources": [{"type": "t"}]}}}', b"\xff\xfe"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "state"))
    found = place_of("rehearsal", "ny4")
    found.checkpoint.parent.mkdir(parents=True)
    return found


def names_in(place: Place) -> list[str]:
    return [row["urn"].rpartition("-")[2] for row in read_deployment(place).get("resources", [])]


@pytest.mark.parametrize("text", BROKEN)
def test_a_state_that_is_none_is_refused_with_the_verb_that_mends_it(place: Place, text: bytes) -> None:
    place.checkpoint.write_bytes(text)
    place.copy.write_bytes(OLDER)
    hint = r"the state cannot be read: ny4.json: .*; hint: hft stack recover rehearsal --site ny4"
    with pytest.raises(UnsettledError, match=hint):
        read_deployment(place)


@pytest.mark.parametrize("text", BROKEN)
def test_the_copy_takes_its_place_and_what_was_unreadable_stays_beside_it(place: Place, text: bytes) -> None:
    place.checkpoint.write_bytes(text)
    place.copy.write_bytes(OLDER)
    decided = look(place)
    assert (decided.is_restore, decided.drop, len(decided.why)) == (True, (), 1)
    mend(place, decided)
    assert names_in(place) == ["net"]
    assert place.copy.read_bytes() == OLDER
    (kept,) = place.checkpoint.parent.glob("ny4.json.unreadable-*")
    assert kept.read_bytes() == text
    assert place.checkpoint.stat().st_mode & 0o777 == 0o600
    assert look(place).is_empty


@pytest.mark.parametrize("copy", BROKEN)
@pytest.mark.parametrize("text", [WHOLE, b'{"version": 3, "checkpoint": {"latest": null}}'])
def test_a_state_that_is_whole_is_never_replaced_whatever_its_copy_is(
    place: Place, text: bytes, copy: bytes
) -> None:
    place.checkpoint.write_bytes(text)
    for beside in (copy, OLDER):
        place.copy.write_bytes(beside)
        assert look(place) == Mending()
        assert place.checkpoint.read_bytes() == text


@pytest.mark.parametrize("copy", [*BROKEN, None])
def test_a_copy_that_is_not_whole_is_never_taken(place: Place, copy: bytes | None) -> None:
    place.checkpoint.write_bytes(b"")
    if copy is not None:
        place.copy.write_bytes(copy)
    with pytest.raises(
        StackError, match=r"ny4.json: is empty, and the copy beside it is no help: .*hint: an older"
    ):
        look(place)
    assert place.checkpoint.read_bytes() == b""


def test_a_stack_that_was_destroyed_is_not_brought_back_by_its_copy(place: Place) -> None:
    place.copy.write_bytes(OLDER)  # `pulumi stack rm` leaves it
    assert look(place) == Mending()
    assert read_deployment(place) == {}


@pytest.mark.parametrize("text", [b"", b'{"user.cache_control":'])
@pytest.mark.parametrize("name", ["ny4.json.attrs", "ny4.json.bak.attrs"])
def test_attributes_that_were_cut_off_go_and_the_state_stays(place: Place, name: str, text: bytes) -> None:
    place.checkpoint.write_bytes(WHOLE)
    place.copy.write_bytes(OLDER)
    cut = place.checkpoint.with_name(name)
    cut.write_bytes(text)
    with pytest.raises(UnsettledError, match=rf"{name}: .*it is not needed"):
        read_deployment(place)
    decided = look(place)
    assert (decided.is_restore, decided.drop) == (False, (cut,))
    mend(place, decided)
    assert not cut.exists()
    assert (names_in(place), place.checkpoint.read_bytes()) == (["net", "host"], WHOLE)


def test_attributes_that_are_whole_stay(place: Place) -> None:
    place.checkpoint.write_bytes(WHOLE)
    place.checkpoint.with_name("ny4.json.attrs").write_text('{"md5": "x"}')
    assert look(place) == Mending()


def test_a_state_that_may_not_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    assert state_fault(tmp_path) == "cannot be read (Is a directory)"
    with pytest.raises(StackError, match=r"no help: there is no x.bak"):
        mending(tmp_path / "a/b/x", [(tmp_path / "a/b/x", "is empty")], "there is no x.bak")
