"""From a look and a command to the next move, for every pair of commands at once."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest

from failover.decide import commanded, decide
from failover.gates import Command, Kind
from failover.view import ClusterView
from tests.support.cluster_views import (
    RUNS,
    A,
    B,
    C,
    RefusedError,
    gateway,
    healthy,
    made,
    with_engine,
    with_gateway,
)  # fmt: skip


def asked(view: ClusterView, kind: Kind = "switchover", to: str = B) -> Command:
    return commanded(view, kind, to, (RUNS,))


def carried_out(view: ClusterView, command: Command) -> tuple[list[str], ClusterView]:
    """The moves of an undisturbed run, and the look at its end."""
    moves: list[str] = []
    while (decision := decide(view, command)).action in ("fence", "promote", "demote"):
        moves.append(decision.action)
        view = made(view, decision, command)
    return [*moves, decision.action], view


def test_a_switchover_fences_first_then_promotes_then_demotes() -> None:
    moves, view = carried_out(healthy(), asked(healthy()))
    assert moves == ["fence", "promote", "demote", "done"]
    assert (view.holder, [one.state for one in view.engines]) == (B, ["STANDBY", "ACTIVE", "STANDBY"])


def test_a_fence_alone_promotes_nobody() -> None:
    moves, view = carried_out(healthy(), asked(healthy(), "fence"))
    assert (moves, view.holder) == (["fence", "done"], B)


def test_an_unfence_promotes_whom_the_fence_named_and_gives_no_epoch() -> None:
    fenced = carried_out(healthy(), asked(healthy(), "fence"))[1]
    moves, view = carried_out(fenced, asked(fenced, "unfence"))
    assert moves == ["promote", "demote", "done"] and (view.epoch, view.holder) == (fenced.epoch, B)


def test_a_failover_does_not_ask_the_holder_who_is_dark() -> None:
    dark = with_engine(healthy(), A, silent="no answer within 2 s", state="UNKNOWN")
    assert carried_out(dark, asked(dark, "failover"))[0] == ["fence", "promote", "done"]
    refused = decide(dark, asked(dark))
    assert (refused.action, refused.code) == ("refuse", "holder_answers")


def test_the_same_command_goes_on_where_it_was_cut_off() -> None:
    command = asked(healthy())
    fenced = made(healthy(), decide(healthy(), command), command)
    assert carried_out(fenced, command)[0] == ["promote", "demote", "done"]


def test_who_planned_before_the_epoch_moved_is_refused() -> None:
    mine, other = asked(healthy()), asked(healthy(), to=C)
    after = made(healthy(), decide(healthy(), other), other)
    late = decide(after, mine)
    assert (late.action, late.code) == ("refuse", "epoch_moved")
    assert C in late.reason and "plan again" in late.reason


@pytest.mark.parametrize("change", [{"silent": "gone"}, {"state": "HALTED"}, {"state": "SYNCING"}])
def test_a_successor_that_is_lost_behind_the_fence_pages_and_says_that_nobody_trades(
    change: dict[str, str],
) -> None:
    command = asked(healthy())
    fenced = with_engine(made(healthy(), decide(healthy(), command), command), B, **change)
    lost = decide(fenced, command)
    assert (lost.action, lost.code) == ("page", "successor_lost") and "nobody trades" in lost.reason


def test_without_one_gateway_in_charge_nothing_is_done() -> None:
    view = healthy()
    for wrong in (
        with_gateway(view, silent="no answer within 2 s"),
        with_gateway(view, is_active=False),
        ClusterView(gateways=(gateway(), gateway("gw-2")), engines=view.engines),
        ClusterView(gateways=(), engines=view.engines),
    ):
        decision = decide(wrong, asked(view))
        assert (decision.action, decision.code) == ("refuse", "no_gateway")


def test_the_next_epoch_is_above_what_anybody_has_seen_and_of_the_gateways_residue() -> None:
    seen = with_engine(healthy(), C, highest_epoch=8)
    assert asked(seen).epoch == 9
    assert asked(with_gateway(seen, residue=0)).epoch == 10
    assert asked(with_gateway(seen, residue=1)).epoch == 9


COMMANDS: tuple[tuple[Kind, str], ...] = tuple(
    itertools.product(("switchover", "failover", "fence"), (A, B, C))
)


TURNS = tuple(
    itertools.product((0, 1), repeat=7)
)  # whose turn it is: three moves of one among four of the other


@pytest.mark.parametrize(("first", "second"), itertools.combinations_with_replacement(COMMANDS, 2))
def test_two_commands_at_once_leave_one_holder_and_rising_epochs(
    first: tuple[Kind, str], second: tuple[Kind, str]
) -> None:
    start = healthy()
    commands = asked(start, *first), asked(start, *second)
    for turns in TURNS:
        view, looks = start, [start, start]
        for number in turns:
            decision = decide(looks[number], commands[number])  # from a look that may be old by now
            before = view
            if decision.action in ("fence", "promote", "demote"):
                with suppress(RefusedError):
                    view = made(view, decision, commands[number])
            looks[number] = view
            assert view.epoch >= before.epoch, "an epoch never falls"
            assert holders(view) <= 1, f"{turns}: two engines get orders out"


def holders(view: ClusterView) -> int:
    """Engines whose orders the gateway forwards."""
    return sum(one.trades and one.epoch == view.gateways[0].epoch for one in view.engines)
