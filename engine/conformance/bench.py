"""The bench of one case: an address, a directory, a feed, a gateway, signed limits, and its engines."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.conformance.artifact import Artifact
from engine.conformance.errors import Broken
from engine.conformance.events import EventLog
from engine.conformance.feed import SYMBOLS, Feed
from engine.conformance.gateway import Gateway
from engine.conformance.process import Engine
from engine.conformance.signing import Signer
from engine.contract import CONTRACT_VERSION
from engine.contract.canonical import canonical
from engine.contract.journal import Journal, read_journal
from engine.contract.levels import Level

HUGE = 10**15
PROFILE = "ouch5-2023-05"
_numbers = itertools.count(1)


def wide_limits(symbols: Iterable[str]) -> dict[str, Any]:
    """The engine's part of a limits file that permits everything in these symbols."""
    return {
        "symbols": list(symbols), "order_quantity_max": 100_000, "order_notional_max_e4": HUGE,
        "gross_notional_max_e4": HUGE, "collar_bps": 100_000, "position_max": 10**9,
        "messages_per_second_max": 10**6, "open_orders_max": 10**6, "duplicate_window_ms": 0,
        "daily_loss_max_e4": HUGE, "repeated_executions_max": 10**6,
    }  # fmt: skip


def place() -> Path | None:
    """Memory where possible: cases sync journals all the time, and no case depends on a disk's speed."""
    shm = Path("/dev/shm")  # noqa: S108  # a private directory is created inside
    return shm if os.access(shm, os.W_OK) else None


