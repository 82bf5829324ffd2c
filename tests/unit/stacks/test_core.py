"""Configuration, size and choice of a standby: every mode, every region of the facts, and the gaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stacks.core.__main__ import explained, main
from stacks.core.choose import choose, gap_of
from stacks.core.config import MODES, StandbyConfig, checked, read_config
from stacks.core.errors import CoreError
from stacks.core.facts import FILE, read_facts
from stacks.core.sizing import size

FACTS = read_facts()
WRITTEN: dict[str, Any] = {
    "site": "ldn",
    "owner": "trading@example.net",
    "ami": "ami-0123456789abcdef0",
    "coloCidr": "10.1.0.0/16",
    "transitGatewayId": "tgw-0123456789abcdef0",
}


def config(**more: Any) -> StandbyConfig:
    return checked({**WRITTEN, "region": "eu-west-2", **more})


def test_text_of_pulumi_is_read_as_the_type_it_stands_for() -> None:
    text = WRITTEN | {"engineHosts": "3", "reserveCapacity": "true", "hourlyPrice": "4.5", "mode": "pilot"}
    found = read_config(text.get, region="eu-west-2")
    assert (found.engine_hosts, found.reserve_capacity, found.hourly_price) == (3, True, 4.5)


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "a mode": ({"mode": "hot"}, "mode: expected 'hot_shadow', 'warm', 'pilot' or 'cold', got 'hot'"),
    "a public network": ({"vpcCidr": "8.8.0.0/20"}, "vpcCidr: expected a private network"),
    "host bits": ({"vpcCidr": "10.77.0.1/20"}, "vpcCidr: expected a network such as"),
    "a small network": ({"vpcCidr": "10.77.0.0/28"}, "vpcCidr: expected a prefix from /16 to /24"),
    "everything": ({"coloCidr": "0.0.0.0/0"}, "coloCidr: expected a private network"),
    "overlap": ({"vpcCidr": "10.1.0.0/20"}, "vpcCidr 10.1.0.0/20 overlaps coloCidr 10.1.0.0/16"),
    "a zone's name": ({"zoneId": "eu-west-2a"}, "zoneId: expected a zone's id such as euw2-az1"),
    "an image": ({"ami": "latest"}, "ami: expected an image such as"),
    "no hosts": ({"engineHosts": "0"}, "engineHosts: expected greater than or equal to 1"),
    "no number": ({"engineHosts": "two"}, "engineHosts: expected a valid integer"),
    "too many IOPS": ({"journalGib": "16", "journalIops": "9000"}, "journalIops 9000 is more than 500"),
    "a reservation for nobody": ({"mode": "cold", "reserveCapacity": "true"}, "mode cold never starts"),
    "a key that is not there": ({"instancetype": "x"}, "there is no key instancetype"),
    "a line break": ({"owner": "me\nyou"}, "owner: expected letters, digits"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_configuration_is_one_sentence(change: dict[str, object], said: str) -> None:
    config()
    with pytest.raises(CoreError) as caught:
        config(**change)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_says_how_to_set_it() -> None:
    with pytest.raises(CoreError, match="site is missing; hint: pulumi config set site VALUE"):
        checked({key: value for key, value in WRITTEN.items() if key != "site"} | {"region": "eu-west-2"})


def test_modes_are_ordered_by_how_fast_they_take_over_and_by_what_they_cost() -> None:
    sizes = [size(config(mode=mode)) for mode in MODES]
    assert [one.rto_s[1] for one in sizes] == sorted(one.rto_s[1] for one in sizes)
    assert [one.compute_share[1] for one in sizes] == sorted(
        (one.compute_share[1] for one in sizes), reverse=True
    )


@pytest.mark.parametrize(
    ("mode", "hosts", "sinks", "journals", "access"),
    [
        ("hot_shadow", 3, 0, 3, True),
        ("warm", 3, 0, 3, True),
        ("pilot", 0, 1, 1, True),
        ("cold", 0, 0, 0, False),
    ],
)
def test_what_a_mode_keeps_running(mode: str, hosts: int, sinks: int, journals: int, access: bool) -> None:
    found = size(config(mode=mode, engineHosts="3"))
    assert (found.engine_hosts, found.sink_hosts, found.journals, found.has_access) == (
        hosts,
        sinks,
        journals,
        access,
    )


def test_a_reservation_makes_a_pilot_certain_and_as_dear_as_a_warm_standby() -> None:
    free, held = size(config(mode="pilot")), size(config(mode="pilot", reserveCapacity="true"))
    assert (free.is_certain, held.is_certain, held.reserved_hosts) == (False, True, 2)
    assert held.rto_s[1] < free.rto_s[1]
    assert held.compute_share[0] == size(config(mode="warm")).compute_share[0]
    assert size(config(mode="warm")).monthly(4.0, 2) == (5840.0, 5840.0)


@pytest.mark.parametrize(
    ("region", "more", "chosen"),
    [
        ("us-east-1", {}, "c8a.metal-24xl"),
        ("eu-west-2", {}, "c8i.metal-48xl"),
        ("us-east-1", {"prefer": "latency", "needsPhc": "false"}, "m8azn.metal-12xl"),
        ("eu-west-2", {"prefer": "latency", "needsPhc": "false"}, "z1d.metal"),
        ("us-east-1", {"prefer": "reach"}, "c7i.metal-24xl"),
        ("us-east-1", {"instanceType": "c7i.metal-48xl"}, "c7i.metal-48xl"),
        ("us-east-1", {"memoryGibMax": "2048"}, "c8a.metal-24xl"),
        ("ap-northeast-1", {"memoryGibMax": "2048"}, "x8aedz.metal-12xl"),
    ],
)
def test_the_choice_follows_what_is_preferred_and_says_why(
    region: str, more: dict[str, str], chosen: str
) -> None:
    found = choose(config(region=region, **more), FACTS)
    assert found.type.name == chosen
    assert found.why.startswith(f"{chosen}: ")
    assert FACTS.date in found.why
    assert found.zone_id in found.type.zones[region]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"instanceType": "c8a.metal-24xl"}, "c8a.metal-24xl: not offered in eu-west-2"),
        ({"instanceType": "z1d.metal"}, "z1d.metal: no PHC"),
        ({"instanceType": "c7i.2xlarge"}, "c7i.2xlarge: not metal"),
        ({"instanceType": "c9z.metal"}, "instanceType c9z.metal: nothing is known of it"),
        ({"zoneId": "use1-az1"}, "not offered in zone use1-az1"),
        ({"coresMin": "192"}, "96 cores, 192 needed"),
        ({"memoryGibMax": "16"}, "192 GiB would be paid for, 16 is the most wanted"),
        ({"region": "xx-west-1"}, "region xx-west-1: nothing is known of it"),
    ],
)
def test_a_gap_is_named_and_never_chosen_around(more: dict[str, str], said: str) -> None:
    with pytest.raises(CoreError) as caught:
        choose(config(**more), FACTS)
    assert said in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(
    region=st.sampled_from(FACTS.regions),
    prefer=st.sampled_from(["latency", "timestamps", "reach"]),
    phc=st.booleans(),
    cores=st.integers(2, 192),
)
def test_what_is_chosen_has_no_gap_and_what_is_rejected_has_one(
    region: str, prefer: str, phc: bool, cores: int
) -> None:
    wish = config(region=region, prefer=prefer, needsPhc=phc, coresMin=cores)
    try:
        found = choose(wish, FACTS)
    except CoreError:
        assert all(gap_of(one, wish) for one in FACTS.types)
        return
    assert not gap_of(found.type, wish)
    everything = {found.type.name, *found.next_best, *found.rejected}
    assert everything == {one.name for one in FACTS.types}
    assert len(found.next_best) + len(found.rejected) + 1 == len(FACTS.types)


def test_the_facts_say_when_they_were_read_and_from_where(tmp_path: Path) -> None:
    assert "DescribeInstanceTypes" in FACTS.source
    document = json.loads(FILE.read_text())
    del document["date"]
    (tmp_path / "facts.json").write_text(json.dumps(document))
    with pytest.raises(CoreError, match="no facts of instance types"):
        read_facts(tmp_path / "facts.json")


def test_the_explanation_names_choice_rejections_and_every_mode() -> None:
    text = list(explained(["region=eu-west-2", "mode=pilot", "hourlyPrice=4.0"]))
    assert text[0].startswith("eu-west-2 euw2-az1, c8i.metal-48xl: 3.9 GHz")
    assert "not c8a.metal-24xl: not offered in eu-west-2" in text
    assert [line.split(":")[0].strip() for line in text[-4:]] == ["hot_shadow", "warm", "* pilot", "cold"]
    assert "capacity not certain" in text[-2]


def test_the_command_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["region=eu-west-2", "mode=hot"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["region=eu-west-2"]) == 0
    assert main([]) == 0
    assert "python -m stacks.core region=" in capsys.readouterr().out
