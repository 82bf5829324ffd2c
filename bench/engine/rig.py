"""One run of the generator against the relay, the engine, or the engine behind its gateway.

The order of things is the same for all: generator up, program up and logged in, word to go, warm-up, first
reading of the engine's page in the generator's rest, the run, second reading. What differs is who sits
between the feed and the generator's venue end. All files are in memory where there is some: no run is about
a disk.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.engine.buckets import Span
from bench.engine.children import PATIENCE_S, Argv, Child, child, free_ports
from bench.engine.layout import Layout
from bench.engine.load_report import RELAY, ReportError, Run, parse_run
from bench.engine.settings import (
    GATEWAY,
    Ports,
    engine_config,
    gateway_config,
    limits_bytes,
    load_words,
    pinned,
    relay_words,
)
from bench.engine.sizes import LoadSize
from bench.errors import BenchError
from engine.conformance.bench import place
from engine.conformance.errors import Broken
from engine.conformance.process import Engine
from engine.conformance.signing import Signer
from engine.contract.metrics import Page, Type
from engine.ticket.fence import call

EPOCH = 1
CATCH_UP_S = 10.0
DECISION, USER_SPAN = "engine_decision_ns", "engine_user_span_ns"
# What an engine may not have counted in a run that lost nothing.
MUST_BE_ZERO = {
    "engine_feed_gaps_total": "gaps in the feed",
    "engine_feed_requests_total": "re-requests",
    "engine_feed_lost_total": "messages declared lost",
    "engine_feed_rejected_total": "datagrams rejected",
    "engine_risk_refused_total": "orders refused by risk",
    "engine_egress_dropped_total": "orders dropped at the last gate",
    "engine_journal_stalls_total": "stalls of the journal",
    "engine_orders_resent_total": "orders sent again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEnd:
    """What the engine counted itself, and its own spans between warm-up and end."""

    counters: Mapping[str, int]
    spans: Mapping[str, Span]
    next_sequence: int

    @property
    def losses(self) -> tuple[str, ...]:
        found = ((self.counters[name], what) for name, what in MUST_BE_ZERO.items())
        return tuple(f"{count} {what} at the engine" for count, what in found if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A finished run, from both ends."""

    run: Run
    raw: Mapping[str, Any]
    engine: EngineEnd | None = None
    hop: Mapping[str, Any] = field(default_factory=dict)  # the gateway's own histograms

    @property
    def losses(self) -> tuple[str, ...]:
        """Everything that either end missed, and any difference between the two."""
        if self.engine is None:
            return self.run.losses
        found = [*self.run.losses, *self.engine.losses]
        sent, taken = int(self.raw["next_sequence"]), self.engine.next_sequence
        if sent != taken:
            found.append(f"the engine stands at message {taken:,}, the generator at {sent:,}")
        orders = int(self.raw["orders"]["received"])
        if (written := self.engine.counters["engine_orders_sent_total"]) != orders:
            found.append(f"the engine wrote {written:,} orders, {orders:,} came in")
        return tuple(found)


