"""A change that fails and cannot be taken back is a state of its own, held by a field and by no sentence."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from agent import parsing, state
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.transaction import journal, step_file
from agent.transaction import step_handlers as casting
from agent.transaction.outcome import EXIT_BY_RESULT
from agent.transaction.staleness import topology_digest
from agent.transaction.step_handler import Before
from agent.verbs import apply as applying
from deploys.agent_client.call import read_outcome
from deploys.errors import HalfUndoneError, RolledBackError
from deploys.rollout.outcome import outcome_of
from hft.errors import Exit
from hft.host_status import Answer, Standing
from hft.site_report import Report, sentences
from hft.views.apply import exit_code_of_ends
from tests.support import kill_harness as small
from tests.support.transactions import OTHER, leave_open, raw, run, small_host
from transport.answer import Completed


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    return small_host(tmp_path)


@pytest.fixture
def stuck(host: HostRoot, monkeypatch: pytest.MonkeyPatch) -> HostRoot:
    """A host with a transaction that was cut off, on which files cannot be brought back for now."""
    leave_open(host)

    def refuse(_self: step_file.FileActor, _before: Before) -> str:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(step_file.FileActor, "undo", refuse)
    return host


def test_it_has_its_own_result_and_exit_code_and_names_each_step_that_differs(
    stuck: HostRoot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert applying.recover(stuck, []) == EXIT_BY_RESULT["half_undone"] == 10
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["result"] == "half_undone"
    left = [step["target"] for step in outcome["steps"] if step["result"] == "not_undone"]
    assert left
    assert all(target in outcome["message"] for target in left)
    assert state.read(stuck)["last_recovery"]["result"] == "half_undone"
    assert journal.phase_of(stuck, small.TXN) == "undoing"


def test_nothing_is_written_on_such_a_host_whatever_its_sentence_says(
    stuck: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.transaction import recovery

    real = recovery.give_up

    def reworded(*args: object) -> object:
        from dataclasses import replace

        return replace(real(*args), message="x")  # type: ignore[arg-type]  # the same three

    monkeypatch.setattr(recovery, "give_up", reworded)
    before = small.look(Path(stuck.root))
    with pytest.raises(RefusedError) as refused:
        run(stuck, raw(stuck, OTHER))
    assert refused.value.code == "recovery_failed"
    after = small.look(Path(stuck.root))
    assert {path for path in before if before[path] != after.get(path)} <= {"/var/lib/hft/state.json"}
    assert OTHER not in journal.transactions(stuck)


def test_recover_mends_it_when_the_cause_is_gone(
    stuck: HostRoot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert applying.recover(stuck, []) == 10
    monkeypatch.undo()
    assert applying.recover(stuck, []) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["result"] == "reverted"
    assert run(stuck, raw(stuck, OTHER)).result == "applied"


@pytest.mark.parametrize("message", ["x", "not everything could be undone", "the host is as it was before"])
@pytest.mark.parametrize(
    ("result", "code", "wanted", "exit_code"),
    [
        ("half_undone", "step_failed", HalfUndoneError, Exit.HALF_UNDONE),
        ("refused", "recovery_failed", HalfUndoneError, Exit.HALF_UNDONE),
        ("reverted", "step_failed", RolledBackError, Exit.ROLLED_BACK),
    ],
)
def test_the_controller_decides_by_fields_and_names_the_verb_that_mends(
    message: str, result: str, code: str, wanted: type[Exception], exit_code: Exit
) -> None:
    document = {"schema": 1, "txn": OTHER, "result": result, "code": code, "message": message, "steps": []}
    with pytest.raises(wanted) as caught:
        read_outcome("e1", Completed(returncode=0, stdout=json.dumps(document), stderr=""))
    assert exit_code_of_ends([outcome_of("e1", caught.value)]) is exit_code
    assert ("run: hft recover e1" in str(caught.value)) == (wanted is HalfUndoneError)
    assert ("neither old nor new" in str(caught.value)) == (wanted is HalfUndoneError)


def test_status_sends_on_call_to_recover_and_not_to_apply() -> None:
    from datetime import UTC, datetime

    from hft import run_log

    standing = Standing(
        host="e1", answer=Answer.ANSWERED, managed=True, transaction={"txn": "t1", "phase": "undoing"}
    )
    report = Report(
        site="s",
        standings=(standing,),
        history=run_log.read_bytes(b""),
        holder=None,
        now=datetime.now(UTC),
    )
    (said,) = sentences(report)
    assert said.endswith("run: hft recover e1")


def test_a_transaction_that_fails_here_and_now_ends_the_same_way(
    host: HostRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: step_file.FileActor, _before: Before) -> str:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(step_file.FileActor, "undo", refuse)
    document = json.loads(small.document(topology_digest(host)))
    parsed = parsing.parse(json.dumps(document).encode())
    actors = casting.actors_of(host, parsed)

    def fails(_self: object) -> str:
        raise OSError(errno.EIO, "Input/output error")

    last = next(actor for actor in reversed(actors) if not isinstance(actor, step_file.FileActor))
    monkeypatch.setattr(type(last), "act", fails)
    outcome = run(host, document)
    assert outcome.result == "half_undone"
    assert outcome.exit_code == 10
