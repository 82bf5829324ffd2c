"""The part of the gate test that needs a network of its own: `python3 -m ... NATIVE drop|gate|stopped`.

The engine sits in a network namespace of its own, as on its own host; venue and gateway are across a veth
pair. Prints one JSON line with what was seen; the caller judges.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.conformance.process import Engine
from tests.support.commands import output
from tests.support.engine.chain import Chain, Net, buy, trading

SITE, HOST = "10.77.0.1", "10.77.0.2"
WAIT_S = 30.0
DROP = """
table inet only_drops {{
  chain out {{
    type filter hook output priority 0; policy accept;
    ip daddr {host} tcp dport {port} drop
  }}
}}
"""


def two_hosts(holder: Path) -> Net:
    """The engine's namespace, held by a bind mount in this private mount namespace, and a cable to it."""
    holder.touch()
    output("unshare", f"--net={holder}", "true")
    there = ("nsenter", f"--net={holder}")
    output("ip", "link", "set", "lo", "up")
    output("ip", "link", "add", "site", "type", "veth", "peer", "name", "host", "netns", str(holder))
    output("ip", "address", "add", f"{SITE}/24", "dev", "site")
    output("ip", "link", "set", "site", "up")
    output(*there, "ip", "address", "add", f"{HOST}/24", "dev", "host")
    output(*there, "ip", "link", "set", "lo", "up")
    output(*there, "ip", "link", "set", "host", "up")
    return Net(site=SITE, engine=HOST, enter=there)


class Bench:
    """One chain across the cable, and what is done on the engine's host."""

    def __init__(self, native: Path, stack: ExitStack) -> None:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="hft-net-")))
        net = two_hosts(folder / "net")
        stack.callback(output, "umount", str(folder / "net"))
        self.chain = Chain(native, stack, slots="a", net=net)
        self.seat = self.chain.seats["a"]
        self.seen: dict[str, Any] = {}

    def gate(self, *arguments: str) -> dict[str, Any]:
        """The shipped tool on the engine's host."""
        argv = [*self.chain.net.enter, sys.executable, "-m", "engine.host.egress_filter", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        answer = json.loads(done.stdout or "{}")
        return {"exit": done.returncode, "detail": done.stderr.strip(), **answer}

    def close(self, *arguments: str) -> dict[str, Any]:
        return self.gate("close", "--to", f"{SITE}:{self.chain.gateway.port}", *arguments)

    def open(self) -> dict[str, Any]:
        return self.gate("open", "--engine", str(self.seat.directory / "admin"))

    def drop(self) -> None:
        """What a gate must not be: packets vanish, sockets live."""
        rules = DROP.format(host=SITE, port=self.chain.gateway.port)
        output(*self.chain.net.enter, "nft", "--file", "-", stdin=rules)

    def lift_drop(self) -> None:
        output(*self.chain.net.enter, "nft", "delete", "table", "inet", "only_drops")

    def written_but_not_out(self) -> Engine:
        """An engine with an open order, and another order that its kernel keeps sending in vain."""
        engine = self.seat.active(1)
        engine.must("intent", **buy())
        self.chain.wait_open(1)
        self.drop()
        engine.must("intent", **buy(200))
        self.chain.until(
            lambda: engine.metric("engine_orders_sent_total") == 2, "the second order's way to the socket"
        )
        self.seen["before"] = self.chain.orders()
        return engine

    def wait_and_count(self, engine: Engine) -> None:
        """30 s with the gate open, then the venue's word."""
        time.sleep(WAIT_S)
        self.seen |= {"after": self.chain.orders(), "state": engine.state()}
        self.seen["open"] = self.chain.account()["open_orders"]


def drop(bench: Bench) -> None:
    """The negative control: the engine itself is killed, and its order arrives when the filter is gone."""
    engine = bench.written_but_not_out()
    engine.signal(signal.SIGUSR1)
    engine.wait_state("HALTED")
    bench.lift_drop()
    bench.wait_and_count(engine)


def gate(bench: Bench) -> None:
    """The same order in the same socket, and the shipped tool."""
    engine = bench.written_but_not_out()
    bench.seen["closed"] = bench.close("--engine", str(bench.seat.directory / "admin"))
    bench.seen["signalled_it"] = bench.seen["closed"]["signalled"] == engine.pid
    bench.lift_drop()
    engine.wait_state("HALTED")
    bench.seen["status"] = bench.gate("status")["exit"]
    time.sleep(1.0)  # the engine tries to connect all the time, to cancel
    bench.seen["while_closed"] = bench.chain.orders()
    bench.seen["opened"] = bench.open()
    bench.wait_and_count(engine)


def stopped(bench: Bench) -> None:
    """An engine that does not obey: stopped, closed without a signal, let go on with reasons to trade."""
    trading(bench.chain)
    engine = bench.chain.running()
    engine.signal(signal.SIGSTOP)
    time.sleep(0.1)
    bench.seen["before"] = bench.chain.orders()
    bench.seen["closed"] = bench.close()
    bench.seen["opened_while_stopped"] = bench.open()
    for _ in range(5):
        bench.chain.tilt()
    engine.signal(signal.SIGCONT)
    for _ in range(20):
        bench.chain.tilt()
        time.sleep(0.1)
    bench.seen |= {"while_closed": bench.chain.orders(), "went_on": engine.state()}
    bench.seen["opened_while_active"] = bench.open()
    engine.must("kill", scope="engine", id="", reason="drill")
    bench.seen["opened"] = bench.open()
    bench.wait_and_count(engine)


HOW: dict[str, Callable[[Bench], None]] = {"drop": drop, "gate": gate, "stopped": stopped}


def main(native: Path, how: str) -> dict[str, Any]:
    """One run; everything ends with it."""
    with ExitStack() as stack:
        bench = Bench(native, stack)
        HOW[how](bench)
        return bench.seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2])))
