"""The rooms of the tests: what each may hold, and who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.checkout import ROOT, tracked

ROOMS = {"cases", "drill", "integration", "support", "tidy", "unit", "vm"}


def files() -> list[tuple[str, Path]]:
    """Room and path of each module below tests/."""
    paths = [path.relative_to(ROOT / "tests") for path in tracked("tests/*.py")]
    return [(path.parts[0], path) for path in paths if len(path.parts) > 1]


def imports(path: Path) -> list[str]:
    """`module.name` for every name that a module below tests/ takes from another one."""
    tree = ast.parse((ROOT / "tests" / path).read_text())
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [f"{node.module or ''}.{alias.name}" for node in taken for alias in node.names]


def test_every_module_is_in_a_room() -> None:
    assert {room for room, _ in files()} == ROOMS


def test_tests_are_where_tests_are() -> None:
    assert not [path for room, path in files() if room in ("support", "cases") and path.name[:5] == "test_"]


def test_nobody_imports_a_test() -> None:
    """What two tests share is in tests/support. The gates of tests/tidy alone know one another."""
    wrong = [
        f"{path}: {name}"
        for room, path in files()
        for name in imports(path)
        if room != "tidy" and any(part.startswith("test_") for part in name.split(".")[:-1])
    ]
    assert not wrong


def test_support_knows_no_room_but_cases() -> None:
    known = ("tests.support", "tests.cases")
    wrong = [
        f"{path}: {name}"
        for room, path in files()
        if room in ("support", "cases")
        for name in imports(path)
        if name.startswith("tests.") and not name.startswith(known)
    ]
    assert not wrong


def test_private_names_of_the_benchmarks_stay_theirs() -> None:
    wrong = [
        f"{path}: {name}"
        for _, path in files()
        for name in imports(path)
        if name.split(".")[0] in ("bench", "scripts") and name.rpartition(".")[2].startswith("_")
    ]
    assert not wrong
