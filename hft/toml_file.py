"""A TOML file that a person wrote, as a table or as a model; each of its faults is one sentence."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hft.errors import Exit, HftError
from inventory.bounded import FILE_MAX, read_bounded, reason_of
from tuning.strict_json import ShapeError, Table, bounded

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def table_of(path: Path, make: Callable[[Table], T], *, size_max: int) -> T:
    """What MAKE makes of the table in the file; HftError for what cannot be read, or MAKE refuses."""
    try:
        return make(Table.of(bounded(_parsed(path, size_max))))
    except ShapeError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: {error}") from error
    except (OSError, ValueError) as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {reason_of(error)}") from error


def model_of(path: Path, model: type[M]) -> M:
    """The file as a model; HftError names the first key that is wrong."""
    try:
        return model.model_validate(_parsed(path, FILE_MAX))
    except OSError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: cannot be read: {reason_of(error)}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HftError(Exit.BAD_INPUT, f"{path}: {where}: {first['msg']}") from error
    except ValueError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: not TOML: {error}") from error


def _parsed(path: Path, size_max: int) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bounded(path, size_max).decode())
    except RecursionError as error:
        raise HftError(Exit.BAD_INPUT, f"{path}: nested too deep") from error
