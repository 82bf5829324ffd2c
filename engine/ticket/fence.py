"""Fencing a session: every gateway named for it must ack, or the venue must have disabled a silent one.

An unreachable gateway may still hold a session and forward for the old holder, so its silence never counts as
an ack. The new holder trades only after `Outcome.is_fenced`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.contract.canonical import parse
from engine.ticket.epoch import Fence
from engine.ticket.errors import TicketError

_PATIENCE_S = 10.0
_ANSWER_BYTES_MAX = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer of each named gateway, and whether together they are a fence."""

    is_fenced: bool
    sentence: str
    acks: Mapping[str, Mapping[str, Any]]


def fence_session(
    fence: Fence,
    gateways: Mapping[str, Callable[[Fence], Mapping[str, Any]]],
    disable_at_venue: Callable[[str], bool],
) -> Outcome:
    """Ask every gateway; for each silent one ask the venue to disable its session."""
    acks: dict[str, Mapping[str, Any]] = {}
    disabled: set[str] = set()
    refused: dict[str, str] = {}
    for name, send in gateways.items():
        try:
            answer = send(fence)
        except OSError:
            if disable_at_venue(name):
                disabled.add(name)
            continue
        if answer.get("ok") is True and answer.get("epoch") == fence.epoch:
            acks[name] = answer
        else:
            refused[name] = str(answer.get("code", "no answer"))
    return decide(tuple(gateways), acks, frozenset(disabled), refused)


def decide(
    named: tuple[str, ...],
    acks: Mapping[str, Mapping[str, Any]],
    disabled: frozenset[str],
    refused: Mapping[str, str],
) -> Outcome:
    """The rule alone."""
    if not named:
        return Outcome(is_fenced=False, sentence="no gateway is named for the session", acks=acks)
    for name in named:
        if name in refused:
            return Outcome(is_fenced=False, sentence=f"{name} refused the fence: {refused[name]}", acks=acks)
        if name not in acks and name not in disabled:
            sentence = f"{name} is silent and the venue has not disabled its session"
            return Outcome(is_fenced=False, sentence=sentence, acks=acks)
    how = f", the venue disabled {', '.join(sorted(disabled))}" if disabled else ""
    return Outcome(is_fenced=True, sentence=f"{len(acks)} of {len(named)} gateways acked{how}", acks=acks)


def call(
    admin_socket: Path, verb: str, *, patience_s: float = _PATIENCE_S, **fields: object
) -> dict[str, Any]:
    """One admin verb over a program's Unix socket; OSError when nothing answers."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(patience_s)
        link.connect(str(admin_socket))
        link.sendall(json.dumps({"verb": verb, **fields}).encode() + b"\n")
        answer = bytearray()
        while not answer.endswith(b"\n"):
            piece = link.recv(65536)
            if not piece or len(answer) > _ANSWER_BYTES_MAX:
                raise ConnectionResetError(f"{admin_socket}: the answer is truncated")
            answer += piece
    document = parse(bytes(answer))
    if not isinstance(document, dict):
        raise TicketError("answer", f"{admin_socket}: the answer is not a JSON object")
    return document


def send_fence(admin_socket: Path) -> Callable[[Fence], Mapping[str, Any]]:
    """A fence call to the gateway that listens there."""
    return lambda fence: call(admin_socket, "fence", **fence.message())
