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
from hft.errors import Exit, HftError
from hft.host_status import look
from hft.locks import site_lock
from hft.sites import chosen, load
from hft.views.table import show_table
from inventory.artifact import is_signed_name
from inventory.bounded import reason_of
from inventory.choice import FILE, text_of
from inventory.enrolment import Enrolled, check_enrolled, read_enrolled, write_enrolled
from inventory.errors import IdentityError, InventoryError
from inventory.identity import FINGERPRINT, READ_SCRIPT, differences, fingerprint, parse_identity
from inventory.load import DEFAULT, load_site
from inventory.model import Host, Identity, Site
from inventory.selection import select, select_one
from transport.child import TooMuchOutputError, run_bounded
from transport.errors import UnreachableError
from transport.hint import command, use_inventory
from transport.show import tell, tell_document
from transport.ssh import Ssh

_KEYSCAN_S = 30  # three handshakes at once, on a host that may be busy
_KEY_TYPES = "ed25519,ecdsa,rsa"  # each type asked for is one more handshake with the host
_READ_S = 30.0
_UNREAD = "0" * 32  # stands for the machine-id while only the host key is known
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
"""
)
@click.argument("name", metavar="HOST", shell_complete=options.HOSTS)
@click.option(
    "--fingerprint", "expected", required=True, metavar="SHA256:...", help="From the host's console."
)
@options.INVENTORY
def enrol(name: str, expected: str, inventory: str | None) -> None:
    """Record which machine HOST is: host key, machine-id, DMI, network cards. Also after it was re-imaged."""
    if not FINGERPRINT.match(expected):
        raise InventoryError(
            f"--fingerprint: expected SHA256: and 43 characters as of ssh-keygen -lf, got {expected[:60]!r}"
        )
    path = chosen(inventory).path
    if path is None or path.resolve() == DEFAULT.resolve():
        raise InventoryError(
            "the lab's hosts are enrolled by the lab itself; name your site with --inventory PATH"
        )
    if is_signed_name(path):
        raise InventoryError(
            f"{path}: signed, so nothing is added to it; enrol the host in the inventory that it was "
            "signed from, then sign again"
        )
    site = load_site(path)
    target = select_one(site, name)
    if target.identity is not None and name not in read_enrolled(path):
        raise InventoryError(f"{path}: the identity of {name!r} is written in this file; change it there")
    with (
        site_lock(site.name, f"enrol {name}"),
        run_log.recorded(site.name, "enrol", hosts=[name], reason=expected) as run,
    ):
        seen = _identity_behind(target, expected.rstrip("="))
        changes = differences(target.identity, seen) if target.identity is not None else []
        written = _record(site, path, name, seen)
        run.host(name, machine_id=seen.machine_id, changes=changes)
    for change in changes:
        tell(f"{name}: {change}")
    cards = f"{len(seen.macs)} network card(s)"
    tell(f"{name}: enrolled, machine-id {seen.machine_id}, {cards}; recorded in {written}")


def _record(site: Site, inventory: Path, name: str, seen: Identity) -> Path:
    entry = Enrolled(identity=seen, at=run_log.now(), by=run_log.operator())
    check_enrolled(site, inventory, name, entry)
    return write_enrolled(inventory, name, entry)


def _identity_behind(target: Host, expected: str) -> Identity:
    """Read the identity over a connection that accepts exactly the key with the expected fingerprint."""
    keys = _offered_keys(target)
    matching = tuple(key for key in keys if fingerprint(key) == expected)
    if not matching:
        shown = ", ".join(f"{fingerprint(key)} ({key.split()[0]})" for key in keys)
        raise IdentityError(
            f"{target.name}: {target.address} port {target.ssh_port} shows {shown}, none is {expected}; "
            "nothing was recorded; hint: read it on the host's console again, or find out who answers there"
        )
    pinned = target.model_copy(update={"identity": Identity(host_keys=matching, machine_id=_UNREAD)})
    answer = Ssh.of(pinned).run(["sh", "-s"], stdin=READ_SCRIPT.encode(), timeout_s=_READ_S)
    return parse_identity(answer.stdout, matching, target.name)


def _offered_keys(target: Host) -> tuple[str, ...]:
    """The public host keys that whoever answers offers (ssh-keyscan(1)); none of them is believed yet."""
    options = ["-t", _KEY_TYPES, "-T", str(_KEYSCAN_S), "-p", str(target.ssh_port)]
    argv = ["ssh-keyscan", *options, "--", target.address]
    through = f" through {target.jump.name}" if target.jump else ""
    where = f"{target.address} port {target.ssh_port}"
    tell(f"{target.name}: asking {where}{through} for its host keys", err=True)
    try:
        if target.jump is not None:  # nobody else sees the target; its keys are compared all the same
            text = Ssh.of(target.jump).run(argv, timeout_s=2 * _KEYSCAN_S).stdout
        else:
            text = run_bounded(argv, stdin=b"", timeout_s=2 * _KEYSCAN_S).stdout.decode(errors="replace")
    except (OSError, TimeoutError, TooMuchOutputError) as error:
        raise UnreachableError(target.name, f"ssh-keyscan gave no answer: {error}") from error
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    keys = tuple(sorted({" ".join(words[1:3]) for words in lines if len(words) >= 3}))
    if not keys:
        raise UnreachableError(target.name, f"no ssh server answers at {where}; nothing was recorded")
    return keys


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
