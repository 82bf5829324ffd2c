"""`hft engine`: build our engine, judge any firm's by its contract (docs/engine-contract.md), deploy one.

Exit codes of `conformance`: 0 every clause of the declared level holds, 5 a clause does not, 2 what was given
is no artifact that can be judged. The suite itself, and what deploys, is imported only when it runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from hft import options
from hft.errors import Exit
from transport.show import Styled, tell, tell_document

if TYPE_CHECKING:
    from engine.conformance.suite import Report, Result

PATIENCE_S = 10.0


@click.group()
def engine() -> None:
    """Build our trading engine; judge any firm's by its contract; deploy one."""


@engine.command(
    epilog="""\b
Examples:
  hft engine build                       programs and artifact in build/engine
  hft engine build /srv/releases/next --verify

\b
The directory then holds artifact/ (what is deployed: engine.json and the files it lists) and bin/ (gateway,
venue simulator, load generator and tools). Builds are cached in ~/.cache/hft/native or $HFT_NATIVE_DIR.
"""
)
@click.argument("target", type=click.Path(path_type=Path), default=Path("build/engine"))
@click.option(
    "--verify",
    is_flag=True,
    help="Compile it again from a copy elsewhere: same digest?",
)
@options.JSON
def build(target: Path, verify: bool, as_json: bool) -> int:
    """Compile the native programs and write the engine's artifact to TARGET."""
    from engine.toolchain.build import digest_of_a_second_build, release

    progress = _teller()
    made = release(target, progress)
    found = {"artifact": str(made.artifact), "programs": str(made.programs), "digest": made.digest}
    if verify:
        with TemporaryDirectory(prefix="hft-build-") as scratch:
            found["second_digest"] = digest_of_a_second_build(Path(scratch), progress)
    if as_json:
        tell_document({"schema": 1, **found})
    else:
        for name, value in found.items():
            tell(f"{name:<13} {value}")
    if verify and found["second_digest"] != made.digest:
        tell("the second build has another digest: the compiler put its surroundings in", err=True)
        return Exit.VIOLATED
    return Exit.OK


def _teller() -> Callable[[str], None]:
    start = time.monotonic()
    return lambda line: tell(f"[engine {time.monotonic() - start:3.0f}s] {line}", err=True)


@engine.command(
    epilog="""\b
Examples:
  hft engine conformance build/my-engine          a directory with engine.json and the files it lists
  hft engine conformance my-engine-1.4.0.tar.gz --jobs 8
  hft engine conformance build/my-engine --only kill.signal --only latch.survives
  hft engine conformance build/my-engine --json | jq '.clauses[] | select(.passed | not)'

\b
Exit codes: 0 every clause holds, 5 a clause does not, 2 no artifact that can be judged.
The clauses: docs/engine-contract.md. The engine is started on loopback only, against a gateway of the suite.
"""
)
@click.argument("artifact", type=click.Path(path_type=Path))
@options.JSON
@click.option("--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Cases at a time.")
@click.option("--only", metavar="CLAUSE", multiple=True, help="Judge only this clause; may be repeated.")
@click.option(
    "--patience", type=click.FloatRange(1, 600), default=PATIENCE_S, show_default=True, metavar="SECONDS",
    help="How long the suite waits for anything the engine must do.",
)  # fmt: skip
def conformance(artifact: Path, as_json: bool, jobs: int, only: tuple[str, ...], patience: float) -> int:
    """Start ARTIFACT against a test gateway, venue and feed, and judge every clause of its level.

    ARTIFACT is a directory, or a tar of one, with engine.json in it.
    """
    from engine.conformance.artifact import opened
    from engine.conformance.suite import Options, judge

    with opened(artifact) as found:
        name = f"{found.manifest.identity.name} {found.manifest.identity.version}"
        tell(f"{name} at level {found.manifest.level}, {found.digest}", err=True)
        report = judge(found, Options(jobs=jobs, patience_s=patience, only=only), _progress)
    code = Exit.VIOLATED if report.failed else Exit.OK
    if as_json:
        tell_document(_document(report, code))
    else:
        _show(report)
    if only:
        tell(f"only {', '.join(only)} judged: that is not conformance", err=True)
    tell(f"{len(report.passed)} passed, {len(report.failed)} failed", err=as_json)
    return code


