"""The standby program: golden plans, the rules over every plan, and its configuration against the model."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from stacks.core.choose import choose
from stacks.core.config import MODES, StandbyConfig, checked
from stacks.core.errors import CoreError
from stacks.core.facts import read_facts
from stacks.core.planned import Planned
from stacks.core.rules import judge_all, rules
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.stacks.recorded_program import planned, recorded

pytestmark = needs.stacks()

FOLDER = ROOT / "stacks" / "standby_aws"
GOLDEN = ROOT / "tests" / "cases" / "stacks" / "standby"
PROJECT = "hft-standby-aws"
REGIONS = ("us-east-1", "eu-west-2", "ap-northeast-1")
WRITTEN = {
    "site": "ldn",
    "owner": "trading@example.net",
    "ami": "ami-0123456789abcdef0",
    "coloCidr": "10.1.0.0/16",
    "transitGatewayId": "tgw-0123456789abcdef0",
}
RULES = rules(read_facts())
SEED, SEEDED = 20261201, 12


def keys(region: str, **more: object) -> dict[str, str]:
    """A configuration as Pulumi has it."""
    ours = {f"{PROJECT}:{key}": str(value) for key, value in (WRITTEN | more).items()}
    return {"aws:region": region} | ours


def drawn(rng: random.Random) -> dict[str, str]:
    """Some configuration that the model takes and for which there is a machine."""
    while True:
        hosts, mode = rng.randint(1, 4), rng.choice(MODES)
        more = {
            "mode": mode,
            "engineHosts": hosts,
            "reserveCapacity": str(mode != "cold" and rng.random() < 0.5).lower(),
            "vpcCidr": f"10.{rng.randrange(2, 250)}.0.0/{rng.choice((16, 20, 24))}",
            "journalGib": rng.choice((64, 200, 1000)),
            "prefer": rng.choice(("timestamps", "reach")),
            "hourlyPrice": 4.5,
        }
        region = rng.choice(read_facts().regions)
        try:
            choose(checked({**WRITTEN, **more, "region": region}), read_facts())
        except CoreError:  # no machine there: draw again
            continue
        return keys(region, **more)


@pytest.fixture(scope="module")
def runs() -> dict[str, dict[str, Any]]:
    """Every golden configuration and some seeded ones, in one process."""
    rng = random.Random(SEED)
    wanted = {f"{region}-{mode}": keys(region, mode=mode) for region in REGIONS for mode in MODES}
    wanted["reserved"] = keys("eu-west-2", mode="pilot", reserveCapacity="true")
    wanted |= {f"seeded-{number}": drawn(rng) for number in range(SEEDED)}
    return recorded(FOLDER / "__main__.py", wanted, PROJECT)


def text_of(recording: dict[str, Any]) -> str:
    """A plan as it is kept: a line for each resource with what a preview shows of it, then the outputs."""
    rows = [{key: one[key] for key in one if key != "deleteBeforeReplace"} for one in recording["resources"]]
    lines = [json.dumps(one, sort_keys=True) for one in rows]
    return "\n".join([*lines, json.dumps(recording["outputs"], sort_keys=True)]) + "\n"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("region", REGIONS)
def test_the_plan_is_the_golden_one(runs: dict[str, dict[str, Any]], region: str, mode: str) -> None:
    path = GOLDEN / f"{region}-{mode}.jsonl"
    text = text_of(runs[f"{region}-{mode}"])
    if os.environ.get("HFT_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


def test_no_plan_breaks_a_rule(runs: dict[str, dict[str, Any]]) -> None:
    for name, recording in runs.items():
        found = judge_all(RULES, planned(recording))
        assert not [verdict for verdict in found if verdict.outcome == "violated"], name


def test_what_is_undecided_is_known_to_be(runs: dict[str, dict[str, Any]]) -> None:
    found = [verdict for recording in runs.values() for verdict in judge_all(RULES, planned(recording))]
    assert {(verdict.rule, verdict.said) for verdict in found} == {
        ("encrypted-with-our-key", "kmsKeyId is not known before it is made"),
        ("placement", "placementGroup is not known before it is made"),
        ("placement", "placementGroupArn is not known before it is made"),
    }


def of(recording: dict[str, Any], kind: str) -> list[Planned]:
    return [one for one in planned(recording) if one.type.endswith(f":{kind}")]


def test_no_plan_has_a_public_address_or_an_unencrypted_disk(runs: dict[str, dict[str, Any]]) -> None:
    """Asked of the plans themselves, not of the rules."""
    for recording in runs.values():
        assert not of(recording, "Eip") + of(recording, "InternetGateway") + of(recording, "NatGateway")
        assert all(one.inputs["associatePublicIpAddress"] is False for one in of(recording, "Instance"))
        assert all(one.inputs["rootBlockDevice"]["encrypted"] for one in of(recording, "Instance"))
        assert all(one.inputs["encrypted"] for one in of(recording, "Volume"))


def test_a_mode_keeps_what_the_table_says(runs: dict[str, dict[str, Any]]) -> None:
    counts = {
        mode: tuple(
            len(of(runs[f"eu-west-2-{mode}"], kind)) for kind in ("Instance", "Volume", "VpcEndpoint")
        )
        for mode in MODES
    }
    assert counts == {"hot_shadow": (2, 2, 3), "warm": (2, 2, 3), "pilot": (1, 1, 3), "cold": (0, 0, 0)}


def test_a_reservation_is_made_in_its_group_and_protected(runs: dict[str, dict[str, Any]]) -> None:
    (held,) = of(runs["reserved"], "CapacityReservation")
    assert (held.is_protected, held.inputs["instanceCount"]) == (True, 2)
    assert not of(runs["eu-west-2-pilot"], "CapacityReservation")


def test_hosts_are_deleted_before_they_are_replaced_and_journals_never(
    runs: dict[str, dict[str, Any]],
) -> None:
    rows = runs["eu-west-2-warm"]["resources"]
    hosts = [one for one in rows if one["type"].endswith(":Instance")]
    journals = [one for one in rows if one["type"].endswith(":Volume")]
    assert all(one["deleteBeforeReplace"] and one["createTimeout"] == "20m" for one in hosts)
    assert all(one["protect"] and one["retainOnDelete"] for one in journals)


def test_every_input_is_one_that_pulumi_aws_has(runs: dict[str, dict[str, Any]]) -> None:
    from stacks.aws_standin.names import faults
    from stacks.aws_standin.tables import REPLACES

    rows = runs["reserved"]["resources"] + runs["eu-west-2-warm"]["resources"]
    ours = [one for one in rows if one["type"].startswith("aws:")]
    assert not [found for one in ours for found in faults(one["type"], one["inputs"])]
    assert {one["type"] for one in ours} <= REPLACES.keys()


def test_pulumi_yaml_describes_every_key_of_the_model_and_no_other() -> None:
    yaml = pytest.importorskip("yaml", reason="needs make setup-stacks")
    described = yaml.safe_load((FOLDER / "Pulumi.yaml").read_text())["config"]
    model = {field.alias: field for name, field in StandbyConfig.model_fields.items() if name != "region"}
    assert described.keys() - {"aws:region"} == model.keys()
    assert all(row["description"] for row in described.values())
    for key, field in model.items():
        assert ("default" in described[key]) != field.is_required(), key
        default = described[key].get("default")
        assert default == ("" if field.default is None else field.default) or field.is_required(), key


def test_the_example_stack_is_a_configuration_that_is_planned() -> None:
    yaml = pytest.importorskip("yaml", reason="needs make setup-stacks")
    written = yaml.safe_load((FOLDER / "Pulumi.example.yaml").read_text())["config"]
    region = written.pop("aws:region")
    config = checked(
        {key.removeprefix(f"{PROJECT}:"): value for key, value in written.items()} | {"region": region}
    )
    assert choose(config, read_facts()).type.has_phc


def test_no_file_of_the_project_names_a_stand_in() -> None:
    named = [path.name for path in FOLDER.iterdir() if path.suffix in (".py", ".yaml", ".txt")]
    assert named
    assert not [name for name in named if "standin" in (FOLDER / name).read_text().replace("-", "").lower()]


def test_a_wish_that_cannot_be_met_ends_the_program_with_the_sentence(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"no type fits in eu-west-2: c8a\.metal-24xl: not offered"):
        recorded(FOLDER / "__main__.py", {"one": keys("eu-west-2", instanceType="c8a.metal-24xl")}, PROJECT)
