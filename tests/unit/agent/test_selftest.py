"""The agent's own test, which a host runs before anything may be changed there."""

from __future__ import annotations

import json

import pytest

from agent.host import HostRoot
from agent.verbs.selftest import selftest


def test_the_selftest_passes_from_the_sources(capsys: pytest.CaptureFixture[str]) -> None:
    assert selftest(HostRoot(), []) == 0
    assert json.loads(capsys.readouterr().out)["result"] == "ok"
