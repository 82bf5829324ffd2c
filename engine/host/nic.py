"""`python3 -m engine.host.nic`: bind a network port to vfio-pci for DPDK, and give it back to its driver.

`bind` detaches the port from its driver: its interface, addresses and routes are gone until `release`. The
driver is chosen with `driver_override` of that one device (Documentation/ABI/testing/sysfs-bus-pci), never by
adding its id to vfio-pci, which would bind every port of that kind. The previous driver is recorded below
STATE first, so that `release` restores it; a step that fails is undone. Without a working IOMMU nothing is
bound: the device could otherwise write anywhere in memory.

Never bound: a port that is the way of a route in any table, of either address family; a socket on its own
addresses (ssh); another interface (VLAN, bond, bridge); virtual functions; a port that is named with
--management, or whose interface is in another network namespace; a port of which any of this cannot be
read; a port whose IOMMU group has devices that stay with the kernel. A port with an address is bound only
when each address is given up with --give-up: a server that listens on all addresses shows on no port. An
engine's unit says both (deploys/slot/unit.py), from the inventory and from its configuration.
Never released: a port whose group a process holds open, because the kernel would wait for it indefinitely.

The binding is lost at a reboot: a unit binds before the engine starts. Needs root and ip(8).
Standard library only, and of this project engine/host/port_use.py alone.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import pwd
import re
import subprocess
import sys
import time
from collections.abc import Callable, Set
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from engine.host import port_use

EXIT_DONE, EXIT_CONFIG, EXIT_NOT_SAFE, EXIT_RETRY = 0, 64, 69, 75
STATE = Path("/run/hft/nic")
VFIO = "vfio-pci"
ADDRESS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
NETWORK_CLASS, BRIDGE_CLASS = "0x02", "0x06"
PATIENCE_S, NAMES_S = 10.0, 3.0
IN_USER_SPACE = (VFIO, None, "uio_pci_generic", "igb_uio", "pci-stub")  # a port of these has no interface
EPILOG = """examples:
  python3 -m engine.host.nic status 0000:41:00.0
  python3 -m engine.host.nic bind 0000:41:00.0 --owner hft-engine
  python3 -m engine.host.nic bind 0000:41:00.0 --give-up 10.77.1.11 --management eno1
  python3 -m engine.host.nic release 0000:41:00.0

One JSON line on standard output. Exit codes: 0 done or already done (status: always), 64 bad arguments or no
such network device, 69 not safe and nothing was changed, 75 a step failed and was undone."""


class NicError(Exception):
    """What could not be done; `code` is the exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One PCI network device as sysfs shows it, and what on this host depends on it."""

    address: str
    driver: str | None
    interfaces: tuple[str, ...]
    group: str | None
    companions: tuple[str, ...] = ()  # "address driver" of others in its group that the kernel drives
    in_use: tuple[str, ...] = ()  # reasons why the host needs its interfaces
    addresses: tuple[str, ...] = ()  # of its interfaces, without the link-local ones
    elsewhere: tuple[str, ...] | None = ()  # of the host's other interfaces; None: they cannot be read
    macs: tuple[str, ...] = ()
    holders: tuple[int, ...] = ()  # processes that hold its group open


# READ


def read_port(address: str, root: Path = Path("/")) -> Port:
    """The device and its surroundings; NicError when there is no such network device."""
    if not ADDRESS.fullmatch(address):
        raise NicError(EXIT_CONFIG, f"{address!r} is not a PCI address such as 0000:41:00.0")
    device = root / "sys/bus/pci/devices" / address
    if not device.is_dir():
        raise NicError(EXIT_CONFIG, f"{address}: no such PCI device")
    if not (device / "class").read_text().startswith(NETWORK_CLASS):
        raise NicError(EXIT_CONFIG, f"{address}: not a network device")
    entries = _interfaces(device)
    group = (device / "iommu_group").resolve().name if (device / "iommu_group").exists() else None
    return Port(
        address=address,
        driver=_driver(device),
        interfaces=tuple(entry.name for entry in entries),
        group=group,
        companions=_companions(device, address),
        in_use=tuple(why for entry in entries for why in port_use.reasons(root, device, entry)),
        addresses=tuple(one for entry in entries for one in port_use.addresses(root, entry)),
        elsewhere=_elsewhere(root, entries),
        macs=tuple(mac for entry in entries if (mac := _text(entry / "address"))),
        holders=_holders(root, group) if group else (),
    )


def _elsewhere(root: Path, interfaces: list[Path]) -> tuple[str, ...] | None:
    try:
        return port_use.addresses_elsewhere(root, frozenset(entry.name for entry in interfaces))
    except (OSError, LookupError, ValueError, TypeError, AttributeError):
        return None


def _text(path: Path) -> str:
    return path.read_text().strip().lower() if path.exists() else ""


def _interfaces(device: Path) -> list[Path]:
    """A virtio port's interface is below its virtio device, one level deeper."""
    return sorted((*device.glob("net/*"), *device.glob("virtio*/net/*")))


