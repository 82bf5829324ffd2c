"""Boots that cannot succeed, each as a Plan, and who is expected to bring the host back from it.

A poison is the host's own plan with kernel arguments added, staged, armed and watched exactly as any other
change. What the arguments do is measured (docs/decisions/0002-trial-boot.md has the table). Two of them
kill what the host could save itself with, so only the deadman outside is left: an over-allocated hugepage
pool deadlocks the PREEMPT_RT kernel before user space, and a systemd that pets the watchdog in the
emergency target starves everybody else of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deploys.agent_client.call import agent_argv, install_if_needed, over_ssh
from deploys.agent_client.status import status_of_host
from deploys.errors import DeployError, RefusedError
from deploys.paths import ENGINE_SLICE
from deploys.trial.watch import Progress, TrialOutcome, Watch, watch_of
from deploys.tune.host_changes import HostChanges, decide
from deploys.tune.observe import look_at
from deploys.tune.send import send
from inventory.model import TRIALS, Host, Site, Trial
from inventory.power import Power
from transport.errors import HostError
from transport.hint import command
from transport.ssh import Ssh
from tuning.plan.plan import Plan
from tuning.plan.setting import KernelArg

# Short, so that a drill does not wait: long enough for a boot under emulation beside another one.
TIMES = TRIALS["lab-vm"].model_copy(update={"trial_s": 180, "watchdog_s": 240, "panic_s": 5})
# For a boot that nobody can ever confirm, the trial is nothing but waiting.
UNCONFIRMED = TIMES.model_copy(update={"trial_s": 90})
CALL_TIMEOUT_S = 300.0
SUFFIX = "-poison"
POISON_UNIT = "hft-poison.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Poison:
    """Kernel arguments to add, whether the kernel vanishes, and who must bring the host back."""

    name: str
    why: str
    expected: str
    args: tuple[tuple[str, str], ...] = ()
    kernel_vanishes: bool = False
    times: Trial = TIMES
    only_kernel: str | None = None


POISONS: Mapping[str, Poison] = {
    poison.name: poison
    for poison in (
        Poison(
            name="panic",
            why="no init in the initramfs: the kernel panics before user space",
            expected="panic",
            args=(("rdinit", "/nope"),),
        ),
        Poison(
            name="kernel-missing",
            why="the kernel file is deleted while the host shuts down for its trial boot",
            expected="grub",
            kernel_vanishes=True,
        ),
        Poison(
            name="nic",
            why="the driver of the management NIC is refused: the host is up and nobody can reach it",
            expected="health",
            args=(("module_blacklist", "virtio_net"),),
            times=UNCONFIRMED,
        ),
        Poison(
            name="hugepages",
            why="more huge pages than memory: PREEMPT_RT deadlocks on memory before user space",
            expected="deadman",
            args=(("hugepagesz", "2M"), ("hugepages", "100000")),
            only_kernel="rt",
        ),
        Poison(
            name="emergency",
            why="the emergency target, with a systemd that pets the watchdog",
            expected="deadman",
            args=(("systemd.unit", "emergency.target"), ("systemd.watchdog_sec", "30")),
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSession:
    """One host and the hands on it."""

    site: Site
    host: Host
    power: Power
    progress: Progress
    times: Trial = TIMES

    @property
    def ssh(self) -> Ssh:
        """The pinned transport."""
        return Ssh.of(self.host)

    def run(self, *argv: str) -> str:
        """One command as root; DeployError when it fails."""
        done = self.ssh.run(argv, timeout_s=CALL_TIMEOUT_S)
        if done.returncode:
            raise DeployError(self.host.name, f"{argv[0]} failed: {done.stderr.strip()[-200:]}")
        return done.stdout

    def look(self) -> HostChanges:
        """What the host's own plan has pending, with the poison's timings; our agent is there after."""
        work = self.decide(None)
        install_if_needed(self.host.name, over_ssh(self.ssh), work.observed.agent_version)
        return work

    def decide(self, plan: Plan | None) -> HostChanges:
        """What is pending of this plan."""
        site = self.site.model_copy(update={"trials": {self.host.host_class: self.times}})
        return decide(site, self.host, look_at(self.host), plan_text=plan.to_json() if plan else None)

    def status(self) -> Mapping[str, object]:
        """The host's own record."""
        return status_of_host(self.ssh, CALL_TIMEOUT_S)

    def watch(self, txn: str, at: Callable[[str], None] = lambda _moment: None) -> Watch:
        """A trial of this host with the poison's timings."""
        made = watch_of(
            ssh=self.ssh,
            power=self.power,
            txn=txn,
            times=self.times.stretched(self.host.patience),
            progress=self.progress,
            host_class=self.host.host_class,
        )
        made.at = at
        return made


