"""What runs in the engine slice stands in the way of a revert, unless it is a stand-in of ours."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from deploys.errors import RefusedError
from deploys.tune.changes import STANDINS
from hft.verbs import undo
from inventory.model import Host

HOST = Host(name="e1", address="192.0.2.1", role="engine", failure_domain="a", host_class="lab-vm")
STANDIN, ENGINE, OTHER = f"{STANDINS}2.service", "hft-engine-a.service", "session-4.scope"
WANTS = f"/etc/systemd/system/multi-user.target.wants/{ENGINE}"


def refused(
    units: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, *, drain: bool, is_deployed: bool
) -> str:
    monkeypatch.setattr(undo, "check_identity", lambda *_: None)
    links = {WANTS: "x"} if is_deployed else {}
    seen: Any = SimpleNamespace(engine_units=frozenset(units), snapshot=SimpleNamespace(links=links))
    try:
        undo.refuse_revert(HOST, seen, drain=drain)
    except RefusedError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("drain", [False, True])
@pytest.mark.parametrize("units", [(), (STANDIN,), (STANDIN, f"{STANDINS}3.service")])
def test_our_own_stand_ins_stand_in_nobodys_way(
    units: tuple[str, ...], drain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refused(units, monkeypatch, drain=drain, is_deployed=False) == ""


@pytest.mark.parametrize("units", [(ENGINE,), (STANDIN, ENGINE), (OTHER,), (STANDIN, OTHER)])
def test_whatever_else_runs_there_needs_a_drain(
    units: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--drain" in refused(units, monkeypatch, drain=False, is_deployed=False)
    assert refused(units, monkeypatch, drain=True, is_deployed=False) == ""


def test_an_engine_that_is_deployed_is_removed_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "engine remove" in refused((), monkeypatch, drain=True, is_deployed=True)
