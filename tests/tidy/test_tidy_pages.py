"""The documents hold together, told without building their site: links, anchors, lists, navigation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.checkout import ROOT, tracked
from tests.support.doc_pages import anchors, dead_links, glued_lists, links
from tests.support.docs_site import (
    BESIDE,
    CODES,
    COMMANDS,
    SCHEMAS,
    command_pages,
    exit_codes,
    for_site,
    schemas,
)

KINDS = ("Start", "Tutorial", "How to", "Reference", "Explanation")


def test_links_and_anchors_lead_somewhere() -> None:
    dead = {str(page.relative_to(ROOT)): found for page in tracked("*.md") if (found := dead_links(page))}
    assert not dead


def test_lists_are_lists_for_every_reader_of_markdown() -> None:
    glued = {str(page.relative_to(ROOT)): found for page in tracked("*.md") if (found := glued_lists(page))}
    assert not glued, "an empty line goes before a list"


def test_the_navigation_has_every_page_once_in_one_of_its_kinds() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
    assert tuple(next(iter(section)) for section in nav) == KINDS
    named = sorted(leaves(nav))
    pages = [str(path.relative_to(ROOT / "docs")) for path in tracked("docs/*.md")]
    assert named == sorted([*pages, *BESIDE, COMMANDS, CODES, SCHEMAS])


def leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from leaves(one)


def test_generated_pages_say_what_the_code_says() -> None:
    pages = command_pages()
    assert "\n## hft host enrol\n" in pages["commands/host.md"]
    assert "| `--fingerprints FILE` | The same of many hosts." in pages["commands/host.md"]
    assert "| 10 | half undone |" in exit_codes()
    assert "| `plan_hash` | sha256 |" in schemas()


def test_a_page_of_the_site_has_no_marks_and_no_link_out_of_it() -> None:
    text = "<!-- test: lab; may exit 3 -->\n```sh\nhft status\n```\n[a](../CHANGELOG.md#x) "
    text += "[b](../stacks/lab/Pulumi.yaml) [c](ci.md)"
    shown = for_site(text, "stacks.md")
    assert shown == "```sh\nhft status\n```\n[a](changelog.md#x) b (`stacks/lab/Pulumi.yaml`) [c](ci.md)"
    assert for_site("| `a\\|b` | c \\| d |\n`e\\|f`", "ci.md") == "| `a|b` | c \\| d |\n`e\\|f`"
    assert for_site("[d](docs/ci.md) [inventory/](inventory/)", "index.md") == "[d](ci.md) inventory/"


@pytest.mark.parametrize(
    ("text", "dead"),
    [
        ("# A b\n[x](#a-b)\n", []),
        ("# A `b`, c & d\n## A\n## A\n[x](#a-b-c--d) [y](#a-1)\n", []),
        ("[x](#none) [y](none.md)\n", ["#none", "none.md"]),
        ("```\n# no heading\n[x](none.md)\n```\n`[y](none.md)`\n[z](#no-heading)\n", ["#no-heading"]),
    ],
)
def test_a_dead_link_is_told(text: str, dead: list[str], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert dead_links(page) == dead
    anchors.cache_clear()


def test_a_list_below_a_paragraph_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Text\n- one\n- two\n\nText\n\n1. one\n   more\n2. two\n```\nText\n- no list\n```\n")
    assert glued_lists(page) == [2]
    assert list(links("[a](b)"))
