"""What `hft engine deploy` does: look at every host, decide, show, ask, and change one host after the other.

The lock, the question and the run record are those of `hft apply`. A host that does not end well stops the
run: the ones after it keep what they have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from deploys.agent_call import over_ssh
from deploys.artifact.acting import act_on, look_at, look_slot, remove_slot
from deploys.artifact.limits import read_limits
from deploys.artifact.package import Package, read_package
from deploys.artifact.removal import decide_removal
from deploys.artifact.work import Asked, EngineWork, decide
from deploys.ends import HostEnd, ended_by
from deploys.errors import DeployError
from deploys.ssh import Ssh
from deploys.text import printable
from engine.host import places
from engine.ticket.signing import TICKET_NAMESPACE
from hft import records
from hft.apply_view import end_document, exit_code_of_ends, show_end
from hft.applying import confirm
from hft.errors import Exit, HftError
from hft.locks import SiteLock, site_lock
from hft.output import tell
from inventory.errors import InventoryError
from inventory.load import load_site
from inventory.model import Host, Site
from inventory.selection import select, select_one, waves

ROLES = frozenset({"engine", "standby"})
LOOKS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The command line."""

    artifact: Path
    inventory: str | None
    limit: str | None
    slot: str
    limits: Path | None
    signers: Path | None
    config: Path | None
    drain: bool
    dry_run: bool
    yes: bool
    reason: str
    takeover: bool
    as_json: bool


def deploy_engine(wishes: Wishes) -> int:
    """The whole verb; its exit code."""
    site = load_site(wishes.inventory)
    hosts = engine_hosts(site, wishes.limit)
    asked = asked_of(wishes, read_package(wishes.artifact))
    if wishes.dry_run:
        works = decided(asked, hosts)
        show_pending(works, asked.package, as_json=wishes.as_json)
        return Exit.PENDING if any(work.pending for work in works) else Exit.OK
    with site_lock(site.name, wishes.reason or "hft engine deploy", takeover=wishes.takeover) as lock:
        return deploy_locked(wishes, site, asked, decided(asked, hosts), lock)


def engine_hosts(site: Site, limit: str | None) -> tuple[Host, ...]:
    """The hosts that were named, else every host whose role runs an engine."""
    chosen = select(site, limit)
    hosts = chosen if limit else tuple(host for host in chosen if host.role in ROLES)
    if not hosts:
        raise InventoryError(f"{site.name}: no host has the role {' or '.join(sorted(ROLES))}")
    return tuple(hosts)


def asked_of(wishes: Wishes, package: Package) -> Asked:
    """The operator's files, read and verified before any host is asked."""
    if not wishes.slot.isalnum() or not wishes.slot.islower() or len(wishes.slot) > 16:
        raise HftError(Exit.BAD_INPUT, f"--slot {wishes.slot!r}: 1 to 16 lower-case letters and digits")
    limits = read_limits(wishes.limits, wishes.signers, now_utc_ns=time.time_ns()) if wishes.limits else None
    config = read_object(wishes.config) if wishes.config else None
    return Asked(package=package, slot=wishes.slot, limits=limits, config=config, drain=wishes.drain)


def read_object(path: Path) -> Mapping[str, Any]:
    """A JSON object; what is in it is never shown, it may hold a password."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise HftError(Exit.BAD_INPUT, f"{path}: expected a JSON object")
    return found


def decided(asked: Asked, hosts: Sequence[Host]) -> list[EngineWork]:
    """One look at every host, side by side; what one of them refuses stops the run before it begins."""

    def one(host: Host) -> EngineWork:
        return decide(host, asked, look_at(host, asked, over_ssh(Ssh.of(host))))

    with ThreadPoolExecutor(max_workers=min(len(hosts), LOOKS_AT_ONCE)) as pool:
        return list(pool.map(one, hosts))


def deploy_locked(
    wishes: Wishes, site: Site, asked: Asked, works: Sequence[EngineWork], lock: SiteLock
) -> int:
    """From the question to the last host's end, with the site held."""
    changing = [work for work in works if work.pending]
    if not wishes.as_json:
        show_pending(works, asked.package, as_json=False)
    if changing and not wishes.yes:
        confirm(f"Deploy {asked.package.name} to {len(changing)} host(s)?", as_json=wishes.as_json)
    names = [work.host.name for work in works]
    keys: dict[str, str] = {}
    with records.recorded(site.name, "engine deploy", hosts=names, reason=wishes.reason) as run:
        ends: list[HostEnd] = []
        for end in each_end(works, keys, lock):
            run.host(end.host, result=end.result, digest=asked.package.digest, slot=asked.slot, txn=end.txn)
            ends.append(end)
            show_end(end, as_json=wishes.as_json)
        run.exit_code = exit_code_of_ends(ends)
    if wishes.as_json:
        tell(json.dumps(ends_document(asked.package, ends, keys), indent=1))
    return run.exit_code


