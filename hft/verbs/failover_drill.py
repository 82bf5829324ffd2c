"""`hft failover drill`: planned switchovers there and back, in a window that the site has declared for it.

Each round is planned, carried out and proven like one by hand. Without a window that an allow rule of the
release file opens, nothing is moved.
"""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hft import options
from hft.errors import Exit, HftError
from hft.verbs.failover_move import CLUSTER, DEADLINE, TO, VERDICTS, WHY, command_of, said_why, teller
from hft.verbs.failover_resume import refuse_unmet
from transport.show import tell, tell_document

if TYPE_CHECKING:
    from hft.runbooks.cluster import Cluster

PAUSE_S = 0.5  # between two moves, at most


@click.command(
    epilog="""\b
Example:
  hft failover drill --to engine-2/a --rounds 10 --seed 7 --window release.toml --reason "weekly drill"

\b
It ends where it began. The window is an allow rule of the release file (docs/release.md); a session, a deny
rule or no allow rule at all refuses it. Exit codes: 0 every round proven, 2 refused, 4 a round not verified,
5 a post-check is violated or nobody trades, 7 a gateway did not answer, 8 another operator holds the site.
"""
)
@TO
@click.option("--rounds", type=click.IntRange(1, 1_000), default=1, show_default=True, help="There and back.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the pauses between.")
@click.option(
    "--window", required=True, type=click.Path(path_type=Path), metavar="PATH", help="The release file."
)
@WHY
@CLUSTER
@options.INVENTORY
@DEADLINE
@options.JSON
def drill(  # noqa: PLR0913  # the command line, by name
    *,
    to: str,
    rounds: int,
    seed: int,
    window: Path,
    reason: str,
    path: Path | None,
    inventory: str | None,
    deadline: float,
    as_json: bool,
) -> int:
    """Switch over to an engine and back, so many times, and print how long it took."""
    from hft import run_log
    from hft.locks import site_lock
    from hft.runbooks.cluster import load_cluster
    from hft.runbooks.look import look
    from hft.views.failover import SCHEMA

    said_why(reason)
    cluster = load_cluster(path, inventory)
    chance, took, code = random.Random(seed), list[float](), Exit.OK  # noqa: S311  # repeatable, no secret
    with site_lock(cluster.site, reason):
        home = look(cluster, deadline)[0].holder
        if not home:
            raise HftError(Exit.BAD_INPUT, "nobody trades, so there is nothing to drill with")
        with run_log.recorded(cluster.site, "failover drill", hosts=[home, to], reason=reason) as run:
            for number in range(2 * rounds):
                refuse_closed(window, cluster.site)
                target = home if number % 2 else to
                ms, code = once(cluster, target, deadline)
                took.append(ms)
                run.host(target, result="moved", moves=number + 1)
                if code is not Exit.OK:
                    break
                time.sleep(chance.uniform(0, PAUSE_S))
            figures = {
                "moves": len(took),
                "median_ms": round(statistics.median(took)),
                "worst_ms": round(max(took)),
            }
            run.host(home, seed=seed, **figures)
            run.exit_code = code
    if as_json:
        tell_document({"schema": SCHEMA, "seed": seed, **figures, "ms": took, "exit_code": int(code)})
    else:
        tell(f"seed {seed}: {', '.join(f'{name} {value}' for name, value in figures.items())}")
    return int(code)


def once(cluster: Cluster, to: str, deadline: float) -> tuple[float, Exit]:
    """One switchover with its proof: milliseconds from fence to the end of the promote, and how it ended."""
    from failover.proof import proofs, worst
    from hft.runbooks.look import look
    from hft.runbooks.moves import carry_out

    view, _ = look(cluster, deadline)
    command = command_of(cluster, view, "switchover", to)
    refuse_unmet(view, command)

    moved = carry_out(cluster, command, view, deadline_s=deadline, told=teller(as_json=True))
    after, links = look(cluster, deadline, dark=moved.view.dark)
    ms = moved.ms.get("fence", 0.0) + moved.ms.get("promote", 0.0)
    return ms, VERDICTS[worst(proofs(after, links, to, command.epoch))]


def refuse_closed(window: Path, site: str) -> None:
    """HftError unless an allow rule of the file opens this moment, for this site."""
    from datetime import UTC, datetime

    from hft.release_file import load_release_file

    file, now = load_release_file(window), datetime.now(UTC)
    if file.site != site:
        raise HftError(Exit.BAD_INPUT, f"{window}: is of site {file.site}, not {site}")
    found = file.freeze(now, "rollout", needs_allow=True)
    if found.is_frozen:
        raise HftError(Exit.BAD_INPUT, f"{window}: no window for a drill now: {found.reason}")
