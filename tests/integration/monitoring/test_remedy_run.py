"""Remedies on real daemons and a host behind a real sshd: observed, mended, not mended, not asked."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hft.run_log import read
from monitoring import alertmanager
from monitoring.alertmanager import Contacts
from monitoring.prometheus import exporter_arguments
from tests.support import needs
from tests.support.copied_host import CopiedHost, copied_host
from tests.support.daemons import LOCAL, Site, answers, post, site, start_member, start_prometheus
from tests.support.hft_here import hft_here, own_state
from tests.support.ports import free_port
from tests.support.waiting import until

pytestmark = [
    pytest.mark.services,
    needs.namespaces(),
    needs.programs("prometheus", "prometheus-alertmanager", "prometheus-node-exporter"),
]
SITE = """
name = "colo"
[[hosts]]
name = "engine-1"
address = "127.0.0.1"
ssh_port = {port}
ssh_key = "{key}"
host_class = "lab-vm"
role = "engine"
failure_domain = "a"
patience = 4
identity = {{ host_keys = ["{host_key}"], machine_id = "{machine}" }}
"""
# What the unit would do on a host whose systemd runs: a new collector writes its file, again and again.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >>/run/asked
[ ! -e /run/broken ] || exit 0
mkdir -p /run/hft-metrics
: >/run/hft-metrics/hft_collector.prom
: >/run/turning
exec </dev/null >/dev/null 2>&1
(while [ -e /run/turning ]; do touch /run/hft-metrics/hft_collector.prom; sleep 0.2; done) &
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CopiedHost]:
    with copied_host(tmp_path_factory.mktemp("copied")) as made:
        made.file("/usr/bin/systemctl").unlink()
        made.file("/usr/bin/systemctl").write_text(SYSTEMCTL)
        made.file("/usr/bin/systemctl").chmod(0o755)
        yield made


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Alertmanager and Prometheus, and an exporter with a collector's file that is an hour old."""
    folder, port = tmp_path_factory.mktemp("watched"), free_port()
    textfile = folder / "hft_collector.prom"
    textfile.write_text("hft_collector_timestamp_seconds 1\n")
    os.utime(textfile, (time.time() - 3600,) * 2)
    with site(folder, exporter_port=port) as running:
        (folder / "alertmanager.yml").write_text(alertmanager.configuration(Contacts()))
        one = running.layout.members[0]
        listen = [f"--web.listen-address={LOCAL}:{one.alertmanager_port}", "--cluster.listen-address="]
        start_member(running, 0, listen)
        running.start("exporter", ["prometheus-node-exporter", *exporter_arguments(LOCAL, port, str(folder))])
        start_prometheus(running, ())
        until(lambda: is_confirmed(one.prometheus_port), "the file's age in Prometheus", 60, 0.2)
        yield running


def is_confirmed(port: int) -> bool:
    if not answers(port, "/-/ready"):
        return False
    url = f"http://{LOCAL}:{port}/api/v1/query?query=node_textfile_mtime_seconds"
    with urllib.request.urlopen(url, timeout=5) as answer:
        return bool(json.load(answer)["data"]["result"])


@pytest.fixture
def mend(
    host: CopiedHost,
    watched: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Any]:
    own_state(tmp_path, monkeypatch)
    path = tmp_path / "site.toml"
    known = {"port": host.port, "key": host.key, "host_key": host.host_key, "machine": "0" * 32}
    path.write_text(SITE.format(**known))
    member = watched.layout.members[0]
    for name in ("turning", "asked", "broken"):
        host.file(f"/run/{name}").unlink(missing_ok=True)
    time.sleep(1)  # what turned ends
    host.file("/run/hft-metrics/hft_collector.prom").unlink(missing_ok=True)

    def run(*more: object, prometheus: str = "") -> Any:
        urls = (
            *("--alertmanager", f"http://{LOCAL}:{member.alertmanager_port}"),
            *("--prometheus", prometheus or f"http://{LOCAL}:{member.prometheus_port}"),
        )
        said = hft_here(capsys, "monitoring", "remedy", "--inventory", path, *urls, "--json", *more)
        assert said.out, said.err
        return said.code, json.loads(said.out)["cases"]

    return run


def fires(watched: Site, name: str) -> None:
    """A new case of the alert: it is over, then it fires again."""
    labels = {"alertname": name, "host": "engine-1", "severity": "page"}
    port = watched.layout.members[0].alertmanager_port
    post(port, [{"labels": labels, "endsAt": datetime.now(UTC).isoformat()}])
    until(lambda: name not in {one["labels"]["alertname"] for one in firing(watched)}, "its end", 60, 0.2)
    now = datetime.now(UTC)
    ends = (now + timedelta(minutes=10)).isoformat()
    post(port, [{"labels": labels, "startsAt": now.isoformat(), "endsAt": ends}])
    until(lambda: name in {one["labels"]["alertname"] for one in firing(watched)}, "its begin", 60, 0.2)


def firing(watched: Site) -> list[dict[str, Any]]:
    url = f"http://{LOCAL}:{watched.layout.members[0].alertmanager_port}/api/v2/alerts"
    with urllib.request.urlopen(url, timeout=5) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return found


def stuck(watched: Site) -> list[str]:
    return [one["labels"]["alert"] for one in firing(watched) if one["labels"]["alertname"] == "RemedyStuck"]


def test_it_observes_unless_it_is_told_to_act(
    mend: Callable[..., Any], watched: Site, host: CopiedHost
) -> None:
    fires(watched, "CollectorStale")
    for _ in range(2):
        code, (case,) = mend()
        assert (code, case["verdict"], case["outcome"]) == (3, "would act", "observed"), case
    assert not host.file("/run/asked").exists()
    events = [one["event"] for one in read("colo").lines]
    assert events == ["opened", "host", "closed"], "recorded once"
    assert stuck(watched) == []


def test_a_dead_collector_is_restarted_once_and_verified(
    mend: Callable[..., Any], watched: Site, host: CopiedHost
) -> None:
    fires(watched, "CollectorStale")
    code, (case,) = mend("--act")
    assert (code, case["verdict"], case["outcome"]) == (0, "act", "helped"), case
    assert host.file("/run/asked").read_text() == "restart hft-collector.service\n"
    events = [one["event"] for one in read("colo").lines]
    assert events == ["opened", "begun", "host", "closed"]
    code, (again,) = mend("--act")
    assert (code, again["verdict"]) == (5, "page"), "a case is treated once"
    assert host.file("/run/asked").read_text().count("restart") == 1
    assert stuck(watched) == ["CollectorStale"]


def test_a_restart_that_does_not_help_is_paged(
    mend: Callable[..., Any], watched: Site, host: CopiedHost
) -> None:
    host.file("/run/broken").touch()
    fires(watched, "CollectorStale")
    code, (case,) = mend("--act")
    assert (code, case["outcome"]) == (5, "did not help"), case
    assert "CollectorStale" in stuck(watched)


def test_without_a_second_signal_nothing_is_done(
    mend: Callable[..., Any], watched: Site, host: CopiedHost
) -> None:
    fires(watched, "CollectorStale")
    code, (case,) = mend("--act", prometheus="http://127.0.0.1:1")
    assert (code, case["verdict"]) == (5, "page"), case
    assert not host.file("/run/asked").exists()
