"""Running all cases of an artifact's level, in parallel, and their results.

A clause passes when it has at least one case and all of its cases pass. A clause without a case fails; there
is no verdict besides passed and failed, so nothing can be skipped. A case that fails in parallel with others
is rerun alone, since it may have failed for lack of CPU time; both outcomes are reported.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from engine.conformance.artifact import Artifact
from engine.conformance.bench import Bench, place
from engine.conformance.case import Case
from engine.conformance.cases import ALL
from engine.conformance.errors import ArtifactError, Broken
from engine.conformance.signing import Signer
from engine.contract.clauses import clauses_of
from engine.contract.levels import Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to run."""

    jobs: int = 4
    patience_s: float = 10.0
    only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One case and its result: an empty message is a pass."""

    clause: str
    case: str
    sentence: str
    seconds: float
    beside: str = ""  # why it failed in parallel with other cases, before it was rerun alone

    @property
    def passed(self) -> bool:
        """Whether the engine kept the clause."""
        return not self.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All results of one artifact, clause by clause."""

    artifact: Artifact
    level: Level
    results: tuple[Result, ...]
    seconds: float

    def clauses(self) -> dict[str, tuple[Result, ...]]:
        """Results by clause, in the contract's order."""
        ids = dict.fromkeys(result.clause for result in self.results)
        return {id_: tuple(result for result in self.results if result.clause == id_) for id_ in ids}

    @property
    def failed(self) -> tuple[str, ...]:
        """Clauses that do not hold."""
        return tuple(id_ for id_, results in self.clauses().items() if not all(r.passed for r in results))

    @property
    def passed(self) -> tuple[str, ...]:
        """Clauses that hold."""
        return tuple(id_ for id_ in self.clauses() if id_ not in self.failed)


def judge(artifact: Artifact, options: Options, progress: Callable[[Result], None]) -> Report:
    """Run every case of the artifact's level."""
    begun = time.monotonic()
    level = artifact.manifest.level
    chosen = _chosen(level, options.only)
    cases = [case for cases in chosen.values() for case in cases]
    results = [_caseless(clause) for clause, cases in chosen.items() if not cases]
    results += second_look(artifact, cases, play(artifact, cases, options, progress), options, progress)
    order = list(chosen)
    results.sort(key=lambda result: (order.index(result.clause), result.case))
    return Report(artifact=artifact, level=level, results=tuple(results), seconds=time.monotonic() - begun)


def second_look(
    artifact: Artifact,
    cases: Sequence[Case],
    results: Sequence[Result],
    options: Options,
    progress: Callable[[Result], None],
) -> list[Result]:
    """The results; of CASES, those that failed are rerun one at a time."""
    failed = {(result.clause, result.case): result for result in results if not result.passed}
    again = [case for case in cases if (case.clause, case.name) in failed]
    if not again or options.jobs == 1:
        return list(results)
    for result in play(artifact, again, replace(options, jobs=1), progress):
        key = (result.clause, result.case)
        failed[key] = replace(result, beside=failed[key].sentence)
    return [failed.get((result.clause, result.case), result) for result in results]


def _chosen(level: Level, only: Sequence[str]) -> dict[str, list[Case]]:
    """The cases of each clause of LEVEL; ArtifactError when nothing could be judged."""
    if level is Level.REPLICATED:
        raise ArtifactError("level replicated has no clauses yet, so it cannot be judged; declare trading")
    clauses = [clause.id for clause in clauses_of(level)]
    unknown = [id_ for id_ in only if id_ not in clauses]
    if unknown:
        raise ArtifactError(f"{unknown[0]!r} is not a clause of level {level}")
    wanted = [id_ for id_ in clauses if not only or id_ in only]
    playable = [case for case in ALL if case.level in level.includes]
    return {id_: [case for case in playable if case.clause == id_] for id_ in wanted}


def _caseless(clause: str) -> Result:
    return Result(clause=clause, case="-", sentence="the suite has no case for it", seconds=0.0)


def play(
    artifact: Artifact, cases: Iterable[Case], options: Options, progress: Callable[[Result], None]
) -> list[Result]:
    """Run these cases, `jobs` at a time."""
    results: list[Result] = []
    with (
        tempfile.TemporaryDirectory(prefix="hft-keys-", dir=place()) as keys,
        ThreadPoolExecutor(max_workers=options.jobs) as pool,
    ):
        signer = Signer(Path(keys))
        running: list[Future[Result]] = [
            pool.submit(_play, artifact, signer, options, case) for case in cases
        ]
        try:
            for done in as_completed(running):
                results.append(done.result())
                progress(results[-1])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return results


def _play(artifact: Artifact, signer: Signer, options: Options, case: Case) -> Result:
    begun = time.monotonic()
    bench = Bench(artifact, signer, options.patience_s)
    try:
        case.play(bench)
        sentence = ""
    except Broken as broken:
        sentence = str(broken)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        # An answer that does not match the contract: the engine's fault, reported with the error it caused.
        sentence = f"an answer does not match the contract: {type(error).__name__} {error}"
    finally:
        bench.close()
    return Result(clause=case.clause, case=case.name, sentence=sentence, seconds=time.monotonic() - begun)
