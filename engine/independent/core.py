"""The deterministic core: timestamped inputs in, decisions out, nothing else is read.

`apply` is the only entry point. Each input is one journal record; the same records give the same outputs and
the same two digests, in the running engine, at recovery and in --replay.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

from engine.independent import journal, text, wire
from engine.independent.book import Book
from engine.independent.mutants import broken
from engine.independent.orders import Holdings, Order, apply_response
from engine.independent.risk import SECOND_NS, Wish, refusal
from engine.independent.verbs import decide

Output = tuple[str, Any]
HOLDING = ("ACTIVE", "REDUCING")


class DecisionCore:
    """State of one engine."""

    def __init__(self, feed_stale_ms: int, profile: str, order_age_ms: int) -> None:
        self._stale_ns, self._profile = feed_stale_ms * 1_000_000, profile
        self._age_ns, self.thawed_ns = order_age_ms * 1_000_000, -1
        self.session = b""
        self.state, self.epoch, self.highest, self.pending = "INIT", 0, 0, 0
        self.latch: dict[str, Any] | None = None
        self.limit: dict[str, Any] = {}
        self.serial, self.not_after_utc_ns, self.limits_digest = 0, 0, ""
        self.orders: dict[int, Order] = {}
        self.holdings, self.book = Holdings(), Book()
        self.next_urn, self.responses, self.executions, self.fills = 1, 0, 0, 0
        self.feed_next = self.feed_seen = 1
        self.feed_ns = -1
        self.mono = self.utc = self.input_seq = 0
        self.sent_ns: list[int] = []
        self.last_sent: dict[Wish, int] = {}
        self.first_touch: dict[str, tuple[int, int]] = {}  # a mutant's memory
        self.linked = False
        self._out: list[Output] = []
        self._decisions = hashlib.sha256()

    # What risk and verbs ask.

    @property
    def positions(self) -> dict[str, int]:
        """Shares held by symbol."""
        return self.holdings.positions

    def open_orders(self) -> list[Order]:
        """Orders not known to be closed, in reference order."""
        return [order for order in self.orders.values() if order.left > 0]

    def messages_in(self, window_ns: int) -> int:
        """Messages sent in the window that ends now."""
        return sum(self.mono - sent < window_ns for sent in self.sent_ns)

    def brings_nearer(self, wish: Wish) -> bool:
        """Whether an order can only reduce the position, even with all of its side filled."""
        held = self.positions.get(wish.symbol, 0) * -wish.sign
        working = sum(order.left for order in self.open_orders() if order.wish[::2] == wish[::2])
        return working + wish.quantity <= held

    def lost_too_much(self) -> bool:
        """Whether the realised loss is beyond the limit."""
        beyond_e4 = -self.holdings.realised_e4 - self.limit.get("daily_loss_max_e4", 0)
        return beyond_e4 > 0 and not (beyond_e4 == 1 and broken("risk.daily_loss"))

    def feed_stale(self) -> bool:
        """Whether the last packet is too old, or none has arrived."""
        return self.feed_ns < 0 or self.mono - self.feed_ns > self._stale_ns

    def feed_gapped(self) -> bool:
        """Whether the feed has an open gap."""
        return self.feed_seen > self.feed_next

    # What verbs do.

    def move(self, target: str, why: str) -> None:
        """Change the state."""
        self.out("state", {"from": self.state, "to": target, "why": why})
        self.state = target
        if target not in (*HOLDING, "HALTED", "DRAINING"):
            self.epoch = 0

    def out(self, kind: str, value: Any) -> None:
        """One output; decisions are part of the decision digest."""
        self._out.append((kind, value))
        shown = value.hex() if isinstance(value, bytes) else value
        self._decisions.update(text.canonical([self.input_seq, kind, shown]))

    def cancel(self, order: Order) -> None:
        """Request one cancel."""
        order.cancels += 1
        self.sent_ns.append(self.mono)
        self.out("cancel", wire.cancel(order.urn, self._profile))

    def cancel_all(self) -> None:
        """Cancel every open order; needs an epoch to cancel under."""
        for order in self.open_orders() if self.epoch else []:
            if order.answered or not broken("kill.unanswered"):
                self.cancel(order)

    def enter(self, wish: Wish) -> str | None:
        """Decide on an order: a refusal code, or None and the order is sent."""
        code = refusal(self, wish)
        if code is not None:
            return code
        urn = self.next_urn
        self.next_urn += 1
        epoch = 0 if broken("link.clordid") else self.epoch
        clordid = wire.base36(epoch, 5) + wire.base36(urn, 8)
        sold_as_bought = wish.side == "S" and broken("order.enter")
        data = wire.enter(urn, wish._replace(side="B") if sold_as_bought else wish, clordid)
        self.orders[urn] = Order(urn, wish, self.epoch, data)
        self.orders[urn].mono = self.mono
        self.sent_ns = [sent for sent in self.sent_ns if self.mono - sent < SECOND_NS] + [self.mono]
        self.last_sent[wish] = self.mono
        self.out("order", data)
        return None

    # Inputs.

    def restart(self) -> None:
        """A process started: process state is reset, journaled state stays."""
        was_active = self.state == "ACTIVE"
        self.state, self.epoch, self.pending, self.linked = "INIT", 0, 0, False
        self.latch, self.book, self.session = None, Book(), b""
        self.mono, self.thawed_ns = 0, -1
        self.feed_next = self.feed_seen = 1
        self.feed_ns = -1
        if self.positions and broken("order.restored"):
            self.holdings = Holdings()
        if self.next_urn > 1 and broken("link.urn_rises"):
            self.next_urn = 1
        if self.highest and broken("epoch.survives"):
            self.highest = 0
        self.start_active = was_active and self.resumed and broken("start.cold")

    start_active = resumed = doubted = False

    def apply(self, record: journal.Record) -> list[Output]:
        """Apply one input and return the resulting outputs."""
        self._out = []
        if self.mono and max(record.mono - self.mono, record.utc - self.utc) > self._age_ns:
            self.thawed_ns = record.mono  # no tick for so long: the process stood still
        self.input_seq, self.mono, self.utc = record.input_seq, record.mono, record.utc
        match record.kind:
            case journal.MARKET:
                self._market(record.payload)
            case journal.RESPONSE:
                self._response(record.payload)
            case journal.LIMITS:
                self._limits(record.payload)
            case journal.EPOCH:
                self.highest = max(self.highest, int.from_bytes(record.payload, "little"))
            case journal.LINK:
                self._link(text.load(record.payload))
            case journal.ADMIN:
                decide(self, text.load(record.payload))
            case _:  # a tick carries only its time
                pass
        self._after()
        return self._out

    def _market(self, data: bytes) -> None:
        packet = wire.mold(data)
        if packet is None:
            return
        self.feed_ns = self.mono
        if self.session not in (b"", packet.session):
            self.book = self.book if broken("feed.new_day") else Book()
            self.feed_next = self.feed_seen = 1
        self.session = packet.session
        for message in packet.messages:
            self.book.apply(message)
        self.feed_next += len(packet.messages)
        claimed = (
            self.feed_seen if packet.messages else packet.sequence
        )  # only an empty one says what is there
        self.feed_seen = max(claimed, self.feed_next)

    def _response(self, data: bytes) -> None:
        self.responses += 1
        found = wire.response(data)
        understood = found is not None and apply_response(self.orders, self.holdings, found)
        self.doubted = self.doubted or not (understood or broken("order.unknown"))
        known = self.orders.get(found.urn) if found is not None else None
        if known is not None and not known.data:  # another process of the account has used the number
            self.next_urn = max(self.next_urn, known.urn + 1)
        if found is not None and understood and found.type == "E":
            self.executions += 1
            self.fills += found.quantity

    def _limits(self, data: bytes) -> None:
        values = text.load(data)
        self.limit, self.serial = values["engine"], values["serial"]
        self.not_after_utc_ns, self.limits_digest = values["not_after_utc_ns"], text.sha256(data)

    def _link(self, event: dict[str, Any]) -> None:
        self.linked = event["up"]
        if event["up"]:
            told = event.get("next_urn", 1)
            told = 1 if told > self.next_urn and broken("link.urn_rises") else told
            self.next_urn = max(self.next_urn, told)
            self._linked_up()
        elif "urn" in event and event["urn"] in self.orders:
            self.linked = True
            self.orders[event["urn"]].left = 0
        elif event.get("code") == "stale_epoch" and self.state in HOLDING:
            self._stale()
        elif self.pending:
            self.pending = 0

    def _linked_up(self) -> None:
        if self.pending:
            self.epoch, self.pending = self.pending, 0
            self.move("ACTIVE", "promote")
            return
        for order in self.open_orders():
            if order.answered or order.epoch != self.epoch or broken("link.resend"):
                continue
            if self.mono - order.mono > self._age_ns and not broken("link.aged"):
                self.cancel(order)
            else:
                self.out("resend", order.data)
        if self.state in ("HALTED", "DRAINING"):
            self.cancel_all()

    def _stale(self) -> None:
        if not broken("link.stale_stops"):
            self.move("STANDBY", "stale_epoch")

    def _after(self) -> None:
        """Transitions caused by facts, not by a request."""
        feed_good = not self.feed_stale() and not self.feed_gapped()
        if self.state == "SYNCING" and feed_good:
            self.move("STANDBY", "feed_fresh")
            if self.start_active:
                self.move("ACTIVE", "start")
        elif self.state == "STANDBY" and not feed_good and not self.pending:
            self.move("SYNCING", "feed_lost")
        elif self.state == "ACTIVE":
            why = self._why_reduce()
            if why:
                self.move("REDUCING", why)
        elif self.state == "DRAINING" and not self.open_orders():
            self.move("STOPPED", "drained")

    def _why_reduce(self) -> str:
        if self.doubted:
            return "reduce"
        stale = self.feed_stale() and not broken("risk.stale_feed")
        if stale or (self.feed_gapped() and not broken("risk.gapped_feed")):
            return "feed_lost"
        if self.lost_too_much():
            return "daily_loss"
        repeated = self.executions >= self.limit["repeated_executions_max"]
        return "repeated_executions" if repeated and not broken("risk.repeated") else ""

    # Digests.

    def state_digest(self) -> str:
        """Book, positions, open orders and risk counters."""
        orders = [[o.urn, o.left, o.answered, *o.wish] for o in self.open_orders()]
        counters = [self.holdings.realised_e4, self.executions, self.next_urn, self.highest, self.serial]
        held = sorted((s, q) for s, q in self.positions.items() if q)
        facts = [self.state, self.book.facts(), held, orders, counters, self.feed_next]
        return text.sha256(text.canonical(facts))

    def decision_digest(self) -> str:
        """Every decision, in order."""
        return "sha256:" + self._decisions.copy().hexdigest()


def replay(
    records: list[journal.Record], feed_stale_ms: int, profile: str, order_age_ms: int
) -> DecisionCore:
    """A core that has seen RECORDS."""
    core = DecisionCore(feed_stale_ms, profile, order_age_ms)
    for record in records:
        if record.kind == journal.START:
            core.restart()
        elif record.flags & 2:
            core.apply(record)
    return core


def epoch_bytes(epoch: int) -> bytes:
    """Payload of an EPOCH record."""
    return struct.pack("<Q", epoch)
