"""Our package names are ours in our own process, and nobody else's name is touched."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from hft import about
from hft.own_rooms import ROOMS, OwnRooms, come_first
from tests.support.checkout import ROOT


def test_every_package_that_is_installed_is_found_first() -> None:
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    packages = set(built["targets"]["wheel"]["packages"])
    assert {name for name in packages if (ROOT / name / "__init__.py").exists()} == ROOMS


def test_a_room_is_found_in_our_folder_and_nothing_else_anywhere() -> None:
    finder = OwnRooms(ROOT)
    for name in ROOMS:
        spec = finder.find_spec(name, None)
        assert spec is not None
        assert spec.origin == str(ROOT / name / "__init__.py")
    assert finder.find_spec("json", None) is None
    assert finder.find_spec("checks.facts", [str(ROOT / "checks")]) is None
    assert finder.find_spec("inventories", None) is None


def test_it_comes_first_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    come_first()
    come_first()
    assert isinstance(sys.meta_path[0], OwnRooms)
    assert sum(isinstance(one, OwnRooms) for one in sys.meta_path) == 1


def test_a_wheel_says_its_commit_and_one_without_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(about, "HERE", tmp_path / "hft")
    assert about.commit() == "not known: built without git"
    (tmp_path / "hft").mkdir()
    (tmp_path / "hft/built.json").write_text('{"schema": 1, "commit": "abc"}')
    assert about.commit() == "abc"
