"""The environment block stays 1,024 bytes in the same file, whatever is written to it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.boot import grubenv
from agent.errors import RefusedError
from agent.host import HostRoot

EMPTY = grubenv.SIGNATURE.ljust(grubenv.SIZE, b"#")


@pytest.fixture
def host(tmp_path: Path) -> HostRoot:
    (tmp_path / "boot/grub").mkdir(parents=True)
    (tmp_path / "boot/grub/grubenv").write_bytes(EMPTY)
    return HostRoot(root=str(tmp_path))


def test_a_change_is_made_in_place_and_keeps_the_rest(host: HostRoot, tmp_path: Path) -> None:
    file = tmp_path / "boot/grub/grubenv"
    inode = file.stat().st_ino
    grubenv.update(host, saved_entry="hft-good", other="kept")
    grubenv.update(host, next_entry="hft-candidate", saved_entry=None)
    assert file.stat().st_ino == inode
    assert file.stat().st_size == grubenv.SIZE
    assert grubenv.load(host) == {"other": "kept", "next_entry": "hft-candidate"}


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(max_size=20), max_size=5))
def test_any_variables_read_back(variables: dict[str, str]) -> None:
    clean = {name: value.replace("\r", "") for name, value in variables.items() if "\0" not in value}
    try:
        clean_bytes = grubenv.render(clean)
    except UnicodeEncodeError:
        return
    assert len(clean_bytes) == grubenv.SIZE
    assert grubenv.parse(clean_bytes) == clean


def test_a_block_that_does_not_fit_is_refused_whole(host: HostRoot) -> None:
    with pytest.raises(ValueError, match="would need"):
        grubenv.update(host, big="x" * 1100)
    assert grubenv.load(host) == {}


@pytest.mark.parametrize("data", [b"", b"\0" * 1024, EMPTY[:1000], EMPTY + b"#"])
def test_a_block_grub_could_not_use_is_refused(host: HostRoot, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "boot/grub/grubenv").write_bytes(data)
    with pytest.raises(RefusedError, match="grub-editenv"):
        grubenv.load(host)


def test_a_missing_block_is_refused(host: HostRoot, tmp_path: Path) -> None:
    (tmp_path / "boot/grub/grubenv").unlink()
    with pytest.raises(RefusedError, match="one-shot"):
        grubenv.load(host)
