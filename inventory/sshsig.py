"""Who signed an inventory: SSHSIG in its one strict form, and the keys that may sign for a site.

`ssh-keygen -Y verify` is the judge, as for an engine's limits. Before it is asked, the signature must have
exactly the form that `ssh-keygen -Y sign` writes (PROTOCOL.sshsig of OpenSSH): OpenSSH itself skips blanks in
the armor, takes any version up to its own and ignores a reserved field, so one signature could be written in
several ways, and a damaged file could pass.

Who may sign is a file of ssh-keygen(1)'s ALLOWED SIGNERS whose principals are names of sites, `*` for all:

    rack namespaces="hft-inventory" ssh-ed25519 AAAA...

It is this controller's own, never taken from beside an inventory, and nobody else may be able to write it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import stat
import struct
from pathlib import Path

from engine.ticket.errors import TicketError
from engine.ticket.signing import is_signed, sign
from inventory.errors import InventoryError
from transport.places import config_home

NAMESPACE = "hft-inventory"
_ANYBODY = "*"
_BEGIN, _END, _WIDTH = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----", 70
_MAGIC, _VERSION = b"SSHSIG", 1
_DIGESTS = (b"sha512", b"sha256")


class SignatureError(InventoryError):
    """A signature that does not stand for what it is on."""


def signers_path() -> Path:
    """$HFT_INVENTORY_SIGNERS, else `hft/inventory_signers` where this account keeps its choices."""
    if named := os.environ.get("HFT_INVENTORY_SIGNERS"):
        return Path(named).expanduser()
    return config_home() / "hft" / "inventory_signers"


def signature_of(payload: bytes, key: Path) -> str:
    """The signature of a private key file (or of a public one, whose private half an agent holds)."""
    try:
        return sign(payload, key, NAMESPACE)
    except TicketError as error:
        raise InventoryError(str(error)) from error
    except OSError as error:
        raise InventoryError(f"ssh-keygen cannot be started here: {error.strerror}") from error


def verify(payload: bytes, signature: str, *, site: str) -> str:
    """The fingerprint of the key that signed PAYLOAD for SITE; SignatureError when none that may did."""
    signer = signer_of(signature)
    signers = _own_signers(site, signer)
    try:
        if is_signed(payload, signature, signers=signers, identity=site, namespace=NAMESPACE):
            return signer
        hurt = not _stands(payload, signature)
    except OSError as error:
        raise SignatureError(f"ssh-keygen cannot be started here: {error.strerror}") from error
    if hurt:
        raise SignatureError("the signature is not over what is in it, so it was changed after it was signed")
    raise SignatureError(
        f"signed by {signer}, who may not sign for site {site!r} by {signers}; "
        "hint: get it from somebody who may, or let a person add that key"
    )


def signer_of(signature: str, wanted: str = NAMESPACE) -> str:
    """`SHA256:...` of the key that a signature for the namespace WANTED names.

    SignatureError for any form but OpenSSH's own.
    """
    rest = _blob_of(signature)
    if rest[:6] != _MAGIC or rest[6:10] != struct.pack(">I", _VERSION):
        raise SignatureError("its signature is no SSH signature of version 1")
    key, rest = _field(rest[10:])
    namespace, rest = _field(rest)
    reserved, rest = _field(rest)
    digest, rest = _field(rest)
    _, rest = _field(rest)
    if namespace != wanted.encode():
        raise SignatureError(f"its signature was made for {namespace[:40]!r}, not for {wanted}")
    if reserved or rest or digest not in _DIGESTS:
        raise SignatureError("its signature has parts that nobody reads")
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


def _blob_of(signature: str) -> bytes:
    try:
        blob = base64.b64decode("".join(signature.split("\n")[1:-2]), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureError("its signature is not armored as ssh-keygen does it") from None
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]
    if signature != "\n".join((_BEGIN, *lines, _END, "")):
        raise SignatureError("its signature is not armored as ssh-keygen does it")
    return blob


def _field(data: bytes) -> tuple[bytes, bytes]:
    """One string of the SSH wire format (RFC 4251, section 5), and what is behind it."""
    size = int.from_bytes(data[:4])
    if len(data) < 4 + size:
        raise SignatureError("its signature is truncated")
    return data[4 : 4 + size], data[4 + size :]


def _stands(payload: bytes, signature: str) -> bool:
    """Whether the key named in the signature made it over PAYLOAD, whoever's that key is."""
    held = os.memfd_create("signers")
    try:
        kind, key = _key_of(signature)
        os.write(held, f"{_ANYBODY} {kind} {key}\n".encode())
        return is_signed(
            payload,
            signature,
            signers=Path(f"/proc/{os.getpid()}/fd/{held}"),
            identity="x",
            namespace=NAMESPACE,
        )
    finally:
        os.close(held)


def _key_of(signature: str) -> tuple[str, str]:
    key, _ = _field(_blob_of(signature)[10:])
    return _field(key)[0].decode("ascii", "replace"), base64.b64encode(key).decode()


def _own_signers(site: str, signer: str) -> Path:
    path = signers_path()
    try:
        refuse_shared(path, "who may sign inventories")
    except OSError as error:
        raise SignatureError(
            f"it is signed by {signer}, and {path}, which says who may sign, cannot be read "
            f'({error.strerror}); hint: write a line into it: {site} namespaces="{NAMESPACE}" PUBLIC_KEY'
        ) from error
    return path


def refuse_shared(path: Path, what: str) -> None:
    """SignatureError when others may write a file that says WHAT (`who may approve`), or its directory.

    Raises: OSError when it cannot be looked at.
    """
    for place in (path, path.parent):
        seen = place.stat()
        mode = stat.S_IMODE(seen.st_mode)
        if seen.st_uid not in (0, os.geteuid()) or mode & 0o022:
            raise SignatureError(
                f"{place}: others may write it (uid {seen.st_uid}, mode {mode:04o}), and it says {what}; "
                "hint: make it yours, and chmod go-w"
            )
