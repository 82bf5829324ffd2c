"""The health service: decides at every boot what it means for an open trial, and commits or rolls back.

On the candidate it checks the command line, the CPU sets the kernel derived from it and the interrupts of
busy isolated CPUs, then waits for the controller's confirmations: new TCP connections, which prove the
network and not only this process. Then it commits. On any failure, or at the deadline, it records the reason
and reboots; GRUB's one-shot is consumed, so the host boots the good entry, where the same service undoes the
rest of the transaction. If this process cannot even do that, the watchdog, which nobody pets, resets it."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime

from agent import durable, state
from agent.boot import boot, grubenv, watchdog
from agent.boot.preflight import current_menu
from agent.boot.states import (
    Action,
    Confirmation,
    Phase,
    Trial,
    attribute,
    decide_boot,
    decide_confirm,
    marker,
    trial_of,
)
from agent.errors import AgentError
from agent.health import health_checks, health_evidence
from agent.host import HostRoot

RUN_DIR = "/run/hft"
POLL_S = 0.5


def say(message: str) -> None:
    """One line for the journal of this boot."""
    print(f"hft-health: {message}", flush=True)


def uptime_s() -> float:
    """Seconds since the kernel started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def health(host: HostRoot, argv: list[str]) -> int:
    """Verb `health [--early]`: run at every boot, by hft-rollback.service and then by hft-health.service."""
    early = "--early" in argv
    trial = trial_of(state.read(host)["trial"])
    menu = current_menu(host)
    decision = decide_boot(trial, host.cmdline(), host.boot_id(), menu.good.txn if menu else None)
    say(decision.reason)
    if trial is None:
        return 0
    match decision.action:
        case Action.CHECK if not early:
            run_trial(host, trial)
        case Action.FINISH_COMMIT:
            finish(host, trial)
        case Action.ROLL_BACK | Action.CLEAN_UP:
            roll_back(host, trial)
        case Action.NOTHING if (
            not early and trial.state is Phase.COMMITTED and marker(host.cmdline(), "txn") == trial.txn
        ):
            watchdog.disarm(host)
        case Action.CHECK | Action.NOTHING:
            pass
    return 0


def run_trial(host: HostRoot, trial: Trial) -> None:
    """The candidate's self-check, up to the commit or the reboot."""
    trial = boot.save(host, trial.moved(Phase.BOOTED, "the candidate is up and being checked"))
    fault = health_checks.config_fault(host, trial) or health_checks.effect_fault(host, trial.effect)
    if fault is None:
        trial = boot.save(
            host, trial.moved(Phase.HEALTHY, "healthy; waiting for confirmations from the controller")
        )
        say(trial.reason)
        fault = wait_for_confirmations(host, trial)
    if fault is not None:
        give_up(host, trial, fault)
        return
    boot.promote(host, trial.txn)
    finish(host, trial)


def wait_for_confirmations(host: HostRoot, trial: Trial) -> str | None:
    """Why the confirmations within the trial do not suffice, None when they do."""
    while len(given := read_confirmations(host, trial.txn)) < trial.confirmations:
        if uptime_s() > trial.trial_s:
            wanted = f"{len(given)} of {trial.confirmations} confirmations"
            return f"only {wanted} over new connections arrived within {trial.trial_s} s"
        time.sleep(POLL_S)
    return None


def give_up(host: HostRoot, trial: Trial, fault: str) -> None:
    """Record the reason, keep this boot's journal, reboot into the good entry."""
    say(f"trial {trial.txn} failed: {fault}")
    health_evidence.write_reason(host, trial.txn, fault)
    say(health_evidence.keep_journal(host, trial.txn, "0"))
    boot.ask_for_reboot(host)


def finish(host: HostRoot, trial: Trial) -> None:
    """Everything after the promotion; after a power cut in here, the next boot finishes it."""
    reason = "committed: the trial boot was healthy and confirmed"
    try:
        watchdog.disarm(host)
    except OSError as error:
        reason = f"{reason}; but the watchdog could not be stopped and will reset the host once: {error}"
    trial = boot.save(host, trial.moved(Phase.COMMITTED, reason))
    from agent.transaction.finish import commit_staged

    commit_staged(host, trial.txn)
    durable.remove_file(host, f"/boot/{boot.OVERLAY}")
    boot.save(host, replace(trial, closed=True))
    say(reason)


