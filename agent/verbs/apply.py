"""The verbs that write: apply, recover, revert. They take the lock, run a transaction, print its outcome."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from agent import lock, narrow, parsing
from agent.document import Document
from agent.errors import AgentError, RefusedError, StepFailedError, explain_os_error
from agent.host import HostRoot
from agent.transaction import journal as journals
from agent.transaction import recovery, transaction
from agent.transaction.outcome import Outcome
from agent.transaction.step_unit import systemctl
from agent.transaction.transaction import Moment

RECOVERY_WAIT_S = 20.0


def apply(host: HostRoot, argv: Sequence[str]) -> int:
    """Apply the document on standard input; `--narrow` is what agent/verbs/gate.py adds."""
    if list(argv) not in ([], [narrow.NARROW]):
        return answer(refusal("", RefusedError("bad_document", "apply reads a document from standard input")))
    catch_signals()
    data = sys.stdin.buffer.read(parsing.DOCUMENT_BYTES_MAX + 1)
    txn = ""
    try:
        document = parsing.parse(data)
        txn = document.txn
        if argv:
            narrow.check(host, document)
        with lock.held(host, f"apply {txn}", wait_s=RECOVERY_WAIT_S):
            return answer(run_locked(host, document, committed_of(document)))
    except (AgentError, OSError) as error:
        return answer(refusal(txn, error))


def run_locked(host: HostRoot, document: Document, committed: dict[str, Any] | None) -> Outcome:
    """Recover an interrupted transaction, refuse while a trial is open, then run."""
    recovered = recovery.recover_all(host, now())
    stuck = [one for one in recovered if one.result == "half_undone"]
    if stuck:
        raise RefusedError("recovery_failed", stuck[0].message)
    refuse_open_trial(host)
    moment = Moment(
        at=now(),
        committed=committed,
        supervise=lambda: supervise(host, document.txn),
        check_fresh=lambda: check_fresh(host, document),
    )
    done = transaction.run(host, document, moment)
    return with_history(done, recovered)


def refuse_open_trial(host: HostRoot) -> None:
    """RefusedError while a trial boot is staged or under way."""
    for txn in journals.transactions(host):
        if journals.phase_of(host, txn) == "staged":
            sentence = f"the trial boot of {txn} is open; finish it with `reboot`, or drop it with `revert`"
            raise RefusedError("trial_open", sentence)


def with_history(done: Outcome, recovered: Sequence[Outcome]) -> Outcome:
    """The outcome, with the sentence about an earlier transaction that was undone first."""
    if not recovered:
        return done
    from dataclasses import replace

    return replace(done, message=f"{done.message} ({recovered[0].message}, first)")


def committed_of(document: Document) -> dict[str, Any]:
    """What state.json will say once this document is applied."""
    return {"plan_hash": document.plan_hash, "txn": document.txn, "at": now()}


def supervise(host: HostRoot, txn: str) -> None:
    """Start the recovery unit, which waits for this process to die and then undoes what it left open."""
    if not host.is_live:
        return
    started = systemctl(host, "start", "--no-block", f"hft-recover@{txn}.service")
    if started.returncode != 0:
        said = started.stderr.strip().splitlines() or ["no message"]
        sentence = f"no recovery unit would undo an interrupted transaction: {said[-1]}; reinstall the agent"
        raise RefusedError("preflight", sentence)


def check_fresh(host: HostRoot, document: Document) -> None:
    """Refuse a plan whose inputs have changed since it was made."""
    if document.topology_digest is None:
        return  # an inverse comes from the host's own journal, not from a plan
    from agent.transaction.staleness import topology_digest

    digest = topology_digest(host)
    if digest != document.topology_digest:
        sentence = "the host's topology changed since it was planned (its digest differs); plan again"
        raise RefusedError("stale", sentence)


def recover(host: HostRoot, argv: Sequence[str]) -> int:
    """Undo an interrupted transaction; `--wait` first waits for the writer to end."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    importlib.import_module(
        "agent.transaction.step_boot"
    )  # import now: the zipapp may be replaced while we wait
    try:
        with lock.held(host, "recover", wait_s=None if "--wait" in argv else RECOVERY_WAIT_S, brief=True):
            recovered = recovery.recover_all(host, now())
    except (AgentError, OSError) as error:
        return answer(refusal("", error))
    if not recovered:
        message = "no transaction was interrupted"
        return answer(Outcome(txn="", result="no_change", code="ok", message=message))
    stuck = [one for one in recovered if one.result == "half_undone"]
    answer((*stuck, *recovered)[0])
    return stuck[0].exit_code if stuck else 0


def revert(host: HostRoot, argv: Sequence[str]) -> int:
    """Restore the state before the last committed transaction, as a transaction of its own."""
    catch_signals()
    from agent.transaction import inverse

    try:
        with lock.held(host, "revert", wait_s=RECOVERY_WAIT_S):
            return answer(inverse.revert(host, argv, run_locked))
    except (AgentError, OSError) as error:
        return answer(refusal("", error))


def catch_signals() -> None:
    """A lost SSH connection must not stop us half-way; SIGTERM or SIGINT undoes what was begun."""
    for name in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(name, signal.SIG_IGN)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, on_signal)


def on_signal(number: int, _frame: FrameType | None) -> None:
    """Once: a second signal must not interrupt the undo."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.SIG_IGN)
    raise StepFailedError("interrupted", f"terminated by {signal.Signals(number).name}")


def refusal(txn: str, error: AgentError | OSError) -> Outcome:
    """The outcome of a document that was not run."""
    if isinstance(error, OSError):
        error = explain_os_error(error, f"before anything was changed: {error.filename or 'a system call'}")
    return Outcome(txn=txn, result="refused", code=error.code, message=str(error))


def answer(outcome: Outcome) -> int:
    """Print the outcome and return its exit code. A reader that has gone away changes nothing."""
    try:
        print(outcome.to_json(), flush=True)
    except OSError:
        sys.stdout = None  # keep the interpreter from flushing it again at exit
    return outcome.exit_code


def now() -> str:
    """The time as the journal writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
