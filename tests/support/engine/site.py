"""A site of two hosts: venue and gateway on `ops`, the engine on another, A and B on different LANs.

The same steps run in two places: in network namespaces of this machine (the rehearsal) and on real kernels in
VMs (tests/vm/test_engine_vm.py); a `Place` says how a command gets to a host. The gateway is in production:
tickets of the engine's host, signed fences, signed limits. Judged are the publisher's log, the engine's
journal and two books that share no code: the venue's matching and the engine's.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import tarfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.contract.journal import read_journal
from engine.contract.metrics import read_page
from engine.ticket.epoch import Approval, FileEpochSource
from engine.ticket.limits import sign_limits
from tests.support.engine.book_digest import MASK, digest_of
from tests.support.engine.tickets import Keys, make_keys

GROUPS = {"A": ("239.77.1.1", 26400), "B": ("239.77.2.1", 26401)}
ORDERS, RETRANSMIT, GATEWAY = 15000, 15001, 15100
SYMBOLS = 64
USER, PASSWORD = "ENG1", "secret"
COPY = {"user": "COPY", "password": "secret"}
STRATEGY = {
    "name": "imbalance", "clip": 10, "threshold_permille": 300, "cooldown_us": 500_000,
    "order_timeout_ms": 2_000,
}  # fmt: skip
FEED_KIND, GAP_OPEN = 100, 2
ASK = """
import json, socket, sys
with socket.socket(socket.AF_UNIX) as peer:
    peer.settimeout(60)
    peer.connect(sys.argv[1])
    peer.sendall(sys.stdin.buffer.read() + b"\\n")
    print(peer.makefile().readline())
