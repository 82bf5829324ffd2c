"""What each program of a run is told: command lines and configurations, pure, so that a pair cannot differ.

Limits are wide: nothing may be refused here. Market data is journaled by reference, as in production, and
intents do not wait for durability, because the latency goals hold for `none` only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine.layout import Layout
from bench.engine.load_report import RELAY
from bench.engine.sizes import LoadSize
from engine.conformance.bench import HUGE, PROFILE
from engine.contract import CONTRACT_VERSION
from engine.contract.canonical import canonical
from engine.contract.config import Config
from engine.contract.limits import Limits

HERE = "127.0.0.1"
DIRECT, GATEWAY = "direct", "gateway"
USER, PASSWORD = "BENCH1", "secret"  # of a session that ends with the run
REST_MS = 300
BOOK_MAX = 1 << 20
RING_BYTES = 64 << 20
_NO_STALENESS_MS = 60_000  # a disturbed generator is reported as such, not as stale market data


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everybody is: feed lines A and B, the generator's two ends, and who takes the engine's orders."""

    lines: tuple[int, int]
    retransmit: int = 0
    orders: int = 0

    def lines_text(self) -> str:
        return ",".join(f"{HERE}:{port}" for port in self.lines)


def load_words(label: str, size: LoadSize, layout: Layout, ports: Ports, folder: Path) -> list[str]:
    """hft-load's command line behind its name."""
    words: dict[str, object] = {
        "--lines": ports.lines_text(), "--label": label,
        "--out": folder / "run.json", "--peers-file": folder / "peers",
        "--triggers": size.triggers, "--rate": size.triggers_per_s, "--warmup": size.warmup,
        "--trigger-symbols": size.trigger_symbols, "--rest-ms": REST_MS, "--settle-ms": 200,
        "--grace-ms": size.grace_ms, "--idle": layout.generator_idle(),
    }  # fmt: skip
    if size.noise_per_s:
        words |= {
            "--noise-symbols": size.noise_symbols, "--noise-rate": size.noise_per_s,
            "--noise-live": size.noise_live, "--noise-cycle": size.noise_cycle,
            "--noise-per-datagram": size.per_datagram,
        }  # fmt: skip
    if layout.generator is not None:
        words["--cpu"] = layout.generator
    # The relay and the gateway log in as to a venue; an engine speaks to a gateway first.
    link = [] if label in (RELAY, GATEWAY) else ["--link"]
    return ["--go", *link, *(str(word) for pair in words.items() for word in pair)]


def relay_words(layout: Layout, ports: Ports) -> list[str]:
    """hft-relay's command line behind its name: the engine's CPU and the engine's way to wait."""
    pinned = [] if layout.hot is None else ["--cpu", str(layout.hot)]
    return ["--lines", ports.lines_text(), "--to", f"{HERE}:{ports.orders}", "--idle", layout.idle(), *pinned]


def limits_bytes(trigger_symbols: int, now_utc_ns: int) -> bytes:
    """A limits file that refuses nothing of this run, for a day."""
    wide = {
        "symbols": [f"TRG{number}" for number in range(trigger_symbols)],
        "order_quantity_max": 100_000, "order_notional_max_e4": HUGE, "gross_notional_max_e4": HUGE,
        "collar_bps": 100_000, "position_max": 10**9, "messages_per_second_max": 10**6,
        "open_orders_max": 10**6, "duplicate_window_ms": 0, "daily_loss_max_e4": HUGE,
        "repeated_executions_max": 10**9,
    }  # fmt: skip
    document = {"serial": 1, "not_after_utc_ns": now_utc_ns + 86_400 * 10**9, "engine": wide}
    Limits.model_validate(document)
    return canonical(document)


def engine_config(layout: Layout, ports: Ports, folder: Path, allowed_signers: Path) -> dict[str, Any]:
    """The engine's configuration; every path is in FOLDER."""
    lines = zip("AB", ports.lines, strict=True)
    document = {
        "contract": CONTRACT_VERSION, "name": "bench", "slot": "a", "egress": "test",
        "venue_profile": PROFILE, "feed_stale_ms": _NO_STALENESS_MS,
        "feeds": [{"line": line, "group": HERE, "port": port, "interface": HERE} for line, port in lines],
        "rerequest": {"host": HERE, "port": ports.retransmit},
        "gateway": {"host": HERE, "port": ports.orders, "user": USER, "password": PASSWORD},
        "ticket_socket": None, "allowed_signers": str(allowed_signers),
        "admin_socket": str(folder / "admin"), "metrics_page": str(folder / "metrics"),
        "journal_directory": str(folder / "journal"), "latch_file": str(folder / "latch"),
        "limits_file": str(folder / "limits"),
        "ring_bytes": RING_BYTES, "durability": "none", "idle": layout.idle(), "cpus": layout.roles(),
        "drain_timeout_ms": 2_000,
        "strategy": {"name": "imbalance", "cooldown_us": 0, "order_timeout_ms": 1_000_000},
        # This engine's own fields.
        "journal_market": "ref", "book_orders_max": BOOK_MAX, "book_levels_max": BOOK_MAX,
    }  # fmt: skip
    Config.model_validate(document)
    return document


def gateway_config(venue_port: int, folder: Path) -> dict[str, Any]:
    """A test gateway with one account, in front of the generator's venue end."""
    account = {
        "name": "ACC1", "strategy": "imbalance", "slots": ["a"], "user": USER, "password": PASSWORD,
        "venue": {"host": HERE, "port": venue_port}, "venue_user": USER, "venue_password": PASSWORD,
    }  # fmt: skip
    return {
        "name": "gw-bench", "listen": {"host": HERE, "port": 0}, "profile": PROFILE, "on_fence": "cancel",
        "admin_socket": str(folder / "gateway.sock"), "state_directory": str(folder / "gateway-state"),
        "log_directory": str(folder / "gateway-log"), "reconnect_ms": 50, "accounts": [account],
    }  # fmt: skip


def pinned(cpu: int | None) -> Sequence[str]:
    """What to put before a command so that it runs on one CPU."""
    return () if cpu is None else ("taskset", "--cpu-list", str(cpu))
