"""The standby under Pulumi's engine, with the stand-in for AWS: plans, rules, replacement, no capacity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.core.config import MODES
from stacks.core.facts import read_facts
from stacks.core.rules import judge_all, rules
from tests.cases.stacks.rule_cases import CASES
from tests.support import needs
from tests.support.checkout import ROOT

pytestmark = [pytest.mark.engine, needs.stacks(), needs.stack_engine(), pytest.mark.timeout(900)]

GOLDEN = ROOT / "tests" / "cases" / "stacks" / "standby"
REGIONS = ("us-east-1", "eu-west-2", "ap-northeast-1")
HOST = "aws:ec2/instance:Instance"


def standby(folder: Path) -> Any:
    from tests.support.stacks.real_engine import Engine

    engine = Engine(project=ROOT / "stacks" / "standby_aws", folder=folder)
    engine.begin()
    return engine


@pytest.fixture(scope="module")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return standby(tmp_path_factory.mktemp("plans"))


def config(region: str = "eu-west-2", **more: str) -> dict[str, str]:
    ours = {
        "site": "ldn",
        "owner": "trading@example.net",
        "ami": "ami-0123456789abcdef0",
        "coloCidr": "10.1.0.0/16",
        "transitGatewayId": "tgw-0123456789abcdef0",
    }
    return {"aws:region": region} | {f"hft-standby-aws:{key}": value for key, value in (ours | more).items()}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("region", REGIONS)
def test_the_engine_plans_what_the_golden_plan_says(planner: Any, region: str, mode: str) -> None:
    from tests.support.stacks.real_engine import rows_of

    preview = planner.preview(config(region, mode=mode))
    *kept, outputs = map(json.loads, (GOLDEN / f"{region}-{mode}.jsonl").read_text().splitlines())
    assert rows_of(preview) == kept
    assert {step["op"] for step in preview["steps"]} == {"create"}
    assert outputs["mode"] == mode


def judged(folder: Path, resources: list[Any]) -> tuple[int, set[tuple[str, str, str]]]:
    from tests.support.stacks.real_engine import Engine

    listed = [
        {"type": one.type, "name": one.name, "inputs": one.inputs, "protect": one.is_protected}
        for one in resources
    ]
    (folder / "cases.json").write_text(json.dumps(listed))
    project = ROOT / "tests" / "cases" / "stacks" / "rule_program"
    engine = Engine(project=project, folder=folder, more={"HFT_RULE_CASES": str(folder / "cases.json")})
    engine.begin()
    return engine.judged()


def test_every_case_passes_and_every_twin_is_refused_by_the_engine(tmp_path: Path) -> None:
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    bad.mkdir()
    assert judged(good, [case.good for case in CASES if case.good is not None]) == (0, set())
    code, said = judged(bad, [case.bad for case in CASES])
    assert code != 0
    assert said == {(case.bad.name, case.rule, "mandatory") for case in CASES}
    ours = judge_all(rules(read_facts()), [case.bad for case in CASES])
    assert said == {(verdict.resource, verdict.rule, "mandatory") for verdict in ours}


def test_a_standby_is_made_then_nothing_is_left_to_do_then_its_host_is_replaced(tmp_path: Path) -> None:
    engine = standby(tmp_path)
    made = engine.up(config())
    assert made.returncode == 0, made.stderr + made.stdout
    objects = engine.world / "objects"
    before = {path.stem for path in objects.glob("i-*.json")}
    assert len(before) == 2
    assert engine.up(config(), "--expect-no-changes").returncode == 0
    changed = config(ami="ami-0fedcba9876543210")
    hosts = [step for step in engine.preview(changed)["steps"] if f"${HOST}::" in step["urn"]]
    assert [(step["op"], step["replaceReasons"]) for step in hosts] == [("replace", ["ami"])] * 2
    (engine.world / "faults.json").write_text(json.dumps({HOST: "no capacity"}))
    failed = engine.up(changed)
    assert failed.returncode != 0
    assert "InsufficientInstanceCapacity" in failed.stdout + failed.stderr
    (engine.world / "faults.json").unlink()
    assert engine.up(changed).returncode == 0
    after = {path.stem for path in objects.glob("i-*.json")}
    assert (len(after), after & before) == (2, set())


def test_a_protected_journal_stops_a_destroy(tmp_path: Path) -> None:
    engine = standby(tmp_path)
    assert engine.up(config(mode="pilot")).returncode == 0
    journals = sorted(path.name for path in (engine.world / "objects").glob("vol-*.json"))
    words = ("destroy", "--stack", "test", "--config-file", str(tmp_path / "Pulumi.test.yaml"), "--yes")
    refused = engine.run(*words)
    assert refused.returncode != 0
    assert "protect" in refused.stdout + refused.stderr
    assert sorted(path.name for path in (engine.world / "objects").glob("vol-*.json")) == journals
