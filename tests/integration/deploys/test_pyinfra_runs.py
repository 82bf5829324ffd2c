"""pyinfra for real: the connector, and apply on a made host behind a real sshd.

pyinfra patches the standard library of its process, so every run here is a process of its own, as it is for
an operator.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.target import NAME, Target
from tests.support import needs
from tests.support.checkout import ROOT
from tests.support.commands import BIN, output
from tests.support.fake_host import MACHINE_ID
from tests.support.made_target import host_of, inventory_file, made_target, round_trips

pytestmark = pytest.mark.long

SITE_PY = ROOT / "deploys" / "site.py"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"
needs_namespaces = needs.namespaces()
Run = Callable[..., subprocess.CompletedProcess[str]]


def described(sshd: Any, **values: Any) -> dict[str, Any]:
    identity = {"host_keys": [*sshd.host_keys], "machine_id": MACHINE_ID}
    return host_of(
        name=sshd.name, address=sshd.address, ssh_port=sshd.ssh_port, user=sshd.user, ssh_key=sshd.ssh_key,
        identity=identity,
    ) | values  # fmt: skip


# One process plays all waves, one after another as a run does: an interpreter with pyinfra is slow to start.
WAVES = """
import json, sys
from inventory.groups import host_data
from inventory.load import load_site
from deploys.pyinfra import runtime
from deploys.pyinfra.runtime import current_host
from pyinfra.api.command import StringCommand
told = {}

def run(deploy, inventory):
    site = load_site(f"{sys.argv[1]}/{inventory}/inv.py")
    return runtime.run([(h.name, host_data(site, h)) for h in site.hosts], deploy)

def command():
    host = current_host()
    ok, output = host.run_shell_command(StringCommand("cat; echo err >&2; exit 3"), _stdin="a\\nb ")
    told["command"] = [ok, output.stdout, output.stderr]

def slow():
    current_host().run_shell_command(StringCommand("sleep 300"), _timeout=1)

host, error = run(command, "good")["target"]
told["after"] = [error, host.connector.round_trips, host.connector._ssh]
for name in ("stranger", "unpinned"):
    told[name] = repr(run(lambda: None, name)["target"][1])
