"""The whole chain under test: hft-venue, hft-gateway and hft-engine as they ship, on addresses of their own.

The venue's log is the judge: it holds one verdict for every message that reached it (`Chain.orders`). A test
trades through `Seat`s, one for each slot: configuration, files and the engines that ran there one after
another. Nothing is stood in for but people, and BOB, who takes the other side.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.conformance.bench import place, wide_limits
from engine.conformance.process import Engine
from engine.conformance.signing import Signer
from engine.contract import CONTRACT_VERSION
from engine.contract.canonical import canonical
from tests.support.engine.engine_peer import PASSWORD, USER
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.venue import VenueRig, cancel, enter
from tests.support.ports import free_port
from tests.support.waiting import until

SYMBOL = "AAA"
SYMBOLS = (SYMBOL, "BBB")
BID_E4, ASK_E4 = 990_000, 1_010_000  # BOB's quotes, 1,000 shares each: the collar needs a touch
ACCOUNT = "gw1"
ACCOUNTS = [
    {"user": ACCOUNT, "password": "venuepw", "firm": "ALFA", "cancel_on_disconnect": False},
    {"user": "GUARD", "password": "secret", "firm": "ALFA", "cancel_on_disconnect": False},
    {"user": "BOB", "password": "secret", "firm": "BETA", "cancel_on_disconnect": False},
]
COPY = {"user": "COPY", "password": "secret"}
STRATEGY = {
    "name": "imbalance", "clip": 10, "threshold_permille": 300, "cooldown_us": 1000,
    "order_timeout_ms": 600_000,  # or it cancels what tests leave open
}  # fmt: skip
ORDERS_BEFORE = 5
TILT_EVERY_S = 0.1
LEAN = 4_000  # shares that tilt BOB's book so far that STRATEGY crosses the spread
WIDE_GATEWAY = {
    "orders_per_s_max": 100_000, "order_quantity_max_shares": 1_000_000, "order_notional_max_e4": 10**15,
    "symbols": list(SYMBOLS), "positions_at_open": {"ACC1": dict.fromkeys(SYMBOLS, 10**9)},
}  # fmt: skip
PATIENCE_S = 20.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Net:
    """Where the programs are: the venue and the gateway on `site`, the feed is sent to `engine`."""

    site: str
    engine: str
    enter: tuple[str, ...] = ()  # words before the engine's command line: another network namespace

    def free_port(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
        """A port of the site that nobody has."""
        return free_port(kind, self.site)


def own_address() -> Net:
    """An address of 127.0.0.0/8 for one chain alone: what runs in parallel cannot take its ports."""
    number, pid = next(_numbers), os.getpid()
    address = f"127.{128 + (pid >> 8) % 64}.{pid % 256}.{1 + number % 250}"
    return Net(site=address, engine=address)


@dataclass(frozen=True, slots=True)
class Line:
    """One feed line of one seat, as the venue's configuration wants it."""

    target: str


