"""A key that stands twice is refused by every reader of what is signed, hashed or reviewed.

A person reads the first of the two and a program takes the last, so what was approved is not what is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import parsing
from deploys.errors import RefusedError
from deploys.slot.files import ticket_config
from deploys.slot.limits import parse_limits, serial_of
from engine.conformance.artifact import read as read_artifact
from engine.contract import canonical
from engine.ticket.daemon import load_host
from engine.ticket.epoch import FileEpochSource
from engine.ticket.limits import sign_limits
from engine.ticket.release import read_release
from hft import run_log
from hft.run_lines import hash_of
from hft.verbs.engine_deploy import read_object
from inventory.enrolment import read_enrolled
from inventory.load import load_site
from tests.support.engine.deploy import LIMITS, plan_of
from tests.support.kill_harness import document
from tuning import strict_json
from tuning.plan.plan import Plan
from tuning.snapshot.files import Snapshot

Reader = Callable[[bytes, Path], object]


def twice(text: str) -> bytes:
    """The same document with its first key said before, with another value."""
    name = next(iter(json.loads(text)))
    return f'{{{json.dumps(name)}:"what a person reads",{text.lstrip()[1:]}'.encode()


def in_file(name: str, read: Callable[[Path], object]) -> Reader:
    def reader(data: bytes, folder: Path) -> object:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return reader


def limits_again(path: Path) -> None:
    sign_limits({**LIMITS, "serial": 2**40}, path, Path("/nonexistent"))


READERS: dict[str, tuple[str, Reader]] = {
    "transaction": (document("a" * 64).decode(), lambda data, _: parsing.parse(data)),
    "journal": (document("a" * 64).decode(), lambda data, _: parsing.parse(data, inverse=True)),
    "plan": (plan_of().to_json(), lambda data, _: Plan.from_json(data.decode())),
    "snapshot": (Snapshot({}, {}).to_json(), lambda data, _: Snapshot.from_json(data.decode())),
    "inventory": ('{"name":"s","hosts":[]}', in_file("site.json", load_site)),
    "enrolled": (
        '{"hosts":{}}',
        in_file("s.enrolled.json", lambda p: read_enrolled(p.parent / "s.py")),
    ),
    "engine's configuration": ('{"egress":"live"}', in_file("config.json", read_object)),
    "limits": (json.dumps(LIMITS), lambda data, _: parse_limits(data.decode(), "limits.json")),
    "limits to be signed over": (json.dumps(LIMITS), in_file("limits.json", limits_again)),
    "manifest": ('{"files":[]}', in_file("engine.json", lambda path: read_artifact(path.parent))),
    "release": ('{"files":[],"exec":{}}', in_file("engine.json", lambda path: read_release(path.parent))),
    "issuer": ('{"host":"e","key":"k","slots":{}}', in_file("ticket.json", load_host)),
    "issuer's slots": ('{"slots":{}}', lambda data, _: ticket_config("e1", data.decode(), "a", {})),
    "epoch": (
        '{"epoch":1,"holder":"a"}',
        in_file("epoch", lambda path: FileEpochSource(path=path, key=Path("/nonexistent")).read()),
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_a_key_that_stands_twice_is_refused_as_that(name: str, tmp_path: Path) -> None:
    text, read = READERS[name]
    with pytest.raises(Exception, match="stands twice"):
        read(twice(text), tmp_path)


def test_a_serial_that_stands_twice_is_no_serial() -> None:
    text = json.dumps(LIMITS)
    assert serial_of(text) == 3
    with pytest.raises(RefusedError, match="stands twice"):
        serial_of(f'{{"serial":4,{text[1:]}')


def test_a_line_of_the_record_in_which_a_key_stands_twice_is_named() -> None:
    line: dict[str, object] = {"schema": 1, "at": "x", "prev": run_log.GENESIS}
    whole = {**line, "hash": hash_of(line)}
    good = json.dumps(whole).encode()
    (seen,) = run_log.read_bytes(good + b"\n").problems  # its hash is right, and only its shape is not ours
    assert "half a line" not in seen
    found = run_log.read_bytes(twice(good.decode()) + b"\n")
    assert found.lines == ()
    assert "half a line" in found.problems[0]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(values)
def test_the_two_strict_readers_take_what_has_one_meaning(value: object) -> None:
    text = json.dumps(value)
    assert strict_json.parse(text) == canonical.parse(text.encode()) == value


@given(st.text(), values, values)
def test_the_two_strict_readers_refuse_a_key_twice_however_deep(key: str, one: object, two: object) -> None:
    name = json.dumps(key)
    inner = f"{{{name}:{json.dumps(one)},{name}:{json.dumps(two)}}}"
    for text in (inner, f"[{inner}]", f'{{"a":{{"b":[0,{inner}]}}}}'):
        for read in (strict_json.parse, canonical.parse):
            with pytest.raises(ValueError, match="stands twice"):
                read(text)


@pytest.mark.parametrize("text", [b"NaN", b"[Infinity]", b"-Infinity", b"\xff", b"[" * 100_000, b"", b"{"])
def test_what_is_no_json_is_a_sentence(text: bytes) -> None:
    for read in (strict_json.parse, canonical.parse):
        with pytest.raises(ValueError):  # the sentence is json's own
            read(text)
