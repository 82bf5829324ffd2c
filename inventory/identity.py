"""Is this the machine that was enrolled? The host key says who answers, this says on which iron and install.

A host key survives a disk moved to other hardware and a golden image cloned twice, a machine-id does not
survive a new installation (machine-id(5)), DMI names the mainboard, and MAC addresses name the cards. What
was recorded must still be so before anything is written; of the cards one is enough, because a card that was
handed to vfio shows no address. A re-imaged host is another machine until it is enrolled again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from inventory.errors import IdentityError
from inventory.model import Host, Identity, Site
from tuning.snapshot import Snapshot

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?\Z")

_MAC_PATH = re.compile(r"/sys/class/net/[^/]+/address")

# One round trip, plain sh, nothing installed: `word value` lines. DMI needs root and is absent on some
# machines; only cards with a device behind them count, because bridges and bonds make up their addresses.
READ_SCRIPT = """\
echo machine_id "$(cat /etc/machine-id 2>/dev/null)"
echo dmi_serial "$(cat /sys/class/dmi/id/product_serial 2>/dev/null)"
echo dmi_uuid "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)"
for card in /sys/class/net/*; do
  [ -e "$card/device" ] && echo mac "$(cat "$card/address")"
done
echo end identity
"""


def parse_identity(text: str, host_keys: tuple[str, ...], name: str) -> Identity:
    """What READ_SCRIPT printed, as a typed value: a host's output is checked like any other input."""
    words = [line.partition(" ")[::2] for line in text.splitlines()]
    if not words or words[-1] != ("end", "identity"):
        raise IdentityError(f"{name}: the answer about its identity was cut short; try again")
    found = {key: value.strip() for key, value in words if key != "mac"}
    macs = sorted({value.strip().lower() for key, value in words if key == "mac"})
    try:
        return Identity(
            host_keys=host_keys,
            machine_id=found.get("machine_id", ""),
            dmi_serial=found.get("dmi_serial", ""),
            dmi_uuid=found.get("dmi_uuid", "").lower(),
            macs=tuple(macs),
        )
    except ValueError as error:
        raise IdentityError(
            f"{name}: no usable identity: machine-id {found.get('machine_id', '')[:40]!r}"
        ) from error


def identity_in(snapshot: Snapshot, expected: Identity) -> Identity:
    """The identity that a capture shows of a host; what was not captured is not known and so not compared."""

    def shown(path: str, otherwise: str) -> str:
        return (snapshot.text(path) or "") if snapshot.is_known(path) else otherwise

    macs = {snapshot.text(path) for path in snapshot.files if _MAC_PATH.fullmatch(path)} - {None}
    return expected.model_copy(
        update={
            "machine_id": shown("/etc/machine-id", ""),
            "dmi_serial": shown("/sys/class/dmi/id/product_serial", expected.dmi_serial),
            "dmi_uuid": shown("/sys/class/dmi/id/product_uuid", expected.dmi_uuid),
            "macs": tuple(sorted(mac for mac in macs if mac)) or expected.macs,
        }
    )


def differences(expected: Identity, seen: Identity) -> list[str]:
    """Every way in which the machine seen is not the expected; what was not recorded is not compared."""
    wrong = [
        f"{what} is {now or 'absent'}, enrolled was {then}"
        for what, then, now in (
            ("machine-id", expected.machine_id, seen.machine_id),
            ("DMI serial", expected.dmi_serial, seen.dmi_serial),
            ("DMI UUID", expected.dmi_uuid.lower(), seen.dmi_uuid.lower()),
        )
        if then and then != now
    ]
    if expected.macs and not set(expected.macs) & set(seen.macs):
        wrong.append(f"none of its network cards is there ({', '.join(expected.macs)})")
    wrong += [] if set(expected.host_keys) & set(seen.host_keys) else ["the host key is another one"]
    return wrong


def verify(expected: Identity, seen: Identity, name: str = "host") -> None:
    """Raise IdentityError, naming every difference, when this is not the enrolled machine."""
    wrong = differences(expected, seen)
    if wrong:
        raise IdentityError(
            f"{name}: not the machine that was enrolled: {'; '.join(wrong)}; nothing was written; "
            f"hint: if that was done on purpose: hft host enrol {name} --fingerprint SHA256:..."
        )


def enrolled(host: Host) -> Identity:
    """The host's identity, or the refusal that says how to enrol it."""
    if host.identity is None:
        raise IdentityError(
            f"{host.name}: not enrolled, so nothing may be written to it; "
            f"hint: hft host enrol {host.name} --fingerprint SHA256:..."
        )
    return host.identity


def fingerprint(host_key: str) -> str:
    """`SHA256:...` of a public key line, as ssh-keygen(1) -l prints it."""
    try:
        blob = base64.b64decode(host_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise IdentityError(f"not a public host key: {host_key[:60]!r}") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def known_hosts_text(site: Site) -> str:
    """A strict known_hosts of the whole site, by inventory name (use with ssh's HostKeyAlias)."""
    return "".join(
        f"{host.name} {key}\n"
        for host in sorted(site.hosts, key=lambda host: host.name)
        if host.identity is not None
        for key in host.identity.host_keys
    )
