"""Parts of the engine: recovered state, sockets, and read-only answers."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.independent.config import CONTRACT, Config
from engine.independent.core import DecisionCore
from engine.independent.gateway import drop_copy_positions
from engine.independent.journal import EngineJournal
from engine.independent.latch import Latch
from engine.independent.limits import Limits
from engine.independent.mutants import broken

if TYPE_CHECKING:
    from engine.independent.engine import Engine


class Parts(NamedTuple):
    """What a start found on disk."""

    config: Config
    conformance: bool
    level: str
    artifact: str
    core: DecisionCore
    journal: EngineJournal
    limits: Limits
    latch: Latch
    latch_found: dict[str, Any] | None

    def path(self, name: str) -> Path:
        """A path of the configuration."""
        return Path(self.config.values[name])


def feed_sockets(feeds: list[dict[str, Any]]) -> list[socket.socket]:
    """One bound socket per line, A before B; multicast groups are joined."""
    found = []
    for feed in sorted(feeds, key=lambda feed: str(feed["line"])):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((feed["group"], feed["port"]))
        group = socket.inet_aton(feed["group"])
        if 224 <= group[0] < 240:
            membership = struct.pack("4s4s", group, socket.inet_aton(feed["interface"]))
            one.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        found.append(one)
    return found


def reconciled(config: Config, core: DecisionCore) -> bool:
    """Whether the drop copy agrees with our positions; true without a drop copy."""
    source, gateway = config.values.get("dropcopy"), config.values["gateway"]
    if not source or not gateway or broken("order.reconciled"):
        return True
    who = source if source.get("user") else gateway
    theirs = drop_copy_positions(source["host"], source["port"], who["user"], who.get("password", ""))
    return theirs == {symbol: held for symbol, held in core.positions.items() if held}


def status_of(engine: Engine, verb: str) -> dict[str, Any] | None:
    """The answers to read-only verbs; None for other verbs."""
    core = engine.core
    match verb:
        case "status":
            return _status(engine)
        case "role":
            return {"ok": True, "role": "leader" if core.epoch else "standby"}
        case "limits":
            return {"ok": True, **_limits(engine)}
        case "digest":
            digests = {"state_digest": core.state_digest(), "decision_digest": core.decision_digest()}
            return {"ok": True, "input_seq": core.input_seq, **digests}
        case "histograms" | "snapshot":
            return {"ok": True, "orders": engine.page.get("engine_orders_sent_total")}
        case _:
            return None


def _limits(engine: Engine) -> dict[str, Any]:
    core = engine.core
    return {
        "ok": True, "serial": core.serial, "digest": core.limits_digest, "refused": engine.limits_refused,
        "not_after_utc_ns": core.not_after_utc_ns,
    }  # fmt: skip


def beat_of(core: DecisionCore) -> bytes:
    """What the hot loop says of itself: STANDBY 1, feed fresh 2, latched 4; the feed's next number."""
    is_fresh = not core.feed_stale() and not core.feed_gapped()
    flags = (core.state == "STANDBY") | is_fresh << 1 | (core.latch is not None) << 2
    return struct.pack(">BQ", flags, core.feed_next)


def _status(engine: Engine) -> dict[str, Any]:
    core, parts, journal = engine.core, engine.parts, engine.journal
    artifact = "sha256:" + "0" * 64 if broken("admin.status") else parts.artifact
    return {
        "ok": True, "state": core.state, "ready": engine.ready, "level": parts.level, "contract": CONTRACT,
        "egress": parts.config.values["egress"], "conformance": parts.conformance, "pid": os.getpid(),
        "epoch": core.epoch, "highest_epoch": core.highest, "latch": core.latch, "limits": _limits(engine),
        "artifact_digest": artifact, "config_digest": parts.config.digest,
        "feed": {
            "fresh": not core.feed_stale(), "gapped": core.feed_gapped(), "next_sequence": core.feed_next,
        },
        "connected": engine.link.phase == "up", "positions": core.positions,
        "open_orders": len(core.open_orders()),
        "journal": {
            "appended": journal.appended, "durable": journal.durable, "recovered_records": journal.recovered,
            "dropped_bytes": journal.dropped,
        },
    }  # fmt: skip
