"""`hft audit`: sign how far a run record has come, and find what was done to it since.

Exit codes of `verify`: 0 intact and covered by a head, 4 intact as far as a chain alone can tell, 5 something
was changed, cut, removed or moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hft import options
from hft.audit import SignedHead, audit, head_from
from hft.errors import Exit, HftError
from hft.run_lines import canonical
from hft.signed_document import signed
from transport.hint import command
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from inventory.model import Host

SCHEMA = 1  # of a head, and of what `verify` prints
NAMESPACE = "hft-audit"
IDENTITY = "audit"
HEADS_MAX = 16 << 20


@click.group(name="audit")
def audit_group() -> None:
    """Prove that the run record of a site is whole: nothing flipped, cut off, removed or moved."""


@audit_group.command(
    epilog="""\b
Examples:
  hft audit seal ny4 --key ~/.ssh/audit >> heads.jsonl
  hft audit seal ny4 --key ~/.ssh/audit --copy >> heads.jsonl
  hft audit seal ny4 --key ~/.ssh/audit --copy --limit 'role:engine,gw-*'

\b
Keep heads where those who write the record cannot: --copy appends the head to /var/lib/hft/heads.jsonl on the
hosts of the inventory. The key is an SSH key (ssh-keygen -Y sign, namespace hft-audit). Exit codes: 0, 5 the
record is damaged, 7 a host did not take its copy (it is named).
"""
)
@click.argument("site")
@click.option("--key", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Signs the head.")
@click.option("--copy", "is_copy", is_flag=True, help="Append the head on hosts, too.")
@options.INVENTORY
@options.LIMIT
def seal(site: str, key: Path, is_copy: bool, inventory: str | None, limit: str | None) -> int:
    """Print a signed head of SITE's run record: how many lines, and the hash of the last."""
    from hft.run_log import now

    hosts = _hosts(site, inventory, limit) if is_copy else []

    record = _record(site)
    if not record:
        raise HftError(Exit.BAD_INPUT, f"site {site} has no run record here, so there is nothing to seal")
    found = audit(record, ())
    if found.problems:
        raise HftError(
            Exit.VIOLATED,
            f"{found.problems[0].sentence}; it is not sealed; hint: {command('audit', 'verify', site)}",
        )
    unsigned = SignedHead(site=site, count=found.lines, hash=found.last_hash, at=now())
    signature = signed(canonical(unsigned.body()), key, NAMESPACE, "the head")
    line = canonical({**unsigned.body(), "signature": signature})
    tell(line.decode())
    return _copied(hosts, line) if hosts else Exit.OK


def _copied(hosts: Sequence[Host], line: bytes) -> Exit:
    """Append it on every host; each that did not take it is named."""
    from hft.head_copies import copy_head

    code = Exit.OK
    for one in copy_head(hosts, line + b"\n"):
        tell(f"{one.host}: {one.said}", err=True)
        code = code if one.is_kept else Exit.UNREACHABLE
    return code


def _hosts(site: str, inventory: str | None, limit: str | None) -> Sequence[Host]:
    """Hosts of the same site's inventory; HftError when it is another's."""
    from hft.sites import load
    from inventory.selection import select

    found = load(inventory)
    if found.name != site:
        raise HftError(Exit.BAD_INPUT, f"the inventory is of site {found.name}, not {site}")
    return select(found, limit)


