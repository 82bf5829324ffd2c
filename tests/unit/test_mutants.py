"""The makers of wrong programs change one thing, and only what is done."""

from __future__ import annotations

import ast

from tests.support.mutants import caught_of, mutants, sample

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
