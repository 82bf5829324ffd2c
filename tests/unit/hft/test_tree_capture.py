"""A captured tree from somebody else: nothing outside of it is opened, whatever is linked to whatever."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hft import tree_capture
from hft.tree_capture import FILE_MAX, capture_tree
from tests.support.hft_here import one_sentence
from tuning.errors import SnapshotError
from tuning.snapshot.capture import LINKS, NAMED, PATTERNS, TREE_PATTERNS

SECRET = "PRIVATE KEY\n"


def concrete(pattern: str) -> str:
    """A path that a pattern names."""
    return pattern.replace("[0-9]", "3").replace("*", "x")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree, a key of ours beside it, and a directory that looks like a part of the tree."""
    made = tmp_path / "t"
    (made / "sys/devices/system/cpu").mkdir(parents=True)
    (made / "sys/devices/system/cpu/online").write_text("0-3\n")
    (tmp_path / "key").write_text(SECRET)
    return made


def everything(root: Path) -> str:
    seen = capture_tree(root)
    return "".join(text or "" for text in seen.files.values())


@pytest.mark.parametrize(
    "pattern", sorted({*NAMED, *PATTERNS, *TREE_PATTERNS, "proc/cpuinfo", "proc/mounts"})
)
def test_no_file_of_the_capture_is_a_way_out(pattern: str, root: Path, tmp_path: Path) -> None:
    for target in (
        tmp_path / "key",
        Path(os.path.relpath(tmp_path / "key", (root / concrete(pattern)).parent)),
    ):
        place = root / concrete(pattern)
        if ".." in place.parts:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)
        assert SECRET not in everything(root)


@pytest.mark.parametrize("pattern", sorted({*NAMED, *PATTERNS, *LINKS}))
def test_no_directory_on_the_way_is_a_way_out(pattern: str, root: Path, tmp_path: Path) -> None:
    parts = concrete(pattern).split("/")
    if ".." in parts:
        return
    for depth in range(1, len(parts)):
        base = tmp_path / f"t{depth}"
        outside = tmp_path / f"outside{depth}"
        (base / "/".join(parts[: depth - 1])).mkdir(parents=True)
        (outside / "/".join(parts[depth:-1])).mkdir(parents=True)
        (outside / "/".join(parts[depth:])).write_text(SECRET)
        (base / "/".join(parts[:depth])).symlink_to(outside)
        assert SECRET not in everything(base)


def test_links_inside_of_the_tree_are_followed_and_chains_out_of_it_are_not(
    root: Path, tmp_path: Path
) -> None:
    (root / "etc").mkdir()
    (root / "usr").mkdir()
    (root / "usr/os-release").write_text("ID=debian\n")
    (root / "etc/os-release").symlink_to("../usr/os-release")
    assert capture_tree(root).files["/etc/os-release"] == "ID=debian\n"
    (root / "etc/machine-id").symlink_to("../usr/hop")
    (root / "usr/hop").symlink_to("../../key")
    (root / "etc/sysctl.d").symlink_to("../usr/self")
    (root / "usr/self").symlink_to("self")
    assert SECRET not in everything(root)


def test_what_is_no_file_or_too_large_is_not_captured(root: Path) -> None:
    (root / "etc").mkdir()
    os.mkfifo(root / "etc/machine-id")
    with (root / "etc/os-release").open("wb") as stream:
        stream.truncate(FILE_MAX + 1)
    (root / "proc").mkdir()
    (root / "proc/cmdline").symlink_to("/dev/zero")
    assert set(capture_tree(root).files) == {"/sys/devices/system/cpu/online"}


def test_the_cost_of_a_tree_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_capture, "_ENTRIES_MAX", 50)
    for number in range(60):
        (root / f"sys/devices/system/cpu/cpu{number}").mkdir()
    with pytest.raises(SnapshotError, match="more than 50 names"):
        capture_tree(root)


def test_the_verb_takes_nothing_from_outside(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    (bare / "sys").mkdir(parents=True)
    (bare / "sys/devices").symlink_to(tmp_path)
    one_sentence(capsys, "plan", "--tree", bare)
