"""`hft failover succession`: the authority's permission, in advance, for one automatic failover.

`sign` makes the document, `verify` checks it against what was found, `--use` uses it up. Exit codes of
`verify`: 0 it holds, 2 it does not, with the code of the first check that fails.
"""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from engine.ticket.signing import SUCCESSION_NAMESPACE
from hft import options
from hft.errors import Exit, HftError
from hft.signed_document import read_signed, signed
from hft.verbs.failover_arm import arm, disarm
from hft.verbs.failover_move import CLUSTER
from transport.show import tell, tell_document

NAMESPACE = SUCCESSION_NAMESPACE


@click.group()
def succession() -> None:
    """Sign one failover in advance, from one holder to one successor; hand it to the gateways."""


succession.add_command(arm)
succession.add_command(disarm)


@succession.command(
    epilog="""\b
Example:
  hft failover succession sign --file failover.toml --epoch 4 --holder engine-1/a --to engine-2/a \\
      --silence-ms 500 --loss-max-records 0 --not-after 2026-12-02T21:00:00+00:00 > succession.json

\b
What the successor may run is what the failover file approves for it; the key is its authority_key.
"""
)
@click.option("--epoch", type=int, required=True, metavar="NUMBER", help="The epoch in force.")
@click.option("--holder", required=True, metavar="HOST/SLOT", help="Who holds it.")
@click.option("--to", "successor", required=True, metavar="HOST/SLOT", help="Who shall hold the next one.")
@click.option("--silence-ms", type=int, required=True, metavar="MS", help="Silence of the holder, at least.")
@click.option("--loss-max-records", type=int, required=True, metavar="COUNT", help="What may be lost.")
@click.option(
    "--not-after", required=True, metavar="TIME", help="ISO 8601 (UTC); from then on it is refused."
)
@CLUSTER
@options.INVENTORY
def sign(  # noqa: PLR0913  # each by name
    *,
    epoch: int,
    holder: str,
    successor: str,
    silence_ms: int,
    loss_max_records: int,
    not_after: str,
    path: Path | None,
    inventory: str | None,
) -> int:
    """Print a signed succession; nothing is changed by it."""
    from engine.contract.canonical import canonical
    from failover.succession import Succession, succession_from
    from hft.runbooks.cluster import load_cluster
    from inventory.suggest import nearest

    cluster = load_cluster(path, inventory)
    for name in (holder, successor):
        if name not in cluster.approved:
            raise HftError(Exit.BAD_INPUT, f"{path}: no engine {name!r}{nearest(name, cluster.approved)}")
    try:
        made = Succession(
            epoch_seen=epoch,
            holder=holder,
            successor=successor,
            approved=tuple((one.artifact, one.config, one.limits) for one in cluster.approved[successor]),
            silence_ms=silence_ms,
            loss_max_records=loss_max_records,
            not_after_s=_seconds(not_after),
        )
        body = succession_from(made.body()).body()
        if made.not_after_s <= time.time():
            raise ValueError("--not-after is past")
    except ValueError as error:
        raise HftError(Exit.BAD_INPUT, f"the succession cannot be signed: {error}") from error
    signature = signed(canonical(body), cluster.authority_key, NAMESPACE, "the succession")
    tell_document({"succession": body, "signature": signature})
    return Exit.OK


@succession.command(
    epilog="""\b
Example:
  hft failover succession verify succession.json --signers authority.signers --epoch 4 --holder engine-1/a \\
      --to engine-2/a --runs "$artifact,$config,$limits" --silence-ms 730 --loss-records 0

\b
SIGNERS is an allowed_signers file (ssh-keygen(1)) with a line such as
  epoch namespaces="hft-fence,hft-succession" ssh-ed25519 AAAA..
Exit codes: 0 it holds, 2 it does not. With --use it is used up before the answer, durably.
"""
)
@click.argument("document", type=click.Path(path_type=Path))
@click.option(
    "--signers", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Who may sign."
)
@click.option("--epoch", type=int, required=True, metavar="NUMBER", help="The highest epoch now.")
@click.option("--holder", required=True, metavar="HOST/SLOT", help="Who holds it.")
@click.option("--to", "successor", required=True, metavar="HOST/SLOT", help="Who would be fenced in.")
@click.option(
    "--runs", required=True, metavar="DIGESTS", help="Of artifact, configuration, limits; by commas."
)
@click.option("--silence-ms", type=int, required=True, metavar="MS", help="Since the holder was heard last.")
@click.option(
    "--loss-records", type=int, required=True, metavar="COUNT", help="Records that the successor lacks."
)
@click.option("--use", "is_use", is_flag=True, help="Use it up: it holds never again with this HFT_STATE.")
@options.JSON
def verify(  # noqa: PLR0913  # each by name
    *,
    document: Path,
    signers: Path,
    epoch: int,
    holder: str,
    successor: str,
    runs: str,
    silence_ms: int,
    loss_records: int,
    is_use: bool,
    as_json: bool,
) -> int:
    """Whether a succession holds for what was found; first check that fails, with its code."""
    from failover.succession import Found, refused
    from hft import succession_use

    words = runs.split(",")
    if len(words) != 3 or silence_ms < 0 or loss_records < 0:
        raise HftError(Exit.BAD_INPUT, "--runs has three digests, and no count is below 0")
    one, sha256, is_signed = read_succession(document, signers)
    found = Found(
        is_signed=is_signed,
        is_used=succession_use.is_used(sha256),
        now_s=int(time.time()),
        epoch=epoch,
        holder=holder,
        successor=successor,
        runs=(words[0], words[1], words[2]),
        silence_ms=silence_ms,
        loss_records=loss_records,
    )
    if refusal := refused(one, found):
        raise HftError(Exit.BAD_INPUT, f"{document}: refused, {refusal.code}: {refusal.sentence}")
    if is_use:
        succession_use.use(sha256, datetime.now(UTC).isoformat(timespec="seconds"))
    if as_json:
        tell_document({"succession": one.body(), "sha256": sha256, "used": is_use})
    else:
        used = ", and it is used up now" if is_use else ""
        tell(f"it holds: epoch {epoch} of {holder} may pass to {successor}{used}")
    return Exit.OK


def read_succession(path: Path, signers: Path) -> tuple[Any, str, bool]:
    """The succession of a file, the SHA-256 of what is signed, and whether the authority signed it.

    Raises: HftError when it is none.
    """
    from engine.ticket.signing import EPOCH_IDENTITY
    from failover.succession import succession_from

    one = read_signed(
        path, "succession", succession_from, signers, identity=EPOCH_IDENTITY, namespace=NAMESPACE
    )
    return one.found, hashlib.sha256(one.payload).hexdigest(), one.is_signed


def _seconds(text: str) -> int:
    found = datetime.fromisoformat(text)
    return int((found.replace(tzinfo=UTC) if found.tzinfo is None else found).timestamp())
