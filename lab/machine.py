"""One VM and its verbs, in the manner of the NixOS test driver: a test reads like prose, and every wait is
bounded.

engine.start(); engine.wait_for_ssh()
before = engine.boot_id()
engine.power_cycle()
engine.wait_for_boot(after=before)
assert engine.succeed(["uname", "-v"]).startswith("#1 SMP PREEMPT_RT")
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import firmware, process, qmp, ssh
from lab.errors import LabError
from lab.qemu import Wiring, command_line
from lab.retry import Seen, wait_until
from lab.spec import Link, VmSpec
from transport.answer import Completed

START_TIMEOUT_S = 60
BOOT_TIMEOUT_S = 420.0
COMMAND_TIMEOUT_S = 120.0
CONSOLE_TAIL_LINES = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A VM of a lab. All its state is in its directory and in QEMU, so any process can create this object."""

    spec: VmSpec
    wiring: Wiring
    login: ssh.Login
    accel: str

    @property
    def name(self) -> str:
        """The host's name."""
        return self.spec.name

    # --- power

    def start(self, *, snapshot: str | None = None) -> None:
        """Power on (and restore SNAPSHOT if given). Does nothing if it is running."""
        if self.is_running():
            return
        number = len(self._event_files()) + 1
        self.wiring.events.with_name(f"events.{number}.in").write_text('{"execute":"qmp_capabilities"}\n')
        self.wiring.events.with_name(f"events.{number}.out").touch()
        if snapshot:
            self.wiring.events.with_name(f"events.{number}.restored").touch()
        argv = command_line(
            self.spec,
            self.wiring,
            accel=self.accel,
            start=number,
            snapshot=snapshot,
            firmware=self._powered_on(),
        )
        if shutil.which(argv[0]) is None:
            raise LabError(f"{argv[0]} is not installed: `make setup` installs what the lab needs")
        process.forget_start(self.wiring.pid_file)
        # A VM outlives the command that starts it: it carries none of its variables, nor a secret in one.
        env = {"PATH": os.environ.get("PATH", os.defpath)}
        done = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise LabError(f"{self.name}: QEMU did not start: {done.stderr.strip()[-500:]}")
        process.keep_start(self.wiring.pid_file)

    def _powered_on(self) -> firmware.Firmware | None:
        """A bare machine's firmware, with what was set in force from this power-on on."""
        found = firmware.read(self.wiring.firmware)
        if found is None:
            return None
        firmware.write(self.wiring.firmware, found.powered_on())
        return found.powered_on()

    def crash(self) -> None:
        """Power loss: the VM stops at once, unflushed data is lost. It stays off until start()."""
        process.kill(self.wiring.pid_file)

    def save(self, snapshot: str) -> None:
        """Save memory, devices and disk state into the VM's own disk under a name, then stop QEMU."""
        said = qmp.monitor(self.wiring.qmp, f"savevm {snapshot}")
        if said:
            raise LabError(f"{self.name}: cannot save: {said}")
        self.crash()

    def power_cycle(self) -> None:
        """Power off, then on."""
        self.crash()
        self.start()

    def reset(self) -> None:
        """The reset button: the machine restarts, QEMU does not."""
        qmp.command(self.wiring.qmp, "system_reset")

    def is_running(self) -> bool:
        """Whether its QEMU is running (even if frozen)."""
        return self.pid() is not None

    def pid(self) -> int | None:
        """QEMU's pid."""
        return process.running_pid(self.wiring.pid_file)

    # --- faults

    def freeze(self, *, guest_clock_stops: bool = True) -> None:
        """Stop every CPU. With GUEST_CLOCK_STOPS the guest cannot notice the gap (QMP stop); without, it
        sees the whole gap afterwards, as after a hypervisor stall (SIGSTOP)."""
        if guest_clock_stops:
            qmp.command(self.wiring.qmp, "stop")
        elif not process.send(self.wiring.pid_file, signal.SIGSTOP):
            raise LabError(f"{self.name} is not running")

    def thaw(self) -> None:
        """Resume after either kind of freeze."""
        if not process.send(self.wiring.pid_file, signal.SIGCONT):
            raise LabError(f"{self.name} is not running")
        qmp.command(self.wiring.qmp, "cont")

    def block(self, link: Link) -> None:
        """Unplug the cable of LINK: the guest loses carrier."""
        qmp.command(self.wiring.qmp, "set_link", {"name": str(link), "up": False})

    def unblock(self, link: Link) -> None:
        """Plug the cable of LINK back in."""
        qmp.command(self.wiring.qmp, "set_link", {"name": str(link), "up": True})

    # --- commands

    def execute(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> Completed:
        """Run ARGV as root over SSH, whatever it returns (255: not reachable)."""
        return ssh.run(self.login, argv, stdin=stdin, timeout_s=timeout_s)

    def succeed(
        self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> str:
        """Run ARGV and return its output; LabError unless it ends with 0."""
        done = self.execute(argv, stdin=stdin, timeout_s=timeout_s)
        if done.returncode != 0:
            raise LabError(
                f"{self.name}: {' '.join(argv)} exited with {done.returncode}: {done.stderr.strip()[-500:]}"
            )
        return done.stdout

    def boot_id(self) -> str:
        """The kernel's boot id: it changes with every reboot and with nothing else."""
        return self.succeed(["cat", "/proc/sys/kernel/random/boot_id"]).strip()

    # --- waiting

    def wait_for_ssh(self, *, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Until its SSH server sends its banner and a login succeeds."""
        self.wait_for_boot(after=None, timeout_s=timeout_s)

    def wait_for_boot(self, *, after: str | None, timeout_s: float = BOOT_TIMEOUT_S) -> str:
        """Until it answers with a boot id other than AFTER; returns the new one."""

        def look() -> str | None:
            if not self.is_running():
                raise LabError(f"{self.name}: QEMU exited while waiting for its boot")
            if not ssh.banner_is_there(self.login.port, timeout_s=5.0):
                return None
            done = self.execute(["cat", "/proc/sys/kernel/random/boot_id"], timeout_s=60.0)
            seen = done.stdout.strip()
            return seen if done.returncode == 0 and seen != after else None

        return self.wait_until(look, what="SSH", timeout_s=timeout_s)

    def wait_for_unit(self, unit: str, *, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Until systemd reports UNIT active; gives up at once when it has failed."""

        def look() -> bool:
            state = self.execute(["systemctl", "is-active", unit]).stdout.strip()
            if state == "failed":
                raise LabError(f"{self.name}: {unit} has failed")
            return state == "active"

        self.wait_until(look, what=f"unit {unit}", timeout_s=timeout_s, interval_s=1.0)

    def wait_for_console_text(self, text: str, *, after: int = 0, timeout_s: float = BOOT_TIMEOUT_S) -> None:
        """Until the console has printed TEXT, not counting its first AFTER characters."""
        self.wait_until(
            lambda: text in self.console_text()[after:], what=f"{text!r} on the console", timeout_s=timeout_s
        )

    def wait_until(
        self, look: Callable[[], Seen | None], *, what: str, timeout_s: float, interval_s: float = 0.5
    ) -> Seen:
        """Until LOOK returns something; on timeout the error ends with the last lines of the console."""
        try:
            return wait_until(look, what=f"{self.name}: {what}", timeout_s=timeout_s, interval_s=interval_s)
        except LabError as error:
            tail = "\n".join(self.console_text().splitlines()[-CONSOLE_TAIL_LINES:])
            raise LabError(f"{error}\n--- end of {self.wiring.console}\n{tail}") from error

    # --- what it left behind

    def console_text(self) -> str:
        """Everything its serial console has printed."""
        try:
            return self.wiring.console.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def events(self) -> tuple[qmp.Event, ...]:
        """Every event of every start, in order."""
        return tuple(event for path in self._event_files() for event in qmp.parse_events(path.read_text()))

    def resets(self) -> tuple[qmp.Reset, ...]:
        """Every reset and its cause: watchdog, guest or host."""
        return tuple(
            reset for path in self._event_files() for reset in qmp.resets(qmp.parse_events(path.read_text()))
        )

    def boots(self) -> int:
        """How often it ran its firmware: power-ons without a snapshot, and resets."""
        restored = sum(1 for path in self._event_files() if path.with_suffix(".restored").exists())
        return len(self._event_files()) - restored + len(self.resets())

    def _event_files(self) -> list[Path]:
        found = self.wiring.directory.glob("events.*.out")
        return sorted(found, key=lambda path: int(path.name.split(".")[1]))
