"""A password leaves the journal with the transaction that brought it, however that ends."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agent import lock, parsing, state
from agent.document import FileStep
from agent.errors import AgentError
from agent.host import HostRoot
from agent.transaction import finish, inverse, journal, recovery, transaction
from agent.transaction.step_handlers import actors_of
from agent.transaction.transaction import Moment
from agent.verbs.selftest import MACHINE_ID, lay_out, none

CONFIG, LIMITS = "/etc/hft/engine/a/config.json", "/etc/hft/engine/a/limits.json"
BOOT: dict[str, Any] = {"args": [], "kernel_release": None, "panic_s": 10, "watchdog_s": 0, "trial_s": 600}
BOOT |= {"confirmations": 0, "confirm_gap_s": 0, "effect": None}


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    made = HostRoot(root=str(tmp_path))
    lay_out(made)
    return made


def word(number: int) -> str:
    return json.dumps({"password": f"word-{number}"})


def seen(host: HostRoot, path: str) -> str:
    found = host.read(path)
    return "absent" if found is None else hashlib.sha256(found.encode()).hexdigest()


def document(host: HostRoot, number: int, *paths: str, content: str | None = "", **more: object) -> bytes:
    wanted = word(number) if content == "" else content
    steps = [
        {"kind": "file", "path": path, "content": wanted, "mode": 384, "before": seen(host, path), "why": "w"}
        for path in paths or (CONFIG,)
    ]
    head: dict[str, Any] = {"schema": 1, "txn": f"20261121T1015{number:02}-00000001", "host": "e1"}
    head |= {
        "machine_id": MACHINE_ID,
        "plan_hash": f"{number:064}",
        "topology_digest": "2" * 64,
        "boot": None,
    }
    return json.dumps(head | {"steps": [step | more for step in steps]}).encode()


def run(host: HostRoot, data: bytes) -> str:
    parsed = parsing.parse(data)
    committed = {"plan_hash": parsed.plan_hash, "txn": parsed.txn, "at": "now"}
    moment = Moment(at="now", committed=committed, supervise=none, check_fresh=none)
    with lock.held(host, "apply", wait_s=0):
        return transaction.run(host, parsed, moment).result


def begun(host: HostRoot, data: bytes) -> journal.TransactionJournal:
    """A transaction that has acted and is not closed."""
    parsed = parsing.parse(data)
    actors = actors_of(host, parsed)
    opened = journal.create(host, parsed, [actor.observe() for actor in actors], "now", None)
    transaction.prepare(opened, actors)
    transaction.act(opened, actors)
    return opened


def holding(host: HostRoot, *numbers: int) -> set[str]:
    """The files in which one of these passwords stands, as text or as the journal encodes it."""
    found = set()
    for path in Path(host.root).rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        forms = [form for n in numbers for form in (word(n).encode(), base64.b64encode(word(n).encode()))]
        if any(form in data or f"word-{n}".encode() in data for n in numbers for form in forms):
            found.add("/" + str(path.relative_to(host.root)))
    return found


def test_after_many_changes_only_the_file_itself_holds_the_last_password(host: HostRoot) -> None:
    for number in range(11, 17):
        assert run(host, document(host, number)) == "applied"
    assert holding(host, *range(11, 17)) == {CONFIG}


def test_taking_the_file_away_leaves_nothing(host: HostRoot) -> None:
    assert run(host, document(host, 11)) == "applied"
    assert run(host, document(host, 12, content=None)) == "applied"
    assert holding(host, 11) == set()


def test_a_step_may_say_that_it_is_secret_and_others_keep_their_way_back(host: HostRoot) -> None:
    assert run(host, document(host, 11, LIMITS)) == "applied"
    assert len(holding(host, 11)) == 2  # the journal can take it back
    assert run(host, document(host, 12, LIMITS, secret=True)) == "applied"
    assert holding(host, 12) == {LIMITS}


def test_a_transaction_that_is_undone_forgets_too_and_brings_the_old_one_back(host: HostRoot) -> None:
    assert run(host, document(host, 11)) == "applied"
    opened = begun(host, document(host, 12))
    assert holding(host, 12) > {CONFIG}
    done = recovery.give_up(opened, actors_of(host, opened.document), AgentError("interrupted", "x"))
    assert done.result == "reverted"
    assert (holding(host, 11), holding(host, 12)) == ({CONFIG}, set())


@pytest.mark.parametrize("phase", ["done", "reverted"])
def test_what_a_power_cut_left_is_forgotten_by_the_next_run(host: HostRoot, phase: str) -> None:
    opened = begun(host, document(host, 11))
    opened.record(phase)
    assert holding(host, 11) > {CONFIG}
    assert recovery.recover_all(host, "now") == []
    assert holding(host, 11) == {CONFIG}


def test_a_staged_one_keeps_its_way_back_until_its_trial_ends(host: HostRoot) -> None:
    whole = json.loads(document(host, 11)) | {"boot": BOOT}
    parsed = parsing.parse(json.dumps(whole).encode())
    befores = [*(actor.observe() for actor in actors_of(host, parsed)[:1])]
    opened = journal.create(host, parsed, befores, "now", None)
    opened.record("staged")
    journal.forget_secrets(opened)
    assert holding(host, 11)
    finish.commit_staged(host, parsed.txn)
    assert holding(host, 11) == set()


def reverted(host: HostRoot) -> list[tuple[str, bytes | None]]:
    loaded = journal.load(host, state.read(host)["committed"]["txn"])
    back = inverse.inverse_of(host, loaded, inverse.new_txn(host))
    return [(step.path, step.content) for step in back.steps if isinstance(step, FileStep)]


def test_reverting_leaves_a_secret_file_that_was_there_and_takes_a_new_one_away(host: HostRoot) -> None:
    assert run(host, document(host, 11, CONFIG, LIMITS)) == "applied"
    assert reverted(host) == [(LIMITS, None), (CONFIG, None)]
    assert run(host, document(host, 12, CONFIG, LIMITS)) == "applied"
    assert reverted(host) == [(LIMITS, word(11).encode())]


def test_the_committed_journal_outlives_any_number_of_deploys(host: HostRoot) -> None:
    assert run(host, document(host, 11, LIMITS)) == "applied"
    kept = state.read(host)["committed"]["txn"]
    for number in range(12, 12 + journal.KEEP + 3):
        data = json.loads(document(host, number)) | {"plan_hash": f"{11:064}"}  # a deploy changes no plan
        assert run(host, json.dumps(data).encode()) == "applied"
    assert kept in journal.transactions(host)
    assert state.read(host)["committed"]["txn"] == kept


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o700])
def test_the_agents_directory_is_for_root_alone(host: HostRoot, mode: int) -> None:
    place = Path(host.path("/var/lib/hft"))
    place.mkdir(parents=True)
    place.chmod(mode)
    with lock.held(host, "apply", wait_s=0):
        assert place.stat().st_mode & 0o777 == 0o700
    place.chmod(mode)
    state.update(host, trial=None)
    assert place.stat().st_mode & 0o777 == 0o700
