"""A run record and its head: whatever is done to a byte or a line shows; what was not touched is intact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hft.audit import SignedHead, audit
from hft.run_lines import GENESIS, canonical, hash_of


def chained(events: Sequence[dict[str, Any]]) -> bytes:
    """The lines as the record has them."""
    last, data = GENESIS, b""
    for event in events:
        line = {"schema": 1, "at": "2026-12-01T00:00:00+00:00", "site": "ny4", **event, "prev": last}
        line["hash"] = last = hash_of(line)
        data += canonical(line) + b"\n"
    return data


def sealed(data: bytes) -> SignedHead:
    found = audit(data, ())
    return SignedHead(site="ny4", count=found.lines, hash=found.last_hash, at="now")


EVENTS = st.lists(
    st.fixed_dictionaries(
        {"event": st.sampled_from(("opened", "host", "closed")), "reason": st.text(max_size=20)}
    ),
    min_size=1,
    max_size=8,
)


@given(EVENTS)
def test_what_was_not_touched_is_intact(events: list[dict[str, Any]]) -> None:
    data = chained(events)
    found = audit(data, (sealed(data),))
    assert (found.problems, found.lines, found.unsealed) == ((), len(events), 0)


@settings(max_examples=400)
@given(EVENTS, st.data())
def test_a_byte_that_was_changed_added_or_taken_shows(
    events: list[dict[str, Any]], draw: st.DataObject
) -> None:
    data = chained(events)
    at = draw.draw(st.integers(0, len(data) - 1))
    byte = bytes((draw.draw(st.integers(0, 255)),))
    for changed in (
        data[:at] + byte + data[at + 1 :],
        data[:at] + byte + data[at:],
        data[:at] + data[at + 1 :],
    ):
        if changed != data:
            assert audit(changed, (sealed(data),)).problems


@given(EVENTS, st.data())
def test_an_end_that_was_cut_off_shows(events: list[dict[str, Any]], draw: st.DataObject) -> None:
    data = chained(events)
    left = data[: draw.draw(st.integers(0, len(data) - 1))]
    assert audit(left, (sealed(data),)).problems


@given(EVENTS, st.data())
def test_a_line_that_was_removed_moved_or_doubled_shows(
    events: list[dict[str, Any]], draw: st.DataObject
) -> None:
    data = chained(events)
    lines = data.splitlines(keepends=True)
    at, other = (draw.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    swapped = lines.copy()
    swapped[at], swapped[other] = swapped[other], swapped[at]
    for changed in (lines[:at] + lines[at + 1 :], [*lines[: at + 1], lines[at], *lines[at + 1 :]], swapped):
        if changed != lines:
            assert audit(b"".join(changed), (sealed(data),)).problems


@given(EVENTS, EVENTS)
def test_a_record_that_was_written_anew_with_right_hashes_shows_by_its_head(
    events: list[dict[str, Any]], others: list[dict[str, Any]]
) -> None:
    data, forged = chained(events), chained(others)
    found = audit(forged, (sealed(data),))
    assert bool(found.problems) == (not forged.startswith(data))
    assert not audit(forged, ()).problems, "the chain alone cannot tell: that is what heads are for"


@pytest.mark.parametrize(("kept", "unsealed"), [(0, 3), (1, 2), (3, 0)])
def test_lines_behind_the_last_head_are_counted(kept: int, unsealed: int) -> None:
    events = [{"event": "opened", "reason": str(number)} for number in range(3)]
    assert audit(chained(events), (sealed(chained(events[:kept])),)).unsealed == unsealed
