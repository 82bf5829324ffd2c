"""`python3 -m engine.host.egress_filter`: kill an engine from its host, without the engine's help.

Why not simply drop packets: TCP keeps unacknowledged data and retransmits it once the filter is lifted, so an
order written before the kill would reach the venue after it. Closing therefore takes two steps, in this
order: a filter that answers every segment to the gateways with a reset (nft(8), `reject with tcp reset`),
then the destruction of the sockets connected to them (ss(8), `--kill`) with whatever they still hold. Resets
may leave, so that the gateway learns at once that its engine is gone. Destruction needs a kernel with
CONFIG_INET_DIAG_DESTROY; ss silently skips what it cannot close, so the sockets are listed again afterwards,
and a remaining one is a failure.

The gate is not a latch: an engine that still believes it is ACTIVE would connect and send again once the gate
opens, and orders open at the venue stay open until the gateway's latch cancels them. `--engine SOCKET` names
the engine's admin socket: `close` sends SIGUSR1 to the process that listens there, which stays pending even
while it is stopped (signal(7)), and `open` refuses until the engine reports that it cannot trade. A gate is
gone after a reboot, the latches of engine and gateway are not. Needs root, in the network namespace of the
engine. Standard library only.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.ticket.fence import call

EXIT_DONE, EXIT_CONFIG, EXIT_NOT_SAFE, EXIT_RETRY = 0, 64, 69, 75
TABLE = "hft_gate"
PATIENCE_S = 5.0
LEFT_PATIENCE_S = 1.0  # for a connect(2) already in progress in the kernel
CANNOT_TRADE = ("INIT", "SYNCING", "STANDBY", "HALTED", "STOPPED")
EPILOG = """examples:
  python3 -m engine.host.egress_filter close --to 10.20.0.5:7001 --engine /run/hft/a/admin
  python3 -m engine.host.egress_filter open --engine /run/hft/a/admin
  python3 -m engine.host.egress_filter status

One JSON line on standard output. Exit codes: 0 done (status: the gate is open), 64 bad arguments, 69 not
safe (close: a socket is left; open: the engine may trade or does not answer; status: the gate is closed), 75
nft or ss is missing or failed."""


class GateError(Exception):
    """A failure; `code` is the exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Gateway:
    """One address that orders are sent to."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Gateway:
        """From HOST:PORT, IPv4."""
        host, _, port = text.rpartition(":")
        try:
            number = int(port)
            if not 0 < number < 65536:
                raise ValueError(port)
            return cls(str(ipaddress.IPv4Address(host)), number)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is not IPV4:PORT") from error


def ruleset(gateways: list[Gateway]) -> str:
    """One nft transaction: the old table is replaced atomically."""
    elements = ", ".join(f"{gateway.host} . {gateway.port}" for gateway in gateways)
    return f"""
table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
  set gateways {{ type ipv4_addr . inet_service; elements = {{ {elements} }} }}
  chain out {{
    type filter hook output priority -300; policy accept;
    ip daddr . tcp dport @gateways tcp flags & rst == rst accept
    ip daddr . tcp dport @gateways counter reject with tcp reset
  }}
}}
"""


def run(*argv: str, text: str | None = None, may_fail: bool = False) -> str:
    """Standard output of a command."""
    if shutil.which(argv[0]) is None:
        raise GateError(EXIT_RETRY, f"{argv[0]} is not installed")
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0 and not may_fail:
        raise GateError(EXIT_RETRY, f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def sockets_to(gateway: Gateway, *options: str) -> int:
    """How many sockets are connected to it; with `--kill`, how many were destroyed."""
    chosen = [
        "state",
        "connected",
        "exclude",
        "time-wait",
        "dst",
        gateway.host,
        "dport",
        "=",
        f":{gateway.port}",
    ]
    return len(run("ss", "--no-header", "--tcp", "--numeric", *options, *chosen).splitlines())


def destroy(gateways: list[Gateway]) -> tuple[int, int]:
    """Destroyed and left over."""
    destroyed, end = 0, time.monotonic() + LEFT_PATIENCE_S
    while True:
        destroyed += sum(sockets_to(gateway, "--kill") for gateway in gateways)
        left = sum(sockets_to(gateway) for gateway in gateways)
        if left == 0 or time.monotonic() > end:
            return destroyed, left
        time.sleep(0.05)


def listener_pid(admin_socket: Path) -> int | None:
    """Who listens there, from the kernel (SO_PEERCRED, unix(7)): a stopped process need not answer."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PATIENCE_S)
        try:
            probe.connect(str(admin_socket))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def close(gateways: list[Gateway], engine: Path | None) -> dict[str, Any]:
    """Filter, then sockets, then the engine's own latch; the order matters."""
    run("nft", "--file", "-", text=ruleset(gateways))
    destroyed, left = destroy(gateways)
    pid = listener_pid(engine) if engine is not None else None
    if pid is not None:
        os.kill(pid, signal.SIGUSR1)
    answer = {"closed": True, "destroyed": destroyed, "left": left, "signalled": pid}
    if left:
        print(json.dumps(answer))
        raise GateError(
            EXIT_NOT_SAFE, f"{left} sockets are left: does the kernel have CONFIG_INET_DIAG_DESTROY?"
        )
    return answer


