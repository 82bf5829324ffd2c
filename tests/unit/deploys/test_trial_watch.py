"""The watch over one trial, played against a scripted host: confirmations, the lost answer, the deadman."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from deploys.errors import DeployError, RefusedError
from deploys.trial.watch import Watch
from inventory.model import Trial
from inventory.power_evidence import Evidence, Mark
from transport.errors import UnreachableError
from transport.options import Destination
from transport.ssh import Ssh

TXN = "20261121T101500-3f2a9c1b"
TIMES = Trial(trial_s=100, watchdog_s=120, confirm_gap_s=10)
ROLLED = {"txn": TXN, "brought_back_by": "unknown", "reason": "GRUB started the candidate"}


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Hand:
    cycled: int = 0
    can_cycle: bool = True
    seen: Evidence = field(default_factory=Evidence)

    def off(self) -> None: ...
    def on(self) -> None: ...

    def cycle(self) -> None:
        self.cycled += 1

    def describe(self) -> str:
        return "a hand"

    def mark(self) -> Mark:
        return Mark()

    def evidence(self, since: Mark) -> Evidence:
        return self.seen


def status(state: str | None, boot_id: str = "new", closed: bool = False) -> dict[str, Any]:
    trial = None if state is None else {"txn": TXN, "state": state, "reason": state, "closed": closed}
    last = ROLLED if state == "rolled_back" else None
    return {"boot_id": boot_id, "entry": "candidate", "trial": trial, "last_rollback": last}


@dataclass(kw_only=True)
class Scripted(Watch):
    """Answers `status` from a list, the last one for ever; an exception in the list is raised."""

    script: Sequence[Any] = ()
    confirms: int = 0
    words: list[tuple[str, ...]] = field(default_factory=list)
    armed: Any = None
    kept: list[str | None] = field(default_factory=list)
    refused: dict[str, Any] | None = None  # the answer to every confirmation but the first

    def keep_console(self, console: str | None) -> None:
        self.kept.append(console)

    def status(self) -> Mapping[str, Any]:
        return self.agent("status")

    def agent(self, *words: str, timeout_s: float = 0.0) -> Mapping[str, Any]:
        self.words.append(words)
        answer: Any = {"accepted": True, "message": "ok", "confirmed": self.confirms + 1, "confirmations": 2}
        if words[0] == "status":
            answer = self.script[0]
            self.script = self.script[1:] or self.script
        elif words[0] == "reboot":
            answer = self.armed or {"result": "armed"}
        else:
            self.confirms += 1
            if self.refused is not None and self.confirms > 1:
                answer = self.refused
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


DARK = UnreachableError("engine-1", "no answer")


def watching(*script: Any, hand: Hand | None = None, armed: Any = None) -> tuple[Scripted, Clock]:
    clock = Clock()
    ssh = Ssh(
        to=Destination(
            name="engine-1", address="127.0.0.1", port=22, user="root", host_keys=("ssh-ed25519 AAAA",)
        )
    )
    made = Scripted(
        ssh=ssh,
        power=hand or Hand(),
        txn=TXN,
        times=TIMES,
        return_s=60.0,
        progress=lambda _line: None,
        sleep=clock.sleep,
        clock=clock,
        script=script,
        armed=armed,
    )
    return made, clock


def test_a_healthy_candidate_gets_its_confirmations_a_gap_apart() -> None:
    watch, clock = watching(
        status("armed", "old"), status("armed", "old"), DARK, status("booted"), status("healthy"),
        status("healthy"), status("committed"), status("committed", closed=True),
    )  # fmt: skip
    watch.begin(drained=True)
    outcome = watch.run()
    assert outcome.result == "committed"
    assert watch.confirms == 2
    assert clock.now >= TIMES.confirm_gap_s
    assert ("reboot", TXN, "--drained") in watch.words


@pytest.mark.parametrize("code", ["no_connection", "same_connection"])
def test_who_sits_at_the_machine_confirms_once_a_login(code: str) -> None:
    """A second call of the same login proves nothing new: it ends with what to do, and waits for nobody."""
    watch, _ = watching(status("healthy"))
    watch.ssh = replace(watch.ssh, here=True)
    watch.refused = {"accepted": False, "code": code, "message": "each confirmation needs a new one"}
    with pytest.raises(RefusedError, match=f"{TXN} waits for another login: each") as raised:
        watch.run()
    assert (watch.confirms, "log in over SSH anew" in raised.value.hint) == (2, True)
    over_ssh, _ = watching(status("healthy"), status("healthy"), status("committed", closed=True))
    over_ssh.refused = watch.refused
    assert over_ssh.run().result == "committed", "a controller's next call is a connection of its own"


def test_the_answer_to_the_restart_may_be_lost() -> None:
    watch, _ = watching(status("armed", "old"), status("committed", closed=True), armed=DARK)
    watch.begin(drained=False)
    assert watch.run().result == "committed"


def test_a_refused_restart_is_a_refusal() -> None:
    watch, _ = watching(status("staged", "old"), armed={"result": "refused", "message": "engine is active"})
    with pytest.raises(RefusedError, match="engine is active"):
        watch.begin(drained=False)


def test_the_deadman_cuts_once_after_every_guard_had_its_time() -> None:
    hand = Hand(seen=Evidence(console="deadlocked on memory"))
    watch, clock = watching(
        status("armed", "old"), *[DARK] * 100, status("rolled_back", closed=True), hand=hand
    )
    watch.begin(drained=False)
    outcome = watch.run()
    assert hand.cycled == 1
    assert watch.kept == ["deadlocked on memory"]
    assert clock.now > TIMES.watchdog_s + 60
    assert (outcome.result, outcome.brought_back_by) == ("rolled_back", "deadman")


def test_a_host_that_stays_dark_after_the_deadman_is_reported_with_what_to_do() -> None:
    hand = Hand()
    watch, _ = watching(status("armed", "old"), DARK, hand=hand)
    watch.begin(drained=False)
    with pytest.raises(UnreachableError, match="console"):
        watch.run()
    assert hand.cycled == 1


def test_without_power_control_nothing_is_cut() -> None:
    hand = Hand(can_cycle=False)
    watch, _ = watching(status("armed", "old"), DARK, hand=hand)
    watch.begin(drained=False)
    with pytest.raises(UnreachableError, match="a hand"):
        watch.run()
    assert hand.cycled == 0


def test_a_host_that_decided_but_cannot_finish_is_not_cut() -> None:
    hand = Hand()
    watch, _ = watching(status("armed", "old"), status("rolled_back"), hand=hand)
    watch.begin(drained=False)
    with pytest.raises(DeployError, match="cannot finish"):
        watch.run()
    assert hand.cycled == 0
