"""The documents' site: built strictly, whole, and of files that lie in it."""

from __future__ import annotations

import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.checkout import ROOT

pytestmark = pytest.mark.long
LOADED = frozenset({"audio", "embed", "iframe", "img", "link", "object", "script", "source", "video"})


class _Page(HTMLParser):
    """What a page loads, where its links lead, and what may be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        to = [given[name] for name in ("href", "src", "data", "srcset") if name in given]
        if tag in LOADED:
            self.loads += to
        elif tag == "a":
            self.links += to


def test_it_builds_strictly_and_nothing_in_it_leads_nowhere_or_elsewhere(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    site = tmp_path / "site"
    pages = {path: _Page() for path in site.rglob("*.html") if path.name != "404.html"}
    for path, page in pages.items():
        page.feed(path.read_text())
    assert {"index.html", "commands/apply.html", "exit-codes.html", "runbooks/failover.html"} <= {
        str(path.relative_to(site)) for path in pages
    }
    wrong = [(path.name, one) for path, page in pages.items() for one in page.loads if urlsplit(one).netloc]
    for path, page in pages.items():
        for one in (*page.loads, *page.links):
            parts = urlsplit(one)
            if parts.scheme or parts.netloc:
                continue
            aimed = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not aimed.exists() or (parts.fragment and unquote(parts.fragment) not in pages[aimed].ids):
                wrong.append((path.name, one))
    assert not wrong
    sheets = "".join(path.read_text() for path in site.rglob("*.css"))
    assert "url(http" not in sheets and "@import" not in sheets
    assert "<!-- test:" not in "".join(path.read_text() for path in pages)
