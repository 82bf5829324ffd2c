"""Seeded crash soak of the runner on the real engine, over graphs of objects that are files.

Each round wants another graph, begins to bring it about, and is broken at a random change of the world: the
engine, its language host or the provider is killed, the provider hangs and the engine is killed, or the world
is full. Then `recover` and `up` have to end in what was wanted, and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stacks.errors import StackError
from stacks.rehearsal import objects
from stacks.runner.checkpoint import known_in
from stacks.runner.leftovers import leftovers
from stacks.runner.mend import look, mend, take_over
from stacks.runner.place import place_of
from stacks.runner.run import StackRun
from stacks.runner.tools import find_tools

NAMES = ("net", "key", "disk", "host", "link", "sink", "spare")
BREAKS = ("engine", "host", "provider", "hung provider", "no capacity", "nothing")
MARKS = {"host": "stacks.language.host", "provider": "pulumi.dynamic"}
PAUSE_S = 0.1
WATCH_S = 0.002

Graph = list[dict[str, Any]]


def drawn_graph(draw: random.Random) -> Graph:
    """Some of the names, each needing some of those before it."""
    chosen = [name for name in NAMES if draw.random() < 0.6] or ["net"]
    return [
        {
            "name": name,
            "content": draw.choice("xyz"),
            "place": draw.choice("ab"),
            "needs": [before for before in chosen[:number] if draw.random() < 0.3],
        }
        for number, name in enumerate(chosen)
    ]


def pids_of(root: Path, kind: str) -> tuple[int, ...]:
    """The processes of a run: its engine, its language hosts, its providers."""
    found = []
    for pid in leftovers(root):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
            is_kind = words[0].endswith("/pulumi") if kind == "engine" else MARKS[kind] in words
            found += [pid] if is_kind else []
    return tuple(found)


@dataclass(eq=False)
class Breaker(threading.Thread):
    """Watches the world, and at its COUNT-th change breaks what is to be broken."""

    root: Path
    world: Path
    what: str
    count: int
    broke: bool = False
    ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    def run(self) -> None:
        """Count changes until it is time, or the run has ended."""
        seen, changes = self._look(), 0
        while not self.ended.is_set():
            now = self._look()
            changes += now != seen
            seen = now
            if changes >= self.count:
                self.broke = self._break()
                return
            time.sleep(WATCH_S)

    def _look(self) -> frozenset[tuple[str, int]]:
        found = set()
        for path in self.world.glob("*.json"):
            with contextlib.suppress(OSError):
                found.add((path.name, path.stat().st_mtime_ns))
        return frozenset(found)

    def _break(self) -> bool:
        if self.what == "no capacity":
            (self.world / "capacity").write_text("0")
            return True
        if self.what == "hung provider":
            for pid in pids_of(self.root, "provider"):
                os.kill(pid, signal.SIGSTOP)
        kind = "engine" if self.what == "hung provider" else self.what
        return any([_kill(pid) for pid in pids_of(self.root, kind)] if kind in ("engine", *MARKS) else [])


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@dataclass
class Soak:
    """One stack that goes through all rounds; $HFT_STATE is the caller's to set."""

    folder: Path
    site: str = "soak"

    @property
    def world(self) -> Path:
        """Where the objects are."""
        return self.folder / "world"

    def settings(self, graph: Graph, pause_s: float = PAUSE_S) -> Path:
        """Settings that want this graph."""
        path = self.folder / "settings.yaml"
        config = {"directory": str(self.world), "graph": json.dumps(graph), "pause": str(pause_s)}
        path.write_text(
            yaml.safe_dump({"config": {f"rehearsal:{key}": value for key, value in config.items()}})
        )
        return path

    def open(self, graph: Graph, pause_s: float = PAUSE_S) -> StackRun:
        """The stack with these settings."""
        self.world.mkdir(exist_ok=True)
        place = place_of("rehearsal", self.site)
        return StackRun.open(place, find_tools(""), create=True, settings=self.settings(graph, pause_s))

    def broken_up(self, run: StackRun, what: str, count: int) -> bool:
        """Begin to bring about what is wanted, and break it; whether it was broken in time."""
        breaker = Breaker(root=run.place.root, world=self.world, what=what, count=count)
        breaker.start()
        with contextlib.suppress(StackError):
            run.up(None, lambda _: None)
        breaker.ended.set()
        breaker.join()
        (self.world / "capacity").unlink(missing_ok=True)
        return breaker.broke

    def recovered(self, run: StackRun) -> None:
        """What `hft stack recover` does."""
        take_over(run.place, lambda _: None)
        mend(run.place, look(run.place))
        run.settle(run.decide(), lambda _: None)

    def faults(self, run: StackRun, graph: Graph) -> list[str]:
        """What is not as wanted, a sentence each; the next run has to have nothing to do."""
        there = objects.all_of(self.world)
        in_state = {one.id for one in known_in(run.deployment()) if one.is_real}
        names = Counter(one.name for one in there)
        wanted = {row["name"]: (row["content"], row["place"]) for row in graph}
        plan = self.folder / "noop.plan"
        found = {
            "ids in state are not those of the world": in_state ^ {one.id for one in there},
            "twice": {name for name, count in names.items() if count > 1},
            "not as wanted": {
                one.name for one in there if wanted.get(one.name) != (one.content, one.place) or not one.ready
            },
            "missing": set(wanted) - set(names),
            "left to do": {(one.op, one.urn) for one in run.preview(plan)},
            "left running": set(leftovers(run.place.root)),
        }
        return [f"{what}: {sorted(map(str, which))}" for what, which in found.items() if which]


@dataclass(frozen=True, kw_only=True)
class Tally:
    """What a campaign did, and what was wrong after it."""

    broken: Counter[str]
    faults: Sequence[str]


def campaign(folder: Path, seed: int, rounds: int) -> Tally:
    """ROUNDS breaks of one stack, each recovered from and judged."""
    draw, soak = random.Random(seed), Soak(folder)
    broken: Counter[str] = Counter()
    faults: list[str] = []
    for number in range(rounds):
        what = BREAKS[number % len(BREAKS)]
        graph, count = drawn_graph(draw), draw.randrange(1, 12)
        run = soak.open(graph)
        if soak.broken_up(run, what, count):
            broken[what] += 1
        soak.recovered(run)
        run.up(None, lambda _: None)
        faults += [f"seed {seed}, round {number}, {what}: {one}" for one in soak.faults(run, graph)]
    return Tally(broken=broken, faults=faults)
