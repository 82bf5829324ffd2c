"""The table `rollout` of the release file: which release goes where, after which one, judged by what.

[rollout]
failover = "failover.toml"            # gateways, engines, approvers; paths are relative to this file
candidate = "releases/1.5.0"          # artifacts, as `hft engine build` writes them
baseline = "releases/1.4.0"           # what trades now
certificate = "1.5.0.json"            # of the candidate, with what `hft release verify` takes
signers = "release.signers"
sbom = "1.5.0.cdx.json"
host_class = "bare-metal"
floor = "1.4.0"
slot = "eng-1/b"                      # the candidate's
back = "eng-1/a"                      # who trades now, and after a rollback
spares = ["eng-2/a"]
zone = "America/New_York"             # whose date a promotion has
approvals = ["alice.json", "bob.json"]

[rollout.journals]                    # directories here, copied or mounted; a step that needs one names it
golden = "journals/golden"
leader = "journals/leader"
candidate = "journals/candidate"

[rollout.canary]
runs = "canary.jsonl"
calibration = "spread.json"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from hft.errors import Exit, HftError
from hft.release_file import SIZE_MAX, ReleaseFile, release_file_from, zone_of
from hft.toml_file import table_of
from tuning.strict_json import ShapeError, Table

_PATHS = ("failover", "candidate", "baseline", "certificate", "signers", "sbom")
_WORDS = ("host_class", "floor", "slot", "back")
_MORE = ("spares", "zone", "approvals", "journals", "canary")
JOURNALS = ("golden", "leader", "candidate")


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFile:
    """Everything that the table says."""

    path: Path
    freezes: ReleaseFile
    failover: Path
    candidate: Path
    baseline: Path
    certificate: Path
    signers: Path
    sbom: Path
    host_class: str
    floor: str
    slot: str
    back: str
    spares: tuple[str, ...]
    zone: ZoneInfo
    approvals: tuple[Path, ...]
    journals: Mapping[str, Path]
    canary: Mapping[str, Path]

    @property
    def site(self) -> str:
        """Whose rollout it is."""
        return self.freezes.site


def load_rollout_file(path: Path | None) -> RolloutFile:
    """The file as values; HftError with one sentence when it cannot be used, or has no such table."""
    if path is None:
        raise HftError(Exit.BAD_INPUT, "no release file is named; hint: --file PATH, or set HFT_RELEASE")
    return table_of(path, lambda table: _rollout(path, table), size_max=SIZE_MAX)


def _rollout(path: Path, whole: Table) -> RolloutFile:
    freezes = release_file_from(whole)
    if "rollout" not in whole.fields:
        raise ShapeError("rollout: missing; it says which release goes where (docs/release.md)")
    table = whole.table("rollout").closed((*_PATHS, *_WORDS, *_MORE))
    paths = {key: _path(path, table.text(key)) for key in _PATHS}
    words = {key: table.text(key, size_max=200) for key in _WORDS}
    more = {key: table.texts(key) if key in table.fields else () for key in ("spares", "approvals")}
    return RolloutFile(
        path=path,
        freezes=freezes,
        failover=paths["failover"],
        candidate=paths["candidate"],
        baseline=paths["baseline"],
        certificate=paths["certificate"],
        signers=paths["signers"],
        sbom=paths["sbom"],
        host_class=words["host_class"],
        floor=words["floor"],
        slot=words["slot"],
        back=words["back"],
        spares=more["spares"],
        zone=zone_of(table),
        approvals=tuple(_path(path, one) for one in more["approvals"]),
        journals=_named(path, table, "journals", JOURNALS),
        canary=_named(path, table, "canary", ("runs", "calibration")),
    )


def _named(path: Path, table: Table, name: str, known: tuple[str, ...]) -> dict[str, Path]:
    if name not in table.fields:
        return {}
    below = table.table(name).closed(known)
    return {key: _path(path, below.text(key)) for key in known if key in below.fields}


def _path(file: Path, written: str) -> Path:
    return file.parent / Path(written).expanduser()
