"""What stands before a deletion or a replacement: an approval of this very plan, used once, and market hours.

What makes and mends a host is never held up: a standby that is down in the middle of a session is brought
back. What takes one away is: a replacement may find no capacity for the new host after the old one has gone,
so it waits for a time at which nobody trades.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from hft.errors import Exit, HftError
from hft.release_file import load_release_file
from transport.hint import command
from transport.show import tell

DIGEST_DIGITS = 16

RELEASE = click.option(
    "--release-file",
    "release",
    envvar="HFT_RELEASE",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="While it freezes rollouts, nothing is deleted or replaced (default: $HFT_RELEASE).",
)


def digest_of(plan: Path) -> str:
    """What a plan is approved by."""
    return hashlib.sha256(plan.read_bytes()).hexdigest()[:DIGEST_DIGITS]


def check_approval(  # noqa: PLR0913  # each by name
    lost: Sequence[str], *, plan: Path | None, approval: str, project: str, site: str, yes: bool
) -> bool:
    """Whether an approval is used for what would be LOST; HftError where --yes alone is given for it."""
    if not lost or not yes:
        return False
    if plan is not None and approval and approval == digest_of(plan):
        return True
    given = f"--approve is not the digest of {plan}" if plan and approval else "--yes does not cover that"
    look = command("stack", "preview", project, "--site", site, "--save", "PLAN")
    raise HftError(
        Exit.BAD_INPUT,
        f"{', '.join(lost)} would be deleted or replaced, and {given}; "
        f"hint: {look}, look at it, then up with --plan PLAN --approve DIGEST --yes",
    )


def spend(kept: Path, digest: str) -> None:
    """Write down in KEPT that an approval is used, before it is; HftError where it was used before."""
    spent = kept.read_text().split() if kept.exists() else []
    if digest in spent:
        raise HftError(
            Exit.BAD_INPUT,
            f"plan {digest} was approved for one run, and has had it; "
            "hint: preview --save again, and look at it",
        )
    with os.fdopen(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(f"{digest}\n")
        file.flush()
        os.fsync(file.fileno())


def check_market_hours(lost: Sequence[str], release: Path | None, *, at: datetime | None = None) -> None:
    """HftError where something would be LOST while the release file freezes rollouts AT a moment (now)."""
    if not lost:
        return
    if release is None:
        tell("no release file is named, so market hours are not known here; hint: set HFT_RELEASE", err=True)
        return
    file = load_release_file(release)
    found = file.freeze(at or datetime.now(UTC), "rollout")
    if not found.is_frozen:
        return
    ends = None if found.until_s is None else datetime.fromtimestamp(found.until_s, UTC)
    until = f", until {ends.isoformat()}" if ends else ""
    raise HftError(
        Exit.BAD_INPUT,
        f"{', '.join(lost)} would be deleted or replaced, and {file.site} is {found.reason}{until}; "
        "hint: wait for it; what only creates or mends passes at any time",
    )
