"""From a real fault to the notification: collector, exporter, Prometheus, pair and webhook as processes.

Each fault is made, its page must come within the alert's own budget and a second, once, and nothing else may
be told; it is repaired, and the page is over within 30 s. The seconds are printed (`pytest -s`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitoring.alerts import ALERTS, rendered
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.daemons import Told, site, start_pair, start_prometheus
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.support.watched_host import Bench

pytestmark = [
    pytest.mark.services,
    needs.programs("prometheus", "prometheus-alertmanager", "prometheus-node-exporter"),
]
BUDGET_S = {alert.name: alert.budget_s for alert in ALERTS}
RESOLVED_S = 30
SLACK_S = 1


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    port = free_port()
    with site(tmp_path, exporter_port=port) as running:
        bench = Bench(running, tmp_path, port)
        bench.start()
        start_pair(running)
        start_prometheus(running, rendered())
        until(lambda: running.webhook.of("Watchdog"), "the watchdog", 60, 0.1)
        time.sleep(18)  # the slow job has been asked, and alerts on missing data have had their time
        yield bench


def told(bench: Bench) -> dict[str, int]:
    """Alert -> how often it was told to fire, the watchdog left out."""
    counts: dict[str, int] = {}
    with bench.site.webhook.lock:
        for one in bench.site.webhook.told:
            if one.status == "firing" and one.name != "Watchdog":
                counts[one.name] = counts.get(one.name, 0) + 1
    return counts


def told_of(bench: Bench, name: str, status: str, patience_s: float) -> list[Told]:
    """What was told of an alert, once there is something."""
    return until(lambda: bench.site.webhook.of(name, status), f"{name} {status}", patience_s, 0.02)


def paged(bench: Bench, name: str) -> float:
    """Seconds from now to the page of NAME."""
    begun = time.monotonic()
    return told_of(bench, name, "firing", BUDGET_S[name] + 15)[0].at - begun


def are_over(bench: Bench, repaired: dict[str, float]) -> None:
    """Each page ends within 30 s of its repair; the gap in the feed stays in its window for a minute."""
    for name in repaired.keys() - {"FeedGaps"}:
        over = told_of(bench, name, "resolved", 40)
        assert over[0].at - repaired[name] <= RESOLVED_S, name


def test_each_fault_is_told_once_within_its_budget_and_is_over_after_the_repair(bench: Bench) -> None:
    """About two minutes: eight faults, one after the other."""
    assert told(bench) == {}, "a healthy site tells nothing"
    carrier = bench.root / "sys/class/net/ens1/carrier"
    second = "alertmanager-1"
    seconds: dict[str, float] = {}
    repaired: dict[str, float] = {}

    def fault(name: str, make: Callable[[], object], repair: Callable[[], object]) -> None:
        make()
        seconds[name] = paged(bench, name)
        repair()
        repaired[name] = time.monotonic()

    fault(
        "KillLatched",
        lambda: bench.signal("engine", signal.SIGUSR1),
        lambda: bench.signal("engine", signal.SIGUSR2),
    )
    fault("LinkDown", lambda: carrier.write_text("0\n"), lambda: carrier.write_text("1\n"))
    fault(
        "EngineFrozen",
        lambda: bench.signal("engine", signal.SIGSTOP),
        lambda: bench.signal("engine", signal.SIGCONT),
    )
    fault("FeedGaps", lambda: bench.signal("engine", signal.SIGHUP), lambda: None)
    fault("EngineAbsent", lambda: bench.site.kill("engine"), bench.start_engine_again)
    fault(
        "CollectorStale",
        lambda: bench.signal("collector", signal.SIGSTOP),
        lambda: bench.signal("collector", signal.SIGCONT),
    )
    fault("HostDown", lambda: bench.site.kill("node_exporter"), bench.start_exporter)
    are_over(bench, repaired)
    # Last: a member that comes back while an alert ends may tell that one again.
    argv = list(bench.site.commands[second])
    fault("AlertmanagerDown", lambda: bench.site.kill(second), lambda: bench.site.start(second, argv))
    are_over(bench, {"AlertmanagerDown": repaired["AlertmanagerDown"]})
    for name, took in seconds.items():
        print(f"{name:<18} {took:5.2f} s of {BUDGET_S[name] + SLACK_S:g} s", file=sys.stderr)
    late = {name: took for name, took in seconds.items() if took > BUDGET_S[name] + SLACK_S}
    assert not late
    assert told(bench) == dict.fromkeys(seconds, 1)


def test_a_ticket_for_each_bad_textfile(bench: Bench) -> None:
    """About a minute: a broken file and an old one of ours beside the collector's."""
    old = bench.textfiles / "hft_old.prom"
    old.write_text("hft_old 1\n")
    os.utime(old, (time.time() - 100, time.time() - 100))
    (bench.textfiles / "broken.prom").write_text("this is { no exposition\n")
    begun = time.monotonic()
    for name in ("TextfileUnreadable", "TextfileStale"):
        patience = BUDGET_S[name] + SLACK_S
        first = told_of(bench, name, "firing", patience)[0]
        assert first.receiver == "ticket"
        print(f"{name:<18} {first.at - begun:5.2f} s of {patience:g} s", file=sys.stderr)
    assert told(bench) == {"TextfileUnreadable": 1, "TextfileStale": 1}
