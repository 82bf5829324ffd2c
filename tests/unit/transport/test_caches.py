"""What a cache gives back and is run or trusted is what was put there, by us, where nobody else writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.toolchain import build as native
from engine.toolchain.build import BuildError
from lab.errors import LabUsageError
from lab.paths import private_dir
from transport.errors import HostError
from transport.known_hosts import known_hosts_file, known_hosts_text
from transport.ours import is_ours

KEYS = ("ssh-ed25519 AAAA",)


def writable(path: Path) -> None:
    path.chmod(0o777)


def linked(path: Path) -> None:
    moved = path.with_name("moved")
    path.rename(moved)
    path.symlink_to(moved)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HFT_NATIVE_DIR", str(tmp_path / "native"))
    return tmp_path


def test_other_keys_below_the_name_of_a_known_hosts_file_are_not_trusted(home: Path) -> None:
    path = known_hosts_file("e1", KEYS)
    path.chmod(0o600)
    path.write_text("e1 ssh-ed25519 BBBB\n")
    assert known_hosts_file("e1", KEYS).read_text() == known_hosts_text("e1", KEYS)
    linked(path)
    assert not known_hosts_file("e1", KEYS).is_symlink()


@pytest.mark.parametrize("lay", [writable, linked])
def test_a_place_where_others_write_says_nothing_of_whom_to_trust(
    home: Path, lay: Callable[[Path], None]
) -> None:
    lay(known_hosts_file("e1", KEYS).parent)
    with pytest.raises(HostError, match="others may write there"):
        known_hosts_file("e1", KEYS)


@pytest.mark.parametrize("lay", [writable, linked])
def test_the_labs_directories_are_nobody_elses(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    lay(private_dir(tmp_path / "images"))
    with pytest.raises(LabUsageError, match="others may write there"):
        private_dir(tmp_path / "images")


@pytest.fixture
def built(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds are written down, and make one program."""
    count: list[str] = []

    def compile_sources(_: Path, folder: Path, kind: str, *rest: object) -> None:
        count.append(kind)
        (folder / "bin").mkdir(exist_ok=True)
        if not (folder / "bin" / "hft-engine").exists():  # as a linker would leave it
            (folder / "bin" / "hft-engine").write_text("built")

    monkeypatch.setattr(native, "compile_sources", compile_sources)
    monkeypatch.setattr(native, "sources_digest", lambda compiler: "0" * 16)
    return count


def test_a_build_is_taken_again_only_when_it_is_what_was_built(built: list[str]) -> None:
    program = native.build() / "bin" / "hft-engine"
    assert native.build() / "bin" / "hft-engine" == program
    assert len(built) == 1
    for plant in (
        lambda: program.write_text("planted"),
        lambda: program.chmod(0o777),
        program.unlink,
        lambda: linked(program),
    ):
        plant()
        native.build()
        assert (program.read_text(), is_ours(program)) == ("built", True)
    assert len(built) == 5


def test_a_record_of_a_build_is_ours_or_none(built: list[str]) -> None:
    folder = native.build()
    (folder / ".made-all").chmod(0o666)
    native.build()
    assert len(built) == 2


@pytest.mark.parametrize("lay", [writable, linked])
def test_programs_are_not_run_from_where_others_write(built: list[str], lay: Callable[[Path], None]) -> None:
    lay(native.build())
    with pytest.raises(BuildError, match="others may write there"):
        native.build()


def test_what_is_of_another_account_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_text("")
    assert is_ours(tmp_path / "x")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert not is_ours(tmp_path / "x")
