"""What a page of the documents has that others may point to, and what it points to itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.M | re.S)
_HEADING = re.compile(r"^#{1,6} +(.+?)(?: +#+)?$", re.M)
_LINK = re.compile(r"(?<!!)\[(?P<text>(?:[^][]|\[[^]]*\])*)\]\((?P<target>[^()\s]+)\)")
_IN_CODE = re.compile(r"`[^`\n]+`")


def slug(heading: str, separator: str = "-") -> str:
    """The anchor of a heading, as the forges make it: lower case, no punctuation, a sign for each space.

    Source: the anchors that GitHub and GitLab document for Markdown. SEPARATOR is Python-Markdown's argument.
    """
    kept = re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]+>", "", heading).strip().lower())
    return kept.replace(" ", separator)


@cache
def anchors(page: Path) -> frozenset[str]:
    """What `page.md#...` may name: one for each heading, numbered where two read alike."""
    found: list[str] = []
    for heading in _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        base = slug(re.sub(_LINK, r"\g<text>", heading.replace("`", "")))
        again = sum(one == base or one.startswith(f"{base}#") for one in found)
        found.append(f"{base}#{again}" if again else base)
    return frozenset(one.replace("#", "-") for one in found)


def links(text: str) -> Iterator[re.Match[str]]:
    """Every link of a page's text, with the groups `text` and `target`; examples in code are none."""
    code = [match.span() for match in (*_FENCE.finditer(text), *_IN_CODE.finditer(text))]
    for match in _LINK.finditer(text):
        if not any(start < match.start() < end for start, end in code):
            yield match


def dead_links(page: Path) -> list[str]:
    """Targets of PAGE that are not there: a file or folder, or an anchor of a page."""
    dead = []
    for match in links(page.read_text(encoding="utf-8")):
        name, _, anchor = match["target"].partition("#")
        place = page.parent / name if name else page
        is_page = place.suffix == ".md" and place.is_file()
        if "://" not in name and (
            not place.exists() or (anchor and not (is_page and anchor in anchors(place)))
        ):
            dead.append(match["target"])
    return dead


def glued_lists(page: Path) -> list[int]:
    """Lines where a list begins right below a paragraph: Markdown proper goes on with the paragraph there."""
    text = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), page.read_text(encoding="utf-8"))
    glued = re.compile(r"^(?![-*] |\d+\. |[#|>\s]).+\n(?=[-*] |\d+\. )", re.M)
    return [text.count("\n", 0, match.end()) + 1 for match in glued.finditer(text)]
