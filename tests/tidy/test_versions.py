"""docs/versions.md against the code: every version it names, and every version that it would have to name.

A row says where a version is defined: a file and, in it, a constant, or the function whose document carries
`schema`. The values are read from the sources and never imported, so C++ and Python are held alike.
"""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.checkout import ROOT, tracked
from tests.tidy.test_tidy import ROOMS

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
PAGE = ROOT / "docs" / "versions.md"
ROW = re.compile(r"^\| [^|]+ \| `(?P<file>[^`:]+): (?P<name>[^`]+)` \| `(?P<version>[^`]+)` \|", re.M)
# Names of constants that hold a version, and what a version looks like: `1`, `1.0.0`, `hft-capture 1`.
CONSTANTS = re.compile(r"_?(?:SCHEMA|CONTRACT|[A-Z_]*VERSION|HEADER|MARK)\Z")
NUMBER = re.compile(r"(?:\S+ )?\d+(?:\.\d+)*\Z")
NATIVE = re.compile(r"\b(\w*(?:VERSION|Version|kContract|kRingMagic))(?: =|\s)\s*\"?(0x[0-9A-F]+|\d[\d.]*)")
# A document that is written as text: by a script that is sent to a host, by the meter.
WRITTEN = re.compile(r'\{"schema": (\d+)')
PRINTED = re.compile(r'\{\\"(schema)\\":(\d+)')


def python_versions(path: Path) -> Iterator[tuple[str, str]]:
    """Names and versions of one module: constants, and the `schema` of documents by who writes them."""
    for node in ast.parse(path.read_text()).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                yield from constant(name, value)
                yield from schemas(name, value)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield from schemas(name, node)
            case _:
                yield from schemas("module", node)


def constant(name: str, value: ast.expr) -> Iterator[tuple[str, str]]:
    if CONSTANTS.match(name) and isinstance(value, ast.Constant) and NUMBER.match(str(value.value).strip()):
        yield name, str(value.value).strip()


def schemas(name: str, node: ast.AST) -> Iterator[tuple[str, str]]:
    """Documents that are written here with a number of their own."""
    for one in ast.walk(node):
        if isinstance(one, ast.Dict):
            for key, value in zip(one.keys, one.values, strict=True):
                is_schema = isinstance(key, ast.Constant) and key.value == "schema"
                if is_schema and isinstance(value, ast.Constant):
                    yield name, str(value.value)
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield from ((name, number) for number in WRITTEN.findall(one.value))


def native_versions(path: Path) -> Iterator[tuple[str, str]]:
    text = path.read_text()
    yield from NATIVE.findall(text)
    yield from PRINTED.findall(text)


def json_versions(path: Path) -> Iterator[tuple[str, str]]:
    """A published schema says which number it describes."""
    yield "schema", str(json.loads(path.read_text())["properties"]["schema"]["const"])


def defined() -> dict[tuple[str, str], set[str]]:
    """File and name -> the versions found there."""
    readers: list[tuple[Callable[[Path], Iterator[tuple[str, str]]], str]] = [
        *((python_versions, f"{room}/*.py") for room in ROOMS),
        *(
            (native_versions, f"{room}/*{end}")
            for room in ("checks", "engine")
            for end in (".h", ".c", ".cpp")
        ),
        (json_versions, "docs/schema/*.json"),
    ]
    found: dict[tuple[str, str], set[str]] = {}
    for read, pattern in readers:
        for path in tracked(pattern):
            for name, version in read(path):
                found.setdefault((str(path.relative_to(ROOT)), name), set()).add(version)
    return found


DEFINED = defined()
ROWS = [(match["file"], match["name"], match["version"]) for match in ROW.finditer(PAGE.read_text())]


@pytest.mark.parametrize(("file", "name", "version"), ROWS)
def test_the_page_has_the_version_of_the_code(file: str, name: str, version: str) -> None:
    assert DEFINED.get((file, name), "no such constant or document") == {version}


def test_the_page_names_every_version_of_the_code() -> None:
    unnamed = sorted(set(DEFINED) - {(file, name) for file, name, _ in ROWS})
    assert not unnamed, f"versions that {PAGE.relative_to(ROOT)} does not name: {unnamed}"


def test_the_page_has_rows_and_none_twice() -> None:
    assert len(ROWS) == len(set(ROWS)) > 40


def test_the_native_programs_have_the_version_of_the_project() -> None:
    told = {
        f"{path.relative_to(ROOT)}: {version}"
        for path in tracked("engine/native/*.cpp", "engine/native/*.h")
        for version in re.findall(r'\bk?VERSION = "([^"]+)"|"version":"([^"]+)"', path.read_text(), re.I)
        if VERSION not in version
    }
    assert not told


def test_the_changelog_begins_with_what_is_unreleased_and_then_has_this_version() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert heads[:1] == ["Unreleased"]
    assert heads[1].partition(",")[0] == VERSION
