"""After the moves: what has to be true before anybody is told that it worked. Pure.

Shares nothing with the decisions that led here: it reads a new look, and the gateway's own list of links,
which shows who is logged in with which epoch. A question that nobody answered is unverified, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from failover.view import ClusterView

ProofCode = Literal[
    "epoch_in_force", "successor_active", "successor_logged_in", "nobody_else", "no_newer_login"
]
Verdict = Literal["ok", "violated", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One engine's connection to the gateway in charge, as the gateway has it."""

    party: str  # HOST/SLOT
    epoch: int
    is_open: bool  # logged in


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One statement about the end, and whether it holds."""

    code: ProofCode
    verdict: Verdict
    seen: str


def proofs(view: ClusterView, links: Sequence[Link] | None, to: str, epoch: int) -> tuple[Proof, ...]:
    """All statements, for a move that ends with TO trading in EPOCH; LINKS None: nobody said."""
    return tuple(_proofs(view, links, to, epoch))


def _proofs(view: ClusterView, links: Sequence[Link] | None, to: str, epoch: int) -> Iterator[Proof]:
    gateway = view.in_charge
    seen = f"epoch {gateway.epoch} of {gateway.holder}" if gateway else "no gateway in charge answers"
    in_force = gateway is not None and (gateway.epoch, gateway.holder) == (epoch, to)
    yield _proof(
        "epoch_in_force", in_force and gateway is not None and gateway.is_durable, gateway is None, seen
    )
    engine = view.engine(to)
    if engine is None or engine.silent:
        yield _proof("successor_active", False, True, f"{to} does not answer")
    else:
        trades = engine.trades and engine.epoch == epoch
        yield _proof("successor_active", trades, False, f"{to} is {engine.state} with epoch {engine.epoch}")
    mine = [one for one in links or () if one.party == to and one.epoch == epoch and one.is_open]
    yield _proof(
        "successor_logged_in", len(mine) == 1, links is None, f"{len(mine)} links of {to} are logged in"
    )
    others = [one.holder for one in view.engines if one.trades and one.holder != to]
    silent = [one.holder for one in view.engines if one.silent and one.holder != to]
    said = ", ".join(others) or (
        f"{', '.join(silent)} cannot be asked; the gateway refuses its orders" if silent else ""
    )
    yield _proof("nobody_else", not others, False, said or "no other engine says that it trades")
    newer = [f"{one.party} with {one.epoch}" for one in links or () if one.is_open and one.epoch > epoch]
    yield _proof("no_newer_login", not newer, links is None, ", ".join(newer) or "no link has a newer epoch")


def _proof(code: ProofCode, holds: bool, is_unknown: bool, seen: str) -> Proof:
    verdict: Verdict = "unverified" if is_unknown else "ok" if holds else "violated"
    return Proof(code=code, verdict=verdict, seen=seen)


def worst(found: Sequence[Proof]) -> Verdict:
    """Violated before unverified before ok."""
    verdicts = {one.verdict for one in found}
    return "violated" if "violated" in verdicts else "unverified" if "unverified" in verdicts else "ok"
