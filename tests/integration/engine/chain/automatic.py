"""Failovers that nobody starts, one after another: the holder dies, freezes or is cut off.

Each round a succession is signed and handed in, the fault comes at a random instant while the holder
trades, and the round is over when the successor trades and the old holder has been dealt with: a dead one is
started again, a frozen or cut-off one comes back, sends, and is refused. The venue's log alone judges.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.conformance.process import Engine
from engine.contract.canonical import canonical
from engine.ticket.signing import SUCCESSION_NAMESPACE, sign
from failover.succession import Succession
from tests.support.engine.cable import Cable

from .old_holders import is_refused, violations, woken
from .production import HOST, Production
from .stalls import Stalls

Fault = Literal["death", "freeze", "cut"]
BEAT_MS = 50
SILENCE_MS = 500
ROUNDS_A_CHAIN = 25  # journals and logs grow, and a test reads them whole
DUE_S = 0.005
FOR_P99 = 300  # rounds; of fewer a 99th percentile is the maximum by another name


class Watched(Production):
    """A production chain whose engines beat and whose spare holds a link; each slot has its own cable."""

    def __init__(self, native: Path, stack: ExitStack, **how: Any) -> None:
        changes = {"beat_ms": BEAT_MS, **how.pop("gateway", {})}
        super().__init__(native, stack, gateway=changes, **how)
        self.cables = {slot: Cable(self.net.site, self.gateway.port) for slot in self.seats}
        for slot, cable in self.cables.items():
            stack.callback(cable.close)
            self.seats[slot].config["gateway"]["port"] = cable.port
            self.seats[slot].config["standby_link"] = True
        stack.callback(self._let_go)

    def _let_go(self) -> None:
        for seat in self.seats.values():
            if seat.engine is not None:
                with suppress(ProcessLookupError):
                    seat.engine.signal(signal.SIGCONT)

    def standby(self, slot: str) -> Engine:
        """Started, in step, and known to the gateway."""
        engine = super().standby(slot)
        self.wait_linked(slot)
        return engine

    def wait_linked(self, slot: str) -> None:
        """Until the gateway has an admitted link of the slot that has claimed nothing."""
        wanted = (f"{HOST}/{slot}", "claim")

        def linked() -> bool:
            links = self.gateway.verb("sessions")["links"]
            return wanted in {(one["party"], one["phase"]) for one in links}

        self.until(linked, f"a standby's link of {slot}")

    def succession(self, epoch: int, holder: str, successor: str, **changes: Any) -> dict[str, Any]:
        """Signed by the authority, for `succession`."""
        runs = self.runs(successor)
        one = Succession(
            **{
                "epoch_seen": epoch,
                "holder": f"{HOST}/{holder}",
                "successor": f"{HOST}/{successor}",
                "approved": ((runs.artifact, runs.config, runs.limits),),
                "silence_ms": SILENCE_MS,
                "loss_max_records": 1_000_000,
                "not_after_s": int(time.time()) + 3600,
                **changes,
            }
        )
        signature = sign(canonical(one.body()), self.keys.authority, SUCCESSION_NAMESPACE)
        return {"succession": one.body(), "signature": signature}

    def allow(self, epoch: int, holder: str, successor: str, **changes: Any) -> None:
        """Hand a succession in."""
        answer = self.gateway.verb("succession", **self.succession(epoch, holder, successor, **changes))
        assert answer["ok"], answer

    @property
    def automatic(self) -> dict[str, Any]:
        """What the gateway says about itself."""
        found: dict[str, Any] = self.gateway.verb("status")["automatic"]
        return found

    @property
    def epoch(self) -> int:
        """The highest that the gateway has seen."""
        return int(self.gateway.verb("status")["epoch"]["highest"])

    def trade_soon(self, epoch: int, count: int = 1) -> None:
        """An order is due every few milliseconds, until so many of the epoch are accepted."""

        def enough() -> bool:
            end = time.monotonic() + 0.05
            while time.monotonic() < end:
                self.tilt()
                time.sleep(DUE_S)
            return self.orders_of(epoch) >= count

        self.until(enough, f"{count} orders of epoch {epoch}")


@dataclass(slots=True)
class Took:
    """One takeover by its parts, milliseconds; all from clocks of this machine (CLOCK_REALTIME)."""

    fault: Fault
    detect: float
    fence: float
    claim: float
    first_order: float

    @property
    def whole(self) -> float:
        """From the fault to the gateway's forwarding of the first order."""
        return self.detect + self.fence + self.claim + self.first_order


