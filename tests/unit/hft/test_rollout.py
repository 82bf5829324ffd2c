"""A colleague's takeover stops a running rollout, of any verb, before its next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext

import pytest

from deploys.rollout.outcome import HostOutcome, Result
from deploys.rollout.rollout import NO_TURN, Lock, Outcomes, Step, each, rollout
from hft.errors import Exit, HftError
from hft.locks import site_lock
from inventory.model import Host


class Named:
    """Of what is decided for a host, all that a rollout needs: whose it is."""

    def __init__(self, number: int, rack: str = "") -> None:
        self.host = Host(
            name=f"e{number}",
            address=f"192.0.2.{number}",
            role="engine",
            failure_domain=rack or f"rack-{number}",
        )


def step(name: str, log: list[str]) -> Step[Named]:
    def act(chosen: Sequence[Named], _: Outcomes) -> Outcomes:
        log.extend(f"{name} {one.host.name}" for one in chosen)
        return {one.host.name: HostOutcome(host=one.host.name, result="applied", seen=name) for one in chosen}

    return Step(name=name, concerns=lambda *_: True, act=act)


def ended(
    hosts: Sequence[Named],
    steps: Sequence[Step[Named]],
    lock: Lock,
    raises: type[BaseException] | None = None,
    match: str | None = None,
) -> list[HostOutcome]:
    """What was told of the hosts; the rollout ends by what it RAISES."""
    found: list[HostOutcome] = []
    with nullcontext() if raises is None else pytest.raises(raises, match=match):
        rollout(hosts, steps, lock, found.extend)
    return found


def test_takeover_stops_before_the_next_host() -> None:
    log: list[str] = []
    with ExitStack() as held:
        ours = held.enter_context(site_lock("loop", "engine deploy"))
        told: list[HostOutcome] = []

        def colleague(outcomes: Sequence[HostOutcome]) -> None:
            told.extend(outcomes)
            if len(told) == 1:
                held.enter_context(site_lock("loop", "a colleague", takeover=True))

        with pytest.raises(HftError, match="taken over") as caught:
            rollout([Named(1), Named(2), Named(3)], (step("send", log),), ours, colleague)
    assert caught.value.exit_code is Exit.LOCKED
    assert log == ["send e1"]
    assert [(one.host, one.result) for one in told] == [
        ("e1", "applied"),
        ("e2", "not_run"),
        ("e3", "not_run"),
    ]


def test_takeover_stops_before_the_next_step_and_says_how_each_host_stands() -> None:
    log: list[str] = []
    with ExitStack() as held:
        ours = held.enter_context(site_lock("loop", "apply"))

        def taken(chosen: Sequence[Named], _: Outcomes) -> Outcomes:
            held.enter_context(site_lock("loop", "a colleague", takeover=True))
            return {
                one.host.name: HostOutcome(host=one.host.name, result="staged", seen="waits")
                for one in chosen
            }

        first: Step[Named] = Step(name="send", concerns=lambda *_: True, act=taken)
        outcomes = ended(
            [Named(1, "a"), Named(2, "a")], (first, step("boot", log)), ours, HftError, "taken over"
        )
    assert [(one.host, one.result) for one in outcomes] == [("e1", "staged"), ("e2", "not_run")]
    assert log == []


def test_interrupt_tells_how_each_host_stands_before_it_ends_the_run() -> None:
    log: list[str] = []

    def interrupted(_: Sequence[Named], __: Outcomes) -> Outcomes:
        raise KeyboardInterrupt

    def only(name: str) -> Callable[[Named, HostOutcome], bool]:
        return lambda one, _: one.host.name == name

    second: Step[Named] = Step(name="boot", concerns=only("e3"), act=interrupted)
    first: Step[Named] = Step(
        name="send", concerns=lambda one, _: one.host.name != "e4", act=step("send", log).act
    )
    hosts = [Named(1, "a"), Named(2, "b"), Named(3, "b"), Named(4, "b"), Named(5, "c")]
    with site_lock("loop", "apply") as ours:
        told = ended(hosts, (first, second), ours, KeyboardInterrupt)
    assert [(one.host, one.result) for one in told] == [
        ("e1", "applied"),
        ("e2", "applied"),
        ("e3", "failed"),
        ("e4", "not_run"),
        ("e5", "not_run"),
    ]
    assert "interrupted in step boot" in told[2].sentence


def test_an_interrupt_while_a_wave_is_told_leaves_no_host_untold() -> None:
    told: list[HostOutcome] = []

    def interrupted_once(outcomes: Sequence[HostOutcome]) -> None:
        told.extend(outcomes)
        if len(told) == 1:
            raise KeyboardInterrupt

    log: list[str] = []
    with site_lock("loop", "apply") as ours, pytest.raises(KeyboardInterrupt):
        rollout([Named(1), Named(2), Named(3)], (step("send", log),), ours, interrupted_once)
    assert log == ["send e1"]
    assert [(one.host, one.result) for one in told] == [
        ("e1", "applied"),
        ("e2", "not_run"),
        ("e3", "not_run"),
    ]
    assert {one.seen for one in told[1:]} == {f"skipped: {NO_TURN}"}


def test_nothing_is_changed_after_the_first_failure() -> None:
    def bad(chosen: Sequence[Named], _: Outcomes) -> Outcomes:
        return {
            one.host.name: HostOutcome(host=one.host.name, result="rolled_back", seen="x") for one in chosen
        }

    log: list[str] = []
    first: Step[Named] = Step(name="send", concerns=lambda *_: True, act=bad)
    with site_lock("loop", "apply") as ours:
        hosts = [Named(1), Named(2)]
        told = ended(hosts, (first, step("later", log)), ours)
    assert [(one.result, one.seen) for one in told] == [
        ("rolled_back", "x"),
        ("not_run", "skipped: e1 failed"),
    ]
    assert log == []


@pytest.mark.parametrize(
    "fault", [KeyError("txn"), TypeError("x"), RecursionError(), OSError("disk"), ValueError()]
)
def test_whatever_one_host_causes_is_its_own_outcome(fault: Exception) -> None:
    def one(changes: Named, _: HostOutcome) -> HostOutcome:
        if changes.host.name == "e2":
            raise fault
        return HostOutcome(host=changes.host.name, result="applied", seen="done")

    hosts = [Named(1, "a"), Named(2, "b"), Named(3, "b")]
    steps = (Step(name="send", concerns=lambda *_: True, act=each(one)),)
    with site_lock("loop", "apply") as ours:
        told = {end.host: end.result for end in ended(hosts, steps, ours)}
    assert told == {"e1": "applied", "e2": "failed", "e3": "applied"}


def test_an_interrupted_run_says_what_it_leaves_behind_until_that_is_put_right() -> None:
    def interrupted(_: Sequence[Named], __: Outcomes) -> Outcomes:
        raise KeyboardInterrupt

    log: list[str] = []
    drain: Step[Named] = Step(
        name="drain", concerns=lambda *_: True, act=step("drain", log).act, leaves="the engine is stopped"
    )
    resume: Step[Named] = Step(
        name="resume", concerns=lambda *_: True, act=step("resume", log).act, puts_right=True
    )
    cut: Step[Named] = Step(name="cut", concerns=lambda *_: True, act=interrupted)
    for steps, is_told in (((drain, cut), True), ((drain, resume, cut), False)):
        with site_lock("loop", "apply") as ours:
            (told,) = ended([Named(1)], steps, ours, KeyboardInterrupt)
        assert ("the engine is stopped" in told.sentence) == is_told


def end(result: Result) -> Callable[[Sequence[Named], Outcomes], Outcomes]:
    def act(chosen: Sequence[Named], _: Outcomes) -> Outcomes:
        return {one.host.name: HostOutcome(host=one.host.name, result=result, seen="x") for one in chosen}

    return act


def keep(name: str, log: list[str]) -> Callable[[Sequence[Named], Outcomes], Outcomes]:
    def act(chosen: Sequence[Named], so_far: Outcomes) -> Outcomes:
        log.extend(f"{name} {one.host.name}" for one in chosen)
        return {one.host.name: so_far[one.host.name] for one in chosen}

    return act


def drained(log: list[str], *middle: Step[Named]) -> tuple[Step[Named], ...]:
    """A verb that stops an engine, does something, and starts it again."""
    return (
        Step(
            name="drain", concerns=lambda *_: True, act=step("drain", log).act, leaves="the engine is stopped"
        ),
        *middle,
        Step(name="resume", concerns=lambda *_: True, act=keep("resume", log), puts_right=True),
    )


@pytest.mark.parametrize(
    ("result", "resumes"), [("refused", True), ("busy", True), ("half_undone", False), ("unreachable", False)]
)
def test_an_engine_stopped_for_a_change_that_was_turned_away_is_started_again(
    result: Result, resumes: bool
) -> None:
    log: list[str] = []
    send: Step[Named] = Step(name="send", concerns=lambda *_: True, act=end(result))
    with site_lock("loop", "apply") as ours:
        (told,) = ended([Named(1)], drained(log, send), ours)
    assert (told.result, "resume e1" in log) == (result, resumes)
    assert ("the engine is stopped" in told.seen) is not resumes


def test_a_takeover_behind_a_drain_is_no_good_end() -> None:
    log: list[str] = []
    with ExitStack() as held:
        ours = held.enter_context(site_lock("loop", "apply"))

        def taken(chosen: Sequence[Named], _: Outcomes) -> Outcomes:
            held.enter_context(site_lock("loop", "a colleague", takeover=True))
            return end("committed")(chosen, {})

        boot: Step[Named] = Step(name="boot", concerns=lambda *_: True, act=taken)
        (told,) = ended([Named(1)], drained(log, boot), ours, HftError, "taken over")
    assert (told.result, "the engine is stopped" in told.seen) == ("failed", True)


def test_an_engine_that_could_not_be_started_again_is_no_good_end() -> None:
    log: list[str] = []
    resume: Step[Named] = Step(name="resume", concerns=lambda *_: True, act=end("failed"), puts_right=True)
    with site_lock("loop", "apply") as ours:
        (told,) = ended([Named(1)], (*drained(log)[:1], resume), ours)
    assert (told.result, "the engine is stopped" in told.seen) == ("failed", True)
