"""The admin socket: a Unix stream socket, one JSON object per line in each direction, in order.

Requests are `{"verb":...}`; answers `{"ok":true,...}` or `{"ok":false,"code":..,"detail":..}`. The socket is
mode 0600 or 0660. Every request but `status`, `role`, `digest` and `histograms` is journaled with the peer's
credentials (SO_PEERCRED, unix(7)) before it takes effect.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, StringConstraints

from engine.contract.config import Egress
from engine.contract.levels import Level
from engine.contract.manifest import Digest
from engine.contract.states import State
from engine.contract.versioning import Part

Text: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LINE_BYTES_MAX = 65536


class Promote(Part):
    """Become ACTIVE with this epoch; answers once it is ACTIVE, or why it is not."""

    verb: Literal["promote"]
    epoch: int = Field(ge=1, le=36**5 - 1)


class Kill(Part):
    """Set the latch, block orders and cancel; answers after the cancels are written."""

    verb: Literal["kill"]
    scope: Literal["engine", "strategy", "account", "site"] = "engine"
    id: str = ""
    reason: Text


class Unkill(Part):
    """Clear the latch: needs a named operator and a reason."""

    verb: Literal["unkill"]
    operator: Text
    reason: Text


class Reduce(Part):
    """ACTIVE to REDUCING."""

    verb: Literal["reduce"]
    reason: Text


class Resume(Part):
    """REDUCING to ACTIVE; resets the repeated-execution counter."""

    verb: Literal["resume"]
    operator: Text
    reason: Text


class Intent(Part):
    """Conformance only: an order through the real risk checks and the real egress."""

    verb: Literal["intent"]
    type: Literal["enter"] = "enter"
    side: Literal["B", "S"]
    quantity: int = Field(ge=0, le=999_999)
    symbol: str
    price_e4: int = Field(ge=0)


class CancelIntent(Part):
    """Conformance only: cancel one open order."""

    verb: Literal["intent"]
    type: Literal["cancel"]
    urn: int = Field(ge=1)


class Stall(Part):
    """Conformance only: stop the hot loop, and nothing else, for this long."""

    verb: Literal["stall"]
    ms: int = Field(ge=1, le=10_000)


class Plain(Part):
    """Verbs without arguments."""

    verb: Literal["status", "role", "demote", "drain", "limits", "digest", "histograms", "snapshot"]


Request: TypeAlias = Promote | Kill | Unkill | Reduce | Resume | Intent | CancelIntent | Stall | Plain
REQUESTS: tuple[type[Part], ...] = (
    Plain, Promote, Kill, Unkill, Reduce, Resume, Intent, CancelIntent, Stall,
)  # fmt: skip


class Refused(Part):
    """The answer to any refused request."""

    ok: Literal[False]
    code: str
    detail: str


class Latch(Part):
    """Who set the latch, and why."""

    scope: str
    id: str
    reason: str


class FeedStatus(Part):
    """Whether the book can be trusted."""

    fresh: bool
    gapped: bool
    next_sequence: int


class LimitsStatus(Part):
    """The limits in force."""

    ok: Literal[True] = True
    serial: int
    digest: Digest
    refused: int = Field(description="reloads refused since the start")
    not_after_utc_ns: int


class JournalStatus(Part):
    """Offsets, and what the last start found."""

    appended: int = Field(description="input_seq of the last record appended")
    durable: int = Field(description="input_seq of the last record known to be on disk")
    recovered_records: int
    dropped_bytes: int = Field(description="bytes after the last complete record, truncated at this start")


class Status(Part):
    """The answer to `status`."""

    ok: Literal[True]
    state: State = Field(strict=False)
    ready: bool
    level: Level = Field(strict=False)
    contract: str
    egress: Egress
    conformance: bool
    pid: int
    epoch: int = Field(description="the epoch held; 0 when none")
    highest_epoch: int = Field(description="the highest epoch ever seen; survives restarts")
    latch: Latch | None
    limits: LimitsStatus
    artifact_digest: Digest
    config_digest: Digest
    feed: FeedStatus
    connected: bool = Field(description="logged in at the gateway")
    positions: dict[str, int]
    open_orders: int
    journal: JournalStatus


class Digests(Part):
    """The answer to `digest`: equal to what `--replay` prints for the same journal."""

    ok: Literal[True]
    input_seq: int
    state_digest: Digest
    decision_digest: Digest


class Killed(Part):
    """The answer to `kill`: what it did and what it left."""

    ok: Literal[True]
    open_before: int
    cancels_sent: int
    cancels_acked: int
    fills_since: int
    positions: dict[str, int]
    flattened: Literal[False] = Field(description="a kill cancels; it does not trade")


class Sent(Part):
    """The answer to an accepted `intent`."""

    ok: Literal[True]
    urn: int
    clordid: str


class Done(Part):
    """The answer to any other verb."""

    ok: Literal[True]


ANSWERS: dict[str, type[Part]] = {
    "status": Status, "role": Done, "promote": Done, "demote": Done, "drain": Done, "kill": Killed,
    "unkill": Done,
    "reduce": Done, "resume": Done, "limits": LimitsStatus, "digest": Digests, "histograms": Done,
    "snapshot": Done, "intent": Sent, "stall": Done,
}  # fmt: skip
