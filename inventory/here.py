"""This machine as a host: `--local`, for one machine without SSH.

Either it is a host of an inventory, which its machine-id says, with the name, profile and ports that stand
there and the identity that was enrolled; or it stands alone, as a site of one host. No file can make a host
this one: an inventory that did would change whichever machine it is read on.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path
from typing import Annotated

from pydantic import FailFast
from typing_extensions import override

from inventory.errors import InventoryError
from inventory.model import Host, Identity, Site
from inventory.words import HostKey

MACHINE_ID = Path("/etc/machine-id")
ALONE = "this-machine"  # the name of a site of one host
_ID = re.compile(r"[0-9a-f]{32}")


class HostHere(Host):
    """A host that is this machine."""

    @property
    @override
    def is_here(self) -> bool:
        """Its commands are run here."""
        return True


class _Own(Identity):
    """What this machine says of itself: nobody connects, so no host key is asked for."""

    host_keys: Annotated[tuple[HostKey, ...], FailFast()] = ()


def machine_id() -> str | None:
    """The machine-id(5) of this machine; None where it was never booted or has none."""
    try:
        found = MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return found if _ID.fullmatch(found) else None


def as_host(site: Site, machine: str) -> Site | None:
    """SITE with this machine alone, as it stands there; None where no host is enrolled as this machine."""
    for host in site.hosts:
        if host.machine_id == machine:
            mine = HostHere(**dict(host) | {"jump": None, "user": _user()})
            return site.model_copy(update={"hosts": (mine,)})
    return None


def alone(machine: str) -> Site:
    """This machine as a site of one host, of the profile `engine` and on bare metal unless told otherwise."""
    host = HostHere(
        name=_name(),
        address="127.0.0.1",
        user=_user(),
        role="engine",
        failure_domain=ALONE,
        profile="engine",
        identity=_Own(machine_id=machine),
    )
    return Site(name=ALONE, hosts=(host,))


def needs_machine_id() -> InventoryError:
    """The refusal of a machine that cannot be told from another."""
    return InventoryError(
        f"{MACHINE_ID}: holds no machine-id, so nothing could say later which machine was changed; "
        "hint: systemd-machine-id-setup"
    )


def _name() -> str:
    name = socket.gethostname()
    try:
        return Host(name=name, address="127.0.0.1", role="engine", failure_domain=ALONE).name
    except ValueError:
        return ALONE


def _user() -> str:
    """Root's commands need no sudo(8); nobody logs in, so another name says no more."""
    return "root" if os.geteuid() == 0 else "user"
