"""`hft apply` against its target: the command an operator types, in a fresh process every time.

`hft apply --yes` captures, plans, compares, and would send one document; nothing is kept from the run before
(the state directory holds only the record of runs).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.knobs import Knob
from bench.target import NAME, Target
from bench.tool import Ran, failed, run
from tests.support.fake_host import MACHINE_ID

_PROGRAM = str(Path(sys.executable).with_name("hft"))
_PENDING = 3


class Ours:
    """hft against its own target."""

    name = "hft"
    command = "hft apply --yes"

    def __init__(self, target: Target, _knobs: Sequence[Knob]) -> None:
        self.target = target
        self.version = version("hft-infra")
        self._folder = target.folder / "hft"
        self._folder.mkdir()
        (self._folder / "site.json").write_text(json.dumps(_site(target)))

    def apply(self) -> tuple[Ran, int]:
        """One `hft apply --yes`."""
        ran = self._run("--yes", expected=0)
        return ran, _changes(ran.stdout)

    def pending(self) -> list[str]:
        """One `hft apply --dry-run`."""
        ran = self._run("--dry-run", expected=_PENDING)
        return [item["sentence"] for host in json.loads(ran.stdout)["hosts"] for item in host["pending"]]

    def _run(self, mode: str, *, expected: int) -> Ran:
        argv = [_PROGRAM, "apply", "--inventory", "site.json", "--json", mode]
        ran = run(
            argv, target=self.target, folder=self._folder, env={"HFT_STATE": str(self._folder / "state")}
        )
        if ran.exit_code != expected:
            raise failed(self.name, ran)
        return ran


def _changes(output: str) -> int:
    return sum(len(host["changed"]) for host in json.loads(output)["hosts"])


def _site(target: Target) -> dict[str, object]:
    host = {
        "name": NAME,
        "address": target.address,
        "ssh_port": target.port,
        "user": "root",
        "ssh_key": str(target.key),
        "host_class": "lab-vm",
        "role": "engine",
        "failure_domain": "bench",
        "profile": "engine",
        "identity": {"host_keys": [target.host_key], "machine_id": MACHINE_ID},
    }
    return {"name": "bench", "hosts": [host]}
