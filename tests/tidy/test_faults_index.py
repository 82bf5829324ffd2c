"""Every fault of the reviews that was mended is held by a test that exists; what is open says why."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = sorted((ROOT / "tests" / "faults").glob("*.toml"))


def entries() -> list[tuple[str, str, dict[str, object]]]:
    """Name of the file, id of the fault, what stands there."""
    return [
        (path.name, fault, row)
        for path in INDEX
        for fault, row in tomllib.loads(path.read_text("utf-8")).items()
    ]


def defined_in(path: Path) -> set[str]:
    """Names of the test functions that a file defines, in classes too."""
    tree = ast.parse(path.read_text("utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_an_id_stands_once() -> None:
    seen: dict[str, str] = {}
    for name, fault, _ in entries():
        assert fault not in seen, f"{fault} stands in {seen[fault]} and in {name}"
        seen[fault] = name


@pytest.mark.parametrize(
    ("name", "fault", "row"), entries(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_mended_fault_names_tests_that_exist(name: str, fault: str, row: dict[str, object]) -> None:
    assert isinstance(row.get("kind"), str), f"{name}: {fault} has no kind"
    tests = row.get("tests", [])
    assert isinstance(tests, list)
    assert bool(tests) != ("open" in row), f"{name}: {fault} names tests, or says why it is open"
    for test in tests:
        path, _, function = str(test).partition("::")
        assert (ROOT / path).is_file(), f"{name}: {fault}: no file {path}"
        assert function.partition("[")[0].rpartition("::")[2] in defined_in(ROOT / path), (
            f"{name}: {fault}: no test {test}"
        )
