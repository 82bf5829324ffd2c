"""The house's own gate: linters, types, arrows, sizes, words and links, all inside `pytest`."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, tracked
from tests.support.house import House, Module, of_the_checkout, read

ROOMS = (
    "agent",
    "bench",
    "checks",
    "deploys",
    "drills",
    "engine",
    "failover",
    "hft",
    "inventory",
    "lab",
    "monitoring",
    *("release", "stacks", "transport", "tuning"),
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# Pairs that name each other's classes in signatures only; the number may fall.
CIRCLES_BY_TYPES_MAX = 2
# Words of the trade that have one spelling here (design: one word each), and names that say nothing.
FILE_NAMES_BANNED = {"utils.py", "helpers.py", "helper.py", "manager.py", "misc.py", "common.py"}
REGISTRY_HOSTS = re.compile(
    r"\b(?:pypi\.org|files\.pythonhosted\.org|deb\.debian\.org|registry\.npmjs\.org)\b"
)
READ_FOR_LEFTOVERS = (
    *("*.py", "*.md", "*.sh", "*.toml", "*.lock", "*.txt", "*.c", "*.h", "*.cpp", "*.j2", "*.css"),
    *("*.js", "*.html"),
    *("Makefile", ".clang-format", ".ci/run"),
)
LEFTOVERS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """A module, parsed once for all tests here."""
    return ast.parse(path.read_text())


def run_tool(*argv: str) -> None:
    """Run one tool of the environment in the checkout; its output is the failure message."""
    done = subprocess.run(
        [sys.executable, "-m", *argv], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(argv)} failed:\n{done.stdout}{done.stderr}"


def test_ruff_finds_nothing() -> None:
    run_tool("ruff", "check", "--quiet", ".")


def test_code_is_formatted() -> None:
    run_tool("ruff", "format", "--quiet", "--check", ".")


def test_types_are_strict() -> None:
    run_tool("mypy")


def test_types_are_checked_in_every_folder_that_has_code() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    assert {path.relative_to(ROOT).parts[0] for path in tracked("*.py")} == set(settings["packages"])


def test_import_arrows_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout() -> House:
    return of_the_checkout()


def test_nothing_imports_in_a_circle(checkout: House) -> None:
    assert checkout.circles == ()
    assert len(checkout.circles_by_types) <= CIRCLES_BY_TYPES_MAX, checkout.circles_by_types


@pytest.mark.parametrize("room", ROOMS)
def test_files_and_functions_stay_small(room: str, checkout: House) -> None:
    mine = [checkout.modules[name] for name in checkout.below(room)]
    assert mine, "no such room: take it out of ROOMS"
    assert not (wrong := too_long(mine)), "\n".join(wrong)


def test_every_module_opens_with_what_it_is(checkout: House) -> None:
    rooms = [checkout.modules[name] for room in ROOMS for name in checkout.below(room)]
    assert not [module.path for module in rooms if module.lines and not module.docstring]


def too_long(modules: Iterable[Module]) -> list[str]:
    """What is over the limits, a line each."""
    wrong: list[str] = []
    for module in modules:
        if module.lines > FILE_LINES_MAX:
            wrong.append(f"{module.path}: {module.lines} lines (limit {FILE_LINES_MAX})")
        wrong.extend(
            f"{module.path}:{one.line} {one.name}: {one.lines} lines (limit {FUNCTION_LINES_MAX})"
            for one in module.functions
            if one.lines > FUNCTION_LINES_MAX
        )
    return wrong


def test_what_is_too_long_is_told() -> None:
    body = "    pass\n" * FUNCTION_LINES_MAX
    long = {"tuning/a.py": f"def f() -> None:\n{body}", "tuning/b.py": "\n" * (FILE_LINES_MAX + 1)}
    assert len(too_long(read(long).modules.values())) == 2


def test_no_file_is_named_after_nothing() -> None:
    assert not [path for path in tracked("*.py") if path.name in FILE_NAMES_BANNED]


def test_no_leftovers_and_no_registry_names() -> None:
    found: list[str] = []
    for path in set(tracked(*READ_FOR_LEFTOVERS)) - {Path(__file__).resolve()}:
        text = path.read_text()
        if not (LEFTOVERS.search(text) or REGISTRY_HOSTS.search(text)):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if LEFTOVERS.search(line) or REGISTRY_HOSTS.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_only_the_named_rooms_use_the_libraries_they_may() -> None:
    """pydantic stays at the edges, jinja2 where text is rendered; the pure room is stdlib only."""
    allowed = {
        "pydantic": {"inventory", "hft", "engine", "stacks"},
        "jinja2": {"checks", "deploys"},
        "pyinfra": {"deploys"},
        "pyinfra_cli": {"deploys"},
        "testinfra": {"checks"},
    }
    wrong: list[str] = []
    for room in ROOMS:
        for path in tracked(f"{room}/*.py"):
            for name in imported_names(tree_of(path)):
                top = name.split(".")[0]
                if top in allowed and room not in allowed[top]:
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}")
                if room in ("tuning", "agent") and not stdlib_or_ours(top):
                    wrong.append(f"{path.relative_to(ROOT)} imports {name}: only the standard library here")
    assert not wrong, "\n".join(wrong)


def imported_names(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.extend(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.append(node.module)
    return names


def stdlib_or_ours(top: str) -> bool:
    return top in sys.stdlib_module_names or top in ("tuning", "agent", "__future__")
