"""Apply on real kernels: stock pyinfra stages and never reboots, hft tries and commits, then nothing is left.

One story, because every boot costs the machine three quarters of a minute: two boots, one for each host.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.driver import Lab
from lab.machine import Machine
from tests.support.checkout import ROOT

pytestmark = [pytest.mark.vm, pytest.mark.timeout(2400)]
BIN = Path(sys.executable).parent
ENGINES = ("engine-1", "engine-2")


def run(*argv: str, timeout_s: float = 1800) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / argv[0]), *argv[1:]]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)


def shell(machine: Machine, command: str) -> str:
    return machine.succeed(["sh", "-c", command])


def boot_ids(lab: Lab) -> dict[str, str]:
    read = "cat /proc/sys/kernel/random/boot_id"
    return {name: shell(lab.machine(name), read).strip() for name in ENGINES}


def stock(*words: str) -> subprocess.CompletedProcess[str]:
    return run("pyinfra", "inventory/lab.py", "deploys/site.py", *words)


@pytest.fixture(scope="module")
def tuned(lab: Lab) -> Iterator[Lab]:
    """Both engine hosts: staged by stock pyinfra without a reboot, then tried and committed by hft.

    The modules that follow load the engine's CPUs themselves or boot the hosts, so the engine ends here.
    """
    before = boot_ids(lab)
    staged = stock("-y")
    assert staged.returncode == 0, staged.stderr
    assert staged.stderr.count("run: hft apply --limit") >= 1
    assert boot_ids(lab) == before, "stock pyinfra rebooted a host"
    refused = stock("-y", "--data", "reboot=yes")
    assert "failure domains are selected" in refused.stderr
    assert boot_ids(lab) == before, "two failure domains were rebooted together"
    applied = run("hft", "apply", "--yes", "--drain", "--json", "--reason", "vm test")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    ends = {host["host"]: host["result"] for host in json.loads(applied.stdout)["hosts"]}
    assert ends == dict.fromkeys(ENGINES, "committed")
    assert applied.stderr.index("wave: engine-1") < applied.stderr.index("wave: engine-2")
    after = boot_ids(lab)
    assert all(after[name] != before[name] for name in ENGINES)
    yield lab
    for name in ENGINES:
        shell(lab.machine(name), "systemctl stop hft-engine.slice 'hft-standin@*.service'")


def test_second_apply_changes_nothing(tuned: Lab) -> None:
    before = boot_ids(tuned)
    again = run("hft", "apply", "--yes", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    hosts = json.loads(again.stdout)["hosts"]
    assert [(host["result"], host["changed"]) for host in hosts] == [("no_change", [])] * len(ENGINES)
    assert boot_ids(tuned) == before


def test_stock_pyinfra_names_one_drift_and_changes_nothing(tuned: Lab) -> None:
    shell(tuned.machine("engine-1"), "echo 61 >/proc/sys/vm/swappiness")
    dry = stock("--dry")
    named = [line for line in dry.stderr.splitlines() if "1 (engine-1)" in line and "transact" not in line]
    assert len(named) == 1
    assert "vm.swappiness: 61 -> " in named[0]
    assert shell(tuned.machine("engine-1"), "cat /proc/sys/vm/swappiness").strip() == "61"


def test_every_engine_cpu_carries_its_standin_alone(tuned: Lab) -> None:
    for name in ENGINES:
        machine = tuned.machine(name)
        plan = json.loads(shell(machine, "cat /var/lib/hft/plan.json"))
        for cpu in (one["cpu"] for one in plan["cpus"] if one["role"] in {"engine", "poll"}):
            unit = f"hft-standin@{cpu}.service"
            pid = shell(machine, f"systemctl show --property=MainPID --value {unit}").strip()
            allowed = shell(machine, f"grep Cpus_allowed_list /proc/{pid}/status").split()[1]
            assert (name, allowed) == (name, str(cpu))
            group = shell(machine, f"cat /proc/{pid}/cgroup").strip()
            assert "/hft.slice/hft-engine.slice/" in group


@pytest.mark.parametrize("after_s", [0.0, 1.0, 2.0, 4.0, 8.0])
def test_interrupted_apply_leaves_the_host_whole(tuned: Lab, after_s: float) -> None:
    machine = tuned.machine("engine-1")
    shell(machine, "echo 61 >/proc/sys/vm/swappiness")
    argv = [str(BIN / "hft"), "apply", "--yes", "--limit", "engine-1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    child = subprocess.Popen(argv, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]
    assert child.stderr.readline().startswith("wave: ")
    time.sleep(after_s)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    assert "Traceback" not in err
    assert "run the same command again" in err if child.returncode == 130 else "engine-1: applied" in out
    again = run("hft", "apply", "--yes", "--limit", "engine-1")
    assert again.returncode == 0, again.stdout + again.stderr
    assert shell(machine, "cat /proc/sys/vm/swappiness").strip() != "61"
