"""The roles, run by `hft monitoring deploy` over SSH on a copy of this machine: once, again, repaired."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hft.run_log import read
from tests.support import needs
from tests.support.copied_host import CopiedHost, copied_host
from tests.support.hft_here import hft_here, one_sentence, own_state

pytestmark = [
    pytest.mark.services,
    needs.namespaces(),
    needs.programs("prometheus", "prometheus-alertmanager", "prometheus-node-exporter", "promtool"),
    needs.uplot(),
]
WRITTEN = {
    "/etc/prometheus/prometheus.yml",
    "/etc/prometheus/alertmanager.yml",
    "/etc/prometheus/rules",
    "/etc/prometheus/rules/hft.yml",
    "/etc/prometheus/wall/",
    "/etc/default/prometheus",
    "/etc/default/prometheus-alertmanager",
    "/etc/default/prometheus-node-exporter",
    "/etc/systemd/system/prometheus-node-exporter.service.d",
    "/etc/systemd/system/prometheus-node-exporter.service.d/50-hft-roles.conf",
}
SITE = """
name = "watched"
[[hosts]]
name = "watch-1"
address = "127.0.0.1"
ssh_port = {port}
ssh_key = "{key}"
host_class = "lab-vm"
role = "monitoring"
failure_domain = "a"
identity = {{ host_keys = ["{host_key}"], machine_id = "{machine}" }}
[[hosts]]
name = "engine-1"
address = "192.0.2.11"
role = "engine"
failure_domain = "b"
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CopiedHost]:
    with copied_host(tmp_path_factory.mktemp("copied")) as made:
        yield made


def site_of(host: CopiedHost, folder: Path, **values: object) -> Path:
    path = folder / "site.toml"
    known = {"port": host.port, "key": host.key, "host_key": host.host_key, "machine": "0" * 32}
    path.write_text(SITE.format(**{**known, **values}))
    return path


@pytest.fixture
def deploy(
    host: CopiedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Any]:
    own_state(tmp_path, monkeypatch)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    site = site_of(host, tmp_path)

    def run(*words: object) -> Any:
        said = hft_here(capsys, "monitoring", "deploy", "--inventory", site, "--no-start", "--json", *words)
        assert not list(tmp_path.glob("hft-roles-*")), "the run's folder is gone"
        assert said.out, said.err
        return said.code, json.loads(said.out)["hosts"][0]

    return run


def test_once_again_and_after_a_change_by_hand(host: CopiedHost, deploy: Callable[..., Any]) -> None:
    code, would = deploy("--dry-run")
    assert (code, would["result"]) == (3, "applied"), would["failed"]
    assert not host.file("/etc/prometheus/rules").exists(), "a check run writes nothing"
    stale = host.file("/etc/prometheus/prometheus.yml").read_text()

    code, first = deploy("--yes")
    assert (code, first["result"]) == (0, "applied"), first
    assert {one["target"] for one in first["changed"]} == WRITTEN
    assert host.file("/etc/prometheus/prometheus.yml").read_text() != stale
    assert {one["task"] for one in first["skipped"]} >= {"Unit"}, "nothing is started here"
    (facts,) = [facts for _, name, facts in read("watched").ends() if name == "watch-1"][:1]
    assert (facts["result"], set(facts["changed"])) == ("applied", WRITTEN)

    code, second = deploy("--yes")
    assert (code, second["result"], second["changed"]) == (0, "no_change", [])

    by_hand = host.file("/etc/default/prometheus-alertmanager")
    good = by_hand.read_text()
    by_hand.write_text(good.replace("peer-timeout=1s", "peer-timeout=15s"))
    host.file("/etc/prometheus/rules/old.yml").write_text("groups: []\n")
    code, repaired = deploy("--yes")
    assert code == 0, repaired
    named = [one["target"] for one in repaired["changed"]]
    assert named == ["/etc/prometheus/rules/old.yml", "/etc/default/prometheus-alertmanager"]
    assert by_hand.read_text() == good


