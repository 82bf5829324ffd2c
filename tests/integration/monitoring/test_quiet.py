"""A deploy's silence at a running Alertmanager: there while the command runs, gone with it, and lapsing."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hft.silence import held
from monitoring import alertmanager
from monitoring.alertmanager import Contacts
from monitoring.alerts import ALERTS
from monitoring.lease import EXTEND_EVERY_S, LEASE_S, Lease
from monitoring.rules import labels
from tests.support import needs
from tests.support.daemons import site, start_member
from tests.support.hft_here import hft_here

pytestmark = needs.programs("prometheus-alertmanager")
SITE = """
name = "colo"
[[hosts]]
name = "engine-1"
address = "192.0.2.11"
role = "engine"
failure_domain = "rack-a"
"""


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of one Alertmanager."""
    with site(tmp_path_factory.mktemp("quiet")) as running:
        (running.folder / "alertmanager.yml").write_text(alertmanager.configuration(Contacts()))
        one = running.layout.members[0]
        start_member(
            running,
            0,
            [f"--web.listen-address=127.0.0.1:{one.alertmanager_port}", "--cluster.listen-address="],
        )
        yield f"http://127.0.0.1:{one.alertmanager_port}"


def silences(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/silences", timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return [one for one in found if one["status"]["state"] == "active"]


def test_the_silence_lives_as_long_as_the_command_and_hands_on_its_exit_code(
    member: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    copy = (
        "import sys, urllib.request as net",
        "open(sys.argv[1], 'wb').write(net.urlopen(sys.argv[2] + '/api/v2/silences').read())",
        "sys.exit(3)",
    )
    words = ("--inventory", tmp_path / "site.toml", "--limit", "engine-1", "--reason", "release 1.4")
    said = hft_here(
        capsys,
        *("monitoring", "quiet", "--alertmanager", member, *words, "--"),
        *(sys.executable, "-c", "\n".join(copy), tmp_path / "seen", member),
    )
    assert said.code == 3
    (seen,) = json.loads((tmp_path / "seen").read_text())
    assert seen["status"]["state"] == "active"
    assert seen["comment"] == "deploy lease: release 1.4"
    found = {one["name"]: (one["value"], one["isRegex"]) for one in seen["matchers"]}
    assert found == {"muted_by_deploy": ("yes", False), "host": (r"engine\-1", True)}
    assert silences(member) == []


def test_a_lease_is_extended_while_its_block_runs(member: str) -> None:
    lease = Lease(hosts=("engine-9",), holder="somebody", reason="x", begun=datetime.now(UTC))
    with held([member], lease, every_s=0.3):
        first = silences(member)[0]["endsAt"]
        time.sleep(1)
        (later,) = silences(member)
        assert later["endsAt"] > first
    assert silences(member) == []


def test_without_an_alertmanager_the_command_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text(SITE)
    made = tmp_path / "made"
    words = ("--inventory", tmp_path / "site.toml", "--limit", "engine-1", "--reason", "x")
    url = "http://127.0.0.1:1"
    said = hft_here(capsys, "monitoring", "quiet", "--alertmanager", url, *words, "--", "touch", made)
    assert (said.code, made.exists()) == (7, False)
    assert said.err.count("\n") == 1


def test_a_lease_lapses_after_three_missed_extensions() -> None:
    now = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
    lease = Lease(hosts=("a",), holder="x", reason="x", begun=now)
    assert lease.document(now)["endsAt"] == (now + timedelta(seconds=LEASE_S)).isoformat()
    assert 3 * EXTEND_EVERY_S < LEASE_S <= 600


def test_what_may_lose_money_is_never_muted_by_a_deploy() -> None:
    never = {"KillLatched", "EngineFrozen", "EngineHalted", "FeedGaps", "NicDrops", "LinkDown", "HostDown"}
    muted = {alert.name for alert in ALERTS if labels(alert).get("muted_by_deploy")}
    assert muted
    assert not never & muted
