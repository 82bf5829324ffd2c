"""Random interleavings of claim, fence, send, cancel, reconnect and gateway crash, driven from a seed.

The driver writes down what it did in the order it did it. It never looks at the gateway's answers to decide
what was right; that is the model's work (model.py). Every interleaving ends with a barrier: a new epoch is
fenced, its engine places an order and sees it accepted, so everything before has reached the venue, and the
gateway is shown to be alive.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from engine.contract.link import clordid
from tests.support.engine.engine_peer import EnginePeer, cancel_bytes, order_bytes, ready_engine
from tests.support.engine.gateway import Gateway

from . import model
from .venue_peer import VenuePeer

STEPS = (
    "claim",
    "claim",
    "send",
    "send",
    "send",
    "cancel",
    "fence",
    "race",
    "reconnect",
    "crash",
    "burst_crash",
)
WEIGHTS = (4, 4, 6, 6, 6, 5, 4, 5, 3, 1, 1)
STEPS_MAX = 14


@dataclass(slots=True)
class Driver:
    """One gateway, one venue, up to three engines with their own idea of the epoch."""

    gateway: Gateway
    venue: VenuePeer
    dice: random.Random
    epoch: int = 0  # the highest whose fence was acked to us
    asked: int = 0  # the highest we ever asked for
    moment: int = 0
    sequence: int = 0
    engines: list[EnginePeer] = field(default_factory=list)
    sent: list[model.Sent] = field(default_factory=list)
    acked: list[model.Acked] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def interleaving(self) -> None:
        """One random history, then the barrier."""
        for _ in range(self.dice.randint(4, STEPS_MAX)):
            step = self.dice.choices(STEPS, WEIGHTS)[0]
            self.counts[step] = self.counts.get(step, 0) + 1
            getattr(self, step)()
        self.barrier()

    def claim(self) -> None:
        """A new connection claims the current epoch, or a stale one as if nothing had happened."""
        epoch = max(1, self.epoch - self.dice.choice((0, 0, 0, 1, 1, 2)))
        engine = self.connect(epoch)
        if engine is not None:
            self.engines = [*self.engines[-2:], engine]

    def connect(self, epoch: int) -> EnginePeer | None:
        """Connected, claimed, logged in; None when refused."""
        try:
            return ready_engine(self.gateway.port, epoch)
        except ConnectionError:
            return None

    def send(self) -> None:
        """Some engine writes orders and waits for nothing."""
        if self.engines:
            engine = self.dice.choice(self.engines)
            for _ in range(self.dice.randint(1, 3)):
                self.order(engine)

    def order(self, engine: EnginePeer) -> None:
        """One order; written down before it is written out."""
        self.sequence += 1
        order_id = clordid(engine.epoch, self.sequence)
        self.note(engine.epoch, order_id)
        engine.send("U", order_bytes(engine.next_urn, order_id))
        engine.next_urn += 1

    def note(self, epoch: int, order_id: str) -> None:
        self.moment += 1
        self.sent.append(model.Sent(self.moment, epoch, order_id))

    def cancel(self) -> None:
        """Some engine cancels something, its own or not."""
        if self.engines:
            self.dice.choice(self.engines).send(
                "U", cancel_bytes(max(1, self.venue.last_urn - self.dice.randint(0, 3)))
            )

    def fence(self) -> None:
        """The next epoch; its ack is an event of its own."""
        self.asked += 1
        answer = self.gateway.fence(self.asked)
        assert answer["ok"], answer
        self.ack(answer)

    def ack(self, answer: dict[str, Any]) -> None:
        self.moment += 1
        self.epoch = int(answer["epoch"])
        self.acked.append(model.Acked(self.moment, self.epoch))

    def race(self) -> None:
        """Orders of the old epoch right before the fence and right after its ack, nobody waits."""
        if not self.engines:
            return self.claim()
        engine = self.dice.choice(self.engines)
        self.order(engine)
        self.fence()
        for _ in range(self.dice.randint(1, 2)):
            self.order(engine)
        engine.send("U", cancel_bytes(self.venue.last_urn))
        return None

    def reconnect(self) -> None:
        """An engine loses its connection and comes back with the epoch it had."""
        if not self.engines:
            return
        old = self.engines.pop(self.dice.randrange(len(self.engines)))
        old.close()
        engine = self.connect(old.epoch)
        if engine is not None:
            self.engines.append(engine)

    def crash(self) -> None:
        """SIGKILL and a new life; engines find their connections gone."""
        self.gateway.kill()
        self.gateway.start()
        for engine in self.engines:
            engine.close()
        self.engines = []

    def burst_crash(self) -> None:
        """SIGKILL in the middle of orders, sometimes right after a fence was acked."""
        if self.engines:
            for _ in range(self.dice.randint(1, 20)):
                self.order(self.dice.choice(self.engines))
        if self.dice.random() < 0.5:
            self.fence()
        self.crash()

    def barrier(self) -> None:
        """A fresh epoch trades; whatever was on its way has arrived before it."""
        for engine in self.engines:
            engine.close()
        self.engines = []
        self.fence()
        engine = ready_engine(self.gateway.port, self.epoch)
        self.sequence += 1
        order_id = clordid(self.epoch, self.sequence)
        self.note(self.epoch, order_id)
        engine.send("U", order_bytes(engine.next_urn, order_id))
        assert self.venue.wait_for("accepted", engine.next_urn), (
            f"no order of epoch {self.epoch} gets through"
        )
        engine.close()

    def violations(self) -> list[str]:
        """What the model says about everything so far."""
        taken = self.venue.accepted()
        ids = [seen.clordid for seen in taken]
        messages, refusals = self.gateway.lines("messages"), self.gateway.lines("refusals")
        return [
            *model.sent_after_fence(self.sent, self.acked, ids),
            *model.forwarded_after_fence(messages),
            *model.ran_behind(model.epoch_of(order_id) for order_id in ids),
            *model.left_unlogged(messages, ids),
            *model.numbered_wrong(seen.urn for seen in taken),
            *model.sequenced_wrong([*messages, *refusals]),
        ]