class Rig:
    """Programs, keys and CPUs of a whole benchmark; each run has a folder of its own."""

    def __init__(self, programs: Path, layout: Layout, root: Path) -> None:
        self.layout = layout
        self._programs, self._root = programs, root
        (root / "keys").mkdir()
        self._signer = Signer(root / "keys")

    def laid_out(self, layout: Layout) -> Rig:
        """The same rig on other CPUs."""
        other = copy(self)
        other.layout = layout
        return other

    def run(self, label: str, size: LoadSize) -> Ran:
        """One run against LABEL: relay, gateway, or any other word for the engine itself."""
        with tempfile.TemporaryDirectory(prefix=f"{label}-", dir=self._root) as made:
            folder, (a, b) = Path(made), free_ports(2)
            ports = Ports(lines=(a, b))
            argv: Argv = [self._programs / "hft-load", *load_words(label, size, self.layout, ports, folder)]
            with child(argv, folder / "load.err") as load:
                ready = load.line()
                ports = replace(
                    ports, orders=int(ready["order_port"]), retransmit=int(ready["retransmit_port"])
                )
                if label == RELAY:
                    return self._against_relay(load, size, ports, folder)
                try:
                    against = self._against_gateway if label == GATEWAY else self._against_engine
                    return against(load, size, ports, folder)
                except Broken as broken:
                    raise BenchError(f"the engine: {broken}") from broken

    def _against_relay(self, load: Child, size: LoadSize, ports: Ports, folder: Path) -> Ran:
        argv: Argv = [self._programs / "hft-relay", *relay_words(self.layout, ports)]
        with child(argv, folder / "relay.err") as relay:
            _let_go(load, folder, relay.pid)
            return _ended(load, size, folder)

    def _against_engine(self, load: Child, size: LoadSize, ports: Ports, folder: Path) -> Ran:
        with self._engine(size, ports, folder) as engine:
            return self._engine_run(engine, load, size, folder)

    def _against_gateway(self, load: Child, size: LoadSize, ports: Ports, folder: Path) -> Ran:
        with self._gateway(ports.orders, folder) as (pid, port):
            with self._engine(size, replace(ports, orders=port), folder) as engine:
                ran = self._engine_run(engine, load, size, folder, pid)
            return replace(ran, hop=call(folder / "gateway.sock", "status")["hop"])

    def _engine_run(self, engine: Engine, load: Child, size: LoadSize, folder: Path, *pids: int) -> Ran:
        engine.wait_state("STANDBY")
        engine.must("promote", epoch=EPOCH)
        engine.wait_state("ACTIVE")
        _let_go(load, folder, engine.pid, *pids)
        before = engine.page()
        ran = _ended(load, size, folder)
        return replace(ran, engine=_engine_end(engine, before, int(ran.raw["next_sequence"])))

    @contextmanager
    def _engine(self, size: LoadSize, ports: Ports, folder: Path) -> Iterator[Engine]:
        (folder / "journal").mkdir()
        limits = limits_bytes(size.trigger_symbols, time.time_ns())
        (folder / "limits").write_bytes(limits)
        (folder / "limits.sig").write_bytes(self._signer.sign(limits))
        config = engine_config(self.layout, ports, folder, self._signer.allowed_signers)
        (folder / "config.json").write_text(json.dumps(config))
        argv = [str(self._programs / "hft-engine"), "--config", str(folder / "config.json")]
        engine = Engine(argv, folder, PATIENCE_S, None)
        try:
            engine.wait_up()
            yield engine
        finally:
            engine.close()

    @contextmanager
    def _gateway(self, venue_port: int, folder: Path) -> Iterator[tuple[int, int]]:
        path = folder / "gateway.json"
        path.write_text(json.dumps(gateway_config(venue_port, folder)))
        argv: Argv = [*pinned(self.layout.rest), self._programs / "hft-gateway", "--config", path, "--test"]
        with child(argv, folder / "gateway.err") as running:
            port = int(running.line()["port"])
            _wait_gateway(folder / "gateway.sock")
            yield running.pid, port


@contextmanager
def open_rig(programs: Path, layout: Layout) -> Iterator[Rig]:
    """A rig whose files are gone when the block ends; until then this process keeps off the hot CPU."""
    before = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="hft-bench-engine-", dir=place()) as root:
        try:
            if layout.rest is not None:
                os.sched_setaffinity(0, {layout.rest})
            yield Rig(programs, layout, Path(root))
        finally:
            os.sched_setaffinity(0, before)


def _let_go(load: Child, folder: Path, *pids: int) -> None:
    """The word to go, and back when the warm-up is over."""
    (folder / "peers").write_text(" ".join(map(str, [*pids, os.getpid()])))
    load.go()
    load.line()


def _ended(load: Child, size: LoadSize, folder: Path) -> Ran:
    load.must_end(size.duration_s * 20 + PATIENCE_S)
    text = (folder / "run.json").read_text()
    try:
        return Ran(run=parse_run(text), raw=json.loads(text))
    except ReportError as error:
        raise BenchError(str(error)) from error


def _engine_end(engine: Engine, before: Page, sent: int) -> EngineEnd:
    """What the engine counted, once it stands where the generator ended, or after a while that is told."""
    end = time.monotonic() + CATCH_UP_S
    while (stands := int(engine.status()["feed"]["next_sequence"])) < sent and time.monotonic() < end:
        time.sleep(0.01)
    after = engine.page().entries
    spans = {
        name: Span.between(before.entries[name].values, after[name].values) for name in (DECISION, USER_SPAN)
    }
    return EngineEnd(
        counters={name: entry.values[0] for name, entry in after.items() if entry.type != Type.BUCKETS},
        spans=spans,
        next_sequence=stands,
    )


def _wait_gateway(admin: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        accounts = call(admin, "status")["accounts"].values()
        if all(account["phase"] == "ready" for account in accounts):
            return
        time.sleep(0.01)
    raise BenchError("the gateway's session at the generator's venue end does not come up")