def _driver(device: Path) -> str | None:
    return (device / "driver").resolve().name if (device / "driver").exists() else None


def _companions(device: Path, address: str) -> tuple[str, ...]:
    """Other devices of the group with a kernel driver; PCI bridges may stay (vfio.rst, "viable")."""
    members = device / "iommu_group" / "devices"
    if not members.is_dir():
        return ()
    found = []
    for other in sorted(members.iterdir()):
        driver = _driver(other)
        is_bridge = (other / "class").read_text().startswith(BRIDGE_CLASS)
        if other.name != address and driver not in (None, VFIO) and not is_bridge:
            found.append(f"{other.name} {driver}")
    return tuple(found)


def _holders(root: Path, group: str) -> tuple[int, ...]:
    held = []
    for entry in (root / "proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            links = [str(fd.readlink()) for fd in (entry / "fd").iterdir()]
        except OSError:
            continue  # ended meanwhile
        if f"/dev/vfio/{group}" in links:
            held.append(int(entry.name))
    return tuple(sorted(held))


# DECIDE


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What the caller says about the port: addresses that may go with it, and ports that never go."""

    give_up: Set[str] = frozenset()
    management: Set[str] = frozenset()


def why_not_bind(port: Port, words: Words = Words()) -> str | None:
    """Why `bind` is refused; None when it is safe."""
    if port.group is None:
        return (
            "no IOMMU group: boot with intel_iommu=on iommu=pt (the plan's io_mode dpdk) and VT-d in firmware"
        )
    if port.companions:
        return f"IOMMU group {port.group} is shared with {', '.join(port.companions)}"
    own = {port.address, *port.macs, *port.interfaces}
    if named := sorted(word for word in words.management if word in own or word.lower() in own):
        return f"{', '.join(named)} is a management port"
    if not port.interfaces and port.driver not in IN_USER_SPACE:
        return (
            f"{port.driver} drives it and its interface is not here: it may be in another network namespace; "
            "move it back (ip -n NAMESPACE link set NAME netns 1)"
        )
    return "; ".join((*port.in_use, *_addresses_kept(port, words.give_up))) or None


def _addresses_kept(port: Port, give_up: Set[str]) -> list[str]:
    """Addresses that nobody gave up, and those given up that are on another port; one may be gone."""
    name = " ".join(port.interfaces)
    why = [
        f"{name} has the address {one}: whoever comes to this host by it is cut off (if that may be, add "
        f"--give-up {one})"
        for one in port.addresses
        if one not in give_up
    ]
    if port.elsewhere is None and give_up - {*port.addresses}:
        why.append("the addresses of this host's other interfaces cannot be read")
    strange = sorted(give_up & {*(port.elsewhere or ())})
    return why + [f"{one} is to be given up and is on another port than {name}" for one in strange]


def why_not_release(port: Port) -> str | None:
    """Why `release` is refused; None when it is safe."""
    if port.holders:
        return f"group {port.group} is open in process {', '.join(map(str, port.holders))}: stop it first"
    return None


# ACT


def _comes(truth: Callable[[], bool], patience_s: float) -> bool:
    end = time.monotonic() + patience_s
    while not truth():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class Bus:
    """Writes to /sys/bus/pci that move one device between drivers."""

    def __init__(self, address: str, root: Path = Path("/")) -> None:
        self.address = address
        self._bus = root / "sys/bus/pci"
        self._device = self._bus / "devices" / address

    def driver(self) -> str | None:
        """The present driver."""
        return _driver(self._device)

    def give_to(self, wanted: str | None, override: str) -> None:
        """Unbind it and let the kernel probe for the driver that OVERRIDE names (empty: any)."""
        self._write(self._device / "driver_override", override + "\n")
        if (self._device / "driver").exists():
            self._write(self._device / "driver" / "unbind", self.address)
        self._write(self._bus / "drivers_probe", self.address)
        if wanted is not None and not _comes(lambda: self.driver() == wanted, PATIENCE_S):
            raise OSError(f"{self.address} has driver {self.driver()}, not {wanted}")

    def await_names(self, wanted: list[str]) -> None:
        """Wait until udev has renamed the kernel's ethN; without udev the names stay."""
        if wanted:
            _comes(lambda: [entry.name for entry in _interfaces(self._device)] == wanted, NAMES_S)

    def _write(self, path: Path, text: str) -> None:
        with path.open("w") as file:
            file.write(text)


def bind(  # noqa: PLR0913  # a port, what was typed of it, and the three things that act
    port: Port,
    bus: Bus,
    state: Path,
    load: Callable[[], None],
    give: Callable[[str], None],
    *,
    words: Words = Words(),
) -> str:
    """Bind to vfio-pci; returns what was done. LOAD loads the module, GIVE hands over the group's node."""
    if port.driver == VFIO:
        give(port.group or "")
        return f"{port.address} is already bound to {VFIO}"
    if refusal := why_not_bind(port, words):
        raise NicError(EXIT_NOT_SAFE, f"{port.address}: {refusal}")
    remember(port, state)
    try:
        load()
        bus.give_to(VFIO, VFIO)
        give(port.group or "")
    except (OSError, subprocess.CalledProcessError) as error:
        bus.give_to(port.driver, "")
        recorded(port.address, state).unlink(missing_ok=True)
        raise NicError(EXIT_RETRY, f"{port.address}: {error}; it is bound to {port.driver} again") from error
    return f"{port.address} from {port.driver} to {VFIO}"


def release(port: Port, bus: Bus, state: Path) -> str:
    """Give it back to its previous driver; returns what was done."""
    path = recorded(port.address, state)
    if port.driver not in (VFIO, None):
        path.unlink(missing_ok=True)
        return f"{port.address} is already bound to {port.driver}"
    if refusal := why_not_release(port):
        raise NicError(EXIT_NOT_SAFE, f"{port.address}: {refusal}")
    before = json.loads(path.read_text()) if path.exists() else {"driver": None, "interfaces": []}
    try:
        bus.give_to(before["driver"], "")
        bus.await_names(before["interfaces"])
    except OSError as error:
        raise NicError(EXIT_RETRY, f"{port.address}: {error}") from error
    path.unlink(missing_ok=True)
    return f"{port.address} from {VFIO} to {bus.driver()}"


def recorded(address: str, state: Path) -> Path:
    """The file that records the device's previous driver."""
    return state / f"{address}.json"


def remember(port: Port, state: Path) -> None:
    """Record the previous driver, atomically."""
    state.mkdir(parents=True, exist_ok=True)
    path = recorded(port.address, state)
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"driver": port.driver, "interfaces": port.interfaces}) + "\n")
    new.rename(path)


