"""What an ops host installs is what runs, under a licence that is on a list; the bill says the same."""

from __future__ import annotations

import json
import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

from tests.support import needs
from tests.support.checkout import ROOT, tracked
from tests.support.locks import (
    BILL,
    DEV,
    PROGRAMS,
    RUNTIME,
    STACKS,
    bill,
    blocks,
    closure,
    extra_names,
    is_allowed,
    licence,
    project,
    runtime_names,
    versions,
)


def test_the_runtime_lock_has_what_runs_and_nothing_else() -> None:
    assert set(versions(RUNTIME)) == runtime_names()


def test_the_development_lock_has_what_a_checkout_adds() -> None:
    assert set(versions(DEV)) == extra_names("dev")


@needs.stacks()
def test_the_lock_of_the_stacks_has_what_they_add() -> None:
    assert set(versions(STACKS)) == extra_names("stacks")


def test_what_is_in_two_locks_has_one_version() -> None:
    dev, stacks = versions(DEV), versions(STACKS)
    assert {name: dev[name] for name in dev.keys() & stacks.keys()}.items() <= stacks.items()


def test_what_is_installed_is_what_is_locked() -> None:
    locked = {**versions(RUNTIME), **versions(DEV)}
    assert {name: distribution(name).version for name in locked} == locked


@needs.stacks()
def test_what_is_installed_for_the_stacks_is_what_is_locked() -> None:
    locked = versions(STACKS)
    assert {name: distribution(name).version for name in locked} == locked


def test_every_licence_of_the_runtime_lock_is_on_the_list() -> None:
    found = {name: licence(distribution(name)) for name in versions(RUNTIME).keys() - PROGRAMS}
    assert not {name: expression for name, expression in found.items() if not is_allowed(expression)}


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT AND PSF-2.0", True),
        ("GPL-3.0-or-later OR MIT", True),
        ("GPL-3.0-or-later", False),
        ("MIT AND GPL-3.0-only", False),
        ("UNKNOWN", False),
    ],
)
def test_an_expression_is_read_as_spdx_has_it(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


def test_a_program_under_another_licence_is_imported_by_nobody() -> None:
    assert {"ansible-core"} == PROGRAMS
    imported = re.compile(r"^\s*(?:import|from) ansible(?:\.|\s)", re.M)
    assert imported.search("from ansible.module_utils import basic\n")
    assert not [path for path in tracked("*.py") if imported.search(path.read_text())]


def test_tools_of_the_bench_stay_off_ops_hosts() -> None:
    tools = closure(project()["optional-dependencies"]["dev"])
    assert "matplotlib" in tools
    assert not {"matplotlib", "hypothesis", "nasdaq-protocols"} & set(versions(RUNTIME))


def test_the_bill_of_materials_is_current() -> None:
    assert BILL.read_text() == bill(), "run: python -m tests.support.locks (its docstring says how)"
    listed = {one["name"]: one["version"] for one in json.loads(BILL.read_text())["components"]}
    assert listed == versions(RUNTIME)


def test_setup_installs_the_runtime_lock_unless_development_is_asked_for() -> None:
    script = (ROOT / "scripts" / "setup.sh").read_text()
    assert "locks=(requirements.lock)" in script
    assert (
        "  '' | wall) ;;\n"
        "  stacks) locks+=(requirements-stacks.lock) ;;\n"
        "  *) locks+=(requirements-dev.lock) ;;" in script
    )
    make = (ROOT / "Makefile").read_text()
    given = {
        line.partition(":")[0]: line.partition(":")[2].split("##")[0].split() for line in make.splitlines()
    }
    assert given["demo"] == ["setup"]
    assert given["test"] == ["setup-engine", "setup-stacks"]
    for target in ("engine", "bench", "drill-engine", "fuzz"):
        assert given[target] == ["setup-engine"]
    for target in ("docs", "drill", "lint"):
        assert given[target] == ["setup-dev"]


def test_what_only_a_newer_python_needs_is_not_wanted_of_an_older_one(tmp_path: Path) -> None:
    lock = tmp_path / "some.lock"
    entry = 'one==1.0 ; python_version {} "{}" \\\n    --hash=sha256:' + "0" * 64 + "\n"
    lock.write_text(entry.format(">=", "3.99") + entry.format(">=", "3.0").replace("one", "two"))
    assert versions(lock) == {"two": "1.0"}
    assert blocks(lock.read_text()).keys() == {"one", "two"}