def each_end(works: Sequence[EngineWork], keys: dict[str, str], lock: SiteLock) -> Iterator[HostEnd]:
    """Wave by wave, the canary first; nothing after the first failure, or once the site was taken over."""
    by_name = {work.host.name: work for work in works}
    failed: str | None = None
    for wave in waves([work.host for work in works]):
        for host in wave:
            if failed is not None:
                sentence = f"not touched, because {failed} did not end well"
                yield HostEnd(host=host.name, result="not_run", sentence=sentence)
                continue
            lock.check()
            end = one_end(by_name[host.name], keys, over_ssh)
            failed = None if end.is_good else end.host
            yield end


def one_end(work: EngineWork, keys: dict[str, str], call_of: Callable[[Ssh], Any]) -> HostEnd:
    """How one host ended."""
    name = work.host.name
    if work.seen.ticket_key:
        keys[name] = signer_line(name, work.seen.ticket_key)
    if not work.pending:
        sentence = f"slot {work.asked.slot} runs {work.asked.package.name}"
        return HostEnd(host=name, result="no_change", sentence=sentence)
    try:
        outcome = act_on(work, call_of(Ssh.of(work.host)))
    except DeployError as error:
        return ended_by(name, error)
    if outcome.get("ticket_key"):
        keys[name] = signer_line(name, str(outcome["ticket_key"]))
    changed = tuple(one.sentence for one in work.pending)
    sentence = f"slot {work.asked.slot} runs {work.asked.package.name}, {len(changed)} changes"
    txn = str(outcome["txn"]) if outcome.get("txn") else None
    return HostEnd(host=name, result="applied", sentence=sentence, txn=txn, changed=changed)


def remove_engine(  # noqa: PLR0913  # each by name, as on the command line
    limit: str, *, inventory: str | None, slot: str, drain: bool, yes: bool, reason: str
) -> int:
    """`hft engine remove`; its exit code."""
    site = load_site(inventory)
    host = select_one(site, limit)
    with site_lock(site.name, reason or "hft engine remove") as lock:
        call = over_ssh(Ssh.of(host))
        work = decide_removal(host, slot, look_slot(host, slot, call), drain=drain)
        if not yes:
            confirm(f"Take the engine of slot {slot} off {host.name}?", as_json=False)
        lock.check()  # the question may have stood there for an hour
        with records.recorded(site.name, "engine remove", hosts=[host.name], reason=reason) as run:
            try:
                outcome = remove_slot(work, call)
            except DeployError as error:
                end = ended_by(host.name, error)
            else:
                sentence = f"slot {slot} is empty; hft apply brings the stand-ins back"
                txn = str(outcome.get("txn") or "") or None
                end = HostEnd(host=host.name, result="applied", sentence=sentence, txn=txn)
            run.host(host.name, result=end.result, slot=slot, txn=end.txn)
            run.exit_code = exit_code_of_ends([end])
        show_end(end, as_json=False)
    return run.exit_code


def signer_line(host: str, public_key: str) -> str:
    """The line for the gateway's signers file that lets HOST vouch for its engines."""
    return f'{host} namespaces="{TICKET_NAMESPACE}" {" ".join(printable(public_key).split()[:2])}'


def show_pending(works: Sequence[EngineWork], package: Package, *, as_json: bool) -> None:
    """Every pending thing of every host, one line and its why."""
    if as_json:
        click.echo(json.dumps(pending_document(works, package), indent=1))
        return
    for work in works:
        count = f"{len(work.pending)} pending" if work.pending else "as it should be"
        place = ", ".join(f"{name} on {cpus}" for name, cpus in work.placement.threads.items())
        click.echo(f"{work.host.name}: {package.name} in slot {work.asked.slot}: {count}; {place}")
        for one in work.pending:
            click.echo(f"  {one.sentence}")
            click.echo(click.style(f"    {one.why}", dim=True))


def pending_document(works: Sequence[EngineWork], package: Package) -> dict[str, Any]:
    """The pending things as documented JSON."""
    return {
        "schema": 1,
        "digest": package.digest,
        "hosts": [
            {
                "host": work.host.name,
                "unit": places.unit_of(work.asked.slot),
                "threads": {name: str(cpus) for name, cpus in work.placement.threads.items()},
                "pending": [{"sentence": one.sentence, "why": one.why} for one in work.pending],
            }
            for work in works
        ],
    }


def ends_document(package: Package, ends: Sequence[HostEnd], keys: Mapping[str, str]) -> dict[str, Any]:
    """How every host ended, and who its gateway has to let vouch."""
    return {
        "schema": 1,
        "digest": package.digest,
        "hosts": [{**end_document(end), "ticket_signer": keys.get(end.host)} for end in ends],
    }
