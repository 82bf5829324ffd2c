"""Which inputs a resource of pulumi_aws takes, down into its blocks, by the names on the wire.

The SDK checks nothing of a dict literal, and neither does a preview: a misspelt key reaches the provider
as it is. The real one refuses it late. Here the SDK's own types are asked: they are what the schema was
made into.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pulumi_aws
from pulumi import _types as types

_MODULES = re.compile(r'resource_modules="""\n(.*?)\n"""', re.S)
_LEAST_ALIKE = 0.6
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105  # how the wire marks a secret or a special value


@functools.cache
def _classes() -> dict[str, tuple[str, str]]:
    """Token -> module and class, as the SDK registers them."""
    text = Path(pulumi_aws.__file__).read_text("utf-8")
    found = _MODULES.search(text)
    rows = json.loads(found[1].strip()) if found else []
    return {token: (row["fqn"], name) for row in rows for token, name in row["classes"].items()}


@functools.cache
def args_class(token: str) -> type | None:
    """The Args class of a resource type; None for a type that the SDK does not have."""
    if token not in _classes():
        return None
    package, name = _classes()[token]
    part = token.split(":")[1].rpartition("/")[2]
    module = importlib.import_module(f"{package}.{re.sub(r'(?<!^)(?=[A-Z])', '_', part).lower()}")
    found = getattr(module, f"{name}Args")
    assert isinstance(found, type)
    return found


def faults(token: str, inputs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and sentence of every input that the type does not take."""
    known = args_class(token)
    if known is None:
        yield "", f"pulumi_aws has no resource type {token}"
        return
    yield from _unknown(known, inputs, "")


def _unknown(kind: type, inputs: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    names = set(types.input_type_py_to_pulumi_names(kind).values())
    inside = types.input_type_types(kind)
    for key, value in inputs.items():
        if key.startswith("__") or key == _SECRET:
            continue
        if key not in names:
            close = difflib.get_close_matches(key, names, 1, _LEAST_ALIKE)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            yield f"{where}{key}", f"there is no such input{hint}"
        elif (block := _block(inside.get(key))) is not None:
            for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
                if isinstance(one, Mapping):
                    yield from _unknown(block, one, f"{where}{key}.")


def _block(hint: Any) -> type | None:
    """The Args class that a type stands for, through lists and unions; None for what is no block."""
    if isinstance(hint, type) and types.is_input_type(hint):
        return hint
    return next((found for one in get_args(hint) if (found := _block(one)) is not None), None)
