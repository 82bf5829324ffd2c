"""Transactions come in the host's own order: a document that lay about is never applied late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import parsing, state
from agent.errors import RefusedError
from agent.host import HostRoot
from agent.record import last_name, name_after
from agent.transaction import journal, transaction
from agent.transaction.step_handlers import actors_of
from agent.transaction.transaction import Moment
from agent.verbs.selftest import MACHINE_ID, lay_out, none
from deploys.tune.document import transaction_name
from hft.host_status import Answer, Standing

CONFIG = "/etc/hft/engine/a/config.json"
LATER, EARLIER, BEFORE_BOTH = (
    "20261121T101501-00000001",
    "20261121T101500-ffffffff",
    "20261121T101500-00000000",
)


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    made = HostRoot(root=str(tmp_path))
    lay_out(made)
    return made


def document(txn: str, content: str | None, before: str) -> bytes:
    step = {"kind": "file", "path": CONFIG, "content": content, "mode": 384, "before": before, "why": "test"}
    head: dict[str, Any] = {"schema": 1, "txn": txn, "host": "e1", "machine_id": MACHINE_ID}
    head |= {"plan_hash": "1" * 64, "topology_digest": "2" * 64, "boot": None, "steps": [step]}
    return json.dumps(head).encode()


def run(host: HostRoot, data: bytes) -> str:
    parsed = parsing.parse(data)
    committed = {"plan_hash": parsed.plan_hash, "txn": parsed.txn, "at": "now"}
    moment = Moment(at="now", committed=committed, supervise=none, check_fresh=none)
    return transaction.run(host, parsed, moment).result


@pytest.mark.parametrize("late", [EARLIER, "20261121T101500-00000000"])
def test_a_transaction_named_before_the_last_is_refused(host: HostRoot, late: str) -> None:
    assert run(host, document(LATER, "{}", "absent")) == "applied"
    with pytest.raises(RefusedError, match=f"{late} is named before {LATER}") as refused:
        run(host, document(late, '{"old":1}', "absent"))
    assert refused.value.code == "stale"
    assert host.read(CONFIG) == "{}"
    assert journal.transactions(host) == (LATER,)


def test_one_that_was_undone_or_whose_journal_is_gone_counts_too(host: HostRoot) -> None:
    parsed = parsing.parse(document(LATER, "{}", "absent"))
    befores = [actor.observe() for actor in actors_of(host, parsed)]
    journal.create(host, parsed, befores, "now", None).record("reverted")
    with pytest.raises(RefusedError, match=LATER):
        run(host, document(EARLIER, "{}", "absent"))
    for part in ("committed", "trial", "last_rollback", "last_recovery"):
        state.update(host, **{part: {"txn": "20270101T000000-00000000"}})
        with pytest.raises(RefusedError, match="20270101"):
            run(host, document("20261231T000000-00000000", "{}", "absent"))
        state.update(host, **{part: None})


@pytest.mark.parametrize("kind", ["file", "value"])
def test_a_controller_says_what_it_saw(kind: str) -> None:
    whole = json.loads(document(LATER, "{}", "absent"))
    if kind == "value":
        value = {"kind": "value", "path": "/proc/sys/vm/swappiness", "value": "1", "compare": "text"}
        whole["steps"] = [{**value, "before": "60", "why": "w"}]
    assert parsing.parse(json.dumps(whole).encode()).steps
    for lost in ({}, {"before": None}, {"before": 1}):
        step = {key: value for key, value in whole["steps"][0].items() if key != "before"}
        with pytest.raises(RefusedError, match="before"):
            parsing.parse(json.dumps(whole | {"steps": [step | lost]}).encode())


def test_a_file_that_is_no_text_is_swapped_only_while_it_is_none(host: HostRoot) -> None:
    place = Path(host.path(CONFIG))
    place.parent.mkdir(parents=True)
    place.write_bytes(b"\xff\xfe")
    assert run(host, document(EARLIER, "{}", "not-text")) == "applied"
    with pytest.raises(RefusedError, match="changed after the plan"):
        run(host, document(LATER, '{"b":1}', "not-text"))


@pytest.mark.parametrize(
    "txn", ["20261332T101500-00000001", "99999999T999999-ffffffff", "99981231T235959-00000001"]
)
def test_a_name_after_which_no_name_could_come_is_refused(txn: str) -> None:
    with pytest.raises(RefusedError, match="named after"):
        parsing.parse(document(txn, "{}", "absent"))


moments = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


@given(moments, moments)
def test_the_next_name_comes_after_the_last_whatever_the_clocks_say(now: datetime, then: datetime) -> None:
    last = transaction_name(then, "")
    made = transaction_name(now, last)
    assert made > last
    assert parsing.named(made) == made
    assert made[:15] == max(f"{now:%Y%m%dT%H%M%S}", made[:15])
    assert name_after("", now, "0" * 8)[:15] == f"{now:%Y%m%dT%H%M%S}"
    assert (
        last_name([last, "x", made], {"committed": {"txn": "junk"}, "trial": [], "last_rollback": None})
        == made
    )
    assert name_after(last, then - timedelta(days=1), "0" * 8) > last


@pytest.mark.parametrize("last", ["", "99999999T999999-ffffffff", "99991231T235959-ffffffff"])
def test_a_host_that_names_no_time_ends_no_run(last: str) -> None:
    assert name_after(last, datetime(2026, 1, 1, tzinfo=UTC), "0" * 8)


def test_a_roll_back_after_a_commit_whose_clock_was_ahead_is_told() -> None:
    """Names are the host's own sequence, so no clock of a controller hides what came after."""
    today, ahead = datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    committed = transaction_name(ahead, "")
    tried = transaction_name(today, committed)
    seen = Standing(host="e1", answer=Answer.ANSWERED, committed_txn=committed, rollback={"txn": tried})
    assert seen.rolled_back_txn == tried
    later = Standing(
        host="e1",
        answer=Answer.ANSWERED,
        committed_txn=transaction_name(today, tried),
        rollback={"txn": tried},
    )
    assert later.rolled_back_txn is None


@pytest.mark.parametrize(
    ("committed", "back", "told"),
    [
        ("2026-11-29T10:00:00Z", "2026-11-29T12:00:00+00:00", True),
        ("2026-11-29T12:00:00Z", "2026-11-29T10:00:00+00:00", False),
        (None, "2026-11-29T12:00:00+00:00", False),
        ("2026-11-29T10:00:00Z", "noon", False),
        ("2026-11-29T10:00:00", "2026-11-29T12:00:00+00:00", False),
    ],
)
def test_a_state_of_an_agent_that_took_names_in_any_order_is_told_by_the_hosts_own_clock(
    committed: str | None, back: str, told: bool
) -> None:
    """A commit was named by a controller whose clock was a day ahead, and the roll back by another."""
    rollback = {"txn": "20261129T120000-bbbbbbbb", "at": back}
    seen = Standing(
        host="e1",
        answer=Answer.ANSWERED,
        committed_txn="20261130T100000-aaaaaaaa",
        committed_at=committed,
        rollback=rollback,
    )
    assert seen.rolled_back_txn == (rollback["txn"] if told else None)
