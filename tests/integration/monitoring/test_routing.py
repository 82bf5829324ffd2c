"""Who is told: the routing tree by amtool, and the pair of Alertmanagers as running processes."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitoring import alertmanager
from monitoring.alert import Severity
from monitoring.alertmanager import Contact, Contacts
from monitoring.alerts import ALERTS
from monitoring.alerts_self import WATCHDOG
from monitoring.metric import FAST
from monitoring.rules import labels
from tests.support import needs
from tests.support.commands import called
from tests.support.daemons import Site, post, site, start_member, start_pair
from tests.support.waiting import until

pytestmark = needs.programs("amtool", "prometheus-alertmanager")


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("routing") / "alertmanager.yml"
    path.write_text(alertmanager.configuration(Contacts(watchdog=Contact(webhook_urls=("http://a/b",)))))
    return path


def test_the_configuration_passes_amtool(configuration: Path) -> None:
    done = called("amtool", "check-config", configuration)
    assert done.returncode == 0, done.stderr


def routed(configuration: Path, receiver: str, seen: dict[str, str]) -> int:
    words = [f"{name}={value}" for name, value in seen.items()]
    argv = ("amtool", "config", "routes", "test", f"--config.file={configuration}")
    return called(*argv, f"--verify.receivers={receiver}", *words).returncode


def test_every_alert_reaches_its_receiver(configuration: Path) -> None:
    wrong = [
        alert.file
        for alert in ALERTS
        if routed(configuration, alert.receiver, {"alertname": alert.name, "host": "x", **labels(alert)})
    ]
    assert not wrong
    assert routed(configuration, "watchdog", {"alertname": WATCHDOG, "severity": "watchdog"}) == 0
    assert routed(configuration, "page", {"alertname": "HostDown", "severity": "ticket"}) != 0


def firing(name: str, severity: Severity = Severity.PAGE, **more: str) -> dict[str, Any]:
    """An alert that goes on for the next minutes, as Prometheus sends it at each evaluation."""
    ends = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    return {
        "labels": {"alertname": name, "host": "engine-1", "severity": severity.value, **more},
        "annotations": {},
        "endsAt": ends,
    }


def over(alert: dict[str, Any]) -> dict[str, Any]:
    return {**alert, "endsAt": datetime.now(UTC).isoformat()}


def tell(running: Site, *alerts: dict[str, Any]) -> None:
    """Both members are told, as every Prometheus does."""
    for number, member in enumerate(running.layout.members):
        if f"alertmanager-{number}" in running.programs:
            post(member.alertmanager_port, list(alerts))


def test_one_cause_is_one_page(tmp_path: Path) -> None:
    """What an inhibition mutes is not sent; the alert that mutes it is, once, by the pair."""
    with site(tmp_path) as running:
        start_pair(running, settle="1s")
        latched = firing("KillLatched", slot="a")
        tell(running, latched, firing("EngineHalted", slot="a"), firing("EngineHalted", slot="b"))
        until(lambda: len(running.webhook.of("EngineHalted")) == 1, "the other slot's page", 10)
        until(lambda: running.webhook.of("KillLatched"), "the page", 10)
        time.sleep(alertmanager.PEER_TIMEOUT_S + 1)
        halted = running.webhook.of("EngineHalted")
        assert [one.labels["slot"] for one in halted] == ["b"]
        assert len(running.webhook.of("KillLatched")) == 1


def sequence(running: Site) -> tuple[int, int]:
    """A short fault, its end, and the next real fault 25 s after: how often each was told to fire."""
    fault = firing("KillLatched", slot="a")
    tell(running, fault)
    until(lambda: running.webhook.of("KillLatched"), "the first page", 20)
    time.sleep(3)
    tell(running, over(fault))
    time.sleep(25)
    first = len(running.webhook.of("KillLatched"))
    tell(running, firing("KillLatched", slot="a"))
    time.sleep(8)
    return first, len(running.webhook.of("KillLatched")) - first


@pytest.mark.services
def test_a_short_fault_is_told_once_and_hides_no_later_one(tmp_path: Path) -> None:
    """About 40 s."""
    with site(tmp_path) as running:
        start_pair(running)
        assert sequence(running) == (1, 1)


@pytest.mark.services
def test_at_the_default_wait_the_next_fault_goes_wrong(tmp_path: Path) -> None:
    """The control: the same sequence at 15 s tells the first fault twice, or the next one never."""
    with site(tmp_path) as running:
        start_pair(running, peer_timeout="15s")
        assert sequence(running) != (1, 1)


@pytest.mark.services
@pytest.mark.parametrize("number", [0, 1])
def test_after_the_death_of_one_member_the_other_pages_within_seconds(number: int, tmp_path: Path) -> None:
    """SIGKILL to either member, then a fault: told once, within the wait for the dead one and a second."""
    with site(tmp_path) as running:
        start_pair(running)
        running.kill(f"alertmanager-{number}")
        begun = time.monotonic()
        tell(running, firing("KillLatched", slot="a"))
        page = until(lambda: running.webhook.of("KillLatched"), "the page", 20)
        assert page[0].at - begun <= alertmanager.PEER_TIMEOUT_S + 1 + FAST.interval_s
        start_member(running, number, running.commands[f"alertmanager-{number}"][3:])
        time.sleep(5)
        tell(running, firing("KillLatched", slot="a"))
        time.sleep(5)
        assert len(running.webhook.of("KillLatched")) == 1
