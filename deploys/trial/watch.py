"""The controller's half of a trial boot: restart, recognise, confirm over new connections, and the deadman.

The host needs us for one thing only, to prove that it can be reached. If this process dies at any point the
host decides alone, and `resume_open_trial` of the next run finds the result or goes on confirming. If the
host dies, its own guards bring it back (GRUB's guarded entry, `panic=`, the health service, the watchdog);
after all of them had their time the deadman cycles its power."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from deploys.agent_client.call import agent_argv, over_ssh, read_json
from deploys.agent_client.status import status_of_host
from deploys.errors import DeployError, RefusedError
from deploys.trial.states import Cause, Move, Standing, Step, cause_of, next_step
from inventory.power import Power
from inventory.power_evidence import Mark
from transport.child import pause
from transport.errors import HostError, UnreachableError
from transport.hint import command
from transport.sanitize import printable
from transport.ssh import Ssh

CALL_TIMEOUT_S = 30.0
ARM_TIMEOUT_S = 120.0
POLL_S = 2.0
# Why one who is logged in here cannot confirm once more (agent/boot/states.py, decide_confirm).
NEEDS_A_LOGIN = frozenset({"no_connection", "same_connection"})
EVIDENCE_DIR = "/var/lib/hft/rollback"
KEEP_CONSOLE = 'umask 077 && mkdir -p "$0" && cat >"$0/console.txt" && sync "$0/console.txt"'
RETURN_S: Mapping[str, float] = {"lab-vm": 240.0, "cloud": 300.0, "bare-metal": 900.0}

Progress = Callable[[str], None]


class Times(Protocol):
    """What the inventory says about trials of this class of host."""

    @property
    def trial_s(self) -> int: ...
    @property
    def watchdog_s(self) -> int: ...
    @property
    def confirm_gap_s(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutcome:
    """How a trial ended: `brought_back_by` is empty after a commit."""

    host: str
    txn: str
    result: Literal["committed", "rolled_back"]
    brought_back_by: str
    reason: str
    seconds: float
    console: str | None = field(default=None, repr=False)

    @property
    def sentence(self) -> str:
        """For the operator, without the host's name."""
        if self.result == "committed":
            return f"the trial boot of {self.txn} was healthy, confirmed, committed in {self.seconds:.0f} s"
        return (
            f"the trial boot of {self.txn} was rolled back, the host is on its old entry after "
            f"{self.seconds:.0f} s; brought back by {self.brought_back_by}: {self.reason}"
        )


