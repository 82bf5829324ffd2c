"""Profiles of a site, besides the built-in `engine`: what it wants of its hosts, in numbers, never in CPUs.

A site file may hold `profiles`, a table by name. The rules of a profile are the planner's
(tuning.plan.profile); this module only gives a table its name and turns the planner's refusals into errors
with a location.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic_core import PydanticCustomError

from tuning.errors import ProfileError
from tuning.plan.profile import PROFILES, Profile


def sentence(text: str) -> PydanticCustomError:
    """An error whose text is already the sentence to show (see inventory.validation_message)."""
    return PydanticCustomError("sentence", "{text}", {"text": text})


def named_profiles(value: object) -> object:
    """Every table of the mapping as a Profile of that name; other shapes are left for pydantic to refuse."""
    if not isinstance(value, Mapping):
        return value
    return {name: _profile(name, wishes) for name, wishes in value.items()}


def _profile(name: object, wishes: object) -> object:
    if name in PROFILES:
        raise sentence(f"profile {name!r} is built in; give yours a different name")
    if isinstance(wishes, Profile):
        if wishes.name != name:
            raise sentence(f"profile {name!r} has the name {wishes.name!r}; the two must be the same")
        return wishes
    if not isinstance(wishes, Mapping):
        return wishes
    try:
        return _profile(name, Profile.from_mapping({"name": name, **wishes}))
    except ProfileError as error:
        raise sentence(f"profile {name!r}: {error.fault}") from error
