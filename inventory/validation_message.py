"""Turns pydantic's errors into one sentence: file, line, key, what was expected, the closest name.

pydantic reports a list of locations with machine-readable types. An operator needs the first one in words,
with the host named instead of numbered, and the name closest to what was typed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from inventory.model import Host, Identity, Site, Trial
from inventory.suggest import did_you_mean, nearest

_Location = tuple[str | int, ...]
# pydantic's wording, translated for operators; what is not listed is shown as pydantic words it.
_PLAIN = {
    "string_type": "text",
    "string_too_short": "at least {min_length} character",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "tuple_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "dataclass_type": "a table",
}
_MODELS: dict[str, type[BaseModel]] = {"Site": Site, "Host": Host, "Trial": Trial, "Identity": Identity}


def explain(error: ValidationError, raw: object) -> tuple[str, _Location]:
    """The sentence for the first error (and how many more there are), with its location."""
    findings = error.errors(include_url=False)
    first = min(findings, key=lambda finding: _urgency(finding["type"]))
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return _sentence(first, error.title, raw) + more, first["loc"]


def _urgency(kind: str) -> int:
    # A misspelt key shows up twice, as unknown and as missing: the unknown one tells the operator what to
    # correct.
    return 0 if kind == "extra_forbidden" else 1


def _sentence(finding: ErrorDetails, title: str, raw: object) -> str:
    where, key = _where(finding["loc"], title, raw)
    match finding["type"]:
        case "missing":
            return f"{where}: key {key!r} is missing"
        case "extra_forbidden":
            return f"{where}: unknown key {key!r}{nearest(str(key), _keys_at(finding['loc'], title))}"
        case "sentence":
            # Errors about the whole site, or about all profiles, name their host or profile themselves.
            whole = finding["loc"] in {(), ("profiles",)}
            return (
                finding["msg"] if whole else f"{where}, {_plain(key)}: {finding['msg']}".replace(", :", ":")
            )
        case "value_error":
            expected = str(finding["ctx"]["error"])
            seen = f", got {_shown(finding['input'])}"
        case "literal_error":
            choices = re.findall(r"'([^']*)'", str(finding["ctx"]["expected"]))
            expected = "one of " + ", ".join(choices)
            seen = f", got {_shown(finding['input'])}{_near_choice(finding['input'], choices)}"
        case kind:
            context = finding.get("ctx", {})
            expected = _PLAIN[kind].format(**context) if kind in _PLAIN else finding["msg"]
            seen = f", got {_shown(finding['input'])}"
    place = f"{where}, {_plain(key)}" if key else where
    return f"{place}: expected {expected}{seen}"


def _near_choice(written: object, choices: Sequence[str]) -> str:
    return did_you_mean(written, choices) if isinstance(written, str) else ""


def _shown(value: object) -> str:
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return f"a {type(value).__name__}"
    text = repr(value)
    return f"{text[:60]}{'...' if len(text) > 60 else ''} ({type(value).__name__})"


def _where(location: _Location, title: str, raw: object) -> tuple[str, str | int]:
    """The location in words ("host 'engine-1'") and the key inside it ("ssh_port")."""
    words, inside = [title.lower()] if title in _MODELS else [], raw
    path = [step for step in location if step != "[key]"]
    key = path.pop() if path and isinstance(path[-1], str) else ""
    for step in path:
        inside = _child(inside, step)
        if isinstance(step, int):
            name = inside.get("name") if isinstance(inside, Mapping) else None
            words[-1] = (
                f"{_singular(words[-1])} {name!r}" if name else f"{_singular(words[-1])} number {step + 1}"
            )
        else:
            words.append(_plain(step))
    return ", ".join(words[1:] or words), key


def _plain(key: str | int) -> str:
    """A key fit for a sentence; a mistyped one may hold anything, even a line break."""
    word = str(key)
    return word if re.fullmatch(r"[A-Za-z0-9_. -]*", word) else repr(word)


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _child(inside: object, step: str | int) -> object:
    if isinstance(inside, Mapping):
        return inside.get(step)
    if isinstance(inside, Sequence) and not isinstance(inside, str) and isinstance(step, int):
        return inside[step] if step < len(inside) else None
    return None


def _keys_at(location: _Location, title: str) -> list[str]:
    """The keys allowed at a location, found by walking the models' annotations."""
    here: Any = _MODELS.get(title)
    for step in location[:-1]:
        here = _inner(here, step)
    model = _model_in(here)
    return list(model.model_fields) if model is not None else []


def _inner(here: Any, step: str | int) -> Any:
    """One step down: a model's field, an item of `tuple[X, ...]`, a value of `Mapping[K, V]`."""
    model = _model_in(here)
    if model is not None:
        field = model.model_fields.get(str(step))
        return field.annotation if field is not None else None
    arguments = get_args(here)
    return arguments[0 if isinstance(step, int) else -1] if arguments else None


def _model_in(here: Any) -> type[BaseModel] | None:
    """The model that an annotation stands for (`X`, `X | None`), or None."""
    options = (here,) if isinstance(here, type) else get_args(here) if isinstance(here, UnionType) else ()
    return next((a for a in options if isinstance(a, type) and issubclass(a, BaseModel)), None)
