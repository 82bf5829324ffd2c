"""Certificates that must not pass: flipped, swapped, too old, expired, for other hosts, signed by others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from engine.contract.canonical import canonical
from engine.ticket import signing
from hft.errors import HftError
from hft.releases.certificates import IDENTITY, NAMESPACE, read_certificate
from release.certificate import CHECKS, Certificate, Check, Seen, refused
from tests.support.keys import make_key

NOW_S = 1_800_000_000
DIGESTS = tuple("sha256:" + digit * 64 for digit in "abcd")
GOOD = Certificate(
    artifact=DIGESTS[0], name="hft-engine", version=(1, 4, 2), floor=(1, 3, 0),
    host_classes=("bare-metal", "cloud"), not_after_s=NOW_S + 86_400, sbom=DIGESTS[1],
)  # fmt: skip
SEEN = Seen(
    is_signed=True, artifact=DIGESTS[0], name="hft-engine", version=(1, 4, 2), sbom=DIGESTS[1],
    host_class="bare-metal", floor=(1, 2, 0), now_s=NOW_S,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A document and what is found beside it."""

    kind: str
    document: bytes
    seen: Seen


class Signing:
    """The authority's key, a stranger's, and who is allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.stranger = make_key(folder / "release"), make_key(folder / "stranger")
        self.signers = folder / "signers"
        self.signers.write_text(signing.allowed_signer(IDENTITY, self.key.with_suffix(".pub"), NAMESPACE))
        self._kept: dict[tuple[Certificate, Path, str], bytes] = {}
        self._read: dict[bytes, tuple[Certificate, bool] | None] = {}

    def signed(self, one: Certificate, key: Path | None = None, namespace: str = NAMESPACE) -> bytes:
        """Signed, once; by the authority for releases unless something else is said."""
        asked = (one, key or self.key, namespace)
        if asked not in self._kept:
            signature = signing.sign(canonical(one.body()), asked[1], namespace)
            self._kept[asked] = json.dumps({"certificate": one.body(), "signature": signature}).encode()
        return self._kept[asked]

    def outcome(self, mutant: Mutant, checks: tuple[Check, ...] = CHECKS) -> str:
        """The code of the refusal, `no_certificate`, or `taken`."""
        if mutant.document not in self._read:  # the same bytes have the same signature
            self._read[mutant.document] = self._verified(mutant.document)
        read = self._read[mutant.document]
        if read is None:
            return "no_certificate"
        refusal = refused(read[0], replace(mutant.seen, is_signed=read[1]), checks)
        return refusal.code if refusal else "taken"

    def _verified(self, document: bytes) -> tuple[Certificate, bool] | None:
        path = self.folder / "document.json"
        path.write_bytes(document)
        try:
            found, is_signed = read_certificate(path, self.signers)
        except HftError:
            return None
        return found, is_signed


def mutants(made: Signing, count: int, seed: int) -> Iterator[Mutant]:
    """COUNT of them, of every kind in turn."""
    random = Random(seed)
    makers = (flipped, flipped, flipped, swapped, downgraded, expired, other_class, other_bytes, resigned)
    for number in range(count):
        yield makers[number % len(makers)](made, random)


def flipped(made: Signing, random: Random) -> Mutant:
    data = bytearray(made.signed(GOOD))
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return Mutant(kind="bit", document=bytes(data), seen=SEEN)


def swapped(made: Signing, random: Random) -> Mutant:
    """The signature of another release, or one field of another release."""
    other = replace(GOOD, artifact=DIGESTS[2], version=(1, 5, 0), sbom=DIGESTS[3], not_after_s=NOW_S + 2**30)
    mine, theirs = json.loads(made.signed(GOOD)), json.loads(made.signed(other))
    if random.random() < 0.3:
        mine["signature"] = theirs["signature"]
    else:
        key = random.choice(("artifact", "version", "sbom", "not_after_s"))
        mine["certificate"][key] = theirs["certificate"][key]
    seen = replace(SEEN, artifact=mine["certificate"]["artifact"], sbom=mine["certificate"]["sbom"])
    return Mutant(kind="swap", document=json.dumps(mine).encode(), seen=seen)


def downgraded(made: Signing, random: Random) -> Mutant:
    """A good certificate of an old release, on a host that has taken a higher floor."""
    version = (1, random.randrange(4), random.randrange(3))
    old = replace(GOOD, version=version, floor=(1, 0, 0))
    return Mutant(
        kind="downgrade", document=made.signed(old), seen=replace(SEEN, version=version, floor=(1, 4, 0))
    )


def expired(made: Signing, random: Random) -> Mutant:
    one = replace(GOOD, not_after_s=NOW_S - random.randrange(5) * 3_600)
    return Mutant(kind="expiry", document=made.signed(one), seen=SEEN)


def other_class(made: Signing, random: Random) -> Mutant:
    seen = replace(SEEN, host_class=random.choice(("lab-vm", "bare-metal2", "bare", "", "Bare-metal")))
    return Mutant(kind="class", document=made.signed(GOOD), seen=seen)


def other_bytes(made: Signing, random: Random) -> Mutant:
    """What is at hand is not what was signed: the release, its name, its version, its bill of materials."""
    seen = random.choice(
        (
            replace(SEEN, artifact=DIGESTS[2]), replace(SEEN, name="other-engine"),
            replace(SEEN, version=(1, 4, 3)), replace(SEEN, sbom=DIGESTS[3]),
        )
    )  # fmt: skip
    return Mutant(kind="paths", document=made.signed(GOOD), seen=seen)


def resigned(made: Signing, random: Random) -> Mutant:
    """A stranger's key, or the authority's for another purpose."""
    if random.random() < 0.5:
        return Mutant(kind="re-signed", document=made.signed(GOOD, key=made.stranger), seen=SEEN)
    return Mutant(kind="re-signed", document=made.signed(GOOD, namespace="hft-limits"), seen=SEEN)