def why_not_open(engine: Path) -> str | None:
    """Why the gate must stay closed for this engine; None when it cannot trade."""
    if listener_pid(engine) is None:
        return None  # no process: an engine that starts there starts cold, and reads its latch first
    try:
        status = call(engine, "status", patience_s=PATIENCE_S)
    except (OSError, ValueError) as error:
        return f"{engine} does not answer ({error}): kill the process, or resume it (SIGCONT)"
    if status.get("state") in CANNOT_TRADE:
        return None
    return f"the engine is {status.get('state')}: kill it first, or it trades as soon as the gate opens"


def lift(engines: list[Path], force: str) -> dict[str, Any]:
    """Remove the filter, unless an engine behind it may still send."""
    if not engines and not force:
        raise GateError(EXIT_CONFIG, "open needs --engine SOCKET, or --force REASON")
    for engine in engines if not force else []:
        if (why := why_not_open(engine)) is not None:
            raise GateError(EXIT_NOT_SAFE, why)
    run("nft", "--file", "-", text=f"table inet {TABLE}\ndelete table inet {TABLE}\n")
    return {"closed": False, "forced": force or None}


def is_closed() -> bool:
    """Whether the filter is in place."""
    return f"table inet {TABLE}" in run("nft", "list", "tables").splitlines()


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python3 -m engine.host.egress_filter", description=__doc__, epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    verbs = made.add_subparsers(dest="verb", required=True)
    closing = verbs.add_parser("close", help="reject with a reset, destroy the sockets, signal the engine")
    closing.add_argument("--to", type=Gateway.parse, action="append", required=True, metavar="IPV4:PORT")
    closing.add_argument("--engine", type=Path, metavar="SOCKET", help="admin socket of the engine to signal")
    opening = verbs.add_parser("open", help="lift the filter once the engine cannot trade")
    opening.add_argument("--engine", type=Path, action="append", default=[], metavar="SOCKET")
    opening.add_argument("--force", default="", metavar="REASON", help="lift it whatever the engine may do")
    verbs.add_parser("status", help="is the gate closed?")
    return made


def main(argv: list[str]) -> int:
    """Run one verb."""
    try:
        options = parser().parse_args(argv)
    except SystemExit as bad:  # argparse exits with 2, or 0 after --help
        return EXIT_CONFIG if bad.code else EXIT_DONE
    verbs: dict[str, Callable[[], dict[str, Any]]] = {
        "close": lambda: close(options.to, options.engine),
        "open": lambda: lift(options.engine, options.force),
        "status": lambda: {"closed": is_closed()},
    }
    try:
        answer = verbs[options.verb]()
    except (GateError, OSError) as error:
        print(f"gate: {error}", file=sys.stderr)
        return error.code if isinstance(error, GateError) else EXIT_RETRY
    print(json.dumps(answer))
    return EXIT_NOT_SAFE if options.verb == "status" and answer["closed"] else EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