class Seat:
    """One slot: its directory, its configuration, its signed limits, the engine that runs there now."""

    def __init__(self, chain: Chain, slot: str, feed_ports: tuple[int, int]) -> None:
        self.chain, self.slot = chain, slot
        self.directory = chain.directory / slot
        (self.directory / "journal").mkdir(parents=True)
        self.wrap: tuple[str, ...] = chain.net.enter
        self.engine: Engine | None = None
        self.config = self._configuration(feed_ports)
        self.limits(serial=1)

    def _configuration(self, feed_ports: tuple[int, int]) -> dict[str, Any]:
        net, here = self.chain.net, str(self.directory)
        feeds = [
            {"line": line, "group": net.engine, "interface": net.engine, "port": port}
            for line, port in zip("AB", feed_ports, strict=True)
        ]
        return {
            "contract": CONTRACT_VERSION, "name": "chain", "slot": self.slot, "egress": self.chain.egress,
            "venue_profile": self.chain.profile, "feeds": feeds,
            "rerequest": {"host": net.site, "port": self.chain.venue.ready["retransmit_port"]},
            "feed_stale_ms": 60_000,
            "gateway": {**self.chain.gateway_at(), "user": USER, "password": PASSWORD},
            "dropcopy": None, "ticket_socket": self.chain.ticket_socket,
            "admin_socket": f"{here}/admin", "metrics_page": f"{here}/metrics",
            "journal_directory": f"{here}/journal", "latch_file": f"{here}/latch",
            "limits_file": f"{here}/limits", "allowed_signers": str(self.chain.allowed_signers),
            "ring_bytes": 1 << 20, "segment_bytes": 1 << 20, "durability": "durable", "idle": "backoff",
            "cpus": {}, "drain_timeout_ms": 10_000, "strategy": {"name": "none"},
            "book_orders_max": 4096, "book_levels_max": 4096,
        }  # fmt: skip

    def limits(self, *, serial: int, lasts_s: float = 86_400, **engine: Any) -> None:
        """Write and sign limits so wide that nothing is refused, but for what ENGINE narrows."""
        document = {
            "serial": serial,
            "not_after_utc_ns": time.time_ns() + int(lasts_s * 1e9),
            "engine": wide_limits(SYMBOLS) | engine,
            "gateway": WIDE_GATEWAY,
        }
        data, path = canonical(document), self.directory / "limits"
        path.write_bytes(data)
        Path(f"{path}.sig").write_bytes(self.chain.sign(data))

    def with_drop_copy(self) -> None:
        """Reconcile with the venue's drop copy from the next start on."""
        port = self.chain.venue.ready["order_port"]
        self.config["dropcopy"] = {"host": self.chain.net.site, "port": port, **COPY}

    def write_config(self) -> Path:
        """The configuration as a file."""
        path = self.directory / "config.json"
        path.write_bytes(canonical(self.config))  # as a deploy writes it: the engine's digest is the file's
        return path

    def launch(
        self,
        *options: str,
        conformance: bool = True,
        program: Path | None = None,
        more: tuple[str, ...] = (),
    ) -> Engine:
        """Start the program (another one than the release's, if named) and wait for nothing."""
        if self.engine is not None:
            self.engine.close()
        chosen = program or self.chain.engine_program
        argv = [*self.wrap, str(chosen), "--config", str(self.write_config()), *options, *more]
        argv += ["--conformance"] if conformance else []
        self.engine = Engine(argv, self.directory, PATIENCE_S, None)
        return self.engine

    def standby(self, **how: Any) -> Engine:
        """Started, and in step with everything that the venue published so far."""
        engine = self.launch(**how)
        engine.wait_up()
        published = self.chain.venue.admin("status")["next_sequence"]
        engine.wait_status(
            "a book in sync",
            lambda status: status["state"] == "STANDBY" and status["feed"]["next_sequence"] >= published,
        )
        return engine

    def active(self, epoch: int, **how: Any) -> Engine:
        """In step and promoted."""
        engine = self.standby(**how)
        engine.must("promote", epoch=epoch)
        engine.wait_state("ACTIVE")
        return engine


