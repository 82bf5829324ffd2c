"""On bare metal a guess of the trading port is asked about, whatever else was answered beforehand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from deploys.errors import RefusedError
from deploys.tune.host_changes import HostChanges
from hft.verbs import apply
from tests.cases.machines import Machine, grid, machine
from tuning.plan.planner import plan
from tuning.plan.profile import ENGINE, Port, Ports
from tuning.topology.reader import read_topology

TWO_NODES = Machine(spots=grid(sockets=2, cores_per_node=16), nics={"eno1": 0, "ens1f0": 1, "ens1f1": 1})


def changes(host_class: str, ports: Ports) -> HostChanges:
    host = SimpleNamespace(name="engine-1", host_class=host_class)
    return cast(
        "HostChanges", SimpleNamespace(host=host, plan=plan(read_topology(machine(TWO_NODES)), ENGINE, ports))
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    monkeypatch.setattr(apply, "ask", lambda question, *, yes, as_json: found.append((question, yes)))
    return found


def terminal(monkeypatch: pytest.MonkeyPatch, *, is_one: bool) -> None:
    stdin: Any = SimpleNamespace(isatty=lambda: is_one)
    monkeypatch.setattr("sys.stdin", stdin)


def test_a_guess_on_bare_metal_is_asked_about(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, bool]]
) -> None:
    terminal(monkeypatch, is_one=True)
    apply.ask_about_ports(changes("bare-metal", Ports()), as_json=False)
    assert asked == [("Is that the port engine-1 trades on?", False)]


def test_without_a_terminal_nobody_can_have_confirmed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch, is_one=False)
    with pytest.raises(RefusedError, match="ens1f0"):
        apply.ask_about_ports(changes("bare-metal", Ports()), as_json=True)


@pytest.mark.parametrize(
    ("host_class", "ports"),
    [
        ("bare-metal", Ports(ports=(Port(word="ens1f0", use="orders"),))),
        ("lab-vm", Ports()),
        ("cloud", Ports()),
    ],
)
def test_where_nothing_is_guessed_or_no_money_stands_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, bool]], host_class: str, ports: Ports
) -> None:
    terminal(monkeypatch, is_one=False)
    apply.ask_about_ports(changes(host_class, ports), as_json=False)
    assert asked == []
