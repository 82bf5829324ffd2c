"""Three made hosts, the agent of one hangs: how its neighbours ended is on record whatever ends the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.install.build import bootstrap_script
from agent.paths import LIB_DIR
from bench.noop import settle
from bench.target import Target, open_target
from tests.support import needs
from tests.support.commands import BIN
from tests.support.fake_host import SMALL, make_host
from tests.support.made_target import host_of, inventory_file

pytestmark = [pytest.mark.long, needs.namespaces()]
AGENT, VERSION = f"{LIB_DIR}/agent.pyz", f"{LIB_DIR}/agent.version"
HANGS = "import sys, time\nsys.stdin.read()\ntime.sleep(100000)\n"
TURN_S = 60.0


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Sequence[Target]]]:
    """The folder of an inventory of h1 (the canary), h2, whose agent never answers, and h3."""
    folder = tmp_path_factory.mktemp("three")
    with ExitStack() as stack:
        made = [stack.enter_context(open_target(make_host(SMALL))) for _ in range(3)]
        hosts = []
        for number, target in enumerate(made, 1):
            settle(target)
            target.run(f"echo {number:032x} >/etc/machine-id")
            identity = {"host_keys": [target.host_key], "machine_id": f"{number:032x}"}
            where = {"address": target.address, "ssh_port": target.port, "ssh_key": str(target.key)}
            hosts.append(host_of(name=f"h{number}", identity=identity, **where))
        inventory_file(folder, *hosts)
        lay = f"mkdir -p {LIB_DIR}; cat >{AGENT}; echo {bootstrap_script().version} >{VERSION}"
        made[1].run(lay, stdin=HANGS)
        yield folder, made


def ended(record: Path) -> dict[str, str]:
    """Host -> result, as the run that opened last has them on record one by one."""
    lines = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
    last = next((line["run"] for line in reversed(lines) if line["event"] == "opened"), None)
    return {
        line["host"]: line["facts"]["result"]
        for line in lines
        if line["event"] == "host" and line["run"] == last
    }


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_host_that_hangs_hides_no_neighbour(
    targets: tuple[Path, Sequence[Target]], tmp_path: Path, number: signal.Signals
) -> None:
    folder, made = targets
    for target in (made[0], made[2]):
        target.run("echo 61 >/proc/sys/vm/swappiness")
    state = tmp_path / "state"
    environment = {**os.environ, "HFT_STATE": str(state), "HFT_LAB_DIR": str(tmp_path)}
    argv = [str(BIN / "hft"), "apply", "--yes", "--inventory", str(folder / "inv.py")]
    child = subprocess.Popen(
        argv, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        record, until = state / "runs" / "made.jsonl", time.monotonic() + TURN_S
        while "h3" not in ended(record) and time.monotonic() < until and child.poll() is None:
            time.sleep(0.1)
        assert ended(record) == {"h1": "applied", "h3": "applied"}, "before the wave of h2 and h3 has ended"
        assert made[2].run("cat /proc/sys/vm/swappiness").strip() == "10"
    finally:
        child.send_signal(number)
        out, _ = child.communicate(timeout=60)
    assert "h3: applied" in out
    cut = {"h2": "failed"} if number is signal.SIGTERM else {}
    assert ended(record) == {"h1": "applied", "h3": "applied", **cut}
    if number is signal.SIGTERM:
        closed = json.loads(record.read_text().splitlines()[-1])
        assert (closed["event"], closed["exit_code"]) == ("closed", 130)
        assert closed["hosts"]["h3"]["txn"]