"""


class Place(Protocol):
    """A host, or what stands for one."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def folder(self) -> str:
        """Where the test's own files are there."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = 120) -> str:
        """Run a command there; raises unless it ends with 0."""

    def start(self, name: str, argv: Sequence[str]) -> None:
        """Start a program there that goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How much, how fast, and which faults on purpose."""

    messages: int = 1_000_000
    per_s: int = 50_000
    per_datagram: int = 30
    loss: float = 0.01
    cut_from: int = 2_000
    cut_count: int = 5


@dataclass(slots=True, kw_only=True)
class Site:
    """Both hosts and everything that was signed for them."""

    ops: Place
    engine: Place
    programs: Path
    folder: Path  # on the controller
    ops_at: dict[str, str]  # line -> address of ops on that LAN
    load: Load
    engine_name: str = "engine-1"
    patience_s: float = 60
    admin: str = "/run/hft-engine-a/admin.sock"
    keys: Keys = field(init=False)
    source: FileEpochSource = field(init=False)

    def __post_init__(self) -> None:
        """Keys of the authority; the limits, signed."""
        self.keys = make_keys(self.folder, self.engine_name)
        self.source = FileEpochSource(path=self.folder / "epoch.json", key=self.keys.authority)
        sign_limits(limits(), self.folder / "limits.json", self.keys.authority)
        (self.folder / "allowed_signers").write_bytes(self.keys.authority_signers.read_bytes())

    # What the operator writes.

    @property
    def trade(self) -> dict[str, Any]:
        """The operator's part of the engine's configuration; interfaces are named by their networks."""
        feeds = [
            {"line": line, "group": group, "port": port, "interface": network_of(self.ops_at[line])}
            for line, (group, port) in GROUPS.items()
        ]
        at = self.ops_at["A"]
        return {
            "egress": "live", "venue_profile": "ouch5-2023-05", "feeds": feeds, "feed_stale_ms": 10_000,
            "rerequest": {"host": at, "port": RETRANSMIT},
            "gateway": {"host": at, "port": GATEWAY, "user": USER, "password": PASSWORD},
            "dropcopy": {"host": at, "port": ORDERS, **COPY}, "strategy": STRATEGY,
            "durability": "none", "ring_bytes": 16 << 20, "journal_market": "ref",
            "book_orders_max": 1 << 16, "book_levels_max": 1 << 15,
        }  # fmt: skip

    def venue_config(self) -> dict[str, Any]:
        """Two lines to two multicast groups, each out of the interface of its own LAN."""
        load, at = self.load, self.ops_at
        faults = {"loss": load.loss, "drop_from": load.cut_from, "drop_count": load.cut_count}
        lines = [
            {
                "name": line, "targets": [f"{group}:{port}"], "interface": at[line],
                "faults": {**faults, "seed": seed},
            }
            for seed, (line, (group, port)) in enumerate(GROUPS.items(), start=3)
        ]  # fmt: skip
        account = {"user": "gw1", "password": "venuepw", "firm": "ALFA", "cancel_on_disconnect": False}
        return {
            "session": "SITE000001", "profile": "ouch5-2023-05", "symbols": SYMBOLS, "accounts": [account],
            "drop_copies": [{**COPY, "account": "gw1"}], "orders": f"{at['A']}:{ORDERS}",
            "feed": {"heartbeat_ms": 500, "retransmit": f"{at['A']}:{RETRANSMIT}", "lines": lines},
            "source": {
                "kind": "synthetic", "autostart": False, "messages": load.messages,
                "messages_per_s": load.per_s, "per_datagram": load.per_datagram, "live": 5_000, "seed": 7,
            },
            "admin": f"{self.ops.folder}/venue.sock", "log": f"{self.ops.folder}/venue.jsonl",
        }  # fmt: skip

    def gateway_config(self) -> dict[str, Any]:
        """Production: nobody trades without a ticket, a fence and limits."""
        here, at = self.ops.folder, self.ops_at["A"]
        account = {
            "name": "ACC1", "strategy": "imbalance", "slots": ["a"], "user": USER, "password": PASSWORD,
            "venue": {"host": at, "port": ORDERS}, "venue_user": "gw1", "venue_password": "venuepw",
        }  # fmt: skip
        return {
            "name": "gw-1", "listen": {"host": at, "port": GATEWAY}, "admin_socket": f"{here}/gw.sock",
            "state_directory": f"{here}/gw-state", "log_directory": f"{here}/gw-log",
            "profile": "ouch5-2023-05", "on_fence": "cancel", "reconnect_ms": 100, "accounts": [account],
            "limits_file": f"{here}/limits.json", "host_signers": f"{here}/host.signers",
            "authority_signers": f"{here}/authority.signers",
        }  # fmt: skip

    # Steps.

    def put(self, place: Place, name: str, data: bytes, mode: str = "644") -> str:
        """A file in the place's folder."""
        path = f"{place.folder}/{name}"
        script = f'mkdir -p "${{1%/*}}" && cat >"$1" && chmod {mode} "$1"'
        place.run(["sh", "-c", script, "put", path], stdin=data)
        return path

    def start_venue(self) -> None:
        """The venue with its market closed."""
        for name in ("hft-venue", "hft-gateway"):
            self.put(self.ops, name, (self.programs / name).read_bytes(), "755")
        config = self.put(self.ops, "venue.json", json.dumps(self.venue_config()).encode())
        self.ops.start("venue", [f"{self.ops.folder}/hft-venue", "--config", config])
        self.until(lambda: self.venue("status")["ok"], "the venue")

    def start_gateway(self, host_signer: str) -> None:
        """The gateway, which lets HOST_SIGNER's host vouch for its engines."""
        self.put(self.ops, "host.signers", f"{host_signer}\n".encode())
        self.put(self.ops, "authority.signers", self.keys.authority_signers.read_bytes())
        for name in ("limits.json", "limits.json.sig"):
            self.put(self.ops, name, (self.folder / name).read_bytes())
        config = self.put(self.ops, "gateway.json", json.dumps(self.gateway_config()).encode())
        program = f"{self.ops.folder}/hft-gateway"
        self.ops.run(["mkdir", "-p", f"{self.ops.folder}/gw-state", f"{self.ops.folder}/gw-log"])
        self.ops.run([program, "--config", config, "--init"])
        self.ops.start("gateway", [program, "--config", config])
        self.until(self.gateway_is_ready, "the gateway's venue session")

    def gateway_is_ready(self) -> bool:
        """Logged in at the venue, limits loaded."""
        status = self.gateway("status")
        phases = [account["phase"] for account in status["accounts"].values()]
        return phases == ["ready"] and bool(status["limits"]["code"] == "ok")

    def fence(self) -> int:
        """The next epoch, for this engine with what it runs and no other."""
        status = self.ask("status")
        runs = Approval(
            artifact=status["artifact_digest"],
            config=status["config_digest"],
            limits=status["limits"]["digest"],
        )
        current = self.source.read()
        fence = self.source.advance(current.epoch if current else 0, f"{self.engine_name}/a", (runs,))
        answer = self.gateway("fence", **fence.message())
        assert answer["ok"], answer
        return fence.epoch

    def promote(self) -> None:
        """In step with the publisher, fenced, ACTIVE."""
        self.in_step()
        answer = self.ask("promote", epoch=self.fence())
        assert answer["ok"], answer
        assert self.ask("status")["state"] == "ACTIVE"

    def run_market(self, *, within_s: float) -> None:
        """Open the market and wait until all of it was published."""
        assert self.venue("start")["ok"]
        self.until(lambda: self.venue("status")["source_done"], "the market's end", within_s, every_s=2)

    def in_step(self, within_s: float = 0) -> None:
        """Until the engine has every message that the venue published."""
        self.until(self.is_in_step, "an engine in step", within_s, every_s=0.5)

    def is_in_step(self) -> bool:
        """Next expected is next published, and the state is one that follows the feed."""
        status = self.ask("status")
        return bool(
            status["feed"]["next_sequence"] == self.venue("status")["next_sequence"]
            and status["state"] in ("STANDBY", "ACTIVE", "REDUCING")
        )

    # Asking.

    def venue(self, verb: str, **fields: Any) -> dict[str, Any]:
        """One verb of the venue's operator."""
        return ask(self.ops, f"{self.ops.folder}/venue.sock", verb, **fields)

    def gateway(self, verb: str, **fields: Any) -> dict[str, Any]:
        """One verb of the gateway's operator."""
        return ask(self.ops, f"{self.ops.folder}/gw.sock", verb, **fields)

    def ask(self, verb: str, **fields: Any) -> dict[str, Any]:
        """One verb of the engine."""
        return ask(self.engine, self.admin, verb, **fields)

    def until(self, truth: Callable[[], Any], what: str, within_s: float = 0, every_s: float = 0.2) -> None:
        """Wait for TRUTH; an engine or venue that is not there yet is no truth."""
        end = time.monotonic() + (within_s or self.patience_s)
        why: object = "it is not"
        while time.monotonic() < end:
            try:
                if truth():
                    return
            except (RuntimeError, ValueError, KeyError) as error:
                why = error
            time.sleep(every_s)
        raise AssertionError(f"waited in vain for {what}: {why}")

    # Judging.

    def venue_log(self) -> list[dict[str, Any]]:
        """Every line that the venue wrote."""
        text = fetch(self.ops, f"{self.ops.folder}/venue.jsonl").decode()
        return [json.loads(line) for line in text.splitlines()]

    def books(self) -> tuple[int, int]:
        """The digest of the engine's book, and of the venue's own books by the same public formula."""
        path = f"{self.ops.folder}/books.jsonl"
        dumped = self.venue("book_dump", path=path)
        ours = self.ask("digest")
        assert ours["next_sequence"] == dumped["through_sequence"] + 1
        return ours["book_digest"], digest_of_books(fetch(self.ops, path).decode().splitlines())

    def gaps(self, journal: str) -> list[int]:
        """The first missing message of every gap, from the engine's journal."""
        folder = self.folder / "journal"
        folder.mkdir(exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(fetch_tree(self.engine, journal))) as packed:
            for member in packed:
                content = packed.extractfile(member)
                if content is not None:
                    (folder / Path(member.name).name).write_bytes(content.read())
        found = []
        for record in read_journal(folder).records:
            if record.kind == FEED_KIND:
                what, sequence, _ = struct.unpack_from("<QQQ", record.payload)
                if what == GAP_OPEN:
                    found.append(sequence)
        return found

    def metric(self, page: str, name: str) -> int:
        """One value of the engine's metrics page."""
        return read_page(fetch(self.engine, page)).entries[name].values[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Gaps against the publisher's log. A gap is what was open at once; one may hold many faults."""

    gaps: int
    cut: int  # datagrams that both lines lost on purpose
    by_faults: int  # gaps that begin with such a datagram
    by_network: int  # sent on one line at least, lost or late on the way, and asked for again
    by_other_line: int  # filled by the slower line before anybody had to ask
    unmatched: tuple[int, ...]  # lost on both lines, and nobody asked for it again; gaps and datagrams


def explain(gaps: Sequence[int], log: Sequence[dict[str, Any]]) -> Explained:
    """Match each gap to a re-request that covers it, and to the faults that made it.

    Without a re-request a gap is explained only by a line on which the publisher did not lose it.
    """
    asked = [(line["first"], line["count"]) for line in log if line["event"] == "rerequest"]
    faults = [line for line in log if line["event"] == "fault" and line["code"] == "loss" and line["count"]]
    lost = {name: {(one["first"], one["count"]) for one in faults if one["session"] == name} for name in "AB"}

    def within(runs: Iterable[tuple[int, int]], sequence: int) -> bool:
        return any(first <= sequence < first + count for first, count in runs)

    pairs = [(gap, within(asked, gap), within(lost["A"], gap) and within(lost["B"], gap)) for gap in gaps]
    cut = sorted(first for first, _ in lost["A"] & lost["B"])
    return Explained(
        gaps=len(gaps),
        cut=len(cut),
        by_faults=sum(both for _, _, both in pairs),
        by_network=sum(asked_for and not both for _, asked_for, both in pairs),
        by_other_line=sum(not asked_for and not both for _, asked_for, both in pairs),
        unmatched=(
            *(gap for gap, asked_for, both in pairs if both and not asked_for),
            *(first for first in cut if not within(asked, first)),
        ),
    )


def digest_of_books(lines: Sequence[str]) -> int:
    """The book digest of the venue's own full depth, order by order in time priority."""
    total = 0
    for line in lines:
        book = json.loads(line)
        for side, name in enumerate(("bids", "asks")):
            total += sum(digest_of(book[name], book["locate"], side))
    return total & MASK


def limits() -> dict[str, Any]:
    """Wide enough to trade, inside of what the release was approved for."""
    names = [f"S{number:04}" for number in range(SYMBOLS)]
    return {
        "contract": "1.0.0", "serial": 1, "not_after_utc_ns": time.time_ns() + 86_400 * 10**9,
        "engine": {
            "symbols": names, "order_quantity_max": 1_000, "order_notional_max_e4": 10**12,
            "gross_notional_max_e4": 10**14, "collar_bps": 5_000, "position_max": 100_000,
            "messages_per_second_max": 10_000, "open_orders_max": 1_000, "duplicate_window_ms": 0,
            "daily_loss_max_e4": 10**14, "repeated_executions_max": 10**9,
        },
        "gateway": {
            "orders_per_s_max": 10_000, "order_quantity_max_shares": 1_000,
            "order_notional_max_e4": 10**12, "symbols": names,
            "positions_at_open": {"ACC1": dict.fromkeys(names, 10**9)},
        },
    }  # fmt: skip


def network_of(address: str) -> str:
    """The /24 of an address."""
    return f"{address.rpartition('.')[0]}.0/24"


def ask(place: Place, socket: str, verb: str, **fields: Any) -> dict[str, Any]:
    """One admin verb of a program on a place."""
    said = place.run(["python3", "-c", ASK, socket], stdin=json.dumps({"verb": verb, **fields}).encode())
    answer: dict[str, Any] = json.loads(said)
    return answer


def fetch(place: Place, path: str) -> bytes:
    """A file's bytes, over a channel of text."""
    return base64.b64decode(place.run(["base64", path], timeout_s=300))


def fetch_tree(place: Place, path: str) -> bytes:
    """A directory as a compressed tar."""
    script = 'tar --create --gzip --directory "$1" . | base64'
    return base64.b64decode(place.run(["sh", "-c", script, "fetch", path], timeout_s=300))
