"""`--local`: one machine without SSH, by the same walk as over it, with the same record and refusals.

This machine is the made host of the benchmark: its commands are run in that host's namespaces, where a
reader of /etc/machine-id would find its own. Everything else is as installed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # it carries no types
import pytest

from bench.target import NAME, Target
from hft.cli import run_guarded
from inventory import here
from tests.support import needs
from tests.support.commands import Done
from tests.support.fake_host import MACHINE_ID
from tests.support.made_target import made_target, round_trips

# In the place of this machine: where its commands run, and what it is.
IN_ITS_PLACE = """
import sys
from pathlib import Path
from inventory import here
from transport import ssh
ssh._HERE = (*sys.argv[1].split(), *ssh._HERE)
here.MACHINE_ID = Path(sys.argv[2])
from hft.cli import run_guarded
sys.exit(run_guarded(sys.argv[3:]))
"""
pytestmark = [pytest.mark.long, needs.namespaces()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Target, Path]]:
    folder = tmp_path_factory.mktemp("here")
    with made_target(folder) as target:
        (folder / "machine-id").write_text(f"{MACHINE_ID}\n")
        yield target, folder


@pytest.fixture
def hft_there(made: tuple[Target, Path], tmp_path: Path) -> Callable[..., Done]:
    target, folder = made
    (first,) = psutil.Process(target.pid).children()
    into = f"nsenter --target={first.pid} --mount --pid --uts --ipc --"
    environment = {**os.environ, "HFT_STATE": str(tmp_path / "state"), "HFT_LAB_DIR": str(tmp_path)}

    def run(*words: str, at: Path = tmp_path) -> Done:
        argv = [sys.executable, "-c", IN_ITS_PLACE, into, str(folder / "machine-id"), *words]
        return subprocess.run(
            argv, env=environment, cwd=at, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_a_host_of_a_site_is_planned_changed_looked_at_and_undone(
    made: tuple[Target, Path], hft_there: Callable[..., Done], tmp_path: Path
) -> None:
    target, folder = made
    words = ("--local", "--inventory", str(folder / "inv.py"))
    sessions = round_trips(target) + 1
    planned = hft_there("plan", *words)
    dry = hft_there("apply", "--dry-run", "--json", *words)
    pending = json.loads(dry.stdout)["hosts"][0]["pending"]
    assert (planned.returncode, dry.returncode) == (3, 3), planned.stderr + dry.stderr
    assert f"this machine is {NAME}, of made" in planned.stderr
    assert f"{NAME}: {len(pending)} pending (" in planned.stderr, "one number for what is pending"
    applied = hft_there("apply", "--yes", "--reason", "no way in", *words)
    assert applied.returncode == 0, applied.stdout + applied.stderr
    again = hft_there("apply", "--yes", "--json", *words)
    assert json.loads(again.stdout)["hosts"][0]["result"] == "no_change", again.stderr
    looked = hft_there("status", "--json", *words)
    assert json.loads(looked.stdout)["hosts"][0]["reachable"] is True, looked.stderr
    assert round_trips(target) == sessions, "nobody logged in"
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"
    undone = hft_there("revert", NAME, "--yes", *words)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "60"
    lines = [json.loads(one) for one in (tmp_path / "state/runs/made.jsonl").read_text().splitlines()]
    ends = [(one["verb"], one["outcome"], [*one["hosts"]]) for one in lines if one["event"] == "closed"]
    assert ends == [("apply", "ok", [NAME]), ("apply", "ok", [NAME]), ("revert", "ok", [NAME])]


def test_a_machine_of_no_site_is_a_site_of_its_own(hft_there: Callable[..., Done], tmp_path: Path) -> None:
    looked = hft_there("apply", "--local", "--dry-run")
    assert (looked.returncode, "no host of a site" in looked.stderr) == (3, True), looked.stderr
    (tmp_path / "hft.toml").write_text('inventory = "other.json"\n')
    host = {"name": "e1", "address": "192.0.2.1", "role": "engine", "failure_domain": "a"}
    (tmp_path / "other.json").write_text(json.dumps({"name": "other", "hosts": [host]}))
    named = hft_there("apply", "--local", "--yes", "--inventory", "other.json")
    assert (named.returncode, "no host of other is enrolled as this machine" in named.stderr) == (2, True)


def test_a_machine_without_an_id_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(here, "MACHINE_ID", tmp_path / "none")
    assert run_guarded(["apply", "--local", "--dry-run"]) == 2
    assert "holds no machine-id" in capsys.readouterr().err


def test_what_restarts_this_machine_says_who_confirms_it(capsys: pytest.CaptureFixture[str]) -> None:
    from hft.verbs.apply import tell_of_restart
    from tests.cases.machines import CASES, machine
    from tests.support.fleet import planned, state_of

    site = here.alone("1" * 32)
    change: Any = _changes(site, state_of(site.hosts[0], machine(CASES["eight-core-caches"])))
    tell_of_restart(change)
    said = capsys.readouterr().err
    assert "2 time(s), each in a login of its own, 60 s apart" in said
    assert "on its old entry 20 min later" in said
    tell_of_restart(_changes(site, state_of(site.hosts[0], planned(machine(CASES["eight-core-caches"])))))
    assert capsys.readouterr().err == ""


def _changes(site: Any, observed: Any) -> Any:
    from deploys.tune.host_changes import decide

    return decide(site, site.hosts[0], observed)
