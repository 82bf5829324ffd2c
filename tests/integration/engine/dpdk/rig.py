"""Engines on a host with two feed cables: one takes its lines from kernel sockets, one from DPDK ports.

The DPDK ports are `net_af_packet` devices on the same interfaces, so both see the same frames. No hugepages
and no hardware are needed. Neither engine has a request server: what a line loses stays missing.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine.conformance.bench import place, wide_limits
from engine.conformance.process import Engine
from engine.conformance.signing import Signer
from engine.contract import CONTRACT_VERSION
from engine.contract.canonical import canonical
from tests.support.engine.venue import VenueRig

from .wires import CABLES, Cable, Wires

SYMBOLS = 40
PATIENCE_S = 60.0
# Room for every frame of a run, so that a machine that is busy with other things loses none of them.
RING = "blocksz=65536,framesz=2048,framecnt=16384"


def vdev(cable: Cable) -> dict[str, str]:
    """The DPDK device of a cable's end."""
    number = "AB".index(cable.line)
    return {"vdev": f"net_af_packet{number},iface={cable.host},{RING}"}


class Rig:
    """The cables (none of them when no engine is started), the venue at their other end, and the engines."""

    def __init__(
        self, stack: ExitStack, programs: Path, *, cables: bool = True, switched: int | None = None
    ) -> None:
        self.stack, self.programs = stack, programs
        if cables:
            self.wires = Wires(stack, switched=switched)
        self.directory = Path(tempfile.mkdtemp(prefix="hft-dpdk-", dir=place()))
        stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self._signer = Signer(self.directory)

    def config(self, name: str, *, dpdk: bool) -> dict[str, Any]:
        """What an engine is told; its files are in a folder of its own."""
        here = self.directory / name
        (here / "journal").mkdir(parents=True, exist_ok=True)
        feeds: list[dict[str, Any]] = [
            {"line": one.line, "group": one.group, "port": one.port, "interface": one.host_address}
            | ({"dpdk": vdev(one)} if dpdk else {})
            for one in CABLES
        ]
        config: dict[str, Any] = {
            "contract": CONTRACT_VERSION, "name": name, "slot": "a", "egress": "test",
            "venue_profile": "ouch5-2023-05", "feeds": feeds, "rerequest": None, "feed_stale_ms": 600_000,
            "gateway": None, "dropcopy": None, "ticket_socket": None, "admin_socket": f"{here}/admin",
            "metrics_page": f"{here}/metrics", "journal_directory": f"{here}/journal",
            "latch_file": f"{here}/latch", "limits_file": f"{here}/limits",
            "allowed_signers": str(self._signer.allowed_signers), "ring_bytes": 1 << 24,
            "durability": "none", "idle": "backoff", "cpus": {}, "drain_timeout_ms": 10_000,
            "journal_market": "ref",
        }  # fmt: skip
        if dpdk:
            config |= {"dpdk": {"hugepages": False, "descriptors": 1024}, "critical": ["dpdk"]}
        return config

    def write(self, config: dict[str, Any]) -> Path:
        """The configuration and its signed limits as files."""
        folder = Path(config["limits_file"]).parent
        tomorrow_ns = time.time_ns() + 86_400 * 10**9
        document = {"serial": 1, "not_after_utc_ns": tomorrow_ns, "engine": wide_limits(["S0000"])}
        data = canonical(document)
        (folder / "limits").write_bytes(data)
        (folder / "limits.sig").write_bytes(self._signer.sign(data))
        (folder / "config.json").write_text(json.dumps(config))
        return folder / "config.json"

    def start(self, config: dict[str, Any]) -> Engine:
        """An engine in the host's namespace, once it says READY=1."""
        path = self.write(config)
        argv = [*self.wires.enter(self.wires.host), str(self.programs / "hft-engine"), "--config", str(path)]
        engine = Engine(argv, path.parent, PATIENCE_S, None)
        self.stack.callback(engine.close)
        engine.wait_ready()
        return engine

    def venue(self, source: dict[str, Any]) -> VenueRig:
        """The venue simulator on the site: multicast out of both cables."""
        inside = self.directory / "venue-on-site"
        words = (*self.wires.enter(self.wires.site), str(self.programs / "hft-venue"))
        inside.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
        inside.chmod(0o755)
        folder = self.directory / "venue"
        folder.mkdir()
        lines = [
            {
                "name": one.line,
                "targets": [f"{one.group}:{one.port}"],
                "interface": one.site_address,
                "ttl": 1,
            }
            for one in CABLES
        ]
        config = {"feed": {"lines": lines}, "symbols": SYMBOLS, "source": source}
        return VenueRig(inside, folder, self.stack, config)


def counter(engine: Engine, line: str, name: str) -> int:
    """What the engine counts of its port for LINE."""
    return engine.metric(f"engine_dpdk_{line.lower()}_{name}")