@engine.command(
    epilog="""\b
Examples:
  hft engine deploy build/my-engine --dry-run          what would change, exit 3 if anything would
  hft engine deploy build/my-engine --limit engine-1 --limits limits.json --config trade.json
  hft engine deploy my-engine-1.4.0.tar.gz --limit engine-1 --drain     a new release; the last one is kept
  hft engine deploy my-engine-1.3.9.tar.gz --limit engine-1 --drain     and back to it

\b
FILE of --config has what the operator decides (egress, venue_profile, feeds, rerequest, gateway, strategy);
CPUs, paths and times are planned. A feed's interface may be an address, an interface or a network.
LIMITS.json has its signature beside it (LIMITS.json.sig), verified under the signers that the slot holds. A
slot's first deploy brings them by --signers; the inventory names their SHA-256 (limits_signers_sha256).
Limits and configuration are needed once for a slot and kept after. Exit codes: 0 done, 2 refused, 3 pending
(--dry-run), 6 taken back, 7 unreachable, 8 locked. Plain pyinfra: deploys/engine.py.
"""
)
@click.argument("artifact", type=click.Path(path_type=Path))
@options.INVENTORY
@click.option(
    "--limit", metavar="HOSTS", help="Host names and patterns, by commas (default: every engine host)."
)
@click.option("--slot", default="a", show_default=True, help="Slots of a host have CPUs of their own.")
@click.option("--limits", metavar="LIMITS.json", type=click.Path(path_type=Path), help="Signed limits.")
@click.option(
    "--signers", metavar="FILE", type=click.Path(path_type=Path), help="Who may sign limits; first deploy."
)
@click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="What the operator decides.")
@click.option("--drain", is_flag=True, help="Stop a running engine for the change; one that leads never is.")
@options.DRY_RUN
@options.YES
@options.REASON
@options.TAKEOVER
@options.JSON
def deploy(artifact: Path, **options: Any) -> int:
    """Put ARTIFACT on hosts: release, unit on planned CPUs, signed limits, configuration, ticket issuer.

    It is verified by hashes on the host, started, and never ACTIVE by itself. Deploying an earlier artifact
    is the way back.
    """
    from hft.verbs.engine_deploy import DeployRequest, deploy_engine

    return deploy_engine(DeployRequest(artifact=artifact, **options))


@engine.command(
    epilog="""\b
Examples:
  hft engine remove --limit engine-1 --drain           unit, configuration, limits and ticket go
"""
)
@options.INVENTORY
@click.option("--limit", metavar="HOST", required=True, help="The one host.")
@click.option("--slot", default="a", show_default=True)
@click.option("--drain", is_flag=True, help="Stop a running engine; one that leads never is.")
@options.YES
@options.REASON
def remove(limit: str, **options: Any) -> int:
    """Take an engine off a host. Its releases and its journal stay; stand-ins return with `hft apply`."""
    from hft.verbs.engine_deploy import remove_engine

    return remove_engine(limit, **options)


def _progress(result: Result) -> None:
    word = "passed" if result.passed else "FAILED"
    tell(f"  {word} {result.clause}: {result.case} ({result.seconds:.1f} s)", err=True)


def _show(report: Report) -> None:
    width = max(len(clause) for clause in report.clauses())
    tell(f"{'clause':<{width}}  cases  verdict")
    for clause, results in report.clauses().items():
        verdict = Styled("FAILED", "alarm") if clause in report.failed else "passed"
        tell(f"{clause:<{width}}  {len(results):>5}  ", verdict)
        for result in results:
            for told in _told(result):
                tell(f"{'':<{width}}         {result.case}: {told}")


def _told(result: Result) -> list[str]:
    beside = [f"{'passed' if result.passed else 'failed'} alone; beside other cases: {result.beside}"]
    return [result.sentence] * (not result.passed) + beside * bool(result.beside)


def _case(result: Result) -> dict[str, Any]:
    return {
        "name": result.case,
        "passed": result.passed,
        "detail": result.sentence,
        "beside_others": result.beside,
        "seconds": round(result.seconds, 3),
    }


def _document(report: Report, code: Exit) -> dict[str, Any]:
    manifest = report.artifact.manifest
    clauses = [
        {
            "id": clause,
            "passed": clause not in report.failed,
            "cases": [_case(result) for result in results],
        }
        for clause, results in report.clauses().items()
    ]
    return {
        "schema": 1,
        "artifact": {
            "name": manifest.identity.name,
            "version": manifest.identity.version,
            "digest": report.artifact.digest,
        },
        "level": report.level.value,
        "passed": len(report.passed),
        "failed": len(report.failed),
        "seconds": round(report.seconds, 3),
        "exit_code": int(code),
        "clauses": clauses,
    }