def poisoned(plan: Plan, poison: Poison, release: str) -> Plan:
    """The plan with the poison in it; an argument of the plan with the same name gives way."""
    names = {name for name, _ in poison.args}
    kept = [one for one in plan.settings if not (isinstance(one, KernelArg) and one.name in names)]
    added = [
        KernelArg(
            key=f"cmdline.{name}",
            name=name,
            value=value,
            mode="boot",
            risk="this boot cannot succeed",
            source="drill",
            why=poison.why,
        )
        for name, value in poison.args
    ]
    vanishing = release + SUFFIX if poison.kernel_vanishes else plan.kernel_release
    return replace(plan, settings=(*kept, *added), kernel_release=vanishing)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoisonOutcome:
    """Whether the host returned unaided or by the deadman, who did it, and whether that was expected."""

    host: str
    poison: str
    returned: bool
    brought_back_by: str
    expected: str
    seconds: float
    sentence: str

    @property
    def is_as_expected(self) -> bool:
        """Back on the old state, by the one who had to bring it back."""
        return self.returned and self.brought_back_by == self.expected


def run_poison(session: HostSession, poison: Poison) -> PoisonOutcome:
    """Stage the poisoned plan, try it, and look whether the host is wholly on its old state again."""
    session = replace(session, times=poison.times)
    began_s, own = time.monotonic(), session.look().plan
    before, release = session.status(), session.run("uname", "-r").strip()
    plan = poisoned(own, poison, release)
    if poison.kernel_vanishes:
        lay_out_vanishing_kernel(session, release)
    try:
        txn = stage(session, session.decide(plan))
        session.progress(f"{session.host.name}: poison {poison.name} is staged: {poison.why}")
        ended = begin(session, session.watch(txn)).run()
    finally:
        if poison.kernel_vanishes:
            session.run("rm", "-rf", "--", *vanishing_paths(release))
    return judged(session, poison, ended, before, time.monotonic() - began_s)


def begin(session: HostSession, watch: Watch) -> Watch:
    """Stop the engine and begin the trial; what cannot begin is dropped, so that nothing stays staged."""
    try:
        session.run("systemctl", "stop", ENGINE_SLICE)
        watch.begin(drained=True)
    except HostError:
        over_ssh(session.ssh)(agent_argv("revert"), b"", CALL_TIMEOUT_S)
        raise
    return watch


def judged(
    session: HostSession, poison: Poison, ended: TrialOutcome, before: Mapping[str, object], seconds: float
) -> PoisonOutcome:
    """The outcome, after comparing what the host is committed to with what it was before."""
    after = session.status()
    changed = [key for key in ("committed", "open_transaction") if after.get(key) != before.get(key)]
    returned = ended.result == "rolled_back" and not changed and after.get("entry") != "candidate"
    sentence = ended.sentence
    if not returned:
        sentence = f"not wholly back ({json.dumps(after)[:300]}); {sentence}"
    return PoisonOutcome(
        host=session.host.name,
        poison=poison.name,
        returned=returned,
        brought_back_by=ended.brought_back_by,
        expected=poison.expected,
        seconds=seconds,
        sentence=sentence,
    )


def stage(session: HostSession, work: HostChanges) -> str:
    """Send the document by its own connection; the transaction that now waits for its trial boot."""
    if work.is_staged:
        first = command("apply", "--limit", session.host.name)
        raise RefusedError(session.host.name, "a trial is open", hint=f"run first: {first}")
    outcome = send(work, work.now, over_ssh(session.ssh))
    if outcome.result != "staged" or outcome.txn is None:
        raise DeployError(session.host.name, "the plan left nothing to try at a boot")
    return outcome.txn


def vanishing_paths(release: str) -> Sequence[str]:
    """A kernel of its own, so that the good entry keeps its files."""
    name = release + SUFFIX
    return (f"/boot/vmlinuz-{name}", f"/boot/initrd.img-{name}", f"/lib/modules/{name}")


def lay_out_vanishing_kernel(session: HostSession, release: str) -> None:
    """Links to the running kernel under another release, and a unit that deletes the kernel at shutdown."""
    kernel, initrd, modules = vanishing_paths(release)
    session.ssh.run(
        ["systemctl", "stop", POISON_UNIT], timeout_s=CALL_TIMEOUT_S
    )  # left by a drill that was cut off
    session.run("ln", "-f", f"/boot/vmlinuz-{release}", kernel)
    session.run("ln", "-f", f"/boot/initrd.img-{release}", initrd)
    session.run("ln", "-sfn", release, modules)
    session.run(
        *(
            "systemd-run",
            f"--unit={POISON_UNIT}",
            "--property=Type=oneshot",
            "--property=RemainAfterExit=yes",
        ),
        *(f"--property=ExecStop=/bin/rm -f {kernel}", "/bin/true"),
    )
