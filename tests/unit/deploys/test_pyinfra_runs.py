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
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts.bench.madehost import MACHINE_ID, SMALL, make_host
from scripts.bench.noop import _settle
from scripts.bench.target import NAME, Target, open_target

BIN = Path(sys.executable).parent
SITE_PY = Path(__file__).parents[3] / "deploys" / "site.py"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"
UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--propagation", "private", "true"]
needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or subprocess.run(UNSHARE, capture_output=True, check=False).returncode != 0,
    reason="a made host needs root and namespaces (unshare)",
)
Run = Callable[..., subprocess.CompletedProcess[str]]


def host_of(**values: Any) -> dict[str, Any]:
    return {
        "name": "target",
        "user": "root",
        "host_class": "lab-vm",
        "role": "engine",
        "failure_domain": "a",
        "profile": "engine",
    } | values


def inventory_file(folder: Path, *hosts: dict[str, Any]) -> Path:
    path = folder / "inv.py"
    path.write_text(
        "from inventory.groups import pyinfra_groups\nfrom inventory.model import Site\n"
        f"SITE = Site.model_validate({{'name': 'made', 'hosts': {list(hosts)!r}}})\n"
        "globals().update(pyinfra_groups(SITE, __file__))\n"
    )
    return path


def in_process(code: str, folder: Path) -> str:
    """Run CODE with `run(deploy)` at hand: one wave over the inventory in FOLDER."""
    head = f"""
        from inventory.groups import host_data
        from inventory.load import load_site
        from deploys.adapter import at_position, current_host, run_wave
        from pyinfra.api.command import StringCommand
        site = load_site({str(folder / "inv.py")!r})
        def run(deploy):
            return run_wave([(h.name, host_data(site, h)) for h in site.hosts], deploy)
    """
    program = textwrap.dedent(head) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def described(sshd: Any, **values: Any) -> dict[str, Any]:
    identity = {"host_keys": [sshd.host_key], "machine_id": MACHINE_ID}
    return host_of(
        name=sshd.name, address=sshd.address, ssh_port=sshd.ssh_port, user=sshd.user, ssh_key=sshd.ssh_key,
        identity=identity,
    ) | values  # fmt: skip


ONE_COMMAND = """
    def deploy():
        host = current_host()
        ok, output = host.run_shell_command(StringCommand("cat; echo err >&2; exit 3"), _stdin="a\\nb ")
        sock = host.connector.client.get_transport().sock
        print(ok, repr(output.stdout), repr(output.stderr), sock.getsockopt(6, 1))
    ran = run(deploy)["target"]
    print(ran.error, ran.round_trips, ran.host.connector.client)
"""


def test_connector_runs_counts_and_really_closes(sshd: Any, tmp_path: Path) -> None:
    inventory_file(tmp_path, described(sshd))
    assert in_process(ONE_COMMAND, tmp_path).splitlines() == ["False 'a\\nb ' 'err' 1", "None 1 None"]


def test_connector_refuses_another_host_key(sshd: Any, tmp_path: Path) -> None:
    identity = {"host_keys": [OTHER_KEY], "machine_id": MACHINE_ID}
    inventory_file(tmp_path, described(sshd, identity=identity))
    said = in_process("print(repr(run(lambda: None)['target'].error))", tmp_path)
    assert "UnreachableError" in said
    assert "hft host enrol target" in said


def test_connector_refuses_a_host_without_a_pinned_key(sshd: Any, tmp_path: Path) -> None:
    inventory_file(tmp_path, described(sshd, identity=None))
    assert "no usable host key" in in_process("print(run(lambda: None)['target'].error)", tmp_path)


def test_command_is_given_up_at_its_deadline(sshd: Any, tmp_path: Path) -> None:
    inventory_file(tmp_path, described(sshd))
    code = """
        def deploy():
            current_host().run_shell_command(StringCommand("sleep 5"), _timeout=1)
        print(type(run(deploy)["target"].error).__name__)
    """
    began = time.monotonic()
    assert in_process(code, tmp_path).strip() == "TimeoutError"
    assert time.monotonic() - began < 5


def test_one_bad_host_fails_alone(sshd: Any, tmp_path: Path) -> None:
    other = described(
        sshd,
        name="dark",
        ssh_port=1,
        identity={"host_keys": [OTHER_KEY], "machine_id": "1" * 32},
    )
    inventory_file(tmp_path, described(sshd), other)
    code = "print({name: ran.error is None for name, ran in sorted(run(lambda: None).items())})"
    assert in_process(code, tmp_path).strip() == "{'dark': False, 'target': True}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an inventory whose one host is a made server that was booted as planned."""
    folder = tmp_path_factory.mktemp("made")
    with open_target(make_host(SMALL)) as target:
        _settle(target)
        # bash reads this for every command that sshd starts: a line each, whoever sends it
        target.run("echo 'echo x >>/run/sessions' >/root/.bashrc")
        identity = {"host_keys": [target.host_key], "machine_id": MACHINE_ID}
        where = {"address": target.address, "ssh_port": target.port, "ssh_key": str(target.key)}
        inventory_file(folder, host_of(name=NAME, identity=identity, **where))
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

    refused = command("hft", "revert", NAME, "--yes")
    assert (refused.returncode, "--drain" in refused.stderr) == (2, True)
    reverted = command("hft", "revert", NAME, "--yes", "--drain")
    assert reverted.returncode == 0, reverted.stdout + reverted.stderr
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "60"  # before the plan, not before the repair


def round_trips(target: Target) -> int:
    """Commands begun on the target so far, this one left out."""
    return len(target.run("cat /run/sessions").splitlines()) - 1


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
        assert (closed["event"], closed["exit_code"]) == ("closed", child.returncode), number
        if child.returncode == 130:
            assert "run the same `hft apply` again" in err
        else:  # it came too late: the host was done
            assert "bench-1: applied" in out, (child.returncode, err)
        assert target.run("cat /proc/sys/vm/swappiness").strip() in {"10", "61"}
    finished = command("hft", "apply", "--yes")
    assert finished.returncode == 0, finished.stderr
    assert target.run("cat /proc/sys/vm/swappiness").strip() == "10"
    assert target.run("ls -a /etc/sysctl.d /etc/systemd/system | grep -c hft-.*-new || :").strip() == "0"
