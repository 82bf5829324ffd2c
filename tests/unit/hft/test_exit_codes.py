"""Exit codes: the table names classes that exist, covers every room, and is what docs/ci.md lists."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from hft.errors import EXIT_BY_CLASS, Exit
from tests.support.checkout import ROOT

# The agent has exit codes of its own on the host; its errors never reach the hall.
ROOMS = ("checks", "deploys", "inventory", "lab", "tuning")


@pytest.mark.parametrize("name", EXIT_BY_CLASS)
def test_table_names_a_class_that_exists(name: str) -> None:
    module, _, cls = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), cls), Exception)


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_of_a_room_has_an_exit_code(room: str) -> None:
    module = importlib.import_module(f"{room}.errors")
    for _, cls in inspect.getmembers(module, inspect.isclass):
        if issubclass(cls, Exception) and cls.__module__ == module.__name__:
            names = {f"{base.__module__}.{base.__qualname__}" for base in cls.__mro__}
            assert names & EXIT_BY_CLASS.keys(), f"{cls.__qualname__} would end as an internal error"


def test_document_lists_the_codes_as_they_are() -> None:
    page = (ROOT / "docs/ci.md").read_text()
    listed = {int(code): name for code, name in re.findall(r"^\| (\d+) \| ([a-z ]+) \|", page, re.MULTILINE)}
    words = {Exit.PENDING: "changes pending"}
    assert listed == {int(code): words.get(code, code.name.lower().replace("_", " ")) for code in Exit}
