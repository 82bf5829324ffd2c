"""A rollout of any verb: what ends it, and that each host is told of once, as soon as its end is final."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext

import pytest

from deploys.rollout.outcome import HostOutcome, Result
from deploys.rollout.rollout import NO_TURN, Act, Lock, Outcomes, Step, Take, each, rollout
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
    def act(chosen: Sequence[Named], _: Outcomes, take: Take) -> None:
        log.extend(f"{name} {one.host.name}" for one in chosen)
        end("applied", name)(chosen, {}, take)

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

        def taken(chosen: Sequence[Named], _: Outcomes, take: Take) -> None:
            held.enter_context(site_lock("loop", "a colleague", takeover=True))
            end("staged")(chosen, {}, take)

        first: Step[Named] = Step(name="send", concerns=lambda *_: True, act=taken)
        outcomes = ended(
            [Named(1, "a"), Named(2, "a")], (first, step("boot", log)), ours, HftError, "taken over"
        )
    assert [(one.host, one.result) for one in outcomes] == [("e1", "staged"), ("e2", "not_run")]
    assert log == []


def test_interrupt_tells_how_each_host_stands_before_it_ends_the_run() -> None:
    log: list[str] = []

    def interrupted(_: Sequence[Named], __: Outcomes, ___: Take) -> None:
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
        ("e4", "no_change"),
        ("e2", "applied"),
        ("e3", "failed"),
        ("e5", "not_run"),
    ]
    assert "interrupted in step boot" in told[3].sentence


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
    log: list[str] = []
    first: Step[Named] = Step(name="send", concerns=lambda *_: True, act=end("rolled_back"))
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
    def interrupted(_: Sequence[Named], __: Outcomes, ___: Take) -> None:
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


def end(result: Result, seen: str = "x") -> Act[Named]:
    def act(chosen: Sequence[Named], _: Outcomes, take: Take) -> None:
        for one in chosen:
            take(HostOutcome(host=one.host.name, result=result, seen=seen))

    return act


def keep(name: str, log: list[str]) -> Act[Named]:
    def act(chosen: Sequence[Named], _: Outcomes, __: Take) -> None:
        log.extend(f"{name} {one.host.name}" for one in chosen)

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

        def taken(chosen: Sequence[Named], _: Outcomes, take: Take) -> None:
            held.enter_context(site_lock("loop", "a colleague", takeover=True))
            end("committed")(chosen, {}, take)

        boot: Step[Named] = Step(name="boot", concerns=lambda *_: True, act=taken)
        (told,) = ended([Named(1)], drained(log, boot), ours, HftError, "taken over")
    assert (told.result, "the engine is stopped" in told.seen) == ("failed", True)


def test_an_engine_that_could_not_be_started_again_is_no_good_end() -> None:
    log: list[str] = []
    resume: Step[Named] = Step(name="resume", concerns=lambda *_: True, act=end("failed"), puts_right=True)
    with site_lock("loop", "apply") as ours:
        (told,) = ended([Named(1)], (*drained(log)[:1], resume), ours)
    assert (told.result, "the engine is stopped" in told.seen) == ("failed", True)


WAVE = (Named(1, "a"), Named(2, "b"), Named(3, "b"), Named(4, "b"))


def test_an_end_is_told_while_a_neighbour_is_still_at_work() -> None:
    """The one that hangs ends only when the ends of all its neighbours were told."""
    told: list[str] = []
    all_but_one = threading.Event()

    def one(changes: Named, _: HostOutcome) -> HostOutcome:
        if changes.host.name == "e2":
            assert all_but_one.wait(30), told
        return HostOutcome(host=changes.host.name, result="applied", seen="done")

    def hear(outcomes: Sequence[HostOutcome]) -> None:
        told.extend(outcome.host for outcome in outcomes)
        if {"e3", "e4"} <= set(told):
            all_but_one.set()

    with site_lock("loop", "apply") as ours:
        rollout(WAVE, (Step(name="send", concerns=lambda *_: True, act=each(one)),), ours, hear)
    assert (told[0], set(told[1:3]), told[3]) == ("e1", {"e3", "e4"}, "e2")


def test_a_host_is_told_of_when_no_later_step_concerns_it_and_not_before() -> None:
    """One needs a boot behind the send, one fails in it, and one that needs nothing is through at once."""
    told: list[tuple[str, str]] = []
    heard: list[list[str]] = []

    def send(chosen: Sequence[Named], so_far: Outcomes, take: Take) -> None:
        for one in chosen:
            end("failed" if one.host.name == "e4" else "staged")([one], so_far, take)
            heard.append([name for name, _ in told])

    steps: tuple[Step[Named], ...] = (
        Step(name="send", concerns=lambda one, _: one.host.name != "e3", act=send),
        Step(name="boot", concerns=lambda _, outcome: outcome.result == "staged", act=end("committed")),
    )
    with site_lock("loop", "apply") as ours:
        rollout(WAVE, steps, ours, lambda ends: told.extend((end.host, end.result) for end in ends))
    assert heard[1:] == [["e1", "e3"], ["e1", "e3", "e4"]]
    assert told[1:] == [("e3", "no_change"), ("e4", "failed"), ("e2", "committed")]


@pytest.mark.parametrize("has_later", [False, True])
def test_an_interrupt_tells_only_those_as_interrupted_that_had_not_ended(has_later: bool) -> None:
    """What had ended, with a step to come or without, stands as it ended; each is told of once."""

    def one_hangs(chosen: Sequence[Named], so_far: Outcomes, take: Take) -> None:
        end("staged")([one for one in chosen if one.host.name != "e2"], so_far, take)
        if "e2" in so_far:
            raise KeyboardInterrupt

    first: Step[Named] = Step(name="send", concerns=lambda *_: True, act=one_hangs)
    later: tuple[Step[Named], ...] = (step("boot", []),) if has_later else ()
    with site_lock("loop", "apply") as ours:
        told = ended(WAVE, (first, *later), ours, KeyboardInterrupt)
    assert sorted((one.host, one.result) for one in told) == [
        ("e1", "applied" if has_later else "staged"), ("e2", "failed"), ("e3", "staged"), ("e4", "staged")
    ]  # fmt: skip
    assert [one.host for one in told if "interrupted" in one.seen] == ["e2"]


def test_an_end_that_comes_after_the_interrupt_was_told_is_not_told_again() -> None:
    late: list[Take] = []

    def act(_: Sequence[Named], __: Outcomes, take: Take) -> None:
        late.append(take)
        raise KeyboardInterrupt

    step: Step[Named] = Step(name="send", concerns=lambda *_: True, act=act)
    with site_lock("loop", "apply") as ours:
        told = ended([Named(1)], (step,), ours, KeyboardInterrupt)
        late[0](HostOutcome(host="e1", result="applied", seen="x"))
    assert [(one.host, one.result) for one in told] == [("e1", "failed")]


def test_a_record_that_fails_ends_the_run_behind_the_step_and_cuts_nobody_short() -> None:
    log: list[str] = []

    def full(outcomes: Sequence[HostOutcome]) -> None:
        log.extend(f"told {one.host} {one.result}" for one in outcomes)
        if "told e2 applied" in log:
            raise HftError(Exit.BAD_INPUT, "cannot write the run record")

    def one(changes: Named, _: HostOutcome) -> HostOutcome:
        log.append(f"did {changes.host.name}")
        return HostOutcome(host=changes.host.name, result="applied", seen="done")

    hosts = (Named(1, "a"), *WAVE[1:], Named(5, "c"))
    step: Step[Named] = Step(name="send", concerns=lambda *_: True, act=each(one))
    with site_lock("loop", "apply") as ours, pytest.raises(HftError, match="run record"):
        rollout(hosts, (step,), ours, full)
    assert {line for line in log if line.startswith("did")} == {"did e1", "did e2", "did e3", "did e4"}
    assert sorted(line for line in log if line.startswith("told")) == [
        *(f"told e{number} applied" for number in (1, 2, 3, 4)), "told e5 not_run"
    ]  # fmt: skip


def test_how_a_host_stands_behind_a_step_is_told_before_its_neighbours_have_taken_it() -> None:
    """A process that is killed while e2 boots has told that e3 and e4 are committed."""
    stood: list[tuple[str, str, str]] = []
    told: list[str] = []
    known: list[list[tuple[str, str, str]]] = []

    def boot(chosen: Sequence[Named], so_far: Outcomes, take: Take) -> None:
        late = [one for one in chosen if one.host.name == "e2"]
        end("committed")([one for one in chosen if one not in late], so_far, take)
        known.append(list(stood))
        end("committed")(late, so_far, take)

    steps: tuple[Step[Named], ...] = (
        Step(name="drain", concerns=lambda one, _: one.host.name == "e3", act=end("no_change", "drained")),
        Step(name="trial boot", concerns=lambda one, _: one.host.name != "e1", act=boot),
        Step(
            name="resume", concerns=lambda one, _: one.host.name != "e1", act=each(lambda _, so_far: so_far)
        ),
        Step(name="settle", concerns=lambda one, _: one.host.name != "e1", act=end("committed")),
    )

    def tell(ends: Sequence[HostOutcome]) -> None:
        told.extend(one.host for one in ends)

    def hear(one: HostOutcome, name: str) -> None:
        stood.append((one.host, one.result, name))

    with site_lock("loop", "apply") as ours:
        rollout(WAVE, steps, ours, tell, stood=hear)
    assert known[0] == [
        ("e3", "no_change", "drain"), ("e3", "committed", "trial boot"), ("e4", "committed", "trial boot")
    ]  # fmt: skip
    assert stood[3:] == [("e2", "committed", "trial boot")], "what a step left as it was is not told again"
    assert sorted(told) == ["e1", "e2", "e3", "e4"]


def test_a_record_that_fails_between_steps_ends_the_run_behind_the_step() -> None:
    log: list[str] = []

    def full(_: HostOutcome, __: str) -> None:
        raise HftError(Exit.BAD_INPUT, "cannot write the run record")

    told: list[HostOutcome] = []
    with site_lock("loop", "apply") as ours, pytest.raises(HftError, match="run record"):
        rollout(WAVE, (step("send", log), step("boot", log)), ours, told.extend, stood=full)
    assert log == ["send e1"]
    assert [(one.host, one.result) for one in told] == [
        ("e1", "applied"), ("e2", "not_run"), ("e3", "not_run"), ("e4", "not_run")
    ]  # fmt: skip
