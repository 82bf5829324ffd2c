"""Prometheus, the Alertmanager pair, an exporter and a webhook on loopback: real programs, private ports.

Everything lives in one folder and ends with the block. Configuration is what `hft monitoring render` writes;
only addresses and ports are the test's.
"""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitoring import alertmanager, prometheus
from monitoring.alert import Alert
from monitoring.alertmanager import Contact, Contacts
from monitoring.layout import Layout, Member, Target
from monitoring.rules import rule_files
from tests.support.ports import free_ports
from tests.support.waiting import until

LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One notification of the webhook: when it came, for which alert, whether it was over."""

    at: float
    receiver: str
    status: str
    name: str
    labels: Mapping[str, str]


class Webhook(http.server.ThreadingHTTPServer):
    """Whoever is told: it keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOCAL, 0), _Hook)
        self.told: list[Told] = []
        self.lock = threading.Lock()

    def url(self, receiver: str) -> str:
        """Where a receiver posts to."""
        return f"http://{LOCAL}:{self.server_address[1]}/{receiver}"

    def of(self, name: str, status: str = "firing") -> list[Told]:
        """What was told of an alert."""
        with self.lock:
            return [one for one in self.told if (one.name, one.status) == (name, status)]


class _Hook(http.server.BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        now = time.monotonic()
        document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.told.extend(
                Told(
                    at=now,
                    receiver=self.path.strip("/"),
                    status=one["status"],
                    name=one["labels"]["alertname"],
                    labels=one["labels"],
                )
                for one in document["alerts"]
            )
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Silent."""


@dataclass(slots=True, kw_only=True)
class Site:
    """The running site."""

    folder: Path
    layout: Layout
    webhook: Webhook
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, list[str]] = field(default_factory=dict)

    def start(self, name: str, argv: list[str]) -> None:
        """Start a program of ours; what it says goes to a file."""
        self.commands[name] = argv
        with (self.folder / f"{name}.log").open("ab") as log:
            self.programs[name] = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )

    def kill(self, name: str) -> None:
        """SIGKILL, and wait until its ports are free again."""
        program = self.programs.pop(name)
        program.kill()
        program.wait()

    def stop(self) -> None:
        """End all of them."""
        for name in list(self.programs):
            self.kill(name)

    def log(self, name: str) -> str:
        """What a program said."""
        return (self.folder / f"{name}.log").read_text()

    def names(self, port: int, path: str = "/metrics") -> str:
        """What an exporter answers."""
        with urllib.request.urlopen(f"http://{LOCAL}:{port}{path}", timeout=10) as answer:
            text: bytes = answer.read()
        return text.decode()


def answers(port: int, path: str) -> bool:
    """Whether a program is up."""
    try:
        with urllib.request.urlopen(f"http://{LOCAL}:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def post(port: int, alerts: list[dict[str, Any]]) -> None:
    """Alerts as Prometheus sends them (Alertmanager API v2)."""
    request = urllib.request.Request(
        f"http://{LOCAL}:{port}/api/v2/alerts",
        data=json.dumps(alerts).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5):
        pass


@contextmanager
def site(folder: Path, *, exporter_port: int = 0) -> Iterator[Site]:
    """A site of one engine host and two that watch, none of them running yet."""
    ports = free_ports(8)

    def host(name: str, role: str, port: int) -> Target:
        return Target(
            host=name,
            address=LOCAL,
            host_class="bare-metal",
            role=role,
            failure_domain="a",
            exporter_port=port,
        )

    members = tuple(
        Member(
            target=host(f"watch-{n}", "monitoring", exporter_port or ports[6]),
            prometheus_port=ports[3 * n],
            alertmanager_port=ports[3 * n + 1],
            cluster_port=ports[3 * n + 2],
        )
        for n in (0, 1)
    )
    webhook = Webhook()
    layout = Layout(
        site="loopback",
        targets=(host("engine-1", "engine", exporter_port or ports[6]),),
        members=members,
    )
    running = Site(folder=folder, layout=layout, webhook=webhook)
    thread = threading.Thread(target=webhook.serve_forever, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        webhook.shutdown()
        webhook.server_close()


def start_pair(running: Site, *, peer_timeout: str = "", settle: str = "") -> None:
    """Both members of the Alertmanager pair, until each sees the other."""
    hook = running.webhook
    contacts = Contacts(
        page=Contact(webhook_urls=(hook.url("page"),)),
        ticket=Contact(webhook_urls=(hook.url("ticket"),)),
        watchdog=Contact(webhook_urls=(hook.url("watchdog"),)),
    )
    (running.folder / "alertmanager.yml").write_text(alertmanager.configuration(contacts))
    for number, member in enumerate(running.layout.members):
        arguments = [
            one.replace("peer-timeout=1s", f"peer-timeout={peer_timeout}") if peer_timeout else one
            for one in alertmanager.arguments(member, running.layout)
        ]
        if settle:
            arguments.append(f"--cluster.settle-timeout={settle}")
        start_member(running, number, arguments)
    until(lambda: all(sees_other(one) for one in running.layout.members), "the pair", 30, 0.1)
    until(lambda: all(is_settled(one) for one in running.layout.members), "a settled pair", 60, 0.1)


def is_settled(member: Member) -> bool:
    """A member sends nothing until the cluster around it has not changed for some seconds."""
    with urllib.request.urlopen(
        f"http://{LOCAL}:{member.alertmanager_port}/api/v2/status", timeout=5
    ) as answer:
        return bool(json.load(answer)["cluster"]["status"] == "ready")


def sees_other(member: Member) -> bool:
    """Whether a member of the pair sees two."""
    return "alertmanager_cluster_members 2" in _metrics(member.alertmanager_port)


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://{LOCAL}:{port}/metrics", timeout=5) as answer:
            text: bytes = answer.read()
            return text.decode()
    except (OSError, urllib.error.URLError):
        return ""


def start_member(running: Site, number: int, arguments: list[str]) -> None:
    """One member, until it is ready."""
    name = f"alertmanager-{number}"
    folder = running.folder / name
    folder.mkdir(exist_ok=True)
    config = running.folder / "alertmanager.yml"
    running.start(
        name,
        ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder}", *arguments],
    )
    port = running.layout.members[number].alertmanager_port
    until(lambda: answers(port, "/-/ready"), running.log(name) or name, 30, 0.05)


def start_prometheus(running: Site, alerts: tuple[Alert, ...], *, wall: Path | None = None) -> None:
    """One Prometheus with the rules of ALERTS, until it is ready; WALL has the files of its page."""
    rules = running.folder / "rules"
    rules.mkdir(exist_ok=True)
    for name, text in rule_files(alerts).items():
        (rules / name).write_text(text)
    config = running.folder / "prometheus.yml"
    config.write_text(prometheus.configuration(running.layout))
    member = running.layout.members[0]
    data = running.folder / "prometheus-data"
    running.start(
        "prometheus",
        [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            *(one.replace(prometheus.WALL, str(wall or data)) for one in prometheus.arguments(member)),
        ],
    )
    until(lambda: answers(member.prometheus_port, "/-/ready"), "prometheus", 60, 0.05)
