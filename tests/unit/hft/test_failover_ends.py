"""How `hft failover` ends, by the look; what its file may say, and whose hosts it is about."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from failover.decide import commanded
from failover.view import ClusterView
from hft.errors import Exit, HftError
from hft.runbooks.cluster import load_cluster
from hft.verbs.failover import code_of_view
from hft.verbs.failover_resume import left_behind, refuse_unmet
from inventory.choice import text_of
from inventory.errors import InventoryError
from tests.support.cluster_views import A, B, healthy, with_engine, with_gateway

VIEW = healthy()
LATCHED = with_gateway(VIEW, latches=("site (number 1): x",), latch_numbers=(1,))
FILE = """
site = "{site}"
authority_key = "key"
[gateways.gw-1]
admin_socket = "/nobody"
host = "{host}"
[engines."eng-1/a"]
admin_socket = "/nobody"
"""


def test_a_latch_anywhere_is_no_healthy_end() -> None:
    assert code_of_view(VIEW) is Exit.OK
    assert code_of_view(LATCHED) is Exit.VIOLATED
    assert code_of_view(with_engine(VIEW, B, is_latched=True)) is Exit.VIOLATED


def refused_by(view: ClusterView) -> Exit | None:
    try:
        refuse_unmet(view, commanded(view, "resume", "", ()))
    except HftError as error:
        return error.exit_code
    return None


def test_nothing_is_cleared_while_a_gateway_is_dark_or_nothing_is_latched() -> None:
    assert refused_by(LATCHED) is None
    assert refused_by(with_gateway(LATCHED, silent="gone")) is Exit.UNREACHABLE
    assert refused_by(VIEW) is Exit.BAD_INPUT


def test_who_fell_silent_is_not_said_to_be_clear() -> None:
    assert left_behind(VIEW) == ([], Exit.OK)
    assert left_behind(LATCHED)[1] is Exit.VIOLATED
    said, code = left_behind(with_engine(VIEW, A, silent="gone"))
    assert code is Exit.UNVERIFIABLE and said == [f"{A} does not answer"]


@pytest.fixture
def rack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose hft.toml names an inventory with the one host `rack-1`."""
    host = {"name": "rack-1", "address": "192.0.2.1", "role": "engine", "failure_domain": "a"}
    (tmp_path / "rack.json").write_text(json.dumps({"name": "rack", "hosts": [host]}))
    (tmp_path / "hft.toml").write_text(text_of(Path("rack.json")))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_hosts_of_the_failover_file_are_those_of_the_site_that_is_chosen_here(rack: Path) -> None:
    file = rack / "failover.toml"
    file.write_text(FILE.format(site="rack", host="rack-1"))
    host = load_cluster(file, None).gateways[0].host
    assert host is not None and host.address == "192.0.2.1"


def test_a_host_that_nobody_knows_costs_a_kill_the_programs_on_it_alone(rack: Path) -> None:
    file = rack / "failover.toml"
    file.write_text(FILE.format(site="rack", host="rack-9"))
    with pytest.raises(InventoryError, match="rack-9"):
        load_cluster(file, None)
    found = load_cluster(file, None, is_emergency=True)
    assert "rack-9" in found.gateways[0].unknown and not found.engines[0].unknown


def test_a_file_that_is_nested_too_deep_is_a_sentence(rack: Path) -> None:
    (rack / "deep.toml").write_text("x = " + "[" * 100_000)
    with pytest.raises(HftError, match=r"deep\.toml"):
        load_cluster(rack / "deep.toml", None)


@pytest.mark.parametrize("site", ["../../etc/x", "a/b", "", ".", "a\\u0000b"])
def test_the_name_of_a_site_is_no_path(rack: Path, site: str) -> None:
    file = rack / "failover.toml"
    file.write_text(FILE.format(site=site, host="rack-1"))
    with pytest.raises(HftError) as refused:
        load_cluster(file, None)
    assert refused.value.exit_code is Exit.BAD_INPUT
