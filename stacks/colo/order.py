"""Machine orders: a machine as on the delivery note, and what it is to be. Refused in one sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DISK = re.compile(r"/dev/[a-z0-9]{2,20}")
DISK = "/dev/vda"
_REQUIRED = ("name", "uuid", "serial", "macs")
_KEYS = {*_REQUIRED, "bios", "disk"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One machine: NAME is the host's, the rest is what its BMC has to show. BIOS: attribute -> value."""

    name: str
    uuid: str
    serial: str
    macs: tuple[str, ...]
    bios: Mapping[str, str]
    disk: str = DISK


def order_of(row: Mapping[str, Any]) -> Order:
    """The order of one machine; ValueError with one sentence for what is none."""
    name = row.get("name", "?")
    if unknown := sorted(set(row) - _KEYS):
        raise ValueError(f"{name}: no such key: {', '.join(unknown)}; there are {', '.join(sorted(_KEYS))}")
    if missing := [key for key in _REQUIRED if not row.get(key)]:
        raise ValueError(f"{name}: {', '.join(missing)} is missing: the delivery note has it")
    bios, macs = row.get("bios", {}), row["macs"]
    if not isinstance(macs, list) or not all(isinstance(mac, str) and _MAC.fullmatch(mac) for mac in macs):
        raise ValueError(f"{name}: macs: a list of addresses such as 52:54:00:12:34:56")
    if not isinstance(bios, dict) or not all(isinstance(one, str) for pair in bios.items() for one in pair):
        raise ValueError(f"{name}: bios: attributes with their values, both text")
    order = Order(
        name=str(name),
        uuid=str(row["uuid"]).lower(),
        serial=str(row["serial"]),
        macs=tuple(sorted(macs)),
        bios=bios,
        disk=str(row.get("disk", DISK)),
    )
    for key, pattern in (("name", _NAME), ("uuid", _UUID), ("disk", _DISK)):
        if not pattern.fullmatch(getattr(order, key)):
            raise ValueError(f"{name}: {key}: {getattr(order, key)!r} is none")
    return order


def orders_of(text: str) -> tuple[Order, ...]:
    """The orders of a JSON list; ValueError with one sentence for what is no list of orders."""
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("expected a list of machines")
    orders = tuple(order_of(row) for row in rows)
    for key in ("name", "uuid", "serial"):
        values = [getattr(order, key) for order in orders]
        if twice := sorted({value for value in values if values.count(value) > 1}):
            raise ValueError(f"two machines with the same {key}: {', '.join(twice)}")
    return orders
