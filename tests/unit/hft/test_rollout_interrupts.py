"""An interrupt at any line of a rollout: each host is told of once, and nobody as better than he stands."""

from __future__ import annotations

import ast
import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest

from deploys.rollout import rollout as module
from deploys.rollout.outcome import HostOutcome
from deploys.rollout.rollout import Outcomes, Step, Take, rollout
from inventory.model import Host


class Named:
    def __init__(self, number: int, rack: str) -> None:
        self.host = Host(name=f"e{number}", address=f"192.0.2.{number}", role="engine", failure_domain=rack)


class Free:
    def check(self) -> None:
        """Nobody takes it over."""


WAVES = (Named(1, "a"), Named(2, "a"), Named(3, "b"))
SOURCE = inspect.getsourcefile(module)
LINES = inspect.getsourcelines(module)[0]
# Since Python 3.12 a comprehension is part of the function around it, and what a trace raises in its loop
# passes by the `finally` of that one; a signal does not (1,100 sent into such loops of 3.12 and 3.13: none).
INLINED = {
    line
    for node in ast.walk(ast.parse("".join(LINES)))
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)) and sys.version_info >= (3, 12)
    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
}


class InterruptAt:
    """Raises at the COUNT-th line of the rollout; as a signal does, not while signals are held.

    Nor where a `with` begins or ends: CPython looks for signals in neither; nor where a trace is no signal.
    """

    def __init__(self, count: int) -> None:
        self.left, self.where = count, ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> InterruptAt | None:
        if frame.f_code.co_filename != SOURCE:
            return None
        if event == "line" and self.left > 0:
            self.left -= 1
        line = LINES[frame.f_lineno - 1].strip()
        awkward = line.startswith("with ") or frame.f_lineno in INLINED
        held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        if event == "line" and self.left == 0 and not held and not awkward:
            self.left = -1
            self.where = f"{frame.f_lineno}: {line}"
            raise KeyboardInterrupt
        return self


def did(log: list[str], name: str) -> Step[Named]:
    def act(chosen: Sequence[Named], _: Outcomes, take: Take) -> None:
        for one in chosen:
            log.append(f"{name} {one.host.name}")
            take(HostOutcome(host=one.host.name, result="applied", seen=name))

    return Step(name=name, concerns=lambda *_: True, act=act)


def interrupted(count: int) -> tuple[InterruptAt, list[str], list[HostOutcome]]:
    log: list[str] = []
    told: list[HostOutcome] = []
    tracer = InterruptAt(count)
    before: Callable[..., Any] | None = sys.gettrace()
    sys.settrace(tracer)
    try:
        rollout(WAVES, (did(log, "send"), did(log, "boot")), Free(), told.extend)
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return tracer, log, told


def test_an_interrupt_at_any_line_leaves_no_host_untold_and_tells_of_none_twice() -> None:
    begins = next(
        number for number, line in enumerate(LINES, 1) if line.strip() == "wave: _Wave[C] | None = None"
    )
    tried = 0
    for count in range(1, 2000):
        tracer, log, told = interrupted(count)
        if not tracer.where:
            break
        if int(tracer.where.partition(":")[0]) <= begins + 1 and not told:
            continue  # nothing has begun
        tried += 1
        assert sorted(one.host for one in told) == ["e1", "e2", "e3"], tracer.where
        for one in told:
            boot = f"boot {one.host}" in log
            assert one.result != "applied" or one.seen == ("boot" if boot else "send"), tracer.where
            if one.result == "not_run":
                assert not [line for line in log if line.endswith(one.host)], tracer.where
    else:
        pytest.fail("the rollout has no end")
    assert tried > 100
