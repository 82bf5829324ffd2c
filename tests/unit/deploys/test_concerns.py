"""Plain pyinfra and `hft` walk the same concerns, in the same order."""

from __future__ import annotations

from deploys.pyinfra.operations.concerns import OPERATIONS
from deploys.tune.changes import CONCERNS


def test_every_concern_of_a_plan_is_an_operation() -> None:
    assert tuple(OPERATIONS) == CONCERNS
