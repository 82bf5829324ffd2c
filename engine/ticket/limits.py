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

_LETTERS = ("times_in_force", "displays", "capacities", "cross_types")
_SHARES = ("positions_at_open", "locates")
_VENUE_RULES = (*_LETTERS, "ticks", *_SHARES)
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
    for key in ("symbols", "halted"):
        names = gateway.get(key, [] if key == "halted" else None)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TicketError("limits", f"{key} must be a list of names")
    unknown = sorted(gateway.keys() - {*_GATEWAY_NUMBERS, "symbols", "halted", *_VENUE_RULES})
    if unknown:
        raise TicketError("limits", f"{unknown[0]} is not a key of the gateway's part")
    for key in _LETTERS:
        letters = gateway.get(key, ["?"])
        if not isinstance(letters, list) or not letters or not all(_is_letter(letter) for letter in letters):
            raise TicketError("limits", f"{key} must be a list of single letters")
    _check_ticks(gateway.get("ticks", [{"from_price_e4": 0, "tick_e4": 1}]))
    for key in _SHARES:
        _check_shares(key, gateway.get(key, {}))


def _is_letter(value: object) -> bool:
    return isinstance(value, str) and len(value) == 1 and value.isascii()


def _is_whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check_ticks(ticks: object) -> None:
    """From price 0 on, rising, none of them zero."""
    last = -1
    for tick in ticks if isinstance(ticks, list) else ():
        is_tick = isinstance(tick, dict) and _is_whole(tick.get("tick_e4"), 1)
        begin = tick.get("from_price_e4") if is_tick else None
        if not isinstance(begin, int) or begin <= last or (last < 0 < begin):
            break
        last = begin
    else:
        if last >= 0:
            return
    raise TicketError("limits", "ticks must be a list of from_price_e4 and tick_e4, rising from price 0")


def _check_shares(key: str, accounts: object) -> None:
    least = 0 if key == "locates" else -(10**12)
    symbols = list(accounts.values()) if isinstance(accounts, dict) else [None]
    if not all(
        isinstance(shares, dict) and all(_is_whole(n, least) for n in shares.values()) for shares in symbols
    ):
        raise TicketError(
            "limits", f"{key} must name accounts, and for each symbols with whole numbers of shares"
        )


def _serial_in(path: Path) -> int:
    try:
        found: Any = parse(path.read_bytes())
        return int(found["serial"])
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError) as error:
        raise TicketError("limits", f"{path} holds no limits, so its serial is unknown: {error}") from error
