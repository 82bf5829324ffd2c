"""`hft release sign` and `hft release verify`: the certificate of an artifact, made and checked.

Exit codes of `verify`, as of `hft audit verify`: 0 the release may be taken, 5 it may not, with the code of
the first check that does not hold, 2 files that cannot be used.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from hft import options
from hft.errors import Exit, HftError
from hft.releases.certificates import NAMESPACE, artifact_facts, file_digest, refusal_of
from hft.signed_document import signed
from transport.show import tell, tell_document


@click.command(
    epilog="""\b
Example:
  hft release sign build/engine/artifact --host-class bare-metal --not-after 2027-01-31 --floor 1.2.0 \\
      --sbom docs/sbom.cdx.json --key ~/.ssh/release > release.json
"""
)
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--host-class", "classes", multiple=True, required=True, metavar="CLASS", help="May be repeated."
)
@click.option(
    "--not-after", required=True, metavar="DATE", help="ISO 8601; the first moment it is refused (UTC)."
)
@click.option(
    "--floor", required=True, metavar="VERSION", help="Nothing below it is installed after this one."
)
@click.option(
    "--sbom", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Bill of materials."
)
@click.option(
    "--key", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Signs the certificate."
)
def sign(  # noqa: PLR0913  # each by name
    *, artifact: Path, classes: tuple[str, ...], not_after: str, floor: str, sbom: Path, key: Path
) -> int:
    """Print a signed certificate of ARTIFACT: digest, floor, host classes, expiry, bill of materials."""
    from engine.contract.canonical import canonical
    from release.certificate import Certificate, certificate_from, version_from

    found = artifact_facts(artifact)
    try:
        made = Certificate(
            artifact=found["artifact"],
            name=found["name"],
            version=found["version"],
            floor=version_from(floor),
            host_classes=classes,
            not_after_s=int(_moment(not_after)),
            sbom=file_digest(sbom),
        )
        body = certificate_from(made.body()).body()
    except (ValueError, OSError) as error:
        raise HftError(Exit.BAD_INPUT, f"it cannot be signed: {error}") from error
    signature = signed(canonical(body), key, NAMESPACE, "it")
    if made.version < made.floor:
        raise HftError(Exit.BAD_INPUT, f"--floor {floor} is above the version of {artifact} itself")
    tell_document({"certificate": body, "signature": signature})
    return Exit.OK


@click.command(
    epilog="""\b
Example:
  hft release verify release.json build/engine/artifact --sbom docs/sbom.cdx.json --signers release.signers \\
      --host-class bare-metal --floor 1.2.0

\b
SIGNERS is an allowed_signers file (ssh-keygen(1)) with a line such as
  release namespaces="hft-release" ssh-ed25519 AAAA..
Exit codes: 0 it may be taken, 5 it may not, 2 files that cannot be used.
"""
)
@click.argument("certificate", type=click.Path(path_type=Path))
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option(
    "--sbom", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Bill of materials."
)
@click.option(
    "--signers", required=True, type=click.Path(path_type=Path), metavar="PATH", help="Who may sign."
)
@click.option("--host-class", required=True, metavar="CLASS", help="Of the host that shall run it.")
@click.option("--floor", default="0.0.0", metavar="VERSION", help="The highest floor taken there so far.")
@options.JSON
def verify(  # noqa: PLR0913  # each by name
    *,
    certificate: Path,
    artifact: Path,
    sbom: Path,
    signers: Path,
    host_class: str,
    floor: str,
    as_json: bool,
) -> int:
    """Whether a release may be taken: signature, bytes, version, floor, host class, expiry, materials."""
    from release.certificate import SCHEMA, shown

    refusal, (one, kept) = refusal_of(
        certificate, artifact, sbom=sbom, signers=signers, host_class=host_class, floor=floor
    )
    if refusal is not None:
        raise HftError(Exit.VIOLATED, f"{certificate}: refused, {refusal.code}: {refusal.sentence}")
    next_floor = shown(max(one.floor, kept))
    if as_json:
        tell_document({"schema": SCHEMA, "certificate": one.body(), "floor": next_floor})
    else:
        tell(
            f"{one.name} {shown(one.version)} may be taken by hosts of class {host_class}; floor {next_floor}"
        )
    return Exit.OK


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{text}T00:00:00+00:00" if len(text) == 10 else f"{text}+00:00")
    return moment.timestamp()