def roll_back(host: HostRoot, trial: Trial) -> None:
    """Back on the old entry: record what brought the host back, then undo the rest of the transaction."""
    if trial.state is not Phase.ROLLED_BACK:
        trial = record_return(host, trial)
    from agent.transaction.finish import revert_staged

    revert_staged(host, trial.txn, trial.reason)
    boot.unstage(host, trial.txn)
    boot.save(host, replace(trial, closed=True))
    say(f"rolled back: {trial.reason}")


def record_return(host: HostRoot, trial: Trial) -> Trial:
    """The durable record of what brought the host back."""
    health_reason = health_evidence.read_reason(host, trial.txn)
    found = attribute(trial, grubenv.load(host), health_reason, watchdog.fired(host))
    journal = health_evidence.keep_journal(host, trial.txn, "-1")
    last = asdict(found) | {
        "txn": trial.txn,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "evidence": journal,
    }
    trial = trial.moved(Phase.ROLLED_BACK, found.reason)
    state.update(host, trial=trial.to_json(), last_rollback=last)
    return trial


def confirm(host: HostRoot, argv: list[str]) -> int:
    """Verb `confirm TXN`: the controller reached this host, over a new connection."""
    txn = argv[0] if argv else ""
    answer: dict[str, object] = {"schema": 1, "txn": txn, "boot_id": host.boot_id(), "accepted": False}
    try:
        trial = boot.open_trial(host)
        if trial is None or trial.txn != txn or marker(host.cmdline(), "txn") != txn:
            answer |= {"code": "no_trial", "message": f"this is not the trial boot of {txn}"}
        else:
            answer |= record_confirmation(host, trial, ssh_connection(host))
    except (AgentError, OSError, ValueError, subprocess.SubprocessError) as error:
        answer |= {"code": "step_failed", "message": str(error)}
    print(json.dumps(answer))
    return 0 if answer["accepted"] else 2


def record_confirmation(host: HostRoot, trial: Trial, connection: str) -> dict[str, object]:
    """Decide on one confirmation and keep it for this boot."""
    with confirmations_locked(host) as given:
        new = Confirmation(connection=connection, at_s=uptime_s())
        verdict = decide_confirm(trial, given, new)
        if verdict.accepted:
            given.append(new)
            data = json.dumps([asdict(one) for one in given]).encode()
            durable.write_file(host, confirmations_file(trial.txn), data, 0o600)
        return {
            "accepted": verdict.accepted,
            "code": verdict.code,
            "message": verdict.reason,
            "state": trial.state.value,
            "confirmed": len(given),
            "confirmations": trial.confirmations,
        }


def confirmations_file(txn: str) -> str:
    """In /run: a confirmation belongs to this boot only."""
    return f"{RUN_DIR}/confirmed-{txn}.json"


def read_confirmations(host: HostRoot, txn: str) -> list[Confirmation]:
    """The confirmations of this boot so far."""
    return [Confirmation(**one) for one in json.loads(host.read(confirmations_file(txn)) or "[]")]


@contextmanager
def confirmations_locked(host: HostRoot) -> Iterator[list[Confirmation]]:
    """The confirmations, locked against a second controller."""
    durable.make_dirs(host, RUN_DIR)
    trial = boot.open_trial(host)
    fd = os.open(host.path(f"{RUN_DIR}/confirm.lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield read_confirmations(host, trial.txn) if trial else []
    finally:
        os.close(fd)


def ssh_connection(host: HostRoot) -> str:
    """SSH_CONNECTION of the calling session: sudo drops it, so every parent's environment is read."""
    pid = os.getpid()
    while pid > 1:
        environ = (host.read(f"/proc/{pid}/environ") or "").split("\0")
        found = next((word for word in environ if word.startswith("SSH_CONNECTION=")), None)
        if found:
            return found.partition("=")[2]
        stat = (host.read(f"/proc/{pid}/stat") or "").rpartition(")")[2].split()
        pid = int(stat[1]) if len(stat) > 1 else 0
    return ""