def test_what_was_deployed_is_what_the_daemons_take(host: CopiedHost, deploy: Callable[..., Any]) -> None:
    assert deploy("--yes")[0] == 0
    for words in (
        ("promtool", "check", "config", "/etc/prometheus/prometheus.yml"),
        ("amtool", "check-config", "/etc/prometheus/alertmanager.yml"),
    ):
        argv = ["chroot", str(host.inside), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    exporter = host.file("/etc/default/prometheus-node-exporter").read_text()
    assert "--collector.disable-defaults" in exporter
    assert "# not perf: " in exporter
    assert "--collector.perf" not in exporter
    unit = host.file("/etc/systemd/system/prometheus-node-exporter.service.d/50-hft-roles.conf").read_text()
    assert {"User=prometheus", "Environment=GOMAXPROCS=1"} <= set(unit.splitlines())


def test_a_local_package_is_installed_and_one_without_a_source_is_refused(
    host: CopiedHost, deploy: Callable[..., Any], tmp_path: Path
) -> None:
    tree = tmp_path / "deb"
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        "Package: prometheus-node-exporter\nVersion: 99\nArchitecture: all\nMaintainer: t <t@t.example>\n"
    )
    (tree / "DEBIAN/control").write_text(control + "Description: made here\n")
    (tree / "usr/bin").mkdir(parents=True)
    shutil.copy("/usr/bin/true", tree / "usr/bin/prometheus-node-exporter")
    made = tmp_path / "made.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, made], check=True, capture_output=True)
    packages = tmp_path / "packages.toml"
    packages.write_text(f'[node_exporter]\nsource = "local"\nfile = "{made}"\n')
    code, found = deploy("--yes", "--packages", packages)
    assert code == 0, found
    assert "Version: 99" in host.file("/var/lib/dpkg/status").read_text()

    packages.write_text('[prometheus]\nsource = "mirror"\nurl = "https://mirror.example/p.deb"\n')
    code, refused = deploy("--yes", "--packages", packages)
    assert (code, refused["result"]) == (2, "refused")
    assert refused["failed"][0]["message"] == (
        "prometheus: source mirror needs the URL of a .deb and its sha256; name both, or take source debian"
    )


def test_a_host_with_another_key_is_not_touched(
    host: CopiedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_state(tmp_path, monkeypatch)
    wrong = (host.key.parent / "user.pub").read_text().rsplit(" ", 1)[0]
    site = site_of(host, tmp_path, host_key=wrong)
    said = hft_here(capsys, "monitoring", "deploy", "--inventory", site, "--no-start", "--yes", "--json")
    assert (said.code, json.loads(said.out)["hosts"][0]["result"]) == (7, "unreachable"), said
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in said.out


def test_ctrl_c_ends_ansible_and_the_record_says_so(host: CopiedHost, tmp_path: Path) -> None:
    import signal
    import sys
    import time

    environment = {**os.environ, "HFT_STATE": str(tmp_path / "state"), "TMPDIR": str(tmp_path)}
    site = site_of(host, tmp_path)
    argv = [sys.executable, "-m", "hft", "monitoring", "deploy", "--inventory", str(site), "--yes"]
    run = subprocess.Popen([*argv, "--no-start"], env=environment, stderr=subprocess.PIPE, text=True)
    for _ in range(300):
        if list(tmp_path.glob("hft-roles-*/artifacts/*/job_events/*")):
            break
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130, said
    assert not list(tmp_path.glob("hft-roles-*"))
    record = (tmp_path / "state/runs/watched.jsonl").read_text().splitlines()
    assert json.loads(record[-1])["exit_code"] == 130


def test_a_site_without_a_watching_host_in_the_limit_is_refused(
    host: CopiedHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_state(tmp_path, monkeypatch)
    site = site_of(host, tmp_path)
    said = one_sentence(capsys, "monitoring", "deploy", "--inventory", site, "--limit", "engine-1", "--yes")
    assert "none of engine-1 has role monitoring" in said
