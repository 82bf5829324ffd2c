"""The image's cache beside programs that outlived a build that was killed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import pytest

from lab import image as lab_image
from lab.errors import LabError
from lab.image import Image, ensure_image

# What `cp` and `dpkg` of a killed build do for a while: fill a tree, making its folders as they come.
ORPHAN = """\
i=0
while :; do
  i=$((i + 1)) d=$0/d$((i % 50))
  [ -d "$d" ] || mkdir -p "$d"
  : >"$d/$i"
done"""


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HFT_CACHE_DIR", str(tmp_path))
    if os.geteuid() != 0:
        pytest.skip("an image is built by root")
    folder = tmp_path / "images"
    (folder / "build-killed").mkdir(parents=True, mode=0o700)
    for one in (tmp_path, folder):
        one.chmod(0o700)
    monkeypatch.setattr(lab_image, "_build", lambda image, *_: image.directory.mkdir(mode=0o700))
    return folder


@pytest.fixture
def orphan(images: Path) -> Iterator[Callable[[], None]]:
    """A program that makes files in what a killed build left, for the better part of a second."""
    begun: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        place = images / "build-killed"
        argv = ["sh", "-c", ORPHAN, str(place)]
        begun.append(subprocess.Popen(argv, stderr=subprocess.DEVNULL))
        Timer(0.8, begun[-1].kill).start()
        while not any(place.iterdir()):
            pass

    yield start
    for one in begun:
        one.kill()
        one.wait()


def test_what_a_killed_build_left_is_gone_before_the_next_one(
    images: Path, orphan: Callable[[], None]
) -> None:
    orphan()
    made = ensure_image(print)
    assert isinstance(made, Image)
    assert [one.name for one in images.iterdir() if one.name.startswith("build-")] == []


def test_what_cannot_be_removed_is_named(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_image, "CLEAR_TIMEOUT_S", 0.0)
    monkeypatch.setattr("lab.image.shutil.rmtree", lambda *_, **__: None)
    with pytest.raises(LabError, match="build-killed: the end of whoever still writes there"):
        ensure_image(print)
    assert sorted(one.name for one in images.iterdir()) == ["build-killed", "lock"]