class Chain:
    """The three programs. SLOTS get feed lines of their own; the gateway is a test gateway."""

    egress = "test"
    ticket_socket: str | None = None
    gateway_options: tuple[str, ...] = ("--test",)

    def __init__(
        self,
        native: Path,
        stack: ExitStack,
        *,
        slots: str = "ab",
        profile: str = "ouch5-2023-05",
        net: Net | None = None,
        venue: dict[str, Any] | None = None,
        gateway: dict[str, Any] | None = None,
    ) -> None:
        self.native, self.profile, self.net = native, profile, net or own_address()
        self.directory = Path(tempfile.mkdtemp(prefix="hft-chain-", dir=place()))
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.engine_program = self._program("hft-engine")
        self._prepare(stack)
        ports = {slot: (self._feed_port(), self._feed_port()) for slot in slots}
        self.venue = self._start_venue(stack, ports, venue or {})
        config = self._gateway_config(gateway or {})
        self.gateway = Gateway(self._program("hft-gateway"), config, *self.gateway_options)
        stack.callback(self.gateway.kill)
        self.gateway.start()
        self.gateway.wait_ready()
        self.seats = {slot: Seat(self, slot, ports[slot]) for slot in slots}
        stack.callback(self._stop_engines)
        self.bob = self.venue.client("BOB")
        self._bob_urns = itertools.count(1)
        self._leaning: tuple[str, int] | None = None
        self.quote()

    def _prepare(self, _stack: ExitStack) -> None:
        """Keys, and what else must be there before the first program."""
        signer = Signer(self.directory)
        self.sign: Callable[[bytes], bytes] = signer.sign
        self.allowed_signers = signer.allowed_signers

    def running(self, slot: str = "a") -> Engine:
        """The engine that runs in a slot."""
        engine = self.seats[slot].engine
        assert engine is not None
        return engine

    def _program(self, name: str) -> Path:
        return self.native / "bin" / name

    def _feed_port(self) -> int:
        return self.net.free_port(socket.SOCK_DGRAM)

    def _start_venue(
        self, stack: ExitStack, ports: dict[str, tuple[int, int]], changes: dict[str, Any]
    ) -> VenueRig:
        lines = {
            f"{slot}{line}": Line(f"{self.net.engine}:{port}")
            for slot, pair in ports.items()
            for line, port in zip("AB", pair, strict=True)
        }
        config: dict[str, Any] = {
            "accounts": ACCOUNTS, "drop_copies": [{**COPY, "account": ACCOUNT}], "symbols": list(SYMBOLS),
            "profile": self.profile, "orders": f"{self.net.site}:0", "lines": lines,
            "feed": {"retransmit": f"{self.net.site}:0"},
        }  # fmt: skip
        folder = self.directory / "venue"
        folder.mkdir()
        return VenueRig(self._program("hft-venue"), folder, stack, config | changes)

    def _gateway_config(self, changes: dict[str, Any]) -> Path:
        folder = self.directory / "gateway"
        folder.mkdir()
        # A port of its own: engines find the gateway again after it was killed and started.
        listen = {"host": self.net.site, "port": self.net.free_port()}
        path = write_config(
            folder, self.venue.ready["order_port"], listen=listen, profile=self.profile, **changes
        )
        config = json.loads(path.read_text())
        config["accounts"][0]["venue"]["host"] = self.net.site
        path.write_text(json.dumps(config))
        return path

    def _stop_engines(self) -> None:
        for seat in self.seats.values():
            if seat.engine is not None:
                seat.engine.close()

    def gateway_at(self) -> dict[str, Any]:
        """Where engines find the gateway."""
        return {"host": self.net.site, "port": self.gateway.port}

    # The other side of the market.

    def quote(self) -> None:
        """BOB's bid and ask in every symbol."""
        for symbol in SYMBOLS:
            self.trade("B", 1_000, BID_E4, symbol)
            self.trade("S", 1_000, ASK_E4, symbol)

    def trade(self, side: str, quantity: int, price_e4: int, symbol: str = SYMBOL) -> int:
        """One order of BOB's, accepted; its reference number."""
        urn = next(self._bob_urns)
        self.bob.send(enter(urn, side, quantity, symbol, price_e4))
        self.until(lambda: urn in self.orders(account="BOB"), "BOB's order")
        return urn

    def tilt(self) -> None:
        """Make the other side of SYMBOL's book the heavy one: an engine with STRATEGY sends one order."""
        if self.bob.closed.is_set():  # the venue gave him up: this process was starved for a while
            self.bob = self.venue.client("BOB")
        side, previous = self._leaning or ("S", 0)
        other, urn = "B" if side == "S" else "S", next(self._bob_urns)
        heavy = enter(urn, other, LEAN, SYMBOL, BID_E4 if other == "B" else ASK_E4)
        tail = b"" if self.profile == "ouch5-2023-05" else b"\0\0"  # later, a cancel has an appendage too
        self.bob.send(*([cancel(previous) + tail] if previous else []), heavy)
        self._leaning = (other, urn)

    # The judge.

    def log(self, event: str | None = None, account: str = ACCOUNT) -> list[dict[str, Any]]:
        """Lines of the venue's log about one account, all that it has written until now."""
        written = self.venue.admin("status")["log_lines"]
        self.until(lambda: len(self.venue.log()) >= written, "the venue's log")
        return [line for line in self.venue.log(event) if line["session"] == account]

    def orders(self, verdict: str = "accepted", account: str = ACCOUNT) -> list[int]:
        """Reference numbers of the new orders and replacements that got this verdict, in order."""
        return [line["urn"] for line in self.log(verdict, account) if line["type"] in ("O", "U")]

    def account(self, name: str = ACCOUNT) -> dict[str, Any]:
        """What the venue counts for an account: open_orders, last_urn, accepted, rejected, ignored."""
        accounts: list[dict[str, Any]] = self.venue.admin("status")["accounts"]
        return next(account for account in accounts if account["account"] == name)

    def wait_open(self, count: int) -> None:
        """Until so many of our orders rest at the venue."""
        self.until(lambda: self.account()["open_orders"] == count, f"{count} open orders at the venue")

    def until(self, truth: Callable[[], Any], what: str) -> Any:
        """The first true value of TRUTH."""
        return until(truth, what, PATIENCE_S)


def buy(quantity: int = 100, price_e4: int = BID_E4, symbol: str = SYMBOL) -> dict[str, object]:
    """Fields of an `intent` that rests below BOB's ask."""
    return {"side": "B", "quantity": quantity, "symbol": symbol, "price_e4": price_e4}


def sell(quantity: int = 100, price_e4: int = ASK_E4, symbol: str = SYMBOL) -> dict[str, object]:
    """Fields of an `intent` that rests above BOB's bid."""
    return {"side": "S", "quantity": quantity, "symbol": symbol, "price_e4": price_e4}


def trading(chain: Chain) -> Chain:
    """Let the strategy of slot a trade, with two orders of a person's resting in the other symbol."""
    seat = chain.seats["a"]
    seat.config["strategy"] = STRATEGY
    engine = seat.active(1)
    engine.must("intent", **buy(symbol="BBB"))
    engine.must("intent", **sell(symbol="BBB"))
    end = time.monotonic() + PATIENCE_S
    while len(chain.orders()) < 2 + ORDERS_BEFORE:
        assert time.monotonic() < end, f"the strategy does not trade: {chain.orders()}"
        chain.tilt()
        time.sleep(TILT_EVERY_S)
    return chain
