"""One look at everything that the failover file names, side by side, within one deadline.

A program that is dark costs the deadline once, whatever else is dark. An answer that lacks what we need makes
the program silent, with the field that is missing: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, get_args

from failover.proof import Link
from failover.view import Account, ClusterView, EngineSeen, EngineState, GatewaySeen
from hft.runbooks.ask import Question, SilentError, ask
from hft.runbooks.cluster import Cluster, Program
from hft.runbooks.past import Event, automatic_events
from transport.at_once import at_once
from tuning.strict_json import ShapeError, Table

Answers = list[dict[str, Any]] | SilentError
SILENT_AGAIN_S = 0.1  # for a program that was dark a moment ago: it costs the deadline once in a run
_STATES = frozenset(get_args(EngineState))


def ask_all(questions: Sequence[Question]) -> list[Answers]:
    """What each said, or why it said nothing; all at the same time."""

    def one(question: Question) -> Answers:
        try:
            return ask(question)
        except SilentError as error:
            return error

    return at_once(one, questions)


def look(
    cluster: Cluster, deadline_s: float, *, dark: Collection[str] = ()
) -> tuple[ClusterView, tuple[Link, ...] | None]:
    """The view, and the links of the gateway in charge (None when nobody told).

    DARK names programs that did not answer the look before: they are asked again, and not waited for.
    """

    def patience_s(one: Program) -> float:
        return min(deadline_s, SILENT_AGAIN_S) if one.name in dark else deadline_s

    gateway_asks = ({"verb": "status"}, {"verb": "sessions"})
    questions = [
        *(Question(to=one, requests=gateway_asks, patience_s=patience_s(one)) for one in cluster.gateways),
        *(Question(to=one, requests=gateway_asks[:1], patience_s=patience_s(one)) for one in cluster.engines),
    ]
    answers = ask_all(questions)
    count = len(cluster.gateways)
    gateways = [
        gateway_seen(one, answer, cluster.residues.get(one.name))
        for one, answer in zip(cluster.gateways, answers[:count], strict=True)
    ]
    engines = [engine_seen(one, answer) for one, answer in zip(cluster.engines, answers[count:], strict=True)]
    view = ClusterView(gateways=tuple(gateways), engines=tuple(engines))
    in_charge = view.in_charge
    if in_charge is None:
        return view, None
    answer = answers[[one.name for one in cluster.gateways].index(in_charge.name)]
    return view, None if isinstance(answer, SilentError) else links_of(answer[1])


def past_of(cluster: Cluster, deadline_s: float) -> tuple[list[Event], list[str]]:
    """The failovers that gateways made by themselves, and a sentence for each gateway that cannot say."""
    questions = [
        Question(to=one, requests=({"verb": "status"},), patience_s=deadline_s) for one in cluster.gateways
    ]
    found: list[Event] = []
    dark: list[str] = []
    for one, answer in zip(cluster.gateways, ask_all(questions), strict=True):
        try:
            if isinstance(answer, SilentError):
                raise answer
            found += automatic_events(one.name, answer[0])
        except (SilentError, ShapeError) as error:
            dark.append(f"{one.name}: {error}; what it did by itself is not shown")
    return found, dark


def gateway_seen(program: Program, answers: Answers, residue: int | None) -> GatewaySeen:
    """A gateway's `status` as a value."""
    if isinstance(answers, SilentError):
        return GatewaySeen(name=program.name, residue=residue, silent=str(answers))
    try:
        table = Table.of(answers[0])
        epoch, latch = table.table("epoch"), table.table("latch")
        return GatewaySeen(
            name=program.name,
            residue=residue,
            is_active=table.flag("active"),
            epoch=epoch.integer("highest"),
            is_durable=epoch.flag("durable"),
            holder=epoch.text("holder"),
            enforces=table.flag("epoch_enforced"),
            latches=tuple(_latch(one) for one in latch.rows("entries")),
            latch_numbers=tuple(one.integer("number") for one in latch.rows("entries")),
            holds=tuple(_holds(table)),
            armed=_armed(table),
            held_off=_held_off(table),
            accounts=tuple(_account(name, one) for name, one in table.tables("accounts")),
        )
    except ShapeError as error:
        return GatewaySeen(
            name=program.name, residue=residue, silent=f"its status is not understood: {error}"
        )


def _latch(entry: Table) -> str:
    scope = " ".join(word for word in (entry.text("scope"), entry.text("id")) if word)
    return f"{scope} (number {entry.integer('number')}): {entry.text('reason')}"


def _holds(table: Table) -> Iterator[str]:
    """What holds planned moves off; nothing of a gateway of an earlier release, which has no pause."""
    if "automatic" in table.fields:
        for kind, one in table.table("automatic").tables("holds"):
            yield f"{kind} for {one.integer('left_s')} s more, by {one.text('by')}: {one.text('reason')}"


def _armed(table: Table) -> str:
    """The succession that a gateway has, in words; nothing of an earlier release, which acts on none."""
    if "automatic" not in table.fields or table.table("automatic").fields.get("succession") is None:
        return ""
    one = table.table("automatic").table("succession")
    return f"{one.text('successor')} after {one.integer('silence_ms')} ms of silence"


def _held_off(table: Table) -> str:
    if "automatic" not in table.fields or table.table("automatic").fields.get("held_off_by") is None:
        return ""
    return table.table("automatic").text("held_off_by")


def _account(name: str, table: Table) -> Account:
    return Account(
        name=name,
        is_up=table.text("phase") == "ready",
        open_orders=table.integer("open"),
        last_urn=table.integer("last_urn"),
        positions=positions_of(table.table("position").fields),
    )


def positions_of(fields: Mapping[str, object]) -> dict[str, int]:
    """Shares by symbol; ShapeError when one is no number."""
    found = {str(symbol): shares for symbol, shares in fields.items() if isinstance(shares, int)}
    if len(found) != len(fields):
        raise ShapeError("position: expected numbers")
    return found


def links_of(answer: Mapping[str, Any]) -> tuple[Link, ...] | None:
    """A gateway's `sessions` as values; None when it is not understood."""
    try:
        return tuple(
            Link(party=one.text("party"), epoch=one.integer("epoch"), is_open=one.text("phase") == "open")
            for one in Table.of(dict(answer)).rows("links")
        )
    except ShapeError:
        return None


def engine_seen(program: Program, answers: Answers) -> EngineSeen:
    """An engine's `status` as a value (docs/engine-contract.md)."""
    if isinstance(answers, SilentError):
        return EngineSeen(holder=program.name, silent=str(answers))
    try:
        table = Table.of(answers[0])
        feed, journal, state = table.table("feed"), table.table("journal"), table.text("state")
        if state not in _STATES:
            raise ShapeError(f"state: {state!r} is none of the contract")
        found: Any = state
        return EngineSeen(
            holder=program.name,
            state=found,
            epoch=table.integer("epoch"),
            highest_epoch=table.integer("highest_epoch"),
            is_latched=table.table_or_none("latch") is not None,
            is_fresh=feed.flag("fresh") and not feed.flag("gapped"),
            artifact=table.text("artifact_digest"),
            config=table.text("config_digest"),
            limits=table.table("limits").text("digest"),
            egress=table.text("egress"),
            open_orders=table.integer("open_orders"),
            positions=positions_of(table.table("positions").fields),
            undurable=max(0, journal.integer("appended") - journal.integer("durable")),
        )
    except ShapeError as error:
        return EngineSeen(holder=program.name, silent=f"its status is not understood: {error}")
