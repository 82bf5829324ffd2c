"""The running engine: sockets, files and signals around the core, in one loop."""

from __future__ import annotations

import select
import socket
import time
from typing import Any

from engine.independent import admin, journal, limits, text, wire
from engine.independent.admin import Admin, Peer, refused
from engine.independent.config import Config
from engine.independent.core import HOLDING, DecisionCore, Output, epoch_bytes
from engine.independent.feed import Feed
from engine.independent.gateway import GatewayLink
from engine.independent.latch import UNREADABLE
from engine.independent.mutants import broken
from engine.independent.notify import Notifier
from engine.independent.page import Page
from engine.independent.parts import Parts, beat_of, feed_sockets, reconciled, status_of

TICK_NS = 50_000_000
IDLE_MS = 10
KILL_WAIT_NS = 250_000_000
STATES = ("INIT", "SYNCING", "STANDBY", "ACTIVE", "REDUCING", "HALTED", "DRAINING", "STOPPED")


class Engine:
    """Everything of one process that is not the core."""

    def __init__(self, parts: Parts) -> None:
        self.parts, self.core, self.journal = parts, parts.core, parts.journal
        self.config: Config = parts.config
        self.shadow = self.config.values["egress"] == "shadow" and not broken("egress.shadow")
        self.has_gateway = not self.shadow and self.config.values["gateway"] is not None
        self.notifier, self.feed = Notifier(), Feed(self.config.values.get("feed_session"))
        self._senders = set() if broken("feed.sources") else set(self.config.values.get("feed_sources", ()))
        self.ready = self.forced = self.given_up = False
        self.signals: list[str] = []
        self.cancels_sent = self.turns = self.limits_refused = 0
        self._promoting: Peer | None = None
        self._killing: tuple[Peer, int, int, int] | None = None  # peer, open before, cancels, deadline
        self._tick_ns = self._drain_until_ns = self._first_epoch = 0
        self._answer: str | None = None

    def start(self) -> None:
        """Set up the metrics page, sockets and the core, and send READY=1."""
        values = self.config.values
        if broken("ready.truthful"):
            self.notifier.say("READY=1")
            time.sleep(0.3)
        self.page = Page(self.parts.path("metrics_page"))
        self.link = GatewayLink(self.config, self._link_event, self._venue_said, lambda: beat_of(self.core))
        self.input(journal.LIMITS, self.parts.limits.data)
        latch = self.parts.latch_found
        start = {"verb": "start", "latch": latch, "unreadable": latch == UNREADABLE}
        self.input(journal.ADMIN, text.canonical({"uid": 0, "request": start}))
        self.sockets = feed_sockets(values["feeds"])
        self.requests = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.admin = Admin(self.parts.path("admin_socket"), self._request)
        self.poller = select.poll()
        for one in (self.admin.listener, self.requests, *self.sockets):
            self.poller.register(one, select.POLLIN)
        self._say_ready()

    def _say_ready(self) -> None:
        if self.ready or (self.core.state == "SYNCING" and broken("ready.before_open")):
            return
        self.ready = True
        if not broken("ready.truthful"):
            self.notifier.say("READY=1")

    def run(self) -> int:
        """Run until stopped; returns the exit code."""
        while self.core.state != "STOPPED":
            self._turn()
        return self._end()

    def _turn(self) -> None:
        self.turns += 1
        self.page.beat()
        if self.link.socket is not None:
            self.poller.register(self.link.socket, select.POLLIN)
        watched = self.link.socket
        for handle, _ in self.poller.poll(IDLE_MS):
            self._wake(handle)
        if watched is not None and watched.fileno() >= 0:
            self.poller.unregister(watched)
        self.link.turn()
        self._signals()
        if time.monotonic_ns() - self._tick_ns >= TICK_NS:
            self._tick()
        self._deadlines()

    def _wake(self, handle: int) -> None:
        if handle == self.admin.listener.fileno():
            peer = self.admin.accept()
            if peer is not None:
                self.poller.register(peer.socket, select.POLLIN)
        elif handle in (ours := {s.fileno(): s for s in (*self.sockets, self.requests)}):
            self._market(ours[handle], "B" if ours[handle] is self.sockets[-1] else "A")
        else:
            for peer in [peer for peer in self.admin.peers if peer.socket.fileno() == handle]:
                self.admin.read(peer)
                if peer.socket.fileno() < 0:
                    self.poller.unregister(handle)

    def _market(self, source: socket.socket, line: str) -> None:
        while True:
            try:
                data, sender = source.recvfrom(65536)
            except OSError:
                return
            if self._senders and source is not self.requests and sender[0] not in self._senders:
                self.page.add("engine_feed_strays_total", 1)
                continue
            line = "A" if source is self.requests or len(self.sockets) == 1 else line
            for packet in self.feed.take(data, line):
                found = wire.mold(packet)
                self.page.add("engine_feed_messages_total", len(found.messages) if found else 0)
                self.input(journal.MARKET, packet)
            self.page.set("engine_feed_gaps_total", self.feed.gaps)

    def _tick(self) -> None:
        self._tick_ns = time.monotonic_ns()
        self.input(journal.TICK, self._tick_ns.to_bytes(8, "little"))
        self._say_ready()
        self.notifier.ping(self.turns)
        server = self.config.values["rerequest"]
        request = self.feed.request() if server else None
        if request is not None:
            self.requests.sendto(request, (server["host"], server["port"]))
        needs_link = self.core.epoch and (self.core.state in HOLDING or self.core.open_orders())
        if needs_link and self.has_gateway and self.link.may_retry():
            first = 1 if broken("link.continues") else self.core.responses + 1
            epoch = self._first_epoch if broken("link.newest_epoch") else self.core.epoch
            self.link.connect(epoch, first)

    # Inputs and their outputs.

    def input(self, kind: int, payload: bytes) -> None:
        """Journal one input, apply it to the core, and carry out the outputs."""
        held = 0 if self.core.epoch and broken("epoch.stamped") else self.core.epoch
        record = self.journal.append(kind, payload, held, is_input=True)
        for output in self.core.apply(record):
            self._act(output)
        self._show()

    def _act(self, output: Output) -> None:
        kind, value = output
        match kind:
            case "state":
                if not (value["to"] == "STANDBY" and broken("state.journaled")):
                    self.journal.append(journal.STATE, text.canonical(value), self.core.epoch)
                self.notifier.say(f"STATUS={value['to']}")
                if value["to"] == "STANDBY":
                    self.link.close()
            case "order" | "cancel":
                self._send(value, kind)
            case "resend":
                self.page.add("engine_orders_sent_total", 1)
                self.link.send(value)
            case "connect":
                self._connect(value)
            case "disconnect":
                self.link.close()
            case _:
                self._answer = value

    def _send(self, message: bytes, kind: str) -> None:
        late = kind == "order" and broken("journal.before_send")
        if not late:
            self.journal.append(journal.INTENT, message, self.core.epoch)
        self.cancels_sent += kind == "cancel"
        if kind == "cancel" and broken("order.cancel"):
            message += bytes(2)
        if not self.shadow and self.link.phase == "up":
            counted = not (kind == "order" and broken("metrics.orders"))
            self.page.add(f"engine_{kind}s_sent_total", counted)
            self.link.send(message)
        if late:
            time.sleep(0.1)
            self.journal.append(journal.INTENT, message, self.core.epoch)

    def _connect(self, epoch: int) -> None:
        self._first_epoch = self._first_epoch or epoch
        self.input(journal.EPOCH, epoch_bytes(epoch))
        if not self.has_gateway:
            self._link_event({"up": True, "next_urn": 1})
        else:
            self.link.connect(epoch, self.core.responses + 1)

    def _link_event(self, event: dict[str, Any]) -> None:
        self.input(journal.LINK, text.canonical(event))
        peer, self._promoting = self._promoting, None
        if peer is not None:
            code = event.get("code", "gateway")
            known = (
                code if code in ("stale_epoch", "latched") and not broken("link.refused_claim") else "gateway"
            )
            peer.answer({"ok": True} if event["up"] else refused(known, f"{code}: {event.get('detail', '')}"))
            self.admin.serve(peer)

    def _venue_said(self, message: bytes) -> None:
        before = self.core.executions
        self.input(journal.RESPONSE, message)
        self.page.add("engine_executions_total", max(0, self.core.executions - before))

    def _show(self) -> None:
        core, page = self.core, self.page
        page.set("engine_state", STATES.index(core.state))
        page.set("engine_epoch", 0 if core.epoch and broken("metrics.state") else core.epoch)
        page.set("engine_latched", core.latch is not None)
        page.set("engine_input_seq", core.input_seq)
        page.set("engine_journal_durable_seq", self.journal.durable)
        page.set("engine_open_orders", len(core.open_orders()))

    # Admin and signals.

    def _request(self, peer: Peer, request: dict[str, Any]) -> None:
        verb = request["verb"]
        if verb in ("intent", "stall") and not (
            self.parts.conformance or (broken("intent.only_conformance") and verb == "intent")
        ):
            peer.answer(refused("not_conformance", "started without --conformance"))
            return
        answer = status_of(self, verb)
        if verb == "stall":
            self._stall(request["ms"])
        elif answer is None:
            answer = self._ask(peer, request)
        if answer is not None and not peer.waiting:
            peer.answer(answer)
        elif verb == "stall":
            peer.answer({"ok": True})

    def _ask(self, peer: Peer, request: dict[str, Any]) -> dict[str, Any] | None:
        """A request that may change state: it goes through the journal and the core."""
        verb, begun_ns = request["verb"], time.monotonic_ns()
        if verb == "kill":
            return self._kill(peer, request)
        if verb == "promote" and self.core.pending:
            return refused("illegal_state", "a promote is in progress")
        if verb == "promote" and self.core.state == "STANDBY":
            self._promoting = peer
        urn = self.core.next_urn
        self.ask_core(request, peer.uid, "SIGTERM" if peer.uid < 0 else verb)
        code = self._answer
        if code is not None:
            self._promoting = None
            self.page.add("engine_risk_refused_total", code.startswith("risk."))
            return refused(code, f"in state {self.core.state}")
        if verb == "promote":  # the link event answers, or already has where there is no gateway
            peer.waiting = self._promoting is not None
            return None
        if verb == "unkill":
            self.parts.latch.write(None)
        if verb == "drain":
            self._begin_drain()
        if verb == "intent":
            self.page.span(time.monotonic_ns() - begun_ns)
            urn = request.get("urn", urn)
            return {"ok": True, "urn": urn, "clordid": self.core.orders[urn].data[31:45].decode()}
        return {"ok": True}

    def ask_core(self, request: dict[str, Any], uid: int, why: str) -> None:
        """Journal a request as an input with everything the core needs to decide it."""
        record: dict[str, Any] = {
            "uid": -1 if broken("admin.journaled") else uid,
            "request": request,
            "why": why,
        }
        if request["verb"] == "promote":
            record["reconciled"] = self.core.state != "STANDBY" or reconciled(self.config, self.core)
        if request["verb"] == "intent":
            record["linked"] = self.shadow or self.link.phase == "up"
        self.input(journal.ADMIN, text.canonical(record))

    def _kill(self, peer: Peer | None, request: dict[str, Any], why: str = "kill") -> dict[str, Any] | None:
        before, sent = len(self.core.open_orders()), self.cancels_sent
        told = {key: request.get(key, "") for key in ("scope", "id", "reason")}
        told["scope"] = told["scope"] or "engine"
        if why == "kill" and broken("kill.verb"):
            told["reason"] = "none"
        forgets = (told["scope"] == "account" and broken("latch.survives")) or (
            peer is None and broken("latch.signal")
        )
        if not broken("latch.full_disk") and not forgets:
            self.parts.latch.write(told)
        self.ask_core({"verb": "kill", **told}, peer.uid if peer else 0, why)
        if broken("latch.full_disk") and not self.journal.broken:
            self.parts.latch.write(told)
        if peer is not None:
            peer.waiting = True
            self._killing = (peer, before, self.cancels_sent - sent, time.monotonic_ns() + KILL_WAIT_NS)
        return None

    def _signals(self) -> None:
        while self.signals:
            name = self.signals.pop(0)
            if name == "SIGUSR1" and not broken("kill.signal"):
                self._kill(None, {"scope": "engine", "id": "", "reason": "SIGUSR1"}, "SIGUSR1")
            elif name == "SIGHUP":
                self._reload()
            elif name == "SIGTERM" and self.core.state == "DRAINING":
                self.forced = True
                self._give_up("SIGTERM")
            elif name == "SIGTERM":
                self.ask_core({"verb": "drain"}, 0, "SIGTERM")
                self._begin_drain()

    def _reload(self) -> None:
        core = self.core
        serial = 0 if broken("limits.serial") else core.serial
        try:
            if broken("limits.reload"):
                raise limits.RefusedError("no")
            paths = (self.parts.path("limits_file"), self.parts.path("allowed_signers"))
            found = limits.load(*paths, serial, core.limits_digest)
        except limits.RefusedError as error:
            self.limits_refused += 1
            print(f"limits refused: {error}", flush=True)
            return
        self.input(journal.LIMITS, found.data)

    def _stall(self, stall_ms: int) -> None:
        """Stall the loop; the mutants run a helper thread that hides it."""
        until = time.monotonic_ns() + stall_ms * 1_000_000
        while time.monotonic_ns() < until:
            time.sleep(0.01)
            if broken("watchdog.hot_loop"):
                self.turns += 1
                self.notifier.ping(self.turns)
            if broken("metrics.heartbeat"):
                self.page.beat()

    # Stopping.

    def _begin_drain(self) -> None:
        if not self._drain_until_ns:
            self.notifier.say("STOPPING=1")
            self._drain_until_ns = time.monotonic_ns() + self.config.values["drain_timeout_ms"] * 1_000_000

    def _give_up(self, why: str) -> None:
        self.given_up = True
        self.ask_core({"verb": "give_up", "why": why}, 0, why)

    def _deadlines(self) -> None:
        now = time.monotonic_ns()
        if self.core.state == "DRAINING":
            hopeless = self.shadow or not self.core.epoch
            if now >= self._drain_until_ns or hopeless:
                self._give_up("drain_timeout")
        if self._killing is not None:
            peer, before, sent, until = self._killing
            if now >= until or not self.core.open_orders():
                self._killing = None
                peer.answer(self._killed(before, sent))
                self.admin.serve(peer)

    def _killed(self, before: int, sent: int) -> dict[str, Any]:
        left = len(self.core.open_orders())
        return {
            "ok": True, "open_before": before, "cancels_sent": sent,
            "cancels_acked": max(0, min(sent, before - left)),
            "fills_since": self.core.fills, "positions": self.core.positions,
            "flattened": broken("kill.reply"),
        }  # fmt: skip

    def _end(self) -> int:
        synced = self.journal.sync()
        left = 0 if self.shadow else len(self.core.open_orders())
        code = 69 if left or self.forced or not synced else 0
        lies = broken("drain.forced") if self.forced else self.given_up and broken("drain.unanswered")
        code = 0 if lies else code
        if not self.core.orders and broken("term.drains"):
            code = 70
        self.link.close()
        self.admin.listener.close()
        self.parts.path("admin_socket").unlink(missing_ok=True)
        acked = self.cancels_sent - sum(
            order.left > 0 for order in self.core.orders.values() if order.cancels
        )
        line = {
            "exit": code, "open_orders": left, "cancels_sent": self.cancels_sent,
            "cancels_acked": max(0, acked),
            "journal_durable": synced, "state_digest": self.core.state_digest(),
            "decision_digest": self.core.decision_digest(),
        }  # fmt: skip
        print(text.canonical(line).decode(), flush=True)
        return code


__all__ = ["DecisionCore", "Engine", "admin"]
