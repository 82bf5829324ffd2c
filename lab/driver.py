"""A lab: some hosts, two private LANs, one state directory, from which everything of a lab can be found and
removed.

A process that dies leaves at most VMs whose pid files are in that directory: `down` stops them and removes
it. When `up` does not finish (an error, Ctrl-C) it stops what it started itself.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from lab import identity, process, ssh, state
from lab.accel import chosen_accel, wanted_accel
from lab.errors import LabError, LabUsageError
from lab.image import Image, Progress, ensure_image
from lab.lock import WAIT_S, held
from lab.machine import BOOT_TIMEOUT_S, Machine
from lab.paths import checked_name, lab_dir, private_dir
from lab.ports import free_port, is_free, new_lan
from lab.record import Record
from lab.snapshots import NAME as SNAPSHOT_NAME
from lab.snapshots import VmSnapshot
from lab.spec import VmSpec, checked
from lab.speed import Speed, measure
from transport.hint import command

RESUME_TIMEOUT_S = 120.0
SOCKET_PATH_BYTES_MAX = 107


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab(Record):
    """The lab of a given name, whether or not it is up: its record, and what changes it."""

    @staticmethod
    def named(name: str) -> Lab:
        """The lab called NAME on this machine."""
        return Lab(name=name, directory=lab_dir(name))

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
        wanted_accel()
        image = ensure_image(progress)
        started: list[str] = []
        with self._held(f"up of {_names(specs)}", progress), self._stopping(started):
            accel = chosen_accel(image, progress)
            kept = VmSnapshot.of(image, specs, accel) if restore and not self.state_file.exists() else None
            if kept is not None and kept.exists:
                self._restore(kept, image, progress, started)
            else:
                machines = self._created(specs, image, accel, progress)
                self._boot(machines, progress, started, boot_timeout_s)
                if kept is not None:
                    self._keep(kept, specs, progress)
            self.keep_pids()
            self._measured(progress)
        return tuple(self.machine(spec.name) for spec in specs)

    def add(
        self,
        spec: VmSpec,
        progress: Progress,
        *,
        owner: str = "",
        wait: bool = True,
        boot_timeout_s: float = BOOT_TIMEOUT_S,
    ) -> Machine:
        """Have one host of any shape, and start it; WAIT for SSH, too.

        One that is there already is adopted as it is, disk and identity kept, when it has this spec and this
        OWNER (who made it; '' is a person); LabUsageError when it is another's, or another machine.
        """
        checked(spec)
        wanted_accel()
        image = ensure_image(progress)
        started: list[str] = []
        with self._held(f"add {spec.name}", progress), self._stopping(started):
            self._refuse_other(spec, owner)
            accel = chosen_accel(image, progress)
            (machine,) = self._created([spec], image, accel, progress, owner)
            if wait:
                self._boot([machine], progress, started, boot_timeout_s)
            elif not machine.is_running():
                started.append(spec.name)
                self._start(machine, progress)
            self.keep_pids()
            if wait:
                self._measured(progress)
        return self.machine(spec.name)

    def _refuse_other(self, spec: VmSpec, owner: str) -> None:
        name, place = spec.name, f"in lab {self.name}"
        hint = f"hint: another name, or {command('lab', 'remove', name)}"
        there = {known: state.spec_of(entry["spec"]) for known, entry in self.entries().items()}
        for known, other in there.items():
            if known != name and other.number == spec.number:
                raise LabUsageError(f"{name}: number {spec.number} is that of {known} {place}")
        if name not in there:
            return
        whose = self.entries()[name].get("owner", "")
        if whose != owner:
            raise LabUsageError(f"{name}: is there {place}, made by {whose or 'hand'}; {hint}")
        if there[name] != spec:
            was, now = there[name].shape, spec.shape
            raise LabUsageError(f"{name}: is there {place} as another machine ({was}, not {now}); {hint}")

    def reshape(self, spec: VmSpec, progress: Progress) -> None:
        """Give a host that is there another shape, from its next power-on; disk and identity stay.

        LabUsageError where that would be another machine: its kernel and its number are on its disk.
        """
        with self._held(f"reshape {spec.name}", progress):
            before = self.machine(checked(spec).name).spec
            if (before.kernel, before.number) != (spec.kernel, spec.number):
                raise LabUsageError(
                    f"{spec.name}: its disk is that of number {before.number} with the {before.kernel} "
                    f"kernel; hint: {command('lab', 'remove', spec.name)}, then add it"
                )
            document = state.read_json(self.state_file)
            document["hosts"][spec.name] |= state.of_spec(spec)
            self.write(document)

    def remove(self, name: str, progress: Progress, *, uuid: str | None = None) -> bool:
        """Stop a host and remove all that is its own; False when it is not there, or is not the one of UUID.

        With its last host the lab goes, too.
        """
        directory = self.directory / checked_name(name)
        if not self.directory.exists():
            return False
        with self._held(f"remove {name}", progress):
            hosts = dict(self.entries())
            if uuid is not None and hosts.get(name, {}).get("uuid") != uuid:
                return False
            was_there = name in hosts or directory.exists()
            process.kill(directory / "qemu.pid")
            hosts.pop(name, None)
            if not hosts and not self.document().get("bare"):
                shutil.rmtree(self.directory)
                return was_there
            self.write({**state.read_json(self.state_file), "hosts": hosts})
            shutil.rmtree(directory, ignore_errors=True)
        return was_there

    def measured(self, progress: Progress) -> Speed | None:
        """Measure how fast this lab is now and record it in its state; None when no VM is running.

        The lab is held meanwhile: an `up` or `down` beside it would be overwritten, or measured half way.
        """
        with self._held("speed", progress):
            return self._measured(progress)

    def _measured(self, progress: Progress) -> Speed | None:
        running = [machine for machine in self.machines() if machine.is_running() and _answers(machine)]
        if not running:
            return None
        document = state.read_json(self.state_file)
        boots_s = [entry["boot_s"] for entry in document["hosts"].values() if entry.get("boot_s")]
        speed = measure(running, boots_s)
        self.write({**document, "speed": speed.to_state()})
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
                self.keep_boot_time(machine.name, time.monotonic() - began_s)
            progress(f"{machine.name}: up")

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
        self.write({"lan": new_lan(), "image": image.digest, "hosts": hosts})
        for name in hosts:
            self.move(name, free_port())
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
            self.move(machine.name, free_port())
            self.machine(machine.name).start(snapshot=snapshot)

    def down(self, progress: Progress) -> int:
        """Stop every VM of this lab and remove its directory; returns how many were running. Needs no
        readable state."""
        if not self.directory.exists():
            return 0
        with self._held("down", progress):
            killed = 0
            for pid_file in sorted(self.directory.glob("*/qemu.pid")):
                if process.kill(pid_file):
                    progress(f"{pid_file.parent.name}: stopped")
                    killed += 1
            shutil.rmtree(self.directory)
        return killed

    def _held(self, what: str, progress: Progress) -> AbstractContextManager[None]:
        """This lab locked against every other change of it (lab/lock.py)."""
        return held(self.directory, what, progress, wait_s=WAIT_S)

    @contextmanager
    def _stopping(self, started: Sequence[str]) -> Iterator[None]:
        """What was STARTED is stopped again when the body does not end well."""
        try:
            yield
        except BaseException:
            for name in started:
                self.machine(name).crash()
            raise

    # --- creating

    def _created(
        self, specs: Sequence[VmSpec], image: Image, accel: str, progress: Progress, owner: str = ""
    ) -> tuple[Machine, ...]:
        """The machines of SPECS; new ones get a disk and an identity."""
        if not self.state_file.exists():
            for half in self.directory.glob(f"{self.key.name}*"):  # left by one that was killed just here
                half.unlink()
            identity.new_key(self.key, f"lab-{self.name}")
            self.write({"lan": new_lan(), "image": image.digest, "hosts": {}})
        known = {machine.name for machine in self.machines()}
        for spec in specs:
            if spec.name not in known:
                progress(f"{spec.name}: creating its disk")
                self._create(spec, image, accel, owner)
        return tuple(self.machine(spec.name) for spec in specs)

    def _create(self, spec: VmSpec, image: Image, accel: str, owner: str) -> None:
        directory = self.directory / spec.name
        if len(str(directory / "qmp.sock").encode()) > SOCKET_PATH_BYTES_MAX:
            raise LabUsageError(
                f"{directory} is too long for a unix socket: set HFT_LAB_DIR to a shorter path"
            )
        if directory.exists():  # left by an `up` that was killed while creating it
            shutil.rmtree(directory)
        (private_dir(directory) / "owner").write_text(owner)
        who = identity.new_identity(spec.name)
        authorized = self.key.with_name("id_ed25519.pub").read_text().strip()
        files = identity.guest_files(spec, who, authorized)
        identity.make_disk(image, spec.kernel, directory / "disk.qcow2", files)
        entry = state.host_entry(
            spec, who, directory=directory, ssh_port=free_port(), accel=accel, owner=owner
        )
        document = state.read_json(self.state_file)
        document["hosts"][spec.name] = entry
        self.write(document)
        self.move(spec.name, entry["ssh_port"])


def _names(specs: Sequence[VmSpec]) -> str:
    return ", ".join(spec.name for spec in specs)


def _answers(machine: Machine) -> bool:
    """Whether its SSH server is there: one that is booting is not measured, nor waited for."""
    return ssh.banner_is_there(machine.login.port, timeout_s=5.0)
