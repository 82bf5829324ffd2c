"""Looking back: runs as their record tells them, those that died too; how two runs or hosts differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from checks import store
from hft import run_log
from hft.errors import Exit
from hft.plan_store import keep, kept
from inventory.state_dir import state_root
from tests.cases.machines import CASES, machine
from tests.support.hft_here import Said, hft_here, one_sentence
from tuning.plan.plan import Plan
from tuning.plan.planner import plan as make_plan
from tuning.plan.profile import profile_named
from tuning.topology.reader import read_topology


@pytest.fixture(scope="module")
def plans() -> tuple[Plan, Plan]:
    """The plans of two unlike machines."""
    one, other = (
        make_plan(read_topology(machine(CASES[name])), profile_named("engine")) for name in sorted(CASES)[:2]
    )
    return one, other


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a verb about a site of two hosts."""
    hosts = [
        {"name": f"e{n}", "address": f"192.0.2.{n}", "role": "engine", "failure_domain": "a"} for n in (1, 2)
    ]
    path = tmp_path / "rack.json"
    path.write_text(json.dumps({"name": "rack", "hosts": hosts}))

    def run(*words: str) -> Said:
        return hft_here(capsys, *words, "--inventory", path)

    return run


def applied(plan_hash: str, *, host: str = "e1", result: str = "applied", reason: str = "") -> str:
    with run_log.recorded("rack", "apply", hosts=[host], reason=reason, plan_hashes={host: plan_hash}) as run:
        run.ended(host, result=result, plan_hash=plan_hash, txn=f"t-{plan_hash[:4]}")
        run.exit_code = Exit.OK if result == "applied" else Exit.ROLLED_BACK
    return run.run


def died() -> None:
    opened = {"event": "opened", "run": "20200101T000000-dead", "verb": "apply", "by": "x@y", "pid": 1}
    run_log.append("rack", opened | {"hosts": ["e1", "e2"], "reason": "ticket 7"})
    end = {"event": "host", "run": "20200101T000000-dead", "verb": "apply", "host": "e1"}
    run_log.append("rack", end | {"facts": {"result": "applied"}})


def test_the_newest_run_is_first_and_each_host_has_its_own_view(ask: Any) -> None:
    died()
    applied("a" * 64, reason="first")
    applied("b" * 64, host="e2", result="rolled_back", reason="second")
    said = ask("history")
    lines = said.out.splitlines()
    assert (said.code, len(lines)) == (0, 5), said
    assert ["second" in lines[1], "first" in lines[2], "never closed" in lines[3]] == [True] * 3, said.out
    of_one = json.loads(ask("history", "e2", "--json").out)
    assert [run["reason"] for run in of_one["runs"]] == ["second", "ticket 7"]
    assert of_one["runs"][1]["closed_at"] is None
    assert "rolled back (rolled back)" in ask("history", "e2").out
    short = json.loads(ask("history", "-n", "1", "--format", "json").out)
    assert (len(short["runs"]), short["left_off"]) == (1, 2)


def test_csv_is_csv(ask: Any) -> None:
    applied("a" * 64, reason='he said "no", twice')
    said = ask("history", "--format", "csv")
    head, row = said.out.splitlines()
    assert head == "run,verb,by,hosts,ended,reason"
    assert row.endswith(',ok,"he said ""no"", twice"')


def test_a_run_is_shown_with_the_ends_of_its_hosts(ask: Any) -> None:
    died()
    applied("a" * 64, reason="because")
    last = ask("show", "last")
    assert "reason: because" in last.out
    assert "aaaaaaaaaaaa" in last.out
    dead = ask("show", "20200101")
    assert "never closed" in dead.out
    assert "how its hosts stand: hft status e1 e2 --inventory" in dead.out
    assert [line.split()[:2] for line in dead.out.splitlines() if line.startswith("e")] == [
        ["e1", "applied"],
        ["e2", "-"],
    ]


def test_a_run_that_is_none_is_named(ask: Any) -> None:
    assert "holds no run yet" in ask("show", "last").err
    died()
    assert "no run is called 'x'" in ask("show", "x").err
    run_log.append(
        "rack",
        {"event": "opened", "run": "20200101T000000-beef", "verb": "check", "by": "x", "pid": 1, "hosts": []},
    )
    assert "2 runs begin with '2020'" in ask("show", "2020").err
    assert ask("show", "").code == Exit.BAD_INPUT
    assert "one is a host and one is a run" in ask("diff", "e1", "last").err
    assert "no host is called 'e9'" in ask("history", "e9").err


def test_two_runs_differ_in_results_and_in_the_settings_of_their_plans(
    ask: Any, plans: tuple[Plan, Plan]
) -> None:
    keep(plans)
    first = applied(plans[0].plan_hash)
    second = applied(plans[1].plan_hash, result="rolled_back")
    document = json.loads(ask("diff", first, second, "--json").out)
    found = {one["name"]: (one["before"], one["after"]) for one in document["differences"]}
    assert found["result"] == ("applied", "rolled_back")
    assert found["plan_hash"] == (plans[0].plan_hash, plans[1].plan_hash)
    assert "cmdline.isolcpus" in found, "the settings behind the hashes"
    assert "txn" not in found, "each run has its own"
    assert "0 difference(s)" in ask("diff", first, first).out


def test_two_hosts_differ_in_plan_and_verdict(ask: Any, plans: tuple[Plan, Plan]) -> None:
    keep(plans)
    for host, plan, verdict in (("e1", plans[0], "ok"), ("e2", plans[1], "violated")):
        applied(plan.plan_hash, host=host)
        finding = {"check": "cmdline", "verdict": verdict, "reason": "arg_missing", "message": ""}
        store.save("rack", host, {"verdict": verdict, "kernel": "6.1", "findings": [finding]})
    document = json.loads(ask("diff", "e1", "e2", "--json").out)
    found = {one["name"]: (one["before"], one["after"]) for one in document["differences"]}
    assert found["verdict"] == ("ok", "violated")
    assert found["check cmdline"] == (None, "violated: arg_missing")
    assert found["plan_hash"][0] == plans[0].plan_hash
    assert "kernel" not in found


def test_a_plan_that_is_not_what_its_name_says_is_none(plans: tuple[Plan, Plan]) -> None:
    keep(plans)
    one, other = plans
    assert kept(one.plan_hash) == one
    (state_root() / "plans" / f"{one.plan_hash}.json").write_text(other.to_json())
    assert kept(one.plan_hash) is None
    assert kept("../../etc/passwd") is None
    assert kept(None) is None


def test_a_place_that_cannot_be_written_stops_nothing(
    plans: tuple[Plan, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HFT_STATE", "/dev/null/x")
    keep(plans)


def test_a_damaged_record_is_named_and_read_on(ask: Any, capsys: pytest.CaptureFixture[str]) -> None:
    applied("a" * 64)
    with run_log.records_path("rack").open("a") as stream:
        stream.write('{"half": \n')
    said = ask("history")
    assert (said.code, "run record: line 4" in said.err, "1 of 1" in said.out) == (0, True, True), said
    assert "lab" in one_sentence(capsys, "history")
