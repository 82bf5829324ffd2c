"""States of an engine: a table of edges with triggers and guards, not a line.

Shadow is an egress mode and not a state. Whatever is not an edge here is illegal: it is refused with the code
`illegal_state` (or a closer one), changes nothing, and the conformance suite tries it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What an engine is doing, as it tells it in `status`, `STATUS=`, metrics and journal."""

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
    State.STANDBY: "in step and able to become ACTIVE; sends nothing",
    State.ACTIVE: "holds the epoch and may send orders",
    State.REDUCING: "holds the epoch; cancels, and orders that bring a position nearer to zero, are all it "
    "sends",
    State.HALTED: "the kill latch is set or unreadable; sends cancels only",
    State.DRAINING: "takes no intent, cancels what is open, then stops",
    State.STOPPED: "the process is about to exit; its exit code says how",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One legal move; TRIGGERS are admin verbs, signals or causes of the engine's own."""

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
        why="a start is always cold: nothing but an operator's promote leads to orders",
    ),
    Edge(
        source=State.SYNCING,
        target=State.STANDBY,
        triggers=("feed_fresh",),
        guards=("no open gap", "last packet younger than `feed_stale_ms`"),
        why="only an engine with a true book may be promoted",
    ),
    Edge(
        source=State.STANDBY,
        target=State.SYNCING,
        triggers=("feed_lost",),
        why="a spare with an old book must not look promotable",
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
        why="the fence decides who trades; the engine only follows it",
    ),
    Edge(
        source=State.ACTIVE,
        target=State.REDUCING,
        triggers=("reduce", "daily_loss", "repeated_executions", "feed_lost"),
        why="a doubt about the market or about itself lowers risk before a person looks",
    ),
    Edge(
        source=State.REDUCING,
        target=State.ACTIVE,
        triggers=("resume",),
        guards=("named operator and reason", "feed fresh", "cause is gone or its counter was reset"),
        why="trading goes on by a person's decision, never by time",
    ),
    *(
        Edge(
            source=source,
            target=State.STANDBY,
            triggers=("demote", "stale_epoch"),
            why="another engine holds the epoch: send nothing, cancel nothing, its orders may be among ours",
        )
        for source in (State.ACTIVE, State.REDUCING)
    ),
    *(
        Edge(
            source=source,
            target=State.HALTED,
            triggers=("kill", "SIGUSR1", "latch_unreadable") if source is State.INIT else ("kill", "SIGUSR1"),
            why="a kill works from everywhere; an unreadable latch counts as set",
        )
        for source in (*_LIVE, State.DRAINING)
    ),
    Edge(
        source=State.HALTED,
        target=State.SYNCING,
        triggers=("unkill",),
        guards=("named operator and reason", "latch cleared on disk"),
        why="never straight to ACTIVE: it must sync, and someone must promote it with a new epoch",
    ),
    *(
        Edge(
            source=source,
            target=State.DRAINING,
            triggers=("drain", "SIGTERM"),
            why="stopping cancels first; from HALTED the latch stays set for the next start",
        )
        for source in (*_LIVE, State.HALTED)
    ),
    Edge(
        source=State.DRAINING,
        target=State.STOPPED,
        triggers=("drained", "drain_timeout", "SIGTERM"),
        why="the exit code tells drained (0) from given up (69)",
    ),
)

# Admin verbs and signals that ask for a move; every other trigger is the engine's own finding.
ASKED: tuple[str, ...] = ("promote", "demote", "reduce", "resume", "kill", "unkill", "drain")


def legal(source: State, target: State) -> bool:
    """Whether the table has this edge."""
    return any(edge.source is source and edge.target is target for edge in EDGES)


def illegal_edges() -> tuple[tuple[State, State], ...]:
    """Every ordered pair of different states that is not an edge."""
    return tuple((a, b) for a in State for b in State if a is not b and not legal(a, b))


def takes(source: State, verb: str) -> bool:
    """Whether an admin verb asks for an edge that exists from this state."""
    return any(edge.source is source and verb in edge.triggers for edge in EDGES)


def illegal_asks() -> tuple[tuple[State, str], ...]:
    """Every admin verb in every state that has no edge for it.

    A repeated kill or drain is not illegal but already done: both answer ok and change nothing, since
    whoever presses the button twice must never read an error.
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
