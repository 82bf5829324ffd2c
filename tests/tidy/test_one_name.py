"""A place on a host has one name: of two constants for one path one would be forgotten in a change."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.support.checkout import ROOT

# The checks and the engine stand apart on purpose: what proves shares nothing with what acts.
ROOMS = (
    "agent",
    "deploys",
    "drills",
    "failover",
    "hft",
    "inventory",
    "lab",
    "monitoring",
    "release",
    "transport",
    "tuning",
)


def places(path: Path) -> dict[str, str]:
    """Absolute path -> the constant of a module that holds it."""
    found = {}
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ) if text.startswith("/") and len(text) > 1:
                found[text] = name
    return found


def twice(files: list[Path]) -> list[str]:
    """The paths that two modules name."""
    names: dict[str, list[str]] = {}
    for file in files:
        for text, name in places(file).items():
            names.setdefault(text, []).append(f"{file.name}: {name}")
    return [f"{text}: {', '.join(each)}" for text, each in sorted(names.items()) if len(each) > 1]


def test_a_place_has_one_name() -> None:
    found = twice([path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))])
    assert not found, "\n".join(found)


def test_a_second_name_is_found(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f'{name.upper()} = "/var/lib/hft/x"\nOTHER = "/{name}"\n')
    assert twice(sorted(tmp_path.iterdir())) == ["/var/lib/hft/x: one.py: ONE, two.py: TWO"]
