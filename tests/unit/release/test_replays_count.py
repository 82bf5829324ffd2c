"""A replay that decided nothing again proves nothing, however equal it is."""

from __future__ import annotations

import pytest

from release.preconditions import Replayed, _replay


@pytest.mark.parametrize(
    ("seen", "is_met"),
    [
        (None, False),
        (Replayed(is_equal=True, inputs=0, said="x"), False),
        (Replayed(is_equal=True, inputs=1, said="x"), True),
        (Replayed(is_equal=False, inputs=9, said="x"), False),
    ],
)
def test_a_replay_needs_one_input_and_every_decision_the_same(seen: Replayed | None, is_met: bool) -> None:
    gate = _replay("golden_replayed", seen, "the golden journal", "why")
    assert gate.is_met is is_met
    assert gate.seen == ("not replayed" if seen is None else f"{seen.inputs} inputs: x")
