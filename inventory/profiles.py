"""Profiles a person wrote, beside `engine` which ships: what a site wants of its hosts, in numbers, never in
CPUs.

A site file may hold `profiles`, a table by name. The rules of a profile live with the planner
(tuning.profile); this module only gives a table its name and turns what the planner refuses into a finding
with a place.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import PydanticCustomError

from tuning.errors import ProfileError
from tuning.profile import PROFILES, Profile


def sentence(text: str) -> PydanticCustomError:
    """A finding that is already the sentence to show (see inventory.explain)."""
    return PydanticCustomError("sentence", "{text}", {"text": text})


def named_profiles(value: object) -> object:
    """Every table of the mapping as a Profile of that name; other shapes are left for pydantic to refuse."""
    if not isinstance(value, Mapping):
        return value
    return {name: _profile(name, wishes) for name, wishes in value.items()}


def _profile(name: object, wishes: object) -> object:
    if name in PROFILES:
        raise sentence(f"profile {name!r} ships with the planner; give yours another name")
    if isinstance(wishes, Profile):
        if wishes.name != name:
            raise sentence(f"profile {name!r} calls itself {wishes.name!r}; the two names must be the same")
        return wishes
    if not isinstance(wishes, Mapping):
        return wishes
    try:
        return _profile(name, Profile.from_mapping({"name": name, **wishes}))
    except ProfileError as error:
        said = str(error).removeprefix(f"profile {name}: ").removeprefix("profile: ")
        raise sentence(f"profile {name!r}: {said}") from error
