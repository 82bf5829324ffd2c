"""A lab: some hosts, two private LANs, one state directory, from which everything of a lab can be found and
removed.

A process that dies leaves at most VMs whose pid files are in that directory: `down` stops them and removes
it. When `up` does not finish (an error, Ctrl-C) it stops what it started itself.
"""

from __future__ import annotations

import fcntl
import random
import shutil
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import identity, process, state
from lab.accel import chosen_accel
from lab.errors import LabError, LabUsageError
from lab.image import Image, Progress, ensure_image
from lab.machine import BOOT_TIMEOUT_S, Machine
from lab.paths import lab_dir, private_dir
from lab.qemu import Wiring
from lab.snapshots import NAME as SNAPSHOT_NAME
from lab.snapshots import VmSnapshot
from lab.spec import VmSpec
from lab.speed import Speed, measure
from lab.ssh import Login

RESUME_TIMEOUT_S = 120.0
_SOCKET_PATH_BYTES_MAX = 107
_LAN_PORTS = range(20000, 30000)
# Below the ephemeral range (ip_local_port_range, 32768 to 60999): a VM that is power-cycled frees its port
# for a moment, and no other program may get it meanwhile.
_SSH_PORTS = range(10000, 20000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The lab of a given name, whether or not it is up."""

    name: str
    directory: Path

    @staticmethod
    def named(name: str) -> Lab:
        """The lab called NAME on this machine."""
        return Lab(name=name, directory=lab_dir(name))

    @property
    def key(self) -> Path:
        """The private key that every VM of this lab accepts for root."""
        return self.directory / "id_ed25519"

    @property
    def state_file(self) -> Path:
        """What other packages read."""
        return self.directory / "state.json"

    # --- looking

    def machines(self) -> tuple[Machine, ...]:
        """Every VM that was created in this lab and not removed."""
        if not self.state_file.exists():
            return ()
        document = state.read_json(self.state_file)
        return tuple(self._machine(document, name) for name in document["hosts"])

    def machine(self, name: str) -> Machine:
        """The VM called NAME."""
        machines = {machine.name: machine for machine in self.machines()}
        if name in machines:
            return machines[name]
        known = f"it has {', '.join(machines)}" if machines else "it is down: `hft lab up` starts it"
        raise LabUsageError(f"lab {self.name} has no host {name}; {known}")

    def _machine(self, document: dict[str, Any], name: str) -> Machine:
        entry = document["hosts"][name]
        directory = self.directory / name
        wiring = Wiring(
            directory=directory,
            ssh_port=entry["ssh_port"],
            lan_group=document["lan"]["group"],
            lan_ports=tuple(document["lan"]["ports"]),
            uuid=entry["uuid"],
        )
        login = Login(port=wiring.ssh_port, key=self.key, known_hosts=directory / "known_hosts")
        return Machine(spec=state.spec_of(entry["spec"]), wiring=wiring, login=login, accel=entry["accel"])

    # --- up and down

    def up(
        self,
        specs: Sequence[VmSpec],
        progress: Progress,
        *,
        restore: bool = False,
        boot_timeout_s: float = BOOT_TIMEOUT_S,
    ) -> tuple[Machine, ...]:
        """Start the VMs of SPECS and wait for SSH. Running VMs are left alone; what this call started is
        stopped again if it does not finish. RESTORE starts a new lab from a snapshot."""
        image = ensure_image(progress)
        started: list[str] = []
        with self._held():
            try:
                accel = chosen_accel(image, progress)
                kept = (
                    VmSnapshot.of(image, specs, accel) if restore and not self.state_file.exists() else None
                )
                if kept is not None and kept.exists:
                    self._restore(kept, image, progress, started)
                else:
                    machines = self._created(specs, image, accel, progress)
                    self._boot(machines, progress, started, boot_timeout_s)
                    if kept is not None:
                        self._keep(kept, specs, progress)
                self._record()
                self._measured(progress)
            except BaseException:
                for name in started:
                    self.machine(name).crash()
                raise
        return tuple(self.machine(spec.name) for spec in specs)

    def measured(self, progress: Progress) -> Speed | None:
        """Measure how fast this lab is now and record it in its state; None when no VM is running.

        The lab is held meanwhile: an `up` or `down` beside it would be overwritten, or measured half way.
        """
        with self._held():
            return self._measured(progress)

    def _measured(self, progress: Progress) -> Speed | None:
        running = [machine for machine in self.machines() if machine.is_running()]
        if not running:
            return None
        document = state.read_json(self.state_file)
        boots_s = [entry["boot_s"] for entry in document["hosts"].values() if entry.get("boot_s")]
        speed = measure(running, boots_s)
        self._write({**document, "speed": speed.to_state()})
        progress(f"speed: {speed.sentence()}")
        return speed

    def _boot(
        self, machines: Sequence[Machine], progress: Progress, started: list[str], timeout_s: float
    ) -> None:
        began_s = time.monotonic()
        for machine in machines:
            if not machine.is_running():
                progress(f"{machine.name}: starting ({machine.spec.kernel} kernel, {machine.accel})")
                started.append(machine.name)
                self._start(machine, progress)
        for machine in machines:  # they boot in parallel, whatever the order of waiting
            self.machine(machine.name).wait_for_ssh(timeout_s=timeout_s)
            if machine.name in started:
                self._keep_boot_time(machine.name, time.monotonic() - began_s)
            progress(f"{machine.name}: up")

    def _keep_boot_time(self, name: str, seconds: float) -> None:
        document = state.read_json(self.state_file)
        document["hosts"][name]["boot_s"] = round(seconds, 1)
        self._write(document)

    def _keep(self, kept: VmSnapshot, specs: Sequence[VmSpec], progress: Progress) -> None:
        """Save the VMs, copy what was saved to the cache, and resume them."""
        machines = [self.machine(spec.name) for spec in specs]
        for machine in machines:
            machine.save(SNAPSHOT_NAME)
        kept.keep(self.directory, [machine.name for machine in machines])
        progress("snapshot taken")
        for machine in machines:
            self._resume(machine, progress)

    def _restore(self, kept: VmSnapshot, image: Image, progress: Progress, started: list[str]) -> None:
        """Create this lab from KEPT and resume its VMs where they were saved."""
        hosts = kept.adopt(self.directory)
        self._write({"lan": new_lan(), "image": image.digest, "hosts": hosts})
        for name in hosts:
            self._move(name, free_port())
            started.append(name)
            self._resume(self.machine(name), progress)

    def _resume(self, machine: Machine, progress: Progress) -> None:
        """Start MACHINE from its snapshot; its clock is that of the moment of saving, so it is set."""
        self._start(machine, progress, snapshot=SNAPSHOT_NAME)
        machine = self.machine(machine.name)
        machine.wait_for_ssh(timeout_s=RESUME_TIMEOUT_S)
        machine.succeed(["date", "--set", f"@{time.time():.0f}"])
        progress(f"{machine.name}: up, restored")

    def _start(self, machine: Machine, progress: Progress, snapshot: str | None = None) -> None:
        """Start MACHINE; retry once on another port if its port has been taken since it was chosen."""
        try:
            machine.start(snapshot=snapshot)
        except LabError:
            if is_free(machine.wiring.ssh_port):
                raise
            progress(f"{machine.name}: port {machine.wiring.ssh_port} is taken, trying another")
            self._move(machine.name, free_port())
            self.machine(machine.name).start(snapshot=snapshot)

    def down(self, progress: Progress) -> int:
        """Stop every VM of this lab and remove its directory; returns how many were running. Needs no
        readable state."""
        if not self.directory.exists():
            return 0
        with self._held():
            killed = 0
            for pid_file in sorted(self.directory.glob("*/qemu.pid")):
                if process.kill(pid_file):
                    progress(f"{pid_file.parent.name}: stopped")
                    killed += 1
            shutil.rmtree(self.directory)
        return killed

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Lock this lab against a second `up` or `down`; the kernel frees it when the process ends."""
        private_dir(self.directory)
        with (self.directory / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(
                    f"lab {self.name} is being changed by another `hft lab up` or `down`"
                ) from None
            yield

    # --- creating

    def _created(
        self, specs: Sequence[VmSpec], image: Image, accel: str, progress: Progress
    ) -> tuple[Machine, ...]:
        """The machines of SPECS; new ones get a disk and an identity."""
        if not self.state_file.exists():
            identity.new_key(self.key, f"lab-{self.name}")
            self._write({"lan": new_lan(), "image": image.digest, "hosts": {}})
        known = {machine.name for machine in self.machines()}
        for spec in specs:
            if spec.name not in known:
                progress(f"{spec.name}: creating its disk")
                self._create(spec, image, accel)
        return tuple(self.machine(spec.name) for spec in specs)

    def _create(self, spec: VmSpec, image: Image, accel: str) -> None:
        directory = self.directory / spec.name
        if len(str(directory / "qmp.sock").encode()) > _SOCKET_PATH_BYTES_MAX:
            raise LabUsageError(
                f"{directory} is too long for a unix socket: set HFT_LAB_DIR to a shorter path"
            )
        if directory.exists():  # left by an `up` that was killed while creating it
            shutil.rmtree(directory)
        private_dir(directory)
        who = identity.new_identity(spec.name)
        authorized = self.key.with_name("id_ed25519.pub").read_text().strip()
        files = identity.guest_files(spec, who, authorized)
        identity.make_disk(image, spec.kernel, directory / "disk.qcow2", files)
        entry = state.host_entry(spec, who, directory=directory, ssh_port=free_port(), accel=accel)
        document = state.read_json(self.state_file)
        document["hosts"][spec.name] = entry
        self._write(document)
        self._move(spec.name, entry["ssh_port"])

    def _move(self, name: str, port: int) -> None:
        """Give host NAME the SSH port PORT, in the state file and in its known_hosts."""
        document = state.read_json(self.state_file)
        entry = document["hosts"][name]
        entry["ssh_port"] = port
        (self.directory / name / "known_hosts").write_text(f"[127.0.0.1]:{port} {entry['host_key']}\n")
        self._write(document)

    def _record(self) -> None:
        """Record the present pids."""
        document = state.read_json(self.state_file)
        for machine in self.machines():
            document["hosts"][machine.name]["pid"] = machine.pid()
        self._write(document)

    def _write(self, document: dict[str, Any]) -> None:
        fixed = {"schema": state.SCHEMA, "name": self.name, "ssh_key": str(self.key)}
        state.write_json(self.state_file, {**fixed, **document})


def is_free(port: int) -> bool:
    """Whether nobody listens on a loopback port."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as QEMU does: TIME_WAIT is free
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A loopback port that is free now; QEMU binds it a moment later, so the caller allows for one miss."""
    for port in random.sample(_SSH_PORTS, k=len(_SSH_PORTS)):
        if is_free(port):
            return port
    raise LabError(f"no free loopback port from {_SSH_PORTS.start} to {_SSH_PORTS.stop - 1}")


def new_lan() -> dict[str, Any]:
    """A multicast group and two ports that no other lab is likely to share (one in four billion)."""
    draw = random.SystemRandom()
    group = f"239.{draw.randrange(192, 256)}.{draw.randrange(256)}.{draw.randrange(1, 255)}"
    return {"group": group, "ports": draw.sample(_LAN_PORTS, 2)}
