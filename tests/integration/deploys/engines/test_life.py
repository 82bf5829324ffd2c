"""The deploy for real: `hft engine deploy` and stock pyinfra on a made host behind a real sshd.

The host has a real agent, ssh-keygen and account database; systemctl.sh of the bench answers for systemd.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.target import NAME, Target
from engine.independent import package as stub
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.engine.deploy import TRADE, signers, signers_sha256, write_limits
from tests.support.made_target import made_target, round_trips

pytestmark = [pytest.mark.engine, needs.namespaces()]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    """A made server, booted as planned, its inventory in the test's folder."""
    with made_target(tmp_path, limits_signers_sha256=signers_sha256()) as target:
        yield target


@pytest.fixture
def command(target: Target, tmp_path: Path) -> Run:
    """Run `hft` or `pyinfra` of this checkout against the host."""

    def run(name: str, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "HFT_STATE": str(tmp_path / "state"),
            "HFT_LAB_DIR": str(tmp_path),
            "PYTHONPATH": str(ROOT),
        }
        inventory = str(tmp_path / "inv.py")
        tail = [*words, "--inventory", inventory] if name == "hft" else [inventory, *words]
        return subprocess.run(
            [sys.executable, "-m", name, *tail],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment},
            cwd=tmp_path,
        )

    return run


def limits_words(folder: Path) -> list[str]:
    """Limits, and the signers that the inventory names."""
    return ["--limits", str(write_limits(folder / "limits")), "--signers", str(signers())]


def test_life_of_a_slot(command: Run, target: Target, tmp_path: Path) -> None:  # in an operator's order
    first, second = (stub.write(tmp_path / name, level="trading") for name in ("one", "two"))
    change(second)
    trade = tmp_path / "trade.json"
    trade.write_text(json.dumps({**TRADE, "feeds": [{**TRADE["feeds"][0], "interface": "127.0.0.1"}]}))
    files = [*limits_words(tmp_path), "--config", str(trade)]

    untuned = command("hft", "engine", "deploy", str(first), *files, "--yes")
    assert (untuned.returncode, "no plan is committed" in untuned.stderr) == (2, True)
    assert command("hft", "apply", "--yes").returncode == 0

    dry = command("hft", "engine", "deploy", str(first), *files, "--dry-run", "--json")
    assert (dry.returncode, target.run("ls /opt /etc/hft 2>/dev/null || :")) == (3, "")
    assert "hft-engine-a.service: not running" in dry.stdout
    assert "secret" not in dry.stdout + dry.stderr

    done = command("hft", "engine", "deploy", str(first), *files, "--yes", "--json")
    end = json.loads(done.stdout)["hosts"][0]
    assert (done.returncode, end["result"]) == (0, "applied"), done.stderr
    assert end["ticket_signer"].startswith(f'{NAME} namespaces="hft-ticket" ssh-ed25519 ')
    digest = json.loads(done.stdout)["digest"]
    assert slot(target) == f"../releases/{digest[7:]}"
    assert units(target) == {"hft-engine-a.service"}, "the stand-ins have made room"
    assert "hft-engine:" in target.run("cat /etc/passwd")
    assert target.run("stat -c %a /etc/hft/engine/a/config.json /etc/hft/ticket.key").split() == [
        "600",
        "600",
    ]

    before = round_trips(target)
    again = command("hft", "engine", "deploy", str(first), *files, "--yes", "--json")
    assert json.loads(again.stdout)["hosts"][0]["result"] == "no_change"
    assert round_trips(target) - before - 1 == 1  # one look; the other one is the counting itself
    quiet = command("hft", "apply", "--dry-run")
    assert quiet.returncode == 0, quiet.stdout  # and no stand-in is wanted back

    running = command("hft", "engine", "deploy", str(second), "--yes")
    assert (running.returncode, "--drain" in running.stderr) == (2, True)
    dry = command("pyinfra", str(ROOT / "deploys/engine.py"), "--dry", *data(artifact=second, drain="yes"))
    assert dry.returncode == 0, dry.stderr
    assert "hft-engine-a.service: stopped for the change" in dry.stderr
    stock = command("pyinfra", str(ROOT / "deploys/engine.py"), "-y", *data(artifact=second, drain="yes"))
    assert stock.returncode == 0, stock.stderr
    assert slot(target) != f"../releases/{digest[7:]}"
    assert len(releases(target)) == 2, "the release before is kept"

    before = round_trips(target)
    back = command("hft", "engine", "deploy", str(first), "--yes", "--drain")
    assert back.returncode == 0, back.stderr
    assert round_trips(target) - before - 1 == 2  # a look and a change
    assert slot(target) == f"../releases/{digest[7:]}"
    assert digest[7:] in target.run("cat /etc/systemd/system/hft-engine-a.service")

    refused = command("hft", "revert", NAME, "--yes", "--drain")
    assert (refused.returncode, "hft engine remove" in refused.stderr) == (2, True), "it stands on the plan"
    assert units(target) == {"hft-engine-a.service"}