told["both"] = {name: error is None for name, (_, error) in run(lambda: None, "both").items()}
told["slow"] = type(run(slow, "good")["target"][1]).__name__
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def waves(sshd: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each wave of WAVES said, over inventories of a good host and of wrong ones."""
    folder = tmp_path_factory.mktemp("waves")
    other = {"host_keys": [OTHER_KEY], "machine_id": "1" * 32}
    inventories = {
        "good": [described(sshd)],
        "stranger": [described(sshd, identity={**other, "machine_id": MACHINE_ID})],
        "unpinned": [described(sshd, identity=None)],
        "both": [described(sshd), described(sshd, name="dark", ssh_port=1, identity=other)],
    }
    for name, hosts in inventories.items():
        (folder / name).mkdir()
        inventory_file(folder / name, *hosts)
    told: dict[str, Any] = json.loads(output(sys.executable, "-c", WAVES, folder))
    return told


def test_connector_runs_counts_and_really_closes(waves: dict[str, Any]) -> None:
    assert waves["command"] == [False, "a\nb ", "err"]
    assert waves["after"] == [None, 2, None]  # opening the connection, and the command


def test_connector_refuses_another_host_key(waves: dict[str, Any]) -> None:
    assert "UnreachableError" in waves["stranger"]
    assert "hft host enrol target" in waves["stranger"]


def test_connector_refuses_a_host_without_a_pinned_key(waves: dict[str, Any]) -> None:
    assert "not enrolled, so nothing was sent" in waves["unpinned"]


def test_command_is_given_up_at_its_deadline(waves: dict[str, Any]) -> None:
    assert waves["slow"] == "ConnectionError"  # and not after the 300 s that the command takes


def test_one_bad_host_fails_alone(waves: dict[str, Any]) -> None:
    assert waves["both"] == {"dark": False, "target": True}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an inventory whose one host is a made server that was booted as planned."""
    folder = tmp_path_factory.mktemp("made")
    with made_target(folder) as target:
        TARGETS[folder] = target
        yield folder


TARGETS: dict[Path, Target] = {}


@pytest.fixture
def command(made: Path, tmp_path: Path) -> Run:
    """Run a console script against the made host, counting nothing and hiding nothing."""

    def run(name: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HFT_STATE": str(tmp_path / "state"), "HFT_LAB_DIR": str(tmp_path)}
        place = [str(made / "inv.py")] if name == "pyinfra" else []
        after = ["--inventory", str(made / "inv.py")] if name == "hft" else []
        argv = [str(BIN / name), *place, *words, *after]
        return subprocess.run(
            argv,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=environment,
            cwd=tmp_path,
            **more,
        )

    return run


@needs_namespaces
def test_plan_and_dry_run_count_the_same(command: Run, made: Path) -> None:
    """Before anything was applied, after it, and with one thing changed behind our back."""
    target, counts = TARGETS[made], []
    for before in ("true", "apply", "echo 61 >/proc/sys/vm/swappiness", "rm /etc/sysctl.d/90-hft.conf"):
        if before == "apply":
            assert command("hft", "apply", "--yes").returncode == 0
        else:
            target.run(before)
        planned, dry = command("hft", "plan", "--host", NAME), command("hft", "apply", "--dry-run", "--json")
        assert planned.returncode == dry.returncode, planned.stderr + dry.stderr
        pending = json.loads(dry.stdout)["hosts"][0]["pending"]
        by_boot = sum(one["mode"] == "boot" for one in pending)
        said = f"{len(pending)} pending ({by_boot} by a boot, {len(pending) - by_boot} at run time)"
        assert (said if pending else "as planned") in planned.stderr
        counts.append(len(pending))
    assert counts[0] > 40, "files, stand-ins and the record count, too"
    assert counts[1:] == [0, 1, 2], counts
    assert command("hft", "revert", NAME, "--yes", "--drain").returncode == 0


@needs_namespaces
def test_life_of_a_host(command: Run, made: Path) -> None:  # one host, in the order an operator meets it
    target = TARGETS[made]
    first = command("hft", "apply", "--dry-run")
    assert (first.returncode, "vm.swappiness: 60 -> 10" in first.stdout) == (3, True), first.stderr

    unasked = command("hft", "apply", stdin=subprocess.DEVNULL)
    assert (unasked.returncode, "--yes" in unasked.stderr) == (2, True)
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "60"

    applied = command("hft", "apply", "--yes", "--json", "--reason", "test")
    assert applied.returncode == 0, applied.stderr
    assert "vm.swappiness: 60 -> 10" in "\n".join(json.loads(applied.stdout)["hosts"][0]["changed"])
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"

    before = round_trips(target)
    second = command("hft", "apply", "--yes", "--json")
    host = json.loads(second.stdout)["hosts"][0]
    assert (second.returncode, host["result"], host["changed"]) == (0, "no_change", [])
    assert round_trips(target) - before - 1 == 1  # one is the counting itself; the budget is 2

    target.run("echo 61 >/proc/sys/vm/swappiness")
    before = round_trips(target)
    assert command("hft", "apply", "--yes").returncode == 0
    assert round_trips(target) - before - 1 == 2  # one look, one document
    target.run("echo 61 >/proc/sys/vm/swappiness")
    dry = command("pyinfra", str(SITE_PY), "--dry")
    pending = [line for line in dry.stderr.splitlines() if " 1 (" in line]
    assert dry.returncode == 0
    assert [line.split("  ")[2].strip() for line in pending] == [
        "hft | sysctl: vm.swappiness: 61 -> 10",
        "hft | transact: one document, one round trip",
    ]
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "61"

    stock = command("pyinfra", str(SITE_PY), "-y")
    assert stock.returncode == 0, stock.stderr
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"

    assert "hft-standin@" in target.run(
        "systemctl list-units 'hft-standin@*' --no-legend; ls /etc/systemd/system"
    )
    reverted = command("hft", "revert", NAME, "--yes")  # the stand-ins are ours: no --drain for them
    assert reverted.returncode == 0, reverted.stdout + reverted.stderr
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "60"  # before the plan, not before the repair


@needs_namespaces
def test_reader_that_left_changes_nothing_of_what_is_done_recorded_or_returned(
    command: Run, made: Path, tmp_path: Path
) -> None:
    target = TARGETS[made]
    target.run("echo 61 >/proc/sys/vm/swappiness")
    environment = {**os.environ, "HFT_STATE": str(tmp_path / "left"), "HFT_LAB_DIR": str(tmp_path)}
    argv = [str(BIN / "hft"), "apply", "--yes", "--inventory", str(made / "inv.py")]
    reading, writing = os.pipe()
    child = subprocess.Popen(argv, env=environment, cwd=tmp_path, stdout=writing, stderr=writing)
    os.close(writing)
    os.close(reading)
    assert child.wait(timeout=60) == 0
    (record,) = (tmp_path / "left/runs").glob("*.jsonl")
    closed = json.loads(record.read_text().splitlines()[-1])
    assert (closed["event"], closed["outcome"]) == ("closed", "ok")
    assert [facts["result"] for facts in closed["hosts"].values()] == ["applied"]
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"


@needs_namespaces
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_nothing_of_what_is_done_recorded_or_returned(
    made: Path, tmp_path: Path, closed: str
) -> None:
    """All that a host goes through; stock pyinfra needs its streams, and hft gives it some."""
    target = TARGETS[made]
    environment = {**os.environ, "HFT_STATE": str(tmp_path / "state"), "HFT_LAB_DIR": str(tmp_path)}

    def run(*words: str) -> int:
        argv = [str(BIN / "hft"), *words, "--inventory", str(made / "inv.py")]
        shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *argv]
        return subprocess.run(shell, env=environment, cwd=tmp_path, check=False, timeout=60).returncode

    target.run("echo 61 >/proc/sys/vm/swappiness")
    assert run("apply", "--yes", "--json") == 0
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"
    assert run("recover", NAME) == 0
    assert run("revert", NAME, "--yes", "--drain") == 0
    assert run("remove", NAME, "--yes") == 0
    (record,) = (tmp_path / "state/runs").glob("*.jsonl")
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    ends = [(line["verb"], line["exit_code"]) for line in lines if line["event"] == "closed"]
    assert ends == [(verb, 0) for verb in ("apply", "recover", "revert", "remove")]


@needs_namespaces
def test_interrupt_leaves_no_lock_and_says_how_to_go_on(command: Run, made: Path, tmp_path: Path) -> None:
    """Ended while the host works, by whichever signal: old or planned, recorded, and the next run goes on."""
    target = TARGETS[made]
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number, after_s in zip(itertools.cycle(signals), (0.0, 0.1, 0.2, 0.3, 0.4, 0.8), strict=False):
        target.run("echo 61 >/proc/sys/vm/swappiness")
        environment = {**os.environ, "HFT_STATE": str(tmp_path / "state"), "HFT_LAB_DIR": str(tmp_path)}
        argv = [str(BIN / "hft"), "apply", "--yes", "--inventory", str(made / "inv.py")]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        child = subprocess.Popen(argv, env=environment, cwd=tmp_path, **pipes)
        assert child.stderr is not None
        said = child.stderr.readline()
        assert said.startswith("wave: "), said
        time.sleep(after_s)
        child.send_signal(number)
        out, err = child.communicate(timeout=30)
        assert "Traceback" not in err
        (record,) = (tmp_path / "state/runs").glob("*.jsonl")
        closed = json.loads(record.read_text().splitlines()[-1])
        ended = 0 if child.returncode == -number else child.returncode  # it came while Python was going down
        assert (closed["event"], closed["exit_code"]) == ("closed", ended), number
        if child.returncode == 130:
            assert "run the same command again" in err
        else:  # it came too late: the host was done
            assert "bench-1: applied" in out, (child.returncode, err)
        assert target.run("cat /proc/sys/vm/swappiness").strip() in {"10", "61"}
    finished = command("hft", "apply", "--yes")
    assert finished.returncode == 0, finished.stderr
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"
    assert target.run("ls -a /etc/sysctl.d /etc/systemd/system | grep -c hft-.*-new || :").strip() == "0"
