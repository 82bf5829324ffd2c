"""`hft monitoring`: what it prints and writes, and the one sentence for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from monitoring.alerts import ALERTS, rendered
from tests.support.hft_here import hft_here, one_sentence

SITE = """
name = "colo"
[[hosts]]
name = "engine-1"
address = "192.0.2.11"
role = "engine"
failure_domain = "rack-a"
"""
WATCHERS = """
[[hosts]]
name = "watch-1"
address = "192.0.2.31"
role = "monitoring"
failure_domain = "rack-a"
[[hosts]]
name = "watch-2"
address = "192.0.2.32"
role = "monitoring"
failure_domain = "rack-b"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(SITE + WATCHERS)
    return path


def test_all_alerts_are_listed_with_their_budgets(capsys: pytest.CaptureFixture[str]) -> None:
    said = hft_here(capsys, "monitoring", "alerts", "--json")
    found = {one["name"]: one for one in json.loads(said.out)["alerts"]}
    assert (said.code, len(json.loads(said.out)["alerts"])) == (0, len(ALERTS))
    assert found["HostDown"]["budget_s"] == 5
    assert "HostDown" in hft_here(capsys, "monitoring", "alerts").out


def test_each_watching_host_gets_its_files(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    said = hft_here(capsys, "monitoring", "render", target, "--inventory", site, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["hosts"] == ["watch-1", "watch-2"]
    for host, mine, peer in (("watch-1", "31", "32"), ("watch-2", "32", "31")):
        arguments = (target / host / "etc/default/prometheus-alertmanager").read_text()
        assert f"--cluster.listen-address=192.0.2.{mine}:9094" in arguments
        assert f"--cluster.peer=192.0.2.{peer}:9094" in arguments
        assert "--cluster.peer-timeout=1s" in arguments
        rules = {path.stem for path in (target / host / "etc/prometheus/rules").iterdir()}
        assert rules == {*(alert.file for alert in rendered()), "Watchdog"}
    assert "watchdog" in said.err


def test_what_was_rendered_before_goes_and_a_strangers_directory_stays(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "out"
    assert hft_here(capsys, "monitoring", "render", target, "--inventory", site).code == 0
    (target / "watch-1/etc/prometheus/rules/Old.yml").write_text("groups: []\n")
    assert hft_here(capsys, "monitoring", "render", target, "--inventory", site).code == 0
    assert not (target / "watch-1/etc/prometheus/rules/Old.yml").exists()
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine").write_text("kept")
    assert "foreign" in one_sentence(capsys, "monitoring", "render", foreign, "--inventory", site)
    assert [path.name for path in foreign.iterdir()] == ["mine"]


def test_contacts_are_those_of_the_file_and_no_secret_is_rendered(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contacts = tmp_path / "contacts.toml"
    contacts.write_text('[watchdog]\nwebhook_urls = ["https://192.0.2.99/alive"]\n')
    target = tmp_path / "out"
    said = hft_here(capsys, "monitoring", "render", target, "--inventory", site, "--contacts", contacts)
    assert (said.code, said.err) == (0, "")
    text = (target / "watch-1/etc/prometheus/alertmanager.yml").read_text()
    assert "https://192.0.2.99/alive" in text
    assert 'routing_key_file: "/etc/prometheus/secrets/pagerduty"' in text
    assert "routing_key:" not in text


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[page\n", "not TOML"),
        ("[pages]\n", "pages"),
        ('[page]\npagerduty_key = "0123"\n', "page.pagerduty_key"),
        ('[ticket]\nwebhook_urls = ["javascript:x"]\n', "ticket.webhook_urls"),
        ('[page]\nslack_url_file = "secrets/slack"\n', "page.slack_url_file"),
    ],
)
def test_a_wrong_file_of_contacts_is_one_sentence(
    text: str, names: str, site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contacts = tmp_path / "contacts.toml"
    contacts.write_text(text)
    words = ("monitoring", "render", tmp_path / "out", "--inventory", site, "--contacts", contacts)
    assert names in one_sentence(capsys, *words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("count", "says"), [(0, "no host with role monitoring"), (3, "keep two")])
def test_a_site_that_cannot_be_watched_is_one_sentence(
    count: int, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = "".join(
        f'[[hosts]]\nname = "w-{n}"\naddress = "192.0.2.5{n}"\nrole = "monitoring"\nfailure_domain = "a"\n'
        for n in range(count)
    )
    path = tmp_path / "site.toml"
    path.write_text(SITE + more)
    assert says in one_sentence(capsys, "monitoring", "render", tmp_path / "out", "--inventory", path)
