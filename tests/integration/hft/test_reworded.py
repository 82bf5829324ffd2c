"""Whatever every sentence says, the same is done: each scene is played twice, the second time reworded."""

from __future__ import annotations

import errno
import functools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.errors import RefusedError
from agent.transaction import journal, step_file
from agent.transaction.outcome import Outcome
from agent.verbs import apply as applying
from deploys import errors
from deploys.agent_client.call import read_outcome
from deploys.rollout.outcome import HostOutcome, outcome_of
from deploys.rollout.rollout import Step, each, rollout
from hft.errors import exit_code_of
from hft.locks import site_lock
from hft.views.apply import exit_code_of_ends
from inventory.model import Host
from tests.integration.hft.conftest import HERE, LOOKS, TXN, pinned
from tests.support import kill_harness as small
from tests.support.reworded import WORD, reworded
from tests.support.told_texts import TEXTS
from tests.support.transactions import OTHER, leave_open, raw, run, small_host
from transport import errors as ways
from transport.answer import Completed

pytestmark = pytest.mark.long

ROLLBACK = {"txn": "20261121T110000-00000002", "brought_back_by": "watchdog", "reason": "no confirmation"}
STATE: dict[str, Any] = {
    "schema": 1,
    "committed": {"plan_hash": "a" * 64, "txn": TXN, "at": "2026-11-21T10:00:00Z"},
}


NO_RESULT = TEXTS | {"error", "boot_id", "verdict_age_s"}


def without_texts(found: Any) -> Any:
    """A document without what people read; of what is left nothing may differ."""
    if isinstance(found, dict):
        return {
            key: without_texts(one)
            for key, one in found.items()
            if key not in TEXTS | {"error", "boot_id", "verdict_age_s"}
        }
    return [without_texts(one) for one in found] if isinstance(found, list) else found


def ended(act: Callable[[], Outcome]) -> tuple[Any, ...]:
    """How a transaction ended, on its host and for the controller."""
    try:
        outcome = act()
    except RefusedError as error:
        outcome = Outcome(txn=OTHER, result="refused", code=error.code, message=str(error))
    steps = [(step.kind, step.target, step.result) for step in outcome.steps]
    answer = Completed(returncode=outcome.exit_code, stdout=outcome.to_json(), stderr="")
    try:
        return outcome.result, outcome.code, steps, read_outcome("e1", answer).result
    except errors.DeployError as error:
        return outcome.result, outcome.code, steps, outcome_of("e1", error).result


def on_the_host(folder: Path) -> Iterator[Any]:
    """A host through a change, a refusal, a fault, an undo that fails, and its mending."""
    host = small_host(folder)
    yield ended(lambda: run(host, raw(host)))
    yield ended(lambda: run(host, raw(host, OTHER) | {"host": "another", "machine_id": "f" * 32}))
    yield ended(lambda: run(host, raw(host, OTHER) | {"topology_digest": "f" * 64}))
    yield journal.phase_of(host, small.TXN)
    host = small_host(folder / "second")
    leave_open(host)
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: object) -> str:
            raise OSError(errno.EIO, "Input/output error")

        patch.setattr(step_file.FileActor, "undo", refuse)
        yield applying.recover(host, [])
        yield ended(lambda: run(host, raw(host, OTHER)))
    yield applying.recover(host, [])
    yield journal.phase_of(host, small.TXN)
    yield ended(lambda: run(host, raw(host, OTHER)))


def test_a_host_ends_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = list(on_the_host(tmp_path / "as-worded"))
    assert {one[3] for one in before if isinstance(one, tuple)} >= {"applied", "refused", "half_undone"}
    with reworded():
        assert list(on_the_host(tmp_path / "reworded")) == before


KINDS = (
    *(ways.UnreachableError, ways.NotEnrolledError, ways.CannotRunError, ways.CutError, ways.ControllerError),
    *(ways.FloodError, ways.HostError, errors.DeployError, errors.RefusedError, errors.RolledBackError),
    *(errors.HalfUndoneError, errors.BusyError),
)
FAULTS: tuple[Callable[[str], Exception], ...] = (
    *(functools.partial(kind, message="seen", hint="hint") for kind in KINDS),
    lambda name: ways.SlowError(name, "seen", has_begun=True, is_connected=True),
    lambda _: ValueError("ours"),
)


class Named:
    """Of what is decided for a host, all that a rollout needs: whose it is."""

    def __init__(self, number: int) -> None:
        self.host = Host(
            name=f"e{number}", address="192.0.2.1", role="engine", failure_domain=f"rack-{number // 2}"
        )


def rolled_out() -> Iterator[Any]:
    """Rollouts over six hosts, one of which meets each fault in its turn."""
    for fault in FAULTS:

        def one(chosen: Named, _: HostOutcome, fault: Callable[[str], Exception] = fault) -> HostOutcome:
            if chosen.host.name == "e2":
                raise fault("e2")
            return HostOutcome(host=chosen.host.name, result="applied", seen="done")

        found: list[HostOutcome] = []
        steps = [Step(name="act", concerns=lambda *_: True, act=each(one))]
        with site_lock("loop", "test") as lock:
            rollout([Named(number) for number in range(6)], steps, lock, found.extend)
        yield (
            sorted((end.host, end.result) for end in found),
            exit_code_of_ends(found),
            exit_code_of(fault("e2")),
        )


def test_a_rollout_ends_the_same() -> None:
    before = list(rolled_out())
    assert len({ends[0][2][1] for ends in before}) >= 6, "each kind of fault is a result of its own"
    with reworded():
        assert list(rolled_out()) == before


def verbs(hft: Callable[..., Any], loopback: Any) -> Iterator[Any]:
    """Verbs over the loopback host as it is, as it refuses, as another machine, and with each record."""
    host = pinned(loopback)
    records: dict[str, Callable[[], object]] = {
        "no agent": lambda: None,
        "refuses": lambda: (host.folder / "refuses").write_text("sudo: a password is required\n"),
        "another": lambda: host.machine_id("f" * 32),
        "committed": lambda: host.has_record(STATE),
        "rolled back": lambda: host.has_record(STATE | {"last_rollback": ROLLBACK}),
        "open": lambda: host.has_record(STATE | {"trial": ROLLBACK | {"state": "armed"}}),
    }
    for name, lay in records.items():
        (host.folder / "refuses").unlink(missing_ok=True)
        host.machine_id(HERE)
        lay()
        for verb in (
            "status",
            "dry-run",
            "revert",
            *(("check", "plan") if name in {"refuses", "another"} else ()),
        ):
            word, *more = LOOKS[verb]
            as_json = ["--json"] if verb in ("status", "dry-run") else []
            said = hft(word, "--local", "--inventory", host.inventory, *more, *as_json)
            yield name, verb, said.code, without_texts(json.loads(said.out)) if as_json and said.out else None


@pytest.mark.usefixtures("state", "without_ssh")
def test_a_verb_ends_the_same(
    hft: Callable[..., Any], loopback: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = list(verbs(hft, loopback))
    assert len({code for *_, code, _ in before}) >= 4, "different ends are compared"
    shutil.rmtree(loopback.folder / "journal", ignore_errors=True)
    (loopback.folder / "agent.version").unlink()
    monkeypatch.setenv("HFT_STATE", str(tmp_path / "second"))
    with reworded():
        again = list(verbs(hft, loopback))
        assert WORD in hft("plan", "--host", "e1", "--inventory", "/nonexistent.toml").err
    assert again == before
