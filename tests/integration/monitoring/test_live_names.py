"""Every name that the registry calls live is exported by the real program, with its labels."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitoring.metric import NODE_FAST, NODE_SLOW, OWN_ALERTMANAGER, OWN_PROMETHEUS, Producer, Proof
from monitoring.prometheus import DENIED, FAST_COLLECTORS, SLOW_COLLECTORS, exporter_arguments
from monitoring.registry import METRICS
from tests.support import needs
from tests.support.commands import called
from tests.support.daemons import Site, answers, site, start_pair, start_prometheus
from tests.support.exposition import labels_of, samples
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = needs.programs("prometheus-node-exporter", "prometheus", "prometheus-alertmanager")


# Labels of newer programs (Debian 13: node_exporter 1.9, Alertmanager 0.28) beside those; no rule needs them.
NEWER = {"device_error", "reason"}


def unlike(producer: Producer, seen: dict[str, set[str]]) -> list[str]:
    """The registry's metrics of PRODUCER that are not exported so."""
    wanted = [one for one in METRICS.values() if one.producer is producer and one.proof is Proof.LIVE]
    assert wanted
    return [
        f"{one.name}: {sorted(seen.get(one.name, ['absent']))}, not {sorted(one.labels)}"
        for one in wanted
        if one.name != "up" and seen.get(one.name, {"absent"}) - NEWER != set(one.labels) - NEWER
    ]


@pytest.fixture(scope="module")
def exposition(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What node_exporter answers with our allow-list and one textfile."""
    folder = tmp_path_factory.mktemp("exporter")
    (folder / "hft_test.prom").write_text("hft_test 1\n")
    port = free_port()
    with site(folder) as running:
        arguments = exporter_arguments("127.0.0.1", port, str(folder))
        running.start("node_exporter", ["prometheus-node-exporter", *arguments])
        until(lambda: answers(port, "/metrics"), "node_exporter")
        return running.names(port)


def test_node_exporter_has_the_names_and_labels(exposition: str) -> None:
    seen = labels_of(exposition)
    assert not [*unlike(NODE_FAST, seen), *unlike(NODE_SLOW, seen)]


def test_node_exporter_runs_the_collectors_of_the_list_and_no_other(exposition: str) -> None:
    rows = samples(exposition)["node_scrape_collector_success"]
    running = {labels["collector"] for labels, _ in rows}
    assert running == {*FAST_COLLECTORS, *SLOW_COLLECTORS}
    assert not running & DENIED.keys()


def test_a_collector_of_the_list_exists_in_this_exporter() -> None:
    done = called("prometheus-node-exporter", "--help")
    known = done.stdout + done.stderr
    assert all(f"collector.{name}" in known for name in (*FAST_COLLECTORS, *SLOW_COLLECTORS))


def own(running: Site) -> tuple[str, str]:
    member = running.layout.members[0]
    return running.names(member.prometheus_port), running.names(member.alertmanager_port)


def test_prometheus_and_alertmanager_have_the_names_and_labels(tmp_path: Path) -> None:
    from monitoring.alerts import rendered

    with site(tmp_path) as running:
        start_pair(running, settle="1s")
        start_prometheus(running, rendered())
        port = running.layout.members[0].prometheus_port
        until(lambda: "prometheus_rule_evaluation_failures_total{" in running.names(port), "rules")
        mine, alertmanagers = (labels_of(text) for text in own(running))
        assert not [*unlike(OWN_PROMETHEUS, mine), *unlike(OWN_ALERTMANAGER, alertmanagers)]
