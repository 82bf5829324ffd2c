"""The first login to a host that was just installed: with the key that its installer told, or not at all."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from inventory.enrolment import Enrolled, check_enrolled, write_enrolled
from inventory.identity import READ_SCRIPT, of_keys_alone, parse_identity
from inventory.model import Host, Identity, Site
from stacks.colo.order import Order
from stacks.errors import StackError
from transport.child import pause
from transport.errors import UnreachableError
from transport.ssh import Ssh

READ_S, POLL_S = 30.0, 5.0
START_TIMEOUT_S = 1200.0  # a server's firmware alone may take minutes


def meet(host: Host, order: Order, host_key: str) -> Identity:
    """The identity behind HOST_KEY, once the host answers; StackError when it never does or is another."""
    pinned = host.model_copy(update={"identity": of_keys_alone((host_key,))})
    until_s = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            answer = Ssh.of(pinned).run(["sh", "-s"], stdin=READ_SCRIPT.encode(), timeout_s=READ_S)
            break
        except UnreachableError as error:
            if time.monotonic() > until_s:
                raise StackError(f"{host.name}: installed and started, but: {error.seen}") from error
            pause(POLL_S)
    seen = parse_identity(answer.stdout, (host_key,), host.name)
    if seen.dmi_uuid != order.uuid or not set(order.macs) & set(seen.macs):
        raise StackError(
            f"{host.name}: answers with the new host's key, but is machine {seen.dmi_uuid} with the cards "
            f"{', '.join(seen.macs)}; nothing was enrolled"
        )
    return seen


def enrol(site: Site, inventory: Path, host: str, seen: Identity, by: str) -> Path:
    """Record that HOST is the machine SEEN, beside the inventory; returns the file."""
    entry = Enrolled(identity=seen, at=datetime.now(UTC).isoformat(timespec="seconds"), by=by)
    check_enrolled(site, inventory, host, entry)
    return write_enrolled(inventory, host, entry)
