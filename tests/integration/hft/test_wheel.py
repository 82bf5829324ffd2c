"""The wheel holds all that the pages promise: built here offline, installed apart, used from there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.cases.machines import CASES, machine
from tests.integration.hft.conftest import pinned
from tests.support.checkout import ROOT, tracked
from tests.support.commands import Done

pytestmark = pytest.mark.long

# A checkout alone has these: what tests, builds the bundle, or measures beside other tools.
NOT_SHIPPED = {"tests", "bench", "scripts"}
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE")


def run(installed: Path, folder: Path, *words: object) -> Done:
    """A program of that installation, from a folder that is no checkout."""
    argv = [sys.executable, *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_every_file_of_a_room_and_every_page_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    files = {str(path.relative_to(ROOT)) for path in tracked()}
    rooms = {name.split("/")[0] for name in files if name.endswith("/__init__.py")} - NOT_SHIPPED
    missing = [name for name in files if name.split("/")[0] in rooms and name not in names]
    assert not missing
    assert {"deploys/templates/sysctl.conf.j2", "checks/facts.sh", "checks/meter.c"} <= names
    pages = {*PAGES, *(name for name in files if name.startswith("docs/"))}
    data = "hft_infra-0.1.0.data/data/share/doc/hft-infra"
    assert {f"{data}/{page}" for page in pages} <= names, "links between pages hold there"
    assert not [name for name in names if name.split("/")[0] in NOT_SHIPPED]


def test_hft_runs_from_it(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import hft, agent; print(hft.__file__, agent.__file__)")
    assert where.stdout.count(str(installed)) == 2, "it is not the checkout that is tried"
    program = installed / "bin/hft"
    for words in (("--help",), ("doctor",), ("doctor", "--json"), ("init", "site"), ("gate",)):
        done = run(installed, tmp_path, program, *words)
        assert done.returncode == 0, done.stderr
    (tmp_path / "tree/proc").mkdir(parents=True)
    planned = run(installed, tmp_path, program, "plan", "--tree", "tree")
    assert (planned.returncode, "Traceback" in planned.stderr) == (2, False), planned.stderr
    made = run(installed, tmp_path, "-m", "agent.install.build", "-o", "agent.pyz")
    assert made.returncode == 0, made.stderr


RENDER = """
import sys
from pathlib import Path
from deploys.tune.render import render
from tuning.plan.plan import Plan
print(len(render(Plan.from_json(Path(sys.argv[1]).read_text()), standins=False)))
"""


def test_a_host_is_planned_and_its_files_are_rendered_from_it(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(machine(CASES["lab-rt"]).to_json())
    made = run(installed, tmp_path, installed / "bin/hft", "plan", "--snapshot", "host.json", "--json")
    assert made.returncode == 0, made.stderr
    (tmp_path / "plan.json").write_text(made.stdout)
    done = run(installed, tmp_path, "-c", RENDER, "plan.json")
    assert (done.returncode, int(done.stdout or 0) > 3) == (0, True), done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's repository, with packages that are called as ours; it is first on the path."""
    folder = tmp_path / "theirs"
    for name in ("inventory", "checks", "deploys", "tuning", "transport", "agent"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("WHOSE = 'theirs'\n")
    (folder / "test_theirs.py").write_text(
        "import checks, inventory\n\n"
        "def test_whose():\n    assert (checks.WHOSE, inventory.WHOSE) == ('theirs', 'theirs')\n"
    )
    return folder


def test_a_repository_with_packages_of_these_names_breaks_nothing(installed: Path, repository: Path) -> None:
    """Neither it us, with itself on the path, nor we it: its own pytest loads our plugin and its own."""
    environment = {**os.environ, "PYTHONPATH": f"{repository}:{installed}", "PYTEST_ADDOPTS": ""}

    def begun(*argv: object) -> Done:
        words = [sys.executable, *map(str, argv)]
        return subprocess.run(
            words, cwd=repository, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    for words in (("doctor",), ("init", "site"), ("host", "list", "--inventory", "site/inventory.py")):
        done = begun("-m", "hft", *words)
        assert done.returncode == 0, done.stderr
    theirs = begun("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py")
    assert theirs.returncode == 0, theirs.stdout + theirs.stderr
    assert "--config-only" in begun("-m", "pytest", "--help").stdout, "the plugin was loaded"


def test_it_says_what_it_was_built_from(installed: Path, tmp_path: Path) -> None:
    said = run(installed, tmp_path, installed / "bin/hft", "--version").stdout
    assert re.search(r"^commit: [0-9a-f]{12}(-dirty)?$", said, re.M), said
    assert f"from: {installed}" in said
    explained = run(installed, tmp_path, installed / "bin/hft", "explain", "irq_on_isolated")
    assert "docs/verdicts.md" in explained.stdout, explained.stderr


def test_plain_pytest_checks_hosts_from_it(installed: Path, loopback: Any, tmp_path: Path) -> None:
    words = ("-m", "pytest", "--pyargs", "checks", "--inventory")
    done = run(installed, tmp_path, *words, pinned(loopback).inventory.name, "--config-only")
    assert "no_plan" in done.stdout, done.stdout + done.stderr
    assert str(ROOT) not in done.stdout.replace(sys.executable, "")
    wrong = run(installed, tmp_path, *words, "nosuch.toml")
    assert "nosuch.toml: no such file" in wrong.stdout + wrong.stderr
