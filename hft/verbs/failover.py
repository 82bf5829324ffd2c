"""`hft failover`: move trading from one engine to another, so that two never trade; prove the rule behind it.

Exit codes of `model`: 0 the rule kept its promise on every walk, 5 a walk broke it.
"""

from __future__ import annotations

import time

import click

from hft import options
from hft.errors import Exit
from transport.show import tell, tell_document

SCHEMA = 1  # of every document that `hft failover` prints
SAYS_S = 2.0  # between two lines of progress
PARTS = {
    "a": "one_session",
    "b": "floor_from_replay",
    "c": "own_residue",
    "d": "floor_after_loss",
    "e": "login_after_loss",
}


@click.group()
def failover() -> None:
    """Move trading between engines: fence first, and the order gateway decides."""


@failover.command(
    epilog="""\b
Examples:
  hft failover model                         two million steps, about five seconds
  hft failover model --steps 200000 --seed 7
  hft failover model --without c             what residues are for: exit 5, and the orders that show it

\b
The parts of the rule: (a) one session for each account, the highest epoch is forwarded; (b) a floor from the
replay at login; (c) epochs of a gateway's own residue; (d) a peer's copy or a signed floor after a lost state
or a day that ended without the session; (e) no epoch before the login after a lost state.
Exit codes: 0 kept, 5 broken. The rule and its proof: docs/runbooks/failover.md.
"""
)
@click.option(
    "--steps", type=click.IntRange(1, 1_000_000_000), default=2_200_000, show_default=True,
    help="Steps of all walks together.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the first walk.")
@click.option("--without", type=click.Choice(sorted(PARTS)), help="Leave this part of the rule out.")
@options.JSON
def model(steps: int, seed: int, without: str | None, as_json: bool) -> int:
    """Walk a model of two gateways and a venue through cuts, crashes, lost disks and day rolls.

    Judged by the venue alone: epochs of accepted orders never fall, and no two holders share one.
    """
    from failover.model import Rule
    from failover.walk import walks

    rule = Rule(**{PARTS[without]: False}) if without else Rule()
    found, said = [], time.monotonic()
    done = 0
    for walked in walks(rule, seed=seed, steps=steps):
        found.append(walked)
        done += walked.steps
        if time.monotonic() - said > SAYS_S:
            said = time.monotonic()
            tell(f"[model] {done:,} of {steps:,} steps", err=True)
    totals = {
        "steps": done,
        "walks": len(found),
        "accepted": sum(one.accepted for one in found),
        "epochs": sum(one.epochs for one in found),
        "days": sum(one.days for one in found),
    }
    last = found[-1]
    broken = {"seed": last.seed, "step": last.steps, "sentence": last.violation} if last.violation else None
    if as_json:
        tell_document({"schema": SCHEMA, "seed": seed, "without": without, **totals, "violation": broken})
    else:
        tell(", ".join(f"{count:,} {name}" for name, count in totals.items()))
        if broken:
            tell(f"broken in walk {last.seed} at step {last.steps}: {last.violation}")
        else:
            tell("kept: no accepted epoch fell, no two holders shared one")
    return Exit.VIOLATED if broken else Exit.OK
