"""The makers of wrong programs change one thing, and only what is done."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.mutants import Mutant, caught_of, mutants, sample
from tests.support.mutation_tests import Trace, places_of, stages

SOURCE = '''"""Docstring with 3 == 4."""
LIMIT: int = 3


def over(count: int, *, known: bool = True) -> bool:
    """Whether."""
    if not known:
        raise ValueError("é 1 == 2")
    log(count)
    return (count + 1) >= LIMIT and known
'''


def kinds() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in mutants("m.py", SOURCE):
        found.setdefault(one.kind, []).append(f"{one.before} -> {one.after}")
    return found


def test_each_kind_changes_its_place() -> None:
    found = kinds()
    assert found["comparison"] == [">= -> >"]
    assert found["logic"] == ["and -> or"]
    assert found["not"] == ["not  -> "]
    assert found["arithmetic"] == ["+ -> -"]
    assert found["number"] == ["3 -> 4", "1 -> 2"]
    assert found["truth"] == ["True -> False"]
    assert found["left out"] == ['raise ValueError("é 1 == 2") -> pass', "log(count) -> pass"]
    assert found["never"] == ["not known -> False"]
    assert found["nothing returned"] == ["(count + 1) >= LIMIT and known -> None"]


def test_a_mutant_is_a_program_and_another_one() -> None:
    whole = ast.dump(ast.parse(SOURCE))
    for one in mutants("m.py", SOURCE):
        assert ast.dump(ast.parse(one.of(SOURCE))) != whole, one.key


def test_a_sample_is_repeated_by_its_seed() -> None:
    sources = {"a.py": SOURCE, "b.py": SOURCE}
    assert sample(sources, 5, 1) == sample(sources, 5, 1) != sample(sources, 5, 2)
    assert len(sample(sources, 1000, 1)) == 2 * len(mutants("a.py", SOURCE))


def test_share_of_none_is_whole() -> None:
    assert (caught_of([]), caught_of([True, False])) == (1.0, 0.5)


TRACE = Trace(
    seconds={"t.py::a": 2.0, "t.py::b": 0.5, "t.py::c": 9.0, "u.py::d": 0.1, "t.py::e": 0.2},
    ran={
        "t.py::a": frozenset({"tuning/m.py:f"}),
        "t.py::b": frozenset({"tuning/m.py:f", "tuning/m.py:g"}),
        "t.py::c": frozenset({"tuning/m.py:f"}),
        "u.py::d": frozenset({"tuning/other.py:f"}),
        "t.py::e": frozenset({"tuning/m.py:f"}),
    },
    failing=frozenset({"t.py::e"}),
)


def test_a_mutant_belongs_to_the_innermost_function_around_it() -> None:
    source = "A = 1\n\n\n@deco\ndef f() -> int:\n    def g() -> int:\n        return 1\n\n    return g()\n"
    found = [places_of("tuning/m.py", source, line) for line in (1, 4, 5, 7, 9)]
    assert found == [(), *[(f"tuning/m.py:{name}",) for name in ("f", "f", "f.<locals>.g", "f")]]


def test_the_quickest_tests_that_run_the_function_come_first_and_no_other_test_does(tmp_path: Path) -> None:
    source = "A = 1\n\n\n\ndef f() -> int:\n    return 1\n"
    mutant = Mutant(path="tuning/m.py", line=6, kind="number", start=0, end=1, before="1", after="2")
    found = list(stages(tmp_path, mutant, source, TRACE))
    assert found == [["t.py::b", "t.py::a"], ["t.py::c"], [], []]
    assert list(stages(tmp_path, mutant, source, TRACE, "t.py::c")) == [["t.py::c"], *found]


def test_what_is_outside_of_all_functions_is_tried_by_all_that_run_the_module_or_name_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "tests/unit/tuning").mkdir(parents=True)
    (tmp_path / "tests/integration/tuning").mkdir(parents=True)
    (tmp_path / "tests/unit/tuning/test_m.py").write_text("from tuning.m import A\n")
    (tmp_path / "tests/unit/tuning/test_x.py").write_text("from tuning.x import A\n")
    (tmp_path / "tests/integration/tuning/test_y.py").write_text("import tuning\n")
    mutant = Mutant(path="tuning/m.py", line=1, kind="number", start=4, end=5, before="1", after="2")
    first, more, rest, starting = stages(tmp_path, mutant, "A = 1\n", TRACE)
    assert (first[0], more) == ("t.py::b", ["t.py::c"])
    assert rest == ["tests/unit/tuning/test_m.py"]
    assert starting == ["tests/integration/tuning/test_y.py"]
