"""Whoever starts `hft` with standard input, output or error closed gets what it does, and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cases.machines import CASES, machine
from tests.support.checkout import ROOT

pytestmark = pytest.mark.long

CLOSED = (">&-", "2>&-", "<&- >&- 2>&-")
# Of each kind of verb one that ends without a host, or with one that is dark; what it ends with.
VERBS: dict[str, tuple[tuple[str, ...], int]] = {
    "version": (("--version",), 0),
    "help": (("apply", "--help"), 0),
    "list": (("host", "list", "--inventory", "SITE"), 0),
    "init": (("init", "NEW"), 0),
    "plan": (("plan", "--snapshot", "SNAPSHOT"), 0),
    "plan from stdin": (("plan", "--snapshot", "-", "--json"), 2),
    "snapshot": (("snapshot", "--tree", "NOWHERE"), 2),
    "status": (("status", "--inventory", "SITE", "--deadline", "1"), 7),
    "check": (("check", "--config-only", "--inventory", "SITE", "--junit", "NEW"), 7),
    "check json": (("check", "--config-only", "--inventory", "SITE", "--json"), 7),
    "dry run": (("apply", "--dry-run", "--inventory", "SITE"), 7),
    "apply": (("apply", "--yes", "--inventory", "SITE", "--json"), 7),
    "revert": (("revert", "dark", "--yes", "--inventory", "SITE"), 7),
    "recover": (("recover", "dark", "--inventory", "SITE"), 7),
    "remove": (("remove", "dark", "--yes", "--inventory", "SITE"), 7),
    "typo": (("aply",), 2),
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0V7xCkMv5Zt1kEHq3Yl0u8mPZxJt9m8d1q2Yw0a1bC"


def places(folder: Path) -> dict[str, str]:
    """The files that the verbs name: a site whose one host refuses the connection."""
    host = {"name": "dark", "address": "127.0.0.1", "ssh_port": 1, "role": "engine", "failure_domain": "a"}
    host |= {"profile": "engine", "identity": {"host_keys": [KEY], "machine_id": "1" * 32}}
    (folder / "site.json").write_text(json.dumps({"name": "loop", "hosts": [host]}))
    (folder / "host.json").write_text(machine(CASES["lab-rt"]).to_json())
    return {
        "SITE": str(folder / "site.json"),
        "NEW": str(folder / "new"),
        "SNAPSHOT": str(folder / "host.json"),
        "NOWHERE": str(folder / "nowhere"),
    }


def ended(folder: Path, verb: str, how: str, errors: Path) -> int:
    words = " ".join(places(folder).get(word, word) for word in VERBS[verb][0])
    shell = f"exec {sys.executable} -m hft {words} {how}"
    environment: dict[str, Any] = {**os.environ, "HFT_STATE": str(folder / "state")}
    with errors.open("w") as stream:
        return subprocess.run(
            ["sh", "-c", shell],
            cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False,
            timeout=60,
        ).returncode  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_a_closed_stream_changes_no_exit_code(verb: str, tmp_path: Path) -> None:
    """What a child or `hft` itself says goes nowhere then, and never into a record or a report."""
    want = VERBS[verb][1]
    for number, how in enumerate(CLOSED):
        folder = tmp_path / str(number)
        folder.mkdir()
        errors = folder / "errors"
        assert ended(folder, verb, how, errors) == want, (how, errors.read_text()[-2000:])
        assert "Traceback" not in errors.read_text()
        for record in folder.glob("state/runs/*.jsonl"):
            assert all(json.loads(line) for line in record.read_text().splitlines()), how


def test_the_next_file_that_is_opened_gets_no_number_of_a_stream() -> None:
    code = (
        "import os; from hft.standard_streams import open_closed; open_closed()\n"
        "found = os.open('/etc/hostname', os.O_RDONLY)\n"
        "names = [os.readlink(f'/proc/self/fd/{number}') for number in range(3)]\n"
        "raise SystemExit(0 if found > 2 and names == ['/dev/null'] * 3 else 1)\n"
    )
    shell = f'exec {sys.executable} -c "$0" <&- >&- 2>&-'
    done = subprocess.run(["sh", "-c", shell, code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0
