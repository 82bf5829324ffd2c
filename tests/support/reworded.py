"""Every sentence that a program says to people, replaced at once: what it does must be the same.

In the body every error of our rooms reads as one word, and so does each text of each outcome, finding,
standing and reason that is made there. What is left to decide by are the fields.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
from gevent import monkey

import agent
import checks
import deploys
import hft
import inventory
import transport
import transport.redfish  # urllib3 tries a socket where it is first imported: here, not within a test
import tuning
from checks.verdict import Finding
from tests.support.told_texts import TEXTS

ROOMS = (agent, checks, deploys, hft, inventory, transport, tuning)
WORD = "reworded"
PART_OF_A_PLAN = "tuning.plan."  # a plan's whys are in its hash, and held to facts
CODES: dict[type, frozenset[str]] = {Finding: frozenset({"reason"})}  # of a closed list
# They patch this process, or are entry points.
LEFT_OUT = (
    "deploys.pyinfra",
    "deploys.rollout.apply",
    "deploys.engine",
    "deploys.site",
    "deploys.time",
    "checks.conftest",
    "checks.test_hosts",
)


@functools.cache
def modules() -> tuple[ModuleType, ...]:
    """Every module of the rooms that can be imported into a test."""
    found = (
        one.name
        for room in ROOMS
        for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}.", onerror=print)
    )
    wanted = (name for name in found if not name.startswith(LEFT_OUT) and not name.endswith("__main__"))
    return tuple(_imported(name) for name in wanted)


def _imported(name: str) -> ModuleType:
    """A module that leaves this process as it was: one that patches it would hang what runs behind."""
    before = monkey.is_module_patched("threading")
    module = importlib.import_module(name)
    assert monkey.is_module_patched("threading") == before, (
        f"{name} patches this process: it belongs to LEFT_OUT"
    )
    return module


def classes() -> Iterator[type]:
    """The classes that they define."""
    for module in modules():
        yield from (
            one
            for one in vars(module).values()
            if isinstance(one, type) and one.__module__ == module.__name__
        )


def told_by(one: type) -> frozenset[str]:
    """The attributes of a class that are text for people."""
    if issubclass(one, BaseException):
        return TEXTS - {
            name for name in TEXTS if hasattr(one, name)
        }  # what is a property is made of the others
    if not dataclasses.is_dataclass(one) or one.__module__.startswith(PART_OF_A_PLAN):
        return frozenset()
    return frozenset(field.name for field in dataclasses.fields(one)) & TEXTS - CODES.get(one, frozenset())


@contextmanager
def reworded() -> Iterator[None]:
    """In the body nothing says what it said."""
    with pytest.MonkeyPatch.context() as patch:
        for one in classes():
            if issubclass(one, BaseException):
                patch.setattr(one, "__str__", lambda _: WORD)
            if told := told_by(one):
                patch.setattr(one, "__init__", _init(getattr(one, "__init__"), told))  # noqa: B009  # of the class, not of one
        yield


def _init(init: Callable[..., None], told: frozenset[str]) -> Callable[..., None]:
    @functools.wraps(init)
    def made(self: Any, *args: Any, **more: Any) -> None:
        init(self, *args, **more)
        for name in told:
            if isinstance(getattr(self, name, None), str) and getattr(self, name):
                object.__setattr__(self, name, WORD)

    return made
