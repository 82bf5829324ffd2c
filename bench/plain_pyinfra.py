"""Plain pyinfra: its own SSH connector and its stock operations, one for each setting.

This is what a pyinfra user writes without this bundle: `server.sysctl` for sysctls, `files.put` for whole
files and for values under /sys (there is no operation for those), `files.link` for masked units. Run with
`-y`, which leaves out pyinfra's separate planning pass and is its fastest way to a converged host. Host keys
are strict, as for the others.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from bench.knobs import Knob
from bench.target import Target
from bench.tool import Ran, failed, run

_PROGRAM = str(Path(sys.executable).with_name("pyinfra"))


class PlainPyinfra:
    """Stock pyinfra against its own target."""

    name = "pyinfra"
    command = "pyinfra -y inventory.py deploy.py"

    def __init__(self, target: Target, knobs: Sequence[Knob]) -> None:
        self.target = target
        self.version = version("pyinfra")
        self._folder = target.folder / "pyinfra"
        (self._folder / "files").mkdir(parents=True)
        (self._folder / "inventory.py").write_text(_inventory(target))
        (self._folder / "deploy.py").write_text("\n".join(_deploy(knobs, self._folder)) + "\n")

    def apply(self) -> tuple[Ran, int]:
        """One `pyinfra -y`."""
        ran = self._run("-y")
        results = json.loads(ran.stdout)["results"]
        if results["failed_hosts"] or results["totals"]["error"]:
            raise failed(self.name, ran)
        return ran, int(results["totals"]["success"])

    def pending(self) -> list[str]:
        """One `pyinfra --dry`."""
        plan = json.loads(self._run("--dry").stdout)["plan"]
        return [operation["name"] for operation in plan if operation["hosts_with_change"]]

    def _run(self, mode: str) -> Ran:
        argv = [_PROGRAM, mode, "--json", "inventory.py", "deploy.py"]
        ran = run(argv, target=self.target, folder=self._folder, env={"PYINFRA_PROGRESS": "off"})
        if ran.exit_code != 0:
            raise failed(self.name, ran)
        return ran


def _inventory(target: Target) -> str:
    data = {
        "ssh_port": target.port,
        "ssh_user": "root",
        "ssh_key": str(target.key),
        "ssh_strict_host_key_checking": "yes",
        "ssh_known_hosts_file": str(target.known_hosts),
    }
    return f"bench = [({target.address!r}, {data!r})]\n"


def _deploy(knobs: Sequence[Knob], folder: Path) -> Iterator[str]:
    yield "from pyinfra.operations import files, server"
    for number, knob in enumerate(knobs):
        name, path, wanted = repr(knob.name), repr(knob.path), repr(knob.wanted)
        match knob.kind:
            case "sysctl":
                yield f"server.sysctl(name={name}, key={knob.key!r}, value={wanted})"
            case "link":
                yield f"files.link(name={name}, path={path}, target={wanted}, force=True)"
            case "file" | "value":
                source = f"files/{number:02}"
                (folder / source).write_text(knob.wanted if knob.kind == "file" else knob.wanted + "\n")
                yield f"files.put(name={name}, src={source!r}, dest={path}, mode='644')"
