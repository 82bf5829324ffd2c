"""A number is a number in every document that a person writes: no text, no truth, nothing infinite."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from engine.contract import canonical, config, manifest
from inventory import model
from transport.sanitize import printable
from tuning import strict_json

MODULES = (model, manifest, config)
NUMBER = re.compile(r"\b(int|float)\b")


def fields() -> list[tuple[str, type[BaseModel], str]]:
    """Every field of these documents that is a number, or a number or nothing."""
    found = []
    for module in MODULES:
        for one in vars(module).values():
            if (
                not isinstance(one, type)
                or not issubclass(one, BaseModel)
                or one.__module__ != module.__name__
            ):
                continue
            for name, info in one.model_fields.items():
                told = str(info.annotation)
                if NUMBER.search(told) and not re.search(r"str|bool|Literal|tuple|list|dict|frozenset", told):
                    found.append((f"{one.__name__}.{name}", one, name))
    return found


FIELDS = fields()


@pytest.mark.parametrize(("where", "document", "name"), FIELDS, ids=[one[0] for one in FIELDS])
def test_a_number_is_no_text_and_no_truth(where: str, document: type[BaseModel], name: str) -> None:
    validate: Any = document.__pydantic_validator__.validate_python
    wrongs: tuple[object, ...] = (True, False, "5", "1.0", float("nan"), float("inf"), [5], {})
    for wrong in wrongs:
        with pytest.raises(ValidationError, match=name) as caught:
            validate({name: wrong})
        wheres = [one["loc"][0] for one in caught.value.errors()]
        assert name in wheres, f"{where} took {wrong!r}"


def test_enough_fields_are_tried() -> None:
    assert len(FIELDS) > 15


@pytest.mark.parametrize("text", ["1e999", "-1e999", "1.0e400", "NaN", "Infinity", "-Infinity"])
def test_what_no_double_holds_is_no_number_in_either_strict_reader(text: str) -> None:
    for document in (text, f'{{"a":{text}}}', f"[[{text}]]"):
        with pytest.raises(ValueError, match="number"):
            strict_json.parse(document)
        with pytest.raises(ValueError, match="number"):
            canonical.parse(document)
    assert strict_json.parse("[1.5,1e30]") == canonical.parse("[1.5,1e30]") == [1.5, 1e30]


def test_what_ends_a_line_for_a_program_ends_none_of_ours() -> None:
    ends = "".join(chr(code) for code in range(0x110000) if len(f"a{chr(code)}b".splitlines()) > 1)
    shown = printable(f"a{ends}b")
    assert shown.replace("\n", "") == "ab"
    assert len(shown.splitlines()) == 2
