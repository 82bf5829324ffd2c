"""The alien engine passes at its levels, is standard library only, shares nothing with contract or suite."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from engine.conformance.artifact import opened
from engine.conformance.suite import Options, Report, judge
from engine.contract.clauses import clauses_of
from engine.contract.levels import Level
from engine.independent.package import NOT_PACKED, write
from tests.support import needs
from tests.support.checkout import ROOT

pytestmark = pytest.mark.long

STUB = ROOT / "engine" / "independent"
JOBS = 8
# Of level core one case of each file of cases is enough: the whole of it is inside level trading.
CORE_SAMPLE = (
    "version.printed",
    "start.cold",
    "start.owned",
    "state.illegal",
    "kill.signal",
    "limits.reload",
    "metrics.page",
    "replay.exact",
    "epoch.stamped",
)


def judged(artifact: Path, options: Options) -> Report:
    with opened(artifact) as found:
        return judge(found, options, lambda _: None)


def failures(report: Report) -> list[str]:
    return [f"{r.clause}/{r.case}: {r.sentence}" for r in report.results if not r.passed]


@pytest.mark.engine
def test_alien_engine_keeps_every_clause_of_level_trading(tmp_path: Path) -> None:
    report = judged(write(tmp_path), Options(jobs=JOBS))
    assert not failures(report)
    assert report.passed == tuple(clause.id for clause in clauses_of(Level.TRADING))


def test_alien_engine_at_level_core_needs_no_gateway(tmp_path: Path) -> None:
    report = judged(write(tmp_path, level="core"), Options(jobs=JOBS, only=CORE_SAMPLE))
    assert not failures(report)
    assert report.passed == tuple(c.id for c in clauses_of(Level.CORE) if c.id in CORE_SAMPLE)


def test_same_sources_give_the_same_artifact(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in second.iterdir())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_alien_engine_imports_only_the_standard_library_and_itself() -> None:
    foreign: list[str] = []
    for path in STUB.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            ours = [name for name in names if name.split(".")[0] not in sys.stdlib_module_names]
            foreign += [f"{path.name}: {name}" for name in ours if not name.startswith("engine.independent")]
    assert not foreign


def test_contract_and_suite_do_not_know_the_stub() -> None:
    for room in ("contract", "conformance"):
        for path in (ROOT / "engine" / room).rglob("*.py"):
            assert "engine.independent" not in path.read_text(), path


@needs.programs("strace")
def test_check_writes_nothing_and_connects_nowhere(tmp_path: Path) -> None:
    """The suite compares files before and after; here the kernel is the witness."""
    from engine.conformance.bench import Bench
    from engine.conformance.signing import Signer

    with opened(write(tmp_path / "artifact")) as artifact:
        bench = Bench(artifact, Signer(tmp_path), 10)
        try:
            trace = tmp_path / "trace"
            calls = "trace=openat,open,creat,connect,bind,unlink,unlinkat,rename,mkdir,mkdirat,ftruncate"
            argv = ["strace", "-f", "-qq", "-e", calls, "-o", str(trace), *artifact.argv, "--check"]
            done = subprocess.run([*argv, "--config", str(bench.write_config())], check=False, cwd=tmp_path)
        finally:
            bench.close()
    assert done.returncode == 0
    said = [line for line in trace.read_text().splitlines() if "---" not in line and "+++" not in line]
    lines = [line for line in said if " = -1 " not in line]
    writing = [line for line in lines if "O_RDONLY" not in line and "/dev/null" not in line]
    assert len(lines) > 20, "strace saw nothing, so it proves nothing"
    assert not writing


def test_only_the_packer_stays_at_home() -> None:
    assert {"package.py", "__main__.py"} == NOT_PACKED
