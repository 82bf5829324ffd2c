"""`hft init` and `hft host`: a site's first inventory, and which machine each of its hosts is.

Enrolment is the one moment in which a host key is accepted, and even then only the key whose fingerprint the
operator brought from elsewhere (the console, the installer's log, the provider's page). Nothing is ever
trusted because it answered first.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click

from hft import options, run_log
from hft.enrolling import by_authority, by_fingerprints, enrol_all
from hft.errors import Exit, HftError
from hft.host_status import look
from hft.locks import site_lock
from hft.sites import chosen, load
from hft.views.table import show_table
from inventory.artifact import is_signed_name
from inventory.bounded import reason_of
from inventory.choice import FILE, text_of
from inventory.enrolment import read_enrolled
from inventory.errors import InventoryError
from inventory.fingerprints import read_fingerprints
from inventory.identity import FINGERPRINT, fingerprint
from inventory.load import DEFAULT, load_site
from inventory.selection import select, select_one
from transport.hint import command, use_inventory
from transport.show import tell, tell_document

_EXAMPLES = {"python": ("colo.py", "inventory.py"), "toml": ("example.toml", "inventory.toml")}


@click.command(
    epilog="""\b
Examples:
  hft init my-site                    writes my-site/inventory.py, and hft.toml, which names it
  hft init my-site --format toml      the same without Python
"""
)
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--format", "form", type=click.Choice(sorted(_EXAMPLES)), default="python", show_default=True)
def init(directory: Path, form: str) -> None:
    """Write an example inventory into DIR, and the hft.toml that names it for whoever works below DIR.

    Nothing that exists is overwritten.
    """
    source, name = _EXAMPLES[form]
    target, choice = directory / name, directory / FILE
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as stream:
            stream.write(DEFAULT.with_name(source).read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise InventoryError(
            f"{error.filename or target}: already there, and nothing is overwritten"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InventoryError(f"{target}: cannot write it: {reason_of(error)}") from error
    use_inventory(str(target))
    with suppress(FileExistsError), choice.open("x", encoding="utf-8") as stream:
        stream.write(text_of(Path(name)))
        tell(f"wrote {choice}: below {directory} it is the site of every command that names none")
    tell(f"wrote {target}; edit it, then look at it: {command('host', 'list')}")


@click.group()
def host() -> None:
    """The hosts of an inventory: list them, enrol them, acknowledge a rollback."""


@host.command(
    "list",
    epilog="""\b
Examples:
  hft host list
  hft host list --inventory site.toml --limit 'engine-*' --json
""",
)
@options.INVENTORY
@options.LIMIT
@options.JSON
def list_hosts(inventory: str | None, limit: str | None, as_json: bool) -> None:
    """The hosts as the inventory and the enrolment beside it describe them; asks no host."""
    site = load(inventory)
    hosts = select(site, limit)
    if as_json:
        body = [item.model_dump(mode="json") for item in hosts]
        tell_document({"schema": 1, "site": site.name, "hosts": body})
        return
    head = ("host", "address", "role", "class", "failure domain", "profile", "enrolled as")
    rows: list[tuple[str, ...]] = []
    for item in hosts:
        name = f"{item.name} (canary)" if item.canary else item.name
        key = fingerprint(item.host_keys[0]) if item.host_keys else "not enrolled"
        address = f"{item.address}:{item.ssh_port}"
        profile = item.profile or "-"
        rows.append((name, address, item.role, item.host_class, item.failure_domain, profile, key))
    tell(f"site {site.name}, {len(hosts)} host(s)")
    show_table(head, rows)


@host.command(
    epilog="""\b
Examples:
  on the host's console:  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub
  hft host enrol engine-1 --fingerprint SHA256:hnJ... --inventory site.py
  hft host enrol --fingerprints consoles.txt     a rack: a line NAME SHA256:... for each host
  hft host enrol --authority host-ca.pub --limit 'role:engine'   hosts with a certificate for their name