class Bench:
    """The test bed of one case; `close` ends everything in it."""

    def __init__(self, artifact: Artifact, signer: Signer, patience_s: float, profile: str = PROFILE) -> None:
        self.artifact, self.patience_s, self._signer = artifact, patience_s, signer
        self.level = artifact.manifest.level
        self.directory = Path(tempfile.mkdtemp(prefix="hft-case-", dir=place()))
        # An address of 127.0.0.0/8 for this case alone: parallel cases cannot take each other's ports.
        number, pid = next(_numbers), os.getpid()
        self._address = f"127.{64 + (pid >> 8) % 64}.{pid % 256}.{1 + number % 250}"
        self.address = self._address
        self.log = EventLog()
        self.feed = Feed(self._address, self.log)
        self.gateway = Gateway(self._address, profile, self.log)
        self.engines: list[Engine] = []
        self.environment: dict[str, str] = {}  # of engines started from now on, beside the suite's own
        (self.directory / "journal").mkdir(mode=0o700)
        self.config: dict[str, Any] = self._configuration(profile)
        self.limits()

    def _configuration(self, profile: str) -> dict[str, Any]:
        feeds, rerequest = self.feed.configuration()
        here = str(self.directory)
        gateway = {"host": self._address, "port": self.gateway.port, "user": "TEST01", "password": "secret"}
        return {
            "contract": CONTRACT_VERSION, "name": "conformance", "slot": "a", "egress": "test",
            "venue_profile": profile, "feeds": feeds, "rerequest": rerequest, "feed_stale_ms": 60_000,
            "gateway": gateway if self.level is not Level.CORE else None, "dropcopy": None,
            "ticket_socket": None,
            "admin_socket": f"{here}/admin", "metrics_page": f"{here}/metrics",
            "journal_directory": f"{here}/journal", "latch_file": f"{here}/latch",
            "limits_file": f"{here}/limits",
            "allowed_signers": str(self._signer.allowed_signers), "ring_bytes": 1 << 20,
            "durability": "durable",
            "idle": "backoff", "cpus": {}, "drain_timeout_ms": int(self.patience_s * 1000),
            "strategy": {"name": "none"},
        }  # fmt: skip

    def with_drop_copy(self) -> None:
        """From its next start on, the engine reconciles with a drop copy."""
        self.config["dropcopy"] = {"host": self._address, "port": self.gateway.copy_port}

    def close(self) -> None:
        """End engines, threads and files."""
        for engine in self.engines:
            engine.close()
        self.gateway.close()
        self.feed.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    # Limits.

    def limits(
        self, *, serial: int = 1, lasts_s: float = 86_400, key: str | None = "good", **engine: Any
    ) -> bytes:
        """Write a limits file that refuses only what ENGINE narrows; returns its bytes."""
        # Whole hours, so that equal limits are equal bytes and are signed once; short lifetimes are exact.
        now_ns = time.time_ns() if lasts_s < 3600 else time.time_ns() // 3_600_000_000_000 * 3_600_000_000_000
        document = {
            "serial": serial,
            "not_after_utc_ns": now_ns + int(lasts_s * 1e9),
            "engine": {**wide_limits(SYMBOLS), **engine},
        }
        data = canonical(document)
        path = self.directory / "limits"
        signature = Path(f"{path}.sig")
        signature.unlink(missing_ok=True)
        path.write_bytes(data)
        if key is not None:
            signature.write_bytes(self._signer.sign(data, key=key))
        return data

    # Engines.

    def write_config(self) -> Path:
        """The configuration as a file."""
        path = self.directory / "config.json"
        path.write_text(json.dumps(self.config))
        return path

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the program with these arguments until it exits."""
        argv = [*self.artifact.argv, *arguments]
        try:
            return subprocess.run(
                argv, cwd=self.directory, capture_output=True, text=True, check=False,
                timeout=self.patience_s * 2,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Broken(f"{' '.join(arguments[:1])} did not end within {self.patience_s * 2:g} s") from None
        except OSError as error:
            raise Broken(f"{argv[0]}: cannot be started: {error.strerror}") from error

    def launch(self, *, conformance: bool = True, watchdog_ms: int | None = None) -> Engine:
        """Start the engine without waiting for anything."""
        for engine in self.engines:
            engine.close()
        argv = [*self.artifact.argv, "--config", str(self.write_config())]
        argv += ["--conformance"] if conformance else []
        try:
            self.engines.append(Engine(argv, self.directory, self.patience_s, watchdog_ms, self.environment))
        except OSError as error:
            raise Broken(f"{argv[0]}: cannot be started: {error.strerror}") from error
        return self.engines[-1]

    def standby(self, **how: Any) -> Engine:
        """An engine in STANDBY."""
        engine = self.launch(**how)
        engine.wait_up()
        engine.wait_state("STANDBY")
        return engine

    def active(self, epoch: int = 7, **how: Any) -> Engine:
        """An engine that was promoted."""
        engine = self.standby(**how)
        engine.must("promote", epoch=epoch)
        engine.wait_state("ACTIVE")
        return engine

    def active_or_reducing(self, epoch: int) -> Engine:
        """An engine that was promoted, but may go to REDUCING at once because of its recovered state."""
        engine = self.standby()
        engine.must("promote", epoch=epoch)
        engine.wait_state("ACTIVE", "REDUCING")
        return engine

    def standby_synced(self) -> Engine:
        """An engine in STANDBY, in sync with a feed that repeats nothing from now on."""
        engine = self.standby()
        engine.wait_status("a book in sync", lambda status: status["feed"]["next_sequence"] == self.feed.next)
        self.feed.history = False
        return engine

    def must_exit(self, code: int) -> None:
        """A start that must exit with CODE."""
        engine = self.launch()
        seen = engine.wait_exit(or_ready=True)
        if seen != code:
            raise Broken(f"start should exit {code}, but exited {seen}")

    # Observation.

    def count(self, kind: str, count: int) -> list[Any]:
        """The values of KIND, once at least COUNT events were seen."""
        return [event.value for event in self.log.wait_count(kind, count, self.patience_s)]

    def nothing_more(self, kind: str, than: int, seconds: float = 0.2) -> None:
        """No more than THAN events of KIND, even a little later."""
        end = time.monotonic() + seconds
        while True:
            seen = len(self.log.all(kind))
            if seen > than:
                raise Broken(f"the gateway saw {seen} x {kind}, expected {than}")
            if time.monotonic() > end:
                return
            time.sleep(0.02)

    def journal(self) -> Journal:
        """The engine's journal as it is on disk."""
        return read_journal(self.directory / "journal")


def demand(holds: bool, otherwise: str) -> None:
    """Raise Broken with this message unless the claim holds."""
    if not holds:
        raise Broken(otherwise)