@audit_group.command(
    epilog="""\b
Examples:
  hft audit verify ny4 --heads heads.jsonl --signers audit.signers
  hft audit verify ny4 --copies --signers audit.signers
  ssh gateway-1 cat /var/lib/hft/heads.jsonl | hft audit verify ny4 --heads - --signers audit.signers

\b
SIGNERS is an allowed_signers file (ssh-keygen(1)) with a line such as
  audit namespaces="hft-audit" ssh-ed25519 AAAA..
Exit codes: 0 intact, 4 intact as far as the chain alone can tell (no head), or a host's copy cannot be
read, 5 not intact.
"""
)
@click.argument("site")
@click.option(
    "--heads", multiple=True, type=click.Path(path_type=Path, allow_dash=True), metavar="PATH",
    help="Heads, one a line; may be repeated; - is standard input.",
)  # fmt: skip
@click.option("--signers", type=click.Path(path_type=Path), metavar="PATH", help="Who may sign heads.")
@click.option("--copies", "is_copies", is_flag=True, help="Read the copies on hosts, too.")
@options.INVENTORY
@options.LIMIT
@options.JSON
def verify(  # noqa: PLR0913  # each by name
    *,
    site: str,
    heads: tuple[Path, ...],
    signers: Path | None,
    is_copies: bool,
    inventory: str | None,
    limit: str | None,
    as_json: bool,
) -> int:
    """Hold SITE's run record against its chain and its signed heads."""
    if (heads or is_copies) and signers is None:
        raise HftError(
            Exit.BAD_INPUT, "--signers: heads are worth what their signatures are; name who may sign"
        )
    kept = [one for path in heads for one in _heads(path, site, signers)]
    dark = _from_hosts(site, _hosts(site, inventory, limit), signers, kept) if is_copies else False
    found = audit(_record(site), kept)
    is_told = bool(kept) and not dark
    code = Exit.VIOLATED if found.problems else Exit.OK if is_told else Exit.UNVERIFIABLE
    if as_json:
        problems = [{"code": one.code, "line": one.line, "sentence": one.sentence} for one in found.problems]
        figures = {"lines": found.lines, "heads": len(kept), "unsealed": found.unsealed}
        tell_document({"schema": SCHEMA, "site": site, **figures, "problems": problems})
        return code
    for problem in found.problems:
        tell(Styled("violated", "red"), f" {problem.sentence}")
    tell(f"{site}: {found.lines} lines, {len(kept)} heads, {found.unsealed} lines after the last head")
    if not kept:
        seal_it = command("audit", "seal", site, "--key", "PATH")
        tell(f"no head: whether the end was cut off cannot be told; hint: {seal_it}")
    return code


def _record(site: str) -> bytes:
    from hft.run_log import RECORD_MAX, records_path
    from inventory.state_dir import read_plain

    if not site or "/" in site or site.startswith("."):
        raise HftError(Exit.BAD_INPUT, f"{site!r} is no site's name")
    path = records_path(site)
    try:
        return read_plain(path, RECORD_MAX)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {error.strerror}") from error


def _from_hosts(site: str, hosts: Sequence[Host], signers: Path | None, kept: list[SignedHead]) -> bool:
    """Add the heads of every host to KEPT; whether one could not be read, which is named."""
    from hft.head_copies import copies_of

    dark = False
    for name, data, why in copies_of(hosts):
        if data is None:
            tell(f"{name}: its heads cannot be read: {why}", err=True)
            dark = True
        else:
            kept += _heads_in(data, name, site, signers)
    return dark


def _heads(path: Path, site: str, signers: Path | None) -> list[SignedHead]:
    """The heads of a file, each with a good signature; HftError names the line that has none."""
    from inventory.bounded import read_bounded, reason_of

    try:
        data = read_bounded(Path("/dev/stdin") if str(path) == "-" else path, HEADS_MAX)
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {reason_of(error)}") from error
    return _heads_in(data, str(path), site, signers)


def _heads_in(data: bytes, path: str, site: str, signers: Path | None) -> list[SignedHead]:
    from engine.ticket.signing import is_signed
    from tuning.strict_json import ShapeError, parse

    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            head = head_from(parse(line))
        except ShapeError as error:
            raise HftError(Exit.BAD_INPUT, f"{path}: line {number}: {error}") from error
        assert signers is not None
        good = is_signed(
            canonical(head.body()), head.signature, signers=signers.expanduser(), identity=IDENTITY,
            namespace=NAMESPACE,
        )  # fmt: skip
        if not good:
            raise HftError(Exit.VIOLATED, f"{path}: line {number}: its signature is not one of {signers}")
        if head.site == site:
            found.append(head)
    return found
