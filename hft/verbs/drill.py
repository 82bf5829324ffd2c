"""`hft drill`: one fault on a host, on purpose, and whether the host came back as it had to.

A poison is a boot that cannot succeed; somebody named has to bring the host back. A cut takes the power or
the controller away inside a trial; the host has to be wholly old or wholly new afterwards. Several hosts are
drilled at the same time under one site lock, the drills of one host one after another. Drills are for the lab
and for hosts in a declared window: a host whose engine slice is active is refused by its own agent unless it
is drained first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict

import click

from deploys.agent_client.call import over_ssh
from deploys.errors import DeployError
from deploys.tune.drain import drain_host, resume_host
from deploys.tune.observe import look_at
from drills.boot_faults import POISONS, HostSession, PoisonOutcome, run_poison
from drills.power_faults import CUTS, CutOutcome, run_cut
from hft import options
from hft.errors import Exit
from hft.locks import site_lock
from hft.run_log import recorded
from hft.sites import load
from inventory.errors import InventoryError
from inventory.model import Site
from inventory.power import power_of
from inventory.selection import select_one
from inventory.suggest import nearest
from transport.errors import HostError
from transport.hint import command
from transport.show import tell, tell_document
from transport.ssh import Ssh

Outcome = PoisonOutcome | CutOutcome


@click.command(
    epilog="""\b
Examples:
  hft drill --list
  hft drill engine-1=panic                       one poisoned boot
  hft drill engine-1=panic engine-2=nic          two hosts at the same time
  hft drill engine-1=panic engine-1=nic          one host, one drill after the other
  hft drill engine-2=during-promotion --seed 7   a power cut at a seeded instant of the promotion

\b
Exit codes: 0 back as expected, 5 not back or by somebody else, 2 bad input, 7 unreachable, 8 locked.
"""
)
@click.argument("drills", nargs=-1, metavar="HOST=DRILL...")
@click.option(
    "--list", "wants_list", is_flag=True, help="Name the drills and who has to bring the host back."
)
@options.DRAIN
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the cuts' random instants.")
@options.INVENTORY
@options.JSON
def drill(  # noqa: PLR0913, PLR0917  # one for each option
    drills: tuple[str, ...],
    wants_list: bool,
    drain: bool,
    seed: int,
    inventory: str | None,
    as_json: bool,
) -> int:
    """Break a boot on purpose, and see who brings the host back."""
    if wants_list:
        show_list()
        return Exit.OK
    site = load(inventory)
    wanted = wanted_of(site, drills)
    with (
        site_lock(site.name, f"hft drill {' '.join(drills)}"),
        recorded(site.name, "drill", hosts=list(wanted), reason=f"{' '.join(drills)} seed {seed}") as run,
    ):
        outcomes = run_all(site, wanted, seed, drain=drain)
        for one in outcomes:
            run.host(one.host, result="as expected" if one.is_as_expected else "not as expected")
        run.exit_code = Exit.OK if all(one.is_as_expected for one in outcomes) else Exit.VIOLATED
    show(outcomes, seed, as_json=as_json)
    return run.exit_code


def wanted_of(site: Site, drills: Sequence[str]) -> dict[str, list[str]]:
    """The drills of each host, in the order in which they were named."""
    if not drills:
        shows = command("drill", "--list")
        raise InventoryError(f"no drill named; {shows} shows them, `hft drill HOST=panic` runs one")
    wanted: dict[str, list[str]] = {}
    for word in drills:
        host, _, name = word.partition("=")
        if name not in POISONS and name not in CUTS:
            raise InventoryError(f"{word!r} is not HOST=DRILL{nearest(name, [*POISONS, *CUTS])}")
        wanted.setdefault(select_one(site, host).name, []).append(name)
    return wanted


def run_all(site: Site, wanted: Mapping[str, Sequence[str]], seed: int, *, drain: bool) -> list[Outcome]:
    """Every host at the same time; the first error is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
        run = run_drained if drain else run_each
        started = [pool.submit(run, site, host, names, seed) for host, names in wanted.items()]
        errors = [error for one in started if (error := one.exception()) is not None]
    if errors:
        raise errors[0]
    return [outcome for one in started for outcome in one.result()]


def run_drained(site: Site, name: str, drills: Sequence[str], seed: int) -> list[Outcome]:
    """The drills of one host whose engine is stopped for them and started again after."""
    host = site.host(name)
    seen = look_at(host)
    drain_host(host, seen.engine_units)
    try:
        outcomes = run_each(site, name, drills, seed)
    except BaseException:
        with suppress(HostError):  # the first error is the one to tell
            resume_host(host.name, over_ssh(Ssh.of(host)), sorted(seen.engine_units))
        raise
    resume_host(host.name, over_ssh(Ssh.of(host)), sorted(seen.engine_units))
    return outcomes


def run_each(site: Site, name: str, drills: Sequence[str], seed: int) -> list[Outcome]:
    """The drills of one host; what a drill leaves unexpected, the next one must not cover up."""
    outcomes: list[Outcome] = []
    for what in drills:
        outcomes.append(run_one(site, name, what, seed))
        if not outcomes[-1].is_as_expected:
            break
    return outcomes


def run_one(site: Site, name: str, what: str, seed: int) -> Outcome:
    """One drill on one host."""
    host = site.host(name)
    session = HostSession(
        site=site, host=host, power=power_of(host), progress=lambda line: tell(line, err=True)
    )
    if what in CUTS:
        return run_cut(session, CUTS[what], seed)
    poison = POISONS[what]
    if poison.only_kernel is not None and poison.only_kernel not in session.run("uname", "-r"):
        raise DeployError(name, f"drill {what} is for the {poison.only_kernel} kernel, which is not running")
    return run_poison(session, poison)


def show(outcomes: Sequence[Outcome], seed: int, *, as_json: bool) -> None:
    """One line for each host, or the document."""
    if as_json:
        found = [asdict(one) | {"as_expected": one.is_as_expected} for one in outcomes]
        tell_document({"schema": 1, "seed": seed, "drills": found})
        return
    for one in outcomes:
        name = one.poison if isinstance(one, PoisonOutcome) else one.cut
        mark = "came back" if one.is_as_expected else "NOT AS EXPECTED"
        detail = one.mixed if isinstance(one, CutOutcome) and one.mixed else one.sentence
        tell(f"{one.host}: {name}: {mark} in {one.seconds:.0f} s: {detail}")


def show_list() -> None:
    """Every drill and its expected end."""
    for poison in POISONS.values():
        tell(f"{poison.name:18} poison  {poison.why}; brought back by: {poison.expected}")
    for cut in CUTS.values():
        tell(f"{cut.name:18} cut     {cut.why}; ends: {' or '.join(cut.allowed)}")
