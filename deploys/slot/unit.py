"""The systemd units of a slot (systemd.service(5), systemd.exec(5), systemd 252). Pure: values in, text out.

Each line of the template stands below its why. What differs between hosts is computed here: how long a start
and a stop may take (the manifest's budgets, stretched where the host is emulated) and when silence of the
watchdog means that the hot loop hangs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deploys.paths import ENGINE_SLICE, GATE, LIB_DIR
from deploys.slot.config import PolledPort
from deploys.slot.placement import Placement
from deploys.tune.render import fill
from engine.contract.manifest import Manifest
from engine.host import places

TICKET_UNIT = "hft-ticket.service"
TICKET_PROGRAM = f"{LIB_DIR}/ticket.pyz"
MARGIN_S = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How slow a class of hosts may be; an emulated CPU may stand still for seconds."""

    stretch: int
    watchdog_s: int


PACES: Mapping[str, Pace] = {
    "bare-metal": Pace(stretch=1, watchdog_s=2),
    "cloud": Pace(stretch=2, watchdog_s=5),
    "lab-vm": Pace(stretch=12, watchdog_s=30),
}


def engine_unit(  # noqa: PLR0913  # each by name: what a unit is made of
    manifest: Manifest,
    digest: str,
    placement: Placement,
    *,
    slot: str,
    host_class: str,
    plan_hash: str,
    polled: Sequence[PolledPort] = (),
    management: Sequence[str] = (),
) -> str:
    """The unit of one slot; it takes the POLLED ports from the kernel, and none of MANAGEMENT."""
    pace, budgets = PACES[host_class], manifest.budgets
    policies = [one.priority for one in manifest.threads if one.policy in {"fifo", "rr"}]
    return fill(
        "engine.service.j2",
        name=f"{manifest.identity.name} {manifest.identity.version}",
        slot=slot,
        plan_hash=plan_hash,
        gate=GATE,
        ticket_unit=TICKET_UNIT,
        binds=[bind_argv(port, management) for port in polled],
        argv=start_argv(manifest, digest),
        program=TICKET_PROGRAM,
        config=places.config_of(slot),
        slice=ENGINE_SLICE,
        placement=placement,
        rtprio=max(policies, default=0),
        start_s=_seconds(budgets.startup_ms * pace.stretch),
        stop_s=_seconds(budgets.drain_ms * pace.stretch),
        drain_ms=budgets.drain_ms,
        watchdog_s=pace.watchdog_s,
        account=places.ACCOUNT,
        run_dir=places.run_dir(slot).removeprefix("/run/"),
        state_dir=places.state_dir(slot).removeprefix("/var/lib/"),
        device_policy="auto" if manifest.nic.mode in {"dpdk", "onload"} else "closed",
    )


def start_argv(manifest: Manifest, digest: str) -> list[str]:
    """Interpreter (systemd finds it on its own fixed path), program by digest, fixed arguments; quoted."""
    words = [
        *manifest.exec.interpreter,
        f"{places.release_dir(digest)}/{manifest.exec.program}",
        *manifest.exec.arguments,
    ]
    return [_quoted(word) for word in words]


def bind_argv(port: PolledPort, management: Sequence[str]) -> list[str]:
    """The words of engine.host.nic that take a port from the kernel for the engine's account."""
    words = ["nic", "bind", port.pci, "--owner", places.ACCOUNT, "--give-up", port.address]
    return [_quoted(word) for word in (*words, *(f"--management={name}" for name in management))]


def ticket_unit() -> str:
    """The unit of the ticket issuer."""
    return fill(
        "ticket.service.j2",
        program=TICKET_PROGRAM,
        config=places.TICKET_CONFIG,
        socket=places.TICKET_SOCKET,
        run_dir=places.TICKET_DIR.removeprefix("/run/"),
    )


def _quoted(word: str) -> str:
    """One word of a command line, with nothing left for systemd to expand (systemd.service(5))."""
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    if not plain.isprintable():
        raise ValueError(f"{word!r} cannot stand on a command line")
    return f'"{plain}"' if not plain or any(c in plain for c in " ;'\"\\") else plain


def _seconds(ms: int) -> int:
    return math.ceil(ms / 1000) + MARGIN_S
