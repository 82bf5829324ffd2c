"""Reads an inventory: a Python file that defines SITE, or TOML or JSON for people who do not want Python.

The file may live anywhere. Whatever is wrong with it ends in one InventoryError that names the file, the line
when it is known, the key, what was expected and the nearest known name. A Python inventory is a program: what
it raises is told as `file:line: what it said`, never as a traceback of ours.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
import traceback
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from inventory.enrolment import with_enrolled
from inventory.errors import InventoryError
from inventory.explain import explain
from inventory.lines import line_of
from inventory.model import Site
from inventory.nearest import nearest

DEFAULT = Path(__file__).with_name("lab.py")
SIZE_MAX = 4 * 1024 * 1024
_SUFFIXES = (".py", ".toml", ".json")


def load_site(path: str | os.PathLike[str] | None = None) -> Site:
    """The site of an inventory file (default: the lab), with the identities enrolled beside it."""
    source = DEFAULT if path is None else Path(path).expanduser()
    text = _read(source)
    match source.suffix:
        case ".py":
            site = _run(source, text)
        case ".toml":
            site = _checked(source, _parse_toml(source, text), text)
        case ".json":
            site = _checked(source, _parse_json(source, text), text)
        case other:
            raise InventoryError(f"{source}: expected a file ending in .py, .toml or .json, got {other!r}")
    return with_enrolled(site, source)


def _read(source: Path) -> str:
    try:
        if source.is_dir():
            raise InventoryError(f"{source}: a directory, expected a file; hint: {_file_inside(source)}")
        if not source.is_file():
            raise InventoryError(f"{source}: no such file{_file_beside(source)}")
        if source.stat().st_size > SIZE_MAX:
            raise InventoryError(f"{source}: larger than {SIZE_MAX // 1024 // 1024} MiB, not an inventory")
        return source.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InventoryError(f"{source}: not UTF-8 text (byte {error.start})") from error
    except (OSError, ValueError) as error:
        raise InventoryError(
            f"{source}: cannot read it: {getattr(error, 'strerror', None) or error}"
        ) from error


def _file_inside(folder: Path) -> str:
    found = sorted(f.name for f in folder.iterdir() if f.suffix in _SUFFIXES)
    return f"it holds {', '.join(found[:5])}" if found else "hft init DIR writes an example"


def _file_beside(source: Path) -> str:
    try:
        return nearest(source.name, [f.name for f in source.parent.iterdir() if f.suffix in _SUFFIXES])
    except OSError:
        return f"; hint: there is no directory {source.parent}"


def _parse_toml(source: Path, text: str) -> object:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InventoryError(f"{source}: not TOML: {str(error)[:200]}") from error


def _parse_json(source: Path, text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InventoryError(f"{source}:{error.lineno}: not JSON: {error.msg}") from error
    except (RecursionError, ValueError) as error:
        raise InventoryError(f"{source}: not JSON: {str(error)[:200]}") from error


def _checked(source: Path, data: object, text: str) -> Site:
    if not isinstance(data, Mapping):
        raise InventoryError(f"{source}: expected a table with name and hosts, got {type(data).__name__}")
    try:
        return Site.model_validate(data)
    except ValidationError as error:
        sentence, location = explain(error, data)
        line = line_of(text, location, toml=source.suffix == ".toml")
        raise InventoryError(f"{source}{f':{line}' if line else ''}: {sentence}") from error


def _run(source: Path, text: str) -> Site:
    """Execute a Python inventory as its own module and take its SITE."""
    names: dict[str, object] = {"__file__": str(source), "__name__": "hft_inventory"}
    try:
        exec(compile(text, str(source), "exec"), names)  # noqa: S102  # a Python inventory is a program by design
    except InventoryError:
        raise
    except SyntaxError as error:
        raise InventoryError(f"{error.filename or source}:{error.lineno}: not Python: {error.msg}") from error
    except ValidationError as error:
        raise InventoryError(f"{_frame(source)}: {explain(error, None)[0]}") from error
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:200]
        raise InventoryError(f"{_frame(source)}: {type(error).__name__}: {said}") from error
    return _site_in(source, names)


def _site_in(source: Path, names: Mapping[str, object]) -> Site:
    site = names.get("SITE")
    if isinstance(site, Mapping):
        return _checked(source, site, "")
    if isinstance(site, Site):
        return site
    if site is None:
        hint = nearest("SITE", [name for name in names if name.upper() == "SITE"]) or (
            "; hint: `hft init DIR` writes an example"
        )
        raise InventoryError(f"{source}: expected a variable SITE{hint}")
    raise InventoryError(f"{source}: SITE: expected a Site, got {type(site).__name__}")


def _frame(source: Path) -> str:
    """`file:line` of the deepest line of the inventory itself in the exception being handled."""
    trace = sys.exc_info()[2]
    lines = [frame.lineno for frame in traceback.extract_tb(trace) if frame.filename == str(source)]
    return f"{source}:{lines[-1]}" if lines else str(source)
