"""Cuts inside a trial, and what the host has to be afterwards: wholly old or wholly new, never in between.

A cut is made at a moment the watching controller knows of: right after the one-shot was set, when the
candidate is healthy and nothing is committed, or a random instant after the last confirmation, when the
promotion is being written. `controller` cuts nothing but ourselves: the watch is dropped, and another one
goes on with the open trial."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from deploys.errors import DeployError
from deploys.trial.watch import TrialOutcome, resume_open_trial
from drills.boot_faults import HostSession, begin, stage
from tuning.plan.plan import Plan
from tuning.plan.setting import KernelArg

PROMOTION_S = 4.0  # from the last confirmation until the record is closed, as seen in the lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """Where power or controller is cut, and the results that are right afterwards."""

    name: str
    moment: str
    why: str
    allowed: tuple[str, ...]
    delay_s_max: float = 0.0
    is_power: bool = True


CUTS: Mapping[str, Cut] = {
    cut.name: cut
    for cut in (
        Cut(
            name="after-one-shot",
            moment="armed",
            why="power lost after the one-shot was set: the next boot is the trial, and it is confirmed",
            allowed=("committed", "rolled_back"),
        ),
        Cut(
            name="before-commit",
            moment="healthy",
            why="power lost between health and commit: the one-shot is spent",
            allowed=("rolled_back",),
        ),
        Cut(
            name="during-promotion",
            moment="confirmed",
            why="power lost somewhere in the promotion",
            allowed=("committed", "rolled_back"),
            delay_s_max=PROMOTION_S,
        ),
        Cut(
            name="controller",
            moment="armed",
            why="the controller dies; the next one goes on with the open trial",
            allowed=("committed",),
            is_power=False,
        ),
    )
}


class AbandonedError(Exception):
    """The controller was cut here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOutcome:
    """How the trial ended after the cut; `mixed` says what was neither old nor new, if anything was."""

    host: str
    cut: str
    result: str
    seconds: float
    mixed: str
    sentence: str

    @property
    def is_as_expected(self) -> bool:
        """Wholly one state, and one of those allowed."""
        return not self.mixed and self.result in CUTS[self.cut].allowed


def marked(plan: Plan, mark: str) -> Plan:
    """The plan with one harmless argument more, so that there is something to try."""
    kept = tuple(one for one in plan.settings if one.key != "cmdline.hft.drill")
    arg = KernelArg(
        key="cmdline.hft.drill",
        name="hft.verbs.drill",
        value=mark,
        mode="boot",
        risk="none, the kernel ignores it",
        source="drill",
        why="a drill needs a boot change",
    )
    return replace(plan, settings=(*kept, arg))


def run_cut(session: HostSession, cut: Cut, seed: int) -> CutOutcome:
    """One trial of a harmless change with one cut in it, watched to its end."""
    rng, began_s = random.Random(f"{seed}:{cut.name}:{session.host.name}"), time.monotonic()  # noqa: S311
    mark = f"{cut.name}-{rng.randrange(1_000_000)}"
    txn = stage(session, session.decide(marked(session.look().plan, mark)))
    done: list[str] = []

    def at(moment: str) -> None:
        if moment != cut.moment or done:
            return
        done.append(moment)
        if not cut.is_power:
            raise AbandonedError
        time.sleep(rng.uniform(0.0, cut.delay_s_max))
        session.progress(f"{session.host.name}: cut {cut.name}: {cut.why}")
        session.power.cycle()

    watch = session.watch(txn, at)
    try:
        ended = begin(session, watch).run()
    except AbandonedError:
        ended = resumed(session, txn)
    if not done:
        raise DeployError(session.host.name, f"the moment {cut.moment} of cut {cut.name} never came")
    return CutOutcome(
        host=session.host.name,
        cut=cut.name,
        result=ended.result,
        seconds=time.monotonic() - began_s,
        mixed=mixture(session, ended, mark),
        sentence=ended.sentence,
    )


def resumed(session: HostSession, txn: str) -> TrialOutcome:
    """What the next controller makes of the open trial."""
    return resume_open_trial(
        ssh=session.ssh,
        power=session.power,
        txn=txn,
        times=session.times,
        progress=session.progress,
        host_class=session.host.host_class,
    )


def mixture(session: HostSession, ended: TrialOutcome, mark: str) -> str:
    """What on the host is neither wholly old nor wholly new; empty when all of it is one."""
    status = session.status()
    committed, new = status.get("committed"), ended.result == "committed"
    word = f"hft.verbs.drill={mark}"
    menu = session.run("cat", "/boot/grub/hft.cfg")
    findings = {
        "a transaction is open": status.get("open_transaction") is not None,
        "what is committed": (isinstance(committed, dict) and committed.get("txn") == ended.txn) != new,
        "the running command line": (word in session.run("cat", "/proc/cmdline").split()) != new,
        "the good entry": (f"'{word}'" in menu.partition("--id hft-good")[2].partition("}")[0]) != new,
        "a candidate is in the menu": "--id hft-candidate" in menu,
        "the one-shot is set": "next_entry=hft" in session.run("grub-editenv", "/boot/grub/grubenv", "list"),
    }
    return "; ".join(what for what, wrong in findings.items() if wrong)