def load_vfio() -> None:
    """modprobe(8); a driver that is built in needs none."""
    if not Path(f"/sys/bus/pci/drivers/{VFIO}").is_dir():
        subprocess.run(["modprobe", VFIO], check=True, capture_output=True)


def give_node(group: str, owner: str | None) -> None:
    """Give the group's device node to the engine's user."""
    if owner is not None:
        os.chown(f"/dev/vfio/{group}", pwd.getpwnam(owner).pw_uid, -1)


def plain_address(text: str) -> str:
    """An IP address in its shortest form; ValueError for anything else."""
    return str(ipaddress.ip_address(text))


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="engine.host.nic",
        description=__doc__.partition("\n\n")[0],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=("status", "bind", "release"))
    parser.add_argument("address", help="PCI address, as lspci -D prints it")
    parser.add_argument("--owner", help="user that gets the IOMMU group's node (bind)")
    parser.add_argument(
        "--give-up",
        type=plain_address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="an IP address of the port that the host may lose (bind; repeat it for each)",
    )
    parser.add_argument(
        "--management",
        action="append",
        default=[],
        metavar="NAME",
        help="a name, PCI or MAC address that is never bound, as the inventory has it (bind; repeat it)",
    )
    parser.add_argument("--state", type=Path, default=STATE, help=f"record of the previous driver ({STATE})")
    return parser


def main(argv: list[str]) -> int:
    """Run one verb and print its JSON line."""
    wanted = arguments().parse_args(argv)
    try:
        port, bus, done = read_port(wanted.address), Bus(wanted.address), ""
        if wanted.verb == "bind":
            words = Words(give_up=frozenset(wanted.give_up), management=frozenset(wanted.management))
            give = partial(give_node, owner=wanted.owner)
            done = bind(port, bus, wanted.state, load_vfio, give, words=words)
        elif wanted.verb == "release":
            done = release(port, bus, wanted.state)
        seen = asdict(read_port(wanted.address))
    except (NicError, KeyError, OSError) as error:
        code = error.code if isinstance(error, NicError) else EXIT_RETRY
        print(json.dumps({"ok": False, "detail": str(error)}))
        return code
    print(json.dumps({"ok": True, "done": done, **seen}))
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
