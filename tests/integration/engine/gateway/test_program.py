"""The program's face: help, version, check, exit codes; its unit tests; what a drill build refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import called
from tests.support.engine.engine_peer import EnginePeer
from tests.support.engine.gateway import Gateway, write_config
from tests.support.engine.tickets import make_keys

from .venue_peer import VenuePeer


def test_the_unit_tests_of_the_core_pass(native: Path) -> None:
    done = called(native / "tests" / "gateway_tests", "--gtest_brief=1")
    assert done.returncode == 0, done.stdout[-4000:]
    assert "PASSED" in done.stdout


def test_version_help_and_wrong_arguments(program: Path) -> None:
    assert json.loads(called(program, "--version", "--json").stdout)["contract"] == "1.2.0"
    assert "usage:" in called(program, "--help").stdout
    assert called(program, "--drill-no-enforcement").returncode == 64
    assert called(program).returncode == 64


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"profile": "ouch4"}, "profile"),
        ({"accounts": []}, "accounts"),
        ({"listen": {"host": "localhost", "port": 0}}, "listen.host"),
        ({"surprise": 1}, "surprise"),
        ({"name": 7}, "name"),
    ],
)
def test_a_wrong_configuration_is_64_and_names_its_key(
    program: Path, tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    good = write_config(tmp_path, 1)
    assert called(program, "--config", str(good), "--test", "--check").returncode == 0
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({**json.loads(good.read_text()), **changes}))
    done = called(program, "--config", str(wrong), "--test", "--check")
    assert done.returncode == 64 and named in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gw-1.json", "wrong.json"], (
        "a check touches nothing"
    )


def test_production_needs_limits_signers_and_an_initialised_state(program: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, 1)
    assert "limits_file" in called(program, "--config", str(config), "--check").stderr
    signed = {"limits_file": "/x", "host_signers": "/x", "authority_signers": "/x"}
    config = write_config(tmp_path, 1, **signed)
    done = called(program, "--config", str(config))
    assert done.returncode == 64 and "--init" in done.stderr
    assert called(program, "--config", str(config), "--init").returncode == 0
    assert called(program, "--config", str(config), "--init").returncode == 64, "an epoch is not thrown away"


def test_a_test_gateway_refuses_production_tickets(gateway: Gateway) -> None:
    engine = EnginePeer(gateway.port)
    assert engine.hello(egress="live", ticket={"host": "x"})["code"] == "production_ticket"


@pytest.mark.timeout(1200)
@pytest.mark.engine
def test_a_drill_build_says_so_and_refuses_production_tickets(
    drill_program: Path, venue: VenuePeer, tmp_path: Path
) -> None:
    assert json.loads(called(drill_program, "--version", "--json").stdout)["drill_build"] is True
    signers = str(make_keys(tmp_path, "eng-1").authority_signers)
    signed = {"limits_file": "/x", "host_signers": "/x", "authority_signers": signers}
    config = write_config(tmp_path, venue.port, **signed)
    assert called(drill_program, "--config", str(config), "--init").returncode == 0
    gateway = Gateway(drill_program, config).start()
    try:
        assert gateway.verb("status")["epoch_enforced"] is True, "only the switch turns it off"
        engine = EnginePeer(gateway.port)
        assert engine.hello(egress="live", ticket={"host": "x"})["code"] == "production_ticket"
    finally:
        gateway.kill()
