"""One machine of a rack, from its order to an enrolled host: what a program, a verb or a test calls.

The host's entry in the inventory says where its BMC is and how to log in, the order says which machine it has
to be, and the enrolment beside the inventory says whether it is a host already.
"""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from inventory.identity import fingerprint
from inventory.load import load_site
from inventory.model import Host, Site
from inventory.power import bmc_of
from inventory.selection import select_one
from lab.image import Image, Kernel, ensure_image
from stacks.colo.flow import ENDS, Decision, Move, Run, next_move
from stacks.colo.media import make_medium
from stacks.colo.meet import enrol, meet
from stacks.colo.netboot import published
from stacks.colo.order import Order
from stacks.colo.provision import Ended, Progress, provision
from stacks.colo.serve import served
from stacks.errors import StackError
from transport.redfish import MEDIUM_S, Bmc, BmcAddress, MachineSeen, opened


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack:
    """Where the machines are, and what a run may do.

    KERNEL is of the image; SERVE_AT is an address of this machine that BMCs reach; NETWORK the folder of the
    TFTP server that machines start from (None: virtual media); APPROVED is the serial number of
    the one machine that may be restarted, or installed although it is somebody's.
    """

    inventory: Path
    kernel: Kernel = Kernel.GENERIC
    serve_at: str = "127.0.0.1"
    network: Path | None = None
    approved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a machine. SHA256 is of what its disk held when it was read back; both are empty for a
    host that was adopted as it is."""

    decision: Decision
    fingerprint: str
    sha256: str
    boots: int


def seen(rack: Rack, order: Order) -> MachineSeen:
    """One look through its BMC; nothing is changed."""
    _, _, address = _host(rack, order)
    with opened(address) as bmc:
        return bmc.look()


def bring(rack: Rack, order: Order, progress: Progress, *, reinstall: bool = False) -> Outcome:
    """Adopt the host of ORDER, set its BIOS with a restart where that was approved, or install it where it is
    no host yet (or REINSTALL, with the approval). StackError with the reason when it is none of these."""
    site, host, address = _host(rack, order)
    with opened(address, answer_s=MEDIUM_S) as bmc:
        run = Run(enrolled=host.identity is not None, approved=rack.approved, reinstall=reinstall)
        first = next_move(order, bmc.look(), run)
        if run.enrolled and not reinstall:
            ended = provision(order, run, bmc=bmc, console_file=_console(host), medium="", progress=progress)
            return _outcome(order, ended, host.host_keys[0])
        if first.move in ENDS:
            raise StackError(f"{order.name}: {first.reason}")
        ended = _installed(rack, order, host, bmc, run, progress)
    key = ended.run.told.host_key
    progress(f"{order.name}: waiting for its key {fingerprint(key)}")
    enrol(site, rack.inventory, host.name, meet(host, order, key), getpass.getuser())
    return _outcome(order, ended, key)


def _installed(  # noqa: PLR0913, PLR0917  # one run
    rack: Rack, order: Order, host: Host, bmc: Bmc, run: Run, progress: Progress
) -> Ended:
    console, files, image = _console(host), _own_files(host), ensure_image(progress)
    progress(f"{order.name}: making its installer from image {image.digest}")
    with _installer(rack, order, files, image, reinstall=run.reinstall) as (sha256, url):
        known = replace(run, image_sha256=sha256, from_network=rack.network is not None)
        return provision(order, known, bmc=bmc, console_file=console, medium=url, progress=progress)


@contextmanager
def _installer(
    rack: Rack, order: Order, files: Mapping[str, str], image: Image, *, reinstall: bool
) -> Iterator[tuple[str, str]]:
    """The installer where the machine finds it: the digest of what it writes, and a medium's address."""
    if rack.network is not None:
        with published(rack.network, image, rack.kernel, order, files, reinstall=reinstall) as made:
            yield made.sha256, ""
        return
    with tempfile.TemporaryDirectory(prefix="hft-installer-") as folder:
        path = Path(folder) / f"{order.name}.iso"
        made = make_medium(image, rack.kernel, order, files, path, reinstall=reinstall)
        with served(path, rack.serve_at) as url:
            yield made.sha256, url


def _outcome(order: Order, ended: Ended, host_key: str) -> Outcome:
    if ended.decision.move is Move.REFUSED:
        raise StackError(f"{order.name}: {ended.decision.reason}")
    return Outcome(
        decision=ended.decision,
        fingerprint=fingerprint(host_key),
        sha256=ended.run.told.written_sha256,
        boots=ended.boots,
    )


def _host(rack: Rack, order: Order) -> tuple[Site, Host, BmcAddress]:
    site = load_site(rack.inventory)
    host = select_one(site, order.name)
    address = bmc_of(host)
    if address is None:
        raise StackError(
            f'{order.name}: {rack.inventory} names no BMC for it; hint: power = "redfish", bmc = ...'
        )
    return site, host, replace(address, uuid=order.uuid)


def _console(host: Host) -> Path:
    if host.bmc is None or host.bmc.console is None:
        raise StackError(
            f"{host.name}: the installer reports on the console; hint: bmc = {{ ..., console = FILE }}"
        )
    return Path(host.bmc.console)


def _own_files(host: Host) -> dict[str, str]:
    """What makes the image this host: its name, and who may log in."""
    public = Path(f"{host.ssh_key}.pub")
    if host.ssh_key is None or not public.exists():
        raise StackError(
            f"{host.name}: no ssh_key with a .pub beside it in the inventory: nobody could log in"
        )
    return {
        "/etc/hostname": f"{host.name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {host.name}\n",
        "/root/.ssh/authorized_keys": public.read_text().strip() + "\n",
    }
