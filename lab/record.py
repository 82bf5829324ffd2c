"""What a lab keeps of its hosts, in one directory: its keys, its state file, a folder for each host.

Everything here reads or writes that record and starts or stops nothing; `lab/driver.py` does that, one change
at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import state
from lab.errors import LabUsageError
from lab.machine import Machine
from lab.qemu import Wiring
from lab.spec import SITE, VmSpec, specs_of
from lab.ssh import Login


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The record of the lab of a given name, whether or not it is up."""

    name: str
    directory: Path

    @property
    def key(self) -> Path:
        """The private key that every VM of this lab accepts for root."""
        return self.directory / "id_ed25519"

    @property
    def state_file(self) -> Path:
        """What other packages read."""
        return self.directory / "state.json"

    def machines(self) -> tuple[Machine, ...]:
        """Every VM that was created in this lab and not removed."""
        document = self.document()
        return tuple(self.made(document, entry) for entry in document.get("hosts", {}).values())

    def document(self) -> Mapping[str, Any]:
        """What the state file says; nothing when the lab is down."""
        return state.read_json(self.state_file) if self.state_file.exists() else {}

    def entries(self) -> Mapping[str, Mapping[str, Any]]:
        """What the state file says of each host."""
        found: Mapping[str, Mapping[str, Any]] = self.document().get("hosts", {})
        return found

    def half_made(self, owner: str) -> tuple[str, ...]:
        """The hosts whose creation by OWNER was cut off: a folder, and no entry in the state."""
        known = self.entries()
        found = (path.parent for path in sorted(self.directory.glob("*/owner")) if path.read_text() == owner)
        return tuple(folder.name for folder in found if folder.name not in known)

    def specs(self, names: Sequence[str]) -> tuple[VmSpec, ...]:
        """The specs of NAMES, also of hosts that were added here; of none: the site, and whatever was added.

        LabUsageError for a name that is neither.
        """
        added = {name: state.spec_of(entry["spec"]) for name, entry in self.entries().items()}
        others = [name for name in added if name not in SITE]
        wanted = tuple(dict.fromkeys(names)) or (*SITE, *others)
        return tuple(added[name] if name in others else specs_of([name])[0] for name in wanted)

    def machine(self, name: str) -> Machine:
        """The VM called NAME."""
        machines = {machine.name: machine for machine in self.machines()}
        if name in machines:
            return machines[name]
        known = f"it has {', '.join(machines)}" if machines else "it is down: `hft lab up` starts it"
        raise LabUsageError(f"lab {self.name} has no host {name}; {known}")

    def made(self, document: Mapping[str, Any], entry: Mapping[str, Any]) -> Machine:
        """The VM of an entry of DOCUMENT."""
        spec = state.spec_of(entry["spec"])
        directory = self.directory / spec.name
        wiring = Wiring(
            directory=directory,
            ssh_port=entry["ssh_port"],
            lan_group=document["lan"]["group"],
            lan_ports=tuple(document["lan"]["ports"]),
            uuid=entry["uuid"],
        )
        login = Login(port=wiring.ssh_port, key=self.key, known_hosts=directory / "known_hosts")
        return Machine(spec=spec, wiring=wiring, login=login, accel=entry["accel"])

    # --- keeping

    def keep_boot_time(self, name: str, seconds: float) -> None:
        """Record how long the last boot of NAME took."""
        document = state.read_json(self.state_file)
        document["hosts"][name]["boot_s"] = round(seconds, 1)
        self.write(document)

    def move(self, name: str, port: int) -> None:
        """Give host NAME the SSH port PORT, in the state file and in its known_hosts."""
        document = state.read_json(self.state_file)
        entry = document["hosts"][name]
        entry["ssh_port"] = port
        (self.directory / name / "known_hosts").write_text(f"[127.0.0.1]:{port} {entry['host_key']}\n")
        self.write(document)

    def keep_pids(self) -> None:
        """Record the present pids."""
        document = state.read_json(self.state_file)
        for machine in self.machines():
            document["hosts"][machine.name]["pid"] = machine.pid()
        self.write(document)

    def write(self, document: Mapping[str, Any]) -> None:
        """Replace the state file, whole."""
        fixed = {"schema": state.SCHEMA, "name": self.name, "ssh_key": str(self.key)}
        state.write_json(self.state_file, {**fixed, **document})
