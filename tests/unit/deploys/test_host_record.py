"""A host's own record, read from what one grep printed."""

from __future__ import annotations

import json

import pytest

from agent.paths import JOURNAL_DIR, STATE_FILE
from deploys.agent_client.record import BOOT_ID, MACHINE_ID, VERSION, HostRecord, parse_record
from transport.answer import Completed

TXN = "20261121T101500-3f2a9c1b"
ENDS = {
    "done": True,
    "staged": True,
    "committed": True,
    "reverted": False,
    "prepared": False,
    "undoing": False,
}


def record(*phases: str, state: str | None = None, torn: str = "") -> HostRecord:
    """The record of a host whose one transaction went through these phases."""
    lines = [f"{BOOT_ID}:b", f"{MACHINE_ID}:{'1' * 32}", f"{VERSION}:1"]
    lines += [f"{STATE_FILE}:{state}"] if state is not None else []
    told = [json.dumps({"phase": phase, "index": None}) for phase in phases]
    lines += [f"{JOURNAL_DIR}/{TXN}/progress:{line}" for line in (*told, *([torn] if torn else []))]
    text = "\n".join([*lines, f"{BOOT_ID}:b"]) + "\n"
    return parse_record("e1", Completed(returncode=2, stdout=text, stderr=""))


@pytest.mark.parametrize(("phase", "wrote"), ENDS.items())
def test_a_state_that_was_written_and_does_not_come_is_named_and_never_taken_for_none(
    phase: str, wrote: bool
) -> None:
    """A pipe, a device or a folder in its place reads as nothing; so does a file that was emptied."""
    seen = record("prepared", phase)
    assert (seen.status is None) is wrote
    assert (STATE_FILE in seen.fault and TXN in seen.fault) is wrote
    assert record("prepared", phase, state="{}").fault == ""


def test_a_torn_last_line_was_never_written() -> None:
    assert record("prepared", torn='{"phase": "do').fault == ""


def test_a_host_without_any_transaction_has_no_state_yet() -> None:
    assert record().fault == ""
    assert record().status is not None


@pytest.mark.parametrize(
    "state", ["[]", "null", '"x"', "{", '{"a":1,"a":2}', "NaN", "[" * 5000, "\x00", "1" * 5000]
)
def test_a_state_that_is_none_of_ours_is_a_fault_in_words(state: str) -> None:
    seen = record("prepared", "done", state=state)
    assert seen.status is None
    assert seen.fault
