"""Kill over all paths at once: every gateway's latch, every engine's own kill, SIGUSR1 to every service.

No approval, no lock, no key, nothing that the controller has stored: whoever kills in an emergency is not
corrected first. Each path is tried whatever becomes of the others. A gateway's latch is the one that counts
for what leaves; an engine's own keeps it HALTED when the gateway forgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from failover.view import ClusterView
from hft.runbooks.ask import Question, SilentError, ask, signal_unit
from hft.runbooks.cluster import Cluster, Program
from hft.runbooks.look import look
from transport.at_once import at_once

PathKind = Literal["gateway", "engine", "signal"]
EVERY_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One way of killing, and what came of it."""

    kind: PathKind
    name: str
    is_acked: bool
    said: str
    cancels_sent: int = 0
    is_durable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What every path said, and what is left at the gateways afterwards."""

    paths: tuple[Path, ...]
    view: ClusterView
    open_orders: int | None  # None: no gateway could be asked
    ms: float

    @property
    def blocks(self) -> bool:
        """Whether every gateway has latched durably: from then on no order leaves."""
        gateways = [one for one in self.paths if one.kind == "gateway"]
        return bool(gateways) and all(one.is_acked and one.is_durable for one in gateways)

    @property
    def is_heard(self) -> bool:
        """Whether anybody acknowledged at all."""
        return any(one.is_acked for one in self.paths)


def kill(
    cluster: Cluster, scope: Mapping[str, str], reason: str, *, deadline_s: float, wait_s: float
) -> Killed:
    """Everything at once; then wait up to WAIT_S for the last open order to be gone."""
    start = time.monotonic()
    words = {**scope, "reason": reason}
    acts: list[Callable[[], Path]] = [
        *(lambda one=one: _latch(one, words, deadline_s) for one in cluster.gateways),
        *(lambda one=one: _own_kill(one, words, deadline_s) for one in cluster.engines),
        *(lambda one=one: _signal(one, deadline_s) for one in cluster.engines if one.is_service),
    ]
    paths = at_once(lambda act: act(), acts)
    ms = (time.monotonic() - start) * 1000
    end = time.monotonic() + wait_s
    dark = frozenset(one.name for one in paths if not one.is_acked)
    while True:
        view, _ = look(cluster, deadline_s, dark=dark)
        left = open_orders(view)
        if left == 0 or left is None or time.monotonic() >= end:
            return Killed(paths=tuple(paths), view=view, open_orders=left, ms=ms)
        time.sleep(EVERY_S)


def open_orders(view: ClusterView) -> int | None:
    """Orders that the gateways with a session count as open; None when none can say."""
    found = [one for one in view.gateways if not one.silent and any(a.is_up for a in one.accounts)]
    return sum(account.open_orders for one in found for account in one.accounts) if found else None


def _latch(to: Program, words: Mapping[str, str], deadline_s: float) -> Path:
    def told(answer: Mapping[str, Any]) -> Path:
        cancels = _count(answer, "cancels_sent")
        return Path(
            kind="gateway",
            name=to.name,
            is_acked=answer.get("ok") is True,
            is_durable=answer.get("durable") is True,
            cancels_sent=cancels,
            said=f"latched as number {_count(answer, 'number')}, {cancels} cancels sent",
        )

    return _asked("gateway", to, {"verb": "latch", **words}, deadline_s, told)


def _own_kill(to: Program, words: Mapping[str, str], deadline_s: float) -> Path:
    def told(answer: Mapping[str, Any]) -> Path:
        cancels = _count(answer, "cancels_sent")
        is_acked = answer.get("ok") is True
        said = f"HALTED, {cancels} cancels sent" if is_acked else f"refused: {answer.get('code', 'no code')}"
        return Path(kind="engine", name=to.name, is_acked=is_acked, cancels_sent=cancels, said=said)

    return _asked("engine", to, {"verb": "kill", **words}, deadline_s, told)


def _asked(
    kind: PathKind,
    to: Program,
    request: Mapping[str, object],
    deadline_s: float,
    told: Callable[[Mapping[str, Any]], Path],
) -> Path:
    try:
        return told(ask(Question(to=to, requests=(request,), patience_s=deadline_s))[0])
    except SilentError as error:
        return Path(kind=kind, name=to.name, is_acked=False, is_durable=False, said=str(error))


def _signal(to: Program, deadline_s: float) -> Path:
    try:
        signal_unit(to, deadline_s)
    except SilentError as error:
        return Path(kind="signal", name=to.name, is_acked=False, said=str(error))
    return Path(kind="signal", name=to.name, is_acked=True, said=f"SIGUSR1 sent to {to.unit}")


def _count(answer: Mapping[str, Any], key: str) -> int:
    found = answer.get(key)
    return found if isinstance(found, int) else 0
