"""Documents of people with a signature beside them: made, and read back with the answer who signed.

`{NAME: BODY, "signature": SSHSIG}`: signed are the canonical bytes of the body, by a key for one namespace.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from hft.errors import Exit, HftError

DOCUMENT_MAX = 1 << 20
SIGNATURE_MAX = 16_384
# ssh-keygen passes over blanks in the armour, and one document has one signature.
ARMOUR = re.compile(
    r"-----BEGIN SSH SIGNATURE-----\n(?:[A-Za-z0-9+/]{1,76}={0,2}\n)+-----END SSH SIGNATURE-----\n"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed(Generic[T]):
    """What a document holds, the bytes that are signed, and whether somebody who may has signed them."""

    found: T
    payload: bytes
    signature: str
    is_signed: bool


def signed(payload: bytes, key: Path, namespace: str, what: str) -> str:
    """The signature over PAYLOAD; HftError says that WHAT (`the fence`) cannot be signed, and why."""
    from engine.ticket import signing
    from engine.ticket.errors import TicketError

    try:
        return signing.sign(payload, key.expanduser(), namespace)
    except (TicketError, OSError) as error:
        raise HftError(Exit.BAD_INPUT, f"{what} cannot be signed: {error}") from error


def read_document(path: Path, name: str, make: Callable[[object], T]) -> tuple[T, bytes, str]:
    """What a file's document holds, the bytes that are signed, and the signature, which is not checked here.

    MAKE raises ValueError for a body that is none. Raises: HftError when it is none.
    """
    from engine.contract.canonical import canonical
    from inventory.bounded import read_bounded, reason_of
    from tuning.strict_json import Table, parse

    try:
        table = Table.of(parse(read_bounded(path, DOCUMENT_MAX))).closed((name, "signature"))
        body = dict(table.table(name).fields)
        return make(body), canonical(body), table.text("signature", size_max=SIGNATURE_MAX)
    except (OSError, ValueError) as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: no {name}: {reason_of(error)}") from error


def read_signed(  # noqa: PLR0913  # each by name
    path: Path,
    name: str,
    make: Callable[[object], T],
    signers: Path,
    *,
    identity: str | Callable[[T], str],
    namespace: str,
) -> Signed[T]:
    """The document of a file, and whether IDENTITY signed it; HftError when it is none.

    IDENTITY is who must have signed it, or says who that is from what the document holds.
    """
    from engine.ticket.signing import is_signed

    found, payload, signature = read_document(path, name, make)
    who = identity if isinstance(identity, str) else identity(found)
    good = ARMOUR.fullmatch(signature) is not None and is_signed(
        payload, signature, signers=signers.expanduser(), identity=who, namespace=namespace
    )
    return Signed(found=found, payload=payload, signature=signature, is_signed=good)
