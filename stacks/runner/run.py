"""One stack through Pulumi's Automation API: preview, up, refresh, destroy, outputs, and recovery.

Before anything that changes, three things are looked at: whether a lock is there, whether an earlier run left
something open, and whether a resource that must stay would go. The engine finds out about each of them too
late.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.automation import Deployment, LocalWorkspace, Stack
from pulumi.automation.errors import CommandError, ConcurrentUpdateError

from stacks.errors import RunFailedError, StackError, StackLockedError, UnsettledError
from stacks.runner.checkpoint import known_in, name_of, pending_in, protected_in
from stacks.runner.command import Engine, host_version
from stacks.runner.lock import locks_in
from stacks.runner.place import Place, make_ready
from stacks.runner.project_world import world_of
from stacks.runner.records import (
    Recording,
    last_run,
    read_deployment,
    recover_command,
    recover_hint,
    versions,
)
from stacks.runner.seen import Change, Seen, Told
from stacks.runner.settle import Settlement, settled, settlement
from stacks.runner.tools import Tools, environment
from stacks.runner.versions import moved, unlike
from stacks.runner.world import World

TRACEBACK = "Traceback (most recent call last)"
SAID_MAX = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class StackRun:
    """A stack that exists, with the engine that runs it."""

    place: Place
    tools: Tools
    engine: Engine
    stack: Stack

    @staticmethod
    def open(  # noqa: PLR0913  # each by name
        place: Place,
        tools: Tools,
        *,
        create: bool,
        settings: Path | None = None,
        moves: bool = False,
        interrupted: Callable[[], None] = lambda: None,
    ) -> StackRun:
        """Make the place ready and select the stack; StackError when it is not there, nor to be CREATEd.

        StackError, too, where another Python or a newer engine wrote its state, unless it MOVES to these.
        """
        if not create and not place.checkpoint.exists():
            raise StackError(
                f"{place.project}: there is no stack for site {place.site}; "
                f"hint: hft stack up {place.project} --site {place.site}"
            )
        read_deployment(place)  # in our words: the engine says "EOF"
        make_ready(place, settings)
        engine = Engine(tools, interrupted)
        now = versions(str(engine.version))
        if fault := unlike(now["engine"], now["sdk"], host_version(tools)):
            raise StackError(f"{fault}; hint: install them of one release, or make setup-stacks")
        if not moves and (fault := moved(last_run(place), now)):
            raise StackError(
                f"{place.who}: {fault}; hint: that one, or {recover_command(place)} to go on with this"
            )
        workspace = LocalWorkspace(
            work_dir=str(place.work),
            env_vars=environment(tools, place.root),
            pulumi_command=engine,
        )
        try:
            stack = (Stack.create_or_select if create else Stack.select)(place.site, workspace)
        except CommandError as error:
            raise StackError(f"{place.project}: {_said(error, [])}") from error
        return StackRun(place=place, tools=tools, engine=engine, stack=stack)

    def sentence(self) -> str:
        """Which engine, language host and providers run."""
        return self.tools.sentence(str(self.engine.version))

    # --- looking

    def deployment(self) -> dict[str, Any]:
        """The state as the engine last wrote it; StackError when it cannot be read."""
        return read_deployment(self.place)

    def world(self) -> World | None:
        """The project's own view of what is there; None for a project that has none."""
        return world_of(self.place)

    def check_settled(self) -> dict[str, Any]:
        """Refuse while a lock is there or an earlier run is open; returns the state."""
        for lock in locks_in(self.place.locks):
            if lock.dead:
                raise StackLockedError(
                    f"{self.place.who}: locked by {lock.owner}, {lock.dead}; {self._recover()}"
                )
            raise StackLockedError(
                f"{self.place.who}: locked by {lock.owner}; hint: wait for it; "
                "where only its own machine can tell whether it lives, run hft stack recover there"
            )
        deployment = self.deployment()
        if open_ones := [name_of(one.urn) for one in pending_in(deployment)]:
            raise UnsettledError(
                f"{self.place.who}: a run was cut off at {', '.join(open_ones)}; {self._recover()}"
            )
        world = self.world()
        if world is not None:
            ids = {one.id for one in known_in(deployment)}
            if stray := sorted(one.id for one in world.objects() if one.id not in ids):
                raise UnsettledError(
                    f"{self.place.who}: {', '.join(stray)} is there and no state knows it; {self._recover()}"
                )
        return deployment

    # --- runs

    def preview(self, plan: Path, *, refresh: bool = False) -> tuple[Change, ...]:
        """Decide without doing; `up` is bound to PLAN then. StackError when the program refuses."""
        self.check_settled()
        seen = Seen()
        try:
            self.stack.preview(
                plan=str(plan), on_event=seen, refresh=refresh or None, suppress_outputs=True, color="never"
            )
        except CommandError as error:
            raise self._failed(error, seen, begun=False) from error
        plan.chmod(0o600)
        return tuple(sorted(seen.changes))

    def up(self, plan: Path | None, told: Told, *, refresh: bool = False) -> tuple[Change, ...]:
        """Do what PLAN says and nothing else (without one, what the program says now).

        RunFailedError when it ends in the middle.
        """
        self.check_settled()
        seen = Seen(told=told)
        with self._recording("up"):
            try:
                self.stack.up(
                    plan=str(plan) if plan else None,
                    on_event=seen,
                    refresh=refresh or None,
                    suppress_outputs=True,
                    color="never",
                )
            except CommandError as error:
                raise self._failed(error, seen, begun=True) from error
        return tuple(sorted(seen.changes))

    def drift(self) -> tuple[Change, ...]:
        """What of the state is no longer so, without writing it down."""
        self.check_settled()
        seen = Seen(is_refresh=True)
        try:
            self.stack.preview_refresh(on_event=seen, suppress_outputs=True, color="never")
        except CommandError as error:
            raise self._failed(error, seen, begun=False) from error
        return tuple(sorted(seen.changes))

    def refresh(self, told: Told) -> tuple[Change, ...]:
        """Take what is there into the state; changes nothing else."""
        self.check_settled()
        return self._refreshed(told)

    def _refreshed(self, told: Told) -> tuple[Change, ...]:
        seen = Seen(told=told, is_refresh=True)
        with self._recording("refresh"):
            try:
                self.stack.refresh(on_event=seen, suppress_outputs=True, color="never")
            except CommandError as error:
                raise self._failed(error, seen, begun=True) from error
        return tuple(sorted(seen.changes))

    def check_destroyable(self) -> tuple[str, ...]:
        """The names of what would go; StackError before anything when a protected resource is among it."""
        deployment = self.check_settled()
        if kept := [name_of(urn) for urn in protected_in(deployment)]:
            raise StackError(
                f"{self.place.who}: {', '.join(kept)} is protected, so nothing was deleted; "
                "hint: take its protection away in the settings, hft stack up, then destroy"
            )
        return tuple(sorted(name_of(one.urn) for one in known_in(deployment) if one.is_real))

    def destroy(self, told: Told) -> tuple[Change, ...]:
        """Delete every object of the stack, and the stack with its settings."""
        self.check_destroyable()
        seen = Seen(told=told)
        with self._recording("destroy"):
            try:
                self.stack.destroy(on_event=seen, suppress_outputs=True, color="never")
            except CommandError as error:
                raise self._failed(error, seen, begun=True) from error
        self.stack.workspace.remove_stack(self.place.site)
        self.place.record.unlink(missing_ok=True)
        return tuple(sorted(seen.changes))

    # --- recovery

    def decide(self) -> Settlement:
        """What the last run left open and what becomes of it."""
        world = self.world()
        there, types = (world.objects(), world.types) if world else ((), frozenset[str]())
        return settlement(self.deployment(), there, types)

    def settle(self, decided: Settlement, told: Told) -> tuple[Change, ...]:
        """Do it: delete, adopt, then take what is there into the state."""
        world = self.world()
        for item in decided.delete:
            assert world is not None
            world.delete(item)
        after = settled(self.deployment(), decided)
        try:
            self.stack.import_stack(Deployment(version=3, deployment=after))
        except CommandError as error:
            raise StackError(
                f"{self.place.who}: the state could not be written: {_said(error, [])}"
            ) from error
        return self._refreshed(told)

    # --- settings

    def set_secret(self, key: str, value: str) -> None:
        """Keep a setting encrypted; it is given by standard input, because anybody may read arguments."""
        argv = [str(self.tools.engine), "--non-interactive", "config", "set", "--secret"]
        done = subprocess.run(
            [*argv, "--stack", self.place.site, key],
            cwd=self.place.work,
            env={**os.environ, **environment(self.tools, self.place.root)},
            input=value,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            said = " ".join(done.stderr.split()).removeprefix("error: ")[:300]
            raise StackError(f"{self.place.who}: {key} was not set: {said}")

    # --- helpers

    def _recover(self) -> str:
        return recover_hint(self.place)

    def _recording(self, verb: str) -> Recording:
        return Recording(self.place.record, {"verb": verb, **versions(str(self.engine.version))})

    def _failed(self, error: CommandError, seen: Seen, *, begun: bool) -> StackError:
        said = _said(error, seen.errors)
        if isinstance(error, ConcurrentUpdateError):
            return StackLockedError(f"{self.place.who}: {said}")
        if not begun or not (seen.changes or seen.failed):
            return StackError(f"{self.place.who}: {said}")
        where = ", ".join(name_of(one.urn) for one in seen.failed) or "an unknown place"
        return RunFailedError(
            f"{self.place.who}: ended in the middle, at {where}: {said}; its outputs are those of the last "
            f"good run; {self._recover()}, then up"
        )


def _said(error: CommandError, errors: list[str]) -> str:
    """The sentence of a failed command: its own diagnostics, else what it printed."""
    if errors:
        return "; ".join(dict.fromkeys(_without_traceback(one) for one in errors))[:SAID_MAX]
    lines = [line.strip() for line in str(error).splitlines() if line.strip().startswith("error:")]
    said = _without_traceback(" ".join(lines) or str(error))
    return said.removeprefix("error:").strip()[:SAID_MAX]


def _without_traceback(text: str) -> str:
    """What is said before a traceback of Python; of one with nothing before it, its exception's own words."""
    before, mark, _ = text.partition(TRACEBACK)
    if mark and not before.strip(" :\n"):
        _, *frames = text.rpartition(TRACEBACK)[2].splitlines()
        said = [line for line in frames if not line.startswith(" ")]  # a frame is indented
        before = "\n".join(said).partition(": ")[2] or "\n".join(said)  # after its type
    return " ".join(before.split()).strip(" :")
