"""What `hft engine deploy` does: look at every host, decide, show, ask, and change them wave by wave.

The lock, the question and the run record are those of `hft apply`. A host that does not end well stops the
run: the ones after it keep what they have.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploys.agent_client.call import over_ssh
from deploys.rollout.outcome import HostOutcome
from deploys.slot.client import decided_on, look_slot
from deploys.slot.package import Package, read_package
from deploys.slot.signed_limits import read_limits
from deploys.slot.slot_changes import Asked, SlotChanges
from deploys.slot.undeploy import decide_removal
from engine.host import places
from engine.ticket.signing import TICKET_NAMESPACE
from hft.changing import Change, Telling, ask, carry_out, rolled_out
from hft.errors import Exit, HftError, HostsError
from hft.locks import SiteLock, site_lock
from hft.sites import load
from inventory.bounded import read_bounded, reason_of
from inventory.errors import InventoryError
from inventory.model import Host, Site
from inventory.selection import select, select_one
from transport.at_once import at_once
from transport.errors import HostError
from transport.sanitize import printable
from transport.show import Styled, tell, tell_document
from transport.ssh import Ssh
from tuning.strict_json import parse

CONFIG_SIZE_MAX = 1 << 20
ROLES = frozenset({"engine", "standby"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployRequest:
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


def deploy_engine(request: DeployRequest) -> int:
    """The whole verb; its exit code."""
    site = load(request.inventory)
    hosts = engine_hosts(site, request.limit)
    asked = asked_of(request, read_package(request.artifact), site.limits_signers_sha256)
    if request.dry_run:
        works = decided(asked, hosts)
        show_pending(works, asked.package, as_json=request.as_json)
        return Exit.PENDING if any(work.pending for work in works) else Exit.OK
    with site_lock(site.name, request.reason or "hft engine deploy", takeover=request.takeover) as lock:
        return deploy_locked(request, site, asked, decided(asked, hosts), lock)


def engine_hosts(site: Site, limit: str | None) -> tuple[Host, ...]:
    """The hosts that were named, else every host whose role runs an engine."""
    chosen = select(site, limit)
    hosts = chosen if limit else tuple(host for host in chosen if host.role in ROLES)
    if not hosts:
        raise InventoryError(f"{site.name}: no host has the role {' or '.join(sorted(ROLES))}")
    return tuple(hosts)


def asked_of(request: DeployRequest, package: Package, signers_sha256: str | None) -> Asked:
    """The operator's files, read and verified before any host is asked."""
    if not request.slot.isalnum() or not request.slot.islower() or len(request.slot) > 16:
        raise HftError(Exit.BAD_INPUT, f"--slot {request.slot!r}: 1 to 16 lower-case letters and digits")
    limits = (
        read_limits(request.limits, request.signers, now_utc_ns=time.time_ns()) if request.limits else None
    )
    config = read_object(request.config) if request.config else None
    return Asked(
        package=package,
        slot=request.slot,
        limits=limits,
        config=config,
        drain=request.drain,
        signers_sha256=signers_sha256,
    )


def read_object(path: Path) -> Mapping[str, Any]:
    """A JSON object; what is in it is never shown, it may hold a password."""
    try:
        found = parse(read_bounded(path, CONFIG_SIZE_MAX))
    except (OSError, ValueError) as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read as JSON: {reason_of(error)}") from error
    if not isinstance(found, dict):
        raise HftError(Exit.BAD_INPUT, f"{path}: expected a JSON object")
    return found


def decided(asked: Asked, hosts: Sequence[Host]) -> list[SlotChanges]:
    """One look at every host, side by side; each that stands in the way is named before the run begins."""

    def one(host: Host) -> SlotChanges | HostError:
        try:
            return decided_on(host, asked, over_ssh(Ssh.of(host)))
        except HostError as error:
            return error

    answers = at_once(one, hosts)
    if refused := [(one.host, one) for one in answers if isinstance(one, HostError)]:
        raise HostsError(refused, hint="no host was changed")
    return [answer for answer in answers if not isinstance(answer, HostError)]


def deploy_locked(
    request: DeployRequest, site: Site, asked: Asked, works: Sequence[SlotChanges], lock: SiteLock
) -> int:
    """From the question to the last host's outcome, with the site held."""
    changing = [work for work in works if work.pending]
    if not request.as_json:
        show_pending(works, asked.package, as_json=False)
    if changing:
        question = f"Deploy {asked.package.name} to {len(changing)} host(s)?"
        ask(question, yes=request.yes, as_json=request.as_json)
    keys = {work.host.name: work.seen.ticket_key for work in works if work.seen.ticket_key}

    def steps() -> Sequence[object]:
        from deploys.rollout.slot import deploy_steps

        return deploy_steps(keys)

    change = Change(
        site=site.name,
        verb="engine deploy",
        hosts=[work.host.name for work in works],
        reason=request.reason,
        as_json=request.as_json,
        facts_of=lambda _: {"digest": asked.package.digest, "slot": asked.slot},
        shown_of=lambda outcome: {"ticket_signer": signer_line(outcome.host, keys.get(outcome.host))},
        document={"digest": asked.package.digest},
    )

    def run(told: Telling) -> None:
        told([as_deployed(work) for work in works if not work.pending])
        rolled_out(changing, steps, lock, told)

    return carry_out(change, run)


def as_deployed(work: SlotChanges) -> HostOutcome:
    """The outcome of a host whose slot is as it should be."""
    seen = f"slot {work.asked.slot} runs {work.asked.package.name}"
    return HostOutcome(host=work.host.name, result="no_change", seen=seen)


def remove_engine(  # noqa: PLR0913  # each by name, as on the command line
    limit: str, *, inventory: str | None, slot: str, drain: bool, yes: bool, reason: str
) -> int:
    """`hft engine remove`; its exit code."""
    site = load(inventory)
    host = select_one(site, limit)
    with site_lock(site.name, reason or "hft engine remove") as lock:
        removal = decide_removal(host, slot, look_slot(host, slot, over_ssh(Ssh.of(host))), drain=drain)
        ask(f"Take the engine of slot {slot} off {host.name}?", yes=yes, as_json=False)

        def steps() -> Sequence[object]:
            from deploys.rollout.slot import remove_steps

            return remove_steps()

        change = Change(
            site=site.name,
            verb="engine remove",
            hosts=[host.name],
            reason=reason,
            as_json=False,
            facts_of=lambda _: {"slot": slot},
        )
        return carry_out(change, lambda told: rolled_out([removal], steps, lock, told))


def signer_line(host: str, public_key: str | None) -> str | None:
    """The line for the gateway's signers file that lets HOST vouch for its engines."""
    if not public_key:
        return None
    return f'{host} namespaces="{TICKET_NAMESPACE}" {" ".join(printable(public_key).split()[:2])}'


def show_pending(works: Sequence[SlotChanges], package: Package, *, as_json: bool) -> None:
    """Every pending thing of every host, one line and its why."""
    if as_json:
        tell_document(pending_document(works, package))
        return
    for work in works:
        count = f"{len(work.pending)} pending" if work.pending else "as it should be"
        place = ", ".join(f"{name} on {cpus}" for name, cpus in work.placement.threads.items())
        tell(f"{work.host.name}: {package.name} in slot {work.asked.slot}: {count}; {place}")
        for one in work.pending:
            tell(f"  {one.sentence}")
            tell(Styled(f"    {one.why}", "dim"))


def pending_document(works: Sequence[SlotChanges], package: Package) -> dict[str, Any]:
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
