"""Signing a limits file: canonical bytes, a serial above the last one, a signature beside it.

The schema of the file is the contract's (engine/contract/limits.py); here its gateway part is checked: a
gateway refuses a file that lacks one of its limits, and it is better to learn that now than at the open.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.contract.canonical import canonical, parse
from engine.ticket import signing
from engine.ticket.epoch import replace_durably
from engine.ticket.errors import TicketError

_GATEWAY_NUMBERS = ("orders_per_s_max", "order_quantity_max_shares", "order_notional_max_e4")


def sign_limits(document: dict[str, Any], path: Path, key: Path) -> None:
    """Write DOCUMENT to PATH and its signature to PATH.sig; TicketError `limits` when it is not allowed."""
    check_gateway_part(document)
    last = _serial_in(path)
    if document["serial"] <= last:
        raise TicketError("limits", f"serial {document['serial']} is not above {last}, the serial of {path}")
    content = canonical(document)
    signature = signing.sign(content, key, signing.LIMITS_NAMESPACE)
    # The signature first: a reader between the two finds one that does not match, and keeps the old limits.
    replace_durably(path.with_name(path.name + ".sig"), signature.encode("ascii"))
    replace_durably(path, content)


def check_gateway_part(document: dict[str, Any]) -> None:
    """Everything a gateway reads is present and of its type."""
    numbers = {"serial": document.get("serial"), "not_after_utc_ns": document.get("not_after_utc_ns")}
    gateway = document.get("gateway")
    if not isinstance(gateway, dict):
        raise TicketError("limits", "the limits have no gateway part")
    numbers |= {name: gateway.get(name) for name in _GATEWAY_NUMBERS}
    for name, value in numbers.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise TicketError("limits", f"{name} must be a whole number, not {value!r}")
    symbols = gateway.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise TicketError("limits", "symbols must be a list of names")


def _serial_in(path: Path) -> int:
    try:
        found: Any = parse(path.read_bytes())
        return int(found["serial"])
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError) as error:
        raise TicketError("limits", f"{path} holds no limits, so its serial is unknown: {error}") from error