@dataclass(kw_only=True)
class Watch:
    """One trial being watched; `at` is told of each moment (armed, healthy, confirmed): drills cut there."""

    ssh: Ssh
    power: Power
    txn: str
    times: Times
    return_s: float
    progress: Progress
    sleep: Callable[[float], None] = pause
    clock: Callable[[], float] = time.monotonic
    before: str = ""
    mark: Mark = field(default_factory=Mark)
    began_s: float = 0.0
    deadman: bool = False
    said: str = ""
    at: Callable[[str], None] = lambda _moment: None

    @property
    def name(self) -> str:
        """The host's name."""
        return self.ssh.name

    def agent(self, *words: str, timeout_s: float = CALL_TIMEOUT_S) -> Mapping[str, Any]:
        """One verb of the agent over a connection of its own."""
        return read_json(self.name, over_ssh(self.ssh)(agent_argv(*words), b"", timeout_s)).fields

    def status(self) -> Mapping[str, Any]:
        """The host's own record, without starting anything on a machine that may just be booting."""
        return status_of_host(self.ssh, CALL_TIMEOUT_S)

    def begin(self, *, drained: bool) -> None:
        """Arm the one-shot and restart; an answer lost on the way is found out by watching."""
        self.began_s = self.clock()
        self.mark = self.power.mark()
        self.before = Standing.of(self.status()).boot_id
        words = ("reboot", self.txn, *(["--drained"] if drained else []))
        try:
            answer = self.agent(*words, timeout_s=ARM_TIMEOUT_S)
        except UnreachableError as error:
            self.say(f"no answer to the restart ({error}); watching")
            return
        if answer.get("result") != "armed":
            raise RefusedError(self.name, f"{printable(str(answer.get('message', 'no reason given')))}")
        self.say("armed; restarting into the candidate")
        self.at("armed")

    def look(self) -> Standing | None:
        """The host's own record, None while nothing answers."""
        try:
            return Standing.of(self.status())
        except HostError:  # not up yet
            return None

    def confirm(self) -> None:
        """One confirmation over a new connection, and the gap that has to follow it."""
        try:
            answer = self.agent("confirm", self.txn)
        except HostError as error:
            self.say(f"confirmation failed: {error}")
            return
        if answer.get("accepted"):
            self.say(printable(str(answer.get("message", "confirmed"))))
            if answer.get("confirmed") == answer.get("confirmations"):
                self.at("confirmed")
                return
            self.sleep(self.times.confirm_gap_s)
        if self.ssh.here and answer.get("code") in NEEDS_A_LOGIN:
            raise RefusedError(
                self.name,
                f"{self.txn} waits for another login: {printable(str(answer.get('message')))}",
                hint=f"log in over SSH anew and run: {command('apply', '--yes')}",
            )

    def run(self) -> TrialOutcome:
        """Until the host has committed or rolled back; the deadman once in between."""
        patience_s = max(self.times.trial_s, self.times.watchdog_s) + self.return_s
        deadline = self.clock() + patience_s
        while True:
            step = next_step(self.look(), self.txn, self.before)
            self.say(step.reason)
            match step.move:
                case Move.COMMITTED | Move.ROLLED_BACK:
                    return self.ended(step)
                case Move.LOST:
                    raise DeployError(self.name, f"{printable(step.reason)}")
                case Move.CONFIRM:
                    self.at("healthy")
                    self.confirm()
                case Move.WAIT | Move.FINISHING:
                    pass
            if self.clock() > deadline:
                if step.move is Move.FINISHING:
                    raise DeployError(self.name, f"decided about {self.txn} but cannot finish: {step.reason}")
                self.cut_power(patience_s)
                deadline = self.clock() + 2 * self.return_s
            self.sleep(POLL_S)

    def cut_power(self, waited_s: float) -> None:
        """The deadman, once: every guard of the host had its time."""
        where = f"neither committed nor back {waited_s:.0f} s after the restart of {self.txn}"
        if self.deadman:
            raise UnreachableError(self.name, f"{where}, even after a power cycle", hint="check its console")
        if not self.power.can_cycle:
            raise UnreachableError(self.name, f"{where}; {self.power.describe()}")
        self.say(f"gone for {waited_s:.0f} s: cycling its power ({self.power.describe()})")
        self.deadman = True
        self.power.cycle()

    def ended(self, step: Step) -> TrialOutcome:
        """The outcome, with who brought the host back."""
        evidence = self.power.evidence(self.mark)
        cause = Cause(by="", reason=step.reason)
        if step.move is Move.ROLLED_BACK:
            seen = self.look()
            said = seen.last_rollback if seen is not None else {}
            cause = cause_of(said, evidence, deadman=self.deadman)
            self.keep_console(evidence.console)
        return TrialOutcome(
            host=self.name,
            txn=self.txn,
            result="committed" if step.move is Move.COMMITTED else "rolled_back",
            brought_back_by=cause.by,
            reason=printable(cause.reason),
            seconds=self.clock() - self.began_s,
            console=evidence.console,
        )

    def keep_console(self, console: str | None) -> None:
        """Put what the failed boot printed beside its journal on the host; the outcome carries it anyway."""
        if not console:
            return
        argv = ["sh", "-c", KEEP_CONSOLE, f"{EVIDENCE_DIR}/{self.txn}"]
        try:
            over_ssh(self.ssh)(argv, console.encode(), CALL_TIMEOUT_S)
        except HostError as error:
            self.say(f"its console text could not be kept on the host: {error}")

    def say(self, sentence: str) -> None:
        """Progress, when something changed."""
        if sentence and sentence != self.said:
            self.progress(f"{self.name}: {printable(sentence)}")
            self.said = sentence


def watch_of(  # noqa: PLR0913  # one trial, each thing by name
    *, ssh: Ssh, power: Power, txn: str, times: Times, progress: Progress, host_class: str
) -> Watch:
    """A trial to be watched, with the patience its class of host needs for a restart."""
    return_s = RETURN_S[host_class] * ssh.patience
    return Watch(ssh=ssh, power=power, txn=txn, times=times, return_s=return_s, progress=progress)


def run_trial(  # noqa: PLR0913  # as above
    *,
    ssh: Ssh,
    power: Power,
    txn: str,
    times: Times,
    progress: Progress,
    host_class: str = "bare-metal",
    drained: bool = False,
) -> TrialOutcome:
    """Try what is staged on this host and watch it to its end."""
    watch = watch_of(ssh=ssh, power=power, txn=txn, times=times, progress=progress, host_class=host_class)
    watch.begin(drained=drained)
    return watch.run()


def resume_open_trial(  # noqa: PLR0913  # as above
    *,
    ssh: Ssh,
    power: Power,
    txn: str,
    times: Times,
    progress: Progress,
    host_class: str = "bare-metal",
) -> TrialOutcome:
    """Go on with a trial that another controller armed: confirm it, or see what became of it."""
    watch = watch_of(ssh=ssh, power=power, txn=txn, times=times, progress=progress, host_class=host_class)
    watch.began_s = watch.clock()
    watch.say(f"the trial {txn} was left open by another run; going on with it")
    return watch.run()
