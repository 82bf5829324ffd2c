"""The tables of our own pages, as a program reads them: what a setting, a reason, a code or a verdict is.

The pages come with the program: below `docs` of a checkout, below `share/doc/hft-infra` of an installation.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from hft.errors import Exit, HftError

PAGES = ("verdicts.md", "refusals.md", "ci.md", "settings.md", "glossary.md")
NAMES = ("name", "key")  # titles
_SPLIT = re.compile(r"(?<!\\)\|")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row of a table: the words that it is found by, its cells by title, and where it stands."""

    names: tuple[str, ...]
    cells: Mapping[str, str]
    page: str
    section: str

    @property
    def source(self) -> str:
        """`docs/verdicts.md, Violated`."""
        return f"docs/{self.page}, {self.section}"


def folder() -> Path:
    """Where the pages are; HftError when they did not come with this installation."""
    root = Path(__file__).resolve().parents[1]
    places = (
        root / "docs",
        root / "share/doc/hft-infra/docs",
        Path(sysconfig.get_path("data")) / "share/doc/hft-infra/docs",
    )
    for place in places:
        if (place / PAGES[0]).is_file():
            return place
    tried = ", ".join(str(place) for place in places)
    raise HftError(Exit.INTERNAL, f"the pages are not in this installation (looked for them in {tried})")


def entries(pages: Path) -> list[Entry]:
    """Every row of every page that explains a word."""
    return [row for name in PAGES for row in rows_of(name, (pages / name).read_text(encoding="utf-8"))]


def rows_of(page: str, text: str) -> Iterator[Entry]:
    """The rows of the tables of one page."""
    section, titles = page, None
    for line in text.splitlines():
        if line.startswith("#"):
            section, titles = line.lstrip("# "), None
        elif not line.startswith("|"):
            titles = None
        elif titles is None:
            titles = _cells(line)
        elif set(line) - set("|-: "):
            cells = dict(zip(titles, _cells(line), strict=False))
            yield Entry(names=tuple(_names(cells)), cells=cells, page=page, section=section)


def find(found: list[Entry], word: str) -> list[Entry]:
    """The rows about WORD, however it is written; a key that a host completes is found by its pattern."""
    wanted = _plain(word)
    exact = [entry for entry in found if wanted and wanted in map(_plain, entry.names)]
    return exact or [
        entry
        for entry in found
        if any("*" in name and fnmatchcase(wanted, _plain(name)) for name in entry.names)
    ]


def _names(cells: Mapping[str, str]) -> Iterator[str]:
    """What a row is about: its first cell, and what the table calls its name or its key of the plan."""
    for number, (title, cell) in enumerate(cells.items()):
        if number == 0 or title in NAMES:
            yield from re.findall(r"`([^`]+)`", cell)
            yield cell.replace("`", "")


def _plain(word: str) -> str:
    return " ".join(word.lower().replace("_", " ").replace("-", " ").split())


def _cells(line: str) -> list[str]:
    cells = [cell.strip().replace("\\|", "|") for cell in _SPLIT.split(line.strip().strip("|"))]
    return [_LINK.sub(r"\1", cell) for cell in cells]
