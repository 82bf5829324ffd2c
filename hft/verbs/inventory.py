"""`hft inventory`: sign an inventory, verify a signed one, hand either to Ansible.

A signed inventory is one file that every verb, pyinfra's own CLI and the checks read, with the identities
inside; it holds for a time, and its generation only rises. Reading needs no network and no provisioning
engine (inventory/envelope.py has the form, inventory/generation.py what is kept).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from hft import options, run_log
from hft.locks import site_lock
from hft.sites import load
from inventory.ansible import ansible_inventory, known_hosts_text
from inventory.artifact import (
    DAYS_MOST,
    Artifact,
    is_signed_name,
    made,
    next_generation,
    read_artifact,
    write_artifact,
)
from inventory.bounded import read_bounded, reason_of
from inventory.enrolment import write_whole
from inventory.envelope import GENERATION_MAX, SIZE_MAX, SUFFIX
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Site
from transport.show import tell, tell_document

_PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignRequest:
    """What `hft inventory sign` was asked for."""

    source: Path
    key: Path
    to: Path | None
    days: int
    generation: int | None
    engine: str | None
    stack: str | None
    reason: str

    @property
    def target(self) -> Path:
        """Where the signed file goes: beside its source, unless somebody said otherwise."""
        if self.to is not None:
            return self.to
        return self.source if is_signed_name(self.source) else self.source.with_suffix(SUFFIX)


@click.group()
def inventory() -> None:
    """Sign an inventory, verify a signed one, hand one to Ansible."""


@inventory.command(
    epilog="""\b
Examples:
  hft inventory sign site.toml --key ~/.ssh/site-signer
  hft inventory sign site.toml --key ~/.ssh/site-signer --to /srv/site.signed.json --days 7
  hft inventory sign site.signed.json --key ~/.ssh/site-signer     the same content, a new generation
"""
)
@click.argument("source", metavar="FILE", type=_PATH)
@click.option(
    "--key", required=True, type=_PATH, help="The private key; of a public one an agent has the rest."
)
@click.option(
    "--to", type=_PATH, metavar="PATH", help="Where to; default: FILE with the ending .signed.json."
)
@click.option(
    "--days", type=click.IntRange(1, DAYS_MOST), default=30, show_default=True, help="How long it holds."
)
@click.option(
    "--generation",
    type=click.IntRange(1, GENERATION_MAX),
    metavar="N",
    help="Default: one above the last that was used or signed here.",
)
@click.option("--engine", metavar="TEXT", help="What provisioned the hosts, such as 'pulumi v3.274.1'.")
@click.option("--stack", metavar="TEXT", help="The stack that they are from.")
@options.REASON
@options.JSON
def sign(as_json: bool, **asked: Any) -> None:
    """Sign FILE with its enrolled hosts into one file that every reader takes."""
    request = SignRequest(**asked)
    show_signed(request.target, sign_site(load_site(request.source), request), as_json=as_json)


def sign_site(site: Site, request: SignRequest) -> Artifact:
    """Sign a site as a new generation, under its lock and with a record."""
    names = [host.name for host in site.hosts]
    with (
        site_lock(site.name, f"sign {request.source}"),
        run_log.recorded(site.name, "inventory sign", hosts=names, reason=request.reason) as run,
    ):
        envelope = made(
            site,
            generation=_generation(request, site.name),
            now=datetime.now(UTC),
            valid_for=timedelta(days=request.days),
            engine=request.engine,
            stack=request.stack,
        )
        signed = write_artifact(request.target, envelope, request.key)
        run.message = f"generation {envelope.generation}, sha256 {signed.sha256}, by {signed.signer}"
    return signed


def _generation(request: SignRequest, site: str) -> int:
    least = next_generation(site, request.target)
    if request.generation is not None and request.generation < least:
        raise InventoryError(
            f"--generation {request.generation}: site {site} has come to {least - 1} here; "
            f"hint: {least} or more"
        )
    return request.generation or least


@inventory.command(
    epilog="""\b
Examples:
  hft inventory verify site.signed.json
  hft inventory verify site.signed.json --json
"""
)
@click.argument("path", metavar="FILE", type=_PATH)
@options.JSON
def verify(path: Path, as_json: bool) -> None:
    """Say what a signed FILE is, or in one sentence why no verb would read it; keeps nothing."""
    if not is_signed_name(path):
        raise InventoryError(f"{path}: the name of a signed inventory ends in {SUFFIX}")
    try:
        data = read_bounded(path, SIZE_MAX)
    except (OSError, ValueError) as error:
        raise InventoryError(f"{path}: cannot be read: {reason_of(error)}") from error
    show_signed(path, read_artifact(path, data, now=datetime.now(UTC), keep=False), as_json=as_json)


@inventory.command(
    epilog="""\b
Examples:
  hft inventory ansible --inventory site.signed.json --to run/inventory
  ansible-runner run run --playbook site.yml
"""
)
@options.INVENTORY
@click.option("--to", "folder", required=True, type=_PATH, metavar="DIR", help="Made where it is not there.")
def ansible(inventory: str | None, folder: Path) -> None:
    """Write DIR/hosts.json and DIR/known_hosts: the same hosts, groups and host keys for Ansible."""
    site = load(inventory)
    place = folder.absolute()
    hosts = ansible_inventory(site, place / "known_hosts")
    try:
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "known_hosts", known_hosts_text(site).encode())
        write_whole(place / "hosts.json", (json.dumps(hosts, indent=1) + "\n").encode())
    except OSError as error:
        raise InventoryError(f"{place}: cannot be written: {error.strerror}") from error
    tell(f"wrote {folder / 'hosts.json'} and known_hosts: site {site.name}, {len(site.hosts)} host(s)")


def show_signed(path: Path, signed: Artifact, *, as_json: bool) -> None:
    """What a signed inventory is."""
    said = signed.envelope
    if as_json:
        body = said.model_dump(mode="json", exclude={"schema_", "site"})
        names = [host.name for host in said.site.hosts]
        found = {"site": said.site.name, "hosts": names, "signer": signed.signer, "sha256": signed.sha256}
        tell_document({"schema": 1, "path": str(path), **found, **body})
        return
    made_by = f", of stack {said.stack}" if said.stack else ""
    made_by += f" by {said.engine}" if said.engine else ""
    hosts = f"{len(said.site.hosts)} host(s)"
    tell(f"{path}: site {said.site.name}, generation {said.generation}, {hosts}{made_by}")
    tell(f"signed by {signed.signer}, made {said.made_at}, expires {said.expires}")