def test_removal_takes_all_but_releases_and_apply_brings_the_standins_back(
    command: Run, target: Target, tmp_path: Path
) -> None:
    trade = tmp_path / "trade.json"
    trade.write_text(json.dumps({**TRADE, "feeds": [{**TRADE["feeds"][0], "interface": "127.0.0.1"}]}))
    files = [*limits_words(tmp_path), "--config", str(trade)]
    assert command("hft", "apply", "--yes").returncode == 0
    before = units(target)
    assert len(before) > 1, "stand-ins"
    done = command("hft", "engine", "deploy", str(stub.write(tmp_path / "one")), *files, "--yes")
    assert (done.returncode, units(target)) == (0, {"hft-engine-a.service"})
    assert command("hft", "engine", "remove", "--limit", NAME, "--yes").returncode == 2, "it runs"
    gone = command("hft", "engine", "remove", "--limit", NAME, "--yes", "--drain")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert units(target) == set()
    left = "-name '*engine-a*' -o -type f -path '*/engine/*'"
    assert target.run(f"find /etc/hft/engine /etc/systemd/system /opt/hft/slots {left}") == ""
    assert len(releases(target)) == 1
    assert command("hft", "engine", "remove", "--limit", NAME, "--yes").returncode == 2, "nothing is there"
    assert command("hft", "apply", "--yes").returncode == 0
    assert units(target) == before


def test_a_change_that_fails_is_taken_back_and_the_old_engine_runs_again(
    command: Run, target: Target, tmp_path: Path
) -> None:
    first, second = (stub.write(tmp_path / name) for name in ("one", "two"))
    change(second)
    trade = tmp_path / "trade.json"
    trade.write_text(json.dumps({**TRADE, "feeds": [{**TRADE["feeds"][0], "interface": "127.0.0.1"}]}))
    files = [*limits_words(tmp_path), "--config", str(trade)]
    assert command("hft", "apply", "--yes").returncode == 0
    assert command("hft", "engine", "deploy", str(first), *files, "--yes").returncode == 0
    old, unit = slot(target), target.run("cat /etc/systemd/system/hft-engine-a.service")
    # what systemd does with an engine that exits 64 while it starts
    new = json.loads(command("hft", "engine", "deploy", str(second), "--drain", "--dry-run", "--json").stdout)
    trap = f"grep -q {new['digest'][7:]} /etc/systemd/system/hft-engine-a.service && exit 1\n"
    target.run(
        "cat >/run/trap && sed '1r /run/trap' /run/systemctl >/run/new && cat /run/new >/run/systemctl",
        stdin=f'case " $* " in *" start "*)\n{trap};; esac\n',
    )
    failed = command("hft", "engine", "deploy", str(second), "--yes", "--drain", "--json")
    assert failed.returncode == 6, (failed.stdout, failed.stderr)
    assert json.loads(failed.stdout)["hosts"][0]["result"] == "rolled_back"
    assert (slot(target), target.run("cat /etc/systemd/system/hft-engine-a.service")) == (old, unit)
    assert units(target) == {"hft-engine-a.service"}


def change(artifact: Path) -> None:
    """Another release of the same engine: one more word in its manifest."""
    path = artifact / "engine.json"
    document = json.loads(path.read_bytes())
    document["identity"]["version"] = "1.0.1"
    path.write_text(json.dumps(document))


def data(**values: Any) -> list[str]:
    return [word for key, value in values.items() for word in ("--data", f"{key}={value}")]


def slot(target: Target) -> str:
    return target.run("readlink /opt/hft/slots/a").strip()


def releases(target: Target) -> list[str]:
    return target.run("ls /opt/hft/releases").split()


def units(target: Target) -> set[str]:
    """What runs in the engine slice."""
    return set(target.run("ls /sys/fs/cgroup/hft.slice/hft-engine.slice").split()) - {"cpuset.cpus"}
