"""A unit: masked, enabled or disabled, and running or not.

systemd keeps enablement as symbolic links below /etc/systemd/system (systemctl(1)): `UNIT -> /dev/null`
masks, a link in a `.wants` or `.requires` directory, or an alias, enables. The before-image is the exact
set of links that name the unit, so undoing needs no [Install] section and leaves no trace. Only `enable` is
left to systemctl, which parses the unit. systemd-sysv-install is disabled (SYSTEMCTL_SKIP_SYSV): it would
change /etc/rc?.d, which the journal does not cover.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent import durable
from agent.document import UnitStep
from agent.errors import StepFailedError
from agent.host import HostRoot
from agent.transaction import unit_places
from agent.transaction.step_handler import Before, Plainly
from agent.transaction.unit_places import MASK
from tuning.units import UNIT_DIR

SYSTEMCTL_TIMEOUT_S = 90


def systemctl(host: HostRoot, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemctl on the host, offline on a directory."""
    place = () if host.is_live else (f"--root={host.root}",)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "SYSTEMCTL_SKIP_SYSV": "1"}
    argv = ["systemctl", "--no-pager", "--no-ask-password", *place, *arguments]
    try:
        return subprocess.run(
            argv, env=environment, capture_output=True, text=True, check=False, timeout=SYSTEMCTL_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StepFailedError("step_failed", f"systemctl {' '.join(arguments)}: {error}") from error


def demand(host: HostRoot, *arguments: str) -> None:
    """Run systemctl; a failure fails the step with the last line systemctl printed."""
    done = systemctl(host, *arguments)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StepFailedError("step_failed", f"systemctl {' '.join(arguments)}: {said}")


def reload(host: HostRoot) -> None:
    """Run `systemctl daemon-reload`; nothing to do below a test root."""
    if host.is_live:
        demand(host, "daemon-reload")


def active_states(host: HostRoot, units: Sequence[str]) -> dict[str, bool]:
    """Which of the units are running, in one call; none below a test root."""
    if not host.is_live or not units:
        return dict.fromkeys(units, False)
    shown = systemctl(host, "show", "--property=ActiveState", "--", *units).stdout
    states = [
        line.removeprefix("ActiveState=") for line in shown.splitlines() if line.startswith("ActiveState=")
    ]
    if len(states) != len(units):
        raise StepFailedError("step_failed", "systemctl show did not answer for every unit")
    return {
        unit: state in {"active", "reloading", "activating"}
        for unit, state in zip(units, states, strict=True)
    }


def links_of(host: HostRoot, unit: str) -> dict[str, str]:
    """Every link below /etc/systemd/system that names the unit or leads to it."""
    found = {}
    for directory in link_dirs(host):
        for name in host.listdir(directory):
            path = f"{directory}/{name}"
            try:
                target = os.readlink(host.path(path))  # noqa: PTH115
            except OSError:
                continue
            if unit in {name, target.rpartition("/")[2]}:
                found[path] = target
    return found


def link_dirs(host: HostRoot) -> Iterator[str]:
    """Where links may lie: the unit directory and its .wants and .requires."""
    yield UNIT_DIR
    for name in host.listdir(UNIT_DIR):
        if name.endswith((".wants", ".requires")):
            yield f"{UNIT_DIR}/{name}"


def enablement(links: Mapping[str, str], unit: str) -> str:
    """masked, enabled or disabled, as these links say."""
    if links.get(f"{UNIT_DIR}/{unit}") == MASK:
        return "masked"
    return "enabled" if any(path != f"{UNIT_DIR}/{unit}" for path in links) else "disabled"


def set_links(host: HostRoot, unit: str, wanted: Mapping[str, str]) -> bool:
    """Make the unit's links exactly these, durably; returns whether anything changed."""
    now = links_of(host, unit)
    for path in now.keys() - wanted.keys():
        durable.remove_file(host, path)
        remove_if_empty(host, durable.split(path)[0])
    for path, target in wanted.items():
        if now.get(path) != target:
            durable.make_dirs(host, durable.split(path)[0])
            durable.write_link(host, path, target)
    return now != dict(wanted)


def remove_if_empty(host: HostRoot, directory: str) -> None:
    """Remove empty .wants directories, as systemctl does."""
    if directory != UNIT_DIR and not host.listdir(directory):
        durable.remove_dir(host, directory)


@dataclass(frozen=True, kw_only=True)
class UnitActor(Plainly):
    """Sets one unit's enablement and whether it runs."""

    host: HostRoot
    step: UnitStep
    active_before: bool
    kind: str = "unit"
    reads_back = False  # `act` asks systemd again

    @property
    def target(self) -> str:
        return self.step.unit

    def observe(self) -> Before:
        """Its links, and whether it runs; refused where something stands in their way or outranks them."""
        unit_places.check(self.host, self.step)
        links = links_of(self.host, self.step.unit)
        if self.step.links is not None:
            enabled_ok = links == dict(self.step.links)
        else:
            enabled_ok = self.step.enabled in {None, enablement(links, self.step.unit)}
        active_ok = not self.host.is_live or self.step.active in {None, self.active_before}
        return Before(wanted=enabled_ok and active_ok, image={"links": links, "active": self.active_before})

    def act(self) -> str:
        """Change the links, then start or stop."""
        unit = self.step.unit
        links = links_of(self.host, unit)
        if self.step.links is not None:
            set_links(self.host, unit, self.step.links)
        elif self.step.enabled not in {None, enablement(links, unit)}:
            self.enable(links)
        if self.host.is_live and self.step.active is not None and self.step.active != self.active_before:
            if self.step.active:
                reload(self.host)  # it may have been masked a moment ago
            demand(self.host, "start" if self.step.active else "stop", "--", unit)
        self.read_back()
        return "" if self.host.is_live else "not started or stopped below a test root"

    def read_back(self) -> None:
        """Links and state must now be as requested."""
        unit = self.step.unit
        now = enablement(links_of(self.host, unit), unit)
        if self.step.enabled not in {None, now} and self.step.links is None:
            raise StepFailedError("step_failed", f"{unit} should be {self.step.enabled} and is {now}")
        active = active_states(self.host, [unit])[unit] if self.host.is_live else self.step.active
        if self.step.active not in {None, active}:
            raise StepFailedError("step_failed", f"{unit} should {'run' if self.step.active else 'not run'}")

    def enable(self, links: Mapping[str, str]) -> None:
        """The links of masked, disabled or enabled."""
        unit, own = self.step.unit, f"{UNIT_DIR}/{self.step.unit}"
        rest = {path: target for path, target in links.items() if path != own}
        if self.step.enabled == "masked":
            if os.path.lexists(self.host.path(own)) and links.get(own) is None:  # it came after the look
                raise StepFailedError("step_failed", f"{unit} cannot be masked: {own} is no link")
            set_links(self.host, unit, rest | {own: MASK})
            return
        keep_own = {own: links[own]} if links.get(own, MASK) != MASK else {}
        set_links(self.host, unit, keep_own | (rest if self.step.enabled == "enabled" else {}))
        if self.step.enabled == "enabled" and not rest:
            demand(self.host, "enable", "--no-reload", "--", unit)
            for path in links_of(self.host, unit):
                durable.sync_dir(self.host, durable.split(path)[0])
            durable.sync_dir(self.host, UNIT_DIR)

    def undo(self, before: Before) -> str:
        """Restore the exact links; stop what was not running."""
        for path in {f"{UNIT_DIR}/{self.step.unit}", *before.image["links"], *(self.step.links or {})}:
            durable.remove_aside(self.host, path)
        set_links(self.host, self.step.unit, before.image["links"])
        return ""

    def settle(self, before: Before, *, same_boot: bool) -> str:
        """Start or stop, once every file and link is restored and systemd has reloaded them."""
        if not self.host.is_live or self.step.active is None:
            return ""
        was = before.image["active"]
        if same_boot and active_states(self.host, [self.step.unit])[self.step.unit] == was:
            return ""
        # early in a boot the unit's own start job waits for us: do not wait for it here
        done = systemctl(self.host, "start" if was else "stop", "--no-block", "--", self.step.unit)
        return "" if done.returncode == 0 else f"could not be {'started' if was else 'stopped'} again"