@dataclass(slots=True)
class Tally:
    """What came of a drill."""

    seed: int
    rounds: dict[str, int] = field(default_factory=dict)
    refused: int = 0  # orders and cancels of old holders
    false: int = 0  # takeovers without a fault
    stalled: int = 0  # rounds in which this machine stood still
    violations: list[str] = field(default_factory=list)
    took: list[Took] = field(default_factory=list)

    def __str__(self) -> str:
        late = f"{self.refused} late messages refused, {self.false} false, {self.stalled} stalled"
        lines = [f"seed {self.seed}: {self.rounds}, {late}"]
        for fault in self.rounds:
            found = [one for one in self.took if one.fault == fault]
            parts = [
                f"{name} {quantiles([getattr(one, name) for one in found])}"
                for name in ("detect", "fence", "claim", "first_order", "whole")
            ]
            names = "p50/p99/max" if len(found) >= FOR_P99 else "p50/max"
            lines.append(f"{fault} (ms, {names} of {len(found)}): {', '.join(parts)}")
        return "\n".join([*lines, *self.violations])


def quantiles(values: Sequence[float]) -> str:
    """Median, 99th percentile where there are enough of them (nearest rank), and maximum."""
    ordered = sorted(values)
    shares = (0.5, 0.99, 1.0) if len(ordered) >= FOR_P99 else (0.5, 1.0)
    at = [ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in shares]
    return "/".join(f"{value:.0f}" for value in at)


def drill(native: Path, faults: Sequence[Fault], *, seed: int, stalls: Stalls | None = None) -> Tally:
    """One round for each of FAULTS, in this order, on as many chains as it takes."""
    chance, tally = random.Random(seed), Tally(seed)
    for first in range(0, len(faults), ROUNDS_A_CHAIN):
        with ExitStack() as stack:
            chain = Watched(native, stack)
            for slot in "ab":
                chain.standby(slot)
            holder, spare, epoch = "a", "b", chain.promote("a")
            for fault in faults[first : first + ROUNDS_A_CHAIN]:
                began_ns = time.monotonic_ns()
                chain.trade_until(epoch, 2)
                chain.allow(epoch, holder, spare)
                chain.wait_linked(spare)
                time.sleep(chance.uniform(0, 0.1))
                if chain.epoch == epoch:
                    round_of(chain, fault, holder=holder, spare=spare, epoch=epoch, tally=tally)
                else:
                    tally.false += 1
                tally.stalled += stalls is not None and stalls.within(began_ns, time.monotonic_ns())
                holder, spare, epoch = spare, holder, epoch + 1
            tally.violations += violations(chain.log("accepted"))
            ignored = chain.account()["ignored"]
            tally.violations += [f"the venue ignored {ignored} messages"] * (ignored > 0)
    return tally


def round_of(  # each by name
    chain: Watched, fault: Fault, *, holder: str, spare: str, epoch: int, tally: Tally
) -> None:
    """One fault, and what follows from it."""
    old, refused = chain.running(holder), chain.refusals("stale_epoch", f"{HOST}/{holder}")
    began_ns = time.time_ns()
    match fault:
        case "death":
            old.signal(signal.SIGKILL)
        case "freeze":
            old.signal(signal.SIGSTOP)
        case "cut":
            chain.cables[holder].cut()
    chain.trade_soon(epoch + 1)
    tally.took.append(took(chain, fault, spare, epoch + 1, began_ns))
    tally.rounds[fault] = tally.rounds.get(fault, 0) + 1
    match fault:
        case "death":
            chain.standby(holder)
        case "freeze":
            tally.refused += woken(chain, holder, epoch + 1)
        case "cut":
            chain.cables[holder].mend()
            tally.refused += is_refused(chain, holder, epoch + 1, refused)


def took(chain: Watched, fault: Fault, spare: str, epoch: int, began_ns: int) -> Took:
    """The takeover that just ended, from what the gateway has written."""
    automatic = chain.automatic
    last = automatic["past"][-1]
    assert (last["epoch"], last["to"]) == (epoch, f"{HOST}/{spare}"), last
    at = {
        line["event"]: line["t_ns"]
        for line in reversed(chain.gateway.lines("messages"))
        if line["epoch"] == epoch and line["event"] in ("login", "forward")
    }
    detected_ns = last["detected_utc_ns"]
    fenced_ns = detected_ns + automatic["fence_ns"]
    return Took(
        fault=fault,
        detect=(detected_ns - began_ns) / 1e6,
        fence=automatic["fence_ns"] / 1e6,
        claim=(at["login"] - fenced_ns) / 1e6,
        first_order=(at["forward"] - at["login"]) / 1e6,
    )
