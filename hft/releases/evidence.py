"""READ: what a step of a rollout is judged by; what costs time (replays, the judge) for its own step alone.

Nothing is believed because it is there: the artifact's bytes are hashed, its certificate and each approval
are verified, both releases' programs decide the journals again, engines are asked what they run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.conformance.artifact import Artifact, opened
from failover.approval import PERSONS_NEEDED, Approval, approved_by
from failover.view import ClusterView
from hft.errors import Exit, HftError
from hft.releases.certificates import refusal_of
from hft.releases.file import RolloutFile
from hft.releases.replays import compared
from hft.runbooks.cluster import Cluster
from hft.signed_document import read_signed
from inventory.errors import InventoryError
from inventory.sshsig import signer_of
from release.preconditions import Evidence, Outcome, Process
from release.rollout import Move, Role, Runs
from release.slot_approval import SlotApproval, slot_approval_from

NAMESPACE = "hft-slot-approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Releases:
    """The two releases, each file of them verified."""

    candidate: Artifact
    baseline: Artifact


@dataclass(slots=True, kw_only=True)
class Asked:
    """One command's files, opened."""

    file: RolloutFile
    cluster: Cluster
    releases: Releases
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def evidence(asked: Asked, move: Move, view: ClusterView) -> Evidence:
    """All that MOVE is judged by."""
    file, found = asked.file, Approvals.of(asked.file, asked.cluster)
    compat = asked.releases.candidate.manifest.compat, asked.releases.baseline.manifest.compat
    return Evidence(
        frozen=frozen(file, asked.now),
        today=asked.now.astimezone(file.zone).date().isoformat(),
        certificate=certificate_fault(asked),
        approved=found.runs,
        passed_over=found.passed_over,
        writes=compat[0].journal_version_max,
        reads=(compat[1].journal_version_min, compat[1].journal_version_max),
        holder=view.holder,
        processes=tuple(processes_of(view)),
        **_of_move(asked, move),
    )


def _of_move(asked: Asked, move: Move) -> dict[str, Any]:
    old, new = asked.releases.baseline, asked.releases.candidate
    match move:
        case "replay":
            return {"golden": compared(old, new, journal(asked, "golden"))}
        case "compare":
            return {
                "leader": compared(old, new, journal(asked, "leader")),
                "read_back": compared(new, old, journal(asked, "candidate")),
            }
        case "accept":
            return {"judged": judged(asked.file.canary, old.digest, new.digest)}
        case _:
            return {}


def journal(asked: Asked, name: str) -> Path:
    """A journal that the file names; HftError when it does not."""
    found = asked.file.journals.get(name)
    if found is None or not found.is_dir():
        said = "is no directory" if found else "is not named"
        raise HftError(
            Exit.BAD_INPUT, f"{asked.file.path}: rollout.journals.{name} {said}; copy the journal there first"
        )
    return found


def judged(canary: Mapping[str, Path], baseline: str, candidate: str) -> tuple[Outcome, str]:
    """What the judge says of the canary's windows; REFUSED when they are of other releases."""
    from hft.releases.windows_file import read_calibration, read_restarts
    from release.judge import judge

    if set(canary) != {"runs", "calibration"}:
        return "INCONCLUSIVE", "rollout.canary names no runs or no calibration"
    restarts = list(read_restarts(canary["runs"]))
    wanted = {"baseline": baseline, "candidate": candidate}
    if strange := next((one for one in restarts if one.release != wanted[one.arm]), None):
        return "REFUSED", f"the {strange.arm} of the windows is {strange.release[:19]}"
    found = judge(restarts, read_calibration(canary["calibration"]))
    return found.outcome, found.reason


def frozen(file: RolloutFile, moment: datetime) -> str:
    """Why a rollout may not move now; empty when it may."""
    found = file.freezes.freeze(moment, "rollout")
    return found.reason if found.is_frozen else ""


def certificate_fault(asked: Asked) -> str:
    """Why the candidate may not be taken; empty when it may."""
    file = asked.file
    try:
        refusal, _ = refusal_of(
            file.certificate, file.candidate, sbom=file.sbom, signers=file.signers,
            host_class=file.host_class, floor=file.floor,
        )  # fmt: skip
    except HftError as error:
        return str(error)
    return f"{refusal.code}: {refusal.sentence}" if refusal else ""


def processes_of(view: ClusterView) -> Iterator[Process]:
    """The engines of a look."""
    for one in view.engines:
        yield Process(
            holder=one.holder,
            silent=one.silent,
            state=one.state,
            egress=one.egress,
            runs=(one.artifact, one.config, one.limits),
            is_trading=one.trades,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Who may run what: of the failover file, and by two persons each of the approvals at hand."""

    runs: Mapping[tuple[str, Role], tuple[Runs, ...]]
    passed_over: tuple[str, ...]

    @classmethod
    def of(cls, file: RolloutFile, cluster: Cluster) -> Approvals:
        """All of them; HftError for a file that is no approval."""
        runs: dict[tuple[str, Role], tuple[Runs, ...]] = {
            (name, "live"): tuple((each.artifact, each.config, each.limits) for each in rows)
            for name, rows in cluster.approved.items()
            if name != file.slot
        }
        by_what: dict[str, list[tuple[SlotApproval, Approval]]] = {}
        for path in file.approvals:
            found, approval = _read(path, cluster)
            by_what.setdefault(found.what, []).append((found, approval))
        passed_over: list[str] = []
        for what, group in by_what.items():
            behind, one = approved_by([approval for _, approval in group], what), group[0][0]
            if not behind.is_enough:
                count = f"{len(behind.persons)} of {PERSONS_NEEDED} persons approved {one.slot} as {one.role}"
                passed_over.append("; ".join([count, *behind.passed_over]))
            elif one.site == file.site:
                key = one.slot, one.role
                runs[key] = (*runs.get(key, ()), one.runs)
        return cls(runs=runs, passed_over=tuple(passed_over))


def _read(path: Path, cluster: Cluster) -> tuple[SlotApproval, Approval]:
    """One approval, and whether it counts; HftError for a file that is none."""
    found = read_signed(
        path, "approval", slot_approval_from, cluster.who_may_approve(),
        identity=lambda one: one.person, namespace=NAMESPACE,
    )  # fmt: skip
    is_good = found.is_signed and time.time() < found.found.not_after_s
    try:
        key = signer_of(found.signature, NAMESPACE) if is_good else ""
    except InventoryError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: no approval: {error}") from error
    one = found.found
    return one, Approval(person=one.person, plan=one.what, key=key, is_signed=is_good)


def releases_of(file: RolloutFile, stack: Any) -> Releases:
    """Both artifacts, open while STACK is; ArtifactError names the first fault of their bytes."""
    return Releases(
        candidate=stack.enter_context(opened(file.candidate)),
        baseline=stack.enter_context(opened(file.baseline)),
    )
