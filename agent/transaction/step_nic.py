"""One parameter of a network port: channels, rings, coalescing, pause, EEE, offloads (agent/ethtool.py).

A parameter that the driver does not have is no failure: the record says so (tuning/seen_nics.py), and no
later apply tries again in this boot. A number above the driver's maximum is refused before anything is
written. The port that carries the host's default route is never changed, whoever asks.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent import durable
from agent.document import NicStep, target_of
from agent.errors import RefusedError, StepFailedError
from agent.ethtool import Ethtool, name_of
from agent.host import HostRoot
from agent.transaction.step_handler import Before, Plainly
from tuning.nic_table import KNOBS, Value, text_of
from tuning.seen_nics import LACKS, SEEN_NICS_FILE, Answer, SeenNics, read_seen_nics

ROUTES = "/proc/net/route"


@dataclass(frozen=True, kw_only=True)
class NicActor(Plainly):
    """Sets one parameter of one port."""

    host: HostRoot
    step: NicStep
    kind: str = "nic"
    is_live = True
    reads_back = False  # `act` reads it back: what a driver rounds is said, not undone

    @property
    def target(self) -> str:
        return target_of(self.step)

    def observe(self) -> Before:
        """Its value now; satisfied where the driver does not have it."""
        if not self.host.is_live:
            return Before(wanted=True, image={}, note="not asked below a test root")
        device, knob = self.step.device, self.step.knob
        if device in default_route(self.host):
            raise RefusedError("preflight", f"{device} carries the default route: it is never changed")
        try:
            with Ethtool() as ethtool:
                value, most, is_fixed = ethtool.get(device, knob)
        except OSError as error:
            return self._lacking(error)
        wanted = capped(self.step.value, most) if self.step.is_capped else self.step.value
        if is_fixed and value != wanted:
            return self._lacking(OSError(errno.EOPNOTSUPP, "nothing changes it"))
        if most is not None and isinstance(wanted, int) and wanted > most:
            sentence = f"{knob} of {device} is {most} at most, and {wanted} is asked for"
            raise RefusedError("preflight", sentence)
        remember(self.host, [(device, knob, value)], {(device, knob): most})
        return Before(wanted=value == wanted, image={"value": value})

    def _lacking(self, error: OSError) -> Before:
        name = name_of(error)
        if name not in LACKS:
            sentence = f"{self.step.knob} of {self.step.device} cannot be read: {error.strerror}"
            raise RefusedError("preflight", sentence) from error
        remember(self.host, [(self.step.device, self.step.knob, name)])
        return Before(wanted=True, image={}, note=f"the driver has no {self.step.knob} ({name})")

    def act(self) -> str:
        """Set it, and read it back."""
        device, knob, wanted = self.step.device, self.step.knob, self.step.value
        try:
            with Ethtool() as ethtool:
                if self.step.is_capped:
                    wanted = capped(wanted, ethtool.get(device, knob).most)
                ethtool.set(device, knob, wanted)
                seen, _, is_fixed = ethtool.get(device, knob)
                if is_fixed and seen != wanted:
                    raise OSError(errno.EOPNOTSUPP, "the driver does not follow")
        except OSError as error:
            name = name_of(error)
            if name in LACKS:
                remember(self.host, [(device, knob, name)])
                return f"the driver cannot change {knob} ({name})"
            sentence = f"{knob} of {device}: the driver refused {text_of(wanted)} ({error.strerror})"
            raise StepFailedError("step_failed", sentence) from error
        remember(self.host, [(device, knob, seen)])
        if seen != wanted:
            said = f"{knob} of {device} is {text_of(seen) or 'empty'} after {text_of(wanted)} was set"
            raise StepFailedError("step_failed", said)
        return ""

    def undo(self, before: Before) -> str:
        """The old value, unless it is already set."""
        if before.image.get("value") is None or not self.host.is_live:
            return ""
        old = kept(before.image["value"])
        try:
            with Ethtool() as ethtool:
                # What a driver did not follow is still asked of it.
                is_asked = bool(KNOBS[self.step.knob].feature)
                if is_asked or ethtool.get(self.step.device, self.step.knob).value != old:
                    ethtool.set(self.step.device, self.step.knob, old)
        except OSError as error:
            if error.errno == errno.ENODEV:
                return f"{self.step.device} is gone"
            return f"the driver refused the old {self.step.knob} {text_of(old)}: {error.strerror}"
        remember(self.host, [(self.step.device, self.step.knob, old)])
        return ""


def capped(value: Value, most: int | None) -> Value:
    """A number, or the driver's maximum where that is less."""
    return value if most is None or not isinstance(value, int) else min(value, most)


def kept(value: int | Sequence[str]) -> Value:
    """A value as it was, from a journal, which knows lists only."""
    return value if isinstance(value, int) else tuple(value)


def default_route(host: HostRoot) -> frozenset[str]:
    """The devices of the default routes of IPv4 and IPv6."""
    found = set()
    for line in (host.read(ROUTES) or "").splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000":
            found.add(fields[0])
    for line in (host.read("/proc/net/ipv6_route") or "").splitlines():
        fields = line.split()
        if len(fields) == 10 and fields[0] == "0" * 32 and fields[1] == "00" and fields[9] != "lo":
            found.add(fields[9])
    return frozenset(found)


def remember(
    host: HostRoot,
    answers: Iterable[tuple[str, str, Answer]],
    maxima: Mapping[tuple[str, str], int | None] | None = None,
) -> None:
    """Put answers, and maxima of parameters, into the record of this boot, as a whole file, where they say
    something new."""
    boot_id = host.boot_id()
    known = read_seen_nics(host.read(SEEN_NICS_FILE), boot_id) or SeenNics(boot_id=boot_id)
    ports = {device: dict(each) for device, each in known.ports.items()}
    for device, knob, answer in answers:
        ports.setdefault(device, {})[knob] = answer
    most = {device: dict(each) for device, each in known.most.items()}
    for (device, knob), number in (maxima or {}).items():
        if number is not None:
            most.setdefault(device, {})[knob] = number
    text = SeenNics(boot_id=boot_id, ports=ports, most=most).to_json()
    if boot_id and text != host.read(SEEN_NICS_FILE):
        durable.make_dirs(host, SEEN_NICS_FILE.rpartition("/")[0])
        durable.write_file(host, SEEN_NICS_FILE, text.encode())
