"""The engine's run configuration: what the operator wrote, and what is planned. Pure.

The operator says whom to talk to and what to trade (feeds, gateway, strategy, durability); CPUs, paths,
sockets and times come from plan, slot and manifest, and nobody types them twice: a planned key in the
operator's file is refused. A feed's `interface` may be an IPv4 address of the host, the name of an interface,
or a network such as `10.77.1.0/24`, so that one file serves many hosts; of a line that is polled (DPDK) it is
the address itself, which the kernel no longer has. The result is canonical bytes: the
engine's digest of its configuration and the ticket's hash of the file are then the same.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploys.errors import RefusedError
from deploys.slot.placement import Placement
from deploys.slot.slot_state import Address
from engine.contract.canonical import canonical
from engine.contract.config import Config
from engine.contract.faults import fault
from engine.contract.manifest import Manifest
from engine.host import places
from inventory.suggest import did_you_mean

PLANNED = frozenset(
    {
        *("name", "slot", "cpus", "admin_socket", "metrics_page", "journal_directory", "latch_file"),
        *("limits_file", "allowed_signers", "ticket_socket", "drain_timeout_ms"),
    }
)
SLIP = 0.85  # of difflib's ratio: one letter or two of a word
DEFAULTS: Mapping[str, Any] = {
    "rerequest": None,
    "gateway": None,
    "feed_stale_ms": 1000,
    "ring_bytes": 64 << 20,
    "durability": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PolledPort:
    """A port that the engine takes from the kernel: its PCI address, and the IP address that goes with it."""

    pci: str
    address: str


def polled_ports(config: bytes) -> tuple[PolledPort, ...]:
    """The ports that a rendered configuration polls, each once, in the order of the lines."""
    feeds = json.loads(config)["feeds"]
    return tuple(
        dict.fromkeys(
            PolledPort(pci=feed["dpdk"]["pci"], address=feed["interface"])
            for feed in feeds
            if (feed.get("dpdk") or {}).get("pci") is not None
        )
    )


def idle_of(host_class: str, *, is_realtime: bool) -> str:
    """What a hot thread does without work, unless the operator says otherwise.

    A sleeping one costs a wake-up; a spinning one in an emulated guest costs its neighbours their CPU. But on
    PREEMPT_RT the timer that ends the sleep of a thread without real-time priority expires in ktimers/N, and
    that takes the CPU from a thread which a packet has woken meanwhile.
    """
    return "backoff" if host_class == "lab-vm" and not is_realtime else "spin"


def asked_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The operator's share of a configuration that was rendered before."""
    return {key: value for key, value in config.items() if key not in PLANNED}


def render_config(  # noqa: PLR0913  # each by name: what a configuration is made of
    asked: Mapping[str, Any],
    *,
    host: str,
    idle: str,
    slot: str,
    manifest: Manifest,
    placement: Placement,
    addresses: Sequence[Address],
) -> bytes:
    """The canonical bytes of the whole configuration, or RefusedError with the first thing that is wrong."""
    typed = sorted(PLANNED & asked.keys())
    if typed:
        raise RefusedError(
            "", f"--config: {', '.join(typed)} is planned for each host", hint="take it out of the file"
        )
    for key in sorted(asked.keys() - Config.model_fields.keys()):
        # Others are an engine's own, or of one that is newer: only what is all but a known word is a slip.
        if hint := did_you_mean(key, Config.model_fields, alike=SLIP):
            raise RefusedError("", f"--config: there is no key {key!r}{hint}")
    document = {"idle": idle, **DEFAULTS, **asked}
    document["feeds"] = [_feed(feed, addresses) for feed in _list(document, "feeds")]
    document |= _planned(f"{host}-{slot}", slot, document.get("egress"), manifest, placement)
    try:
        Config.model_validate(document)
        return canonical(document)
    except ValueError as error:
        raise RefusedError("", f"--config: {fault(error)}") from error


def _planned(
    name: str, slot: str, egress: object, manifest: Manifest, placement: Placement
) -> dict[str, Any]:
    run, state = places.run_dir(slot), places.state_dir(slot)
    return {
        "name": name,
        "slot": slot,
        "cpus": {role: list(cpus) for role, cpus in sorted(placement.roles.items())},
        "admin_socket": f"{run}/admin.sock",
        "metrics_page": f"{run}/metrics",
        "journal_directory": f"{state}/journal",
        "latch_file": f"{state}/latch",
        "limits_file": places.limits_of(slot),
        "allowed_signers": places.signers_of(slot),
        "ticket_socket": None if egress == "test" else places.TICKET_SOCKET,
        "drain_timeout_ms": manifest.budgets.drain_ms,
    }


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise RefusedError("", f"--config: {key} must be a list")
    return value


def _feed(feed: Any, addresses: Sequence[Address]) -> Any:
    if not isinstance(feed, dict) or not isinstance(feed.get("interface"), str):
        return feed  # the contract's own reading says what is wrong with it
    if feed.get("dpdk") is not None:
        return {**feed, "interface": _polled_address(feed["interface"])}
    return {**feed, "interface": _address(feed["interface"], addresses)}


def _polled_address(wanted: str) -> str:
    try:
        return str(ipaddress.IPv4Address(wanted))
    except ValueError:
        raise RefusedError(
            "", f"--config: a polled feed has its own IPv4 address as interface, not {wanted!r}"
        ) from None


def _address(wanted: str, addresses: Sequence[Address]) -> str:
    """The host's address that is meant; exactly one must be."""
    try:
        network = ipaddress.ip_network(wanted, strict=True)
    except ValueError:
        network = None
    found = [
        one.address
        for one in addresses
        if one.interface == wanted or (network and ipaddress.ip_address(one.address) in network)
    ]
    if len(found) == 1:
        return found[0]
    there = ", ".join(f"{one.interface} {one.address}/{one.prefix}" for one in addresses)
    raise RefusedError("", f"--config: feed interface {wanted!r} names {len(found)} addresses here ({there})")
