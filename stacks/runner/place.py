"""Where a stack's project is, and where its state lies.

State is `$HFT_STATE/stacks/SITE`: a file backend, a passphrase, and one work folder for each project. It is
this account's alone, and refused where others may write: the state names Python objects that the next run
unpickles, so whoever can write it can run code. The engine writes beside a project's files, so it works on a
copy of them.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from inventory.state_dir import state_root
from stacks.errors import StackError
from stacks.runner.tools import PACKAGE
from transport.ours import is_ours

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
FILE_MAX = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One project at one site."""

    site: str
    project: str
    source: Path
    root: Path

    @property
    def who(self) -> str:
        """The stack, in a sentence."""
        return f"{self.project} of site {self.site}"

    @property
    def work(self) -> Path:
        """Where the engine runs: the copy of the project."""
        return self.root / "work" / self.project

    @property
    def settings(self) -> Path:
        """The stack's settings, secrets encrypted."""
        return self.work / f"Pulumi.{self.site}.yaml"

    @property
    def checkpoint(self) -> Path:
        """The engine's own state file."""
        return self.root / "backend/.pulumi/stacks" / self.project / f"{self.site}.json"

    @property
    def locks(self) -> Path:
        """Where the engine's locks on this stack lie."""
        return self.root / "backend/.pulumi/locks/organization" / self.project / self.site

    @property
    def record(self) -> Path:
        """What the runner remembers of the last run."""
        return self.root / f"{self.project}.last.json"

    @property
    def approvals(self) -> Path:
        """The digests of the plans whose approval has been used."""
        return self.root / f"{self.project}.approvals"

    @property
    def copy(self) -> Path:
        """The engine's own copy of the state before its last write."""
        return self.checkpoint.with_name(f"{self.checkpoint.name}.bak")


def shipped() -> dict[str, Path]:
    """The projects that come with this release."""
    return {path.parent.name: path.parent for path in sorted(PACKAGE.glob("*/Pulumi.yaml"))}


def place_of(project: str, site: str) -> Place:
    """The place of a project, by its name or its folder; StackError for a name that is none."""
    if not NAME.fullmatch(site):
        raise StackError(f"--site {site!r}: use 1 to 64 of letters, digits, '.', '_' and '-'")
    known = shipped()
    source = known.get(project) or Path(project).absolute()
    if not (source / "Pulumi.yaml").is_file():
        raise StackError(f"{project}: no folder with a Pulumi.yaml; projects here: {', '.join(known)}")
    name = read_yaml(source / "Pulumi.yaml").get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise StackError(f"{source / 'Pulumi.yaml'}: no usable name in it")
    return Place(site=site, project=name, source=source, root=state_root().absolute() / "stacks" / site)


def make_ready(place: Place, settings: Path | None = None) -> None:
    """Create what is missing, and bring the copy of the project up to date; StackError when that cannot be.

    SETTINGS are the stack's from now on; by default what the project ships for the site, else the last ones.
    """
    try:
        for folder in (place.root, place.root / "backend", place.root / "home", place.work):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not is_ours(folder):
                raise StackError(f"{folder}: others may write there; hint: look who, and chmod go-w it")
        passphrase = place.root / "passphrase"
        if not passphrase.exists():
            with os.fdopen(os.open(passphrase, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
        _copy(place, settings)
    except OSError as error:
        raise StackError(f"{error.filename}: {error.strerror}; hint: HFT_STATE moves the state") from error


def _copy(place: Place, settings: Path | None) -> None:
    for path in sorted(place.source.iterdir()):
        if path.is_file() and not path.match("Pulumi.*.yaml"):
            shutil.copyfile(path, place.work / path.name)
    shipped_settings = place.source / place.settings.name
    chosen = settings or (shipped_settings if shipped_settings.exists() else None)
    if chosen is not None:
        had = read_yaml(place.settings) if place.settings.exists() else {}
        merged = merge_settings(had, read_yaml(chosen))
        aside = place.settings.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            yaml.safe_dump(merged, file)
        aside.replace(place.settings)


def merge_settings(had: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's settings: those GIVEN, with the secrets that were set on what it HAD, and their salt."""
    if "encryptionsalt" in given or "encryptionsalt" not in had:
        return dict(given)
    kept = {key: value for key, value in had.get("config", {}).items() if isinstance(value, dict)}
    return {
        **given,
        "encryptionsalt": had["encryptionsalt"],
        "config": {**kept, **(given.get("config") or {})},
    }


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; StackError with one sentence for anything else."""
    try:
        with path.open("rb") as file:
            found = yaml.safe_load(file.read(FILE_MAX))
    except OSError as error:
        raise StackError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise StackError(f"{path}: not YAML: {said}") from error
    if not isinstance(found, dict) or not isinstance(found.get("config", {}), dict):
        raise StackError(f"{path}: expected a mapping of settings, with one below `config`")
    return found
