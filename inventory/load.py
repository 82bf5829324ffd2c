"""Reads an inventory: a Python file that defines SITE, TOML, JSON, or a signed one (inventory/envelope.py).

The file may be anywhere. Any fault in it becomes one InventoryError that names the file, the line when it is
known, the key, what was expected and the closest known name. A Python inventory is a program: what it raises
is reported as `file:line: message`, never as a traceback.
"""

from __future__ import annotations

import os
import sys
import tomllib
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from inventory.artifact import is_signed_name, read_artifact
from inventory.bounded import read_bounded
from inventory.enrolment import with_enrolled
from inventory.envelope import SIZE_MAX as SIGNED_SIZE_MAX
from inventory.envelope import SUFFIX
from inventory.errors import InventoryError
from inventory.model import Site
from inventory.source_location import line_of
from inventory.suggest import nearest
from inventory.validation_message import explain
from tuning.strict_json import NotJsonError, ShapeError, bounded, parse

DEFAULT = Path(__file__).with_name("lab.py")
SIZE_MAX = 4 * 1024 * 1024
VALUES_MAX = 200_000  # some 8,000 hosts with every key; what one sentence about a fault may cost
_SUFFIXES = (".py", ".toml", ".json")


def load_site(path: str | os.PathLike[str] | None = None) -> Site:
    """The site of an inventory file (default: the lab), with the identities enrolled beside it.

    A file whose name ends in `.signed.json` has its identities inside and is verified: signature, time and
    generation; StateError when the generation that is used cannot be kept.
    """
    source = DEFAULT if path is None else Path(path).expanduser()
    data = _read(source)
    if is_signed_name(source):
        return read_artifact(source, data, now=datetime.now(UTC)).envelope.site
    text = _decoded(source, data)
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


def _read(source: Path) -> bytes:
    try:
        if source.is_dir():
            raise InventoryError(f"{source}: a directory, expected a file; hint: {_file_inside(source)}")
        if not source.exists():
            raise InventoryError(f"{source}: no such file{_file_beside(source)}")
        return read_bounded(source, SIGNED_SIZE_MAX if is_signed_name(source) else SIZE_MAX)
    except (OSError, ValueError) as error:
        raise InventoryError(
            f"{source}: cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def _decoded(source: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InventoryError(f"{source}: not UTF-8 text (byte {error.start})") from error


def _file_inside(folder: Path) -> str:
    found = sorted(f.name for f in folder.iterdir() if f.suffix in _SUFFIXES)
    return f"it contains {', '.join(found[:5])}" if found else "hft init DIR writes an example"


def _file_beside(source: Path) -> str:
    try:
        return nearest(source.name, [f.name for f in source.parent.iterdir() if f.suffix in _SUFFIXES])
    except OSError:
        return f"; hint: there is no directory {source.parent}"


def _parse_toml(source: Path, text: str) -> object:
    try:
        return bounded(tomllib.loads(text), values_max=VALUES_MAX)
    except (ValueError, RecursionError) as error:
        raise InventoryError(f"{source}: not TOML: {str(error)[:200]}") from error


def _parse_json(source: Path, text: str) -> object:
    try:
        return bounded(parse(text), values_max=VALUES_MAX)
    except NotJsonError as error:
        line = "" if error.line is None else f":{error.line}"
        raise InventoryError(f"{source}{line}: not JSON: {error.fault}") from error
    except ShapeError as error:
        raise InventoryError(f"{source}: {error}") from error


def _checked(source: Path, data: object, text: str) -> Site:
    if not isinstance(data, Mapping):
        raise InventoryError(f"{source}: expected a table with name and hosts, got {type(data).__name__}")
    if "signature" in data and "site" in data:
        raise InventoryError(f"{source}: a signed inventory, whose name has to end in {SUFFIX}")
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
