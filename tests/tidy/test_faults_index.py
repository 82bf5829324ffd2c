"""Every fault of the reviews that was mended is held by a test that exists; what is open says why."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INDEX = sorted((ROOT / "tests" / "faults").glob("*.toml"))
# Every id of the two reviews of the host side, as "family first-last" or "family-number letters".
REVIEWED = """\
REC 1-3; SEN 1-4; NIC 1-4; BOOT 1-3; DEMO 1-1; TUN 1-5; RUN 1-3; ID 1-1; MET 1-5; ST 1-1; IRQ 1-2; CG 1-2
CK-01 abc; CK-02 abcde; CK-03 abcde; CK-04 abcd; CK-05 abcdefg; CK-06 abc; CK-07 abcd; CK-08 ab; CK-09 abc
CK-10 abcde; OUT 1-4; CURE 1-5; KEY 1-5; WORD 1-8; LATE 1-3; FLEET 1-2; KNL 1-5; DUP 1-5; ERG 1-8; OPS 1-3
PER 1-5
CACHE 1-1; ROOT 1-1; TEXT 1-4; STATE 1-5; SHAPE 1-4; TERM 1-3; SIZE 1-3; READ 1-4; AGE 1-2; UNIT 1-1
KEEP 1-2; SUP 1-1"""


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


def reviewed() -> list[str]:
    """REVIEWED, one by one."""
    found = []
    for word in REVIEWED.replace("\n", "; ").split("; "):
        family, _, members = word.partition(" ")
        first, dash, last = members.partition("-")
        numbered = [f"{family}-{number}" for number in range(int(first), int(last) + 1)] if dash else []
        found += numbered or [f"{family}{letter}" for letter in members]
    return found


def names_of(fault: str) -> set[str]:
    """The names under which a fault may stand: its own, its group's without a letter, and a range's."""
    family, _, number = fault.rpartition("-")
    if not number.isdigit():
        return {fault, fault[:-1]}
    numbers = range(1, 10)
    ranges = {f"{family}-{a}..{b}" for a in numbers for b in numbers if a <= int(number) <= b}
    return {fault, *ranges}


def test_every_fault_of_the_reviews_stands_here() -> None:
    assert len(reviewed()) == len(set(reviewed())) == 159
    there = {fault for _, fault, _ in entries()}
    assert [fault for fault in reviewed() if not names_of(fault) & there] == []


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
