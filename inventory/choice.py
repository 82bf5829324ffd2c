"""Which inventory a command is about: the first that says so, from the nearest to the farthest.

`--lab` or `--inventory PATH`; `$HFT_INVENTORY`; `$HFT_LAB`, which names a lab; a file `hft.toml` in the
working directory or the nearest above it; what `hft site use` wrote; and where nobody says anything, the lab.

An inventory may be a program, so whoever writes an `hft.toml` runs it as us: one that belongs to somebody
else than this account or root, or that everybody may write, is refused by name (as Git refuses a foreign
repository, `safe.directory` of git-config(1)).
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from inventory.bounded import read_bounded, reason_of
from inventory.errors import InventoryError
from inventory.suggest import nearest
from transport.places import config_home
from tuning.strict_json import bounded

FILE = "hft.toml"
KEYS = ("inventory",)
SIZE_MAX, VALUES_MAX = 64 << 10, 100
_WORLD = stat.S_IWOTH


class Source(StrEnum):
    """Who said which inventory it is."""

    LAB = "--lab"
    GIVEN = "--inventory"
    ENVIRONMENT = "$HFT_INVENTORY"
    ENVIRONMENT_LAB = "$HFT_LAB"
    FOLDER = "hft.toml"
    USED = "hft site use"
    NOBODY = "nothing else is configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An inventory, and who chose it; None is the lab of this machine."""

    path: Path | None
    source: Source
    file: Path | None = None  # the hft.toml, or what `hft site use` wrote

    @property
    def sentence(self) -> str:
        """`/srv/rack/site.toml, by /srv/rack/hft.toml`."""
        return f"{self.path or 'the lab'}, by {self.file or self.source}"


def used_file() -> Path:
    """Where `hft site use` writes the choice of this account."""
    return config_home() / "hft" / "site.toml"


def choose(given: str | os.PathLike[str] | None = None, *, lab: bool = False) -> Choice:
    """The inventory of this command; raises InventoryError for a file that cannot be used as written."""
    if lab:
        return Choice(path=None, source=Source.LAB)
    if given is not None:
        return Choice(path=Path(given).expanduser(), source=Source.GIVEN)
    return _by_environment() or _by_file() or Choice(path=None, source=Source.NOBODY)


def _by_environment() -> Choice | None:
    if named := os.environ.get("HFT_INVENTORY"):
        return Choice(path=Path(named).expanduser(), source=Source.ENVIRONMENT)
    return Choice(path=None, source=Source.ENVIRONMENT_LAB) if os.environ.get("HFT_LAB") else None


def _by_file() -> Choice | None:
    if (folder := _folder_file()) is not None:
        return Choice(path=read_choice(folder), source=Source.FOLDER, file=folder)
    used = used_file()
    if not (used.exists() or used.is_symlink()):  # a link that leads nowhere is a choice that was made
        return None
    return Choice(path=read_choice(used), source=Source.USED, file=used)


def _folder_file() -> Path | None:
    """The nearest hft.toml, from the working directory upward."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the directory was removed under us
        return None
    candidates = (folder / FILE for folder in (here, *here.parents))
    return next((path for path in candidates if path.is_file() or path.is_symlink()), None)


def read_choice(file: Path) -> Path:
    """The inventory that FILE names, absolute; a relative one begins where FILE is."""
    try:
        seen = file.stat()
        if seen.st_uid not in (os.geteuid(), 0) or seen.st_mode & _WORLD:
            whose = "everybody may write it" if seen.st_mode & _WORLD else f"it belongs to uid {seen.st_uid}"
            raise InventoryError(
                f"{file}: {whose}, and what it names may be a program; hint: name the inventory yourself, "
                "with --inventory PATH or HFT_INVENTORY"
            )
        text = read_bounded(file, SIZE_MAX).decode("utf-8-sig")
        data = bounded(tomllib.loads(text), values_max=VALUES_MAX)
    except OSError as error:
        raise InventoryError(f"{file}: cannot be read: {reason_of(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InventoryError(f"{file}: not TOML: {str(error)[:200]}") from error
    path = (file.parent / _named(file, data)).absolute()
    if not path.exists():
        way = "correct it there" if file.name == FILE else "hft site use PATH"
        raise InventoryError(f"{file}: names {path}, and there is no such file; hint: {way}")
    return path


def _named(file: Path, data: object) -> Path:
    table = data if isinstance(data, Mapping) else {}
    for key in table:
        if key not in KEYS:
            raise InventoryError(f"{file}: there is no key {key!r} in it{nearest(str(key), KEYS)}")
    found = table.get("inventory")
    if not isinstance(found, str) or not found or "\x00" in found:
        raise InventoryError(f'{file}: expected inventory = "PATH", got {found!r:.80}')
    return Path(found).expanduser()


def text_of(path: Path) -> str:
    """The text of a file that chooses PATH (TOML's basic string is JSON's, but for DEL)."""
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\\x7f' else c for c in str(path))
    return f'inventory = "{escaped}"\n'
