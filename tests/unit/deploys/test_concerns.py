"""Plain pyinfra and `hft` walk the same concerns, in the same order."""

from __future__ import annotations

import ast

from deploys.tune.changes import CONCERNS
from tests.support.checkout import ROOT


def test_every_concern_of_a_plan_is_an_operation() -> None:
    """Read, not imported: that room patches the process for gevent."""
    tree = ast.parse((ROOT / "deploys/pyinfra/operations/concerns.py").read_text())
    (table,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "OPERATIONS"
    )
    assert isinstance(table, ast.Dict)
    assert tuple(ast.literal_eval(key) for key in table.keys if key is not None) == CONCERNS
    assert [getattr(value, "id", "") for value in table.values] == list(CONCERNS)
