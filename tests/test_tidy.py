"""The house's own gate: linters, types, arrows, sizes, words and links, all inside `pytest`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.checkout import ROOT, tracked

ROOMS = ("agent", "checks", "deploys", "engine", "hft", "inventory", "lab", "scripts", "tuning")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# Words of the trade that have one spelling here (design: one word each), and names that say nothing.
FILE_NAMES_BANNED = {"utils.py", "helpers.py", "helper.py", "manager.py", "misc.py", "common.py"}
REGISTRY_HOSTS = re.compile(
    r"\b(?:pypi\.org|files\.pythonhosted\.org|deb\.debian\.org|registry\.npmjs\.org)\b"
)
READ_FOR_LEFTOVERS = (
    *("*.py", "*.md", "*.sh", "*.toml", "*.lock", "*.txt", "*.c", "*.h", "*.cpp", "*.j2", "*.css"),
    *("Makefile", ".clang-format", ".ci/run"),
)
LEFTOVERS = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")


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


@pytest.mark.parametrize("room", ROOMS)
def test_files_and_functions_stay_small(room: str) -> None:
    too_long: list[str] = []
    for path in tracked(f"{room}/*.py"):
        source = path.read_text()
        lines = source.count("\n")
        if lines > FILE_LINES_MAX:
            too_long.append(f"{path.relative_to(ROOT)}: {lines} lines (limit {FILE_LINES_MAX})")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    where = f"{path.relative_to(ROOT)}:{node.lineno}"
                    too_long.append(f"{where} {node.name}: {length} lines (limit {FUNCTION_LINES_MAX})")
    assert not too_long, "\n".join(too_long)


def test_every_module_opens_with_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for room in ROOMS
        for path in tracked(f"{room}/*.py")
        if path.stat().st_size and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not silent


def test_no_file_is_named_after_nothing() -> None:
    assert not [path for path in tracked("*.py") if path.name in FILE_NAMES_BANNED]


def test_no_leftovers_and_no_registry_names() -> None:
    found: list[str] = []
    for path in tracked(*READ_FOR_LEFTOVERS):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if path != Path(__file__).resolve() and (LEFTOVERS.search(line) or REGISTRY_HOSTS.search(line)):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_links_in_documents_lead_somewhere() -> None:
    dead: list[str] = []
    for path in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                dead.append(f"{path.relative_to(ROOT)}: {target}")
    assert not dead, "\n".join(dead)


def test_only_the_named_rooms_use_the_libraries_they_may() -> None:
    """pydantic stays at the edges, jinja2 and pyinfra in deploys; the pure room is stdlib only."""
    allowed = {
        "pydantic": {"inventory", "hft", "engine"},
        "jinja2": {"deploys"},
        "pyinfra": {"deploys"},
        "pyinfra_cli": {"deploys"},
        "testinfra": {"checks"},
    }
    wrong: list[str] = []
    for room in ROOMS:
        for path in tracked(f"{room}/*.py"):
            for name in imported_names(ast.parse(path.read_text())):
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
