"""What may go on with another version's state, and which versions work together."""

from __future__ import annotations

import pytest

from tests.support import needs

pytest.importorskip("semver", reason="Pulumi's Python packages are not installed: make setup-stacks")
from stacks.runner.versions import moved, unlike

pytestmark = needs.stacks()

WROTE = {"engine": "3.274.1", "sdk": "3.272.0", "python": "3.11.2"}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({}, ""),
        ({"engine": "3.274.0", "sdk": "3.272.9", "python": "3.11.9"}, ""),
        ({"engine": "3.300.0", "sdk": "3.280.0"}, ""),
        ({"engine": "v3.274.1"}, ""),
        ({"engine": "3.273.9"}, "its state was written by Pulumi 3.274.1, and this is the older 3.273.9"),
        ({"sdk": "3.271.0"}, "written by the Pulumi SDK 3.272.0, and this is the older 3.271.0"),
        ({"python": "3.12.0"}, "its state was written under Python 3.11.2, and this is 3.12.0"),
        ({"python": "3.10.9"}, "under Python 3.11.2, and this is 3.10.9"),
    ],
)
def test_a_state_is_gone_on_with_by_the_same_or_a_newer_engine_under_the_same_python(
    now: dict[str, str], said: str
) -> None:
    found = moved(WROTE, {**WROTE, **now})
    assert said in found
    assert bool(said) is bool(found)


def test_what_is_not_known_is_no_reason() -> None:
    assert moved({}, WROTE) == ""
    assert moved({"engine": "dev", "python": ""}, WROTE) == ""


@pytest.mark.parametrize(
    ("engine", "sdk", "host", "said"),
    [
        ("3.274.1", "3.272.0", "", ""),
        ("3.274.1", "3.272.0", "3.274.0", ""),
        ("4.0.0", "3.272.0", "", "the engine is Pulumi 4.0.0, and the Python packages are Pulumi 3.272.0"),
        ("3.274.1", "3.272.0", "3.150.0", "its language host is of Pulumi 3.150.0"),
        ("3.274.1", "3.272.0", "v3.275.0", "its language host is of Pulumi v3.275.0"),
    ],
)
def test_engine_packages_and_language_host_are_of_one_release(
    engine: str, sdk: str, host: str, said: str
) -> None:
    found = unlike(engine, sdk, host)
    assert said in found
    assert bool(said) is bool(found)
