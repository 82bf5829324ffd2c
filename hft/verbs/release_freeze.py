"""`hft release freeze`: may a rollout move now, until when, and by which rule.

Exit codes: 0 free, 2 frozen.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hft import options
from hft.errors import Exit, HftError
from transport.show import tell, tell_document

SCHEMA = 1


@click.command(
    epilog="""\b
Examples:
  hft release freeze --file release.toml
  hft release freeze --file release.toml --at 2026-11-27T14:00:00-05:00
  hft release freeze --file release.toml --for rollback --json | jq .frozen

\b
Exit codes: 0 free, 2 frozen (or a file that cannot be used). The release file: docs/release.md.
"""
)
@click.option(
    "--file", "path", envvar="HFT_RELEASE", type=click.Path(path_type=Path), metavar="PATH",
    help="The release file (default: $HFT_RELEASE).",
)  # fmt: skip
@click.option("--at", metavar="TIME", help="ISO 8601 with its offset, or UTC (default: now).")
@click.option(
    "--for", "action", type=click.Choice(("rollout", "rollback", "failover", "kill")), default="rollout",
    show_default=True, help="What shall be done; the last three always pass.",
)  # fmt: skip
@options.JSON
def freeze(*, path: Path | None, at: str | None, action: Any, as_json: bool) -> int:
    """Frozen or not, until when, and by which rule; deny wins."""
    from hft.release_file import AHEAD_DAYS, load_release_file

    moment = _moment(at)
    file = load_release_file(path)
    found = file.freeze(moment, action)
    until = None if found.until_s is None else datetime.fromtimestamp(found.until_s, UTC).isoformat()
    if as_json:
        document = {
            "schema": SCHEMA, "site": file.site, "at": moment.isoformat(), "for": action,
            "frozen": found.is_frozen, "code": found.code, "rules": list(found.rules), "until": until,
            "reason": found.reason,
        }  # fmt: skip
        tell_document(document)
    else:
        ends = f"until {until}" if until else f"for the next {AHEAD_DAYS} days at least"
        tell(f"{file.site}: {found.reason}{'' if found.code == 'always_passes' else ', ' + ends}")
    return Exit.BAD_INPUT if found.is_frozen else Exit.OK


def _moment(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        if not 1970 < found.year < 9000:
            raise ValueError
    except (ValueError, OverflowError) as error:
        raise HftError(
            Exit.BAD_INPUT, f"--at: {text!r} is no time; hint: 2026-11-27T14:00:00-05:00"
        ) from error
    return found
