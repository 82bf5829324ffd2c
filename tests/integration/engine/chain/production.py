"""The chain as it trades: tickets of the issuer, signed fences and limits; orders by the strategy alone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from engine.conformance.process import Engine
from engine.ticket import signing
from engine.ticket.daemon import listen
from engine.ticket.epoch import Approval, FileEpochSource
from engine.ticket.limits import sign_limits
from engine.ticket.release import read_release
from tests.support.engine.chain import STRATEGY, WIDE_GATEWAY, Chain
from tests.support.engine.gateway import Gateway
from tests.support.engine.tickets import make_keys, serve_until_closed

HOST = "eng-1"


class Production(Chain):
    """One host with two slots of one release; orders come from the strategy alone."""

    egress = "live"
    gateway_options = ()

    def _prepare(self, stack: ExitStack) -> None:
        self.keys = make_keys(self.directory, HOST)
        self.allowed_signers = self.keys.authority_signers
        self.sign = self._sign
        self.source = FileEpochSource(path=self.directory / "epoch.json", key=self.keys.authority)
        self.release = self._make_release()
        self.engine_program = self.release / "hft-engine"
        self.ticket_socket = str(self.directory / "issuer")
        server = listen(Path(self.ticket_socket))
        stack.callback(server.close)
        stack.callback(server.shutdown, socket.SHUT_RDWR)
        host = (server, self.directory / "host.json")
        threading.Thread(target=serve_until_closed, args=host, daemon=True).start()

    def _sign(self, data: bytes) -> bytes:
        return signing.sign(data, self.keys.authority, signing.LIMITS_NAMESPACE).encode()

    def _make_release(self) -> Path:
        release = self.directory / "release"
        release.mkdir()
        shutil.copy(self._program("hft-engine"), release)
        argv = [str(release / "hft-engine"), "--manifest"]
        manifest = subprocess.run(argv, capture_output=True, check=True).stdout
        (release / "engine.json").write_bytes(manifest)
        return release

    def _gateway_config(self, changes: dict[str, Any]) -> Path:
        limits = {"serial": 1, "not_after_utc_ns": 2**62, "engine": {}, "gateway": WIDE_GATEWAY}
        sign_limits(limits, self.directory / "limits.json", self.keys.authority)
        signed = {
            "limits_file": str(self.directory / "limits.json"),
            "host_signers": str(self.keys.host_signers),
            "authority_signers": str(self.keys.authority_signers),
        }
        path = super()._gateway_config(changes | signed)
        argv = [str(self._program("hft-gateway")), "--config", str(path), "--init"]
        subprocess.run(argv, check=True, capture_output=True)
        return path

    @contextmanager
    def cloud(self) -> Iterator[Gateway]:
        """Another site's gateway: passive, with state and port of its own and a record of the first epoch."""
        folder = self.directory / "cloud"
        folder.mkdir()
        config = json.loads((self.directory / "gateway" / "gw-1.json").read_text())
        config |= {
            "name": "gw-2",
            "role": "standby",
            "epoch_source": str(self.source.path),
            "listen": {"host": self.net.site, "port": self.net.free_port()},
            "admin_socket": str(folder / "gw.sock"),
            "state_directory": str(folder / "state"),
            "log_directory": str(folder / "log"),
        }
        self.source.advance(0, f"{HOST}/a", ())
        path = folder / "gw-2.json"
        path.write_text(json.dumps(config))
        argv = [str(self._program("hft-gateway")), "--config", str(path), "--init"]
        subprocess.run(argv, check=True, capture_output=True)
        gateway = Gateway(self._program("hft-gateway"), path)
        try:
            yield gateway.start()
        finally:
            gateway.kill()

    def host_owner_sets_up(self) -> None:
        """What may run in which slot, as the issuer reads it."""
        slots = {
            slot: {
                "release": str(self.release_of(slot)),
                "config": str(seat.write_config()),
                "limits": str(seat.directory / "limits"),
                "uid": os.getuid(),
            }
            for slot, seat in self.seats.items()
        }
        host = {"host": HOST, "key": str(self.keys.host), "slots": slots}
        (self.directory / "host.json").write_text(json.dumps(host))

    def release_of(self, slot: str) -> Path:
        """The release that a slot is given."""
        assert slot in self.seats
        return self.release

    def standby(self, slot: str) -> Engine:
        """The released engine with the strategy, started as in production."""
        seat = self.seats[slot]
        seat.config["strategy"] = STRATEGY
        self.host_owner_sets_up()
        return seat.standby(conformance=False, program=self.release_of(slot) / "hft-engine")

    def runs(self, slot: str) -> Approval:
        """What a ticket of this slot names."""
        seat = self.seats[slot]
        return Approval(
            artifact=read_release(self.release_of(slot)).digest,
            config=file_digest(seat.directory / "config.json"),
            limits=file_digest(seat.directory / "limits"),
        )

    def fence(self, slot: str) -> int:
        """The next epoch for this slot, acked by the gateway."""
        current = self.source.read()
        runs = (self.runs(slot),)
        fence = self.source.advance(current.epoch if current else 0, f"{HOST}/{slot}", runs)
        answer = self.gateway.verb("fence", **fence.message())
        assert answer["ok"], answer
        return fence.epoch

    def promote(self, slot: str) -> int:
        """Fenced, promoted, ACTIVE; the epoch."""
        epoch, engine = self.fence(slot), self.running(slot)
        engine.must("promote", epoch=epoch)
        engine.wait_state("ACTIVE")
        return epoch

    def orders_of(self, epoch: int) -> int:
        """Accepted orders whose ClOrdID names the epoch."""
        return len([line for line in self.log("accepted") if line["type"] == "O" and line["epoch"] == epoch])

    def trade_until(self, epoch: int, count: int) -> None:
        """Tilt the book until so many orders of the epoch are accepted."""

        def enough() -> bool:
            self.tilt()
            return self.orders_of(epoch) >= count

        self.until(enough, f"{count} orders of epoch {epoch}")

    def refusals(self, code: str, party: str) -> int:
        """How often the gateway refused this engine for this reason."""
        lines = self.gateway.lines("refusals")
        return len([line for line in lines if line["code"] == code and line["party"] == party])


def file_digest(path: Path) -> str:
    """As a ticket names a file."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
