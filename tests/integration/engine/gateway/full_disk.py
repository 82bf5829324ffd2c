"""The part of the disk test that needs mounts of its own: `python3 -m ... PROGRAM ROOT full|read-only`.

Prints one JSON line with what was seen; the caller judges.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.engine.engine_peer import EnginePeer, ready_engine
from tests.support.engine.gateway import Gateway, write_config

from .venue_peer import VenuePeer


def fill(directory: Path) -> None:
    """Take every page that is left."""
    with (directory / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            return


def refuse_writes(gateway: Gateway) -> None:
    """Every write to a file fails from here on, as on a file system that turned read-only under its writers.

    A file system cannot be remounted read-only while somebody writes (mount(2), EBUSY); a size limit of 0
    gives the running program the same answer for every byte (setrlimit(2), EFBIG).
    """
    resource.prlimit(int(gateway.verb("status")["pid"]), resource.RLIMIT_FSIZE, (0, 0))


def run(program: Path, root: Path, how: str) -> dict[str, Any]:
    """One kill on a bad disk, and a restart."""
    disk = root / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=True)
    venue = VenuePeer()
    paths = {"state_directory": str(disk / "state"), "log_directory": str(disk / "log")}
    gateway = Gateway(program, write_config(root, venue.port, **paths), "--test").start()
    seen: dict[str, Any] = {}
    try:
        gateway.wait_ready()
        engine = ready_engine(gateway.port, 1)
        engine.order(1)
        venue.wait_for("accepted", 1)
        if how == "full":
            fill(disk)
        else:
            refuse_writes(gateway)
        for sequence in range(2, 60):  # the log's last page may have room for some lines
            engine.order(sequence)
        seen["unlogged"] = engine.wait_refusal("log_unwritable")["code"]
        seen["fence"] = gateway.fence(2).get("code")
        seen["latch"] = gateway.verb("latch", scope="site", id="", reason="disk")
        seen["cancelled"] = venue.wait_for("canceled", 1)
        seen["refused"] = after_the_latch(engine, gateway)
        gateway.kill()
        seen |= after_restart(gateway, disk, how)
    finally:
        gateway.kill()
        venue.close()
    return seen


def after_the_latch(engine: EnginePeer, gateway: Gateway) -> str:
    """How an order is refused now; the fence that was not durable has made the engine stale already."""
    engine.order(100, urn=1000)
    engine.wait_refusal("stale_epoch")
    spare = EnginePeer(gateway.port)
    spare.hello()
    return str(spare.claim(2)["code"])


def after_restart(gateway: Gateway, disk: Path, how: str) -> dict[str, Any]:
    """What a new life of the program believes."""
    if how == "read-only":
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        try:
            gateway.start()
        except RuntimeError as refused:
            return {"latched_after_restart": "exit 75" in str(refused), "detail": str(refused)}
    else:
        gateway.start()
    status = gateway.verb("status")
    return {
        "latched_after_restart": not status["latch"]["clear"],
        "highest_after_restart": status["epoch"]["highest"],
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
