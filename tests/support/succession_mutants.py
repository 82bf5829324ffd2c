"""Successions that must not pass: flipped, swapped, expired, of others, replayed, signed by a stranger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from engine.contract.canonical import canonical
from engine.ticket import signing
from failover.succession import CHECKS, Check, Found, Succession, refused
from hft.errors import HftError
from hft.verbs.failover_succession import NAMESPACE, read_succession
from tests.support.keys import make_key

NOW_S = 1_800_000_000
DIGESTS = tuple("sha256:" + digit * 64 for digit in "abcdef")
RUNS, OTHER_RUNS = (DIGESTS[0], DIGESTS[1], DIGESTS[2]), (DIGESTS[3], DIGESTS[4], DIGESTS[5])
GOOD = Succession(
    epoch_seen=4, holder="eng-1/a", successor="eng-2/a", approved=(RUNS,), silence_ms=500,
    loss_max_records=3, not_after_s=NOW_S + 86_400,
)  # fmt: skip
FOUND = Found(
    is_signed=True, is_used=False, now_s=NOW_S, epoch=4, holder="eng-1/a", successor="eng-2/a", runs=RUNS,
    silence_ms=500, loss_records=3,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A document and what is found beside it."""

    kind: str
    document: bytes
    found: Found


class Signing:
    """The authority's key, a stranger's, and who is allowed; what was used is remembered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key, self.stranger = make_key(folder / "authority"), make_key(folder / "stranger")
        self.signers = folder / "signers"
        line = signing.allowed_signer(signing.EPOCH_IDENTITY, self.key.with_suffix(".pub"), NAMESPACE)
        self.signers.write_text(line)
        self._kept: dict[tuple[Succession, Path, str], bytes] = {}
        self._read: dict[bytes, tuple[Succession, bool] | None] = {}

    def signed(self, one: Succession, key: Path | None = None, namespace: str = NAMESPACE) -> bytes:
        """Signed, once; by the authority for successions unless something else is said."""
        asked = (one, key or self.key, namespace)
        if asked not in self._kept:
            signature = signing.sign(canonical(one.body()), asked[1], namespace)
            self._kept[asked] = json.dumps({"succession": one.body(), "signature": signature}).encode()
        return self._kept[asked]

    def outcome(self, mutant: Mutant, checks: tuple[Check, ...] = CHECKS) -> str:
        """The code of the refusal, `no_succession`, or `holds`."""
        if mutant.document not in self._read:  # the same bytes have the same signature
            self._read[mutant.document] = self._verified(mutant.document)
        read = self._read[mutant.document]
        if read is None:
            return "no_succession"
        refusal = refused(read[0], replace(mutant.found, is_signed=read[1]), checks)
        return refusal.code if refusal else "holds"

    def _verified(self, document: bytes) -> tuple[Succession, bool] | None:
        path = self.folder / "document.json"
        path.write_bytes(document)
        try:
            found, _, is_signed = read_succession(path, self.signers)
        except HftError:
            return None
        return found, is_signed


def mutants(made: Signing, count: int, seed: int) -> Iterator[Mutant]:
    """COUNT of them, of every kind in turn."""
    random = Random(seed)
    makers = (
        flipped,
        flipped,
        swapped,
        expired,
        other_holder,
        other_successor,
        replayed,
        too_early,
        resigned,
    )
    for number in range(count):
        yield makers[number % len(makers)](made, random)


def flipped(made: Signing, random: Random) -> Mutant:
    data = bytearray(made.signed(GOOD))
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return Mutant(kind="bit", document=bytes(data), found=FOUND)


def swapped(made: Signing, random: Random) -> Mutant:
    """The signature of another succession, or one field of another, with everything found as it says."""
    other = replace(
        GOOD, epoch_seen=5, holder="eng-3/a", successor="eng-4/a", approved=(OTHER_RUNS,), silence_ms=1,
        loss_max_records=9, not_after_s=NOW_S + 2**30,
    )  # fmt: skip
    mine, theirs = json.loads(made.signed(GOOD)), json.loads(made.signed(other))
    found = FOUND
    if random.random() < 0.2:
        mine["signature"] = theirs["signature"]
    else:
        key = random.choice([key for key in mine["succession"] if key != "schema"])
        mine["succession"][key] = theirs["succession"][key]
        as_said = {
            "epoch_seen": replace(FOUND, epoch=5), "holder": replace(FOUND, holder="eng-3/a"),
            "successor": replace(FOUND, successor="eng-4/a"), "approved": replace(FOUND, runs=OTHER_RUNS),
        }  # fmt: skip
        found = as_said.get(key, FOUND)
    return Mutant(kind="swap", document=json.dumps(mine).encode(), found=found)


def expired(made: Signing, random: Random) -> Mutant:
    one = replace(GOOD, not_after_s=NOW_S - random.randrange(5) * 3_600)
    return Mutant(kind="expiry", document=made.signed(one), found=FOUND)


def other_holder(made: Signing, random: Random) -> Mutant:
    """Another one holds the epoch, or the epoch has moved."""
    holder = random.choice(("eng-2/a", "eng-1/b", "eng-3/a", "", "ENG-1/a"))
    found = random.choice((replace(FOUND, holder=holder), replace(FOUND, epoch=random.choice((1, 3, 5, 40)))))
    return Mutant(kind="holder", document=made.signed(GOOD), found=found)


def other_successor(made: Signing, random: Random) -> Mutant:
    """Another one would be fenced in, or it runs something else: one digest, or all in another order."""
    mixed = list(RUNS)
    mixed[random.randrange(3)] = random.choice(OTHER_RUNS)
    found = random.choice(
        (
            replace(FOUND, successor="eng-3/a"), replace(FOUND, successor="eng-2/b"),
            replace(FOUND, runs=(mixed[0], mixed[1], mixed[2])),
            replace(FOUND, runs=(RUNS[2], RUNS[0], RUNS[1])),
        )
    )  # fmt: skip
    return Mutant(kind="successor", document=made.signed(GOOD), found=found)


def replayed(made: Signing, random: Random) -> Mutant:
    """Used before; also with the signature made again."""
    key = random.choice((made.key, None))
    return Mutant(kind="replay", document=made.signed(GOOD, key), found=replace(FOUND, is_used=True))


def too_early(made: Signing, random: Random) -> Mutant:
    """The holder was heard, or more would be lost than may be."""
    heard = replace(FOUND, silence_ms=random.randrange(500))
    found = random.choice((heard, replace(FOUND, loss_records=4 + random.randrange(1_000))))
    return Mutant(kind="early", document=made.signed(GOOD), found=found)


def resigned(made: Signing, random: Random) -> Mutant:
    """A stranger's key, or the authority's for another purpose."""
    if random.random() < 0.5:
        return Mutant(kind="re-signed", document=made.signed(GOOD, key=made.stranger), found=FOUND)
    return Mutant(kind="re-signed", document=made.signed(GOOD, namespace="hft-fence"), found=FOUND)
