"""The part of the disk test that needs mounts of its own: `python3 -m ... NATIVE full|refused`.

Journal and latch of the engine, state and logs of the gateway lie on one small tmpfs. It is filled to the
last page, or every write of the engine fails (setrlimit(2), EFBIG), as on a disk that turned read-only.
Prints one JSON line with what was seen; the caller judges.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.conformance.process import Engine
from tests.integration.engine.gateway.full_disk import fill
from tests.support.engine.chain import Chain, Seat, buy

MARGIN_BYTES = 60_000  # of one admin record: 64 KiB is the longest line
RECORDS_MAX = 200


def small_disk(root: Path) -> Path:
    disk = root / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)], check=True)
    return disk


def break_journal(engine: Engine) -> int:
    """Write records until the journal says that it is broken; its errno."""
    for _ in range(RECORDS_MAX):
        status = engine.status()
        if status["journal"]["broken_errno"]:
            return int(status["journal"]["broken_errno"])
        # Refused, and journaled all the same: what a person asked is an input.
        engine.must_not("illegal_state", "unkill", operator="alice", reason="x" * MARGIN_BYTES)
    raise AssertionError("the journal does not break")


def kill_on_a_bad_disk(chain: Chain, engine: Engine, disk: Path, how: str) -> dict[str, Any]:
    """What an operator sees who kills there."""
    for quantity in (100, 200):
        engine.must("intent", **buy(quantity))
    chain.wait_open(2)
    if how == "full":
        fill(disk)
    else:
        resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (0, 0))
    seen: dict[str, Any] = {"errno": break_journal(engine), "state_before": engine.wait_state("REDUCING")}
    seen["order_before"] = engine.ask("intent", **buy(300))["code"]
    seen["kill"] = engine.must("kill", scope="engine", id="", reason="drill")
    engine.wait_status("the cancels", lambda status: status["open_orders"] == 0)
    seen["order_after"] = engine.ask("intent", **buy(300))["code"]
    seen["again"] = engine.must("kill", scope="engine", id="", reason="drill")
    return seen | {"open": chain.account()["open_orders"], "orders": chain.orders()}


def start_again(chain: Chain, seat: Seat, disk: Path, how: str) -> dict[str, Any]:
    """A new life on the same disk."""
    if how == "refused":
        chain.gateway.kill()  # it writes there
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        return {"exit": seat.launch().wait_exit(or_ready=True)}
    engine = seat.launch()
    refused = engine.wait_exit(or_ready=True)
    (disk / "filler").unlink()
    engine = seat.launch()
    engine.wait_up()
    engine.wait_state("HALTED")
    promoted = engine.ask("promote", epoch=2)
    return {"exit": refused, "after_room": engine.state(), "promote": promoted["code"]}


def latch_at_the_gateway(chain: Chain) -> dict[str, Any]:
    """The gateway's own latch, on the same disk."""
    answer = chain.gateway.verb("latch", scope="site", id="", reason="drill")
    chain.gateway.kill()
    chain.gateway.start()
    return {"durable": answer["durable"], "clear": chain.gateway.verb("status")["latch"]["clear"]}


def main(native: Path, how: str) -> dict[str, Any]:
    """One kill on a bad disk, and a restart."""
    with ExitStack() as stack:
        disk = small_disk(Path(stack.enter_context(TemporaryDirectory(prefix="hft-disk-"))))
        stack.callback(subprocess.run, ["umount", str(disk)], check=True)
        logs = {"state_directory": str(disk / "state"), "log_directory": str(disk / "log")}
        with ExitStack() as inner:
            chain = Chain(native, inner, slots="a", gateway=logs)
            seat = chain.seats["a"]
            seat.config |= {"journal_directory": str(disk / "journal"), "latch_file": str(disk / "latch")}
            engine = seat.active(1)
            seen = kill_on_a_bad_disk(chain, engine, disk, how)
            engine.sigkill()
            if how == "full":
                seen["gateway"] = latch_at_the_gateway(chain)
            return seen | {"restart": start_again(chain, seat, disk, how)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
