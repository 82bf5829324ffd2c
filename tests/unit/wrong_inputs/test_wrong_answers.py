"""Whatever one host answers: its own error, of the room, and never another exception.

Each leaf of each answer is replaced by null, a list, a number, a deep list, a wrong word, or left out.
"""

from __future__ import annotations

import json
from typing import Any, cast
from unittest.mock import Mock

import pytest

from agent.install.build import bootstrap_script
from deploys.agent_client.call import read_json, read_outcome
from deploys.errors import DeployError
from deploys.tune.host_changes import HostChanges
from deploys.tune.host_state import parse_observed
from deploys.tune.send import send
from tests.support.hostile import nested, wrong_documents
from tests.support.hostile_answers import ANSWERS, STATE, TXN, ended, outcome, said
from transport.answer import Completed
from transport.errors import HostError
from tuning.strict_json import ShapeError, Table, parse

SEED, EACH = 20261130, 400


def answered(text: str) -> Completed:
    return Completed(returncode=0, stdout=text, stderr="")


@pytest.mark.parametrize("name", ANSWERS)
def test_a_whole_answer_is_read(name: str) -> None:
    whole, read = ANSWERS[name]
    read(whole())


@pytest.mark.parametrize("name", ANSWERS)
def test_a_wrong_leaf_is_that_hosts_error_and_no_other(name: str) -> None:
    whole, read = ANSWERS[name]
    count = 0
    for made in wrong_documents(whole(), SEED, EACH):
        count += 1
        try:
            read(made)
        except HostError as error:
            assert str(error).isprintable(), f"{error!r}"
    assert count >= 100


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "1", '"x"', "{", "[" * 100_000, '{"schema":1,"schema":1}', '{"schema":true}', "NaN",
     '{"schema":1e999}', "{" + '"a":{' * 300 + "}" * 301],
)  # fmt: skip
def test_what_is_no_answer_is_named(text: str) -> None:
    with pytest.raises(DeployError, match="gave no answer"):
        read_json("engine-1", answered(text))


def test_a_name_that_is_no_transactions_is_never_asked_for() -> None:
    names: tuple[Any, ...] = ("-x", "../../x", "x", [], None)
    for txn in names:
        with pytest.raises(DeployError):
            ended({**outcome(), "txn": txn or "y"})
        state = {**STATE, "trial": {"txn": txn, "state": "armed"}}
        text = json.dumps(state)
        files = f"./var/lib/hft/state.json\0{text}\0"
        head = f"hft-capture 1\0=absent\0=links\0=files\0{files}=cpuinfo\0\0=lines\0\0=end\0000\0\n"
        assert parse_observed("engine-1", said(f"{head}1\n\nhft-engine 1\nend\n")).open_trial == "unnamed"


@pytest.mark.parametrize(
    "unit", ["-Hroot@127.0.0.1", "x", "a b.service", "../x.service", "", "x.service\x1b[2J"]
)
def test_what_runs_has_the_name_of_a_unit_or_the_look_is_refused(unit: str) -> None:
    head = "hft-capture 1\0=absent\0=links\0=files\0=cpuinfo\0\0=lines\0\0=end\0000\0\n1\n"
    with pytest.raises(DeployError):
        parse_observed("engine-1", said(f"{head}\nhft-engine 1\nactive {unit}\nend\n"))


@pytest.mark.parametrize("depth", [65, 66, 5_000, 1_000_000])
def test_depth_is_bounded_before_anything_recurses(depth: int) -> None:
    text = "[" * depth + "]" * depth
    if depth <= 65:
        parse(text)
    else:
        with pytest.raises(ShapeError, match="nested deeper"):
            parse(text)


def test_errors_hold_nothing_of_the_document() -> None:
    table = Table.of({"a\x1b[2J": 1, "b": nested(3)})
    for read in (table.text, table.integer, table.flag, table.table, table.texts):
        for key in ("a\x1b[2J", "b", "c"):
            try:
                read(key)
            except ShapeError as error:
                assert str(error).isprintable()


def test_nothing_to_do_has_no_transaction_and_is_no_fault() -> None:
    answer = Completed(
        returncode=0, stdout=json.dumps({**outcome(), "result": "no_change", "txn": ""}), stderr=""
    )
    assert read_outcome("engine-1", answer).txn is None


@pytest.mark.parametrize("txn", [None, "", "20261121T101500-00000000"])
def test_an_answer_for_another_transaction_is_no_answer_to_this_one(txn: str | None) -> None:
    changes = cast("HostChanges", Mock(spec=HostChanges))
    changes.host.name, changes.document.return_value = "engine-1", {"txn": TXN}  # type: ignore[attr-defined]
    changes.observed.agent_version = bootstrap_script().version  # type: ignore[misc]
    with pytest.raises(DeployError, match="its agent answered for"):
        send(
            changes,
            (),
            lambda *_: answered(json.dumps({**outcome(), "txn": txn})),
        )