\b
Of many hosts those that can be are enrolled and the others named, each with its reason; exit code 2, or 7
where some did not answer and nothing else is wrong. The same command again is safe.
"""
)
@click.argument("name", metavar="[HOST]", required=False, shell_complete=options.HOSTS)
@click.option("--fingerprint", "expected", metavar="SHA256:...", help="From the host's console.")
@click.option(
    "--fingerprints",
    "listed",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The same of many hosts.",
)
@click.option(
    "--authority", metavar="FILE", type=click.Path(path_type=Path),
    help="Public key of an SSH authority that signed a host certificate for each host's name.",
)  # fmt: skip
@options.LIMIT
@options.PARALLEL
@options.INVENTORY
def enrol(  # noqa: PLR0913, PLR0917  # one for each option
    name: str | None,
    expected: str | None,
    listed: Path | None,
    authority: Path | None,
    limit: str | None,
    inventory: str | None,
) -> None:
    """Record which machine a host is: host key, machine-id, DMI, network cards; again after a re-image."""
    if sum(one is not None for one in (expected, listed, authority)) != 1:
        raise click.UsageError("say who vouches: one of --fingerprint, --fingerprints and --authority")
    if (expected is not None and name is None) or (name is not None and limit is not None):
        raise click.UsageError(
            "--fingerprint is of one HOST; --limit stands instead of a HOST, not beside it"
        )
    if expected is not None and not FINGERPRINT.fullmatch(expected):
        raise InventoryError(
            f"--fingerprint: expected SHA256: and 43 characters as of ssh-keygen -lf, got {expected[:60]!r}"
        )
    path = _own_inventory(inventory)
    site = load_site(path)
    hosts = (select_one(site, name),) if name is not None else select(site, limit)
    if authority is not None:
        vouch, reason = by_authority(authority), f"authority {authority}"
    elif listed is not None:
        known = read_fingerprints(listed, tuple(host.name for host in site.hosts))
        hosts = tuple(host for host in hosts if host.name in known)
        if not hosts:
            raise InventoryError(f"{listed}: names none of the hosts that are selected")
        vouch, reason = by_fingerprints(lambda one: known[one.name]), f"fingerprints {listed}"
    else:
        reason = str(expected)
        vouch = by_fingerprints(lambda _: frozenset({reason.rstrip("=")}))
    written = read_enrolled(path)
    for one in hosts:
        if one.identity is not None and one.name not in written:
            raise InventoryError(
                f"{path}: the identity of {one.name!r} is written in this file; change it there"
            )
    with site_lock(site.name, f"enrol {hosts[0].name}" if len(hosts) == 1 else f"enrol {len(hosts)} hosts"):
        enrol_all(site, path, hosts, vouch, reason)


def _own_inventory(given: str | None) -> Path:
    """The file beside which identities are recorded; refuses one that takes none."""
    path = chosen(given).path
    if options.is_here():
        raise click.UsageError("enrolment asks a host over SSH, so that others find it; leave out --local")
    if path is None or path.resolve() == DEFAULT.resolve():
        raise InventoryError(
            "the lab's hosts are enrolled by the lab itself; name your site with --inventory PATH"
        )
    if is_signed_name(path):
        raise InventoryError(
            f"{path}: signed, so nothing is added to it; enrol the host in the inventory that it was "
            "signed from, then sign again"
        )
    return path


@host.command(
    epilog="""\b
Examples:
  hft host acknowledge engine-1 --reason 'NIC driver missing in 6.1.0-57, ticket 4711'
"""
)
@click.argument("name", metavar="HOST", shell_complete=options.HOSTS)
@click.option("--reason", required=True, help="What was found; kept in the run record.")
@options.INVENTORY
def acknowledge(name: str, reason: str, inventory: str | None) -> None:
    """Say that the rollback of HOST has been understood; `hft status` stops reporting it."""
    site = load(inventory)
    target = select_one(site, name)
    standing = look(site, target, max(10.0, site.status_deadline_s))
    if not standing.reachable:
        raise HftError(Exit.UNREACHABLE, f"{name}: {standing.note}")
    if standing.rolled_back_txn is None:
        raise InventoryError(f"{name}: no rollback to acknowledge")
    event = {"event": "acknowledged", "host": name, "txn": standing.rolled_back_txn}
    run_log.append(site.name, event | {"by": run_log.operator(), "reason": reason})
    tell(f"{name}: rollback of {standing.rolled_back_txn} acknowledged")
