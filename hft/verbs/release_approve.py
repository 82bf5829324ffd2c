"""`hft release approve`: one person's signature that a slot may run these digests in a role."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hft.errors import Exit, HftError
from hft.signed_document import signed
from transport.show import tell_document


@click.command(
    epilog="""\b
Example, each of two persons with an own key:
  hft release approve --site ny4 --slot eng-1/b --role canary --artifact releases/1.5.0 \\
      --config config.json --limits canary.limits --not-after 2026-12-31 \\
      --as alice --key ~/.ssh/id_ed25519 > alice.json

\b
--config and --limits take a file or its digest (sha256:..; `hft failover status --json` has those of a
running engine). The failover file's `approvers` has lines such as
  alice namespaces="hft-slot-approval" ssh-ed25519 AAAA..
"""
)
@click.option("--site", required=True, metavar="SITE", help="As the release file names it.")
@click.option("--slot", required=True, metavar="HOST/SLOT", help="Where it may run.")
@click.option(
    "--role", required=True, type=click.Choice(("shadow", "canary", "live")), help="What it may do there."
)
@click.option("--artifact", required=True, metavar="PATH", help="The release; or its digest.")
@click.option("--config", required=True, metavar="PATH", help="Its configuration; or its digest.")
@click.option("--limits", required=True, metavar="PATH", help="Its limits; or their digest.")
@click.option(
    "--not-after", required=True, metavar="TIME", help="ISO 8601 (UTC); from then on it is nothing."
)
@click.option("--as", "person", required=True, metavar="PERSON", help="As the approvers file names you.")
@click.option("--key", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Your SSH key.")
def approve(  # noqa: PLR0913  # each by name
    *, site: str, slot: str, role: Any, artifact: str, config: str, limits: str, not_after: str, person: str,
    key: Path,
) -> int:  # fmt: skip
    """Sign, after you have read them, that SLOT may run these digests as ROLE; print the approval."""
    from engine.contract.canonical import canonical
    from hft.releases.certificates import artifact_facts, file_digest
    from hft.releases.evidence import NAMESPACE
    from release.slot_approval import SlotApproval, slot_approval_from

    def digest_of(given: str) -> str:
        return given if given.startswith("sha256:") else file_digest(Path(given))

    try:
        named = artifact if artifact.startswith("sha256:") else artifact_facts(Path(artifact))["artifact"]
        made = SlotApproval(
            site=site,
            slot=slot,
            role=role,
            runs=(named, digest_of(config), digest_of(limits)),
            person=person,
            not_after_s=_seconds(not_after),
        )
        body = slot_approval_from(made.body()).body()
    except (ValueError, OSError) as error:
        raise HftError(Exit.BAD_INPUT, f"it cannot be approved: {error}") from error
    signature = signed(canonical(body), key, NAMESPACE, "the approval")
    tell_document({"approval": body, "signature": signature})
    return Exit.OK


def _seconds(text: str) -> int:
    found = datetime.fromisoformat(text)
    return int((found.replace(tzinfo=UTC) if found.tzinfo is None else found).timestamp())
