"""Is this the enrolled machine, by hardware and by OS installation? The host key only proves who answers.

A host key survives a disk moved to other hardware and a golden image cloned twice; a machine-id does not
survive a reinstallation (machine-id(5)); DMI identifies the mainboard, and MAC addresses the network cards.
Everything recorded must still match before anything is written; of the cards one match is enough, because a
card bound to vfio shows no address. A re-imaged host is a different machine until it is enrolled again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re

from inventory.errors import IdentityError
from inventory.model import Identity
from tuning.snapshot.files import Snapshot

FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?\Z")

_MAC_PATH = re.compile(r"/sys/class/net/[^/]+/address")

# One round trip, plain sh, nothing installed: `word value` lines. DMI needs root and is absent on some
# machines; only cards with a hardware device count, because bridges and bonds invent their addresses.
READ_SCRIPT = """\
echo machine_id "$(cat /etc/machine-id 2>/dev/null)"
echo dmi_serial "$(cat /sys/class/dmi/id/product_serial 2>/dev/null)"
echo dmi_uuid "$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)"
for card in /sys/class/net/*; do
  [ -e "$card/device" ] && echo mac "$(cat "$card/address")"
done
echo end identity
"""


def of_keys_alone(host_keys: tuple[str, ...]) -> Identity:
    """For the first login, which these keys are vouched for: of the machine behind them nothing is known."""
    return Identity(host_keys=host_keys, machine_id="0" * 32)


def parse_identity(text: str, host_keys: tuple[str, ...], name: str) -> Identity:
    """What READ_SCRIPT printed, as a typed value: a host's output is validated like any other input."""
    words = [line.partition(" ")[::2] for line in text.splitlines()]
    if not words or words[-1] != ("end", "identity"):
        raise IdentityError(f"{name}: the identity it reported is truncated; try again", host=name)
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
            f"{name}: no usable identity: machine-id {found.get('machine_id', '')[:40]!r}", host=name
        ) from error


def identity_in(snapshot: Snapshot, expected: Identity) -> Identity:
    """The identity in a host's capture; what was not captured is not known and so not compared."""

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
    """Every difference between the expected machine and this one; what was not recorded is not compared."""
    wrong = [
        f"{what} is {now or 'absent'}, but {then} was enrolled"
        for what, then, now in (
            ("machine-id", expected.machine_id, seen.machine_id),
            ("DMI serial", expected.dmi_serial, seen.dmi_serial),
            ("DMI UUID", expected.dmi_uuid.lower(), seen.dmi_uuid.lower()),
        )
        if then and then != now
    ]
    if expected.macs and not set(expected.macs) & set(seen.macs):
        wrong.append(f"none of its enrolled network cards is present ({', '.join(expected.macs)})")
    if expected.host_keys and not set(expected.host_keys) & set(seen.host_keys):
        wrong.append("the host key differs")
    return wrong


def verify(expected: Identity, seen: Identity, name: str = "host") -> None:
    """Raise IdentityError, naming every difference, when this is not the enrolled machine."""
    wrong = differences(expected, seen)
    if wrong:
        raise IdentityError(
            f"{name}: not the machine that was enrolled: {'; '.join(wrong)}; nothing was written; "
            "hint: enrol it again if this is intended"
        )


def fingerprint(host_key: str) -> str:
    """`SHA256:...` of a public key line, as ssh-keygen(1) -l prints it."""
    try:
        blob = base64.b64decode(host_key.split()[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise IdentityError(f"not a public host key: {host_key[:60]!r}") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
