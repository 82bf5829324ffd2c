"""The default inventory as stock pyinfra reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from inventory.enrolment import Enrolled, write_enrolled
from inventory.load import DEFAULT, load_site
from inventory.model import Identity
from tests.support.lab_state import KEYS, write_state

pytestmark = pytest.mark.long


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state file of a lab named `test`, up with three VMs."""
    return write_state(tmp_path, monkeypatch)


def pyinfra(*argv: str, start: tuple[str, ...] = ("pyinfra",)) -> subprocess.CompletedProcess[str]:
    program, *more = start
    words = [str(Path(sys.executable).parent / program), *more, *argv]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)


def test_stock_pyinfra_reads_the_same_hosts_and_groups(state: Path) -> None:
    done = pyinfra(str(DEFAULT), "debug-inventory", "--json")
    assert done.returncode == 0, done.stderr
    for host in load_site().hosts:
        assert host.name in done.stdout
        assert host.host_keys[0] in done.stdout
    assert "domain_rack-1" in done.stdout


def test_stock_pyinfra_gets_the_identities_enrolled_beside_an_inventory(tmp_path: Path) -> None:
    path = tmp_path / "rack.py"
    shutil.copy(DEFAULT.with_name("colo.py"), path)
    identity = Identity(host_keys=(KEYS[0],), machine_id="1" * 32)
    write_enrolled(path, "engine-2", Enrolled(identity=identity, at="2026-11-21", by="alice@ops1"))
    done = pyinfra(str(path), "debug-inventory", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(KEYS[0]) == 1


def test_stock_pyinfra_gets_the_sentence_and_no_traceback_when_the_lab_is_down(state: Path) -> None:
    state.unlink()
    done = pyinfra(str(DEFAULT), "debug-inventory")
    assert done.returncode != 0
    assert "hft: lab 'test' is not up" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("start", [("pyinfra",), ("python", "-m", "pyinfra")], ids=" ".join)
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--limit", "nosuch"), "--limit 'nosuch' matches no host"),
        (("--limit", "@hft/engine-1", "--limit", "engin-2"), "--limit 'engin-2' matches no host"),
        (("--exclude", "nosuch"), "--exclude 'nosuch' matches no host"),
        (("--exclude", "all"), "--limit and --exclude leave no host"),
        (("--limit", "ops", "--exclude", "@hft/*"), "--limit and --exclude leave no host"),
    ],
)
def test_a_limit_that_leaves_nobody_is_an_error(
    state: Path, start: tuple[str, ...], words: tuple[str, ...], said: str
) -> None:
    done = pyinfra(str(DEFAULT), "debug-inventory", *words, start=start)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "words", [("--limit", "@hft/engine-1"), ("--limit", "engine"), ("--limit", "@hft/eng*")]
)
def test_a_limit_that_leaves_somebody_is_taken(state: Path, words: tuple[str, ...]) -> None:
    done = pyinfra(str(DEFAULT), "debug-inventory", *words)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "words",
    [("--limit", "role:engine,!engine-2"), ("--limit", "engine-[1-2]", "--exclude", "engine-2")],
    ids=" ".join,
)
def test_pyinfra_selects_as_hft_does(state: Path, words: tuple[str, ...]) -> None:
    """Nobody answers there, so it names whom it tried to reach."""
    done = pyinfra(str(DEFAULT), "exec", "--dry", "-y", *words, "--", "true")
    assert "[engine-1] " in done.stderr, done.stderr
    assert "engine-2" not in done.stderr
