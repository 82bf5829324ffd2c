"""Whatever is done to a good inventory, the answer is a site or one sentence, never another exception."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inventory.errors import InventoryError
from inventory.load import DEFAULT, load_site
from inventory.model import Site

EXAMPLE = DEFAULT.with_name("example.toml").read_text()
KEYS = ("name", "hosts", "address", "ssh_port", "role", "profiles", "trials", "identity", "canary", "zzz")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(KEYS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
BASE: dict[str, Any] = {
    "name": "rack",
    "trials": {"bare-metal": {"confirm_gap_s": 30}},
    "profiles": {"fast": {"engine_threads_most": 2}},
    "hosts": [
        {"name": "e1", "address": "192.0.2.1", "role": "engine", "failure_domain": "a", "profile": "fast"},
        {
            "name": "e2",
            "address": "e2.example.net",
            "role": "engine",
            "failure_domain": "b",
            "identity": {
                "host_keys": [
                    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPYyCqUD3JSbrVpQwV0Y9bLhHoRr2VvHbXGZuFJ3QmZk"
                ],
                "machine_id": "1" * 32,
                "macs": ["52:54:00:00:00:01"],
            },
        },
    ],
}


def places(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [here]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in items:
        found += places(inner, (*here, step))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """BASE with up to three places replaced, removed, renamed or given one more entry."""
    holder: dict[str, Any] = {"root": copy.deepcopy(BASE)}
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(holder["root"])))
        inside: Any = holder
        for step in ("root", *path)[:-1]:
            inside = inside[step]
        last = ("root", *path)[-1]
        match draw(st.sampled_from(["replace", "remove", "add"])):
            case "remove" if path:
                del inside[last]
            case "add" if isinstance(inside[last], dict):
                inside[last][draw(st.sampled_from(KEYS) | st.text(max_size=5))] = draw(VALUES)
            case _:
                inside[last] = draw(VALUES)
    return holder["root"]


def assert_site_or_one_sentence(path: Path) -> None:
    try:
        assert isinstance(load_site(path), Site)
    except InventoryError as error:
        sentence = str(error)
        assert sentence.startswith(str(path))
        assert "\n" not in sentence
        assert len(sentence) < 1500
        assert "pydantic" not in sentence


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=mutated())
def test_mutated_values_load_or_are_one_sentence(tmp_path: Path, value: object) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(value))
    assert_site_or_one_sentence(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, len(EXAMPLE)), length=st.integers(0, 30), text=st.text(max_size=10))
def test_mutated_text_loads_or_is_one_sentence(tmp_path: Path, start: int, length: int, text: str) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes((EXAMPLE[:start] + text + EXAMPLE[start + length :]).encode("utf-8", "surrogatepass"))
    assert_site_or_one_sentence(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200))
@pytest.mark.parametrize("name", ["site.toml", "site.json", "site.yaml"])
def test_any_bytes_are_one_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert_site_or_one_sentence(path)
