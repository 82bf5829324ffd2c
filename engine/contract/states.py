"""States of an engine: a table of edges with triggers and guards.

Theory. An engine is safe if it cannot send an order that nobody authorised. Three facts authorise one, each
owned by somebody else: the epoch (the authority; gateways fence every older one), the latch (an operator) and
the feed (the venue). The states are the combinations that matter, ordered by what may leave the process:

    nothing           INIT, SYNCING, STANDBY, STOPPED
    cancels           HALTED, DRAINING
    and reductions    REDUCING
    and new orders    ACTIVE

Rules the table follows, and that make it safe to die at any point:

1. A start is cold. Only INIT -> SYNCING -> STANDBY happen without a person, and none of these may send; so a
   supervisor's restart can never trade beside the engine that took over.
2. There is one way up: STANDBY -> ACTIVE, by `promote` with an epoch above every one this engine has seen.
   The request is journaled before it takes effect, so that a restart cannot reuse an epoch.
3. Anyone and anything may lower risk (kill, reduce, drain, a stale feed, a loss), at once and without a
   guard. Only a named operator may raise it (`unkill`, `resume`, `promote`), and never in one step: HALTED
   goes back through SYNCING and needs a new epoch.
4. A kill is written to the latch file before the state changes, and an unreadable latch counts as set: a
   crash in between leads to HALTED at the next start, never to STANDBY.
5. Losing the epoch sends nothing, not even cancels: from then on the orders belong to the new leader.
6. DRAINING ends in STOPPED whatever the venue answers; the exit code says whether orders may be open.

Shadow is an egress mode, not a state. Whatever is not an edge is illegal: it is refused with the code
`illegal_state` (or a more specific one), changes nothing, and the conformance suite tries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What an engine is doing, as reported in `status`, `STATUS=`, metrics and journal."""

    INIT = "INIT"
    SYNCING = "SYNCING"
    STANDBY = "STANDBY"
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"
    DRAINING = "DRAINING"
    STOPPED = "STOPPED"


NUMBER: dict[State, int] = {state: number for number, state in enumerate(State)}

MEANING: dict[State, str] = {
    State.INIT: "reads configuration, latch, limits and journal; no feed, no gateway",
    State.SYNCING: "builds its book from the feed; not promotable",
    State.STANDBY: "in sync and able to become ACTIVE; sends nothing",
    State.ACTIVE: "holds the epoch and may send orders",
    State.REDUCING: "holds the epoch; sends only cancels, and orders that bring a position nearer to zero",
    State.HALTED: "the kill latch is set or unreadable; sends cancels only",
    State.DRAINING: "takes no intent, cancels what is open, then stops",
    State.STOPPED: "the process is about to exit; its exit code says how",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One legal transition; TRIGGERS are admin verbs, signals or internal causes."""

    source: State
    target: State
    triggers: tuple[str, ...]
    guards: tuple[str, ...] = ()
    why: str


_LIVE = (State.INIT, State.SYNCING, State.STANDBY, State.ACTIVE, State.REDUCING)

EDGES: tuple[Edge, ...] = (
    Edge(
        source=State.INIT,
        target=State.SYNCING,
        triggers=("start",),
        guards=("latch readable and clear", "limits loaded, signed, not expired", "journal recovered"),
        why="a start is always cold: only an operator's promote leads to orders",
    ),
    Edge(
        source=State.SYNCING,
        target=State.STANDBY,
        triggers=("feed_fresh",),
        guards=("no open gap", "last packet younger than `feed_stale_ms`"),
        why="only an engine with a correct book may be promoted",
    ),
    Edge(
        source=State.STANDBY,
        target=State.SYNCING,
        triggers=("feed_lost",),
        why="a standby with a stale book must not look promotable",
    ),
    Edge(
        source=State.STANDBY,
        target=State.ACTIVE,
        triggers=("promote",),
        guards=(
            "epoch greater than the highest ever seen",
            "latch clear",
            "risk state loaded and reconciled",
            "feed fresh",
            "gateway accepted HELLO, CLAIM and login (level `trading`)",
        ),
        why="the fence decides who trades; the engine only follows",
    ),
    Edge(
        source=State.ACTIVE,
        target=State.REDUCING,
        triggers=("reduce", "daily_loss", "repeated_executions", "feed_lost"),
        why="doubt about the market or about itself lowers risk before a person looks",
    ),
    Edge(
        source=State.REDUCING,
        target=State.ACTIVE,
        triggers=("resume",),
        guards=("named operator and reason", "feed fresh", "cause is gone or its counter was reset"),
        why="trading resumes by a person's decision, never by a timer",
    ),
    *(
        Edge(
            source=source,
            target=State.STANDBY,
            triggers=("demote", "stale_epoch"),
            why="another engine holds the epoch: send nothing, cancel nothing, open orders may be its own",
        )
        for source in (State.ACTIVE, State.REDUCING)
    ),
    *(
        Edge(
            source=source,
            target=State.HALTED,
            triggers=("kill", "SIGUSR1", "latch_unreadable") if source is State.INIT else ("kill", "SIGUSR1"),
            why="a kill works in every state; an unreadable latch counts as set",
        )
        for source in (*_LIVE, State.DRAINING)
    ),
    Edge(
        source=State.HALTED,
        target=State.SYNCING,
        triggers=("unkill",),
        guards=("named operator and reason", "latch cleared on disk"),
        why="never straight to ACTIVE: it must sync, and be promoted with a new epoch",
    ),
    *(
        Edge(
            source=source,
            target=State.DRAINING,
            triggers=("drain", "SIGTERM"),
            why="stopping cancels first; coming from HALTED, the latch stays set for the next start",
        )
        for source in (*_LIVE, State.HALTED)
    ),
    Edge(
        source=State.DRAINING,
        target=State.STOPPED,
        triggers=("drained", "drain_timeout", "SIGTERM"),
        why="the exit code tells drained (0) from timed out (69)",
    ),
)

# Admin verbs and signals that request a transition; every other trigger is internal.
ASKED: tuple[str, ...] = ("promote", "demote", "reduce", "resume", "kill", "unkill", "drain")


def legal(source: State, target: State) -> bool:
    """Whether the table has this edge."""
    return any(edge.source is source and edge.target is target for edge in EDGES)


def illegal_edges() -> tuple[tuple[State, State], ...]:
    """Every ordered pair of different states that is not an edge."""
    return tuple((a, b) for a in State for b in State if a is not b and not legal(a, b))


def takes(source: State, verb: str) -> bool:
    """Whether an admin verb has an edge from this state."""
    return any(edge.source is source and verb in edge.triggers for edge in EDGES)


def illegal_asks() -> tuple[tuple[State, str], ...]:
    """Every admin verb in every state that has no edge for it.

    A repeated kill or drain is not illegal but already done: both answer ok and change nothing, since
    an operator who repeats a kill must never see an error.
    """
    done = {(State.HALTED, "kill"), (State.DRAINING, "drain")}
    gone = (State.STOPPED, State.INIT)  # no admin socket answers there
    return tuple(
        (state, verb)
        for state in State
        if state not in gone
        for verb in ASKED
        if not takes(state, verb) and (state, verb) not in done
    )
